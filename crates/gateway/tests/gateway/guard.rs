//! Requests that could be understood in two ways: refused, and nothing of them goes upstream.

use super::*;

const HEAD: &str = "POST /v1/chat/completions HTTP/1.1\r\nhost: g\r\n";

/// What comes back for `bytes`; nothing goes upstream for them.
async fn refused(bytes: &str) -> String {
    let world = setup(&["sk-a"]).before("{}").await;
    let read = raw(&world.gateway, bytes.as_bytes()).await;
    world.gateway.idle().await;
    world.mock.assert_asked(0);
    assert_eq!(world.gateway.in_flight().sent, 0);
    read
}

/// Refused once, and then the connection is over.
#[track_caller]
fn assert_400(read: &str, bytes: &str) {
    assert!(read.starts_with("HTTP/1.1 400 ") && read.contains("connection: close"), "{bytes:?}: {read}");
    assert_eq!(read.matches("HTTP/1.1").count(), 1, "{bytes:?}: {read}");
}

#[tokio::test]
async fn a_head_that_can_be_understood_in_two_ways_is_refused() {
    let body = "\r\n\r\n3\r\nabc\r\n0\r\n\r\nGET /v1/models HTTP/1.1\r\nhost: g\r\n\r\n";
    for fields in [
        "content-length: 5\r\ntransfer-encoding: chunked",
        "transfer-encoding: chunked\r\ncontent-length: 5",
        "content-length: 5\r\ncontent-length: 5",
        "content-length: 5\r\ncontent-length: 6",
        "content-length: 5, 5",
        "content-length: +5",
        "content-length: 5 5",
        "transfer-encoding: xchunked",
        "transfer-encoding: gzip, chunked",
        "transfer-encoding: chunked, identity",
        "transfer-encoding: chunked\r\ntransfer-encoding: identity",
        "transfer-encoding\r\n : chunked",
        "transfer-encoding : chunked",
        "content-length : 5",
        "x: 1\r\n content-length: 5",
        "x: 1\r\n\tfolded\r\ncontent-length: 5",
        "x: 1\ncontent-length: 5",
        "x: 1\rcontent-length: 5",
        "x: \0\r\ncontent-length: 5",
        "host: other\r\ncontent-length: 5",
    ] {
        let bytes = format!("{HEAD}{fields}{body}");
        assert_400(&refused(&bytes).await, &bytes);
    }
    for bytes in [
        "GET / HTTP/1.1\nhost: g\n\n",
        "GET / HTTP/1.1\r\nhost: g\n\r\n",
        "GET  / HTTP/1.1\r\nhost: g\r\n\r\n",
    ] {
        assert_400(&refused(bytes).await, bytes);
    }
}

#[tokio::test]
async fn chunks_that_are_none_are_refused() {
    for chunks in [
        "x\r\nabc\r\n0\r\n\r\n",
        "3\nabc\r\n0\r\n\r\n",
        "3\r\nabcd\r\n0\r\n\r\n",
        "-3\r\nabc\r\n0\r\n\r\n",
        "3;\n\r\nabc\r\n0\r\n\r\n",
    ] {
        let bytes = format!("{HEAD}transfer-encoding: chunked\r\n\r\n{chunks}");
        let read = refused(&bytes).await;
        assert!(read.is_empty() || read.starts_with("HTTP/1.1 400 "), "{chunks:?}: {read}");
        assert!(read.matches("HTTP/1.1").count() < 2, "{chunks:?}: {read}");
    }
}

#[tokio::test]
async fn a_head_that_comes_byte_by_byte_is_looked_at_as_well() {
    let world = setup(&["sk-a"]).before("{}").await;
    let mut stream = TcpStream::connect(world.gateway.address()).await.expect("it listens");
    stream.set_nodelay(true).expect("set");
    for byte in format!("{HEAD}content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n").bytes() {
        stream.write_all(&[byte]).await.expect("written");
        tokio::task::yield_now().await;
    }
    let read = rest(&mut stream).await;
    assert!(read.starts_with("HTTP/1.1 400 "), "{read}");
    world.mock.assert_asked(0);
}

#[tokio::test]
async fn requests_that_come_together_are_each_looked_at() {
    let world = setup(&["sk-a"]).before("{}").await;
    let good = format!("{HEAD}content-length: {}\r\n\r\n{QUESTION}", QUESTION.len());
    let chunked =
        format!("{HEAD}transfer-encoding: chunked\r\n\r\n{:x}\r\n{QUESTION}\r\n0\r\n\r\n", QUESTION.len());
    let last = good.replace("host: g", "host: g\r\nconnection: close");
    let read = raw(&world.gateway, format!("{good}{chunked}\r\n{last}").as_bytes()).await;
    assert_eq!(read.matches("HTTP/1.1 200 OK").count(), 3, "{read}");
    world.mock.assert_asked(3);
    // A body of the second that is a request itself, to whoever goes by the other length.
    let smuggled = format!("{HEAD}content-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n{good}");
    let read = raw(&world.gateway, format!("{good}{smuggled}").as_bytes()).await;
    assert!(read.matches("HTTP/1.1 200 OK").count() <= 1 && read.matches("HTTP/1.1 ").count() <= 2, "{read}");
    assert!(world.mock.journal().count() <= 4);
}

#[tokio::test]
async fn a_connection_serves_one_request_after_another() {
    let world = setup(&["sk-a"]).before("{}").await;
    let client = reqwest::Client::builder().pool_max_idle_per_host(1).no_proxy().build().expect("a client");
    for _ in 0..5 {
        let answer = client.post(world.url()).body(QUESTION).send().await.expect("an answer");
        assert!(answer.text().await.expect("a body").contains("three"));
    }
    world.mock.assert_asked(5);
}
