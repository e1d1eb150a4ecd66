//! What holds at every version of a log: the sentences of `always`, and their checkers.
//!
//! **Architecture invariant:** a checker shares no code with what it checks. It reads the log as text, the way that
//! anybody could, and keeps its own simple account; of the engine it uses nothing.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

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
            let line: Value = serde_json::from_str(line).map_err(|error| error.to_string())?;
            account.at = line["at"].as_u64().unwrap_or_default();
            account.by = line["by"].as_u64().unwrap_or_default();
            let version = &line["version"];
            for event in line["events"].as_array().into_iter().flatten() {
                account.take(event, self).map_err(|wrong| format!("version {version}: {wrong}"))?;
            }
            if self == Self::ExactlyOneList {
                account.check_touched().map_err(|wrong| format!("version {version}: {wrong}"))?;
            }
        }
        Ok(())
    }
}

/// A simple account of a log.
#[derive(Default)]
struct Account {
    at: u64,
    by: u64,
    /// How many times each token stands in either list; who was touched since the lists were last checked.
    available: BTreeMap<String, u32>,
    unavailable: BTreeMap<String, u32>,
    touched: BTreeSet<String>,
    fingerprints: BTreeMap<String, String>,
    failures: BTreeMap<String, u64>,
    since: BTreeMap<String, u64>,
    threshold: u64,
    cooldown: u64,
    lease: Option<(u64, u64)>,
}

impl Account {
    fn take(&mut self, event: &Value, asked: Invariant) -> Result<(), String> {
        let Some((name, fields)) = event.as_object().and_then(|event| event.iter().next()) else {
            return Ok(());
        };
        let token = fields["token"].as_str().unwrap_or_default().to_owned();
        match name.as_str() {
            "configured" => self.configure(fields),
            "failed" => {
                let failures = self.count(&token);
                if asked == Invariant::LeavesAtThreshold && failures >= self.threshold {
                    return Err(format!(
                        "{token} failed {failures} of {} times and was not removed",
                        self.threshold
                    ));
                }
            }
            "removed" => {
                let failures = self.count(&token);
                if asked == Invariant::LeavesAtThreshold && failures < self.threshold {
                    return Err(format!(
                        "{token} was removed after {failures} of {} failures",
                        self.threshold
                    ));
                }
                self.failures.remove(&token);
                self.since.insert(token.clone(), self.at);
                self.available.remove(&token);
                *self.unavailable.entry(token.clone()).or_default() += 1;
                self.touched.insert(token);
            }
            "succeeded" => {
                self.failures.remove(&token);
            }
            "restored" => {
                let out = self.at - self.since.get(&token).copied().unwrap_or(self.at);
                if asked == Invariant::NoEarlyReturn && fields["by"] == "cooldown" && out < self.cooldown {
                    return Err(format!("{token} returned after {out} of {} ms", self.cooldown));
                }
                self.unavailable.remove(&token);
                *self.available.entry(token.clone()).or_default() += 1;
                self.touched.insert(token);
            }
            "lease_taken" => self.lease = Some((self.by, fields["until"].as_u64().unwrap_or_default())),
            "probe_sent" if asked == Invariant::LeaseHolderProbes => match self.lease {
                Some((holder, until)) if holder == self.by && self.at < until => {}
                _ => return Err(format!("worker {} probes {token} without the lease", self.by)),
            },
            _ => {}
        }
        Ok(())
    }

    fn count(&mut self, token: &str) -> u64 {
        let failures = self.failures.entry(token.to_owned()).or_default();
        *failures += 1;
        *failures
    }

    fn configure(&mut self, fields: &Value) {
        let failover = &fields["policy"]["failover"];
        self.threshold = failover["failureThreshold"].as_u64().unwrap_or(u64::MAX);
        self.cooldown = failover["cooldownDuration"].as_u64().unwrap_or_default();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let tokens = fields["tokens"].as_array().into_iter().flatten();
        let tokens: BTreeMap<String, String> =
            tokens.map(|token| (text(&token["fingerprint"]), text(&token["label"]))).collect();
        if fields["reset"] == true {
            self.available.clear();
            self.unavailable.clear();
            self.failures.clear();
            self.since.clear();
            self.lease = None;
            self.fingerprints.clear();
        }
        let staying =
            |label: &String| self.fingerprints.get(label).and_then(|print| tokens.get(print)).cloned();
        let rename = |list: &BTreeMap<String, u32>| -> BTreeMap<String, u32> {
            list.iter().filter_map(|(label, times)| Some((staying(label)?, *times))).collect()
        };
        let (mut available, unavailable) = (rename(&self.available), rename(&self.unavailable));
        let failures =
            self.failures.iter().filter_map(|(label, count)| Some((staying(label)?, *count))).collect();
        let since = self.since.iter().filter_map(|(label, since)| Some((staying(label)?, *since))).collect();
        for label in tokens.values().filter(|label| !unavailable.contains_key(*label)) {
            available.entry(label.clone()).or_insert(1);
        }
        (self.available, self.unavailable, self.failures, self.since) =
            (available, unavailable, failures, since);
        self.touched = tokens.values().cloned().collect();
        self.fingerprints = tokens.into_iter().map(|(print, label)| (label, print)).collect();
    }

    fn check_touched(&mut self) -> Result<(), String> {
        for token in std::mem::take(&mut self.touched) {
            let times = |list: &BTreeMap<String, u32>| list.get(&token).copied().unwrap_or_default();
            let (inside, outside) = (times(&self.available), times(&self.unavailable));
            if inside + outside != 1 {
                return Err(format!(
                    "{token} is {inside} times among the available and {outside} times among the unavailable"
                ));
            }
            if !self.fingerprints.contains_key(&token) {
                return Err(format!("{token} is listed and not configured"));
            }
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
}
