//! A sequential model of the rules: one command after the other, nobody else about. It was written from the rules of
//! `docs/architecture.md` and, for the reference's profile, from what `docs/higress.md` says was observed. It knows nothing
//! of the engine.

use std::collections::BTreeMap;

use crate::command::{Command, Order, Token};
use crate::key::Key;
use crate::protocol::Deed;
use crate::setting::{Profile, Setting};
use crate::view::View;

/// The state of a pool, kept the plain way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Model {
    view: View,
    /// The probe that is out for each token, as number and time. The reference waits for every answer, so that by its rules
    /// it matters only which numbers were ever sent.
    probes: BTreeMap<Token, (u64, u64)>,
    /// The first probe that is not forgotten.
    first_probe: u64,
    /// The number of the holder, and up to when.
    pub(crate) lease: Option<(u64, u64)>,
    next_probe: u64,
}

const PROBE_TIMEOUT: u64 = 5_000;
const LEASE: u64 = 60_000;

impl Model {
    pub(crate) fn new(tokens: &[Token]) -> Self {
        let view = View { available: tokens.to_vec(), ..View::default() };
        Self { view, probes: BTreeMap::new(), lease: None, first_probe: 1, next_probe: 1 }
    }

    pub(crate) fn view(&self) -> &View {
        &self.view
    }

    pub(crate) fn key(&self, key: &mut Key) {
        self.view.key(key);
        key.add_len(self.probes.len());
        for (token, (number, sent)) in &self.probes {
            key.add(token.0.into());
            key.add(*number);
            key.add(*sent);
        }
        key.add(self.first_probe);
        let (holder, until) = self.lease.unwrap_or_default();
        key.add(holder);
        key.add(until);
        key.add(self.next_probe);
    }

    /// What `command` does at `at` when `worker` performs it here.
    pub(crate) fn perform(
        &mut self,
        setting: &Setting,
        worker: u64,
        at: u64,
        command: &Command,
        probe: Option<u64>,
    ) -> Vec<Deed> {
        match command {
            Command::Outcome(token, status) => self.outcome(setting, at, *token, *status),
            Command::Select => Vec::new(),
            Command::Tick => self.tick(setting, worker, at),
            Command::ProbeAnswered(token, status) => match probe {
                Some(probe) => self.probe_answered(setting, *token, probe, *status),
                None => Vec::new(),
            },
            Command::Reconfigure(tokens) => self.reconfigure(setting, tokens),
            Command::Operate(token, order) => self.operate(at, *token, *order),
            // A start with the configuration in force changes nothing, whatever a reload does.
            Command::Start if self.has_just(&setting.tokens) => Vec::new(),
            Command::Start => self.reconfigure(setting, &setting.tokens),
        }
    }

    fn outcome(&mut self, setting: &Setting, at: u64, token: Token, status: u16) -> Vec<Deed> {
        if !self.view.available.contains(&token) {
            return Vec::new();
        }
        if setting.succeeds(status) {
            return self.view.failures.remove(&token).map(|_| Deed::Succeeded(token)).into_iter().collect();
        }
        if !setting.fails(status) {
            return Vec::new();
        }
        let failures = self.view.failures_of(token) + 1;
        if failures < setting.failure_threshold {
            self.view.failures.insert(token, failures);
            return vec![Deed::Failed(token, failures)];
        }
        self.take_out(at, token, Deed::Removed(token, failures))
    }

    fn take_out(&mut self, at: u64, token: Token, deed: Deed) -> Vec<Deed> {
        self.view.failures.remove(&token);
        self.view.available.retain(|listed| *listed != token);
        self.view.unavailable.push(token);
        self.view.since.insert(token, at);
        let mut deeds = vec![deed];
        deeds.extend(self.view.available.is_empty().then_some(Deed::NoneAvailable));
        deeds
    }

    fn operate(&mut self, at: u64, token: Token, order: Order) -> Vec<Deed> {
        if self.view.unavailable.contains(&token) {
            if order != Order::In {
                return Vec::new();
            }
            self.bring_back(token);
            return vec![Deed::PutBack(token)];
        }
        if !self.view.available.contains(&token) {
            return Vec::new();
        }
        if order == Order::Out {
            return self.take_out(at, token, Deed::TakenOut(token));
        }
        self.view.failures.remove(&token).map(|_| Deed::Reset(token)).into_iter().collect()
    }

    fn tick(&mut self, setting: &Setting, worker: u64, at: u64) -> Vec<Deed> {
        let mut deeds = Vec::new();
        for token in self.view.unavailable.clone() {
            let since = self.view.since.get(&token).copied().unwrap_or(at);
            if setting.cooldown > 0 && at.saturating_sub(since) >= setting.cooldown {
                // By the reference's rules a recovery by cooldown leaves the successes of probes behind.
                let successes = self.view.successes.get(&token).copied();
                self.bring_back(token);
                if let (Profile::Higress, Some(successes)) = (setting.profile, successes) {
                    self.view.successes.insert(token, successes);
                }
                deeds.push(Deed::CooledDown(token));
            }
        }
        let held = self.lease.filter(|(_, until)| at < *until);
        if !setting.health_check || held.is_some_and(|(holder, _)| holder != worker) {
            return deeds;
        }
        let mut sent = Vec::new();
        for token in self.view.unavailable.clone() {
            let lost =
                self.probes.get(&token).is_none_or(|(_, sent)| at.saturating_sub(*sent) >= PROBE_TIMEOUT);
            if lost || setting.profile == Profile::Higress {
                self.probes.insert(token, (self.next_probe, at));
                sent.push(Deed::ProbeSent(token, self.next_probe));
                self.next_probe += 1;
            }
        }
        if !sent.is_empty() && held.is_none_or(|(_, until)| until - at < LEASE / 2) {
            self.lease = Some((worker, at + LEASE));
            deeds.push(Deed::LeaseTaken(at + LEASE));
        }
        deeds.extend(sent);
        deeds
    }

    fn probe_answered(&mut self, setting: &Setting, token: Token, probe: u64, status: u16) -> Vec<Deed> {
        let expected = match setting.profile {
            Profile::Standard => self.probes.get(&token).is_some_and(|(number, _)| *number == probe),
            // A late answer counts, and so does one of a probe that a lost log had under this number: it was sent.
            Profile::Higress => {
                self.view.listings(token) > 0 && (self.first_probe..self.next_probe).contains(&probe)
            }
        };
        if !expected {
            return Vec::new();
        }
        self.probes.remove(&token);
        let back = self.view.available.contains(&token);
        if !setting.succeeds(status) {
            return match setting.profile {
                Profile::Standard => {
                    self.view.successes.remove(&token);
                    vec![Deed::ProbeFailed(token, probe, 0)]
                }
                Profile::Higress if back => Vec::new(),
                Profile::Higress => {
                    let successes = self.view.successes.get(&token).copied().unwrap_or_default();
                    vec![Deed::ProbeFailed(token, probe, successes)]
                }
            };
        }
        let successes = self.view.successes.get(&token).copied().unwrap_or_default() + 1;
        // Only by the reference's rules is an answer for a token that is back still waited for.
        if back && successes >= setting.success_threshold {
            self.view.successes.remove(&token);
            return vec![Deed::ProbePassed(token, probe, 0)];
        }
        if successes >= setting.success_threshold {
            self.bring_back(token);
            return vec![Deed::Healthy(token, probe)];
        }
        self.view.successes.insert(token, successes);
        vec![Deed::ProbePassed(token, probe, successes)]
    }

    fn bring_back(&mut self, token: Token) {
        self.forget(token);
        self.view.unavailable.retain(|listed| *listed != token);
        self.view.available.push(token);
    }

    fn forget(&mut self, token: Token) {
        self.view.failures.remove(&token);
        self.view.successes.remove(&token);
        self.view.since.remove(&token);
        self.probes.remove(&token);
    }

    /// Whether exactly these tokens are configured, in whatever order.
    fn has_just(&self, tokens: &[Token]) -> bool {
        tokens.len() == self.view.available.len() + self.view.unavailable.len()
            && tokens.iter().all(|token| self.view.listings(*token) == 1)
    }

    fn reconfigure(&mut self, setting: &Setting, tokens: &[Token]) -> Vec<Deed> {
        if setting.reload_resets {
            let next_probe = self.next_probe;
            *self = Self { first_probe: next_probe, next_probe, ..Self::new(tokens) };
            return vec![Deed::Configured(tokens.to_vec(), true)];
        }
        let present: Vec<Token> = self.view.available.iter().chain(&self.view.unavailable).copied().collect();
        let dropped: Vec<Token> = present.iter().copied().filter(|token| !tokens.contains(token)).collect();
        let added: Vec<Token> = tokens.iter().copied().filter(|token| !present.contains(token)).collect();
        if dropped.is_empty() && added.is_empty() {
            return Vec::new();
        }
        let had_one = !self.view.available.is_empty();
        self.view.available.retain(|token| !dropped.contains(token));
        self.view.unavailable.retain(|token| !dropped.contains(token));
        self.view.available.extend(added);
        for token in dropped {
            self.forget(token);
        }
        let mut deeds = vec![Deed::Configured(tokens.to_vec(), false)];
        deeds.extend((had_one && self.view.available.is_empty()).then_some(Deed::NoneAvailable));
        deeds
    }
}
