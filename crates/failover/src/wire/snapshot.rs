//! A fold as a line: what stands in a log in place of the appends that led to it.

use alloc::borrow::Cow;
use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::check::Check;
use super::{WireError, WireFault, parse, to_json};
use crate::config::{Config, Policy, Profile, Token};
use crate::event::{Version, WorkerId};
use crate::fold::{Fold, Proposed, WORKERS_REMEMBERED};
use crate::pool::{Lease, Pool};
use crate::roster::{BEFORE_JOINING, Held, Parts, Probe, Roster};
use crate::time::Instant;

/// No log has had so many appends or probes, or lasts so long, and from here on there is room to count.
const MOST: u64 = u64::MAX >> 1;

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

/// Whether a line should be read as a snapshot rather than as an append, in whatever order its keys stand.
pub(super) fn is_snapshot(line: &str) -> bool {
    #[derive(Deserialize)]
    struct Key<'a> {
        #[serde(borrow, default)]
        snapshot: Option<&'a RawValue>,
    }
    let begins = line.starts_with("{\"snapshot\"");
    begins || serde_json::from_str(line).is_ok_and(|Key { snapshot }| snapshot.is_some())
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

    /// `None` if something is counted for nobody.
    fn into_parts(self) -> Option<(u32, Option<(Token, Held)>)> {
        let Self { generation, token, failures, successes, since, probe } = self;
        let probe = probe.map(|(number, sent)| Probe { number, sent });
        let held = Held { failures, successes, since, probe };
        let nothing = Held { failures: 0, successes: 0, since: Instant::ZERO, probe: None };
        if token.is_none() && held != nothing {
            return None;
        }
        Some((generation, token.map(|token| (token, held))))
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
        if version.appends() > MOST || next_probe > MOST || at.as_millis() > MOST {
            return Err(wrong("more happened than can happen"));
        }
        let slots: Option<Vec<_>> = self.slots.into_iter().map(SlotLine::into_parts).collect();
        let slots = slots.ok_or_else(|| wrong("something is counted for a vacant slot"))?;
        if slots.iter().any(|(generation, _)| *generation == BEFORE_JOINING) {
            return Err(wrong("a token is of before a log"));
        }
        let parts = Parts {
            slots,
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
        let mut probes_out: Vec<(u64, Instant)> = here().filter_map(|(_, held)| out(held)).collect();
        probes_out.sort_unstable();
        let in_order = |pair: &[(u64, Instant)]| pair[0].0 < pair[1].0 && pair[0].1 <= pair[1].1;
        if first_probe == 0
            || first_probe > next_probe
            || !probes_out.windows(2).all(in_order)
            || probes_out.iter().any(|(number, _)| !(first_probe..next_probe).contains(number))
        {
            return Err(wrong("its probes are not numbered as they were sent"));
        }
        if here().any(|(_, held)| out(held).is_some_and(|(_, sent)| sent < held.since)) {
            return Err(wrong("a token was probed before it left"));
        }
        let roster = Roster::of(&parts).ok_or_else(|| wrong("a token is in neither list or in both"))?;
        if !roster.unavailable().is_sorted_by_key(|(_, slot)| slot.since) {
            return Err(wrong("its unavailable tokens are not in the order in which they left"));
        }
        if policy.profile() == Profile::Standard && roster.available().any(|(_, slot)| slot.successes > 0) {
            return Err(wrong("probes are counted for an available token"));
        }
        let lease = self.lease.map(|LeaseLine { holder, until }| Lease { holder, until });
        if lease.is_some_and(|lease| lease.until > at + Lease::DURATION) {
            return Err(wrong("its lease lasts too long"));
        }
        let mut probes: Vec<_> =
            roster.unavailable().filter_map(|(token, slot)| slot.probe.map(|probe| (token, probe))).collect();
        probes.sort_by_key(|(_, probe)| probe.number);
        let pool = Pool {
            policy: policy.into_owned(),
            roster,
            lease,
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
        let versions: BTreeSet<Version> = proposals.values().map(|last| last.version).collect();
        let later = versions.first() == Some(&Version::EMPTY) || versions.last() > Some(&version);
        let twice = proposals.len() != self.proposals.len() || versions.len() != proposals.len();
        if !newest || later || twice || proposals.len() > WORKERS_REMEMBERED {
            return Err(wrong("its proposals are not those of a log"));
        }
        Ok(Fold { pool, by, proposal, proposals })
    }
}
