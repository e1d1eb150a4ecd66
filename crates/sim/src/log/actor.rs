//! A worker of a world over our log: the engine's worker, what it has in flight, and what it still has to do.

use std::collections::VecDeque;
use std::mem;
use std::rc::Rc;

use firedrill_failover::{
    Append, Attempt, Config, Duration, Event, Founding, Instant, Newer, Status, Worker, WorkerId,
};

use super::names::{config, named};
use crate::command::{Command, Order, Token};
use crate::setting::Setting;

/// A worker with what it is at.
#[derive(Clone, Debug)]
pub(super) struct Actor {
    pub(super) worker: Worker,
    /// When it was made, by the world's clock.
    pub(super) born: u64,
    /// The number of the log that it has heard.
    pub(super) epoch: usize,
    pub(super) at_hand: Option<AtHand>,
    /// The probes that it has out, oldest first.
    pub(super) probes: Vec<(Token, u64)>,
    /// What it proposed, in the order of the first time, where a store may forget it. The worker counts along.
    pub(super) proposed: Vec<Task>,
    /// What it decided alone, or a log has lost: to be proposed, oldest first.
    pub(super) again: VecDeque<Task>,
    /// How many commands it was told.
    tasks: u64,
    /// How many of them were lost, one more each time that it is lost again.
    losses: u64,
}

/// A command that a worker was told.
#[derive(Clone, Debug)]
pub(super) struct Task {
    pub(super) command: Command,
    pub(super) told: firedrill_failover::Command,
    pub(super) probe: Option<u64>,
    /// The worker's number in the log, and the how-manieth of its commands it is.
    pub(super) tag: (u64, u64),
    /// The place in [`Actor::proposed`], once it was proposed.
    place: Option<usize>,
    /// The how-manieth loss it was, from when it is lost until it is proposed again.
    lost: Option<u64>,
}

/// What is in flight.
#[derive(Clone, Debug)]
pub(super) struct AtHand {
    /// The command; `None` if a log is founded anew that was found behind while reading.
    pub(super) task: Option<Task>,
    pub(super) sent: Sent,
    pub(super) reply: Option<Reply>,
}

#[derive(Clone, Debug)]
pub(super) enum Sent {
    Append(Append),
    Founding(Rc<Founding>),
}

/// A reply on its way.
#[derive(Clone, Debug)]
pub(super) enum Reply {
    /// By the log of this number.
    Accepted(usize),
    /// By the log of this number, with what was newer then, up to this version.
    Refused(usize, Rc<Newer>, u64),
    /// The log has this head, and it is behind.
    Behind(firedrill_failover::Head),
}

impl Actor {
    pub(super) fn new(number: u64, now: u64, wall: u64, epoch: usize, config: &Config) -> Self {
        let worker = Worker::new(WorkerId::new(number), Instant::from_millis(wall), config);
        Self {
            worker,
            born: now,
            epoch,
            at_hand: None,
            probes: Vec::new(),
            proposed: Vec::new(),
            again: VecDeque::new(),
            tasks: 0,
            losses: 0,
        }
    }

    /// The version that it has heard.
    pub(super) fn heard(&self) -> u64 {
        self.worker.pool().version().appends()
    }

    pub(super) fn uptime(&self, now: u64) -> Duration {
        Duration::from_millis(now - self.born)
    }

    /// A command in the engine's terms; `None` if there is nothing to tell.
    pub(super) fn task(&mut self, setting: &Setting, start: &Config, command: &Command) -> Option<Task> {
        let pool = self.worker.pool();
        let mut probe = None;
        let told = match command {
            Command::Select => return None,
            Command::Outcome(token, status) => firedrill_failover::Command::Outcome {
                token: pool.find(&token.to_string())?,
                status: Status::new(*status)?,
                attempt: Attempt::First,
            },
            Command::Tick => firedrill_failover::Command::Tick,
            Command::ProbeAnswered(token, status) => {
                let place = self.probes.iter().position(|(probed, _)| probed == token)?;
                let (_, number) = self.probes.remove(place);
                probe = Some(number);
                let token = self.worker.pool().find(&token.to_string())?;
                let answer = Status::new(*status)?;
                firedrill_failover::Command::ProbeAnswered { token, probe: number, answer }
            }
            Command::Reconfigure(tokens) => firedrill_failover::Command::Reconfigure(config(setting, tokens)),
            Command::Operate(token, order) => firedrill_failover::Command::Operate {
                token: pool.find(&token.to_string())?,
                order: match order {
                    Order::Out => firedrill_failover::Order::TakeOut,
                    Order::In => firedrill_failover::Order::PutBack,
                    Order::Reset => firedrill_failover::Order::Reset,
                },
            },
            Command::Start => firedrill_failover::Command::Join(start.clone()),
        };
        self.tasks += 1;
        let tag = (self.worker.id().number(), self.tasks);
        Some(Task { command: command.clone(), told, probe, tag, place: None, lost: None })
    }

    /// Notes the probes that it sends now.
    pub(super) fn send_probes(&mut self, events: &[Event]) {
        for event in events {
            if let Event::ProbeSent { token, probe } = *event {
                let token = named(self.worker.pool(), token);
                self.probes.extend(token.map(|token| (token, probe)));
            }
        }
    }

    /// The task that is proposed when the worker is told what `task` says, and notes that it is. Equal commands stand for
    /// each other: of those that were lost, the worker takes the one that it gave back first.
    pub(super) fn proposes(&mut self, task: Task) -> Task {
        let equal = self.again.iter_mut().filter(|other| other.told == task.told && other.lost.is_some());
        let mut task = match equal.min_by_key(|other| other.lost) {
            Some(first) if task.lost.is_none_or(|own| first.lost < Some(own)) => mem::replace(first, task),
            _ => task,
        };
        task.lost = None;
        if task.place.is_none() {
            task.place = Some(self.proposed.len());
            self.proposed.push(task.clone());
        }
        task
    }

    /// Takes what the worker says was lost as what is to be proposed again. Gives `in_flight` back if it is not among that,
    /// and how much it is.
    pub(super) fn take_lost(&mut self, mut in_flight: Option<Task>) -> (usize, Option<Task>) {
        let numbers = self.worker.lost();
        let lost = numbers.len();
        let mut again = Vec::with_capacity(lost);
        for (number, told) in numbers.into_iter().zip(self.worker.take_lost()) {
            let place = usize::try_from(number - 1).ok();
            in_flight = in_flight.filter(|task| task.place != place);
            self.losses += 1;
            // A number that no command has is a loss that nobody proposes again, which is found in the end.
            let task = place.and_then(|place| self.proposed.get(place)).cloned();
            again.extend(task.map(|task| Task { told, lost: Some(self.losses), ..task }));
        }
        for task in again.into_iter().rev() {
            self.again.push_front(task);
        }
        (lost, in_flight)
    }
}
