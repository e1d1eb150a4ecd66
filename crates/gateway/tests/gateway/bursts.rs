//! Events that upstream sends at once: they go on together, whole and in order, and with a bound.

use super::upstream::Upstream;
use super::*;
use crate::tokens::ECHOED;

const STREAMING: &str =
    "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";

fn event(number: usize) -> String {
    format!("data: {{\"word\":{number}}}\n\n")
}

fn chunk(bytes: &str) -> String {
    format!("{:x}\r\n{bytes}\r\n", bytes.len())
}

/// What a client reads that is answered by an upstream which says `pieces`, one write each.
async fn answered(tokens: &[&'static str], pieces: &[&str]) -> String {
    let upstream = Upstream::saying(pieces).await;
    let gateway = setup(tokens).in_front_of(&upstream.base(), &Virtual::default()).await;
    let answer = raw(&gateway, b"GET / HTTP/1.1\r\nhost: g\r\nconnection: close\r\n\r\n").await;
    gateway.idle().await;
    answer
}

/// The chunks of an answer, as far as they are whole.
fn chunks(answer: &str) -> Vec<&str> {
    let (_, mut rest) = answer.split_once("\r\n\r\n").expect("a head");
    let mut chunks = Vec::new();
    while let Some((length, after)) = rest.split_once("\r\n") {
        let length = usize::from_str_radix(length, 16).expect("a length");
        let Some(chunk) = after.get(..length).filter(|chunk| !chunk.is_empty()) else { break };
        chunks.push(chunk);
        rest = &after[length + 2..];
    }
    chunks
}

#[tokio::test]
async fn a_burst_of_events_goes_on_in_one_piece() {
    let events: Vec<String> = (0..60).map(event).collect();
    let burst: String = events.iter().map(|event| chunk(event)).collect();
    let answer = answered(&["sk-a"], &[&format!("{STREAMING}{burst}0\r\n\r\n")]).await;
    assert_eq!(chunks(&answer), [events.concat()]);
}

#[tokio::test]
async fn what_goes_on_together_has_a_bound() {
    let events: Vec<String> = (0..6_000).map(event).collect();
    let burst: String = events.iter().map(|event| chunk(event)).collect();
    let answer = answered(&["sk-a"], &[&format!("{STREAMING}{burst}0\r\n\r\n")]).await;
    let chunks = chunks(&answer);
    assert_eq!(chunks.concat(), events.concat());
    let longest = chunks.iter().map(|chunk| chunk.len()).max();
    assert!(longest < Some((16 << 10) + 64), "{longest:?} bytes at once");
}

#[tokio::test]
async fn what_came_before_a_break_comes_to_the_client() {
    let events: Vec<String> = (0..60).map(event).collect();
    let burst: String = events.iter().map(|event| chunk(event)).collect();
    for rest in ["", "5\r\nda", "no length\r\n"] {
        let answer = answered(&["sk-a"], &[&format!("{STREAMING}{burst}{rest}")]).await;
        assert!(!answer.ends_with("0\r\n\r\n"), "{answer}");
        let came = chunks(&answer).concat();
        assert!(came.starts_with(&events.concat()), "{rest:?}: {came}");
    }
}

#[tokio::test]
async fn a_token_between_the_events_of_a_burst_is_covered() {
    let (one, two) = ECHOED.split_at(11);
    let told = [format!("data: it is {one}"), format!("{two}\n\n"), format!("data: {ECHOED}\n\n")];
    let burst: String = told.iter().map(|told| chunk(told)).collect();
    let answer = answered(&["echoed"], &[&format!("{STREAMING}{burst}0\r\n\r\n")]).await;
    let masked = "[token]****************";
    assert_eq!(chunks(&answer).concat(), format!("data: it is {masked}\n\ndata: {masked}\n\n"));
}
