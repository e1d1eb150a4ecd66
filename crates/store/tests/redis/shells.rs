//! Two processes at work, each with its store and its shell, while their server is hurt in every way there is.

use std::sync::LazyLock;
use std::time::{Duration, Instant};

use firedrill_failover::{Attempt, Command, Random, Status, Worker, WorkerId};
use firedrill_store::{Driver, Quiet, Reach, RedisStore, Shell, Store, StoreError};

use crate::block_on::block_on;
use crate::opened::{POOL, RUNTIME, impatient, open};
use crate::server::{Options, Server, pause};
use crate::workers::{config, failures};

fn shell(server: &Server, id: u64) -> Shell {
    let shell = begun(open(&server.url()), id);
    settled(&shell);
    shell
}

/// A shell round a worker that has yet to join.
fn begun(store: RedisStore, id: u64) -> Shell {
    let worker = Worker::new(WorkerId::new(id), firedrill_failover::Instant::ZERO, &config(3));
    let (shell, driver) = Shell::new(store, worker, uptime, Quiet);
    RUNTIME.spawn(Driver::run(driver));
    shell.perform(Command::Join(config(3)));
    shell
}

pub(crate) fn settled(shell: &Shell) {
    let in_time = async { tokio::time::timeout(Duration::from_mins(1), shell.settled()).await };
    RUNTIME.block_on(in_time).expect("it is never settled").expect("the driver is there");
}

pub(crate) fn uptime() -> firedrill_failover::Duration {
    #[expect(clippy::disallowed_methods, reason = "a real server takes real time")]
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    firedrill_failover::Duration::from_millis(u64::try_from(START.elapsed().as_millis()).unwrap_or(u64::MAX))
}

#[test]
fn every_failure_is_counted_once_whatever_befalls_the_server() {
    let Some(mut server) = Server::start(Options { durable: true, ..Options::default() }) else { return };
    let shells = [shell(&server, 1), shell(&server, 2)];
    let mut random = Random::new(5, 0);
    let mut reported = 0;
    let failed = Status::new(503).expect("a status");
    let mut report = |shells: &[Shell; 2], times: u32| {
        for _ in 0..times {
            for shell in shells {
                shell.report(shell.select(&mut random), failed, Attempt::First);
                reported += 1;
            }
            pause(Duration::from_micros(500));
        }
    };
    for round in 0..8 {
        report(&shells, 20);
        match round % 4 {
            0 => {
                server.kill();
                report(&shells, 20);
                server.start_again();
            }
            1 => {
                server.pause();
                report(&shells, 20);
                pause(Duration::from_millis(400));
                server.resume();
            }
            2 => redis::cmd("FLUSHALL").exec(&mut server.connection()).expect("wipes"),
            _ => {
                server.kill();
                server.wipe();
                report(&shells, 20);
                server.start_again();
            }
        }
        report(&shells, 20);
        pause(Duration::from_millis(400));
    }
    shells.iter().for_each(settled);
    // Each hears what the other has appended, a moment later.
    let counted = || shells.each_ref().map(|shell| shell.look(failures));
    let same = (0..200).any(|_| {
        pause(Duration::from_millis(50));
        counted() == [reported; 2]
    });
    let standing = shells.each_ref().map(Shell::standing);
    assert!(same, "reported {reported}, counted {:?}, {standing:#?}", counted());
    println!("{reported} failures, {standing:?}");
    assert!(standing.iter().any(|standing| standing.founded_anew > 0), "sometimes it is founded anew");
    assert!(standing.iter().all(|standing| standing.outages > 0), "sometimes it is away");
}

#[test]
fn who_begins_without_the_server_serves_and_joins_its_log_when_it_comes() {
    let Some(mut server) = Server::start(Options { durable: true, ..Options::default() }) else { return };
    let first = shell(&server, 1);
    let failed = Status::new(503).expect("a status");
    first.report(first.select(&mut Random::new(1, 0)), failed, Attempt::First);
    settled(&first);
    server.kill();

    let store = RUNTIME.block_on(async { RedisStore::begin(&server.url(), POOL, impatient()) });
    let store = store.expect("the URL is good");
    assert!(
        matches!(block_on(store.snapshot()), Err(StoreError::Away { .. })),
        "what was never asked is not empty"
    );
    let second = begun(store, 2);
    let away = (0..200).any(|_| {
        pause(Duration::from_millis(20));
        matches!(second.standing().reach, Reach::Away { .. })
    });
    assert!(away, "{:?}", second.standing());
    second.report(second.select(&mut Random::new(2, 0)), failed, Attempt::First);
    server.start_again();
    settled(&second);
    assert_eq!(second.look(failures), 2, "{:?}", second.standing());
    assert_eq!(second.standing().founded_anew, 0);
}

#[test]
fn who_is_asked_nothing_knows_that_the_server_is_away_and_that_it_is_back() {
    let Some(mut server) = Server::start(Options { durable: true, ..Options::default() }) else { return };
    let shell = shell(&server, 1);
    let comes = |is: fn(&Reach) -> bool| {
        let came = (0..200).any(|_| {
            pause(Duration::from_millis(50));
            is(&shell.standing().reach)
        });
        assert!(came, "{:?}", shell.standing());
    };
    server.kill();
    comes(|reach| matches!(reach, Reach::Away { .. }));
    // It stays so for as long as it takes.
    pause(Duration::from_secs(2));
    assert!(matches!(shell.standing().reach, Reach::Away { .. }));
    assert_eq!(shell.standing().outages, 1);
    server.start_again();
    comes(|reach| *reach == Reach::Connected);
}
