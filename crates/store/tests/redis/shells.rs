//! Two processes at work, each with its store and its shell, while their server is hurt in every way there is.

use std::sync::LazyLock;
use std::time::{Duration, Instant};

use firedrill_failover::{Attempt, Command, Random, Status, Worker, WorkerId};
use firedrill_store::{Driver, Quiet, Shell};

use crate::opened::{RUNTIME, open};
use crate::server::{Options, Server, pause};
use crate::workers::{config, failures};

fn shell(server: &Server, id: u64) -> Shell {
    let worker = Worker::new(WorkerId::new(id), firedrill_failover::Instant::ZERO, &config(3));
    let (shell, driver) = Shell::new(open(&server.url()), worker, uptime, Quiet);
    RUNTIME.spawn(Driver::run(driver));
    shell.perform(Command::Join(config(3)));
    settled(&shell);
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
