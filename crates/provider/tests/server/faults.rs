//! Every fault, as a client sees it.

use std::io::ErrorKind;
use std::time::Duration;

use firedrill_provider::Ended;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::{QUESTION, STREAM, ask, connect, mock, on_virtual_time, raw, request};

/// Asks a mock with this fault, byte by byte. Gives what came and how the connection ended; asserts what the journal says.
async fn check(fault: &str, question: &str, ended: Ended) -> (String, std::io::Result<()>) {
    let mock = mock(&format!("sk-a: {{ fault: {fault} }}")).await;
    let result = raw(&mock, request("sk-a", question).as_bytes()).await;
    mock.idle().await;
    let journal = mock.journal();
    assert_eq!(journal.that_ended(ended).count(), 1, "{journal}");
    let body = result.0.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    if !result.0.contains("chunked") {
        assert_eq!(journal[0].bytes, body.len() as u64);
    }
    result
}

fn kind(ended: &std::io::Result<()>) -> Option<ErrorKind> {
    ended.as_ref().err().map(std::io::Error::kind)
}

fn length(head: &str) -> usize {
    let (_, rest) = head.split_once("content-length: ").expect("a length");
    rest.lines().next().expect("a line").parse().expect("a number")
}

#[tokio::test]
async fn a_reset_comes_before_a_byte() {
    let (read, ended) = check("reset", QUESTION, Ended::Broken).await;
    assert_eq!((&*read, kind(&ended)), ("", Some(ErrorKind::ConnectionReset)));
    let mock = mock("sk-a: { fault: reset }").await;
    let error = ask(&mock, "sk-a", QUESTION).await.expect_err("no answer");
    assert!(error.is_request() && !error.is_connect(), "{error:?}");
}

#[tokio::test]
async fn a_reset_after_the_headers_leaves_them() {
    for _ in 0..20 {
        let (read, ended) = check("resetAfterHeaders", QUESTION, Ended::Broken).await;
        assert!(read.starts_with("HTTP/1.1 200 OK\r\n") && read.ends_with("\r\n\r\n"), "{read}");
        assert_eq!(kind(&ended), Some(ErrorKind::ConnectionReset));
    }
    let mock = mock("sk-a: { fault: resetAfterHeaders }").await;
    let answer = ask(&mock, "sk-a", QUESTION).await.expect("headers");
    answer.text().await.expect_err("no body");
}

#[tokio::test]
async fn a_cut_ends_in_the_middle() {
    let (read, ended) = check("{ cut: { bytes: 5 } }", QUESTION, Ended::Broken).await;
    let (head, body) = read.split_once("\r\n\r\n").expect("a head");
    assert_eq!((body.len(), kind(&ended)), (5, None));
    assert!(length(head) > 5);
    let (read, ended) = check("{ cut: { events: 2 } }", STREAM, Ended::Broken).await;
    assert_eq!((read.matches("data: ").count(), kind(&ended)), (2, None));
    assert!(!read.contains("\r\n0\r\n"), "{read}");
    let mock = mock("sk-a: { fault: { cut: { events: 2 } } }").await;
    for question in [QUESTION, STREAM] {
        let answer = ask(&mock, "sk-a", question).await.expect("headers");
        answer.text().await.expect_err("no whole body");
    }
}

#[tokio::test]
async fn a_framing_that_breaks_is_no_end() {
    let (read, ended) = check("malformedChunk", QUESTION, Ended::Broken).await;
    assert!(read.contains("transfer-encoding: chunked") && read.ends_with("\r\nnot a length\r\n"), "{read}");
    assert_eq!(kind(&ended), None);
    let mock = mock("sk-a: { fault: malformedChunk }").await;
    for question in [QUESTION, STREAM] {
        let answer = ask(&mock, "sk-a", question).await.expect("headers");
        let error = answer.text().await.expect_err("no whole body");
        assert!(format!("{error:?}").contains("Invalid chunk size"), "{error:?}");
    }
}

#[tokio::test]
async fn a_length_may_promise_too_much() {
    let (read, ended) = check("wrongLength", QUESTION, Ended::Broken).await;
    let (head, body) = read.split_once("\r\n\r\n").expect("a head");
    assert_eq!((length(head), kind(&ended)), (body.len() + 64, None));
    let (read, ended) = check("wrongLength", STREAM, Ended::Broken).await;
    let (head, body) = read.split_once("\r\n\r\n").expect("a head");
    assert_eq!((length(head), kind(&ended)), (body.len() + 64, None));
    assert!(body.starts_with("data: ") && body.ends_with("data: [DONE]\n\n"), "{body}");
    let mock = mock("sk-a: { fault: wrongLength }").await;
    let answer = ask(&mock, "sk-a", QUESTION).await.expect("headers");
    answer.text().await.expect_err("no whole body");
}

#[tokio::test]
async fn what_is_no_json_is_well_framed() {
    let mock = mock("sk-a: { fault: invalidJson }").await;
    let body = ask(&mock, "sk-a", QUESTION).await.expect("headers").text().await.expect("a body");
    assert!(body.starts_with('{') && serde_json::from_str::<serde_json::Value>(&body).is_err(), "{body}");
    let body = ask(&mock, "sk-a", STREAM).await.expect("headers").text().await.expect("a body");
    let events: Vec<&str> = body.split_terminator("\n\n").map(|event| &event["data: ".len()..]).collect();
    let bad: Vec<bool> =
        events.iter().map(|event| serde_json::from_str::<serde_json::Value>(event).is_err()).collect();
    assert!(bad[0] && bad.len() > 3 && bad[1..bad.len() - 1].iter().all(|bad| !bad), "{body}");
    assert_eq!(events.last(), Some(&"[DONE]"));
}

#[tokio::test]
async fn an_error_may_come_inside_a_stream() {
    let mock = mock("sk-a: { status: 429, fault: errorEvent }").await;
    let answer = ask(&mock, "sk-a", STREAM).await.expect("headers");
    assert_eq!(answer.status(), 200);
    let body = answer.text().await.expect("a body");
    assert!(body.starts_with("data: {\"error\""), "{body}");
}

#[tokio::test]
async fn a_stall_ends_only_with_the_client() {
    let mock = mock("{ sk-a: { fault: stall }, sk-b: { fault: { stallAfter: { events: 1 } } }, quotas: [{ concurrent: 1 }] }").await;
    let mut stream = connect(&mock).await;
    stream.write_all(request("sk-a", QUESTION).as_bytes()).await.expect("written");
    let nothing = tokio::time::timeout(Duration::from_millis(100), stream.read_u8()).await;
    assert!(nothing.is_err(), "{nothing:?}");
    assert_eq!(ask(&mock, "sk-a", QUESTION).await.expect("an answer").status(), 429);
    drop(stream);
    mock.idle().await;
    assert_eq!(mock.journal().of("sk-a").that_ended(Ended::Gone).count(), 1, "{}", mock.journal());

    let mut answer = ask(&mock, "sk-b", STREAM).await.expect("headers");
    assert!(answer.chunk().await.expect("an event").expect("an event").starts_with(b"data: "));
    assert!(tokio::time::timeout(Duration::from_millis(100), answer.chunk()).await.is_err());
    assert_eq!(ask(&mock, "sk-b", STREAM).await.expect("an answer").status(), 429);
    drop(answer);
    mock.idle().await;
    let mut again = ask(&mock, "sk-b", STREAM).await.expect("headers");
    assert_eq!(again.status(), 200, "the ticket was given back");
    assert!(again.chunk().await.expect("an event").is_some());
}

#[tokio::test]
async fn a_drip_comes_by_the_clock() {
    let upstream = "sk-a: { fault: { drip: { bytes: 100, every: 1s } } }";
    let mock = on_virtual_time(upstream).await;
    let mut answer = ask(&mock, "sk-a", QUESTION).await.expect("headers");
    let whole = usize::try_from(answer.content_length().expect("a length")).expect("a size");
    let mut read = answer.chunk().await.expect("bytes").expect("bytes").len();
    assert_eq!(read, 100);
    while read < whole {
        assert!(tokio::time::timeout(Duration::from_millis(30), answer.chunk()).await.is_err());
        mock.advance(Duration::from_secs(1)).await;
        read += answer.chunk().await.expect("bytes").expect("bytes").len();
        assert!(read == whole || read.is_multiple_of(100), "{read}");
    }
    assert_eq!(answer.chunk().await.expect("the end"), None);
}

#[tokio::test]
async fn an_endless_answer_is_not_held_in_memory() {
    for question in [QUESTION, STREAM] {
        let mock = mock("sk-a: { fault: endless }").await;
        let mut answer = ask(&mock, "sk-a", question).await.expect("headers");
        let mut read = 0;
        while read < 8 << 20 {
            read += answer.chunk().await.expect("bytes").expect("more bytes").len();
        }
        drop(answer);
        mock.idle().await;
        assert_eq!(mock.journal().that_ended(Ended::Gone).count(), 1);
    }
}

#[tokio::test]
async fn an_outage_may_refuse_connections() {
    let upstream = "outages: [{ from: 10s, for: 5s, fault: refused }]";
    let mock = on_virtual_time(upstream).await;
    let kept = reqwest::Client::builder().no_proxy().build().expect("a client");
    let url = format!("{}/v1/chat/completions", mock.base_url());
    let keep = || kept.post(&url).bearer_auth("sk-a").body(QUESTION).send();
    assert!(!keep().await.expect("an answer").bytes().await.expect("a body").is_empty());
    for _ in 0..3 {
        assert_eq!(ask(&mock, "sk-a", QUESTION).await.expect("an answer").status(), 200);
        mock.advance(Duration::from_secs(10)).await;
        let error = ask(&mock, "sk-a", QUESTION).await.expect_err("nobody listens");
        assert!(error.is_connect(), "{error:?}");
        assert!(format!("{error:?}").contains("ConnectionRefused"), "{error:?}");
        mock.advance(Duration::from_millis(4_999)).await;
        assert!(ask(&mock, "sk-a", QUESTION).await.expect_err("nobody listens").is_connect());
        mock.advance(Duration::from_millis(1)).await;
        assert_eq!(ask(&mock, "sk-a", QUESTION).await.expect("an answer").status(), 200);
        mock.reset().await;
    }
    mock.advance(Duration::from_secs(11)).await;
    keep().await.expect_err("a connection from before is reset, and no other is to be had");
}

#[tokio::test]
async fn a_status_that_is_no_answer_is_sent_as_it_is() {
    let mock = mock("sk-a: 103").await;
    let (read, _) = raw(&mock, request("sk-a", QUESTION).as_bytes()).await;
    assert!(read.starts_with("HTTP/1.1 103 Early Hints\r\n"), "{read}");
}

#[tokio::test]
async fn a_pipeline_is_answered_up_to_the_fault() {
    let mock = mock("sk-b: { fault: reset }").await;
    let both = request("sk-a", QUESTION) + &request("sk-b", QUESTION);
    let (read, ended) = raw(&mock, both.as_bytes()).await;
    assert_eq!(
        (read.matches("HTTP/1.1 200 OK").count(), kind(&ended)),
        (1, Some(ErrorKind::ConnectionReset))
    );
}
