//! A worker that begins without a log, or with another one than it expects.

use firedrill_failover::Command;

use crate::faulty::{Faulty, Way};
use crate::world::{NEVER, Party, agree, config, counted, pass};

#[tokio::test(start_paused = true)]
async fn what_is_reported_before_joining_counts() {
    let store = Faulty::new();
    let mut parties = [1, 2].map(|id| Party::new(&store.connection(), id, &config(&[id, 3 - id], NEVER)));
    for party in &mut parties {
        for n in [1, 1, 2] {
            let drawn = party.draws(n);
            party.report(drawn, 503);
        }
    }
    agree(&parties).await;
    for party in &parties {
        assert_eq!([party.failures(1), party.failures(2)], [4, 2]);
    }
}

/// It draws and reports while its configuration is on its way to a log that names the tokens otherwise.
#[tokio::test(start_paused = true)]
async fn what_is_reported_while_joining_counts_for_its_token() {
    let store = Faulty::new();
    let first = Party::new(&store.connection(), 1, &config(&[3, 2, 1], NEVER));
    first.settled().await;
    let slow = store.connection();
    slow.goes(Way::Slow(std::time::Duration::from_millis(10)));
    let mut second = Party::new(&slow, 2, &config(&[1, 2, 4], NEVER));
    let mut wanted = [0; 5];
    for round in 0..60 {
        for n in [1, 2, 4] {
            if let Some(drawn) =
                (0..100).map(|_| second.drawn()).find(|drawn| drawn.fingerprint() == fingerprint(n))
            {
                second.report(drawn, 503);
                wanted[usize::try_from(n).expect("small")] += 1;
            }
        }
        pass(1 + round % 2).await;
    }
    second.settled().await;
    assert_eq!([1, 2, 4].map(|n| second.failures(n)), [wanted[1], wanted[2], wanted[4]]);
    assert!(wanted[4] > 20, "sometimes the token that the log has not is drawn");
}

fn fingerprint(n: u64) -> firedrill_failover::Fingerprint {
    firedrill_failover::Fingerprint::new(n)
}

#[tokio::test(start_paused = true)]
async fn a_store_that_is_away_from_the_start_is_joined_when_it_comes() {
    for way in [Way::Away, Way::Silent] {
        let store = Faulty::new();
        let away = store.connection();
        away.goes(way);
        let mut alone = Party::new(&away, 1, &config(&[1, 2, 3, 5], 3));
        let early = alone.draws(2);
        let earlier = alone.draws(1);
        pass(3_000).await;
        assert!(alone.is_away());
        for _ in 0..2 {
            let drawn = alone.draws(1);
            alone.report(drawn, 503);
        }
        alone.report(earlier, 503);
        let drawn = alone.draws(5);
        alone.report(drawn, 503);
        pass(1).await;
        alone.never_draws(1);
        // Meanwhile another process founds the log, with the tokens in another order and one of them missing.
        let other = Party::new(&store.connection(), 2, &config(&[3, 2, 1], 3));
        other.settled().await;
        let late = alone.draws(3);
        away.goes(Way::Works);
        pass(100_000).await;
        // These were drawn before it joined, by ids of another time.
        alone.report(early, 503);
        alone.report(late, 503);
        alone.report(late, 503);
        let parties = [alone, other];
        let pool = agree(&parties).await;
        assert_eq!([2, 3, 5].map(|n| parties[0].failures(n)), [1, 2, 1]);
        assert_eq!((pool.len(), pool.available_len()), (4, 3), "token 1 is out");
        assert_eq!(parties[1].hearing.so_far().removals, 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_configuration_decided_alone_meets_another() {
    for way in [Way::Away, Way::Silent] {
        for while_in_flight in [false, true] {
            let store = Faulty::new();
            let mut parties = [1, 2].map(|id| Party::new(&store.connection(), id, &config(&[1, 2], NEVER)));
            agree(&parties).await;
            parties[0].store.goes(way.clone());
            if !while_in_flight {
                parties[0].fails(1);
                pass(3_000).await;
            }
            parties[0].shell.perform(Command::Reconfigure(config(&[1, 2, 3], NEVER)));
            pass(3_000).await;
            for n in [3, 3, 1] {
                let drawn = parties[0].draws(n);
                parties[0].report(drawn, 503);
            }
            // The log gives token 4 the id that token 3 has here.
            parties[1].shell.perform(Command::Reconfigure(config(&[1, 2, 4, 6], NEVER)));
            parties[1].settled().await;
            for _ in 0..5 {
                let drawn = parties[1].draws(4);
                parties[1].report(drawn, 503);
            }
            let late = parties[0].draws(3);
            parties[0].store.goes(Way::Works);
            pass(1_500).await;
            parties[0].report(late, 503);
            parties[0].settled().await;
            let pool = agree(&parties).await;
            assert_eq!(pool.len(), 3, "the later of two configurations is in force");
            assert_eq!(parties[0].failures(3), 3);
            let others = u64::from(!while_in_flight);
            assert_eq!(counted(&pool), 3 + 1 + others, "token 4 is gone with its failures");
        }
    }
}

/// The token that waits for its configuration is not taken for one that is in the log.
#[tokio::test(start_paused = true)]
async fn a_token_that_never_comes_to_be_counts_for_no_other() {
    let store = Faulty::new();
    let mut parties = [1, 2].map(|id| Party::new(&store.connection(), id, &config(&[1, 2], NEVER)));
    agree(&parties).await;
    parties[0].store.goes(Way::Away);
    pass(1_000).await;
    parties[0].shell.perform(Command::Reconfigure(config(&[1, 2, 3], NEVER)));
    pass(1).await;
    let late = parties[0].draws(3);
    parties[0].shell.perform(Command::Reconfigure(config(&[1, 2], NEVER)));
    parties[1].shell.perform(Command::Reconfigure(config(&[1, 2, 4], NEVER)));
    pass(1).await;
    parties[0].report(late, 503);
    parties[0].store.goes(Way::Works);
    pass(2_000).await;
    parties[0].report(late, 503);
    let pool = agree(&parties).await;
    assert_eq!(counted(&pool), 0);
}

#[tokio::test(start_paused = true)]
async fn a_token_that_was_dropped_and_is_back_is_not_counted_for_before() {
    let store = Faulty::new();
    let mut party = Party::new(&store, 1, &config(&[1, 2], NEVER));
    party.settled().await;
    let drawn = party.draws(2);
    for tokens in [&[1][..], &[1, 2]] {
        party.shell.perform(Command::Reconfigure(config(tokens, NEVER)));
        party.settled().await;
    }
    party.report(drawn, 503);
    assert_eq!(counted(&agree(&[party]).await), 0);
}
