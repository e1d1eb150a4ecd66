//! What is held of a log against all of it.

use std::collections::VecDeque;
use std::sync::Arc;

use firedrill_failover::{
    Append, Attempt, Command, Config, Duration, FailoverSettings, Fingerprint, Head, Instant, Newer, Random,
    Settings, Start, Status, Token, Version, Worker, WorkerId,
};

use super::*;

fn worker(number: u64) -> (Worker, Command) {
    let failover = FailoverSettings {
        enabled: true,
        failure_threshold: 1_000_000,
        cooldown_duration: 1,
        ..FailoverSettings::default()
    };
    let token = Token { label: "a".into(), fingerprint: Fingerprint::new(1) };
    let config =
        Config::parse(vec![token], &Settings { failover, ..Settings::default() }).expect("good rules");
    (Worker::new(WorkerId::new(number), Instant::ZERO, &config), Command::Join(config))
}

fn failure(worker: &Worker) -> Command {
    let token = worker.pool().find("a").expect("a token");
    Command::Outcome { token, status: Status::new(429).expect("a status"), attempt: Attempt::First }
}

/// All of a log: every append, and the fold after it.
#[derive(Default)]
struct Whole {
    /// What it was founded anew with.
    start: Option<Fold>,
    log: Vec<(Entry, Fold)>,
}

impl Whole {
    fn fold(&self) -> Option<&Fold> {
        self.log.last().map(|(_, fold)| fold).or(self.start.as_ref())
    }

    /// What one is told who has heard up to `after`, if the newest [`KEPT`] appends are held.
    fn told(&self, after: Head) -> Result<Newer, ()> {
        let head = self.fold().map_or(Head::EMPTY, Fold::head);
        if after.version > head.version {
            return Err(());
        }
        let start = self.start.as_ref().map_or(Head::EMPTY, Fold::head);
        let heads = [start].into_iter().chain(self.log.iter().map(|(entry, _)| entry.head()));
        let trimmed = self.log.len().saturating_sub(KEPT);
        let place = heads.enumerate().skip(trimmed).find(|(_, head)| *head == after);
        let entries = |from: usize| self.log[from..].iter().map(|(entry, _)| entry.clone()).collect();
        Ok(match (place, self.fold()) {
            (Some((from, _)), _) => Newer::here(entries(from)),
            (None, Some(fold)) if trimmed > 0 || self.start.is_some() => {
                Newer { start: Start::Snapshot(Arc::new(fold.clone())), entries: Vec::new() }
            }
            (None, _) => Newer { start: Start::Beginning, entries: entries(0) },
        })
    }
}

fn agree(held: &Held, whole: &Whole, after: Head) {
    let told = held.newer(after).map_err(|error| assert!(matches!(error, StoreError::Behind { .. })));
    let expect = whole.told(after);
    assert!(told == expect, "after {after}: {:?} entries", told.map(|newer| newer.entries.len()));
}

/// Heads round the border of what is held, with their names and with others.
fn heads(whole: &Whole, random: &mut Random) -> Vec<Head> {
    let known = |place: usize| whole.log.get(place).map(|(entry, _)| entry.head());
    let trimmed = whole.log.len().saturating_sub(KEPT);
    let last = whole.log.len().saturating_sub(1);
    let any = random.below(u32::try_from(whole.log.len().max(1)).expect("a short log")) as usize;
    let near = [0, 1, trimmed.saturating_sub(2), trimmed.saturating_sub(1), trimmed, trimmed + 1, any, last];
    let named: Vec<Head> = near.into_iter().filter_map(known).collect();
    let others = named.iter().flat_map(|head| {
        [
            Head { proposal: head.proposal + 7_000_000, ..*head },
            Head { by: WorkerId::new(77), ..*head },
            Head { version: head.version.next(), ..*head },
            Head { version: Version::new(head.version.appends() - 1), ..*head },
        ]
    });
    let start = whole.start.as_ref().map(Fold::head);
    [Head::EMPTY].into_iter().chain(start).chain(named.iter().copied()).chain(others).collect()
}

#[test]
fn what_is_held_tells_what_the_whole_log_would() {
    let (mut worker, join) = worker(1);
    let (mut held, mut whole) = (Held::default(), Whole::default());
    let mut random = Random::new(1, 1);
    let mut waiting = VecDeque::from([join]);
    for round in 0..KEPT + 40 {
        let append = worker.propose_together(Duration::ZERO, &mut waiting).expect("news");
        assert!(matches!(held.judge(&append), Ok(Judged::Next)), "round {round}");
        let entry = worker.accepted();
        held.admit(entry.clone()).expect("it follows");
        assert!(matches!(held.judge(&append), Ok(Judged::Known)), "asked again, round {round}");
        whole.log.push((entry, worker.fold().clone()));
        if round < 4 || round + 4 > KEPT && round < KEPT + 4 || round == KEPT + 39 {
            for head in heads(&whole, &mut random) {
                agree(&held, &whole, head);
            }
            let stale = Append { proposal: 9_000_000, ..append };
            assert!(matches!(held.judge(&stale), Ok(Judged::Stale(_))), "another one, round {round}");
        }
        waiting.push_back(failure(&worker));
    }
    assert_eq!(held.entries.len(), KEPT);
    assert_eq!(held.before.as_ref(), Some(&whole.log[39].1), "the fold before the first that is held");
}

#[test]
fn a_log_is_founded_over_what_the_proposal_says_and_over_nothing_else() {
    let (mut one, join) = worker(1);
    let mut waiting = VecDeque::from([join]);
    let mut log = Vec::new();
    for _ in 0..4 {
        one.propose_together(Duration::ZERO, &mut waiting).expect("news");
        log.push(one.accepted());
        waiting.push_back(failure(&one));
    }
    let cut = |left: usize| {
        let mut held = Held::default();
        log[..left].iter().for_each(|entry| held.admit(entry.clone()).expect("it follows"));
        held
    };
    let over = log[1].head();
    let founding = one.clone().found_anew(Duration::ZERO, over);
    assert!(matches!(cut(2).judge_founding(&founding), Ok(Judged::Next)));
    assert!(matches!(cut(1).judge_founding(&founding), Ok(Judged::Stale(_))), "it was cut again");
    assert!(matches!(cut(4).judge_founding(&founding), Ok(Judged::Stale(_))), "it is back");
    assert!(
        matches!(cut(0).judge_founding(&founding), Err(StoreError::Behind { found: Head::EMPTY, .. })),
        "an empty log has nothing to go on with"
    );
    let held = Held::from(Some((*founding.fold).clone()));
    assert!(matches!(held.judge_founding(&founding), Ok(Judged::Known)));
    let whole = Whole { start: Some((*founding.fold).clone()), log: Vec::new() };
    for entry in &log {
        agree(&held, &whole, entry.head());
    }
    agree(&held, &whole, founding.fold.head());
    // One that had heard more comes late.
    let (mut two, _) = worker(2);
    two.catch_up(&Newer::here(log.clone()));
    for number in 0..2 {
        let command = failure(&two);
        two.propose(Duration::from_millis(number), command).expect("news");
        two.accepted();
    }
    let late = two.found_anew(Duration::ZERO, held.head());
    assert!(matches!(held.judge_founding(&late), Ok(Judged::Stale(_))), "it was founded anew already");
}
