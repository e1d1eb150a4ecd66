//! What is given up, who is told, and when a driver ends.

use std::collections::BTreeMap;
use std::time::Duration as Time;

use firedrill_failover::{Command, Status};

use crate::faulty::{Faulty, Way};
use crate::world::{NEVER, Party, agree, config, counted, made, pass};

#[tokio::test(start_paused = true)]
async fn one_command_that_cannot_be_appended_is_given_up_and_the_rest_goes_on() {
    for way in [Way::TooLong(418), Way::Contradicts(418)] {
        let store = Faulty::new();
        let mut parties = [1, 2].map(|id| Party::new(&store.connection(), id, &config(&[1, 2], NEVER)));
        agree(&parties).await;
        parties[0].store.goes(way);
        for code in [503, 503, 418, 503, 418, 503, 503] {
            let drawn = parties[0].drawn();
            parties[0].report(drawn, code);
        }
        parties[0].settled().await;
        let standing = parties[0].shell.standing();
        assert!(standing.given_up.is_some(), "it is said");
        parties[0].fails(2);
        parties[1].fails(1);
        assert_eq!(counted(&agree(&parties).await), 5 + 2 + 1);
        assert_eq!(parties[0].shell.standing().outages, 0, "the store is not away");
    }
}

#[tokio::test(start_paused = true)]
async fn a_driver_ends_when_its_last_shell_is_dropped() {
    let ways = [Way::Works, Way::Away, Way::AwayAfter(Time::from_secs(1)), Way::Silent, Way::LosesReplies];
    for joined in [true, false] {
        for way in &ways {
            for reports in [0, 3] {
                let store = Faulty::new();
                if !joined {
                    store.goes(way.clone());
                }
                let mut party = Party::new(&store, 1, &config(&[1, 2], NEVER));
                if joined {
                    party.settled().await;
                    store.goes(way.clone());
                }
                party.fails(reports);
                if reports > 0 {
                    pass(10_000).await;
                    party.fails(reports);
                }
                let Party { shell, driver, .. } = party;
                drop(shell);
                let ended = tokio::time::timeout(Time::from_secs(10), driver).await;
                ended.unwrap_or_else(|_| panic!("{way:?}, joined {joined}: it goes on")).expect("no panic");
                if *way == Way::Works {
                    let fold = store.fold().await.expect("a log");
                    assert_eq!(counted(fold.pool()), 2 * reports, "what was reported is in the log");
                }
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn who_waits_is_told_that_the_driver_has_ended() {
    let store = Faulty::new();
    store.goes(Way::Silent);
    let party = Party::new(&store, 1, &config(&[1], NEVER));
    let shell = party.shell.clone();
    let waits = tokio::spawn(async move { shell.settled().await });
    pass(100).await;
    party.driver.abort();
    assert!(waits.await.expect("no panic").is_err());
    assert!(party.shell.settled().await.is_err());
}

/// While the store is away nothing is settled, also if nothing waits; when it is back everybody is told.
#[tokio::test(start_paused = true)]
async fn nothing_is_settled_while_the_store_is_away() {
    for (way, reports) in [(Way::Away, 0), (Way::Away, 2), (Way::Silent, 2), (Way::LosesReplies, 2)] {
        let store = Faulty::new();
        let mut party = Party::new(&store, 1, &config(&[1, 2], NEVER));
        party.settled().await;
        store.goes(way.clone());
        pass(100).await;
        party.fails(reports);
        let shell = party.shell.clone();
        let waits = tokio::spawn(async move { shell.settled().await });
        pass(100_000).await;
        assert!(!waits.is_finished(), "{way:?}, {reports} reports");
        store.goes(Way::Works);
        let told = tokio::time::timeout(Time::from_secs(200), waits).await;
        told.expect("in the end").expect("no panic").expect("a driver");
    }
}

/// Workers take turns at the lease, replies are lost, one is away: every probe in the log is told to one worker, once.
#[tokio::test(start_paused = true)]
async fn every_probe_is_told_to_the_worker_that_sends_it_once() {
    let store = Faulty::new();
    let config = made(&[1, 2, 3], 1, |failover| {
        (failover.cooldown_duration, failover.health_check_model) = (0, "small".to_owned());
    });
    let mut parties = [1, 2, 3].map(|id| Party::new(&store.connection(), id, &config));
    agree(&parties).await;
    for n in 1..=3 {
        let drawn = parties[0].draws(n);
        parties[0].report(drawn, 503);
        parties[0].settled().await;
    }
    let ways = [Way::Works, Way::LosesReplies, Way::Works, Way::Slow(Time::from_millis(30)), Way::Away];
    for round in 0..300_usize {
        for (n, party) in parties.iter().enumerate() {
            party.store.goes(ways[(round / 20 + n) % 5].clone());
            party.shell.perform(Command::Tick);
        }
        pass(2_500).await;
    }
    for party in &parties {
        party.store.goes(Way::Works);
    }
    agree(&parties).await;
    let mut told = BTreeMap::new();
    for party in &parties {
        for probe in party.hearing.so_far().probes {
            *told.entry(probe).or_insert(0) += 1;
        }
    }
    let all = parties[0].hearing.so_far().all_probes;
    assert!(all.len() > 100, "{}", all.len());
    assert_eq!(
        told.into_iter().collect::<Vec<_>>(),
        all.into_iter().map(|probe| (probe, 1)).collect::<Vec<_>>()
    );
    let sending = parties.iter().filter(|party| !party.hearing.so_far().probes.is_empty()).count();
    assert!(sending > 1, "sometimes another takes the lease");
}

/// The answer to a probe that was sent before the store went away is kept, and brings the token back when it is back.
#[tokio::test(start_paused = true)]
async fn a_probe_that_is_answered_while_the_store_is_away_brings_its_token_back() {
    let store = Faulty::new();
    let config = made(&[1, 2], 1, |failover| {
        (failover.cooldown_duration, failover.health_check_model) = (0, "small".to_owned());
        failover.health_check_timeout = 3_600_000;
    });
    let mut party = Party::new(&store, 1, &config);
    party.settled().await;
    let drawn = party.draws(1);
    party.report(drawn, 503);
    party.shell.perform(Command::Tick);
    party.settled().await;
    let probe = party.hearing.so_far().probes[0];
    store.goes(Way::Away);
    pass(1_000).await;
    let token = party.shell.look(|pool| pool.unavailable().next().expect("one is out"));
    let answer = Status::new(200).expect("a status");
    party.shell.perform(Command::ProbeAnswered { token, probe, answer });
    pass(1).await;
    party.draws(1);
    assert_eq!(party.shell.standing().waiting, 1);
    store.goes(Way::Works);
    assert_eq!(agree(&[party]).await.available_len(), 2);
}
