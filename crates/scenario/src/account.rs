//! A simple account of a log, kept line by line by who reads it as text: what the sentences of `always` are judged by.
//!
//! **Architecture invariant:** nothing here is shared with the engine, which wrote the log.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::always::Invariant;
use crate::target::PoolState;

/// Something that is not as an invariant has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wrong {
    pub(crate) invariant: Invariant,
    /// What was seen instead.
    pub(crate) seen: String,
}

/// A simple account of a log.
#[derive(Clone, Debug, Default)]
pub(crate) struct Account {
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
    /// Hears a line of the log, header apart, and asks what is in `asked`.
    ///
    /// # Errors
    /// The first that does not hold at the version that the line makes.
    pub(crate) fn hear(&mut self, line: &str, asked: &[Invariant]) -> Result<(), Wrong> {
        let line: Value = serde_json::from_str(line).map_err(|error| Wrong {
            invariant: Invariant::ExactlyOneList,
            seen: format!("a line of the log cannot be read: {error}"),
        })?;
        self.at = line["at"].as_u64().unwrap_or_default();
        self.by = line["by"].as_u64().unwrap_or_default();
        let version = &line["version"];
        let at_version = |wrong: Wrong| Wrong { seen: format!("version {version}: {}", wrong.seen), ..wrong };
        for event in line["events"].as_array().into_iter().flatten() {
            self.take(event, asked).map_err(at_version)?;
        }
        if asked.contains(&Invariant::ExactlyOneList) {
            self.check_touched().map_err(at_version)?;
        }
        // They are of this line alone, and two logs that say the same have one account.
        (self.at, self.by) = (0, 0);
        self.touched.clear();
        Ok(())
    }

    /// Asks a fold of the log, which is `whose`, whether every configured token is in exactly one list.
    ///
    /// # Errors
    /// A token that is not.
    pub(crate) fn check_lists(&self, whose: &str, fold: &PoolState) -> Result<(), Wrong> {
        let mut listed: BTreeMap<&str, u32> = self.fingerprints.keys().map(|label| (&**label, 0)).collect();
        for label in fold.available.iter().chain(&fold.unavailable) {
            *listed.entry(label).or_default() += 1;
        }
        for (label, times) in listed {
            if times != 1 || !self.fingerprints.contains_key(label) {
                let configured =
                    if self.fingerprints.contains_key(label) { "" } else { ", and not configured" };
                let seen = format!("{label} stands {times} times in the lists of {whose}{configured}");
                return Err(Wrong { invariant: Invariant::ExactlyOneList, seen });
            }
        }
        Ok(())
    }

    fn take(&mut self, event: &Value, asked: &[Invariant]) -> Result<(), Wrong> {
        let asks = |invariant| asked.contains(&invariant);
        let wrong = |invariant, seen| Err(Wrong { invariant, seen });
        let Some((name, fields)) = event.as_object().and_then(|event| event.iter().next()) else {
            return Ok(());
        };
        let token = fields["token"].as_str().unwrap_or_default().to_owned();
        match name.as_str() {
            "configured" => self.configure(fields),
            "failed" => {
                let failures = self.count(&token);
                if asks(Invariant::LeavesAtThreshold) && failures >= self.threshold {
                    let seen =
                        format!("{token} failed {failures} of {} times and was not removed", self.threshold);
                    return wrong(Invariant::LeavesAtThreshold, seen);
                }
            }
            "removed" => {
                let failures = self.count(&token);
                if asks(Invariant::LeavesAtThreshold) && failures < self.threshold {
                    let seen = format!("{token} was removed after {failures} of {} failures", self.threshold);
                    return wrong(Invariant::LeavesAtThreshold, seen);
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
                let out = self.at.saturating_sub(self.since.get(&token).copied().unwrap_or(self.at));
                if asks(Invariant::NoEarlyReturn) && fields["by"] == "cooldown" && out < self.cooldown {
                    let seen = format!("{token} returned after {out} of {} ms", self.cooldown);
                    return wrong(Invariant::NoEarlyReturn, seen);
                }
                self.unavailable.remove(&token);
                *self.available.entry(token.clone()).or_default() += 1;
                self.touched.insert(token);
            }
            "lease_taken" => self.lease = Some((self.by, fields["until"].as_u64().unwrap_or_default())),
            "probe_sent" if asks(Invariant::LeaseHolderProbes) => match self.lease {
                Some((holder, until)) if holder == self.by && self.at < until => {}
                _ => {
                    let seen = format!("worker {} probes {token} without the lease", self.by);
                    return wrong(Invariant::LeaseHolderProbes, seen);
                }
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

    fn check_touched(&mut self) -> Result<(), Wrong> {
        let wrong = |seen| Err(Wrong { invariant: Invariant::ExactlyOneList, seen });
        for token in std::mem::take(&mut self.touched) {
            let times = |list: &BTreeMap<String, u32>| list.get(&token).copied().unwrap_or_default();
            let (inside, outside) = (times(&self.available), times(&self.unavailable));
            if inside + outside != 1 {
                return wrong(format!(
                    "{token} is {inside} times among the available and {outside} times among the unavailable"
                ));
            }
            if !self.fingerprints.contains_key(&token) {
                return wrong(format!("{token} is listed and not configured"));
            }
        }
        Ok(())
    }
}
