//! The server goes and comes back, with what it had and without.

use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use firedrill_failover::{Appended, Head, Start, Worker};
use firedrill_store::{RedisStore, Store, StoreError};

use crate::alarm::Alarm;
use crate::block_on::block_on;
use crate::conformance::UPTIME;
use crate::opened::{LOG, caught_up, impatient, open, open_with, told, work, worked};
use crate::proxy::{Proxy, Way};
use crate::server::{Options, Server, pause};
use crate::workers::{failures, joined, proposal};

const DURABLE: Options = Options { durable: true, password: None, tls: false, more: Vec::new() };

fn length(server: &Server) -> u64 {
    redis::cmd("XLEN").arg(LOG).query(&mut server.connection()).expect("a length")
}

/// Until the store is connected again.
fn wait_for(store: &RedisStore) {
    for _ in 0..200 {
        if block_on(store.catch_up()).is_ok() {
            return;
        }
        pause(Duration::from_millis(50));
    }
    panic!("the server is back and the store is not");
}

#[track_caller]
fn is_away<T: std::fmt::Debug>(answer: Result<T, StoreError>) -> String {
    match answer {
        Err(error @ StoreError::Away { .. }) => error.to_string(),
        other => panic!("expected it to be away, found {other:?}"),
    }
}

#[test]
fn an_append_whose_reply_was_lost_is_accepted_when_sent_again_and_written_once() {
    let Some(server) = Server::start(Options::default()) else { return };
    let proxy = Proxy::to(server.port());
    let store = open(&server.url_of(proxy.port));
    let mut worker = worked(&store, 1, 1);
    let sent = proposal(&worker);
    proxy.set(Way::LosesReplies);
    is_away(block_on(store.append(&sent)));
    assert_eq!(length(&server), 3, "the server has it, and nobody was told");
    is_away(block_on(store.append(&sent)));
    proxy.set(Way::Open);
    wait_for(&store);
    assert_eq!(block_on(store.append(&sent)).expect("answers"), Appended::Accepted);
    assert_eq!(length(&server), 3, "it is written once");
    caught_up(&store, &mut worker);
    work(&store, &mut worker, 1);
    assert_eq!(failures(worker.pool()), 3);
    // The same by another process, which has never heard of it: what tells is on the server.
    let other = open(&server.url());
    assert_eq!(block_on(other.append(&sent)).expect("answers"), Appended::Accepted);
    assert_eq!(length(&server), 4);
}

#[test]
fn a_paused_server_fails_appends_in_time_and_goes_on_when_it_is_resumed() {
    let Some(server) = Server::start(Options::default()) else { return };
    let store = open(&server.url());
    let mut worker = worked(&store, 1, 1);
    let sent = proposal(&worker);
    let alarm = Arc::new(Alarm::default());
    let mut tail = pin!(store.tail(worker.head()));
    assert!(alarm.poll(tail.as_mut()).is_pending());
    server.pause();
    let began = now();
    is_away(block_on(store.append(&sent)));
    assert!(began.elapsed() < Duration::from_millis(2_500), "it took {:?}", began.elapsed());
    pause(Duration::from_secs(1));
    let began = now();
    let why = is_away(block_on(store.append(&sent)));
    assert!(began.elapsed() < Duration::from_millis(400), "known to be away it took {:?}", began.elapsed());
    assert!(
        why.starts_with(&format!("the log's server `127.0.0.1:{}` has been away for ", server.port())),
        "{why}"
    );
    // A reader is served from what was heard.
    assert_eq!(block_on(store.read(Head::EMPTY)).expect("reads").entries.len(), 2);
    is_away(told(tail));
    is_away(block_on(store.read(worker.head())));
    server.resume();
    wait_for(&store);
    assert_eq!(block_on(store.append(&sent)).expect("answers"), Appended::Accepted);
    assert_eq!(told(store.tail(worker.head())).expect("tells").entries, [sent.into_entry()]);
    assert_eq!(length(&server), 3, "the one that was sent to a paused server is not there twice");
    caught_up(&store, &mut worker);
    assert_eq!(failures(worker.pool()), 2);
}

#[test]
fn a_durable_server_that_was_killed_has_lost_nothing() {
    let Some(mut server) = Server::start(DURABLE) else { return };
    let store = open(&server.url());
    let mut worker = worked(&store, 1, 20);
    let head = worker.head();
    let alarm = Arc::new(Alarm::default());
    let mut tail = pin!(store.tail(head));
    assert!(alarm.poll(tail.as_mut()).is_pending());
    server.kill();
    is_away(block_on(store.append(&proposal(&worker))));
    server.start_again();
    wait_for(&store);
    assert_eq!(block_on(store.read(Head::EMPTY)).expect("reads").entries.len(), 21);
    assert!(alarm.poll(tail.as_mut()).is_pending(), "nothing is newer");
    work(&store, &mut worker, 1);
    assert_eq!(told(tail).expect("tells").entries.len(), 1);
    assert_eq!(length(&server), 22);
}

/// Two workers in two processes, and a log that is gone or cut under them: `hurt` does it. The longer fold wins.
fn founded_anew(server: &mut Server, hurt: impl FnOnce(&mut Server, &RedisStore, &mut Worker)) {
    let (store, other) = (open(&server.url()), open(&server.url()));
    let mut worker = worked(&store, 1, 5);
    let mut second = joined(&other, 2).expect("joins");
    hurt(server, &store, &mut worker);
    let heard = worker.head();
    let Err(StoreError::Behind { expected, found }) = told(store.tail(heard)) else {
        panic!("a tail that waits is not told");
    };
    assert_eq!(expected, heard);
    wait_for(&store);
    let sent = proposal(&worker);
    assert!(matches!(block_on(store.append(&sent)), Err(StoreError::Behind { .. })));
    assert!(matches!(block_on(store.read(heard)), Err(StoreError::Behind { .. })));
    let founding = worker.found_anew(UPTIME, found);
    assert_eq!(block_on(store.found(&founding)).expect("answers"), Appended::Accepted);
    assert_eq!(block_on(store.found(&founding)).expect("answers again"), Appended::Accepted);
    worker.founded();
    work(&store, &mut worker, 1);
    let newer = told(other.tail(second.head())).expect("the other process hears");
    assert!(matches!(newer.start, Start::Snapshot(_)), "{newer:?}");
    second.catch_up(&newer);
    caught_up(&other, &mut second);
    assert_eq!(second.fold(), worker.fold());
    work(&other, &mut second, 1);
    caught_up(&store, &mut worker);
    assert_eq!(second.fold(), worker.fold());
}

#[test]
fn a_server_that_was_killed_and_had_nothing_on_its_disk_is_founded_anew() {
    let Some(mut server) = Server::start(Options::default()) else { return };
    founded_anew(&mut server, |server, _, _| {
        server.kill();
        server.start_again();
    });
    let Some(mut server) = Server::start(DURABLE) else { return };
    founded_anew(&mut server, |server, _, _| {
        server.kill();
        server.wipe();
        server.start_again();
    });
}

#[test]
fn a_log_that_is_wiped_under_a_connection_that_stays_is_founded_anew() {
    let Some(mut server) = Server::start(Options::default()) else { return };
    founded_anew(&mut server, |server, _, _| {
        redis::cmd("FLUSHALL").exec(&mut server.connection()).expect("wipes");
    });
}

#[test]
fn a_log_whose_end_is_lost_is_founded_anew_and_nothing_of_the_worker_is() {
    let Some(mut server) = Server::start(Options::default()) else { return };
    founded_anew(&mut server, |server, _, _| {
        // As after a crash between two syncs. The newest id must be gone with the entries, so that they are copied.
        let mut connection = server.connection();
        let all: Vec<(String, Vec<String>)> =
            redis::cmd("XRANGE").arg(LOG).arg("-").arg("+").query(&mut connection).expect("reads");
        redis::cmd("DEL").arg(LOG).exec(&mut connection).expect("deletes");
        for (id, fields) in &all[..3] {
            redis::cmd("XADD").arg(LOG).arg(id).arg(fields).exec(&mut connection).expect("writes");
        }
    });
}

#[test]
fn a_log_that_was_founded_anew_is_not_founded_again_by_who_had_heard_more() {
    let Some(server) = Server::start(Options::default()) else { return };
    let (store, other) = (open(&server.url()), open(&server.url()));
    let mut first = worked(&store, 1, 2);
    let mut second = joined(&other, 2).expect("joins");
    work(&other, &mut second, 6);
    redis::cmd("FLUSHALL").exec(&mut server.connection()).expect("wipes");
    let founding = first.found_anew(UPTIME, Head::EMPTY);
    assert_eq!(block_on(store.found(&founding)).expect("answers"), Appended::Accepted);
    first.founded();
    let Err(StoreError::Behind { found, .. }) = told(other.tail(second.head())) else {
        panic!("it is behind")
    };
    assert_eq!(found, first.head());
    let late = second.found_anew(UPTIME, found);
    let Appended::Refused(newer) = block_on(other.found(&late)).expect("answers") else {
        panic!("what another worker has founded anew is gone");
    };
    second.refused(&newer);
    assert_eq!(second.fold(), first.fold());
    assert_eq!(second.take_lost().len(), 6, "what only it had heard is to be done again");
}

#[test]
fn another_log_of_the_same_length_is_not_taken_for_the_one_that_was() {
    let Some(server) = Server::start(Options::default()) else { return };
    let store = open(&server.url());
    let mut worker = worked(&store, 1, 5);
    redis::cmd("FLUSHALL").exec(&mut server.connection()).expect("wipes");
    // Another process is faster, and its log gets as far before anyone looks.
    let other = open(&server.url());
    let second = worked(&other, 2, 7);
    let newer = told(store.tail(worker.head())).expect("tells");
    assert_ne!(newer.start, Start::Here, "entries of another log were told as if they followed");
    worker.catch_up(&newer);
    caught_up(&store, &mut worker);
    assert_eq!(worker.fold(), second.fold());
    assert_eq!(worker.take_lost().len(), 6);
}

#[test]
fn a_replica_is_no_place_to_append_and_is_left_for_the_next_primary() {
    let Some(server) = Server::start(Options::default()) else { return };
    let store = open(&server.url());
    let mut worker = worked(&store, 1, 1);
    let mut connection = server.connection();
    redis::cmd("REPLICAOF").arg("127.0.0.1").arg(1).exec(&mut connection).expect("is a replica");
    let why = is_away(block_on(store.append(&proposal(&worker))));
    assert!(why.contains("READONLY"), "{why}");
    redis::cmd("REPLICAOF").arg("NO").arg("ONE").exec(&mut connection).expect("is a primary");
    wait_for(&store);
    work(&store, &mut worker, 1);
    assert_eq!(length(&server), 3);
}

#[test]
fn a_server_without_room_takes_nothing_and_loses_nothing() {
    let Some(server) = Server::start(Options::default()) else { return };
    let store = open(&server.url());
    let mut worker = worked(&store, 1, 1);
    let mut connection = server.connection();
    let mut most = |bytes: &str| {
        let set = redis::cmd("CONFIG").arg("SET").arg("maxmemory").arg(bytes).exec(&mut connection);
        set.expect("sets");
    };
    most("1kb");
    let why = is_away(block_on(store.append(&proposal(&worker))));
    assert!(why.contains("OOM"), "{why}");
    most("0");
    work(&store, &mut worker, 1);
    assert_eq!(length(&server), 3);
}

#[test]
fn a_store_that_is_dropped_leaves_no_connection() {
    let Some(server) = Server::start(Options::default()) else { return };
    let store = open(&server.url());
    let _ = worked(&store, 1, 1);
    let mut connection = server.connection();
    let mut clients = move || -> usize {
        let list: String = redis::cmd("CLIENT").arg("LIST").query(&mut connection).expect("lists");
        list.lines().count()
    };
    assert_eq!(clients(), 3, "one to ask, one to wait, and this one");
    drop(store);
    let gone = (0..100).any(|_| {
        pause(Duration::from_millis(50));
        clients() == 1
    });
    assert!(gone, "connections are left");
}

#[test]
fn opening_a_server_that_is_not_there_fails_in_time() {
    let Some(mut server) = Server::start(Options::default()) else { return };
    let url = server.url();
    server.kill();
    let began = now();
    let why = is_away(open_with(&url, impatient()));
    assert!(began.elapsed() < Duration::from_secs(3), "it took {:?}", began.elapsed());
    assert!(why.contains("efused"), "{why}");
}

#[expect(clippy::disallowed_methods, reason = "how long a real server takes")]
fn now() -> Instant {
    Instant::now()
}
