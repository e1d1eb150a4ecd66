//! What takes part in schedules: workers with their tasks, as they begin and on their way.

use std::rc::Rc;

use firedrill_failover::{Append, Command, Duration, Instant, Pool, Worker};
use firedrill_sim::Key;

use crate::account::Account;
use crate::always::Invariant;
use crate::scenario::Expectation;
use crate::target::Effect;
use crate::trip::{Provider, Trip};

/// What schedules begin with.
#[derive(Debug)]
pub(crate) struct Beginning {
    pub(crate) now: Instant,
    /// Every worker.
    pub(crate) parts: Vec<Part>,
    /// What is done at once.
    pub(crate) begun: Vec<Begun>,
    /// What is expected of each.
    pub(crate) expects: Vec<Option<Expectation>>,
    pub(crate) provider: Provider,
    /// Whether probes wait for a later step.
    pub(crate) answers_probes: bool,
    /// The fold of the log, and the account of it.
    pub(crate) pool: Pool,
    pub(crate) account: Account,
    /// What is asked at every version.
    pub(crate) always: Vec<Invariant>,
    /// Whether the log accepts an append that expects the one version while the other is the newest.
    pub(crate) admits: fn(u64, u64) -> bool,
}

/// A worker.
#[derive(Debug)]
pub(crate) struct Part {
    /// As the scenario numbers it.
    pub(crate) number: u32,
    pub(crate) worker: Worker,
    pub(crate) uptime: Duration,
}

/// One of the things that are done at once, as it begins.
#[derive(Debug)]
pub(crate) struct Begun {
    /// Which worker does it, from 0.
    pub(crate) member: usize,
    pub(crate) command: Command,
    /// The request that it is about.
    pub(crate) trip: Option<Trip>,
    /// What came of it so far.
    pub(crate) effect: Effect,
}

/// A worker that has something to do.
#[derive(Clone, Debug)]
pub(super) struct Actor {
    pub(super) number: u32,
    pub(super) worker: Worker,
    pub(super) uptime: Duration,
    pub(super) tasks: Vec<Task>,
    pub(super) at_hand: Option<AtHand>,
    /// Whether its fold is what the log says.
    pub(super) agrees: bool,
    /// What tells it from others, as of its last step.
    pub(super) key: Key,
}

/// A command whose append is on its way, or the reply.
#[derive(Clone, Debug)]
pub(super) struct AtHand {
    pub(super) task: usize,
    pub(super) append: Append,
    pub(super) reply: Option<Reply>,
}

/// A reply on its way.
#[derive(Copy, Clone, Debug)]
pub(super) enum Reply {
    Accepted,
    /// With as many of the appends since the beginning.
    Refused(usize),
}

/// Something that a worker is to do.
#[derive(Clone, Debug)]
pub(super) struct Task {
    /// Which of the things that are done at once it is, or is part of.
    pub(super) item: usize,
    pub(super) next: Option<Next>,
    pub(super) trip: Option<Trip>,
    /// The tokens drawn for it.
    pub(super) draws: Vec<(String, bool)>,
    /// Whether it came up on the way.
    pub(super) later: bool,
}

/// What is to be taken up next.
#[derive(Clone, Debug)]
pub(super) enum Next {
    Command(Rc<Command>),
    /// The next attempt of a request.
    Retry,
}

impl Actor {
    /// Whether it has something left to take up.
    pub(super) fn has_more(&self) -> bool {
        self.tasks.iter().any(|task| task.next.is_some())
    }
}

impl Task {
    pub(super) fn new(item: usize, begun: &Begun) -> Self {
        let Begun { command, trip, effect, .. } = begun;
        let next = Some(Next::Command(Rc::new(command.clone())));
        Self { item, next, trip: trip.clone(), draws: effect.draws.clone(), later: false }
    }
}
