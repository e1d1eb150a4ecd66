//! The gateway target: our gateways and our mock provider on loopback, with real requests, on virtual time. One process, one
//! thread and one log; each worker is a gateway of its own.
//!
//! It does what the engine target does, in the same order, and the log comes out the same to the byte: what a scenario expects of
//! the engine it expects of the gateway. Whatever could go either way on real connections is held until it is its turn: the
//! time ([`clock`]), the log ([`gate`]), retries and ticks ([`stage`]), and probes, in the mock.

mod ask;
mod at_once;
mod clock;
mod gate;
mod passing;
mod stage;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use firedrill_clock::{Clock as _, NEW_YEAR};
use firedrill_failover::{Command, Config, Duration, Status, Token, WorkerId};
use firedrill_gateway::{Gateway, Lost, Secret, Secrets, Settings, Vendor};
use firedrill_provider::{Answer, Dialect, Fault, MockProvider, Upstream};
use firedrill_store::Shell;
use firedrill_yaml::Problem;
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;

use crate::chance::seed_of_worker;
use crate::question::{MODEL, Question};
use crate::recording::Recording;
use crate::run::{Run, Verdict, run};
use crate::scenario::{Action, Scenario, StepKind};
use crate::target::{Effect, History, PoolState, Refusal, Target};
use crate::trip::LLM_TOKENS;
use ask::{Got, ask};
use clock::Stepped;
use gate::Gate;
use stage::{Hook, Stage};

/// Runs `scenario` on our gateway over HTTP, drawing by `seed` or, if that is `None`, by its own.
pub fn run_on_gateway(scenario: &Scenario, seed: Option<u64>) -> Run {
    let seed = seed.unwrap_or(scenario.seed);
    match GatewayTarget::new(scenario, seed) {
        Ok(mut target) => run(scenario, seed, &mut target),
        Err(why) => Run {
            verdict: Verdict::CouldNotRun(Problem::new(why).in_file(scenario.source.name())),
            seed,
            skipped: Vec::new(),
            explored: Vec::new(),
            history: History::default(),
            state: None,
        },
    }
}

/// A gateway for each worker, and a provider, under a scenario.
pub struct GatewayTarget {
    play: Play,
    runtime: Runtime,
}

/// All of it but what runs it.
struct Play {
    clock: Stepped,
    /// What every draw derives from.
    seed: u64,
    gate: Arc<Gate>,
    stage: Arc<Stage>,
    mock: MockProvider,
    members: Vec<Member>,
    /// The highest id of a worker so far.
    ids_given: u64,
    /// What a worker that starts loads: the configuration that was loaded last.
    config: Config,
    /// And the upstream's time for an answer in it.
    timeout: Duration,
    vendor: Vendor,
    dialect: Dialect,
    ticks_fall_due: bool,
    answers_probes: bool,
    /// Whether the provider has an answer that never ends.
    is_endless: bool,
    /// Probes that are out and were not answered, oldest first.
    out: VecDeque<Out>,
    /// The clients that wait for an answer, by the number of their request.
    clients: BTreeMap<u64, Client>,
    requests: u64,
    recording: Recording,
    /// What came of the action that is being done.
    effect: Effect,
}

type Client = JoinHandle<Result<Got, String>>;

/// A worker; without a gateway while it is stopped.
struct Member {
    id: WorkerId,
    gateway: Option<Gateway>,
}

/// A probe that is out.
struct Out {
    member: usize,
    label: String,
    probe: u64,
}

impl GatewayTarget {
    /// The gateways and the provider as `scenario` starts with them, drawing by `seed`.
    ///
    /// # Errors
    /// Why they could not be started: no port could be had, most of the time.
    pub fn new(scenario: &Scenario, seed: u64) -> Result<Self, String> {
        let failed = |what: &str, error: &dyn std::fmt::Display| format!("cannot start {what}: {error}");
        // One thread: what runs first is no chance.
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| failed("a runtime", &error))?;
        let play = runtime.block_on(Play::start(scenario, seed))?;
        Ok(Self { play, runtime })
    }
}

impl Play {
    async fn start(scenario: &Scenario, seed: u64) -> Result<Self, String> {
        let kind = scenario.kind.as_deref().unwrap_or_default();
        let dialect = scenario.dialect();
        let clock = Stepped::default();
        let mut mock = MockProvider::builder()
            .dialect(dialect)
            .upstream(scenario.upstream.as_ref().clone())
            .seed(seed)
            .clock(clock.late())
            .llm_tokens(LLM_TOKENS);
        // Probes are answered in their turn. Requests ask for no model that a scenario could name.
        mock = mock.hold(|entry| entry.model != MODEL);
        let mut known = BTreeMap::new();
        for token in configs(scenario).flat_map(Config::tokens) {
            known.insert(token.fingerprint, token);
        }
        for token in known.values() {
            mock = mock.token_as(&stand_in(token), &token.label);
        }
        let mock = mock.start().await.map_err(|error| format!("cannot start the provider: {error}"))?;
        let mut play = Self {
            clock,
            seed,
            gate: Gate::closed(scenario.workers as usize),
            stage: Stage::new(),
            mock,
            members: Vec::new(),
            ids_given: 0,
            config: scenario.config.clone(),
            timeout: scenario.timeout,
            vendor: kind.parse().unwrap_or_default(),
            dialect,
            ticks_fall_due: scenario.ticks_fall_due,
            answers_probes: scenario.answers_probes,
            is_endless: is_endless(&scenario.upstream),
            out: VecDeque::new(),
            clients: BTreeMap::new(),
            requests: 0,
            recording: Recording::new(scenario),
            effect: Effect::default(),
        };
        for worker in 0..scenario.workers as usize {
            let member = play.gateway(worker).await?;
            play.members.push(member);
        }
        play.join().await.map_err(|refusal| format!("{refusal:?}"))?;
        Ok(play)
    }

    /// Everybody finds an empty log and would found it, each in its turn.
    async fn join(&mut self) -> Result<(), Refusal> {
        self.rest().await?;
        for member in 0..self.members.len() {
            self.let_decide(member).await?;
            self.let_append(member).await?;
        }
        self.gate.open();
        self.rest().await?;
        self.effect = Effect::default();
        Ok(())
    }

    /// A new gateway for a worker, counted from 0.
    async fn gateway(&mut self, worker: usize) -> Result<Member, String> {
        self.ids_given += 1;
        let id = WorkerId::new(self.ids_given);
        let route = self.mock.base_url().parse().map_err(|error| format!("{error}"))?;
        let secrets = secrets(&self.config)?;
        let mut settings = Settings::new(route, self.vendor, self.config.clone(), secrets);
        settings.timeout = self.timeout;
        settings.log_zero = NEW_YEAR;
        let hook = Hook {
            stage: Arc::clone(&self.stage),
            worker,
            ticks: self.ticks_fall_due,
            answers_probes: self.answers_probes,
        };
        let gateway = Gateway::builder(settings)
            .clock(self.clock.clone())
            .store(self.gate.door(worker))
            .worker(id)
            .seed(seed_of_worker(self.seed, id))
            .rehearsal(hook);
        let gateway = gateway.start().await.map_err(|error| format!("cannot start a gateway: {error}"))?;
        Ok(Member { id, gateway: Some(gateway) })
    }

    fn member(&self, worker: u32) -> Result<usize, Refusal> {
        let member = worker as usize - 1;
        match self.members[member].gateway {
            Some(_) => Ok(member),
            None => Err(Refusal::Impossible(format!("worker {worker} was stopped"))),
        }
    }

    fn running(&self, member: usize) -> Result<&Gateway, Refusal> {
        let gateway = self.members[member].gateway.as_ref();
        gateway.ok_or_else(|| Refusal::Impossible(format!("worker {} was stopped", member + 1)))
    }

    fn shell(&self, member: usize) -> Result<&Shell, Refusal> {
        self.running(member).map(Gateway::shell)
    }

    /// Takes into the history what was appended since it was last asked, and the probes that it tells of.
    fn record(&mut self) {
        for entry in self.gate.since(self.recording.appends()) {
            self.effect.events.extend(self.recording.take(&entry));
            let Some(member) = self.members.iter().position(|member| member.id == entry.by) else { continue };
            for (_, label, probe) in self.recording.probes(&entry) {
                self.effect.probes.push(label.clone());
                self.out.push_back(Out { member, label, probe });
            }
        }
    }

    /// Lets the upstream answer the probes that are out, one after the other, unless somebody else does.
    async fn send_probes(&mut self) -> Result<(), Refusal> {
        if self.answers_probes {
            return Ok(());
        }
        while let Some(Out { member, label, .. }) = self.out.pop_front() {
            // Where nobody listens none is held.
            if self.mock.release(&label).is_ok() {
                self.rest().await?;
            }
            if self.gate.is_closed() {
                self.let_decide(member).await?;
                self.let_append(member).await?;
            }
        }
        Ok(())
    }

    /// Answers the oldest probe that is out for `label`. Gives the worker that sent it.
    fn answer_probe(&mut self, label: &str, answer: Status) -> Result<usize, Refusal> {
        let index = self.out.iter().position(|out| out.label == label);
        let out = index.and_then(|index| self.out.remove(index));
        let out = out.filter(|_| self.answers_probes);
        let Out { member, probe, .. } =
            out.ok_or_else(|| Refusal::Impossible(format!("no probe is out for {label}")))?;
        if let Some(how) = lost(answer) {
            self.stage.lose(probe, how);
        } else {
            let answered = self.mock.answer(label, Answer::plain(answer));
            answered.map_err(|error| Refusal::Impossible(error.to_string()))?;
        }
        Ok(member)
    }

    /// Sends a request. Gives its worker and its number.
    fn send(&mut self, worker: u32, draws: &[String], stream: bool) -> Result<(usize, u64), Refusal> {
        let member = self.member(worker)?;
        let address = self.running(member)?.address();
        self.requests += 1;
        let number = self.requests;
        self.stage.send(number, member, draws);
        let question = Question { dialect: self.dialect, stream };
        self.clients.insert(number, tokio::spawn(ask(address, number, question)));
        Ok((member, number))
    }

    fn is_answered(&self, number: u64) -> bool {
        self.clients.get(&number).is_none_or(JoinHandle::is_finished)
    }

    /// What the client of a request got.
    async fn got(&mut self, number: u64) -> Result<Got, Refusal> {
        let client = self.clients.remove(&number).expect("broken invariant: a client waits for each request");
        let got = client.await.map_err(|error| error.to_string()).and_then(|got| got);
        got.map_err(Refusal::Impossible)
    }

    /// Sends a request, and waits until its client has the answer.
    async fn request(&mut self, worker: u32, draws: &[String], stream: bool) -> Result<(), Refusal> {
        let (_, number) = self.send(worker, draws, stream)?;
        loop {
            self.rest().await?;
            let drawn = self.stage.drawn(number)?;
            self.effect.draws.extend(drawn);
            if self.is_answered(number) {
                break;
            }
            if self.stage.is_parked(number) {
                // What fell due at this moment comes before the next attempt.
                self.do_what_is_due(self.clock.now()).await?;
                self.stage.let_go_on(number);
            } else {
                self.wait_on().await?;
            }
        }
        self.do_what_is_due(self.clock.now()).await?;
        let got = self.got(number).await?;
        self.effect.statuses.push(got.status);
        self.effect.broken.push(got.broken);
        self.stage.end(number)
    }

    async fn act(&mut self, action: &Action) -> Result<Effect, Refusal> {
        let done = self.act_alone(action).await;
        let effect = std::mem::take(&mut self.effect);
        done.map(|()| effect)
    }

    async fn act_alone(&mut self, action: &Action) -> Result<(), Refusal> {
        match action {
            Action::Request { worker, draws, stream } => {
                return self.request(*worker, draws, *stream).await;
            }
            Action::Outcome { worker, token, status, attempt } => {
                let (member, token) = (self.member(*worker)?, self.recording.id(token)?);
                let command = Command::Outcome { token, status: *status, attempt: *attempt };
                self.shell(member)?.perform(command);
            }
            Action::Probe { token, answer } => drop(self.answer_probe(token, *answer)?),
            Action::Advance(span) => return self.advance(*span).await,
            Action::Tick { worker } => self.shell(self.member(*worker)?)?.perform(Command::Tick),
            Action::ClockBack(span) => self.clock.set_back(*span),
            Action::Reconfigure { worker, config, timeout } => {
                let member = self.member(*worker)?;
                (self.config, self.timeout) = (Config::clone(config), *timeout);
                let secrets = secrets(&self.config).map_err(Refusal::Impossible)?;
                let gateway = self.running(member)?;
                let reconfigured = gateway.reconfigure(self.config.clone(), secrets);
                reconfigured.map_err(|error| Refusal::Impossible(error.to_string()))?;
                gateway.set_timeout(*timeout);
            }
            Action::Stop { worker } => {
                let member = self.member(*worker)?;
                self.members[member].gateway = None;
                self.stage.forget(member);
                self.out.retain(|out| out.member != member);
            }
            Action::Start { worker } => {
                let member = *worker as usize - 1;
                if self.members[member].gateway.is_some() {
                    return Err(Refusal::Impossible(format!("worker {worker} is running")));
                }
                self.members[member] = self.gateway(member).await.map_err(Refusal::Impossible)?;
                if self.ticks_fall_due {
                    self.shell(member)?.perform(Command::Tick);
                }
            }
        }
        self.rest().await?;
        self.send_probes().await
    }
}

/// Whether an answer may never end.
fn is_endless(upstream: &Upstream) -> bool {
    let scripts = upstream.tokens.iter().map(|(_, script)| script).chain([&upstream.default]);
    scripts.flat_map(|script| script.answers()).any(|answer| answer.fault == Some(Fault::Endless))
}

/// Every configuration that a scenario loads.
fn configs(scenario: &Scenario) -> impl Iterator<Item = &Config> {
    let loaded = scenario.steps.iter().filter_map(|step| match &step.kind {
        StepKind::Act { action: Action::Reconfigure { config, .. }, .. } => Some(&**config),
        _ => None,
    });
    std::iter::once(&scenario.config).chain(loaded)
}

/// What is sent for a token: never the token, which might be somebody's.
fn stand_in(token: &Token) -> String {
    format!("stand-in-{}", token.fingerprint)
}

fn secrets(config: &Config) -> Result<Secrets, String> {
    let mut secrets = Secrets::new();
    for token in config.tokens() {
        secrets.stand_in(token, Secret::from(stand_in(token))).map_err(|error| error.to_string())?;
    }
    Ok(secrets)
}

/// How a probe was lost below HTTP, if it was.
fn lost(answer: Status) -> Option<Lost> {
    match answer {
        Status::CONNECT => Some(Lost::Connect),
        Status::TIMEOUT => Some(Lost::Timeout),
        Status::RESET => Some(Lost::Reset),
        _ => None,
    }
}

impl Target for GatewayTarget {
    fn name(&self) -> &'static str {
        "gateway"
    }

    fn act(&mut self, action: &Action) -> Result<Effect, Refusal> {
        self.runtime.block_on(self.play.act(action))
    }

    fn concurrently(&mut self, actions: &[Action]) -> Result<Vec<Effect>, Refusal> {
        self.runtime.block_on(self.play.concurrently(actions))
    }

    fn state(&mut self, worker: Option<u32>) -> Result<PoolState, Refusal> {
        match worker {
            None => Ok(PoolState::of(&self.play.recording.pool)),
            Some(worker) => Ok(self.play.shell(self.play.member(worker)?)?.look(PoolState::of)),
        }
    }

    fn history(&self) -> Result<&History, Refusal> {
        Ok(&self.play.recording.history)
    }
}
