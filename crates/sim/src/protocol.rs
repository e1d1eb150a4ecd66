//! What a way of sharing state must offer to be explored, and what it tells the checkers.

use std::rc::Rc;

use crate::audit::Audit;
use crate::command::{Command, Token};
use crate::key::Key;
use crate::met::Occasion;
use crate::setting::Setting;
use crate::view::View;

/// Workers, and the state they share, at one point of a schedule.
///
/// It is told which worker makes which [`Move`], and is otherwise still.
pub trait Protocol: Clone {
    /// Everything founded, every worker started, nothing done yet.
    fn new(setting: &Setting) -> Self;

    /// The moves that are open to a living worker, whose next command is `next`, in a fixed order.
    fn moves(&self, worker: usize, next: Option<&Command>) -> Vec<Move>;

    /// Makes one of those moves. `making` hears what it was and what it led to.
    fn make(&mut self, setting: &Setting, worker: usize, made: Move, making: &mut Making<'_>);

    /// Whether a worker has begun a command and not ended it.
    fn is_busy(&self, worker: usize) -> bool;

    /// Whether a worker has commands to take up again.
    fn owes(&self, _worker: usize) -> bool {
        false
    }

    /// The command that a worker is at, if it has begun one and not ended it; `taken` is the last that it took up.
    fn at_work<'a>(&'a self, worker: usize, taken: Option<&'a Command>) -> Option<&'a Command> {
        taken.filter(|_| self.is_busy(worker))
    }

    /// The command that a worker takes up again by [`Move::Again`].
    fn to_do(&self, _worker: usize) -> Option<Command> {
        None
    }

    /// Whether there is a store that can be away and can forget.
    fn has_store() -> bool {
        false
    }

    /// From now on the store answers nobody, or answers again.
    fn set_away(&mut self, _away: bool) {}

    /// Whether there is anything to forget.
    fn forgettable(&self) -> bool {
        false
    }

    /// The store forgets the last append, or everything.
    fn forget(&mut self, _wholly: bool) -> Option<Fact> {
        None
    }

    /// The number of a worker in the log.
    fn number(&self, _worker: usize) -> Option<u64> {
        None
    }

    /// The state that the workers share, as a newcomer would see it.
    fn view(&self) -> Rc<View>;

    /// What a worker takes the state to be, if it has a fold of its own.
    fn fold(&self, worker: usize) -> Option<View>;

    /// Tells everything that the future depends on, but for what the world itself and the checkers know.
    fn key(&self, audit: &Audit, key: &mut Key);
}

/// The kinds of small steps that a worker can take.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Move {
    /// It takes its next command up.
    Begin,
    /// It goes on with the command it is at.
    GoOn,
    /// It takes up again what it decided alone, or what a log has lost.
    Again,
    /// It reads what the others have done meanwhile.
    Read,
    /// The reply on its way to it is lost.
    Lose,
}

/// One move being made: what the protocol is given, and what it gives back.
#[derive(Debug)]
pub struct Making<'a> {
    /// The world's clock, in milliseconds.
    pub now: u64,
    /// What the worker's wall clock says, in milliseconds.
    pub wall: u64,
    /// The command that is begun, if the move is [`Move::Begin`].
    pub next: Option<&'a Command>,
    /// What the checkers should know.
    pub facts: Vec<Fact>,
    telling: bool,
    told: String,
}

impl<'a> Making<'a> {
    pub(crate) fn new(now: u64, wall: u64, next: Option<&'a Command>, telling: bool) -> Self {
        Self { now, wall, next, facts: Vec::new(), telling, told: String::new() }
    }

    /// Says in words what the move is, if anyone listens.
    pub fn say(&mut self, words: impl FnOnce() -> String) {
        if self.telling {
            if !self.told.is_empty() {
                self.told.push_str("; ");
            }
            self.told.push_str(&words());
        }
    }

    pub(crate) fn told(self) -> String {
        self.told
    }
}

/// Something that a checker needs to know of a move.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fact {
    /// A selection drew this.
    Drew(Option<Token>),
    /// A configuration with these tokens is in force now.
    Configured(Vec<Token>),
    /// An append was accepted.
    Appended {
        /// The number of the log, which counts how often it forgot or was founded anew.
        epoch: usize,
        /// Its version.
        version: u64,
        /// The version of the fold that it was decided on.
        decided_on: u64,
        /// Its time.
        at: u64,
        /// Whose it is: the number of the worker in the log.
        by: u64,
        /// What the worker was told to do.
        command: Command,
        /// Which probe was answered, if one was.
        probe: Option<u64>,
        /// Which command of which worker it is.
        tag: (u64, u64),
        /// What it says.
        deeds: Vec<Deed>,
    },
    /// A command changed nothing.
    Idle {
        /// The number of the log.
        epoch: usize,
        /// The version of the fold on which it did not.
        version: u64,
        /// When.
        at: u64,
        /// The number of the worker in the log.
        by: u64,
        /// What the worker was told to do.
        command: Command,
        /// Which probe was answered, if one was.
        probe: Option<u64>,
        /// Which command of which worker it is.
        tag: (u64, u64),
    },
    /// A worker's fold is of the log of this number and at this version now, and looks like this.
    Folded(usize, u64, View),
    /// This command of this worker waits for the store to be back.
    Owed((u64, u64)),
    /// A worker serves from this while it decides alone.
    Serves {
        /// The tokens that it takes to be configured.
        configured: Vec<Token>,
        /// What it takes the state to be.
        view: View,
    },
    /// The log has forgotten everything after this version.
    Forgotten {
        /// What is left.
        kept: u64,
    },
    /// The log was founded anew.
    FoundedAnew {
        /// By which worker.
        by: u64,
        /// The how-manieth proposal of that worker it was.
        proposal: u64,
        /// From the fold of which log, at which version.
        from: (usize, u64),
        /// The tokens that are configured by it.
        configured: Vec<Token>,
    },
    /// Something was met that should be met sometimes.
    Met(Occasion),
}

/// An event of a log, in names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Deed {
    /// These tokens are configured, and whether everything that was known of them is forgotten.
    Configured(Vec<Token>, bool),
    /// A failure was counted; the count afterwards.
    Failed(Token, u32),
    /// The failure that took the token out; the count it made.
    Removed(Token, u32),
    /// Taken out by hand.
    TakenOut(Token),
    /// Put back by hand.
    PutBack(Token),
    /// The failure count was set to zero by hand.
    Reset(Token),
    /// Nothing is available any more.
    NoneAvailable,
    /// The failure count is zero again.
    Succeeded(Token),
    /// Back after its cooldown.
    CooledDown(Token),
    /// Back after this probe.
    Healthy(Token, u64),
    /// The lease is taken, up to this moment.
    LeaseTaken(u64),
    /// A probe was sent, with this number.
    ProbeSent(Token, u64),
    /// A probe succeeded: its number and the successes afterwards.
    ProbePassed(Token, u64, u32),
    /// A probe failed: its number and the successes afterwards.
    ProbeFailed(Token, u64, u32),
}
