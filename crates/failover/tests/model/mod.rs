//! A second engine, written to be read and not to be fast: the rules of a pool as lists of names and maps of counts.
//!
//! **Architecture invariant:** it shares no code with the engine and asks it nothing. It takes names and numbers and
//! gives names and numbers; whoever compares the two translates.

#![allow(dead_code, reason = "each test that compares with the model uses another part of it")]

use std::collections::BTreeMap;

/// A configuration, as far as the rules go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rules {
    pub(crate) higress: bool,
    pub(crate) enabled: bool,
    pub(crate) failure_threshold: u32,
    pub(crate) success_threshold: u32,
    /// Milliseconds; `None` without a `healthCheckModel`.
    pub(crate) probe_timeout: Option<u64>,
    /// Milliseconds; 0 for none.
    pub(crate) cooldown: u64,
    pub(crate) patterns: Vec<Pattern>,
    pub(crate) reset_on_reload: bool,
    pub(crate) tokens: Vec<String>,
}

/// The few forms of pattern that are used here; what each means is plain without a regular expression.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Pattern {
    /// `4.*` for the digit 4.
    Digit(char),
    /// The text itself, such as `429`, `42` or `timeout`.
    Text(&'static str),
}

impl Pattern {
    pub(crate) fn written(self) -> String {
        match self {
            Self::Digit(digit) => format!("{digit}.*"),
            Self::Text(text) => text.into(),
        }
    }

    fn matches(self, status: &str, anywhere: bool) -> bool {
        match (self, anywhere) {
            (Self::Digit(digit), true) => status.contains(digit),
            (Self::Digit(digit), false) => status.starts_with(digit),
            (Self::Text(text), true) => status.contains(text),
            (Self::Text(text), false) => status == text,
        }
    }
}

/// A way for the model to be wrong, for finding out whether a comparison notices.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Mutation {
    ThresholdOneLate,
    ThresholdOneEarly,
    CooldownMustBePassed,
    LateFailureExtendsCooldown,
    RestoredAtTheFront,
    RemovedAtTheFront,
    SuccessKeepsTheCount,
    OtherStatusClearsTheCount,
    SuccessRestoresWhoIsOut,
    RemovalKeepsTheCount,
    FailedProbeKeepsSuccessesInStandard,
    FailedProbeClearsSuccessesInHigress,
    CooldownKeepsSuccessesInStandard,
    CooldownClearsSuccessesInHigress,
    SecondProbeInStandard,
    LateSuccessIgnoredInHigress,
    StaleAnswerCountsInStandard,
    LostProbeIsNeverSentAgain,
    PatternsMatchFromTheStartInHigress,
    PatternsMatchAnywhereInStandard,
    OnlyTwoHundredIsSuccessInStandard,
    RetriesCountInHigress,
    RetriesDoNotCountInStandard,
    ReloadForgetsInStandard,
    ProfileChangeKeeps,
    DroppedTokenIsRemembered,
    NewTokensComeFirst,
    LeaseIsIgnored,
    LeaseOutlivesItsEnd,
    SuccessThresholdOneLate,
    ProbesDueTokens,
    NamesMatchNothing,
    ClientStatusMatchesNothing,
    EveryNameIsAnswered503,
    OnlyNamesAreNoFailures,
    TakeOutExtendsCooldown,
    ResetRestoresWhoIsOut,
    PutBackKeepsTheCount,
}

impl Mutation {
    pub(crate) const ALL: [Self; 38] = [
        Self::ThresholdOneLate,
        Self::ThresholdOneEarly,
        Self::CooldownMustBePassed,
        Self::LateFailureExtendsCooldown,
        Self::RestoredAtTheFront,
        Self::RemovedAtTheFront,
        Self::SuccessKeepsTheCount,
        Self::OtherStatusClearsTheCount,
        Self::SuccessRestoresWhoIsOut,
        Self::RemovalKeepsTheCount,
        Self::FailedProbeKeepsSuccessesInStandard,
        Self::FailedProbeClearsSuccessesInHigress,
        Self::CooldownKeepsSuccessesInStandard,
        Self::CooldownClearsSuccessesInHigress,
        Self::SecondProbeInStandard,
        Self::LateSuccessIgnoredInHigress,
        Self::StaleAnswerCountsInStandard,
        Self::LostProbeIsNeverSentAgain,
        Self::PatternsMatchFromTheStartInHigress,
        Self::PatternsMatchAnywhereInStandard,
        Self::OnlyTwoHundredIsSuccessInStandard,
        Self::RetriesCountInHigress,
        Self::RetriesDoNotCountInStandard,
        Self::ReloadForgetsInStandard,
        Self::ProfileChangeKeeps,
        Self::DroppedTokenIsRemembered,
        Self::NewTokensComeFirst,
        Self::LeaseIsIgnored,
        Self::LeaseOutlivesItsEnd,
        Self::SuccessThresholdOneLate,
        Self::ProbesDueTokens,
        Self::NamesMatchNothing,
        Self::ClientStatusMatchesNothing,
        Self::EveryNameIsAnswered503,
        Self::OnlyNamesAreNoFailures,
        Self::TakeOutExtendsCooldown,
        Self::ResetRestoresWhoIsOut,
        Self::PutBackKeepsTheCount,
    ];
}

/// A probe that was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Probe {
    pub(crate) number: u64,
    pub(crate) token: String,
    pub(crate) sent: u64,
}

/// What the model knows of a pool.
#[derive(Clone, Debug)]
pub(crate) struct Model {
    pub(crate) rules: Rules,
    pub(crate) available: Vec<String>,
    pub(crate) unavailable: Vec<String>,
    pub(crate) failures: BTreeMap<String, u32>,
    pub(crate) successes: BTreeMap<String, u32>,
    pub(crate) since: BTreeMap<String, u64>,
    /// Probes that are out and whose answer would still be heard.
    pub(crate) out: Vec<Probe>,
    /// Who may probe, and up to when.
    lease: Option<(u64, u64)>,
    next_probe: u64,
    wrong: Option<Mutation>,
}

/// Sixty seconds.
const LEASE: u64 = 60_000;

impl Model {
    pub(crate) fn new(rules: Rules, wrong: Option<Mutation>) -> Self {
        Self {
            available: rules.tokens.clone(),
            rules,
            unavailable: Vec::new(),
            failures: BTreeMap::new(),
            successes: BTreeMap::new(),
            since: BTreeMap::new(),
            out: Vec::new(),
            lease: None,
            next_probe: 1,
            wrong,
        }
    }

    fn is(&self, wrong: Mutation) -> bool {
        self.wrong == Some(wrong)
    }

    /// `status` is three digits or a name.
    pub(crate) fn is_success(&self, status: &str) -> bool {
        if self.rules.higress || self.is(Mutation::OnlyTwoHundredIsSuccessInStandard) {
            status == "200"
        } else {
            status.starts_with('2')
        }
    }

    /// What a client is answered for a failure that has a name.
    fn answered(&self, status: &str) -> Option<&'static str> {
        match status {
            "timeout" if !self.is(Mutation::EveryNameIsAnswered503) => Some("504"),
            "connect" | "reset" | "timeout" => Some("503"),
            _ => None,
        }
    }

    pub(crate) fn is_failure(&self, status: &str) -> bool {
        let anywhere = if self.rules.higress {
            !self.is(Mutation::PatternsMatchFromTheStartInHigress)
        } else {
            self.is(Mutation::PatternsMatchAnywhereInStandard)
        };
        let answered = self.answered(status);
        if answered.is_some() && self.is(Mutation::OnlyNamesAreNoFailures) {
            return false;
        }
        let by_name = answered.is_none() || !self.is(Mutation::NamesMatchNothing);
        let by_answer = answered.filter(|_| !self.is(Mutation::ClientStatusMatchesNothing));
        !self.is_success(status)
            && self.rules.patterns.iter().any(|pattern| {
                (by_name && pattern.matches(status, anywhere))
                    || by_answer.is_some_and(|answered| pattern.matches(answered, anywhere))
            })
    }

    pub(crate) fn outcome(&mut self, token: &str, status: &str, retry: bool, at: u64) {
        if !self.rules.enabled {
            return;
        }
        let retries_count = if self.rules.higress {
            self.is(Mutation::RetriesCountInHigress)
        } else {
            !self.is(Mutation::RetriesDoNotCountInStandard)
        };
        if retry && !retries_count {
            return;
        }
        if !self.available.iter().any(|name| name == token) {
            if self.is(Mutation::LateFailureExtendsCooldown)
                && self.is_failure(status)
                && let Some(since) = self.since.get_mut(token)
            {
                *since = at;
            }
            if self.is(Mutation::SuccessRestoresWhoIsOut)
                && self.is_success(status)
                && self.unavailable.iter().any(|name| name == token)
            {
                self.restore(token, false);
            }
            return;
        }
        if self.is_success(status) {
            if !self.is(Mutation::SuccessKeepsTheCount) {
                self.failures.remove(token);
            }
        } else if self.is_failure(status) {
            let count = self.failures.entry(token.into()).or_default();
            *count += 1;
            let count = *count;
            let threshold = match self.wrong {
                Some(Mutation::ThresholdOneLate) => self.rules.failure_threshold + 1,
                Some(Mutation::ThresholdOneEarly) => self.rules.failure_threshold - 1,
                _ => self.rules.failure_threshold,
            };
            if count >= threshold {
                self.remove(token, at);
            }
        } else if self.is(Mutation::OtherStatusClearsTheCount) {
            self.failures.remove(token);
        }
    }

    fn remove(&mut self, token: &str, at: u64) {
        self.available.retain(|name| name != token);
        if self.is(Mutation::RemovedAtTheFront) {
            self.unavailable.insert(0, token.into());
        } else {
            self.unavailable.push(token.into());
        }
        self.since.insert(token.into(), at);
        if !self.is(Mutation::RemovalKeepsTheCount) {
            self.failures.remove(token);
        }
    }

    fn restore(&mut self, token: &str, by_cooldown: bool) {
        self.unavailable.retain(|name| name != token);
        if self.is(Mutation::RestoredAtTheFront) {
            self.available.insert(0, token.into());
        } else {
            self.available.push(token.into());
        }
        self.since.remove(token);
        if !self.is(Mutation::RemovalKeepsTheCount) {
            self.failures.remove(token);
        }
        let keep = if self.rules.higress {
            by_cooldown && !self.is(Mutation::CooldownClearsSuccessesInHigress)
        } else {
            by_cooldown && self.is(Mutation::CooldownKeepsSuccessesInStandard)
        };
        if !keep {
            self.successes.remove(token);
        }
        if !self.rules.higress && !self.is(Mutation::StaleAnswerCountsInStandard) {
            self.out.retain(|probe| probe.token != token);
        }
    }

    /// Gives the probes that are sent, in order.
    pub(crate) fn tick(&mut self, worker: u64, at: u64) -> Vec<(u64, String)> {
        if !self.rules.enabled {
            return Vec::new();
        }
        let waiting = self.unavailable.clone();
        for token in &waiting {
            if self.rules.cooldown == 0 {
                continue;
            }
            let out_for = at - self.since[token];
            let over = if self.is(Mutation::CooldownMustBePassed) {
                out_for > self.rules.cooldown
            } else {
                out_for >= self.rules.cooldown
            };
            if over {
                self.restore(token, true);
            }
        }
        let Some(timeout) = self.rules.probe_timeout else { return Vec::new() };
        let lease_ends = |until: u64| if self.is(Mutation::LeaseOutlivesItsEnd) { until + 1 } else { until };
        let others = self.lease.filter(|(holder, until)| *holder != worker && at < lease_ends(*until));
        if others.is_some() && !self.is(Mutation::LeaseIsIgnored) {
            return Vec::new();
        }
        let mut sent = Vec::new();
        let candidates = if self.is(Mutation::ProbesDueTokens) { waiting } else { self.unavailable.clone() };
        for token in candidates {
            let still_out = self.out.iter().any(|probe| {
                let lost = at - probe.sent >= timeout && !self.is(Mutation::LostProbeIsNeverSentAgain);
                probe.token == token && !lost
            });
            if still_out && !self.rules.higress && !self.is(Mutation::SecondProbeInStandard) {
                continue;
            }
            if !self.rules.higress && !self.is(Mutation::SecondProbeInStandard) {
                self.out.retain(|probe| probe.token != token);
            }
            self.out.push(Probe { number: self.next_probe, token: token.clone(), sent: at });
            sent.push((self.next_probe, token));
            self.next_probe += 1;
        }
        if !sent.is_empty() {
            let until = match self.lease {
                Some((holder, until)) if holder == worker && at < until && until - at >= LEASE / 2 => until,
                _ => at + LEASE,
            };
            self.lease = Some((worker, until));
        }
        sent
    }

    pub(crate) fn probe_answered(&mut self, token: &str, number: u64, status: &str) {
        let heard = self.out.iter().position(|probe| probe.number == number && probe.token == token);
        let Some(heard) = heard else { return };
        if !self.rules.enabled || self.rules.probe_timeout.is_none() {
            return;
        }
        self.out.remove(heard);
        let passed = self.is_success(status);
        let is_out = self.unavailable.iter().any(|name| name == token);
        let threshold = if self.is(Mutation::SuccessThresholdOneLate) {
            self.rules.success_threshold + 1
        } else {
            self.rules.success_threshold
        };
        let successes = self.successes.get(token).copied().unwrap_or(0) + 1;
        if is_out && passed && successes >= threshold {
            self.restore(token, false);
        } else if is_out && passed {
            self.successes.insert(token.into(), successes);
        } else if is_out {
            let keep = if self.rules.higress {
                !self.is(Mutation::FailedProbeClearsSuccessesInHigress)
            } else {
                self.is(Mutation::FailedProbeKeepsSuccessesInStandard)
            };
            if !keep {
                self.successes.remove(token);
            }
        } else if passed && self.rules.higress && !self.is(Mutation::LateSuccessIgnoredInHigress) {
            self.successes.insert(token.into(), if successes >= threshold { 0 } else { successes });
        }
    }

    /// An operator says that `token` is to be `out`, `in`, or without failures counted: `reset`.
    pub(crate) fn operate(&mut self, token: &str, order: &str, at: u64) {
        if !self.rules.enabled {
            return;
        }
        let is_out = self.unavailable.iter().any(|name| name == token);
        match order {
            "out" if !is_out => self.remove(token, at),
            "out" if self.is(Mutation::TakeOutExtendsCooldown) => drop(self.since.insert(token.into(), at)),
            "in" if is_out => self.restore(token, false),
            "in" if self.is(Mutation::PutBackKeepsTheCount) => {}
            "reset" if is_out && self.is(Mutation::ResetRestoresWhoIsOut) => self.restore(token, false),
            "in" | "reset" if !is_out => drop(self.failures.remove(token)),
            _ => {}
        }
    }

    pub(crate) fn reconfigure(&mut self, rules: Rules) {
        let stays = |name: &String| rules.tokens.contains(name);
        // Counts of one profile mean nothing in the other, so a change of profile starts afresh.
        let forget = rules.reset_on_reload
            || (rules.higress != self.rules.higress && !self.is(Mutation::ProfileChangeKeeps))
            || (self.is(Mutation::ReloadForgetsInStandard) && !rules.higress);
        if forget {
            let next_probe = self.next_probe;
            *self = Self { next_probe, ..Self::new(rules, self.wrong) };
            return;
        }
        let known: Vec<String> = self.available.iter().chain(&self.unavailable).cloned().collect();
        self.available.retain(stays);
        self.unavailable.retain(stays);
        self.since.retain(|name, _| stays(name));
        self.out.retain(|probe| stays(&probe.token));
        if !self.is(Mutation::DroppedTokenIsRemembered) {
            self.failures.retain(|name, _| stays(name));
            self.successes.retain(|name, _| stays(name));
        }
        for (place, name) in rules.tokens.iter().filter(|name| !known.contains(name)).enumerate() {
            if self.is(Mutation::NewTokensComeFirst) {
                self.available.insert(place, name.clone());
            } else {
                self.available.push(name.clone());
            }
        }
        self.rules = rules;
    }

    /// The state in words, for comparing: both lists in order with all that is counted.
    pub(crate) fn shown(&self) -> String {
        let show = |name: &String| {
            let failures = self.failures.get(name).copied().unwrap_or(0);
            let successes = self.successes.get(name).copied().unwrap_or(0);
            let since = self.since.get(name).map_or(String::from("-"), u64::to_string);
            format!("{name} {failures} {successes} {since}")
        };
        let available: Vec<String> = self.available.iter().map(show).collect();
        let unavailable: Vec<String> = self.unavailable.iter().map(show).collect();
        format!("[{}] [{}]", available.join(", "), unavailable.join(", "))
    }
}
