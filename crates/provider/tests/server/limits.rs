//! How many connections there may be, for how long, and what happens when the mock stops.

use std::time::Duration;

use firedrill_provider::{Ended, Limits, MockProvider};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::{QUESTION, ask, connect, raw, request, rest};

async fn mock(upstream: &str, limits: Limits) -> MockProvider {
    MockProvider::builder().upstream(upstream).limits(limits).start().await.expect("it starts")
}

#[test]
fn the_page_tells_the_defaults() {
    let page = include_str!("../../../../docs/mock.md");
    let (_, table) = page.split_once("| limit | default | past it |\n|---|---|---|\n").expect("the table");
    let told: Vec<(&str, &str)> = table
        .lines()
        .map_while(|line| line.strip_prefix("| ")?.split_once(" | "))
        .map(|(limit, rest)| (limit, rest.split(" |").next().unwrap_or("")))
        .collect();
    let limits = Limits::default();
    let seconds = |time: Duration| match time.as_secs() {
        60 => "1 min".to_owned(),
        seconds => format!("{seconds} s"),
    };
    let thousands = |number: usize| format!("{},{:03}", number / 1_000, number % 1_000);
    let expect = [
        ("connections to a port at the same time", thousands(limits.connections)),
        ("head of a request", format!("{} KiB", limits.head_bytes >> 10)),
        ("time for a head, from its first byte", seconds(limits.head_time)),
        ("body of a request", format!("{} MiB", limits.body_bytes >> 20)),
        ("time for a body", seconds(limits.body_time)),
        ("time between two requests of a connection", seconds(limits.idle_time)),
        ("time in which a client must read something", seconds(limits.write_time)),
    ];
    let expect: Vec<_> = expect.iter().map(|(limit, default)| (*limit, &**default)).collect();
    assert_eq!(told, expect);
    let grace = format!("for at most {} seconds", limits.grace.as_secs());
    let flowing = page.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(flowing.contains(&grace), "{grace}");
}

#[tokio::test]
async fn each_part_of_a_request_has_a_time_of_its_own() {
    let (short, long) = (Duration::from_millis(200), Duration::from_mins(1));
    let patient = Limits { idle_time: long, head_time: long, body_time: long, ..Limits::default() };
    let whole = request("sk-a", QUESTION);
    let body = whole.find("\r\n\r\n").expect("a head") + 4;
    for (sent, limits) in [
        (0, Limits { idle_time: short, ..patient.clone() }),
        (9, Limits { head_time: short, ..patient.clone() }),
        (body + 9, Limits { body_time: short, ..patient }),
    ] {
        let mock = mock("{}", limits).await;
        let mut stream = connect(&mock).await;
        stream.write_all(&whole.as_bytes()[..sent]).await.expect("written");
        let dropped = tokio::time::timeout(Duration::from_secs(5), rest(&mut stream)).await;
        assert!(dropped.is_ok(), "after {sent} bytes");
    }
}

#[tokio::test]
async fn one_connection_too_many_is_told_so() {
    let mock = mock("{}", Limits { connections: 3, ..Limits::default() }).await;
    let kept = [connect(&mock).await, connect(&mock).await, connect(&mock).await];
    let (read, ended) = raw(&mock, request("sk-a", QUESTION).as_bytes()).await;
    assert!(
        read.starts_with("HTTP/1.1 503 ") && read.ends_with("just now\"}}") && ended.is_ok(),
        "{read} {ended:?}"
    );
    drop(kept);
    // It takes a moment to see that they are gone.
    for _ in 0..500 {
        if ask(&mock, "sk-a", QUESTION).await.is_ok_and(|answer| answer.status() == 200) {
            return mock.assert_asked(1);
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("never served");
}

#[tokio::test]
async fn a_connection_is_kept_for_some_time() {
    let mock = mock("{}", Limits { idle_time: Duration::from_secs(2), ..Limits::default() }).await;
    let mut stream = connect(&mock).await;
    let mut read = [0; 4096];
    for _ in 0..3 {
        stream.write_all(request("sk-a", QUESTION).as_bytes()).await.expect("written");
        assert!(stream.read(&mut read).await.expect("an answer") > 0);
        tokio::time::sleep(Duration::from_millis(150)).await;
    }
    let (rest, ended) = rest(&mut stream).await;
    assert!(rest.is_empty() && ended.is_ok());
    mock.assert_asked(3);
}

#[tokio::test]
async fn a_connection_is_not_kept_for_ever_after_an_answer_that_took_its_time() {
    let limits = Limits { idle_time: Duration::from_millis(300), ..Limits::default() };
    let mock = mock("latency: 100ms", limits).await;
    let mut stream = connect(&mock).await;
    stream.write_all(request("sk-a", QUESTION).as_bytes()).await.expect("written");
    let ended = tokio::time::timeout(Duration::from_secs(5), rest(&mut stream)).await;
    let (read, ended) = ended.expect("it ends by itself, long before the time for a head is over");
    assert!(read.starts_with("HTTP/1.1 200 OK") && ended.is_ok(), "{read}");
}

#[tokio::test]
async fn what_is_being_answered_when_the_mock_stops_is_answered() {
    let mock = mock("latency: 200ms", Limits::default()).await;
    let (mut idle, mut asking) = (connect(&mock).await, connect(&mock).await);
    asking.write_all(request("sk-a", QUESTION).as_bytes()).await.expect("written");
    mock.asked(1).await;
    let stopped = tokio::spawn(mock.stop());
    let (read, ended) = rest(&mut asking).await;
    assert!(
        read.starts_with("HTTP/1.1 200 OK") && read.contains("connection: close") && ended.is_ok(),
        "{read}"
    );
    assert_eq!(rest(&mut idle).await.0, "");
    stopped.await.expect("no panic");
}

#[tokio::test]
async fn what_is_never_answered_does_not_keep_the_mock_from_stopping() {
    let limits = Limits { grace: Duration::from_millis(100), ..Limits::default() };
    let mock = mock("default: { fault: stall }", limits).await;
    let mut asking = connect(&mock).await;
    asking.write_all(request("sk-a", QUESTION).as_bytes()).await.expect("written");
    mock.asked(1).await;
    tokio::time::timeout(Duration::from_secs(3), mock.stop()).await.expect("it stops");
    assert_eq!(rest(&mut asking).await.0, "");
}

#[tokio::test]
async fn a_mock_that_is_dropped_is_gone() {
    let mock = mock("{}", Limits::default()).await;
    let address = mock.base_url().replace("http://", "");
    let mut kept = connect(&mock).await;
    drop(mock);
    assert_eq!(rest(&mut kept).await.0, "");
    tokio::net::TcpStream::connect(address).await.expect_err("nobody listens");
}

#[tokio::test]
async fn a_client_that_goes_away_gives_its_ticket_back() {
    let mock = mock("{ latency: 1h, quotas: [{ concurrent: 1 }] }", Limits::default()).await;
    for times in 1..4 {
        let mut stream = connect(&mock).await;
        stream.write_all(request("sk-a", QUESTION).as_bytes()).await.expect("written");
        mock.asked(times).await;
        drop(stream);
        mock.idle().await;
    }
    assert_eq!(mock.journal().with_status(200).that_ended(Ended::Gone).count(), 3, "{}", mock.journal());
    mock.replace("{}").await.expect("a good block");
    assert_eq!(ask(&mock, "sk-a", QUESTION).await.expect("an answer").status(), 200);
}
