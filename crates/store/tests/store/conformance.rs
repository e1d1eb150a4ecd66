//! The suite: every promise of `Store` as a check. A check sees a store by the trait alone and starts with an empty one.

use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::thread;

use firedrill_failover::{Append, Appended, Entry, Head, Instant, Newer, Start, Version, WorkerId};
use firedrill_store::{Store, StoreError};

use crate::alarm::Alarm;
use crate::block_on::block_on;
use crate::workers::{failure, failures, fold, joined, outcome, perform, proposal};

/// How a promise was broken.
pub(crate) type Broken = Box<dyn std::error::Error + Send + Sync>;

type Check<S> = fn(&S) -> Result<(), Broken>;

/// Every check, by the promise it is about.
pub(crate) fn checks<S: Store>() -> Vec<(&'static str, Check<S>)> {
    vec![
        ("an append on the newest version is accepted and read back", accepted_and_read),
        ("an append on an older version is refused with all that is newer", stale_is_refused),
        ("an append that is sent again is accepted and not written twice", again_is_not_twice),
        ("another's append is never taken for one's own", same_name_is_not_enough),
        ("a log that is behind says so", behind_is_told),
        ("a worker of another log is told this one from its start", another_log_is_told_whole),
        ("a log that is behind is founded anew, once", founded_anew_once),
        ("an append that does not follow is not in the log", contradictions_stay_out),
        ("a tail waits, and is woken by an append", tail_is_woken),
        ("a tail that was dropped leaves nothing behind", dropped_tail),
        ("an append whose future was dropped can be sent again", dropped_append),
        ("of many appends on one version one is accepted", one_of_many),
    ]
}

/// Every check must pass, each on a store of its own.
#[track_caller]
pub(crate) fn conforms<S: Store>(mut empty: impl FnMut() -> S) {
    for (promise, check) in checks::<S>() {
        if let Err(broken) = check(&empty()) {
            panic!("{promise}: {broken}");
        }
    }
}

macro_rules! ensure {
    ($holds:expr, $($message:tt)+) => {
        if !$holds {
            return Err(format!($($message)+).into());
        }
    };
}

fn append<S: Store>(store: &S, append: &Append) -> Result<Appended, Broken> {
    Ok(block_on(store.append(append))?)
}

/// The entries after version `after` of a log that nothing was trimmed off.
fn read<S: Store>(store: &S, after: u64) -> Result<Vec<Entry>, Broken> {
    let mut all = block_on(store.read(Head::EMPTY))?.entries;
    let head = match after.checked_sub(1) {
        None => Head::EMPTY,
        Some(last) => all.get(usize::try_from(last)?).ok_or("the log is shorter than that")?.head(),
    };
    let newer = block_on(store.read(head))?;
    let rest = all.split_off(usize::try_from(after)?);
    ensure!(newer == Newer::here(rest), "what is after version {after} is not the rest of the whole");
    Ok(newer.entries)
}

fn accepted_and_read<S: Store>(store: &S) -> Result<(), Broken> {
    ensure!(read(store, 0)?.is_empty(), "a new log is not empty");
    let mut worker = joined(store, 1)?;
    for count in 1..=5 {
        let sent = proposal(&worker);
        ensure!(append(store, &sent)? == Appended::Accepted, "append {count} was refused");
        ensure!(
            read(store, count)? == [sent.clone().into_entry()],
            "append {count} is not what is read after it"
        );
        worker.catch_up(&Newer::here(vec![sent.into_entry()]));
    }
    let all = read(store, 0)?;
    ensure!(fold(&all)? == *worker.pool(), "the log does not fold to what was appended");
    ensure!(read(store, 3)? == all[3..], "a read from the middle differs from the whole");
    ensure!(read(store, 6)?.is_empty(), "something is newer than the newest");
    Ok(())
}

fn stale_is_refused<S: Store>(store: &S) -> Result<(), Broken> {
    let mut first = joined(store, 1)?;
    let second = joined(store, 2)?;
    let stale = proposal(&second);
    for _ in 0..3 {
        let command = failure(first.pool());
        perform(store, &mut first, command)?;
    }
    let all = read(store, 0)?;
    ensure!(
        append(store, &stale)? == Appended::Refused(Newer::here(all[1..].to_vec())),
        "it was not refused with all"
    );
    ensure!(read(store, 0)? == all, "a refused append changed the log");
    Ok(())
}

fn again_is_not_twice<S: Store>(store: &S) -> Result<(), Broken> {
    let mut worker = joined(store, 1)?;
    let sent = proposal(&worker);
    for time in 1..=3 {
        ensure!(append(store, &sent)? == Appended::Accepted, "it was not accepted, time {time}");
        ensure!(read(store, 0)?.len() == 2, "it was written again, time {time}");
    }
    worker.catch_up(&Newer::here(read(store, 1)?));
    let mut other = joined(store, 2)?;
    for _ in 0..4 {
        let command = failure(other.pool());
        perform(store, &mut other, command)?;
    }
    ensure!(append(store, &sent)? == Appended::Accepted, "it was not accepted after the log moved on");
    ensure!(read(store, 0)?.len() == 6, "it was written again after the log moved on");
    Ok(())
}

fn same_name_is_not_enough<S: Store>(store: &S) -> Result<(), Broken> {
    let worker = joined(store, 1)?;
    let sent = proposal(&worker);
    append(store, &sent)?;
    for other in [
        Append { by: WorkerId::new(9), ..sent.clone() },
        Append { proposal: sent.proposal + 1, ..sent.clone() },
        Append { at: Instant::from_millis(7), ..sent.clone() },
    ] {
        let answer = append(store, &other)?;
        ensure!(
            answer == Appended::Refused(Newer::here(vec![sent.clone().into_entry()])),
            "{answer:?} to another append"
        );
    }
    Ok(())
}

fn behind_is_told<S: Store>(store: &S) -> Result<(), Broken> {
    let worker = joined(store, 1)?;
    let ahead = Head { version: Version::new(7), ..worker.head() };
    let answers = [
        block_on(store.append(&Append { expected: ahead, ..proposal(&worker) })).map(drop),
        block_on(store.read(ahead)).map(drop),
        block_on(store.tail(ahead)).map(drop),
    ];
    for (index, answer) in answers.into_iter().enumerate() {
        let Err(StoreError::Behind { expected, found }) = answer else {
            return Err(format!("question {index} was answered {answer:?}").into());
        };
        ensure!((expected, found) == (ahead, worker.head()), "question {index}: {expected}, {found}");
    }
    ensure!(read(store, 0)?.len() == 1, "the log changed");
    Ok(())
}

fn another_log_is_told_whole<S: Store>(store: &S) -> Result<(), Broken> {
    let other = firedrill_store::MemoryStore::new();
    let mut stranger = joined(&other, 7)?;
    let mut worker = joined(store, 1)?;
    for _ in 0..3 {
        let command = failure(worker.pool());
        perform(store, &mut worker, command)?;
        let command = failure(stranger.pool());
        perform(&other, &mut stranger, command)?;
    }
    // Of one version, and with another history.
    let newer = block_on(store.read(stranger.head()))?;
    ensure!(newer.start != Start::Here, "what another log says is taken for this one's");
    let command = failure(stranger.pool());
    let sent = stranger.propose(firedrill_failover::Duration::ZERO, command).ok_or("nothing to append")?;
    let Appended::Refused(told) = append(store, &sent)? else {
        return Err("an append that was decided on another log was accepted".into());
    };
    ensure!(told == newer, "an append is told something else than a reader");
    stranger.refused(&told);
    ensure!(stranger.fold() == worker.fold(), "what is told does not lead to this log's fold");
    // It had joined and told of three failures in the log that it has left, and one was on its way.
    ensure!(stranger.take_lost().len() == 5, "what was lost is not told");
    let tailed = block_on(store.tail(Head { proposal: 99, ..worker.head() }))?;
    ensure!(tailed.start != Start::Here && !tailed.is_empty(), "a tail of another log waits");
    Ok(())
}

fn founded_anew_once<S: Store>(store: &S) -> Result<(), Broken> {
    let gone = firedrill_store::MemoryStore::new();
    let mut workers = [joined(&gone, 1)?, joined(&gone, 2)?];
    for _ in 0..3 {
        for worker in &mut workers {
            let command = failure(worker.pool());
            perform(&gone, worker, command)?;
        }
    }
    let behind = block_on(store.read(workers[0].head()));
    let Err(StoreError::Behind { found: over, .. }) = behind else { return Err("it is not behind".into()) };
    let [one, two] = &mut workers;
    let (first, second) = (one.found_anew(UPTIME, over), two.found_anew(UPTIME, over));
    ensure!(block_on(store.found(&first))? == Appended::Accepted, "it was not founded anew");
    let Appended::Refused(newer) = block_on(store.found(&second))? else {
        return Err("it was founded anew twice".into());
    };
    ensure!(block_on(store.found(&first))? == Appended::Accepted, "asked again it was not accepted");
    one.founded();
    two.refused(&newer);
    ensure!(one.fold() == two.fold(), "the worker that came second has another fold");
    let known = block_on(store.snapshot())?.ok_or("no fold")?;
    ensure!(*known == *one.fold(), "the store's fold is another");
    // The first worker had not heard the last failure of the second, which decides it again.
    let lost = two.take_lost();
    ensure!(lost.len() == 1, "{} commands were lost, not one", lost.len());
    for command in lost {
        perform(store, two, command)?;
    }
    one.catch_up(&block_on(store.read(one.head()))?);
    ensure!(failures(one.pool()) == 6 && one.fold() == two.fold(), "a failure was lost or counted twice");
    let mut newcomer = joined(store, 3)?;
    ensure!(newcomer.fold() == one.fold(), "a newcomer has another fold");
    let again = newcomer.found_anew(UPTIME, Head::EMPTY);
    ensure!(
        block_on(store.found(&again))? != Appended::Accepted,
        "a log that is not behind was founded anew"
    );
    Ok(())
}

pub(crate) const UPTIME: firedrill_failover::Duration = firedrill_failover::Duration::ZERO;

/// A reader that is further behind than what is held is given a snapshot, in which it finds what it had sent. Apart from
/// the other checks, for it takes thousands of appends.
#[track_caller]
pub(crate) fn far_behind<S: Store>(store: &S) {
    let mut slow = joined(store, 1).expect("joins");
    let sent = slow.propose(UPTIME, failure(slow.pool())).expect("something to append");
    assert_eq!(block_on(store.append(&sent)).expect("appends"), Appended::Accepted);
    let mut fast = joined(store, 2).expect("joins");
    for _ in 0..firedrill_store::KEPT + 50 {
        let command = failure(fast.pool());
        perform(store, &mut fast, command).expect("appends");
    }
    let newer = block_on(store.read(slow.head())).expect("reads");
    assert!(matches!(newer.start, Start::Snapshot(_)), "what is trimmed off cannot be told");
    // Its reply was lost, and it asks again.
    match block_on(store.append(&sent)).expect("answers") {
        Appended::Accepted => drop(slow.accepted()),
        Appended::Refused(newer) => {
            let refused = slow.refused(&newer);
            assert_eq!(refused, firedrill_failover::Refused::WasAccepted(sent.into_entry()));
        }
    }
    slow.catch_up(&block_on(store.read(slow.head())).expect("reads"));
    assert!(slow.take_lost().is_empty(), "nothing was lost");
    assert_eq!(slow.fold(), fast.fold());
    let near = block_on(store.read(Head::EMPTY)).expect("reads");
    let mut newcomer = joined(store, 3).expect("joins");
    assert_eq!(newcomer.fold(), fast.fold());
    assert!(near.entries.len() <= firedrill_store::KEPT, "memory is bounded");
    perform(store, &mut newcomer, failure(fast.pool())).expect("goes on");
}

fn contradictions_stay_out<S: Store>(store: &S) -> Result<(), Broken> {
    let unfounded = Append { expected: Head::EMPTY, ..elsewhere(2)? };
    refused_as_wrong(store, &unfounded)?;
    let mut worker = joined(store, 1)?;
    let command = failure(worker.pool());
    perform(store, &mut worker, command)?;
    let good = proposal(&worker);
    let wrong = [
        // Its count does not follow.
        Append { expected: good.expected, ..elsewhere(5)? },
        // A token that nobody has configured.
        Append { events: [foreign()?].into(), ..good.clone() },
        Append { events: [].into(), ..good.clone() },
    ];
    for append in &wrong {
        refused_as_wrong(store, append)?;
    }
    ensure!(append(store, &good)? == Appended::Accepted, "a good append was refused after wrong ones");
    ensure!(failures(&fold(&read(store, 0)?)?) == 2, "the log counts something else");
    Ok(())
}

fn refused_as_wrong<S: Store>(store: &S, wrong: &Append) -> Result<(), Broken> {
    let before = read(store, 0)?;
    let answer = block_on(store.append(wrong));
    ensure!(matches!(answer, Err(StoreError::Contradiction { .. })), "{answer:?} to {wrong:?}");
    ensure!(read(store, 0)? == before, "it is in the log: {wrong:?}");
    Ok(())
}

/// The `nth` failure of a token, decided on a log that is not this one.
fn elsewhere(nth: u32) -> Result<Append, Broken> {
    let store = firedrill_store::MemoryStore::new();
    let mut worker = joined(&store, 8)?;
    for _ in 1..nth {
        let command = failure(worker.pool());
        perform(&store, &mut worker, command)?;
    }
    Ok(proposal(&worker))
}

/// An event of a token that the pool of these tests has never had.
fn foreign() -> Result<firedrill_failover::Event, Broken> {
    use firedrill_failover::{Command, Duration};
    let store = firedrill_store::MemoryStore::new();
    let mut worker = joined(&store, 8)?;
    perform(&store, &mut worker, Command::Reconfigure(crate::workers::config(50)))?;
    let last = worker.pool().tokens().last().map(|(id, _)| id).ok_or("no tokens")?;
    let append = worker.propose(Duration::ZERO, outcome(last)).ok_or("nothing to append")?;
    Ok(append.events[0].clone())
}

fn tail_is_woken<S: Store>(store: &S) -> Result<(), Broken> {
    let alarm = Arc::new(Alarm::default());
    let mut empty = pin!(store.tail(Head::EMPTY));
    ensure!(alarm.poll(empty.as_mut()).is_pending(), "an empty log has something newer");
    let mut worker = joined(store, 1)?;
    ensure!(alarm.rang(), "the founding woke nobody");
    let Poll::Ready(Ok(founding)) = alarm.poll(empty.as_mut()) else {
        return Err("the founding is not told".into());
    };
    ensure!(founding == Newer::here(read(store, 0)?), "something else than the founding is told");

    let first = worker.head();
    let mut tails: Vec<_> = (0..4).map(|_| Box::pin(store.tail(first))).collect();
    let alarms: Vec<_> = tails.iter().map(|_| Arc::new(Alarm::default())).collect();
    for (tail, alarm) in tails.iter_mut().zip(&alarms) {
        ensure!(alarm.poll(tail.as_mut()).is_pending(), "something is newer than the newest");
    }
    for _ in 0..3 {
        let command = failure(worker.pool());
        perform(store, &mut worker, command)?;
    }
    for (tail, alarm) in tails.iter_mut().zip(&alarms) {
        ensure!(alarm.rang(), "an append did not wake every tail");
        let Poll::Ready(Ok(newer)) = alarm.poll(tail.as_mut()) else {
            return Err("a woken tail has nothing to tell".into());
        };
        ensure!(newer == Newer::here(read(store, 1)?), "a tail tells something else than a read");
    }
    Ok(())
}

fn dropped_tail<S: Store>(store: &S) -> Result<(), Broken> {
    let alarm = Arc::new(Alarm::default());
    for _ in 0..100 {
        let mut tail = Box::pin(store.tail(Head::EMPTY));
        ensure!(alarm.poll(tail.as_mut()).is_pending(), "an empty log has something newer");
    }
    joined(store, 1)?;
    ensure!(!alarm.rang(), "a tail that was dropped was woken");
    let newer = block_on(store.tail(Head::EMPTY))?;
    ensure!(newer.entries.len() == 1, "a later tail misses what is newer");
    Ok(())
}

fn dropped_append<S: Store>(store: &S) -> Result<(), Broken> {
    let worker = joined(store, 1)?;
    let sent = proposal(&worker);
    let alarm = Arc::new(Alarm::default());
    {
        let mut dropped = Box::pin(store.append(&sent));
        let _ = alarm.poll(dropped.as_mut());
    }
    ensure!(append(store, &sent)? == Appended::Accepted, "it was not accepted");
    ensure!(read(store, 0)?.len() == 2, "it is not in the log once");
    Ok(())
}

fn one_of_many<S: Store>(store: &S) -> Result<(), Broken> {
    joined(store, 1)?;
    for round in 1..=20 {
        let accepted = thread::scope(|scope| {
            let runs: Vec<_> = (2..=5)
                .map(|id| {
                    scope.spawn(move || {
                        let worker = joined(store, round * 10 + id)?;
                        let sent = proposal(&worker);
                        // Those who joined before an append was in are decided on one version.
                        match append(store, &sent)? {
                            Appended::Accepted => Ok((sent.expected, true)),
                            Appended::Refused(newer) => {
                                ensure!(!newer.is_empty(), "refused, and nothing is newer");
                                ensure!(
                                    newer.entries[0].version == sent.expected.version.next(),
                                    "a gap in what is newer"
                                );
                                Ok((sent.expected, false))
                            }
                        }
                    })
                })
                .collect();
            let answers = runs.into_iter().map(|run| run.join().map_err(|_| "a panic")?);
            answers.collect::<Result<Vec<(Head, bool)>, Broken>>()
        })?;
        let mut won: Vec<Head> = accepted.into_iter().filter(|(_, won)| *won).map(|(on, _)| on).collect();
        let all = won.len();
        won.sort_unstable();
        won.dedup();
        ensure!(!won.is_empty() && won.len() == all, "two were accepted on one version");
        fold(&read(store, 0)?)?;
    }
    Ok(())
}

/// `threads` workers append `each` failures each, all at once. Gives how often an append was refused.
#[track_caller]
pub(crate) fn contention<S: Store>(store: &S, threads: u64, each: u64) -> u32 {
    let refusals = thread::scope(|scope| {
        let run = |id| {
            let mut worker = joined(store, id).expect("joins");
            let refusals = (0..each).map(|_| {
                let command = failure(worker.pool());
                perform(store, &mut worker, command).expect("appends")
            });
            refusals.sum::<u32>()
        };
        let runs: Vec<_> = (1..=threads).map(|id| scope.spawn(move || run(id))).collect();
        runs.into_iter().map(|run| run.join().expect("no panic")).sum()
    });
    let log = block_on(store.read(Head::EMPTY)).expect("reads").entries;
    let versions: Vec<u64> = log.iter().map(|entry| entry.version.appends()).collect();
    assert_eq!(versions, (1..=threads * each + 1).collect::<Vec<_>>(), "versions without a gap");
    let pool = fold(&log).expect("every entry follows");
    assert_eq!(u64::from(failures(&pool)), threads * each, "every failure is counted once");
    let mut names: Vec<_> = log.iter().map(|entry| (entry.by, entry.proposal)).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), log.len(), "nothing is written twice");
    refusals
}
