//! Requests that are held until somebody answers them, and waiting for what comes of requests without looking at a real clock.

use std::time::Duration;

use firedrill_provider::{Answer, AnswerError, Ended, MockProvider, Virtual};
use tokio::io::AsyncWriteExt;
use tokio::task::JoinHandle;

use crate::{QUESTION, STREAM, ask, connect, on_virtual_time, request, rest};

/// A client that asks, reads to the end of the connection, and gives what it read.
async fn asks(mock: &MockProvider, token: &str, question: &str) -> JoinHandle<String> {
    let mut stream = connect(mock).await;
    let request = request(token, question).replacen("\r\n", "\r\nconnection: close\r\n", 1);
    stream.write_all(request.as_bytes()).await.expect("written");
    tokio::spawn(async move { rest(&mut stream).await.0 })
}

#[tokio::test]
async fn what_is_held_is_answered_by_hand_in_any_order() {
    let mock = on_virtual_time("{ sk-a: [418, 200], sk-b: 200, quotas: [{ requests: 2, per: 1m }] }").await;
    mock.hold(|asked| asked.model == "gpt-4o");
    let mut clients = Vec::new();
    for (token, question) in [("sk-a", QUESTION), ("sk-b", STREAM), ("sk-a", QUESTION)] {
        clients.push(asks(&mock, token, question).await);
        mock.settled(clients.len() as u64).await;
    }
    let held = mock.held();
    let numbers: Vec<u64> = held.iter().map(|entry| entry.number).collect();
    assert_eq!((numbers, held.of("sk-a").count(), mock.waiting()), (vec![1, 2, 3], 2, 3));
    assert_eq!(
        (&*held[1].token, &*held[1].model, held[1].stream, held[1].status),
        ("sk-b", "gpt-4o", true, 0)
    );
    assert!(mock.journal().to_string().contains("1 at 0ms sk-a: POST /v1/chat/completions: nothing, still"));

    mock.answer("sk-b", 200).expect("it is held");
    mock.answer("sk-a", "{ status: 429, retryAfter: 5s }").expect("it is held");
    mock.settled(3).await;
    assert_eq!((mock.held().count(), mock.held()[0].number), (1, 3));
    mock.answer("sk-a", Answer::plain(firedrill_failover::Status::new(503).expect("a status")))
        .expect("held");
    let mut read = Vec::new();
    for client in clients {
        read.push(client.await.expect("no panic"));
    }
    mock.idle().await;
    mock.assert_answered("sk-a", &[429, 503]);
    let told: Vec<_> = mock.journal().iter().map(|entry| (entry.refusal, entry.ended)).collect();
    let whole = Some(Ended::Whole);
    assert_eq!(told, [(Some("hand"), whole), (None, whole), (Some("hand"), whole)]);
    assert!(
        read[0].starts_with("HTTP/1.1 429 ") && read[0].contains("\r\nretry-after: 5\r\n"),
        "{}",
        read[0]
    );
    assert!(read[0].contains("x-ratelimit-remaining-requests: 2") && read[0].contains("Rate limit reached"));
    assert!(read[1].contains("data: [DONE]"), "{}", read[1]);
    assert!(read[2].starts_with("HTTP/1.1 503 "), "{}", read[2]);

    // No script has moved on, and no quota was used.
    mock.hold(|_| false);
    for status in [418, 200, 429] {
        assert_eq!(ask(&mock, "sk-a", QUESTION).await.expect("an answer").status(), status);
    }
}

#[tokio::test]
async fn an_answer_by_hand_may_take_its_time_or_break() {
    let builder = MockProvider::builder().hold(|_| true).clock(Virtual::default());
    let mock = builder.upstream("pace: { between: 1s }").start().await.expect("it starts");
    let slow = asks(&mock, "sk-slow", QUESTION).await;
    let broken = asks(&mock, "sk-broken", QUESTION).await;
    let stalled = asks(&mock, "sk-stalled", QUESTION).await;
    let stream = asks(&mock, "sk-stream", STREAM).await;
    mock.settled(4).await;
    mock.answer("sk-slow", "{ status: 429, latency: 3s }").expect("held");
    mock.answer("sk-broken", "{ fault: { cut: { bytes: 5 } } }").expect("held");
    mock.answer("sk-stalled", "{ fault: stall }").expect("held");
    mock.answer("sk-stream", 200).expect("held");
    mock.settled(4).await;
    assert_eq!((mock.held().count(), mock.waiting()), (0, 3));
    let read = broken.await.expect("no panic");
    assert_eq!(read.split_once("\r\n\r\n").map(|(_, body)| body.len()), Some(5), "{read}");
    mock.advance(Duration::from_secs(3)).await;
    mock.settled(4).await;
    // The stream is waiting for its next event.
    assert_eq!(mock.waiting(), 2);
    assert!(slow.await.expect("no panic").starts_with("HTTP/1.1 429 "));
    while mock.waiting() > 1 {
        mock.advance(Duration::from_secs(1)).await;
        mock.settled(4).await;
    }
    assert!(stream.await.expect("no panic").contains("[DONE]"));
    assert!(!stalled.is_finished());
    assert_eq!(mock.journal().of("sk-broken")[0].fault, Some("cut"));
}

#[tokio::test]
async fn a_client_that_goes_away_is_held_no_more() {
    let mock = MockProvider::builder().hold(|_| true).start().await.expect("it starts");
    for times in 1..4 {
        let mut stream = connect(&mock).await;
        stream.write_all(request("sk-a", QUESTION).as_bytes()).await.expect("written");
        mock.settled(times).await;
        assert_eq!(mock.held().count(), 1);
        drop(stream);
        mock.idle().await;
    }
    assert_eq!((mock.held().count(), mock.waiting()), (0, 0));
    mock.assert_answered("sk-a", &[0, 0, 0]);
    let error = mock.answer("sk-a", 200).expect_err("nothing is held");
    assert!(matches!(error, AnswerError::NoneHeld(_)), "{error}");
}

#[tokio::test]
async fn only_what_is_meant_is_held_and_no_stranger() {
    let builder = MockProvider::builder().token_as("secret", "first").hold(|asked| &*asked.token == "first");
    let mock = builder.start().await.expect("it starts");
    assert_eq!(ask(&mock, "another", QUESTION).await.expect("an answer").status(), 401);
    let held = asks(&mock, "secret", QUESTION).await;
    mock.settled(2).await;
    mock.hold(|_| false);
    assert_eq!(ask(&mock, "secret", QUESTION).await.expect("an answer").status(), 200);
    // It begins anew, and what is held stays so.
    mock.reset().await;
    mock.answer("first", 402).expect("it is held still");
    assert!(held.await.expect("no panic").starts_with("HTTP/1.1 402 "));
}

#[tokio::test]
async fn an_answer_that_cannot_be_meant_is_refused() {
    let mock = on_virtual_time("{}").await;
    for (answer, expect) in [
        ("[429, 200]", "expected one answer, found 2 (each request that is held is answered by itself)"),
        ("42", "answer:1:1: expected a status from 100 to 999, found `42`"),
        ("{ status: 503, tims: 2 }", "answer:1:16: unknown key `tims` (did you mean `times`?)"),
        ("429", "no request of `sk-a` is held (wait for it: `mock.settled(1).await`)"),
    ] {
        assert_eq!(mock.answer("sk-a", answer).expect_err(answer).to_string(), expect);
    }
    let error =
        mock.answer("sk-proj-aB3dE5fG7hJ9kL2mN4pQ6rS8tU1vW3xY5zA7bC9d", 200).expect_err("nothing is held");
    assert!(!error.to_string().contains("aB3dE5fG7hJ9"), "{error}");
}

#[tokio::test]
async fn who_waits_for_a_time_that_has_come_is_on_its_way() {
    let mock = on_virtual_time("{ latency: 1s, pace: { first: 1s } }").await;
    let client = asks(&mock, "sk-a", STREAM).await;
    for seconds in 0..2 {
        mock.settled(1).await;
        assert_eq!((mock.waiting(), client.is_finished()), (1, false), "after {seconds} s");
        mock.advance(Duration::from_secs(1)).await;
        // It may not be awake yet, but it waits no more.
        assert!(mock.waiting() == 0 || seconds == 0);
    }
    mock.settled(1).await;
    assert_eq!(mock.journal().that_ended(Ended::Whole).count(), 1);
    assert!(client.await.expect("no panic").contains("[DONE]"));
}

#[tokio::test]
async fn what_is_let_go_is_answered_as_if_it_came_only_now() {
    let upstream = "{ sk-a: [429, 200], quotas: [{ llmTokens: 30, per: 1m }] }";
    let builder = MockProvider::builder().upstream(upstream).llm_tokens(10).hold(|_| true);
    let clock = Virtual::default();
    let mock = builder.clock(clock.clone()).start().await.expect("it starts");
    let mut clients = Vec::new();
    for asked in 1..=5 {
        clients.push(asks(&mock, if asked == 2 { "sk-b" } else { "sk-a" }, QUESTION).await);
        mock.settled(asked).await;
    }
    assert_eq!((mock.open(), mock.held().count()), (5, 5));
    mock.release("sk-b").expect("it is held");
    for _ in 0..4 {
        mock.release("sk-a").expect("it is held");
        mock.settled(5).await;
    }
    assert!(matches!(mock.release("sk-a"), Err(AnswerError::NoneHeld(_))));
    for client in clients {
        client.await.expect("no panic");
    }
    mock.idle().await;
    // Thirty for three calls of ten, whatever they say.
    mock.assert_answered("sk-a", &[429, 200, 200, 429]);
    mock.assert_answered("sk-b", &[200]);
    let refusals: Vec<_> = mock.journal().of("sk-a").iter().map(|entry| entry.refusal).collect();
    assert_eq!(refusals, [Some("script"), None, None, Some("quota")]);
    assert_eq!(mock.open(), 0);
}
