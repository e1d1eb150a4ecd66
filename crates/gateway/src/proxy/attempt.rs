//! What a request is to those who count, from its head to its end; and what an attempt is to the engine.

use std::sync::Arc;

use firedrill_failover::{Attempt, Instant, Status};
use firedrill_line::Phase;
use firedrill_store::Drawn;
use hyper::http::uri::PathAndQuery;

use crate::flight::Kind;
use crate::metrics::Lost;
use crate::proxy::lost;
use crate::shared::{Credential, Shared};

/// A request that is open. However it ends, it is counted once.
pub(crate) struct Open {
    pub(crate) shared: Arc<Shared>,
    pub(crate) phase: Phase,
    pub(crate) began: Instant,
    answered: bool,
}

impl Open {
    pub(crate) fn new(shared: Arc<Shared>, phase: Phase) -> Self {
        shared.flight.begin(Kind::Request);
        shared.metrics.began();
        let began = shared.clock.now();
        Self { shared, phase, began, answered: false }
    }

    /// Its answer begins.
    pub(crate) fn answered(&mut self, status: u16, own: bool) {
        self.answered = true;
        self.shared.metrics.answered(status, own, self.shared.clock.now().since(self.began));
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        if !self.answered {
            self.shared.metrics.aborted();
        }
        self.phase.set(Phase::IDLE);
        self.shared.flight.end(Kind::Request);
    }
}

/// A token that was drawn for an attempt.
#[derive(Clone)]
pub(crate) struct Attempting {
    pub(crate) drawn: Drawn,
    pub(crate) attempt: Attempt,
    pub(crate) credential: Arc<Credential>,
}

impl Attempting {
    /// The engine is told of `status`.
    pub(crate) fn report(&self, shared: &Shared, status: Status) {
        shared.shell.report(self.drawn, status, self.attempt);
    }

    /// No answer came.
    pub(crate) fn lost(&self, shared: &Shared, kind: Lost) -> Status {
        let status = lost::status(kind);
        self.report(shared, status);
        status
    }

    /// A success whose body is on its way.
    pub(crate) fn succeeding(self, status: Status, went: Option<PathAndQuery>) -> Succeeding {
        Succeeding { attempting: self, status, went }
    }
}

/// An answer that began as a success. It is one when its body has ended well, and also when its client did not wait for that.
pub(crate) struct Succeeding {
    attempting: Attempting,
    status: Status,
    /// Where a probe can go too.
    went: Option<PathAndQuery>,
}

impl Succeeding {
    pub(crate) fn succeeded(self, shared: &Shared) {
        self.attempting.report(shared, self.status);
        let Some(went) = self.went else { return };
        let known = shared.last_good.load();
        if known.as_deref() != Some(&went) {
            shared.last_good.store(Some(Arc::new(went)));
        }
    }

    /// The body broke off, or stalled.
    pub(crate) fn lost(self, shared: &Shared, kind: Lost) {
        self.attempting.lost(shared, kind);
        shared.metrics.broke_off(&self.attempting.credential.counts, kind);
    }
}
