//! What holds at every version of a log: the sentences of `always`, and their checkers.
//!
//! **Architecture invariant:** a checker shares no code with what it checks. It reads the log as text, the way that
//! anybody could, and keeps its own simple account (`account.rs`); of the engine it uses nothing.

use std::collections::BTreeMap;

use crate::account::Account;
use crate::target::PoolState;

/// A property of every version of a log.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Invariant {
    /// Every configured token is available or unavailable, and not both.
    ExactlyOneList,
    /// Consecutive failures below the threshold never remove, and at the threshold always do.
    LeavesAtThreshold,
    /// A token that a cooldown brings back was out for that long.
    NoEarlyReturn,
    /// Who has heard everything knows the same.
    WorkersAgree,
    /// Every probe is sent by the holder of a lease.
    LeaseHolderProbes,
}

/// What a scenario writes for each, in the order of [`Invariant::ALL`].
pub(crate) const SENTENCES: [&str; 5] = [
    "every token is in exactly one list",
    "a token leaves exactly at the threshold",
    "no token returns before its cooldown",
    "all workers agree",
    "only the holder of the lease probes",
];

impl Invariant {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::ExactlyOneList,
        Self::LeavesAtThreshold,
        Self::NoEarlyReturn,
        Self::WorkersAgree,
        Self::LeaseHolderProbes,
    ];

    /// The invariant that a scenario calls so.
    pub fn from_sentence(sentence: &str) -> Option<Self> {
        let index = SENTENCES.iter().position(|known| *known == sentence)?;
        Some(Self::ALL[index])
    }

    /// What a scenario calls it.
    pub fn sentence(self) -> &'static str {
        SENTENCES[self as usize]
    }

    /// Asks the states of all workers, by number, each of which has heard everything, after a step.
    ///
    /// # Errors
    /// What is wrong.
    pub fn check_states(self, states: &[(u32, PoolState)]) -> Result<(), String> {
        match self {
            Self::ExactlyOneList => states.iter().try_for_each(|(worker, state)| {
                let lists = state.available.iter().chain(&state.unavailable);
                let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
                lists.for_each(|label| *seen.entry(label).or_default() += 1);
                match seen.iter().find(|(_, times)| **times > 1) {
                    Some((label, times)) => {
                        Err(format!("{label} stands {times} times in the lists of worker {worker}"))
                    }
                    None => Ok(()),
                }
            }),
            Self::WorkersAgree => {
                let Some((first, state)) = states.first() else { return Ok(()) };
                match states.iter().find(|(_, other)| other != state) {
                    Some((worker, _)) => Err(format!("worker {worker} knows otherwise than worker {first}")),
                    None => Ok(()),
                }
            }
            Self::LeavesAtThreshold | Self::NoEarlyReturn | Self::LeaseHolderProbes => Ok(()),
        }
    }

    /// Asks a log in its wire form, header first.
    ///
    /// # Errors
    /// What is wrong at the first version at which something is.
    pub fn check_log(self, wire: &[String]) -> Result<(), String> {
        let mut account = Account::default();
        for line in wire.iter().skip(1) {
            account.hear(line, &[self]).map_err(|wrong| wrong.seen)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FOUNDING: &str = r#"{"version":1,"at":0,"by":1,"proposal":1,"events":[{"configured":{"reset":true,"tokens":[{"label":"a","fingerprint":"1"},{"label":"b","fingerprint":"2"}],"policy":{"failover":{"failureThreshold":2,"cooldownDuration":100}}}}]}"#;

    /// A log of the founding and one append for each `(at, by, event)`.
    #[track_caller]
    fn check(events: &[(u64, u64, &str)], expect: &[(Invariant, &str)]) {
        let mut wire = vec!["header".to_owned(), FOUNDING.to_owned()];
        for (version, (at, by, event)) in (2..).zip(events) {
            wire.push(format!(r#"{{"version":{version},"at":{at},"by":{by},"events":[{event}]}}"#));
        }
        for invariant in Invariant::ALL {
            let wrong =
                expect.iter().find(|(broken, _)| *broken == invariant).map(|(_, wrong)| (*wrong).to_owned());
            assert_eq!(invariant.check_log(&wire).err(), wrong, "{}", invariant.sentence());
        }
    }

    const FAILED: &str = r#"{"failed":{"token":"a","status":429,"failures":1}}"#;
    const REMOVED: &str = r#"{"removed":{"token":"a","status":429,"failures":2}}"#;
    const RESTORED: &str = r#"{"restored":{"token":"a","by":"cooldown"}}"#;
    const LEASE: &str = r#"{"lease_taken":{"until":50}}"#;
    const PROBE: &str = r#"{"probe_sent":{"token":"a","probe":1}}"#;

    #[test]
    fn a_right_log_breaks_nothing() {
        check(&[(0, 1, FAILED), (5, 1, REMOVED), (5, 1, LEASE), (49, 1, PROBE), (105, 2, RESTORED)], &[]);
        let success = r#"{"succeeded":{"token":"a"}}"#;
        check(&[(0, 1, FAILED), (0, 1, success), (0, 1, FAILED), (0, 1, REMOVED)], &[]);
    }

    #[test]
    fn every_invariant_has_a_log_that_breaks_it() {
        check(
            &[(0, 1, REMOVED)],
            &[(Invariant::LeavesAtThreshold, "version 2: a was removed after 1 of 2 failures")],
        );
        check(
            &[(0, 1, FAILED), (0, 1, FAILED)],
            &[(Invariant::LeavesAtThreshold, "version 3: a failed 2 of 2 times and was not removed")],
        );
        check(
            &[(0, 1, FAILED), (5, 1, REMOVED), (104, 1, RESTORED)],
            &[(Invariant::NoEarlyReturn, "version 4: a returned after 99 of 100 ms")],
        );
        check(
            &[(0, 1, RESTORED)],
            &[
                (
                    Invariant::ExactlyOneList,
                    "version 2: a is 2 times among the available and 0 times among the unavailable",
                ),
                (Invariant::NoEarlyReturn, "version 2: a returned after 0 of 100 ms"),
            ],
        );
        let probes = |by, at| [(0, 1, FAILED), (0, 1, REMOVED), (0, 1, LEASE), (at, by, PROBE)];
        let without = "version 5: worker 2 probes a without the lease";
        check(&probes(2, 0), &[(Invariant::LeaseHolderProbes, without)]);
        let without = "version 5: worker 1 probes a without the lease";
        check(&probes(1, 50), &[(Invariant::LeaseHolderProbes, without)]);
    }

    #[test]
    fn states_that_differ_or_repeat_are_found() {
        let state = |available: &[&str], unavailable: &[&str]| PoolState {
            available: available.iter().map(|label| (*label).to_owned()).collect(),
            unavailable: unavailable.iter().map(|label| (*label).to_owned()).collect(),
            ..PoolState::default()
        };
        let (one, other, twice) =
            (state(&["a", "b"], &[]), state(&["a"], &["b"]), state(&["a", "b"], &["a"]));
        assert_eq!(Invariant::WorkersAgree.check_states(&[(1, one.clone()), (2, one.clone())]), Ok(()));
        assert_eq!(
            Invariant::WorkersAgree.check_states(&[(2, one.clone()), (3, other)]),
            Err("worker 3 knows otherwise than worker 2".to_owned())
        );
        assert_eq!(Invariant::ExactlyOneList.check_states(&[(1, one)]), Ok(()));
        assert_eq!(
            Invariant::ExactlyOneList.check_states(&[(2, twice)]),
            Err("a stands 2 times in the lists of worker 2".to_owned())
        );
    }

    #[test]
    fn a_fold_with_a_token_in_no_list_in_two_or_unknown_is_found() {
        let mut account = Account::default();
        account.hear(FOUNDING, &[]).expect("a good log");
        let check = |available: &[&str], unavailable: &[&str], expect: Option<&str>| {
            let labels = |labels: &[&str]| labels.iter().map(|label| (*label).to_owned()).collect();
            let fold = PoolState {
                available: labels(available),
                unavailable: labels(unavailable),
                ..PoolState::default()
            };
            let wrong = account.check_lists("worker 2", &fold).err();
            assert_eq!(wrong.map(|wrong| wrong.seen).as_deref(), expect);
        };
        check(&["a"], &["b"], None);
        check(&["a"], &[], Some("b stands 0 times in the lists of worker 2"));
        check(&["a", "b"], &["a"], Some("a stands 2 times in the lists of worker 2"));
        check(&["a", "b", "c"], &[], Some("c stands 1 times in the lists of worker 2, and not configured"));
    }
}
