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
    /// The store answers nobody from now on, or answers again.
    Away(bool),
    /// The store forgets its last append, or everything.
    Forgets(bool),
}

impl Step {
    /// The same step where there is no such worker, and those after it are counted anew; `None` if it is its own.
    pub(crate) fn without_worker(self, gone: usize) -> Option<Self> {
        let counted = |worker: usize| (worker != gone).then(|| worker - usize::from(worker > gone));
        Some(match self {
            Self::Worker(worker, made) => Self::Worker(counted(worker)?, made),
            Self::Dies(worker) => Self::Dies(counted(worker)?),
            Self::SetBack(worker) => Self::SetBack(counted(worker)?),
            Self::Clock | Self::Away(_) | Self::Forgets(_) => self,
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
    away: bool,
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
            away: false,
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
                    .filter(|made| *made != Move::Read || next.is_some() || self.protocol.owes(worker))
                    .map(|made| Step::Worker(worker, made)),
            );
            if self.left.deaths > 0 && (busy || next.is_some() || self.protocol.owes(worker)) {
                steps.push(Step::Dies(worker));
            }
            if self.left.set_back > 0 && next.is_some() {
                steps.push(Step::SetBack(worker));
            }
        }
        if self.moments < self.setting.moments.len() {
            steps.push(Step::Clock);
        }
        if P::has_store() {
            if self.away || self.left.away > 0 {
                steps.push(Step::Away(!self.away));
            }
            if self.left.forgets > 0 && self.protocol.forgettable() {
                steps.extend([Step::Forgets(false), Step::Forgets(true)]);
            }
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
        key.add(self.left.away.into());
        key.add(self.left.forgets.into());
        for place in &self.places {
            key.add_len(place.taken);
            key.add(place.began);
            key.add(place.dead.into());
            key.add(place.set_back.into());
            key.add(place.started_back.into());
        }
        self.witness.key(&mut key);
        if self.setting.faults.away > 0 || self.setting.faults.forgets > 0 {
            self.audit.key(&mut key);
        }
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
            Step::Away(away) => {
                self.set_away(away);
                self.left.away -= u32::from(away);
                format_if(telling, || format!("the store {}", if away { "is away" } else { "is back" }))
            }
            Step::Forgets(wholly) => {
                self.left.forgets -= 1;
                let fact = self.protocol.forget(wholly);
                let kept = match fact {
                    Some(Fact::Forgotten { kept }) => kept,
                    _ => 0,
                };
                if let Some(fact) = fact {
                    self.met.hear(&fact, None);
                    self.audit.hear(&self.setting, &fact);
                }
                self.view = self.protocol.view();
                self.witness.look_anew(&self.setting, &self.view, None);
                format_if(telling, || match kept {
                    0 => "the store forgets everything".to_owned(),
                    kept => format!("the store forgets what came after version {kept}"),
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
        let again = if made == Move::Again { self.protocol.to_do(worker) } else { None };
        let next = again.as_ref().or(next);
        let begun = matches!(made, Move::Begin | Move::Again);
        let at_hand = self.protocol.at_work(worker, self.taken(worker)).cloned();
        // While the store is away, commands begin beside the one whose append is in flight.
        if begun && at_hand.is_none() {
            self.places[worker].began = self.now;
        }
        if made == Move::Begin {
            let place = &mut self.places[worker];
            place.taken += 1;
            if next == Some(&Command::Start) {
                place.started_back = place.set_back;
                if place.set_back > 0 {
                    self.met.meet(Occasion::SetBack);
                }
            }
        }
        let wall = setting.clock_of(worker, self.now, self.places[worker].set_back);
        let mut making = Making::new(self.now, wall, next.filter(|_| made == Move::Begin), telling);
        self.protocol.make(&setting, worker, made, &mut making);
        let facts = core::mem::take(&mut making.facts);
        let told = making.told();
        let own = if begun { next } else { at_hand.as_ref() };
        self.watch(worker, begun, own, &facts);
        if made == Move::Begin {
            format_if(telling, || format!("{}: {told}", next.map_or(String::new(), Command::to_string)))
        } else {
            told
        }
    }

    fn watch(&mut self, worker: usize, begun: bool, own: Option<&Command>, facts: &[Fact]) {
        let setting = Rc::clone(&self.setting);
        let mut wrong = Vec::new();
        for fact in facts {
            self.met.hear(fact, self.audit.lease());
            wrong.extend(self.audit.hear(&setting, fact));
        }
        let after = self.protocol.view();
        let place = &self.places[worker];
        let taken_of = |worker: usize| {
            let taken = self.places[worker].taken.checked_sub(1)?;
            setting.programs[worker].get(taken)
        };
        let at_work: Vec<&Command> = (0..self.places.len())
            .filter(|worker| !self.places[*worker].dead)
            .filter_map(|worker| self.protocol.at_work(worker, taken_of(worker)))
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
        // A log with another history is no step from the one before.
        let anew = facts.iter().find_map(|fact| match fact {
            Fact::FoundedAnew { configured, .. } => Some(configured),
            Fact::Appended { version: 1, .. } => Some(&setting.tokens),
            _ => None,
        });
        match anew {
            Some(configured) => self.witness.look_anew(&setting, &after, Some(configured)),
            None => wrong.extend(self.witness.watch(&setting, &taken)),
        }
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

    /// The command of its program that a worker took up last. Past the end of the program there are those of the settling.
    fn taken(&self, worker: usize) -> Option<&Command> {
        let taken = self.places[worker].taken.checked_sub(1)?;
        self.setting.programs[worker].get(taken)
    }

    pub(crate) fn set_away(&mut self, away: bool) {
        self.away = away;
        self.protocol.set_away(away);
    }

    /// What the checker of logs finds missing in the end of the reports of these workers.
    pub(crate) fn missing(&self, alive: &[usize]) -> Option<String> {
        let numbers: Vec<u64> = alive.iter().filter_map(|worker| self.protocol.number(*worker)).collect();
        self.audit.missing(&numbers)
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
