//! What every connection shares: the pool, the secrets, the way upstream, the clock and the counts.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::{ArcSwap, ArcSwapOption};
use firedrill_clock::Clock;
use firedrill_failover::{Duration, Fingerprint, Random};
use firedrill_line::Limits;
use firedrill_store::Shell;
use hyper::header::HeaderValue;
use hyper::http::uri::PathAndQuery;
use tokio::sync::watch;

use crate::flight::Flight;
use crate::mask::Mask;
use crate::metrics::{Metrics, TokenCounts};
use crate::rehearsal::Rehearsal;
use crate::secret::{Kept, Secrets};
use crate::settings::Route;
use crate::upstream::Client;
use crate::vendor::Vendor;

pub(crate) struct Shared {
    pub(crate) shell: Shell,
    pub(crate) credentials: ArcSwap<Credentials>,
    pub(crate) client: Client,
    pub(crate) route: Route,
    pub(crate) vendor: Vendor,
    /// Where a probe goes until `last_good` is known, if not to the vendor's own path.
    pub(crate) probe_path: Option<Box<str>>,
    /// How long upstream may take, in milliseconds.
    pub(crate) timeout: AtomicU64,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) limits: Arc<Limits>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) flight: Arc<Flight>,
    pub(crate) rehearsal: Option<Arc<dyn Rehearsal>>,
    /// Where the last request went that succeeded, and that a probe can go too.
    pub(crate) last_good: ArcSwapOption<PathAndQuery>,
    pub(crate) chance: Chance,
    /// Whether it should stop.
    pub(crate) stop: watch::Sender<bool>,
}

impl Shared {
    /// How long upstream may take, to the head of an answer and between two pieces of its body.
    pub(crate) fn timeout(&self) -> Duration {
        Duration::from_millis(self.timeout.load(Ordering::Relaxed))
    }
}

/// What is sent for the tokens: those of the configuration, and those of others before that may not be settled.
#[derive(Default)]
pub(crate) struct Credentials {
    tokens: BTreeMap<Fingerprint, Arc<Credential>>,
    /// The pool may still draw from the configuration before. They are sent if it draws nothing else.
    former: BTreeMap<Fingerprint, Arc<Credential>>,
}

/// A token as it is sent.
pub(crate) struct Credential {
    pub(crate) label: Box<str>,
    /// What stands in the vendor's header.
    pub(crate) value: HeaderValue,
    pub(crate) mask: Mask,
    pub(crate) counts: Arc<TokenCounts>,
}

impl Credentials {
    pub(crate) fn new(secrets: Secrets, vendor: Vendor, metrics: &Metrics) -> Self {
        let credential = |kept: &Kept| {
            let token = kept.token.expose();
            let value =
                vendor.value(token).expect("broken invariant: a header can hold a token that was kept");
            let counts = metrics.token(&kept.label);
            Credential { label: kept.label.clone(), value, mask: Mask::new(token), counts }
        };
        let tokens = secrets.into_iter().map(|(token, kept)| (token, Arc::new(credential(&kept)))).collect();
        Self { tokens, former: BTreeMap::new() }
    }

    /// These, in the place of `before`. What that took the place of may still be drawn too.
    pub(crate) fn after(self, before: &Self) -> Self {
        let mut former = before.former.clone();
        former.extend(before.tokens.iter().map(|(token, credential)| (*token, Arc::clone(credential))));
        Self { former, ..self }
    }

    /// These, without those that they took the place of.
    pub(crate) fn alone(&self) -> Self {
        Self { tokens: self.tokens.clone(), former: BTreeMap::new() }
    }

    pub(crate) fn of(&self, fingerprint: Fingerprint) -> Option<&Arc<Credential>> {
        self.tokens.get(&fingerprint)
    }

    pub(crate) fn former(&self, fingerprint: Fingerprint) -> Option<&Arc<Credential>> {
        self.former.get(&fingerprint)
    }
}

/// Where requests have their chance from.
pub(crate) struct Chance {
    seed: u64,
    drawn: AtomicU64,
}

impl Chance {
    pub(crate) fn new(seed: u64) -> Self {
        Self { seed, drawn: AtomicU64::new(0) }
    }

    /// That of the next request. It derives from the seed and from how many there were before: no lock, and no order of threads
    /// within a request.
    pub(crate) fn next(&self) -> Random {
        Random::nth(self.seed, self.drawn.fetch_add(1, Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_draw_what_the_seed_says_and_each_token_as_often() {
        let drawn = |seed| {
            let chance = Chance::new(seed);
            (0..4_000).map(|_| chance.next().below(4)).collect::<Vec<_>>()
        };
        assert_eq!(drawn(7), drawn(7));
        assert_ne!(drawn(7), drawn(8));
        for token in 0..4 {
            let times = drawn(7).iter().filter(|drawn| **drawn == token).count();
            assert!((900..1_100).contains(&times), "{token} was drawn {times} times");
        }
    }
}
