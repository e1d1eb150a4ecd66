//! Which token a request is sent with.

use std::fmt;
use std::sync::Arc;

use firedrill_failover::{Attempt, Random};
use firedrill_store::Drawn;
use hyper::http::request::Parts;

use crate::proxy::attempt::Attempting;
use crate::shared::{Credential, Shared};

/// What one request has drawn.
pub(crate) struct Draws {
    random: Random,
    tried: Vec<Drawn>,
    attempts: usize,
}

/// Why nothing was drawn.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum NotDrawn {
    /// There is no token that was not tried, and that this gateway has a secret for.
    NoneLeft,
    /// What a rehearsal asked for cannot be drawn.
    Refused,
}

impl Draws {
    pub(crate) fn new(random: Random) -> Self {
        Self { random, tried: Vec::new(), attempts: 0 }
    }

    /// Draws a token for the next attempt: another than those that were tried. `seen` is the request as its client sent it, if
    /// there is a rehearsal.
    pub(crate) async fn draw(
        &mut self,
        shared: &Shared,
        seen: Option<&Parts>,
    ) -> Result<Attempting, NotDrawn> {
        let steered = match (&shared.rehearsal, seen) {
            (Some(rehearsal), Some(seen)) => Some((rehearsal, seen)),
            _ => None,
        };
        let label = match steered {
            Some((rehearsal, seen)) => rehearsal.before(seen, self.attempts, &shared.shell).await,
            None => None,
        };
        let drawn = match &label {
            Some(label) => self.draw_this(shared, label),
            None => self.draw_any(shared).ok_or(None),
        };
        match drawn {
            Ok((drawn, credential)) => {
                let attempt = if self.attempts == 0 { Attempt::First } else { Attempt::Retry };
                self.attempts += 1;
                shared.metrics.drawn(&credential.counts, drawn.is_fallback(), attempt == Attempt::Retry);
                if let Some((rehearsal, seen)) = steered {
                    rehearsal.drawn(seen, Ok((&credential.label, drawn.is_fallback())));
                }
                Ok(Attempting { drawn, attempt, credential })
            }
            Err(Some(why)) => {
                if let Some((rehearsal, seen)) = steered {
                    rehearsal.drawn(seen, Err(why));
                }
                Err(NotDrawn::Refused)
            }
            Err(None) => Err(NotDrawn::NoneLeft),
        }
    }

    /// The attempt is over, and there may be another.
    pub(crate) fn tried(&mut self, attempting: &Attempting) {
        self.tried.push(attempting.drawn);
    }

    /// How many attempts there were after the first.
    pub(crate) fn retries(&self) -> u32 {
        u32::try_from(self.attempts.saturating_sub(1)).unwrap_or(u32::MAX)
    }

    fn draw_any(&mut self, shared: &Shared) -> Option<(Drawn, Arc<Credential>)> {
        let credentials = shared.credentials.load();
        let tried = self.tried.len();
        loop {
            let drawn = if self.tried.is_empty() {
                shared.shell.select(&mut self.random)
            } else if let Some(another) = shared.shell.select_another(&mut self.random, &self.tried) {
                another
            } else {
                break;
            };
            if let Some(credential) = credentials.of(drawn.fingerprint()) {
                return Some((drawn, Arc::clone(credential)));
            }
            // Not configured here: it is of the configuration before, or of another gateway.
            self.tried.push(drawn);
        }
        let passed = self.tried.split_off(tried);
        let former = |drawn: Drawn| Some((drawn, Arc::clone(credentials.former(drawn.fingerprint())?)));
        passed.into_iter().find_map(former)
    }

    fn draw_this(&self, shared: &Shared, label: &str) -> Result<(Drawn, Arc<Credential>), Option<String>> {
        let not_drawn = |why: &dyn fmt::Display| Some(format!("{label} cannot be drawn: {why}"));
        let drawn = shared.shell.select_this(label, &self.tried).map_err(|why| not_drawn(&why))?;
        let credentials = shared.credentials.load();
        let fingerprint = drawn.fingerprint();
        let credential = credentials.of(fingerprint).or_else(|| credentials.former(fingerprint));
        let lacking = || not_drawn(&"this gateway has no secret for it");
        credential.map(|credential| (drawn, Arc::clone(credential))).ok_or_else(lacking)
    }
}
