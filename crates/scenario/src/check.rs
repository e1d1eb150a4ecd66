//! From what is written to what can be run: resolves names, checks ranges, and says everything that is wrong.

use std::collections::BTreeMap;

use firedrill_failover::{Attempt, Config, Duration, Instant, Profile, Token};
use firedrill_provider::{Upstream, WORDS};
use firedrill_yaml::{Entries, Place, Problem, Source, Spanned, Whole, closest, looks_secret, quoted};

use crate::always::Invariant;
use crate::calls::{Calls, CallsFile};
use crate::scenario::{Action, Expectation, Probes, Scenario, Step, StepKind, TokenList};
use crate::written::{
    ActionFile, CountOrTokens, ExpectFile, OneOrMore, RequestFile, ScenarioFile, StepFile, TicksWord, Tokens,
};
use firedrill_block::{self as block, ProviderBlock, fingerprint};

/// More workers than any rehearsal needs.
const MOST_WORKERS: u64 = 64;
/// More repetitions than any step needs.
const MOST_TIMES: u64 = 100_000;
/// More tokens than any rehearsal needs.
const MOST_TOKENS: usize = 1_000;
/// More than anybody does at once.
const MOST_AT_ONCE: usize = 1_000;
/// Attempts of requests, outcomes and the like, in all steps together. Each may append to the log, which is held in
/// memory.
const MOST_ACTIONS: u64 = 100_000;
/// How often the sentences of `always` may look at a token: after each step, for each worker, at each token.
const MOST_LOOKS: u64 = 5_000_000;
/// Ten years: more than any cooldown, and far from the end of time.
pub(crate) const LONGEST: Duration = Duration::from_secs(10 * 365 * 24 * 3_600);
/// More tokens than this are counted in a hint, not listed.
const MOST_SHOWN: usize = 8;

impl Scenario {
    /// Reads a scenario.
    ///
    /// # Errors
    /// Everything that is wrong with it, each with its place; at least one problem.
    pub fn parse(source: &Source) -> Result<Self, Vec<Problem>> {
        let file: ScenarioFile = source.parse("a scenario").map_err(|problem| vec![problem])?;
        let mut checker = Checker::new(&file);
        let scenario = checker.scenario(source, &file);
        let in_file = |problem: Problem| problem.in_file(source.name());
        match scenario {
            Some(scenario) if checker.errors.is_empty() => {
                Ok(Self { warnings: checker.warnings.into_iter().map(in_file).collect(), ..scenario })
            }
            _ => {
                let mut errors = checker.errors;
                errors.sort_by_key(Problem::place);
                Err(errors.into_iter().map(in_file).collect())
            }
        }
    }
}

struct Checker {
    errors: Vec<Problem>,
    warnings: Vec<Problem>,
    /// Every token of every provider block of the file, as written, with its label.
    labels: BTreeMap<String, String>,
    profile: Profile,
    workers: u32,
    /// The attempts that a request may make under the configuration that the step being read finds: every one is of
    /// another token.
    attempts: u64,
    /// What stands in an `always` already: there it holds from the first version to the last.
    always: Vec<Invariant>,
    actions: Budget,
    time: Budget,
}

/// So much of something that a run stays short, and its log small.
struct Budget {
    spent: u64,
    most: u64,
}

impl Budget {
    fn of(most: u64) -> Self {
        Self { spent: 0, most }
    }

    /// Spends `more`. Gives what was spent in all when that is first too much.
    fn overspent(&mut self, more: u64) -> Option<u64> {
        let within = self.spent <= self.most;
        self.spent = self.spent.saturating_add(more);
        (within && self.spent > self.most).then_some(self.spent)
    }
}

impl Checker {
    fn new(file: &ScenarioFile) -> Self {
        let mut checker = Self {
            errors: Vec::new(),
            warnings: Vec::new(),
            labels: BTreeMap::new(),
            profile: file.profile.map(Profile::from).unwrap_or_default(),
            workers: 1,
            attempts: 1,
            always: Vec::new(),
            actions: Budget::of(MOST_ACTIONS),
            time: Budget::of(LONGEST.as_millis()),
        };
        checker.collect_labels(&file.provider);
        checker.collect_labels_of_steps(&file.steps);
        checker
    }

    /// A name is its own label, unless it looks like a real key: then a label is made up, so that it is never shown.
    fn collect_labels(&mut self, block: &ProviderBlock) {
        if let Some(token) = block.api_tokens.as_ref().and_then(|tokens| tokens.get(MOST_TOKENS)) {
            let found = block.api_tokens.as_ref().map_or(0, |tokens| tokens.len());
            let message = format!("expected at most {MOST_TOKENS} tokens, found {found}");
            self.error(Problem::new(message).at(token.place).label("this is one too many"));
        }
        for token in block.api_tokens.iter().flat_map(|tokens| tokens.iter()) {
            if self.labels.contains_key(token.as_str()) {
                continue;
            }
            let label = if looks_secret(token) {
                self.warnings.push(
                    Problem::warning(
                        "this token looks like a real key, and a scenario file is no place for one",
                    )
                    .at(token.place)
                    .hint("any name will do, such as `sk-a`"),
                );
                format!("token-{}", self.labels.len() + 1)
            } else if token.trim().is_empty() {
                // So that it is refused like one that is empty.
                String::new()
            } else {
                if token.contains(char::is_control) {
                    let message =
                        format!("expected a token without control characters, found {}", quoted(token));
                    self.error(Problem::new(message).at(token.place));
                }
                token.value.clone()
            };
            self.labels.insert(token.value.clone(), label);
        }
    }

    fn collect_labels_of_steps(&mut self, steps: &[Spanned<StepFile>]) {
        for step in steps {
            match &step.action {
                Some(ActionFile::Reconfigure(reconfigure)) => self.collect_labels(&reconfigure.provider),
                Some(ActionFile::Concurrently(steps)) => self.collect_labels_of_steps(steps),
                _ => {}
            }
        }
    }

    fn scenario(&mut self, source: &Source, file: &ScenarioFile) -> Option<Scenario> {
        if file.scenario.trim().is_empty() {
            self.error(
                Problem::new("expected what the scenario shows, found nothing").at(file.scenario.place),
            );
        }
        if let Some(workers) = file.workers {
            self.workers = u32::try_from(self.within("workers", workers, 1, MOST_WORKERS)).unwrap_or(1);
        }
        let config = self.config(&file.provider);
        let upstream = self.upstream(&file.upstream);
        let steps: Vec<Step> = file.steps.iter().filter_map(|step| self.step(step)).collect();
        if file.steps.is_empty() {
            self.error(
                Problem::new("expected at least one step, found none")
                    .at(file.steps.place)
                    .hint("`steps: [tick]` is the least"),
            );
        }
        self.check_looks(&steps);
        let answers_probes = steps.iter().any(|step| match &step.kind {
            StepKind::Act { action, .. } => matches!(action, Action::Probe { .. }),
            StepKind::Concurrently(items) => {
                items.iter().any(|(action, _)| matches!(action, Action::Probe { .. }))
            }
            StepKind::Expect(_) | StepKind::Always(_) => false,
        });
        Some(Scenario {
            name: file.scenario.value.clone(),
            description: file.description.clone(),
            tags: file.tags.iter().map(|tag| tag.value.clone()).collect(),
            seed: file.seed.map_or(0, |seed| seed.value.0),
            workers: self.workers,
            ticks_fall_due: file.ticks != Some(TicksWord::Manual),
            answers_probes,
            timeout: file.provider.timeout(),
            kind: file.provider.kind.as_ref().map(|kind| kind.value.clone()),
            config: config?,
            upstream: upstream.into(),
            steps,
            ignored: file.provider.ignored.clone(),
            warnings: Vec::new(),
            source: source.clone(),
        })
    }

    fn config(&mut self, block: &Spanned<ProviderBlock>) -> Option<Config> {
        if let Some(failover) = &block.failover
            && failover.enabled.is_none()
        {
            self.warnings.push(
                Problem::warning("failover is off, so no token is ever taken out")
                    .at(failover.place)
                    .hint("add `enabled: true`"),
            );
        }
        let labels = &self.labels;
        let token = |written: &str| Token {
            label: labels.get(written).map_or(written, String::as_str).into(),
            fingerprint: fingerprint(written),
        };
        let config = block::parse(block, self.profile, token);
        let config = config.map_err(|problems| self.errors.extend(problems)).ok()?;
        let retries = config.policy().retry().map_or(0, |_| block.retries());
        self.attempts = retries.saturating_add(1).min(config.tokens().len() as u64);
        Some(config)
    }

    fn advance(&mut self, span: Duration, place: Place) {
        if let Some(found) = self.time.overspent(span.as_millis()) {
            let found = Duration::from_millis(found);
            let message = format!("expected at most {LONGEST} to pass in all, found {found}");
            self.error(Problem::new(message).at(place));
        }
    }

    fn count_actions(&mut self, action: &Action, times: u64, place: Place) {
        let each = if matches!(action, Action::Request { .. }) { self.attempts } else { 1 };
        if let Some(found) = self.actions.overspent(times.saturating_mul(each)) {
            let message = format!("expected at most {MOST_ACTIONS} actions in all steps, found {found}");
            self.error(
                Problem::new(message).at(place).hint("lower `times` or `maxRetries`, or split the scenario"),
            );
        }
    }

    /// What `always` costs is the product of three things that are harmless each.
    fn check_looks(&mut self, steps: &[Step]) {
        let Some(always) = steps.iter().find(|step| matches!(step.kind, StepKind::Always(_))) else { return };
        let looks = [steps.len(), self.workers as usize, self.labels.len()].map(|number| number as u64);
        let looks = looks.into_iter().fold(1, u64::saturating_mul);
        if looks > MOST_LOOKS {
            let message = format!("`always` would look at {looks} tokens, at most {MOST_LOOKS} can be");
            let hint = "it looks after each step, for each worker, at each token: use fewer of them";
            self.error(Problem::new(message).at(always.place).hint(hint));
        }
    }

    /// The block with labels in place of the names of tokens.
    fn upstream(&mut self, written: &Upstream) -> Upstream {
        for name in
            self.labels.keys().filter(|name| WORDS.contains(&name.as_str())).cloned().collect::<Vec<_>>()
        {
            let message = format!("the token {} has the name of a key of `upstream`", quoted(&name));
            self.error(Problem::new(message).hint("call it something else"));
        }
        let mut upstream = written.clone();
        upstream.tokens.retain_mut(|(name, _)| self.label(name));
        for (_, tokens) in &mut upstream.domains {
            tokens.retain_mut(|name| self.label(name));
        }
        upstream
    }

    fn step(&mut self, step: &Spanned<StepFile>) -> Option<Step> {
        let Some(action) = &step.action else {
            let hint = "for example `tick`, `advance: 10s` or `request: { draws: sk-a }`";
            self.error(Problem::new("expected what happens in this step").at(step.place).hint(hint));
            return None;
        };
        let kind = match action {
            ActionFile::Expect(expect) => StepKind::Expect(self.expectation(expect, step.place)),
            ActionFile::Always(sentences) => {
                if sentences.0.is_empty() {
                    let hint = format!("for example `{}`", crate::always::SENTENCES[0]);
                    let problem = Problem::new("expected at least one sentence, found none");
                    self.error(problem.at(step.place).hint(hint));
                }
                StepKind::Always(sentences.0.iter().filter_map(|sentence| self.invariant(sentence)).collect())
            }
            ActionFile::Concurrently(items) => {
                if items.len() > MOST_AT_ONCE {
                    let message = format!("expected at most {MOST_AT_ONCE} steps, found {}", items.len());
                    self.error(Problem::new(message).at(step.place));
                }
                if items.is_empty() {
                    self.error(Problem::new("expected at least one step, found none").at(step.place));
                }
                StepKind::Concurrently(items.iter().filter_map(|item| self.concurrent(item)).collect())
            }
            other => {
                let (action, times, expect) = self.act(other, step.place)?;
                self.count_actions(&action, times, step.place);
                StepKind::Act { action, times, expect }
            }
        };
        Some(Step { place: step.place, description: step.description.clone(), kind })
    }

    fn concurrent(&mut self, step: &Spanned<StepFile>) -> Option<(Action, Option<Expectation>)> {
        let Step { kind, place, .. } = self.step(step)?;
        match kind {
            StepKind::Act { action, times: 1, expect }
                if matches!(
                    action,
                    Action::Request { .. }
                        | Action::Outcome { .. }
                        | Action::Probe { .. }
                        | Action::Tick { .. }
                ) =>
            {
                Some((action, expect))
            }
            _ => {
                let hint = "`request`, `outcome`, `probe` and `tick` can, each without `times`";
                self.error(
                    Problem::new("this cannot happen at once with something else").at(place).hint(hint),
                );
                None
            }
        }
    }

    fn act(&mut self, action: &ActionFile, place: Place) -> Option<(Action, u64, Option<Expectation>)> {
        Some(match action {
            ActionFile::Request(request) => {
                let RequestFile { worker, draws, stream, times, expect } = request;
                let worker = self.worker(*worker);
                let draws = draws.as_ref().map(|draws| self.tokens(&draws.0)).unwrap_or_default();
                let action = Action::Request { worker, draws, stream: *stream };
                (action, self.times(*times), self.expect(expect.as_ref()))
            }
            ActionFile::Outcome(outcome) => {
                let action = Action::Outcome {
                    worker: self.worker(outcome.worker),
                    token: self.token(&outcome.token)?,
                    status: outcome.status.0,
                    attempt: if outcome.retry { Attempt::Retry } else { Attempt::First },
                };
                (action, self.times(outcome.times), self.expect(outcome.expect.as_ref()))
            }
            ActionFile::Probe(probe) => {
                let action = Action::Probe { token: self.token(&probe.token)?, answer: probe.status.0 };
                (action, 1, self.expect(probe.expect.as_ref()))
            }
            ActionFile::Advance(span) => {
                self.advance(span.0, place);
                (Action::Advance(span.0), 1, None)
            }
            ActionFile::ClockBack(span) => (Action::ClockBack(span.0), 1, None),
            ActionFile::Tick(tick) => {
                (Action::Tick { worker: self.worker(tick.worker) }, 1, self.expect(tick.expect.as_ref()))
            }
            ActionFile::Reconfigure(reconfigure) => {
                let config = Box::new(self.config(&reconfigure.provider)?);
                let (worker, timeout) = (self.worker(reconfigure.worker), reconfigure.provider.timeout());
                let action = Action::Reconfigure { worker, config, timeout };
                (action, 1, self.expect(reconfigure.expect.as_ref()))
            }
            ActionFile::Stop(worker) => (Action::Stop { worker: self.worker(Some(*worker)) }, 1, None),
            ActionFile::Start(worker) => (Action::Start { worker: self.worker(Some(*worker)) }, 1, None),
            ActionFile::Expect(_) | ActionFile::Always(_) | ActionFile::Concurrently(_) => return None,
        })
    }

    fn expect(&mut self, written: Option<&Spanned<ExpectFile>>) -> Option<Expectation> {
        written.map(|written| self.expectation(written, written.place))
    }

    fn expectation(&mut self, written: &ExpectFile, place: Place) -> Expectation {
        let expectation = Expectation {
            place,
            worker: written.worker.map(|worker| self.worker(Some(worker))),
            available: written.available.as_ref().map(|tokens| self.token_list(tokens)),
            unavailable: written.unavailable.as_ref().map(|tokens| self.token_list(tokens)),
            failure_counts: self.by_token(written.failure_counts.as_ref(), |count: &Whole| count.0),
            success_counts: self.by_token(written.success_counts.as_ref(), |count: &Whole| count.0),
            unavailable_since: self
                .by_token(written.unavailable_since.as_ref(), |since| Instant::ZERO + since.0),
            status: written.status.map(|status| status.0),
            drawn: written.drawn.as_ref().map(|OneOrMore(names)| self.tokens(names)),
            fallback: written.fallback,
            broken: written.broken,
            probes: written.probes.as_ref().map(|probes| match probes {
                CountOrTokens::Count(count) => Probes::Count(*count),
                CountOrTokens::Tokens(names) => Probes::Tokens(self.tokens(names)),
            }),
            calls: written.calls.as_ref().map(|calls| match calls {
                CallsFile::Total(total) => Calls::Total(*total),
                CallsFile::ByToken(written) => {
                    Calls::ByToken(self.by_token(Some(written), |bounds| *bounds).unwrap_or_default())
                }
            }),
            events: written
                .events
                .as_ref()
                .map(|events| events.iter().filter_map(|event| self.event(event)).collect()),
        };
        if expectation.asks_nothing() {
            self.warnings.push(
                Problem::warning("this expects nothing, so it cannot fail")
                    .at(place)
                    .hint("say what, for example `available: [sk-a]`"),
            );
        }
        expectation
    }

    fn by_token<T, U>(
        &mut self,
        written: Option<&Entries<String, T>>,
        value: impl Fn(&T) -> U,
    ) -> Option<BTreeMap<String, U>> {
        let entries = written?.iter();
        Some(entries.filter_map(|(name, written)| Some((self.token(name)?, value(written)))).collect())
    }

    fn token_list(&mut self, written: &Tokens) -> TokenList {
        TokenList { labels: self.tokens(&written.names), ordered: written.ordered }
    }

    fn tokens(&mut self, names: &[Spanned<String>]) -> Vec<String> {
        names.iter().filter_map(|name| self.token(name)).collect()
    }

    fn token(&mut self, name: &Spanned<String>) -> Option<String> {
        if let Some(label) = self.labels.get(name.as_str()) {
            return Some(label.clone());
        }
        if self.labels.is_empty() {
            // That there is none is said where they should be.
            return None;
        }
        let known = self.labels.keys().map(String::as_str).filter(|name| !looks_secret(name));
        let shown: Vec<&str> = known.clone().take(MOST_SHOWN).collect();
        let hint = match (closest(name, known.clone()), known.count() - shown.len()) {
            (Some(close), _) => format!("did you mean `{close}`?"),
            (None, 0) => format!("the tokens are: {}", shown.join(", ")),
            (None, more) => format!("the tokens are: {} and {more} more", shown.join(", ")),
        };
        self.error(Problem::new(format!("unknown token {}", quoted(name))).at(name.place).hint(hint));
        None
    }

    /// Puts the label in place of the name of a token; false if there is no such token.
    fn label(&mut self, name: &mut Spanned<String>) -> bool {
        let label = self.token(name);
        let known = label.is_some();
        name.value = label.unwrap_or_default();
        known
    }

    /// `removed sk-a` and the like: the name of an event and, if it is about one, a token.
    fn event(&mut self, written: &Spanned<String>) -> Option<String> {
        let (name, token) = match written.split_once(' ') {
            Some((name, token)) => (name, Some(token.trim())),
            None => (written.as_str(), None),
        };
        let Some((_, about_a_token)) = EVENTS.iter().find(|(known, _)| *known == name) else {
            let known = EVENTS.iter().map(|(name, _)| *name);
            let hint = match closest(name, known.clone()) {
                Some(close) => format!("did you mean `{close}`?"),
                None => format!("the events are: {}", known.collect::<Vec<_>>().join(", ")),
            };
            self.error(Problem::new(format!("unknown event {}", quoted(name))).at(written.place).hint(hint));
            return None;
        };
        match (about_a_token, token) {
            (true, Some(token)) => {
                let label = self.token(&Spanned::new(token.to_owned(), written.place))?;
                Some(format!("{name} {label}"))
            }
            (false, None) => Some(name.to_owned()),
            (true, None) => {
                let hint = format!("write it as `{name} sk-a`");
                self.error(Problem::new(format!("`{name}` of which token?")).at(written.place).hint(hint));
                None
            }
            (false, Some(_)) => {
                let hint = format!("write `{name}` alone");
                self.error(
                    Problem::new(format!("`{name}` is not about a token")).at(written.place).hint(hint),
                );
                None
            }
        }
    }

    fn invariant(&mut self, sentence: &Spanned<String>) -> Option<Invariant> {
        let found = Invariant::from_sentence(sentence);
        if found.is_none() {
            let known = crate::always::SENTENCES;
            let hint = match closest(sentence, known) {
                Some(close) => format!("did you mean `{close}`?"),
                None => format!("the sentences are: {}", known.join("; ")),
            };
            self.error(
                Problem::new(format!("unknown sentence {}", quoted(sentence))).at(sentence.place).hint(hint),
            );
        }
        let new = found.filter(|invariant| !self.always.contains(invariant));
        self.always.extend(new);
        new
    }

    fn worker(&mut self, written: Option<Spanned<Whole>>) -> u32 {
        let Some(worker) = written else { return 1 };
        if (1..=u64::from(self.workers)).contains(&worker.value.0) {
            return u32::try_from(worker.value.0).unwrap_or(1);
        }
        let hint = match self.workers {
            _ if worker.value.0 == 0 => "they are numbered from 1".to_owned(),
            1 => format!("there is one; add `workers: {}` at the top", worker.value),
            workers => format!("they are numbered from 1 to {workers}"),
        };
        self.error(Problem::new(format!("there is no worker {}", worker.value)).at(worker.place).hint(hint));
        1
    }

    fn times(&mut self, written: Option<Spanned<Whole>>) -> u64 {
        written.map_or(1, |times| self.within("times", times, 1, MOST_TIMES))
    }

    fn within(&mut self, key: &str, written: Spanned<Whole>, least: u64, most: u64) -> u64 {
        let found = written.value.0;
        if !(least..=most).contains(&found) {
            let message = format!("expected `{key}` from {least} to {most}, found `{found}`");
            self.error(Problem::new(message).at(written.place));
        }
        found.clamp(least, most)
    }

    fn error(&mut self, problem: Problem) {
        self.errors.push(problem);
    }
}

/// The names of the events, and whether each is about a token.
const EVENTS: [(&str, bool); 12] = [
    ("configured", false),
    ("failed", true),
    ("removed", true),
    ("taken_out", true),
    ("none_available", false),
    ("succeeded", true),
    ("reset", true),
    ("restored", true),
    ("lease_taken", false),
    ("probe_sent", true),
    ("probe_passed", true),
    ("probe_failed", true),
];

impl Expectation {
    fn asks_nothing(&self) -> bool {
        self.keys_of_the_pool().is_empty() && self.keys_of_the_step().is_empty()
    }

    /// The keys that only the pool can answer.
    pub(crate) fn keys_of_the_pool(&self) -> Vec<&'static str> {
        let keys = [
            ("available", self.available.is_some()),
            ("unavailable", self.unavailable.is_some()),
            ("failureCounts", self.failure_counts.is_some()),
            ("successCounts", self.success_counts.is_some()),
            ("unavailableSince", self.unavailable_since.is_some()),
        ];
        those_asked(&keys)
    }

    /// The keys that what came of a step answers.
    pub(crate) fn keys_of_the_step(&self) -> Vec<&'static str> {
        let keys = [
            ("status", self.status.is_some()),
            ("drawn", self.drawn.is_some()),
            ("fallback", self.fallback.is_some()),
            ("broken", self.broken.is_some()),
            ("probes", self.probes.is_some()),
            ("calls", self.calls.is_some()),
            ("events", self.events.is_some()),
        ];
        those_asked(&keys)
    }

    /// Whether anything is asked that only the pool can tell.
    pub(crate) fn asks_of_the_pool(&self) -> bool {
        !self.keys_of_the_pool().is_empty()
    }
}

fn those_asked(keys: &[(&'static str, bool)]) -> Vec<&'static str> {
    keys.iter().filter(|(_, asked)| *asked).map(|(key, _)| *key).collect()
}
