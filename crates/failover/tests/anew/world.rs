//! A few workers on a log that is wiped or cut, and every way on. What a worker does between two questions to the log is
//! nobody else's business, so that the order of the questions is all that there is to try.

use std::collections::{BTreeSet, VecDeque};
use std::rc::Rc;

use firedrill_failover::{
    Append, Attempt, Command, Config, Duration, FailoverSettings, Fingerprint, Founding, Head, Instant, Log,
    MemoryLog, Random, Refused, Settings, Start, Status, Token, Worker, WorkerId,
};

use crate::store::{Answer, Broken, Kept};

/// What is tried.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Plan {
    /// How many failures each worker reports.
    pub(crate) workers: &'static [u16],
    /// Whether a worker proposes all that waits in one append.
    pub(crate) together: bool,
    pub(crate) wipes: u32,
    pub(crate) cuts: u32,
    pub(crate) lost_replies: u32,
    /// Whether the log tells snapshots in place of appends.
    pub(crate) trims: bool,
    pub(crate) broken: Broken,
}

/// What was found.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) interleavings: u64,
    pub(crate) founded: u64,
    pub(crate) adopted: u64,
    /// Commands that were lost, and appends that were in the log after all.
    pub(crate) lost: u64,
    pub(crate) was_accepted: u64,
    pub(crate) violations: BTreeSet<String>,
}

#[derive(Clone, Debug)]
enum Question {
    Append(Append),
    /// With the head that the worker had heard.
    Founding(Founding, Head),
}

#[derive(Clone, Debug)]
struct Actor {
    worker: Worker,
    waiting: VecDeque<Command>,
    question: Option<Question>,
}

#[derive(Clone, Debug)]
struct World {
    kept: Kept,
    actors: Vec<Rc<Actor>>,
    together: bool,
    wipes: u32,
    cuts: u32,
    lost_replies: u32,
    founded_at_most: u32,
    stuck: bool,
    /// The failures that were reported, as statuses that are each their own.
    reported: Rc<Vec<u16>>,
}

/// Every interleaving.
pub(crate) fn explore(plan: &Plan) -> Found {
    let mut found = Found::default();
    World::new(plan).go_on(&mut found);
    found
}

/// As many interleavings as this, drawn one way after the other.
pub(crate) fn sample(plan: &Plan, interleavings: u32) -> Found {
    let mut found = Found::default();
    for seed in 0..interleavings {
        let mut random = Random::new(u64::from(seed), 0);
        let mut ways = vec![World::new(plan)];
        while let Some(last) = u32::try_from(ways.len()).expect("a few ways").checked_sub(1) {
            let way = random.below(last + 1) as usize;
            ways = ways.swap_remove(way).ways(&mut found);
        }
    }
    found
}

impl World {
    fn new(plan: &Plan) -> Self {
        let failover = FailoverSettings {
            enabled: true,
            failure_threshold: 1_000,
            cooldown_duration: 100,
            ..FailoverSettings::default()
        };
        let token = Token { label: "a".into(), fingerprint: Fingerprint::new(1) };
        let config =
            Config::parse(vec![token], &Settings { failover, ..Settings::default() }).expect("good rules");
        let mut founder = Worker::new(WorkerId::new(9), Instant::ZERO, &config);
        let mut log = MemoryLog::new();
        founder.perform(&mut log, Duration::ZERO, Command::Join(config.clone())).expect("memory");
        let token = founder.pool().find("a").expect("a token");
        let mut reported = Vec::new();
        let mut actors = Vec::new();
        for (failures, number) in plan.workers.iter().zip(1..) {
            let mut worker = Worker::new(WorkerId::new(u64::from(number)), Instant::ZERO, &config);
            worker.catch_up(&log.read(worker.head()).expect("memory"));
            let statuses = (0..*failures).map(|failure| 400 + number * 10 + failure);
            reported.extend(statuses.clone());
            let failure = |code| Command::Outcome {
                token,
                status: Status::new(code).expect("a status"),
                attempt: Attempt::First,
            };
            let waiting = statuses.map(failure).collect();
            actors.push(Rc::new(Actor { worker, waiting, question: None }));
        }
        Self {
            kept: Kept::new(&log.entries()[0], founder.fold().clone(), plan.broken, plan.trims),
            actors,
            together: plan.together,
            wipes: plan.wipes,
            cuts: plan.cuts,
            lost_replies: plan.lost_replies,
            // One that founded the log and did not hear of it may do so again, which is as if the log had been cut.
            founded_at_most: plan.wipes + plan.cuts + plan.lost_replies,
            stuck: false,
            reported: Rc::new(reported),
        }
    }

    fn go_on(&self, found: &mut Found) {
        for way in self.ways(found) {
            way.go_on(found);
        }
    }

    /// Every way on from here, one step; none in the end, or if something is wrong already.
    fn ways(&self, found: &mut Found) -> Vec<Self> {
        let mut ways = Vec::new();
        // What breaks its promise is found out long before every order is tried.
        if self.stuck || found.violations.len() > 3 {
            return ways;
        }
        if self.kept.founded > self.founded_at_most {
            found.violations.insert("the log was founded anew more often than it was lost".into());
            return ways;
        }
        let asking: Vec<usize> =
            (0..self.actors.len()).filter(|actor| self.actors[*actor].has_to_ask(self.kept.head())).collect();
        // One that has nothing to send and hears how its own log went on may as well hear it later: before the log is
        // wiped or cut, or in the end.
        let (listeners, others): (Vec<usize>, Vec<usize>) =
            asking.iter().partition(|actor| self.only_listens(**actor));
        let next_to_ask = if others.is_empty() { &listeners[..listeners.len().min(1)] } else { &others };
        for &actor in next_to_ask {
            let mut next = self.clone();
            let answer = next.ask(actor);
            if next.lost_replies > 0 && next.actors[actor].question.is_some() {
                let mut lossy = next.clone();
                lossy.lost_replies -= 1;
                ways.push(lossy);
            }
            if let Some(answer) = answer {
                next.hear(actor, answer, found);
            }
            ways.push(next);
        }
        if asking.is_empty() {
            found.interleavings += 1;
            found.violations.extend(self.violation());
        }
        if self.wipes + self.cuts == 0 || self.kept.head() == Head::EMPTY {
            return ways;
        }
        for some in 0..1_usize << listeners.len() {
            let mut heard = self.clone();
            for (place, &actor) in listeners.iter().enumerate() {
                if some & (1 << place) != 0
                    && let Some(answer) = heard.ask(actor)
                {
                    heard.hear(actor, answer, found);
                }
            }
            heard.lose(&mut ways);
        }
        ways
    }

    /// Every way in which the log can be lost here.
    fn lose(&self, ways: &mut Vec<Self>) {
        if self.wipes > 0 {
            let mut next = self.clone();
            next.wipes -= 1;
            next.kept.wipe();
            ways.push(next);
        }
        if self.cuts > 0 {
            // One append at least is left: a log that is cut to nothing is wiped.
            for left in 1..self.kept.appends() {
                let mut next = self.clone();
                next.cuts -= 1;
                next.kept.cut(left);
                ways.push(next);
            }
        }
    }

    fn only_listens(&self, actor: usize) -> bool {
        let Actor { worker, waiting, question } = &*self.actors[actor];
        question.is_none()
            && waiting.is_empty()
            && matches!(self.kept.read(worker.head()), Answer::Newer(newer) if newer.start == Start::Here)
    }

    /// Asks the log what this worker asks next; `None` if it found nothing to ask.
    fn ask(&mut self, actor: usize) -> Option<Answer> {
        let Actor { worker, waiting, question } = Rc::make_mut(&mut self.actors[actor]);
        if question.is_none() && !waiting.is_empty() {
            let append = if self.together {
                worker.propose_together(Duration::ZERO, waiting)
            } else {
                waiting.pop_front().and_then(|command| worker.propose(Duration::ZERO, command))
            };
            *question = append.map(Question::Append);
            question.as_ref()?;
        }
        Some(match question {
            Some(Question::Append(append)) => self.kept.append(append),
            Some(Question::Founding(founding, heard)) => self.kept.found(founding, *heard),
            None => self.kept.read(worker.head()),
        })
    }

    fn hear(&mut self, actor: usize, answer: Answer, found: &mut Found) {
        let broken = self.kept.broken;
        if matches!(&answer, Answer::Newer(newer) if newer.is_empty()) {
            found.violations.insert("a worker of another log is told that nothing is newer".into());
            self.stuck = true;
            return;
        }
        let Actor { worker, waiting, question } = Rc::make_mut(&mut self.actors[actor]);
        match (answer, question.take()) {
            (Answer::Accepted, Some(Question::Append(_))) => drop(worker.accepted()),
            (Answer::Accepted, Some(Question::Founding(..))) => {
                found.founded += 1;
                worker.founded();
            }
            (Answer::Newer(newer), Some(_)) => {
                found.adopted += u64::from(newer.start != Start::Here);
                match worker.refused(&newer) {
                    Refused::Again(again) => *question = Some(Question::Append(again)),
                    Refused::WasAccepted(_) => found.was_accepted += 1,
                    Refused::NothingLeft => {}
                }
            }
            (Answer::Newer(newer), None) => {
                found.adopted += u64::from(newer.start != Start::Here);
                worker.catch_up(&newer);
            }
            (Answer::Behind(over), _) => {
                let heard = worker.head();
                *question = Some(Question::Founding(worker.found_anew(Duration::ZERO, over), heard));
            }
            (Answer::Accepted, None) => unreachable!("a question that was not asked was accepted"),
        }
        let mut lost = worker.take_lost();
        found.lost += lost.len() as u64;
        match broken {
            Broken::ForgetsLost => lost.clear(),
            Broken::TakesLostTwice => lost.extend(lost.clone()),
            _ => {}
        }
        for command in lost.into_iter().rev() {
            waiting.push_front(command);
        }
    }

    fn violation(&self) -> Option<String> {
        let fold = self.kept.fold()?;
        if self.actors.iter().any(|actor| actor.worker.fold() != fold) {
            return Some("a worker's fold is another than the log's".into());
        }
        let mut counted = self.kept.history().to_vec();
        counted.sort_unstable();
        if counted != *self.reported {
            return Some(format!("counted {counted:?}, reported {:?}", self.reported));
        }
        let failures = fold.pool().tokens().map(|(_, token)| token.failures).sum::<u32>();
        (failures as usize != self.reported.len()).then(|| format!("the count is {failures}"))
    }
}

impl Actor {
    /// Whether it has something to send, or the log something that it has not heard.
    fn has_to_ask(&self, head: Head) -> bool {
        self.question.is_some() || !self.waiting.is_empty() || self.worker.head() != head
    }
}
