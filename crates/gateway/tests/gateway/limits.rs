//! What a client may take: a slow one, a long one, and too many of them. Of real time, so the limits are short here.

use std::time::Duration as Time;

use super::*;

#[tokio::test]
async fn a_body_that_is_too_long_goes_nowhere() {
    let setup = setup(&["sk-a"]).settings(|settings| settings.limits.body_bytes = 100);
    let world = setup.before("{}").await;
    let head = "POST /v1/chat/completions HTTP/1.1\r\nhost: g\r\n";
    let announced = format!("{head}content-length: 101\r\n\r\n");
    let chunked = format!(
        "{head}transfer-encoding: chunked\r\n\r\n33\r\n{}\r\n33\r\n{}\r\n",
        "x".repeat(0x33),
        "x".repeat(0x33)
    );
    for bytes in [announced, chunked] {
        let read = raw(&world.gateway, bytes.as_bytes()).await;
        assert!(read.starts_with("HTTP/1.1 413 ") && read.contains(r#""code":"body_too_large""#), "{read}");
    }
    world.mock.assert_asked(0);
    let answer = client().post(world.url()).body("x".repeat(100)).send().await.expect("an answer");
    assert_eq!(answer.status(), 400, "it has gone upstream, which does not like it");
    world.mock.assert_asked(1);
}

#[tokio::test]
async fn a_body_that_breaks_off_goes_nowhere() {
    let world = setup(&["sk-a"]).before("{}").await;
    let mut stream = TcpStream::connect(world.gateway.address()).await.expect("it listens");
    let half =
        format!("POST /v1/chat/completions HTTP/1.1\r\nhost: g\r\ncontent-length: 999\r\n\r\n{QUESTION}");
    stream.write_all(half.as_bytes()).await.expect("written");
    drop(stream);
    world.until(|world| world.gateway.metrics().requests() == 1).await;
    world.gateway.idle().await;
    world.mock.assert_asked(0);
    let metrics = world.gateway.metrics();
    assert_eq!(metrics.answers() + metrics.aborts(), 1);
}

#[tokio::test]
async fn a_head_that_is_too_long_is_refused() {
    let setup = setup(&["sk-a"]).settings(|settings| settings.limits.head_bytes = 10_000);
    let world = setup.before("{}").await;
    for length in [9_000, 11_000, 1_000_000] {
        let bytes = format!(
            "GET /v1/models HTTP/1.1\r\nhost: g\r\nconnection: close\r\nx: {}\r\n\r\n",
            "x".repeat(length)
        );
        let read = raw(&world.gateway, bytes.as_bytes()).await;
        let status = if length < 10_000 { "404" } else { "431" };
        assert!(read.starts_with(&format!("HTTP/1.1 {status} ")), "{length}: {read}");
    }
    world.mock.assert_asked(1);
}

/// In front of a mock, and impatient.
async fn impatient() -> World {
    let limits = |settings: &mut Settings| {
        settings.limits.head_time = Time::from_millis(100);
        settings.limits.body_time = Time::from_millis(100);
        settings.limits.idle_time = Time::from_millis(100);
        settings.limits.write_time = Time::from_millis(100);
    };
    setup(&["sk-a"]).settings(limits).before("{}").await
}

#[tokio::test]
async fn a_client_that_is_slow_is_dropped_and_others_are_served() {
    let world = impatient().await;
    let whole = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: g\r\ncontent-length: {}\r\n\r\n{QUESTION}",
        QUESTION.len()
    );
    let head = whole.find("\r\n\r\n").expect("a head") + 4;
    for half in [0, 1, 20, head - 2, head, head + 10] {
        let mut stream = TcpStream::connect(world.gateway.address()).await.expect("it listens");
        stream.write_all(&whole.as_bytes()[..half]).await.expect("written");
        let read = rest(&mut stream).await;
        assert!(read.is_empty() || half >= head && read.starts_with("HTTP/1.1 400 "), "{half}: {read}");
    }
    world.mock.assert_asked(0);
    assert_eq!(world.ask(QUESTION).await.status(), 200);
}

#[tokio::test]
async fn a_body_and_a_pause_have_times_of_their_own() {
    let limits = |settings: &mut Settings| {
        settings.limits.head_time = Time::from_mins(1);
        settings.limits.body_time = Time::from_millis(100);
        settings.limits.idle_time = Time::from_millis(200);
    };
    let world = setup(&["sk-a"]).settings(limits).before("{ sk-a: 200, latency: 1s }").await;
    let head = "POST /v1/chat/completions HTTP/1.1\r\nhost: g\r\ncontent-length: ";
    let mut stream = TcpStream::connect(world.gateway.address()).await.expect("it listens");
    stream.write_all(format!("{head}999\r\n\r\n{QUESTION}").as_bytes()).await.expect("written");
    let read = rest(&mut stream).await;
    assert!(read.is_empty() || read.starts_with("HTTP/1.1 400 "), "{read}");
    // While it is answered it need not write; afterwards it must again.
    let mut stream = TcpStream::connect(world.gateway.address()).await.expect("it listens");
    stream
        .write_all(format!("{head}{}\r\n\r\n{QUESTION}", QUESTION.len()).as_bytes())
        .await
        .expect("written");
    world.asked(1).await;
    tokio::time::sleep(Time::from_millis(300)).await;
    world.advance(1_000).await;
    let read = rest(&mut stream).await;
    assert!(read.starts_with("HTTP/1.1 200 ") && read.contains("three"), "{read}");
}

#[tokio::test]
async fn a_head_that_goes_on_for_ever_is_dropped() {
    let world = impatient().await;
    let mut stream = TcpStream::connect(world.gateway.address()).await.expect("it listens");
    stream.write_all(b"GET / HTTP/1.1\r\nhost: g\r\n").await.expect("written");
    let mut lines = 0;
    while stream.write_all(b"x: 1\r\n").await.is_ok() {
        lines += 1;
        assert!(lines < 1_000, "it is still taken");
        tokio::time::sleep(Time::from_millis(5)).await;
    }
    world.mock.assert_asked(0);
}

#[tokio::test]
async fn a_client_for_whom_there_is_no_room_is_told() {
    let setup = setup(&["sk-a"]).settings(|settings| settings.limits.connections = 1);
    let world = setup.before("{ sk-a: { fault: stall } }").await;
    let first = tokio::spawn(world.asking(QUESTION).send());
    world.asked(1).await;
    let read = raw(&world.gateway, b"GET / HTTP/1.1\r\nhost: g\r\n\r\n").await;
    assert!(read.starts_with("HTTP/1.1 503 ") && read.contains(r#""code":"connections""#), "{read}");
    first.abort();
    world.gateway.idle().await;
    world.mock.assert_asked(1);
}

#[tokio::test]
async fn a_gateway_that_stops_lets_answers_end_and_takes_no_more() {
    let World { mock, gateway, clock: _clock } =
        setup(&["sk-a"]).failing_over().before("{ sk-a: 429, latency: 1s }").await;
    let address = gateway.address();
    let url = format!("http://{address}/v1/chat/completions");
    let shell = gateway.shell().clone();
    let asked = tokio::spawn(client().post(url).body(QUESTION).send());
    mock.asked(1).await;
    let stopping = tokio::spawn(gateway.stop());
    while TcpStream::connect(address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    assert!(!stopping.is_finished());
    mock.advance(Time::from_secs(1)).await;
    assert_eq!(asked.await.expect("no panic").expect("an answer").status(), 429);
    stopping.await.expect("no panic");
    assert_eq!(shell.look(firedrill_failover::Pool::available_len), 0, "what was reported is settled");
}

#[tokio::test]
async fn a_gateway_that_stops_waits_no_longer_than_it_may() {
    let setup = setup(&["sk-a"]).settings(|settings| settings.limits.grace = Time::from_millis(50));
    let World { mock, gateway, clock: _clock } = setup.before("{ sk-a: { fault: stall } }").await;
    let url = format!("http://{}/v1/chat/completions", gateway.address());
    let asked = tokio::spawn(client().post(url).body(QUESTION).send());
    mock.asked(1).await;
    gateway.stop().await;
    asked.await.expect("no panic").expect_err("it was broken off");
    mock.idle().await;
}
