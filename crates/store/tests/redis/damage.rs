//! What somebody else has written to the log, or taken from it.

use std::time::Duration;

use firedrill_failover::wire::{line, snapshot_line, with_check};
use firedrill_failover::{Appended, Head};
use firedrill_store::{MemoryStore, RedisStore, Store, StoreError};
use redis::Connection;

use crate::block_on::block_on;
use crate::conformance::UPTIME;
use crate::opened::{LOG, SNAPSHOT, impatient, open, open_with, told, work, worked};
use crate::server::{Options, Server, pause};
use crate::workers::{joined, proposal};

/// What a store says that opens a log of five appends after `hurt`, and one that was open.
#[track_caller]
fn check(server: &Server, hurt: impl FnOnce(&mut Connection), expect: &str) {
    let mut connection = server.connection();
    redis::cmd("FLUSHALL").exec(&mut connection).expect("wipes");
    let store = open(&server.url());
    let _ = worked(&store, 1, 4);
    drop(store);
    hurt(&mut connection);
    let found = match open_with(&server.url(), impatient()) {
        Ok(store) => format!("{store:?}"),
        Err(error) => error.to_string(),
    };
    let expect = expect.replace("SERVER", &format!("the server `127.0.0.1:{}`", server.port()));
    assert_eq!(found, expect);
}

fn add(connection: &mut Connection, id: &str, fields: &[&str]) {
    redis::cmd("XADD").arg(LOG).arg(id).arg(fields).exec(connection).expect("writes");
}

#[test]
fn what_is_no_entry_of_the_log_is_told_with_its_place() {
    let Some(server) = Server::start(Options::default()) else { return };
    let damaged = |rest: &str| format!("the log `{LOG}` of SERVER is damaged at {rest}");
    let check = |hurt: &dyn Fn(&mut Connection), rest: &str| check(&server, hurt, &damaged(rest));
    check(
        &|c| add(c, "6-0", &["hello", "world"]),
        "the newest entry: expected a version and a name such as 1-1, found `6` and ``",
    );
    check(
        &|c| {
            add(c, "6-0", &["hello", "world"]);
            add(c, "7-0", &["n", "1-7", "p", "1-6", "e", "x"]);
        },
        "the entry 6-0: expected the fields n, p and e in this order, `n` is missing",
    );
    check(
        &|c| add(c, "6-0", &["p", "1-5", "n", "1-6", "e", "x"]),
        "the entry 6-0: expected the fields n, p and e in this order, `n` is missing",
    );
    check(
        &|c| add(c, "6-0", &["n", "1-6", "p", "1-5", "e", "x", "more", "x"]),
        "the entry 6-0: expected the fields n, p and e, found more",
    );
    check(
        &|c| add(c, "6-1", &["n", "1-6", "p", "1-5", "e", "x"]),
        "the entry 6-1: expected an id that ends with -0",
    );
    check(
        &|c| add(c, "6-0", &["n", "me", "p", "1-5", "e", "x"]),
        "the newest entry: expected a version and a name such as 1-1, found `6` and `me`",
    );
    check(&|c| add(c, "6-0", &["n", "1-6", "p", "1-5", "e", "x"]), "version 6: expected value, column 1");
    let unchecked = r#"{"version":6,"at":0,"by":1,"proposal":6,"events":["none_available"]}"#;
    check(
        &|c| add(c, "6-0", &["n", "1-6", "p", "1-5", "e", unchecked]),
        "version 6: this line is not what was written: its `check` is wrong or missing, column 69",
    );
    let contradicts = with_check(unchecked);
    check(
        &|c| add(c, "6-0", &["n", "1-6", "p", "1-5", "e", &contradicts]),
        "version 6: still available: 3, column 51",
    );
    check(
        &|c| add(c, "6-0", &["n", "1-7", "p", "1-5", "e", &contradicts]),
        "version 6: still available: 3, column 51",
    );
    check(
        &|c| add(c, "7-0", &["n", "1-7", "p", "1-6", "e", "x"]),
        "version 6: expected version 6, decided on `1-5`; found version 7, decided on `1-6`",
    );
    check(
        &|c| add(c, "6-0", &["n", "1-6", "p", "1-4", "e", "x"]),
        "version 6: expected version 6, decided on `1-5`; found version 6, decided on `1-4`",
    );
    check(
        &|c| redis::cmd("XDEL").arg(LOG).arg("3-0").exec(c).expect("takes one out"),
        "version 3: expected version 3, decided on `1-2`; found version 4, decided on `1-3`",
    );
    check(
        &|c| redis::cmd("XTRIM").arg(LOG).arg("MINID").arg("3-0").exec(c).expect("trims"),
        "version 1: expected version 1, decided on `0-0`; found version 3, decided on `1-2`",
    );
    let snapshot = |c: &mut Connection, version: u64, line: &str| {
        let set = redis::cmd("HSET")
            .arg(SNAPSHOT)
            .arg("v")
            .arg(version)
            .arg("n")
            .arg("1-9")
            .arg("e")
            .arg(line)
            .exec(c);
        set.expect("writes");
    };
    check(&|c| snapshot(c, 2, "{}"), "version 2: the snapshot: missing field `version`, column 2");
    check(
        &|c| snapshot(c, 2, &contradicts),
        "version 2: the snapshot: expected `configured` as the first event of the log, column 51",
    );
    check(
        &|c| {
            let first: Vec<(String, Vec<String>)> =
                redis::cmd("XRANGE").arg(LOG).arg("1-0").arg("1-0").query(c).expect("reads");
            snapshot(c, 2, &first[0].1[5]);
        },
        "version 2: the snapshot: expected a snapshot, found an append",
    );
    let gone = joined(&MemoryStore::new(), 9).expect("joins");
    let elsewhere = with_check(&snapshot_line(gone.fold()));
    check(&|c| snapshot(c, 2, &elsewhere), "version 2: the snapshot: expected one of `1-9`, found another");
    check(
        &|c| snapshot(c, u64::MAX, &elsewhere),
        "version 18446744073709551615: the snapshot: no log has so many appends",
    );
    check(
        &|c| redis::cmd("HSET").arg(SNAPSHOT).arg(&["v", "2", "n", "x"]).exec(c).expect("writes"),
        "the snapshot: expected a version and a name such as 1-1, found `2` and `x`",
    );
}

#[test]
fn a_good_line_under_another_name_is_told() {
    let Some(server) = Server::start(Options::default()) else { return };
    let store = open(&server.url());
    let worker = worked(&store, 1, 4);
    let next = with_check(&line(worker.pool(), &proposal(&worker).into_entry()));
    let mut connection = server.connection();
    add(&mut connection, "6-0", &["n", "9-9", "p", "1-5", "e", &next]);
    let error = told(store.tail(worker.head())).expect_err("is not what it seems");
    let text = error.to_string();
    assert!(
        text.ends_with("damaged at version 6: expected the line of `9-9`, found that of `1-6`"),
        "{text}"
    );
}

#[test]
fn what_makes_a_script_fail_is_told_with_what_helps() {
    let Some(server) = Server::start(Options::default()) else { return };
    let mut connection = server.connection();
    redis::cmd("HSET").arg(SNAPSHOT).arg("v").arg("x").exec(&mut connection).expect("writes");
    let text = open_with(&server.url(), impatient()).expect_err("is no log").to_string();
    assert!(text.contains("or somebody else has written to the keys of the log: delete them)"), "{text}");
    // The newest id of the stream is past what was taken off, so that nothing can be appended.
    redis::cmd("FLUSHALL").exec(&mut connection).expect("wipes");
    let store = open(&server.url());
    let worker = worked(&store, 1, 1);
    add(&mut connection, "99-0", &["n", "1-99", "p", "1-98", "e", "x"]);
    redis::cmd("XDEL").arg(LOG).arg("99-0").exec(&mut connection).expect("takes it out");
    let text = until_denied(&store, &worker);
    assert!(text.contains("equal or smaller") && text.ends_with("delete them)"), "{text}");
}

fn until_denied(store: &RedisStore, worker: &firedrill_failover::Worker) -> String {
    for _ in 0..200 {
        match block_on(store.append(&proposal(worker))) {
            Err(error @ StoreError::Denied { .. }) => return error.to_string(),
            Err(_) => pause(Duration::from_millis(50)),
            Ok(answer) => panic!("{answer:?}"),
        }
    }
    panic!("nothing tells why")
}

#[test]
fn something_else_under_the_keys_is_told_with_what_helps() {
    let Some(server) = Server::start(Options::default()) else { return };
    for key in [LOG, SNAPSHOT] {
        let mut connection = server.connection();
        redis::cmd("FLUSHALL").exec(&mut connection).expect("wipes");
        redis::cmd("SET").arg(key).arg("mine").exec(&mut connection).expect("writes");
        let error = open_with(&server.url(), impatient()).expect_err("is no log");
        let text = error.to_string();
        assert!(matches!(error, StoreError::Denied { .. }) && text.contains("WRONGTYPE"), "{text}");
        assert!(
            text.ends_with("(something else is kept under the keys of the log: choose another prefix)"),
            "{text}"
        );
        let kept: String = redis::cmd("GET").arg(key).query(&mut connection).expect("reads");
        assert_eq!(kept, "mine");
    }
}

#[test]
fn an_open_store_tells_of_damage_until_the_keys_are_deleted_and_goes_on() {
    let Some(server) = Server::start(Options::default()) else { return };
    let store = open(&server.url());
    let mut worker = worked(&store, 1, 4);
    let mut connection = server.connection();
    add(&mut connection, "6-0", &["n", "9-1", "p", "1-5", "e", "x"]);
    let unreadable = |answer: Result<(), StoreError>| matches!(answer, Err(StoreError::Unreadable { .. }));
    assert!(unreadable(told(store.tail(worker.head())).map(drop)), "a tail that waits is told");
    assert!(unreadable(block_on(store.append(&proposal(&worker))).map(drop)));
    assert!(unreadable(block_on(store.read(Head::EMPTY)).map(drop)));
    redis::cmd("DEL").arg(LOG).arg(SNAPSHOT).exec(&mut connection).expect("deletes");
    let behind = until_behind(&store, worker.head());
    let founding = worker.found_anew(UPTIME, behind);
    assert_eq!(block_on(store.found(&founding)).expect("answers"), Appended::Accepted);
    worker.founded();
    work(&store, &mut worker, 2);
    let other = open(&server.url());
    let fold = block_on(other.snapshot()).expect("reads").expect("a fold");
    assert_eq!(*fold, *worker.fold());
}

#[test]
fn a_log_that_is_mended_goes_on() {
    let Some(server) = Server::start(Options::default()) else { return };
    let store = open(&server.url());
    let mut worker = worked(&store, 1, 4);
    let mut connection = server.connection();
    add(&mut connection, "6-0", &["n", "9-1", "p", "1-5", "e", "x"]);
    assert!(matches!(told(store.tail(worker.head())), Err(StoreError::Unreadable { .. })));
    redis::cmd("XDEL").arg(LOG).arg("6-0").exec(&mut connection).expect("takes it out");
    redis::cmd("XSETID").arg(LOG).arg("5-0").exec(&mut connection).expect("sets the newest id");
    let mended = (0..200).any(|_| {
        pause(Duration::from_millis(50));
        block_on(store.read(worker.head())).is_ok()
    });
    assert!(mended, "the log is mended and nobody reads it");
    work(&store, &mut worker, 2);
    assert_eq!(block_on(store.read(Head::EMPTY)).expect("reads").entries.len(), 7);
}

/// The log is looked at again every two seconds at most.
fn until_behind(store: &RedisStore, heard: Head) -> Head {
    for _ in 0..200 {
        if let Err(StoreError::Behind { found, .. }) = block_on(store.read(heard)) {
            return found;
        }
        pause(Duration::from_millis(50));
    }
    panic!("the keys are gone and nobody is told");
}
