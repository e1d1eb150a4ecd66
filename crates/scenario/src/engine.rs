//! The engine target: the engine alone, no sockets, virtual time. What a gateway's shell would do, in memory.

mod at_once;
mod passing;

#[cfg(feature = "gateway")]
pub(crate) use passing::MOST_APPENDS;

use std::collections::{BTreeMap, VecDeque};

use firedrill_failover::{
    Command, Config, Duration, Entry, Instant, Log, MemoryLog, Status, TokenId, Worker, WorkerId,
};

use crate::account::Account;
use crate::always::Invariant;
use crate::chance::Chance;
use crate::recording::Recording;
use crate::scenario::{Action, Expectation, Scenario};
use crate::schedules::{Explored, explore};
use crate::target::{Effect, History, PoolState, Refusal, Target};
use crate::trip::{Attempted, Provider, Trip};
use firedrill_provider::Ticket;

/// The engine under a scenario.
#[derive(Debug)]
pub struct EngineTarget {
    log: MemoryLog,
    members: Vec<Member>,
    /// The highest id of a worker so far.
    ids_given: u64,
    /// What a worker that starts loads: the configuration that was loaded last.
    config: Config,
    /// And the upstream's time for an answer in it.
    timeout: Duration,
    /// The time since the start, which no `clockBack` touches.
    time: Instant,
    /// What the wall clock says, which a worker reads when it is made.
    wall: Instant,
    ticks_fall_due: bool,
    /// How often a tick falls due; `None` while failover is off.
    interval: Option<Duration>,
    answers_probes: bool,
    provider: Provider,
    /// Probes that wait for a `probe` step, oldest first.
    waiting: VecDeque<Waiting>,
    /// Probes that will be answered, by when that is and by what was sent first.
    arriving: BTreeMap<(Instant, u64), Arriving>,
    /// How many calls were sent.
    sent: u64,
    recording: Recording,
    /// The checkers' account of the first `accounted` appends of the history.
    account: Account,
    accounted: usize,
    /// What came of the action that is being done.
    effect: Effect,
    /// What every draw derives from.
    seed: u64,
}

#[derive(Debug)]
struct Member {
    worker: Worker,
    /// When it was made.
    made: Instant,
    chance: Chance,
    alive: bool,
    next_tick: Instant,
    /// The upstream's time for an answer, and for each piece of it.
    timeout: Duration,
}

#[derive(Clone, Debug)]
struct Waiting {
    member: usize,
    token: TokenId,
    label: String,
    probe: u64,
}

/// What a probe will be answered.
#[derive(Debug)]
struct Arriving {
    waiting: Waiting,
    answer: Status,
    ticket: Ticket,
}

impl EngineTarget {
    /// The engine as `scenario` starts with it, drawing by `seed`.
    pub fn new(scenario: &Scenario, seed: u64) -> Self {
        let config = &scenario.config;
        let member = |number: u32| Member {
            worker: Worker::new(WorkerId::new(u64::from(number)), Instant::ZERO, config),
            made: Instant::ZERO,
            chance: Chance::of(seed, WorkerId::new(u64::from(number))),
            alive: true,
            next_tick: Instant::ZERO,
            timeout: scenario.timeout,
        };
        let mut target = Self {
            log: MemoryLog::new(),
            members: (1..=scenario.workers).map(member).collect(),
            ids_given: u64::from(scenario.workers),
            config: config.clone(),
            timeout: scenario.timeout,
            time: Instant::ZERO,
            wall: Instant::ZERO,
            ticks_fall_due: scenario.ticks_fall_due,
            interval: None,
            answers_probes: scenario.answers_probes,
            provider: Provider::new(scenario, seed),
            waiting: VecDeque::new(),
            arriving: BTreeMap::new(),
            sent: 0,
            recording: Recording::new(scenario),
            account: Account::default(),
            accounted: 0,
            effect: Effect::default(),
            seed,
        };
        for member in 0..target.members.len() {
            target.perform(member, Command::Join(config.clone()));
        }
        target.catch_up();
        target.effect = Effect::default();
        target
    }

    fn member(&self, worker: u32) -> Result<usize, Refusal> {
        let member = worker as usize - 1;
        if self.members[member].alive {
            Ok(member)
        } else {
            Err(Refusal::Impossible(format!("worker {worker} was stopped")))
        }
    }

    /// Performs a command to its end, and does what the log then says.
    fn perform(&mut self, member: usize, command: Command) {
        let Member { worker, made, .. } = &mut self.members[member];
        let Ok(entry) = worker.perform(&mut self.log, self.time.since(*made), command);
        self.settle(member, entry);
    }

    /// Records what was appended and sends the probes it tells of.
    fn settle(&mut self, member: usize, entry: Option<Entry>) {
        self.record();
        let Some(entry) = entry else { return };
        for (token, label, probe) in self.recording.probes(&entry) {
            self.effect.probes.push(label.clone());
            self.waiting.push_back(Waiting { member, token, label, probe });
        }
        if !self.answers_probes {
            while let Some(waiting) = self.waiting.pop_front() {
                let policy = self.members[waiting.member].worker.pool().policy();
                let (answer, at, ticket) = self.provider.probe(&waiting.label, policy, self.time);
                let arriving = Arriving { waiting, answer, ticket };
                if at > self.time {
                    let turn = self.turn();
                    self.arriving.insert((at, turn), arriving);
                } else {
                    self.arrive(arriving);
                }
            }
        }
    }

    fn arrive(&mut self, Arriving { waiting, answer, ticket }: Arriving) {
        self.provider.ended(ticket);
        self.answer_probe(&waiting, answer);
    }

    fn answer_probe(&mut self, &Waiting { member, token, probe, .. }: &Waiting, answer: Status) {
        if self.members[member].alive {
            self.perform(member, Command::ProbeAnswered { token, probe, answer });
        }
    }

    /// Takes into the history what was appended since it was last asked.
    fn record(&mut self) {
        for entry in &self.log.entries()[self.recording.appends()..] {
            self.effect.events.extend(self.recording.take(entry));
        }
        self.set_timers();
    }

    /// Every worker hears what is new.
    fn catch_up(&mut self) {
        for member in self.members.iter_mut().filter(|member| member.alive) {
            let Ok(newer) = self.log.read(member.worker.head());
            member.worker.catch_up(&newer);
        }
    }

    /// Sends the next attempt of a request; `None` if there is no token left to try.
    fn attempt(&mut self, trip: &mut Trip) -> Result<Option<Attempted>, Refusal> {
        let pool = self.members[trip.member].worker.pool();
        let attempted = trip.attempt(pool, &mut self.provider, self.time)?;
        if let Some(Attempted { label, fallback, .. }) = &attempted {
            self.effect.draws.push((label.clone(), *fallback));
        }
        Ok(attempted)
    }

    /// Waits until it is known what an attempt is answered, and reports that. If it was the last attempt, the client has the
    /// rest of the answer as well.
    fn await_answer(&mut self, trip: &Trip, attempted: Attempted) -> Result<(), Refusal> {
        let Attempted { answer, ticket, command, .. } = attempted;
        let turn = self.turn();
        self.wait(answer.known, turn, |target| target.perform(trip.member, command))?;
        if !self.goes_on(trip) {
            self.wait(answer.over, turn, |_| ())?;
        }
        self.provider.ended(ticket);
        Ok(())
    }

    fn goes_on(&self, trip: &Trip) -> bool {
        trip.goes_on(self.members[trip.member].worker.pool().policy(), self.time)
    }

    /// Retries a request for as long as the policy allows, and tells what its client gets.
    fn retries(&mut self, trip: &mut Trip) -> Result<(), Refusal> {
        while self.goes_on(trip) {
            let Some(attempted) = self.attempt(trip)? else { break };
            self.await_answer(trip, attempted)?;
        }
        trip.last.iter().for_each(|answer| self.effect.answered(answer));
        trip.end()
    }

    /// The oldest probe that waits for an answer for `label`, which waits no longer.
    fn waiting_probe(&mut self, label: &str) -> Result<Waiting, Refusal> {
        let index = self.waiting.iter().position(|waiting| waiting.label == label);
        let waiting = index.and_then(|index| self.waiting.remove(index));
        waiting.ok_or_else(|| Refusal::Impossible(format!("no probe is out for {label}")))
    }

    fn act_alone(&mut self, action: &Action) -> Result<(), Refusal> {
        match action {
            Action::Request { worker, draws, stream } => {
                let mut trip = self.trip(*worker, draws, *stream)?;
                if let Some(attempted) = self.attempt(&mut trip)? {
                    self.await_answer(&trip, attempted)?;
                    self.retries(&mut trip)?;
                }
            }
            Action::Outcome { worker, token, status, attempt } => {
                let (member, token) = (self.member(*worker)?, self.recording.id(token)?);
                self.perform(member, Command::Outcome { token, status: *status, attempt: *attempt });
            }
            Action::Probe { token, answer } => {
                let waiting = self.waiting_probe(token)?;
                self.answer_probe(&waiting, *answer);
            }
            Action::Advance(span) => self.advance(*span)?,
            Action::Tick { worker } => {
                let member = self.member(*worker)?;
                self.perform(member, Command::Tick);
            }
            Action::ClockBack(span) => {
                let back = self.wall.as_millis().saturating_sub(span.as_millis());
                self.wall = Instant::from_millis(back);
            }
            Action::Reconfigure { worker, config, timeout } => {
                let member = self.member(*worker)?;
                (self.config, self.timeout) = (Config::clone(config), *timeout);
                self.members[member].timeout = *timeout;
                self.perform(member, Command::Reconfigure(self.config.clone()));
            }
            Action::Stop { worker } => {
                let member = self.member(*worker)?;
                self.members[member].alive = false;
                self.waiting.retain(|waiting| waiting.member != member);
                self.hang_up(member);
            }
            Action::Start { worker } => self.start(*worker)?,
        }
        Ok(())
    }

    /// A stopped worker starts again as a new one, with a new id and with what the wall clock says now.
    fn start(&mut self, worker: u32) -> Result<(), Refusal> {
        let index = worker as usize - 1;
        if self.members[index].alive {
            return Err(Refusal::Impossible(format!("worker {worker} is running")));
        }
        self.ids_given += 1;
        let (id, config) = (WorkerId::new(self.ids_given), self.config.clone());
        let next_tick = self.time + self.interval.unwrap_or_default();
        let member = &mut self.members[index];
        member.chance = Chance::of(self.seed, id);
        (member.worker, member.made) = (Worker::new(id, self.wall, &config), self.time);
        (member.alive, member.next_tick, member.timeout) = (true, next_tick, self.timeout);
        // It hears the log before it joins, and what fell due while nobody was there is done at once.
        self.catch_up();
        self.perform(index, Command::Join(config));
        if self.ticks_fall_due {
            self.perform(index, Command::Tick);
        }
        Ok(())
    }

    fn trip(&mut self, worker: u32, draws: &[String], stream: bool) -> Result<Trip, Refusal> {
        let index = self.member(worker)?;
        let member = &mut self.members[index];
        Ok(Trip::new(index, (draws, member.chance.next()), stream, self.time, member.timeout))
    }
}

impl Target for EngineTarget {
    fn name(&self) -> &'static str {
        "engine"
    }

    fn act(&mut self, action: &Action) -> Result<Effect, Refusal> {
        let done = self.act_alone(action);
        self.catch_up();
        let effect = std::mem::take(&mut self.effect);
        done.map(|()| effect)
    }

    fn concurrently(&mut self, actions: &[Action]) -> Result<Vec<Effect>, Refusal> {
        self.do_at_once(actions)
    }

    fn schedules(
        &mut self,
        items: &[(Action, Option<Expectation>)],
        always: &[Invariant],
    ) -> Result<Option<Explored>, Refusal> {
        // What cannot begin is told when it is asked to.
        let Ok(beginning) = self.beginning(items, always, |expected, newest| expected == newest) else {
            return Ok(None);
        };
        Ok(Some(explore(&beginning, self.seed)))
    }

    fn state(&mut self, worker: Option<u32>) -> Result<PoolState, Refusal> {
        Ok(match worker {
            None => PoolState::of(&self.recording.pool),
            Some(worker) => PoolState::of(self.members[self.member(worker)?].worker.pool()),
        })
    }

    fn history(&self) -> Result<&History, Refusal> {
        Ok(&self.recording.history)
    }
}
