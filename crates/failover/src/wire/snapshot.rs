//! A fold as a line: what stands in a log in place of the appends that led to it.

use alloc::borrow::Cow;
use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::check::Check;
use super::{WireError, WireFault, parse, to_json};
use crate::config::{Config, Policy, Token};
use crate::event::{Version, WorkerId};
use crate::fold::{Fold, Proposed, WORKERS_REMEMBERED};
use crate::pool::{Lease, Pool};
use crate::roster::{Held, Parts, Probe, Roster};
use crate::time::Instant;

/// A fold as a line, without the line's end. It stands directly after the header of a log.
///
/// # Panics
/// If the fold is that of an empty log: a broken invariant, there is nothing to say of it.
pub fn snapshot_line(fold: &Fold) -> String {
    let pool = fold.pool();
    assert!(pool.version() > Version::EMPTY, "broken invariant: a snapshot of an empty log");
    let Parts { slots, seats, available, unavailable, vacant } = pool.roster.parts();
    let slots = slots.into_iter().map(|(generation, here)| SlotLine::new(generation, here)).collect();
    let head = fold.head();
    to_json(&SnapshotLine {
        snapshot: head.version,
        at: pool.clock(),
        by: head.by,
        proposal: head.proposal,
        policy: Cow::Borrowed(pool.policy()),
        slots,
        seats,
        available,
        unavailable,
        vacant,
        lease: pool.lease().map(|Lease { holder, until }| LeaseLine { holder, until }),
        first_probe: pool.first_probe,
        next_probe: pool.next_probe,
        proposals: fold.proposals.iter().map(|(by, last)| (*by, last.proposal, last.version)).collect(),
        check: None,
    })
}

/// A line that was parsed, and not yet understood.
pub(super) fn parsed(line: &str) -> Result<SnapshotLine<'_>, WireError> {
    parse(line)
}

/// Whether a line should be read as a snapshot rather than as an append.
pub(super) fn is_snapshot(line: &str) -> bool {
    line.starts_with("{\"snapshot\":")
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SnapshotLine<'a> {
    snapshot: Version,
    at: Instant,
    by: WorkerId,
    proposal: u64,
    policy: Cow<'a, Policy>,
    slots: Vec<SlotLine>,
    seats: Vec<u32>,
    available: Vec<u32>,
    unavailable: Vec<u32>,
    vacant: Vec<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    lease: Option<LeaseLine>,
    first_probe: u64,
    next_probe: u64,
    proposals: Vec<(WorkerId, u64, Version)>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub(super) check: Check<'a>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct LeaseLine {
    holder: WorkerId,
    until: Instant,
}

/// A slot: with a token, or vacant.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SlotLine {
    generation: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    token: Option<Token>,
    #[serde(default, skip_serializing_if = "is_zero")]
    failures: u32,
    #[serde(default, skip_serializing_if = "is_zero")]
    successes: u32,
    #[serde(default, skip_serializing_if = "is_never")]
    since: Instant,
    /// The number of the probe that is out, and when it was sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    probe: Option<(u64, Instant)>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference")]
fn is_zero(count: &u32) -> bool {
    *count == 0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference")]
fn is_never(since: &Instant) -> bool {
    *since == Instant::ZERO
}

impl SlotLine {
    fn new(generation: u32, here: Option<(Token, Held)>) -> Self {
        let Some((token, Held { failures, successes, since, probe })) = here else {
            return Self {
                generation,
                token: None,
                failures: 0,
                successes: 0,
                since: Instant::ZERO,
                probe: None,
            };
        };
        let probe = probe.map(|probe| (probe.number, probe.sent));
        Self { generation, token: Some(token), failures, successes, since, probe }
    }

    fn into_parts(self) -> (u32, Option<(Token, Held)>) {
        let Self { generation, token, failures, successes, since, probe } = self;
        let probe = probe.map(|(number, sent)| Probe { number, sent });
        (generation, token.map(|token| (token, Held { failures, successes, since, probe })))
    }
}

impl SnapshotLine<'_> {
    /// The fold that it says, if it can be that of a log.
    pub(super) fn into_fold(self) -> Result<Fold, WireFault> {
        let wrong = |what: &str| WireFault::Snapshot(what.into());
        let Self { snapshot: version, at, by, proposal, policy, first_probe, next_probe, .. } = self;
        if version == Version::EMPTY {
            return Err(wrong("it is of an empty log"));
        }
        let parts = Parts {
            slots: self.slots.into_iter().map(SlotLine::into_parts).collect(),
            seats: self.seats,
            available: self.available,
            unavailable: self.unavailable,
            vacant: self.vacant,
        };
        let here = || parts.slots.iter().filter_map(|(_, here)| here.as_ref());
        let tokens: Vec<Token> = here().map(|(token, _)| token.clone()).collect();
        Config::from_parts(tokens, policy.clone().into_owned())
            .map_err(|errors| WireFault::Config(errors.iter().map(ToString::to_string).collect()))?;
        let out = |held: &Held| held.probe.map(|probe| (probe.number, probe.sent));
        if here().any(|(_, held)| held.since > at || out(held).is_some_and(|(_, sent)| sent > at)) {
            return Err(wrong("something happened after it"));
        }
        let numbers = here().filter_map(|(_, held)| out(held)).map(|(number, _)| number);
        let probes_out = numbers.clone().count();
        let distinct: BTreeSet<u64> = numbers.collect();
        if first_probe == 0
            || distinct.len() < probes_out
            || distinct.iter().any(|number| *number >= next_probe)
        {
            return Err(wrong("its probes are not numbered as they were sent"));
        }
        let roster = Roster::of(&parts).ok_or_else(|| wrong("a token is in neither list or in both"))?;
        let mut probes: Vec<_> =
            roster.unavailable().filter_map(|(token, slot)| slot.probe.map(|probe| (token, probe))).collect();
        probes.sort_by_key(|(_, probe)| probe.number);
        let pool = Pool {
            policy: policy.into_owned(),
            roster,
            lease: self.lease.map(|LeaseLine { holder, until }| Lease { holder, until }),
            next_probe,
            first_probe,
            probes_out: u32::try_from(probes.len()).unwrap_or(u32::MAX),
            probes: VecDeque::from(probes),
            version,
            clock: at,
        };
        let proposals: BTreeMap<WorkerId, Proposed> = self
            .proposals
            .iter()
            .map(|&(by, proposal, version)| (by, Proposed { proposal, version }))
            .collect();
        let newest = proposals.get(&by).is_some_and(|last| *last == Proposed { proposal, version });
        let later = proposals.values().any(|last| last.version > version);
        if !newest || later || proposals.len() != self.proposals.len() || proposals.len() > WORKERS_REMEMBERED
        {
            return Err(wrong("its proposals are not those of a log"));
        }
        Ok(Fold { pool, by, proposal, proposals })
    }
}
