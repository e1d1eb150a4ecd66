//! A stranger under a scenario: what it can be asked, and what came of it.

use std::collections::BTreeSet;

use firedrill_clock::Clock as _;
use firedrill_failover::{Duration, Failover, Instant};
use firedrill_yaml::Problem;

use super::ask::Seen;
use super::askable::{cannot_ask, of_no_use, takes_time};
use super::readiness::known;
use super::stranger::Stranger;
use crate::scenario::{Action, Scenario};
use crate::target::{Effect, History, PoolState, Refusal, Target};

/// A gateway while a scenario is run against it.
pub(super) struct UrlTarget<'a> {
    stranger: &'a mut Stranger,
    scenario: &'a Scenario,
    seed: u64,
    tokens: BTreeSet<String>,
    /// Why there is no use in asking anything, if there is none.
    of_no_use: Option<String>,
    /// When the scenario began, on the stranger's clock.
    began: Option<Instant>,
    /// The moment of the scenario, in real time since it began.
    moment: Instant,
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
            of_no_use: of_no_use(scenario),
            began: None,
            moment: Instant::ZERO,
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
        if let Some(reason) = &self.of_no_use {
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

    /// Lets `span` pass. In a scenario nothing else takes time, unless the provider does, but with a stranger everything does: so
    /// moments are kept, and what the steps before took is part of the span. If they took more, nothing of what comes is as the
    /// scenario means it.
    fn pass(&mut self, span: Duration) -> Result<(), Refusal> {
        let real = self.stranger.settings.scale.of(span);
        if takes_time(&self.scenario.upstream) {
            return self.stranger.wait("time passes", self.stranger.clock.now() + real);
        }
        self.moment += real;
        let (now, end) =
            (self.stranger.clock.now(), self.began.unwrap_or_default() + self.moment.since(Instant::ZERO));
        if now > end {
            let message =
                format!("the steps before took {} longer than the time that passes here", now.since(end));
            let hint =
                "a larger `--time-scale`, with cooldowns that are as much longer, leaves a slow gateway time";
            return Err(Refusal::Unready(Problem::new(message).hint(hint)));
        }
        self.stranger.wait("time passes", end)
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
            Seen::Broken(status, how) => {
                effect.statuses.push(status);
                effect.broken.push(true);
                Ok(format!("{status}, {how}"))
            }
            Seen::Nothing(how) => {
                effect.unanswered.push(how.clone());
                effect.broken.push(true);
                Ok(how)
            }
            Seen::NoConnection(why) => Err(self.stranger.unreachable(&why)),
        }
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
            self.pass(*span)?;
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
