//! A stranger under a scenario: what it can be asked, and what came of it.

use std::collections::BTreeSet;

use firedrill_block::fingerprint;
use firedrill_clock::Clock as _;
use firedrill_failover::{Failover, Instant};

use super::ask::Seen;
use super::chance;
use super::readiness::known;
use super::stranger::Stranger;
use crate::scenario::{Action, Expectation, Scenario, StepKind};
use crate::target::{Effect, History, PoolState, Refusal, Target};

/// A gateway while a scenario is run against it.
pub(super) struct UrlTarget<'a> {
    stranger: &'a mut Stranger,
    scenario: &'a Scenario,
    seed: u64,
    tokens: BTreeSet<String>,
    /// Why there is no use in asking anything, if so; `None` until it was looked at.
    use_less: Option<Option<String>>,
    /// When the scenario began, on the stranger's clock.
    began: Option<Instant>,
    /// The last request to the provider that was looked at.
    number: u64,
    /// Whether the provider failed a request.
    troubled: bool,
    notes: Vec<String>,
    moments: Vec<Moment>,
}

/// What happened, and how often in a row.
struct Moment {
    at: Instant,
    what: String,
    times: u64,
}

impl<'a> UrlTarget<'a> {
    pub(super) fn new(stranger: &'a mut Stranger, scenario: &'a Scenario, seed: u64) -> Self {
        let tokens = scenario.config.tokens().iter().map(|token| token.label.to_string()).collect();
        let (notes, moments) = (Vec::new(), Vec::new());
        Self {
            stranger,
            scenario,
            seed,
            tokens,
            use_less: None,
            began: None,
            number: 0,
            troubled: false,
            notes,
            moments,
        }
    }

    /// What is to be said beside the verdict, and whether tokens may be out.
    pub(super) fn end(self) -> (Vec<String>, bool) {
        (self.notes, self.troubled)
    }

    /// Begins, if it has not.
    fn begin(&mut self) -> Result<(), Refusal> {
        let scenario = self.scenario;
        if let Some(reason) = self.use_less.get_or_insert_with(|| use_less(scenario)) {
            return Err(Refusal::CannotAsk(reason.clone()));
        }
        if self.began.is_none() {
            self.notes = self.stranger.make_ready(scenario, &self.tokens)?;
            self.stranger.play(&scenario.upstream, &self.tokens, self.seed)?;
            self.number = self.stranger.player.asked_after(0).last().map_or(0, |entry| entry.number);
            self.began = Some(self.stranger.clock.now());
        }
        Ok(())
    }

    /// What the provider saw since it was last looked at, into `effect`. Gives it in words.
    fn look(&mut self, effect: &mut Effect) -> Result<String, Refusal> {
        let mut words = Vec::new();
        for entry in self.stranger.player.asked_after(self.number) {
            self.number = entry.number;
            // What could not be read has no token: a list of models that is asked for, or somebody else.
            if entry.token.is_empty() {
                continue;
            }
            known(&entry, &self.tokens)?;
            self.troubled |= !(200..300).contains(&entry.status) || entry.fault.is_some();
            let label = entry.token.to_string();
            let probe = self.probes_with() == Some(&*entry.model);
            let (fault, what) =
                (entry.fault.map(|fault| format!(" {fault}")), if probe { "probe of " } else { "" });
            words.push(format!("{what}{label} {}{}", entry.status, fault.unwrap_or_default()));
            if probe {
                effect.probes.push(label);
            } else {
                effect.draws.push((label, false));
            }
        }
        Ok(if words.is_empty() { "nothing".to_owned() } else { words.join(", ") })
    }

    /// The model by which probes can be told from requests.
    fn probes_with(&self) -> Option<&str> {
        let check = self.scenario.config.policy().failover().and_then(Failover::health_check);
        check.map(|check| &*check.model).filter(|model| *model != self.stranger.settings.model)
    }

    fn tell(&mut self, what: String) {
        let at = Instant::ZERO + self.stranger.clock.now().since(self.began.unwrap_or_default());
        match self.moments.last_mut() {
            Some(moment) if moment.what == what => moment.times += 1,
            _ => self.moments.push(Moment { at, what, times: 1 }),
        }
    }

    /// Takes what a client saw into `effect`. Gives it in words.
    fn saw(&self, seen: Seen, effect: &mut Effect) -> Result<String, Refusal> {
        match seen {
            Seen::Answer(status, _) => {
                effect.statuses.push(status);
                effect.broken.push(false);
                Ok(status.to_string())
            }
            Seen::Broken(how) => {
                effect.unanswered.push(how.clone());
                Ok(how)
            }
            Seen::NoConnection(why) => Err(self.stranger.unreachable(&why)),
        }
    }
}

/// Why `action` cannot be asked of a stranger, if it cannot.
fn cannot_ask(scenario: &Scenario, action: &Action) -> Option<&'static str> {
    match action {
        Action::Request { worker: 2.., .. } => {
            Some("which worker serves a request is for the gateway to say")
        }
        Action::Request { draws, .. } if !draws.is_empty() && scenario.config.tokens().len() > 1 => {
            Some("which token is drawn is for the gateway to say")
        }
        Action::Request { .. } => None,
        Action::Advance(_) if !scenario.ticks_fall_due => Some("its timers cannot be held while time passes"),
        Action::Advance(_) if scenario.answers_probes => {
            Some("its probes cannot be held until a step answers them")
        }
        Action::Advance(_) => None,
        Action::Outcome { .. } => Some("no outcome can be reported to it but by an answer of the provider"),
        Action::Probe { .. } => Some("its probes are answered by the upstream alone"),
        Action::Tick { .. } => Some("its timers are its own"),
        Action::ClockBack(_) => Some("its clock cannot be set"),
        Action::Reconfigure { .. } => Some("it cannot be reconfigured from outside"),
        Action::Stop { .. } | Action::Start { .. } => {
            Some("its workers cannot be stopped and started from outside")
        }
    }
}

/// Why there is no use in asking anything of `scenario`, if there is none.
fn use_less(scenario: &Scenario) -> Option<String> {
    if scenario.config.tokens().iter().any(|token| fingerprint(&token.label) != token.fingerprint) {
        return Some(
            "a token that looks like a real key has another name here than the gateway sends".to_owned(),
        );
    }
    let mut askable = scenario.clone();
    let (mut asked, mut last) = (false, false);
    askable.steps.retain_mut(|step| {
        let StepKind::Act { action, expect, .. } = &mut step.kind else {
            return match &mut step.kind {
                StepKind::Concurrently(items) => {
                    last |= items.iter().any(|(action, _)| cannot_ask(scenario, action).is_some());
                    asked |= !last;
                    items.iter_mut().for_each(|(_, expect)| only_what_is_seen(expect));
                    !last
                }
                StepKind::Expect(expect) => {
                    !last && {
                        let mut seen = Some(expect.clone());
                        only_what_is_seen(&mut seen);
                        seen.is_some_and(|seen| {
                            *expect = seen;
                            true
                        })
                    }
                }
                _ => false,
            };
        };
        last |= cannot_ask(scenario, action).is_some();
        only_what_is_seen(expect);
        asked |= !last;
        !last
    });
    let expects = askable.steps.iter().any(|step| match &step.kind {
        StepKind::Act { expect, .. } => expect.is_some(),
        StepKind::Concurrently(items) => items.iter().any(|(_, expect)| expect.is_some()),
        StepKind::Expect(_) => asked,
        StepKind::Always(_) => false,
    });
    if !expects {
        return Some("nothing that it expects can be seen from outside".to_owned());
    }
    let (seed, failure) = chance::against(&askable)?;
    let at = failure.problem.place().map_or_else(String::new, |place| format!(" at line {}", place.line));
    Some(format!("whether it holds is for chance to say: on the engine it fails{at} with `--seed {seed}`"))
}

/// Leaves what a stranger can be asked, if that is anything.
fn only_what_is_seen(expect: &mut Option<Expectation>) {
    let Some(asked) = expect else { return };
    (asked.available, asked.unavailable, asked.unavailable_since) = (None, None, None);
    (asked.failure_counts, asked.success_counts) = (None, None);
    (asked.fallback, asked.events) = (None, None);
    if asked.keys_of_the_step().is_empty() {
        *expect = None;
    }
}

impl Target for UrlTarget<'_> {
    fn name(&self) -> &'static str {
        "url"
    }

    fn act(&mut self, action: &Action) -> Result<Effect, Refusal> {
        if let Some(reason) = cannot_ask(self.scenario, action) {
            return Err(Refusal::CannotAsk(reason.to_owned()));
        }
        self.begin()?;
        let mut effect = Effect::default();
        let what = if let Action::Advance(span) = action {
            self.stranger.wait("time passes", self.stranger.settings.scale.of(*span))?;
            format!("time passed: {span}")
        } else {
            let seen = self.stranger.ask()?;
            format!("a client saw: {}", self.saw(seen, &mut effect)?)
        };
        let provider = self.look(&mut effect)?;
        self.tell(format!("{what}; the provider: {provider}"));
        Ok(effect)
    }

    fn concurrently(&mut self, actions: &[Action]) -> Result<Vec<Effect>, Refusal> {
        for action in actions {
            if let Some(reason) = cannot_ask(self.scenario, action) {
                return Err(Refusal::CannotAsk(reason.to_owned()));
            }
        }
        self.begin()?;
        let mut effects = vec![Effect::default(); actions.len()];
        let mut words = Vec::new();
        for (seen, effect) in self.stranger.ask_at_once(actions.len())?.into_iter().zip(&mut effects) {
            words.push(self.saw(seen, effect)?);
        }
        let mut together = Effect::default();
        let provider = self.look(&mut together)?;
        // Whose they are cannot be told: they stand with the last, and are asked of all together.
        if let Some(last) = effects.last_mut() {
            last.extend(together);
        }
        self.tell(format!("clients saw at once: {}; the provider: {provider}", words.join(", ")));
        Ok(effects)
    }

    fn state(&mut self, _: Option<u32>) -> Result<PoolState, Refusal> {
        Err(Refusal::CannotAsk("what its pool is like only the gateway itself knows".to_owned()))
    }

    fn history(&self) -> Result<&History, Refusal> {
        Err(Refusal::CannotAsk("it keeps no log that could be read".to_owned()))
    }

    fn silent_on(&self, at_once: bool) -> Vec<(&'static str, String)> {
        let mut silent = vec![
            ("fallback", "whether a draw was a fallback only the gateway knows".to_owned()),
            ("events", "it keeps no log that could be read".to_owned()),
        ];
        if self.probes_with().is_none() {
            silent
                .push(("probes", "there is no health check model to tell them from requests by".to_owned()));
        }
        if at_once {
            let reason = "for which of the requests at once the provider was called cannot be told";
            silent.extend(["drawn", "calls", "probes"].map(|key| (key, reason.to_owned())));
        }
        silent
    }

    fn goes_on_after_a_skip(&self) -> bool {
        false
    }

    fn timeline(&self) -> Vec<String> {
        let times: Vec<String> = self.moments.iter().map(|moment| moment.at.to_string()).collect();
        let width = times.iter().map(String::len).max().unwrap_or_default();
        let lines = self.moments.iter().zip(&times).map(|(moment, time)| {
            let again = if moment.times > 1 { format!(" ({} times)", moment.times) } else { String::new() };
            format!("{time:>width$}  {}{again}", moment.what)
        });
        lines.collect()
    }
}
