//! A log that is compacted while it is read, and one that is long.

use std::time::Duration;

use firedrill_failover::wire::{self, with_check};
use firedrill_failover::{Command, Head, Instant, Start, Worker, WorkerId};
use firedrill_store::{RedisOptions, RedisStore, Store};

use crate::block_on::block_on;
use crate::conformance::UPTIME;
use crate::opened::{LOG, SNAPSHOT, caught_up, impatient, open_with, work, worked};
use crate::proxy::{Proxy, Way};
use crate::server::{Options, Server, pause};
use crate::workers::{config, failure};

fn keeping(kept: u64) -> RedisOptions {
    let mut options = impatient();
    options.kept = kept;
    options
}

fn length(server: &Server) -> u64 {
    redis::cmd("XLEN").arg(LOG).query(&mut server.connection()).expect("a length")
}

#[test]
fn the_log_is_compacted_and_a_reader_that_lags_is_given_a_snapshot() {
    let Some(server) = Server::start(Options::default()) else { return };
    let store = open_with(&server.url(), keeping(10)).expect("opens");
    let proxy = Proxy::to(server.port());
    let lagging = open_with(&server.url_of(proxy.port), keeping(10)).expect("opens");
    let mut slow = worked(&lagging, 1, 2);
    proxy.set(Way::Closed);
    let mut fast = worked(&store, 2, 2);
    work(&store, &mut fast, 90);
    // What compacts is not waited for.
    let mut connection = server.connection();
    let mut compacted = || {
        let kept: Option<u64> =
            redis::cmd("HGET").arg(SNAPSHOT).arg("v").query(&mut connection).expect("reads");
        (kept, length(&server))
    };
    let newest = fast.head().version.appends();
    let done = (0..200).any(|_| {
        pause(Duration::from_millis(50));
        let (kept, length) = compacted();
        kept.is_some_and(|kept| kept + 20 > newest && length == newest - kept + 10)
    });
    assert!(done, "{newest} appends, the snapshot's version and the entries are {:?}", compacted());
    proxy.set(Way::Open);
    let newer = told_after(&lagging, &slow);
    assert!(matches!(newer.start, Start::Snapshot(_)), "{newer:?}");
    slow.catch_up(&newer);
    caught_up(&lagging, &mut slow);
    assert_eq!(slow.fold(), fast.fold());
    work(&lagging, &mut slow, 1);
    caught_up(&store, &mut fast);
    assert_eq!(slow.fold(), fast.fold());
    // One that begins now begins with the snapshot.
    let new = open_with(&server.url(), keeping(10)).expect("opens");
    let fold = block_on(new.snapshot()).expect("reads").expect("a fold");
    assert_eq!(*fold, *fast.fold());
    let newer = block_on(new.read(Head::EMPTY)).expect("reads");
    assert!(matches!(newer.start, Start::Snapshot(_)), "{newer:?}");
}

fn told_after(store: &RedisStore, worker: &Worker) -> firedrill_failover::Newer {
    crate::opened::told(store.tail(worker.head())).expect("tells")
}

#[test]
fn a_long_log_is_heard_in_bounded_answers() {
    const ENTRIES: u64 = 25_000;
    let Some(server) = Server::start(Options::default()) else { return };
    let mut connection = server.connection();
    let mut worker = Worker::new(WorkerId::new(1), Instant::ZERO, &config(3));
    let mut commands = redis::pipe();
    for version in 1..=ENTRIES {
        let command = if version == 1 { Command::Join(config(3)) } else { failure(worker.pool()) };
        let (before, head) = (worker.pool().clone(), worker.head());
        let sent = worker.propose(UPTIME, command);
        assert!(sent.is_some(), "it appends");
        let entry = worker.accepted();
        let add = commands.cmd("XADD").arg(LOG).arg(format!("{version}-0"));
        add.arg("n")
            .arg(format!("1-{}", entry.proposal))
            .arg("p")
            .arg(format!("{}-{}", head.by, head.proposal));
        add.arg("e").arg(with_check(&wire::line(&before, &entry))).ignore();
    }
    commands.exec(&mut connection).expect("writes");
    redis::cmd("CONFIG").arg("RESETSTAT").exec(&mut connection).expect("resets");
    let store = open_with(&server.url(), RedisOptions::default()).expect("opens");
    let fold = block_on(store.snapshot()).expect("reads").expect("a fold");
    assert_eq!(*fold, *worker.fold());
    let stats: String = redis::cmd("INFO").arg("commandstats").query(&mut connection).expect("tells");
    let line = stats.lines().find(|line| line.starts_with("cmdstat_evalsha:")).expect("scripts were called");
    println!("{ENTRIES} entries: {line}");
    let calls = line.split(['=', ',']).nth(1).and_then(|calls| calls.parse::<u64>().ok()).expect("a number");
    assert!((25..=27).contains(&calls), "1,000 entries an answer, {calls} calls");
    work(&store, &mut worker, 1);
}
