//! The state of a gateway as it is told.

use firedrill_failover::{Duration, Failover, Instant, Pool, Profile, Version};
use firedrill_store::Reach;
use serde::Serialize;

use super::Admin;
use crate::telling::Why;

/// What a gateway is about just now. Times are dates; counts are since its start.
#[derive(Debug, Serialize)]
pub(super) struct State {
    pub(super) gateway: GatewayState,
    pub(super) pool: PoolState,
    pub(super) log: LogState,
    pub(super) configuration: Configuration,
}

#[derive(Debug, Serialize)]
pub(super) struct GatewayState {
    /// Who it is in the log.
    pub(super) worker: u64,
    pub(super) now: String,
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) upstream: String,
    pub(super) stopping: bool,
    pub(super) requests: u64,
    /// Those that are being answered.
    pub(super) open: usize,
    pub(super) retries: u64,
}

#[derive(Debug, Serialize)]
pub(super) struct PoolState {
    pub(super) profile: &'static str,
    pub(super) failover: bool,
    pub(super) available: usize,
    pub(super) unavailable: usize,
    /// The available ones, then the unavailable ones in the order in which they left.
    pub(super) tokens: Vec<TokenState>,
}

#[derive(Debug, Serialize)]
pub(super) struct TokenState {
    pub(super) label: String,
    pub(super) available: bool,
    /// Consecutive failures that are counted.
    pub(super) failures: u32,
    /// Probe successes that are counted.
    pub(super) successes: u32,
    pub(super) attempts: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) out: Option<Out>,
}

/// Why a token is unavailable, and until when.
#[derive(Debug, Serialize)]
pub(super) struct Out {
    pub(super) since: String,
    /// What it was answered last before it left; null if the log does not have that any more, or it was taken out by hand.
    pub(super) status: Option<String>,
    /// Whether an operator took it out.
    #[serde(rename = "byHand")]
    pub(super) by_hand: bool,
    /// It returns at the first tick at or past this; null if only a probe brings it back.
    pub(super) due: Option<String>,
}

#[derive(Debug, Serialize)]
pub(super) struct LogState {
    pub(super) version: Version,
    /// `beginning`, `connected`, or `away`.
    pub(super) reach: &'static str,
    pub(super) why: Option<String>,
    pub(super) waiting: usize,
    pub(super) appends: u64,
    pub(super) conflicts: u64,
    pub(super) outages: u64,
    #[serde(rename = "givenUp")]
    pub(super) given_up: Option<String>,
}

#[derive(Debug, Serialize)]
pub(super) struct Configuration {
    /// When it was read again last, and taken on; null if it is that of the start.
    pub(super) loaded: Option<String>,
    pub(super) reloads: u64,
    pub(super) refusals: u64,
    /// When a later one was refused, and why.
    pub(super) refused: Option<Refused>,
}

#[derive(Debug, Serialize)]
pub(super) struct Refused {
    pub(super) at: String,
    pub(super) why: String,
}

impl State {
    pub(super) fn of(admin: &Admin) -> Self {
        let shared = &admin.shared;
        let (metrics, flight) = (&shared.metrics, shared.flight.now());
        let standing = shared.shell.standing();
        let (reach, why) = match standing.reach {
            Reach::Beginning => ("beginning", None),
            Reach::Connected => ("connected", None),
            Reach::Away { why, .. } => ("away", Some(why)),
        };
        let loading = metrics.loading();
        let of_day = |millis| Instant::from_millis(millis).to_string();
        Self {
            gateway: GatewayState {
                worker: admin.worker.number(),
                now: of_day(shared.clock.wall()),
                kind: shared.vendor.to_string(),
                upstream: shared.route.to_string(),
                stopping: *shared.stop.borrow(),
                requests: metrics.requests(),
                open: flight.requests,
                retries: metrics.retries(),
            },
            pool: pool(admin),
            log: LogState {
                version: standing.head.version,
                reach,
                why,
                waiting: standing.waiting,
                appends: standing.appends,
                conflicts: standing.conflicts,
                outages: standing.outages,
                given_up: standing.given_up,
            },
            configuration: Configuration {
                loaded: (loading.loaded > 0).then(|| of_day(loading.loaded)),
                reloads: loading.reloads,
                refusals: loading.refusals,
                refused: loading.refused.map(|(at, why)| Refused { at: of_day(at), why }),
            },
        }
    }
}

fn pool(admin: &Admin) -> PoolState {
    admin.shared.shell.look(|pool| {
        let tokens = pool.tokens().map(|(_, known)| token(admin, pool, &known));
        PoolState {
            profile: match pool.policy().profile() {
                Profile::Higress => "higress",
                Profile::Standard => "standard",
            },
            failover: pool.policy().failover().is_some(),
            available: pool.available_len(),
            unavailable: pool.len() - pool.available_len(),
            tokens: tokens.collect(),
        }
    })
}

/// A token of `pool`.
pub(super) fn token(admin: &Admin, pool: &Pool, token: &firedrill_failover::TokenState<'_>) -> TokenState {
    let date = |at: Instant| (at + Duration::from_millis(admin.log_zero)).to_string();
    let cooldown = pool.policy().failover().and_then(Failover::cooldown);
    let why = admin.story.why(token.fingerprint);
    TokenState {
        label: token.label.to_owned(),
        available: token.unavailable_since.is_none(),
        failures: token.failures,
        successes: token.successes,
        attempts: admin.shared.metrics.token(token.label).attempts(),
        out: token.unavailable_since.map(|since| Out {
            since: date(since),
            status: match why {
                Some(Why::Status(status)) => Some(status.to_string()),
                Some(Why::ByHand) | None => None,
            },
            by_hand: why == Some(Why::ByHand),
            due: cooldown.map(|cooldown| date(since + cooldown)),
        }),
    }
}
