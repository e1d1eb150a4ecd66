//! The log is wiped or cut while workers are at work: it is founded anew once, nothing is lost, nothing counts twice.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration as Time;

use firedrill_failover::Random;
use firedrill_store::Shell;

use crate::faulty::{Faulty, Way};
use crate::world::{NEVER, Party, agree, config, counted, pass, reported};

fn founded_anew(parties: &[Party]) -> u64 {
    parties.iter().map(|party| party.shell.standing().founded_anew).sum()
}

/// How often each of `shells` has gone on with another log. One that slept through the founding of one log may found the
/// next from its fold of the one before, with what others have proposed again since: so no test wipes before all have heard.
fn other_logs<'a>(shells: impl Iterator<Item = &'a Shell>) -> Vec<u64> {
    shells.map(Shell::standing).map(|standing| standing.founded_anew + standing.started_over).collect()
}

/// Whether all have heard of the log after the one of `before`.
fn have_heard<'a>(before: &[u64], shells: impl Iterator<Item = &'a Shell>) -> bool {
    other_logs(shells).iter().zip(before).all(|(now, before)| now > before)
}

fn three(store: &Arc<Faulty>) -> [Party; 3] {
    [1, 2, 3].map(|id| Party::new(&store.connection(), id, &config(&[1, 2, 3], NEVER)))
}

#[tokio::test(start_paused = true)]
async fn a_log_that_is_wiped_under_load_is_founded_anew_once_and_loses_nothing() {
    let mut conflicts = 0;
    for seed in 0..60 {
        let mut random = Random::new(seed, 0);
        let store = Faulty::new();
        let mut parties = three(&store);
        agree(&parties).await;
        for party in &parties {
            party.store.goes(Way::Slow(Time::from_millis(u64::from(random.below(6)))));
        }
        let mut gone = 0;
        let mut since = 0;
        let mut before = None;
        let mut heard = true;
        while gone < 3 || !heard {
            for party in &mut parties {
                party.fails(u64::from(random.below(5)));
            }
            pass(u64::from(random.below(4))).await;
            since += 1;
            assert!(since < 10_000, "seed {seed}: it is not founded anew");
            let shells = || parties.iter().map(|party| &party.shell);
            heard = before.as_deref().is_none_or(|before| have_heard(before, shells()));
            if heard && gone < 3 && since > 30 {
                if gone == 0 && seed % 2 == 0 {
                    store.cut(1 + random.below(3) as usize).await;
                } else {
                    store.wipe();
                }
                (gone, since, heard) = (gone + 1, 0, false);
                before = Some(other_logs(shells()));
            }
            let party = &parties[random.below(3) as usize];
            match random.below(8) {
                1 => party.store.goes(Way::Slow(Time::from_millis(9))),
                2 => party.store.goes(Way::Slow(Time::from_millis(3))),
                3 => party.store.goes(Way::Works),
                _ => {}
            }
        }
        for party in &parties {
            party.store.goes(Way::Works);
        }
        let pool = agree(&parties).await;
        assert_eq!(counted(&pool), reported(&parties), "seed {seed}");
        assert_eq!(founded_anew(&parties), gone, "seed {seed}");
        let heard: u64 = parties.iter().map(|party| party.hearing.so_far().foundings).sum();
        assert_eq!(heard, gone, "seed {seed}");
        conflicts += parties.iter().map(|party| party.shell.standing().conflicts).sum::<u64>();
    }
    assert!(conflicts > 0, "sometimes an append is refused");
}

#[tokio::test(start_paused = true)]
async fn a_log_that_is_wiped_while_nobody_reports_is_founded_anew_once() {
    let store = Faulty::new();
    let mut parties = three(&store);
    for (party, n) in parties.iter_mut().zip(1..) {
        party.fails(n);
    }
    agree(&parties).await;
    for wipes in 1..=3 {
        store.wipe();
        pass(100).await;
        assert_eq!(counted(store.fold().await.expect("founded anew").pool()), reported(&parties));
        assert_eq!(founded_anew(&parties), wipes);
    }
    agree(&parties).await;
}

/// The log is founded anew by one that had not heard as many commands of another as go into many appends.
#[tokio::test(start_paused = true)]
async fn what_the_founder_had_not_heard_is_not_lost() {
    let store = Faulty::new();
    let mut parties = [1, 2].map(|id| Party::new(&store.connection(), id, &config(&[1, 2], NEVER)));
    agree(&parties).await;
    parties[1].store.goes(Way::Away);
    pass(100).await;
    let before = parties[0].shell.standing().appends;
    parties[0].fails(40 * 1_024);
    parties[0].settled().await;
    let appends = parties[0].shell.standing().appends - before;
    assert!((40..60).contains(&appends), "{appends} appends");
    parties[0].store.goes(Way::Away);
    store.wipe();
    parties[1].store.goes(Way::Works);
    pass(3_000).await;
    assert_eq!(parties[1].shell.standing().founded_anew, 1);
    parties[0].store.goes(Way::Works);
    let pool = agree(&parties).await;
    assert_eq!(counted(&pool), reported(&parties));
}

/// A proposal to found it anew over what is left finds less than that.
#[tokio::test(start_paused = true)]
async fn a_log_that_is_wiped_after_it_was_cut_is_founded_anew() {
    let store = Faulty::new();
    let mut parties = three(&store);
    for _ in 0..10 {
        for party in &mut parties {
            party.fails(1);
        }
        pass(1).await;
    }
    agree(&parties).await;
    for party in &parties {
        party.store.goes(Way::Slow(Time::from_millis(50)));
    }
    store.cut(3).await;
    pass(10).await;
    store.wipe();
    let pool = agree(&parties).await;
    assert_eq!(counted(&pool), reported(&parties));
    assert_eq!(founded_anew(&parties), 1);
}

/// The append of one worker is in the log, its reply is lost, and the log is founded anew with it by another.
#[tokio::test(start_paused = true)]
async fn an_append_whose_reply_is_lost_with_the_log_counts_once() {
    let mut raced = 0;
    for delay in 1..40 {
        let store = Faulty::new();
        let mut parties = [1, 2].map(|id| Party::new(&store.connection(), id, &config(&[1, 2], NEVER)));
        agree(&parties).await;
        parties[0].store.goes(Way::LosesReplies);
        parties[0].fails(1);
        pass(5).await;
        parties[0].store.goes(Way::Slow(Time::from_millis(10)));
        parties[1].store.goes(Way::Slow(Time::from_millis(delay)));
        store.wipe();
        let pool = agree(&parties).await;
        assert_eq!(counted(&pool), 1, "{delay} ms");
        raced += parties[0].shell.standing().started_over;
        // That it had been accepted may come out only by the count.
        let told = parties[0].hearing.so_far().accepted.len();
        assert!((1..=2).contains(&told), "{delay} ms: joined, and failed once, and {told} were told");
    }
    assert!(raced > 0, "sometimes the other is first");
}

/// Whoever has waited until all is settled finds it in the log.
#[tokio::test(start_paused = true)]
async fn settled_is_never_told_early() {
    for seed in 0..20 {
        let store = Faulty::new();
        // When it was wiped last, in milliseconds.
        let start = tokio::time::Instant::now();
        let now = move || u64::try_from(start.elapsed().as_millis()).expect("a short test");
        let wiped = Arc::new(AtomicU64::new(u64::MAX));
        let mut random = Random::new(seed, 1);
        let parties = three(&store);
        let shells = [0, 1, 2].map(|n: usize| parties[n].shell.clone());
        let runs = parties.map(|mut party| {
            let (store, wiped) = (Arc::clone(&store), Arc::clone(&wiped));
            let id = u64::from(random.below(1_000_000));
            tokio::spawn(async move {
                let mut random = Random::new(id, 2);
                let n = party.id;
                let mut looked = 0;
                for _ in 0..80 {
                    let ways = [Way::Works, Way::LosesReplies, Way::Away, Way::Slow(Time::from_millis(2))];
                    party.store.goes(ways[random.below(4) as usize].clone());
                    pass(u64::from(random.below(3))).await;
                    // At once, so that they go together.
                    for _ in 0..=random.below(3) {
                        let drawn = party.draws(n);
                        party.report(drawn, 503);
                    }
                    let connection = Arc::clone(&party.store);
                    let back = tokio::spawn(async move {
                        pass(20).await;
                        connection.goes(Way::Works);
                    });
                    party.settled().await;
                    let fold = store.fold().await;
                    if wiped.load(Ordering::SeqCst) != now() {
                        let fold = fold.expect("a log");
                        let id = fold.pool().find_fingerprint(firedrill_failover::Fingerprint::new(n));
                        let id = id.expect("a token");
                        let counted = fold.pool().token(id).map(|token| u64::from(token.failures));
                        assert_eq!(counted, Some(party.reported), "worker {n}, seed {seed}: told too early");
                        looked += 1;
                    }
                    back.await.expect("no panic");
                }
                (party, looked)
            })
        });
        let mut before = Vec::new();
        for _ in 0..10 {
            pass(40).await;
            for _ in 0..10_000 {
                if have_heard(&before, shells.iter()) {
                    break;
                }
                pass(1).await;
            }
            before = other_logs(shells.iter());
            wiped.store(now(), Ordering::SeqCst);
            store.wipe();
        }
        let mut parties = Vec::new();
        for run in runs {
            let (party, looked) = run.await.expect("no panic");
            assert!(looked > 20, "{looked}");
            parties.push(party);
        }
        let pool = agree(&parties).await;
        assert_eq!(counted(&pool), reported(&parties), "seed {seed}");
    }
}
