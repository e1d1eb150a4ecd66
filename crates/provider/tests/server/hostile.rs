//! Clients that mean no good, or know no better: each is answered or dropped, and others are served meanwhile.

use std::time::Duration;

use firedrill_provider::{Ended, Limits, MockProvider};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::{QUESTION, STREAM, assert_serves, connect, mock, raw, request, rest};

/// A mock that has little patience.
async fn impatient(upstream: &str) -> MockProvider {
    let limits = Limits {
        head_time: Duration::from_millis(300),
        body_time: Duration::from_millis(300),
        idle_time: Duration::from_millis(600),
        write_time: Duration::from_millis(300),
        ..Limits::default()
    };
    MockProvider::builder().upstream(upstream).limits(limits).start().await.expect("it starts")
}

#[tokio::test]
async fn garbage_is_a_bad_request() {
    let mock = mock("{}").await;
    for garbage in [
        &b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..],
        b"GET\r\n\r\n",
        b"\0\0\0\0\r\n\r\n",
        b"A B C\r\n\r\n",
    ] {
        let (read, _) = raw(&mock, garbage).await;
        assert!(read.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{garbage:?}: {read}");
    }
    assert_serves(&mock).await;
    mock.assert_asked(1);
}

#[tokio::test]
async fn a_request_that_is_wrong_in_itself_is_told_so() {
    let mock = mock("{}").await;
    let long = "a".repeat(100 << 10);
    let good = request("sk-a", QUESTION);
    for (bytes, status) in [
        (request("sk-a", "{"), "400"),
        (request("sk-a", "[[[[[[[[[[["), "400"),
        (request("sk-a", &"[".repeat(100_000)), "400"),
        (good.replace("authorization: Bearer sk-a\r\n", ""), "401"),
        (good.replace("/v1/chat/completions", "/v1/chat"), "404"),
        (good.replace("host: mock", &format!("host: mock\r\nx-long: {long}")), "431"),
        (good.replace("/v1/chat/completions", &format!("/{long}")), "4"),
        (good.replace("content-length: ", "content-length: 9999999999999999999"), "400"),
        (good.replace("content-length: ", "transfer-encoding: gzip\r\ncontent-length: "), "400"),
    ] {
        let bytes = bytes.replacen("\r\n", "\r\nconnection: close\r\n", 1);
        let (read, _) = raw(&mock, bytes.as_bytes()).await;
        assert!(read.starts_with(&format!("HTTP/1.1 {status}")), "{status}: {read}");
    }
    assert_serves(&mock).await;
}

#[tokio::test]
async fn half_a_request_is_dropped_in_time() {
    let mock = impatient("{}").await;
    let whole = request("sk-a", QUESTION);
    let head = whole.find("\r\n\r\n").expect("a head");
    for half in [0, 1, 20, head + 2, head + 4, head + 10] {
        let mut stream = connect(&mock).await;
        stream.write_all(&whole.as_bytes()[..half]).await.expect("written");
        assert_serves(&mock).await;
        let (read, _) =
            tokio::time::timeout(Duration::from_secs(3), rest(&mut stream)).await.expect("dropped");
        // A body that is cut off is answered as what it is; what has no end of its head is not.
        assert!(read.is_empty() || half > head + 3 && read.starts_with("HTTP/1.1 4"), "{half}: {read}");
    }
}

#[tokio::test]
async fn a_body_that_breaks_off_is_nobodys_call() {
    let mock = impatient("sk-a: [429, 200]").await;
    let mut stream = connect(&mock).await;
    // As far as it goes it would be a good question.
    let longer = request("sk-a", QUESTION).replace("content-length: ", "content-length: 9");
    stream.write_all(longer.as_bytes()).await.expect("written");
    drop(stream);
    mock.asked(1).await;
    assert_eq!(mock.journal()[0].status, 400);
    assert_eq!(mock.journal().of("sk-a").count(), 0);
}

#[tokio::test]
async fn a_request_that_comes_byte_by_byte_is_dropped_in_time() {
    let mock = impatient("{}").await;
    let mut stream = connect(&mock).await;
    let mut sent = 0;
    for byte in request("sk-a", QUESTION).bytes() {
        if stream.write_all(&[byte]).await.is_err() {
            break;
        }
        sent += 1;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(sent < 60, "{sent} bytes were taken");
    mock.assert_asked(0);
}

#[tokio::test]
async fn a_body_of_a_gigabyte_is_too_large() {
    let mock = mock("{}").await;
    let head = request("sk-a", "").replace("content-length: 0", "content-length: 1073741824");
    let (read, _) = raw(&mock, head.as_bytes()).await;
    assert!(read.starts_with("HTTP/1.1 413 "), "{read}");

    let mut stream = connect(&mock).await;
    stream
        .write_all(head.replace("content-length: 1073741824", "transfer-encoding: chunked").as_bytes())
        .await
        .expect("written");
    let megabyte = [b"100000\r\n", &vec![b'a'; 1 << 20][..], b"\r\n"].concat();
    let mut sent = 0;
    while sent < 1024 && stream.write_all(&megabyte).await.is_ok() {
        sent += 1;
    }
    // 32 are read, 32 more are dropped, and the rest is what the sockets hold.
    assert!((32..128).contains(&sent), "{sent} MiB were taken");
    assert_serves(&mock).await;
    assert_eq!(mock.journal().with_status(413).count(), 2, "{}", mock.journal());
}

#[tokio::test]
async fn a_reader_of_one_byte_a_second_is_dropped_and_gives_its_ticket_back() {
    let mock = impatient("{ sk-a: { fault: endless }, quotas: [{ concurrent: 1 }] }").await;
    let mut stream = connect(&mock).await;
    stream.write_all(request("sk-a", STREAM).as_bytes()).await.expect("written");
    for _ in 0..2 {
        stream.read_u8().await.expect("a byte");
        assert_serves(&mock).await;
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    tokio::time::timeout(Duration::from_secs(5), mock.idle()).await.expect("dropped");
    assert_eq!(mock.journal().of("sk-a").that_ended(Ended::Gone).count(), 1);
    assert!(mock.journal().of("sk-a")[0].bytes < 32 << 20);
}

#[tokio::test]
async fn two_thousand_connections_at_once_are_served() {
    let mock = mock("{}").await;
    let mut streams = Vec::new();
    for _ in 0..2_000 {
        streams.push(connect(&mock).await);
    }
    assert_serves(&mock).await;
    let asked = request("sk-a", QUESTION).replacen("\r\n", "\r\nconnection: close\r\n", 1);
    for stream in &mut streams {
        stream.write_all(asked.as_bytes()).await.expect("written");
    }
    for mut stream in streams {
        let (read, _) = rest(&mut stream).await;
        assert!(read.starts_with("HTTP/1.1 200 OK"), "{read}");
    }
    mock.assert_asked(2_001);
}

#[tokio::test]
async fn a_client_that_makes_up_tokens_takes_no_memory() {
    let mock = mock("{}").await;
    let mut stream = connect(&mock).await;
    let (mut reading, mut writing) = stream.split();
    let write = async {
        for number in 0..10_050 {
            let request = request(&format!("made-up-{number}"), QUESTION);
            writing.write_all(request.as_bytes()).await.expect("written");
        }
        // Who ends the connection before it is answered has gone away.
        mock.asked(10_050).await;
    };
    let read = async {
        let mut read = vec![0; 1 << 16];
        while reading.read(&mut read).await.expect("answers") > 0 {}
    };
    tokio::select! {
        () = write => {}
        () = read => panic!("the mock has ended the connection"),
    }
    mock.assert_asked(10_050);
    assert_eq!(mock.journal().of("token-others").count(), 50);
    let state = crate::client().get(format!("{}/state", mock.control_url())).send().await.expect("an answer");
    let state: serde_json::Value = serde_json::from_str(&state.text().await.expect("a body")).expect("JSON");
    assert_eq!(state["providers"][0]["tokens"].as_array().map(Vec::len), Some(10_001));
}
