//! The store is away: nobody waits for it, the worker decides alone, and when it is back all is counted once.

use std::time::Duration as Time;

use firedrill_failover::Command;
use firedrill_store::{KEPT, Reach};

use crate::faulty::{Faulty, Way};
use crate::world::{NEVER, Party, agree, config, counted, made, pass, reported};

fn ways() -> [Way; 3] {
    [Way::Away, Way::AwayAfter(Time::from_millis(500)), Way::Silent]
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_for_a_store_that_never_answers() {
    let store = Faulty::new();
    let mut party = Party::new(&store, 1, &config(&[1, 2], NEVER));
    party.settled().await;
    store.goes(Way::Silent);
    party.fails(1);
    pass(1).await;
    // In flight, and it stays there.
    party.fails(4);
    pass(1).await;
    assert_eq!(party.shell.standing().waiting, 5);
    assert!(!party.is_away(), "it may still answer");
    pass(2_500).await;
    let Reach::Away { why, since } = party.shell.standing().reach else { panic!("it was waited for") };
    assert_eq!(why, "the store does not answer: nothing for 2 s");
    assert!((2_000..2_100).contains(&since.as_millis()), "{since}");
    party.fails(2);
    pass(1).await;
    assert_eq!(party.shell.standing().waiting, 7);
    store.goes(Way::Works);
    assert_eq!(counted(&agree(&[party]).await), 7);
}

/// A store that takes longer than anybody waits at first gets its time in the end.
#[tokio::test(start_paused = true)]
async fn a_store_that_takes_seven_seconds_is_got_through_to() {
    let store = Faulty::new();
    store.goes(Way::Slow(Time::from_secs(7)));
    let mut party = Party::new(&store, 1, &config(&[1, 2], NEVER));
    party.fails(3);
    party.settled().await;
    assert_eq!(counted(store.fold().await.expect("a log").pool()), 3);
}

#[tokio::test(start_paused = true)]
async fn a_token_at_its_threshold_leaves_here_and_returns_here_after_its_cooldown() {
    for way in ways() {
        let store = Faulty::new();
        let config = config(&[1, 2, 3], 2);
        let mut parties = [1, 2].map(|id| Party::new(&store.connection(), id, &config));
        agree(&parties).await;
        let away = &mut parties[0];
        away.store.goes(way.clone());
        let drawn = away.draws(3);
        away.report(drawn, 503);
        pass(3_000).await;
        assert!(away.is_away(), "{way:?}");
        for _ in 0..2 {
            let drawn = away.draws(1);
            away.report(drawn, 503);
        }
        pass(1).await;
        away.never_draws(1);
        assert_eq!(away.shell.standing().waiting, 3, "{way:?}");
        parties[1].draws(1);
        pass(61_000).await;
        parties[0].never_draws(1);
        parties[0].shell.perform(Command::Tick);
        pass(1).await;
        parties[0].draws(1);
        let Reach::Away { since, .. } = parties[0].shell.standing().reach else { panic!("it is not back") };
        assert!(since.as_millis() < 10_000, "{since}: since it went, not since it was asked last");
        parties[0].store.goes(Way::Works);
        let pool = agree(&parties).await;
        assert_eq!(pool.available_len(), 2, "{way:?}: what left here leaves everywhere");
        for party in &parties {
            assert_eq!(party.hearing.so_far().removals, 1);
        }
        assert_eq!(parties[0].shell.standing().outages, 1, "{way:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn with_only_health_checks_it_stays_out_and_no_probe_is_sent() {
    let store = Faulty::new();
    let config = made(&[1, 2], 1, |failover| {
        (failover.cooldown_duration, failover.health_check_model) = (0, "small".to_owned());
    });
    let mut party = Party::new(&store, 1, &config);
    party.settled().await;
    store.goes(Way::Away);
    pass(1_000).await;
    let drawn = party.draws(1);
    party.report(drawn, 503);
    for _ in 0..10 {
        pass(60_000).await;
        party.shell.perform(Command::Tick);
    }
    pass(1).await;
    party.never_draws(1);
    assert!(party.hearing.so_far().probes.is_empty());
    store.goes(Way::Works);
    party.settled().await;
    assert_eq!(party.hearing.so_far().probes, [1], "a tick follows when the store is back");
}

#[tokio::test(start_paused = true)]
async fn what_three_report_alone_is_counted_once_each() {
    for (threshold, removals) in [(NEVER, 0), (3, 1)] {
        for way in ways() {
            let store = Faulty::new();
            let mut parties =
                [1, 2, 3].map(|id| Party::new(&store.connection(), id, &config(&[1], threshold)));
            agree(&parties).await;
            for party in &mut parties {
                party.store.goes(way.clone());
                party.fails(3);
            }
            pass(10_000).await;
            for party in &mut parties {
                assert!(party.is_away());
                party.fails(50);
                party.store.goes(Way::Works);
            }
            let pool = agree(&parties).await;
            if removals == 0 {
                assert_eq!(counted(&pool), reported(&parties), "{way:?}");
            }
            for party in &parties {
                assert_eq!(party.hearing.so_far().removals, removals, "{way:?}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn who_is_away_for_long_adopts_a_snapshot_and_its_last_append_counts_once() {
    for way in [Way::LosesReplies, Way::LosesRepliesSilently, Way::Away] {
        let store = Faulty::new();
        let mut parties = [1, 2].map(|id| Party::new(&store.connection(), id, &config(&[1, 2], NEVER)));
        agree(&parties).await;
        // Its append gets there or not; nobody tells it.
        parties[0].store.goes(way.clone());
        parties[0].fails(5);
        pass(5).await;
        parties[0].store.goes(Way::Away);
        let [_, other] = &mut parties;
        for _ in 0..=KEPT {
            other.fails(1);
            other.settled().await;
        }
        pass(5_000).await;
        parties[0].fails(5);
        pass(1).await;
        assert_eq!(parties[0].shell.standing().waiting, 10);
        parties[0].store.goes(Way::Works);
        let pool = agree(&parties).await;
        assert_eq!(counted(&pool), reported(&parties), "{way:?}");
        assert_eq!(parties[0].shell.standing().started_over, 1);
        assert_eq!(parties[1].shell.standing().started_over, 0);
    }
}

#[tokio::test(start_paused = true)]
async fn lost_replies_count_nothing_twice() {
    let store = Faulty::new();
    let mut parties = [1, 2, 3].map(|id| Party::new(&store.connection(), id, &config(&[1, 2], NEVER)));
    agree(&parties).await;
    for round in 0..60_u64 {
        let ways = [Way::LosesReplies, Way::Works, Way::LosesRepliesSilently, Way::Works];
        for (party, n) in parties.iter_mut().zip(0_u64..) {
            let way = usize::try_from((round + n) % 4).expect("small");
            party.store.goes(ways[way].clone());
            party.fails(2);
        }
        pass(if round % 7 == 0 { 5_000 } else { 7 }).await;
    }
    for party in &parties {
        party.store.goes(Way::Works);
    }
    let pool = agree(&parties).await;
    assert_eq!(counted(&pool), reported(&parties));
    for party in &parties {
        assert_eq!(party.hearing.so_far().failures, reported(&parties), "an entry was told twice or never");
    }
}

/// Also when nothing is to be sent to it.
#[tokio::test(start_paused = true)]
async fn a_store_that_is_back_is_known_to_be_and_a_tick_follows() {
    for way in ways() {
        let store = Faulty::new();
        let party = Party::new(&store, 1, &config(&[1, 2], 1));
        party.settled().await;
        let mut party = party;
        let drawn = party.draws(1);
        party.report(drawn, 503);
        party.settled().await;
        store.goes(way);
        pass(61_000).await;
        party.shell.perform(Command::Tick);
        pass(10_000).await;
        assert!(party.is_away(), "a tick was to be appended, and was not");
        store.goes(Way::Works);
        pass(70_000).await;
        assert_eq!(party.shell.standing().reach, Reach::Connected);
        assert_eq!(
            store.fold().await.expect("a log").pool().available_len(),
            2,
            "the token is back in the log"
        );
    }
}

/// Whoever reports without a pause does not keep the store from being asked.
#[tokio::test(start_paused = true)]
async fn a_store_that_is_back_is_found_in_a_flood_of_reports() {
    let store = Faulty::new();
    let mut party = Party::new(&store, 1, &config(&[1, 2], NEVER));
    party.settled().await;
    store.goes(Way::Away);
    pass(100).await;
    assert!(party.is_away());
    store.goes(Way::Works);
    for _ in 0..1_500 {
        party.fails(2_000);
        tokio::time::advance(Time::from_millis(1)).await;
        if !party.is_away() {
            return;
        }
    }
    panic!("the store is back, and was never asked");
}

#[tokio::test(start_paused = true)]
async fn a_million_reports_while_it_is_away_take_bounded_room() {
    let store = Faulty::new();
    let mut party = Party::new(&store, 1, &config(&[1, 2, 3], 5));
    party.settled().await;
    store.goes(Way::Away);
    pass(100).await;
    for _ in 0..500 {
        for _ in 0..1_000 {
            let drawn = party.drawn();
            party.report(drawn, 503);
            party.report(drawn, 200);
        }
        tokio::task::yield_now().await;
    }
    pass(1_000).await;
    let waiting = party.shell.standing().waiting;
    assert!((8_193..=8_192 + 3 * 3).contains(&waiting), "{waiting}");
    let alone = party.shell.look(|pool| pool.tokens().map(|(_, is)| is.failures).collect::<Vec<_>>());
    store.goes(Way::Works);
    let pool = agree(&[party]).await;
    assert_eq!(pool.tokens().map(|(_, is)| is.failures).collect::<Vec<_>>(), alone);
}

/// Also what was on its way when the store went.
#[tokio::test(start_paused = true)]
async fn what_is_decided_alone_is_told_when_it_is_decided() {
    for way in ways() {
        let store = Faulty::new();
        let mut party = Party::new(&store, 1, &config(&[1, 2], 2));
        party.settled().await;
        store.goes(way.clone());
        let drawn = [(); 3].map(|()| party.draws(1));
        party.report(drawn[0], 503);
        pass(3_000).await;
        assert!(party.is_away(), "{way:?}");
        let alone = |party: &Party| party.hearing.so_far().alone;
        let mut told = vec!["token token-1 failed with 503 (1 of 2)".to_owned()];
        assert_eq!(alone(&party), told, "{way:?}");
        party.report(drawn[1], 429);
        // It is out already: nothing is decided.
        party.report(drawn[2], 503);
        pass(1).await;
        told.push("failover: token token-1 is unavailable now (429, failure 2 of 2)".to_owned());
        assert_eq!(alone(&party), told, "{way:?}");
        assert_eq!(party.hearing.so_far().removals, 0, "{way:?}: it is not in the log");
        pass(61_000).await;
        party.shell.perform(Command::Tick);
        pass(1).await;
        let restored = alone(&party).pop().expect("a sentence");
        assert!(
            restored.starts_with("cooldown recovery: token token-1 has cooled down for 61"),
            "{restored}"
        );
        store.goes(Way::Works);
        party.settled().await;
        let heard = party.hearing.so_far();
        assert_eq!((heard.alone.len(), heard.failures, heard.removals), (3, 1, 1), "{way:?}: as all else");
    }
}
