//! A success that changes nothing wakes nobody; and nothing is taken for that which would change what is still to be decided.

use firedrill_failover::{Command, Pool};

use crate::faulty::{Faulty, Way};
use crate::world::{NEVER, Party, agree, config, pass};

#[tokio::test(start_paused = true)]
async fn a_success_that_changes_nothing_wakes_nobody() {
    let mut party = Party::new(&Faulty::new(), 1, &config(&[1, 2], 2));
    // The tick that follows on joining is over too.
    pass(1).await;
    let mut standing = party.shell.watch();
    let drawn = party.draws(1);
    for _ in 0..100 {
        party.report(drawn, 200);
        party.settled().await;
    }
    assert!(!standing.has_changed().expect("a driver"));
    // One that changes something does.
    party.report(drawn, 503);
    party.settled().await;
    assert!(standing.has_changed().expect("a driver"));
    standing.mark_unchanged();
    party.report(drawn, 200);
    party.settled().await;
    assert!(standing.has_changed().expect("a driver"));
    assert_eq!(party.failures(1), 0);
}

#[tokio::test(start_paused = true)]
async fn a_success_after_a_failure_that_is_not_decided_makes_up_for_it() {
    let mut party = Party::new(&Faulty::new(), 1, &config(&[1, 2], 2));
    party.settled().await;
    let drawn = party.draws(1);
    for _ in 0..100 {
        // The driver has no turn between these.
        for code in [503, 200, 503] {
            party.report(drawn, code);
        }
        party.report(drawn, 200);
    }
    party.report(drawn, 503);
    party.settled().await;
    assert_eq!((party.failures(1), party.shell.look(Pool::available_len)), (1, 2));
}

#[tokio::test(start_paused = true)]
async fn a_success_makes_up_for_a_failure_that_is_on_its_way_to_the_store() {
    let mut party = Party::new(&Faulty::new(), 1, &config(&[1, 2], 2));
    party.settled().await;
    party.store.goes(Way::Slow(std::time::Duration::from_millis(10)));
    let drawn = party.draws(1);
    party.report(drawn, 503);
    pass(5).await;
    assert_eq!(party.failures(1), 0, "it is not in the log yet");
    party.report(drawn, 200);
    pass(100).await;
    party.settled().await;
    assert_eq!(party.failures(1), 0);
}

#[tokio::test(start_paused = true)]
async fn a_success_before_the_log_was_heard_counts() {
    let store = Faulty::new();
    let mut first = Party::new(&store.connection(), 1, &config(&[1, 2], NEVER));
    first.settled().await;
    let drawn = first.draws(1);
    first.report(drawn, 503);
    first.settled().await;
    let mut second = Party::new(&store.connection(), 2, &config(&[1, 2], NEVER));
    let drawn = second.draws(1);
    second.report(drawn, 200);
    let parties = [first, second];
    agree(&parties).await;
    assert_eq!(parties[0].failures(1), 0);
}

#[tokio::test(start_paused = true)]
async fn a_success_while_the_store_is_away_makes_up_for_a_failure() {
    let mut party = Party::new(&Faulty::new(), 1, &config(&[1, 2], 2));
    party.settled().await;
    party.store.goes(Way::Away);
    party.shell.perform(Command::Tick);
    let drawn = party.draws(1);
    for code in [503, 200, 503] {
        party.report(drawn, code);
        pass(10).await;
    }
    party.store.goes(Way::Works);
    pass(10_000).await;
    party.settled().await;
    assert_eq!((party.failures(1), party.shell.look(Pool::available_len)), (1, 2));
}
