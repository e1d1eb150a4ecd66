//! A world at one point of a schedule: what can happen next, and making it happen under the eyes of the checkers.

use std::rc::Rc;

use crate::audit::Audit;
use crate::command::Command;
use crate::key::Key;
use crate::met::{Occasion, Sometimes};
use crate::property::{Property, Violation};
use crate::protocol::{Fact, Making, Move, Protocol};
use crate::setting::{BEGINNING, Faults, SET_BACK, Setting};
use crate::view::View;
use crate::witness::{Taken, Witness};

/// One step of a schedule.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// A worker, counted from 0, makes a move.
    Worker(usize, Move),
    /// A worker, counted from 0, dies where it is.
    Dies(usize),
    /// The wall clock of a worker, counted from 0, is set back.
    SetBack(usize),
    /// The clock goes on to the next moment.
    Clock,
}

impl Step {
    /// The same step where there is no such worker, and those after it are counted anew; `None` if it is its own.
    pub(crate) fn without_worker(self, gone: usize) -> Option<Self> {
        let counted = |worker: usize| (worker != gone).then(|| worker - usize::from(worker > gone));
        Some(match self {
            Self::Worker(worker, made) => Self::Worker(counted(worker)?, made),
            Self::Dies(worker) => Self::Dies(counted(worker)?),
            Self::SetBack(worker) => Self::SetBack(counted(worker)?),
            Self::Clock => Self::Clock,
        })
    }
}

/// Workers at one point of a schedule.
#[derive(Clone, Debug)]
pub struct World<P> {
    pub(crate) setting: Rc<Setting>,
    pub(crate) protocol: P,
    pub(crate) places: Vec<Place>,
    pub(crate) now: u64,
    moments: usize,
    left: Faults,
    view: Rc<View>,
    witness: Witness,
    audit: Audit,
    broken: Option<Violation>,
    /// What has been met on the way here.
    pub(crate) met: Sometimes,
}

/// Where a worker is in its program.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    /// How many commands it has taken up.
    pub(crate) taken: usize,
    /// When it took up the last.
    began: u64,
    pub(crate) dead: bool,
    /// How often its wall clock was set back.
    set_back: u32,
    /// How often it had been when the worker last started.
    started_back: u32,
}

impl<P: Protocol> World<P> {
    /// The world before anything has happened.
    pub fn new(setting: &Setting) -> Self {
        let protocol = P::new(setting);
        let place = Place { taken: 0, began: BEGINNING, dead: false, set_back: 0, started_back: 0 };
        Self {
            view: protocol.view(),
            protocol,
            places: vec![place; setting.programs.len()],
            now: BEGINNING,
            moments: 0,
            left: setting.faults,
            witness: Witness::new(setting),
            audit: Audit::new(setting),
            broken: None,
            met: Sometimes::default(),
            setting: Rc::new(setting.clone()),
        }
    }

    /// Every step that can be taken now, in a fixed order; none once a property is broken.
    pub fn steps(&self) -> Vec<Step> {
        let mut steps = Vec::new();
        if self.broken.is_some() {
            return steps;
        }
        for (worker, place) in self.places.iter().enumerate().filter(|(_, place)| !place.dead) {
            let next = self.setting.programs[worker].get(place.taken);
            let busy = self.protocol.is_busy(worker);
            let moves = self.protocol.moves(worker, next);
            let may_lose = self.left.lost_replies > 0;
            steps.extend(
                moves
                    .into_iter()
                    .filter(|made| *made != Move::Lose || may_lose)
                    // What a worker reads when it is done matters to nobody; in the end all read.
                    .filter(|made| *made != Move::Read || next.is_some())
                    .map(|made| Step::Worker(worker, made)),
            );
            if self.left.deaths > 0 && (busy || next.is_some()) {
                steps.push(Step::Dies(worker));
            }
            if self.left.set_back > 0 && next.is_some() {
                steps.push(Step::SetBack(worker));
            }
        }
        if self.moments < self.setting.moments.len() {
            steps.push(Step::Clock);
        }
        steps
    }

    /// Takes a step that [`World::steps`] gave.
    pub fn take(&mut self, step: Step) {
        self.step(step, false);
    }

    /// The property that broke, if one did.
    pub fn broken(&self) -> Option<&Violation> {
        self.broken.as_ref()
    }

    /// What has been met on the way here.
    pub fn met(&self) -> Sometimes {
        self.met
    }

    /// The state that the workers share now.
    pub fn view(&self) -> &View {
        &self.view
    }

    /// Whether no living worker is at a command.
    pub fn is_quiet(&self) -> bool {
        !self.places.iter().enumerate().any(|(worker, place)| !place.dead && self.protocol.is_busy(worker))
    }

    /// What tells this state from every other with another future.
    pub fn key(&self) -> Key {
        let mut key = Key::new();
        key.add_len(self.moments);
        key.add(self.now);
        key.add(self.left.lost_replies.into());
        key.add(self.left.deaths.into());
        key.add(self.left.set_back.into());
        for place in &self.places {
            key.add_len(place.taken);
            key.add(place.began);
            key.add(place.dead.into());
            key.add(place.set_back.into());
            key.add(place.started_back.into());
        }
        self.witness.key(&mut key);
        self.protocol.key(&self.audit, &mut key);
        key
    }

    /// Takes a step, and says what it was if `telling`.
    pub(crate) fn step(&mut self, step: Step, telling: bool) -> String {
        match step {
            Step::Clock => {
                self.now = BEGINNING + self.setting.moments[self.moments];
                self.moments += 1;
                format_if(telling, || format!("the clock goes on to {} ms", self.now - BEGINNING))
            }
            Step::Dies(worker) => {
                self.places[worker].dead = true;
                self.left.deaths -= 1;
                self.met.meet(Occasion::Death);
                format_if(telling, || format!("worker {} dies", worker + 1))
            }
            Step::SetBack(worker) => {
                self.places[worker].set_back += 1;
                self.left.set_back -= 1;
                format_if(telling, || {
                    format!("the clock of worker {} is set back by {SET_BACK} ms", worker + 1)
                })
            }
            Step::Worker(worker, made) => {
                if made == Move::Lose {
                    self.left.lost_replies = self.left.lost_replies.saturating_sub(1);
                    self.met.meet(Occasion::LostReply);
                }
                let setting = Rc::clone(&self.setting);
                let next = setting.programs[worker].get(self.places[worker].taken);
                let told = self.make(worker, made, next, telling);
                format_if(telling, || format!("worker {}: {told}", worker + 1))
            }
        }
    }

    /// Has `worker` make a move, and the checkers watch it. `next` is the command that it takes up, if it does.
    pub(crate) fn make(
        &mut self,
        worker: usize,
        made: Move,
        next: Option<&Command>,
        telling: bool,
    ) -> String {
        let setting = Rc::clone(&self.setting);
        let begun = made == Move::Begin;
        if begun {
            let place = &mut self.places[worker];
            (place.taken, place.began) = (place.taken + 1, self.now);
            if next == Some(&Command::Start) {
                place.started_back = place.set_back;
                if place.set_back > 0 {
                    self.met.meet(Occasion::SetBack);
                }
            }
        }
        let wall = setting.clock_of(worker, self.now, self.places[worker].set_back);
        let mut making = Making::new(self.now, wall, next.filter(|_| begun), telling);
        self.protocol.make(&setting, worker, made, &mut making);
        let facts = core::mem::take(&mut making.facts);
        let told = making.told();
        self.watch(worker, begun, next, &facts);
        if begun {
            format_if(telling, || format!("{}: {told}", next.map_or(String::new(), Command::to_string)))
        } else {
            told
        }
    }

    fn watch(&mut self, worker: usize, begun: bool, next: Option<&Command>, facts: &[Fact]) {
        let setting = Rc::clone(&self.setting);
        let mut wrong = Vec::new();
        for fact in facts {
            self.met.hear(fact, self.audit.lease());
            wrong.extend(self.audit.hear(&setting, fact));
        }
        let after = self.protocol.view();
        let place = &self.places[worker];
        let command_of = |worker: usize| {
            let taken = self.places[worker].taken.checked_sub(1)?;
            setting.programs[worker].get(taken)
        };
        // Commands past the end of the program are of the settling: ticks and reads.
        let own = if begun { next } else { command_of(worker) };
        let at_work: Vec<&Command> = (0..self.places.len())
            .filter(|worker| !self.places[*worker].dead && self.protocol.is_busy(*worker))
            .filter_map(command_of)
            .collect();
        let taken = Taken {
            before: &self.view,
            after: &after,
            command: own.map(|command| (command, place.began)),
            begun,
            at_work: &at_work,
            facts,
            now: self.now,
            disagreement: self.disagreement(),
        };
        wrong.extend(self.witness.watch(&setting, &taken));
        self.view = after;
        if self.broken.is_none() {
            self.broken = wrong.into_iter().find(|violation| setting.watch.contains(&violation.property));
        }
    }

    /// By how many milliseconds the clocks of any two workers may disagree: a clock that is set back moves who starts after
    /// it, and must move nobody else.
    pub(crate) fn disagreement(&self) -> u64 {
        self.setting.disagreement(self.places.iter().map(|place| place.started_back))
    }

    pub(crate) fn configured(&self) -> &[crate::command::Token] {
        self.witness.configured()
    }

    pub(crate) fn watches(&self, property: Property) -> bool {
        self.setting.watch.contains(&property)
    }
}

fn format_if(telling: bool, words: impl FnOnce() -> String) -> String {
    if telling { words() } else { String::new() }
}
