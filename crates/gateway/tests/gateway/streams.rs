//! Answers that come in pieces: as they come, as fast as they are taken, and broken where they break.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use firedrill_provider::Ended;
use tokio::net::TcpListener;

use super::*;

#[tokio::test]
async fn events_come_one_by_one_and_in_order() {
    let world = setup(&["sk-a"]).before("{ pace: { first: 1s, between: 1s } }").await;
    let asked = tokio::spawn(world.asking(STREAM).send());
    world.asked(1).await;
    let mut answer = asked.await.expect("no panic").expect("headers before any event");
    assert_eq!(answer.status(), 200);
    let mut text = String::new();
    loop {
        // What comes next comes only now.
        world.mock.advance(std::time::Duration::from_secs(1)).await;
        let Some(event) = answer.chunk().await.expect("an event") else { break };
        text.push_str(std::str::from_utf8(&event).expect("text"));
        assert!(text.ends_with("\n\n"), "a whole event, and nothing held back: {text}");
        if text.contains("[DONE]") {
            break;
        }
    }
    assert!(answer.chunk().await.expect("the end").is_none());
    let words: Vec<usize> =
        ["One", "two", "three", "four", "five", "six."].map(|word| text.find(word).expect(word)).to_vec();
    assert!(words.is_sorted(), "{text}");
    world.gateway.idle().await;
}

/// An upstream that sends without an end; and how many bytes of it were taken.
async fn endless() -> (String, Arc<AtomicUsize>, tokio::task::JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let base = format!("http://{}", listener.local_addr().expect("an address"));
    let taken = Arc::<AtomicUsize>::default();
    let count = Arc::clone(&taken);
    let task = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("a connection");
        let mut head = [0; 1024];
        let _ = stream.read(&mut head).await;
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await;
        while let Ok(written) = stream.write(&[b'x'; 8192]).await {
            count.fetch_add(written, Ordering::SeqCst);
        }
    });
    (base, taken, task)
}

#[tokio::test]
async fn upstream_sends_no_faster_than_the_client_takes() {
    let (base, taken, upstream) = endless().await;
    let gateway = setup(&["sk-a"]).in_front_of(&base, &Virtual::default()).await;
    let mut stream = TcpStream::connect(gateway.address()).await.expect("it listens");
    stream.write_all(b"GET / HTTP/1.1\r\nhost: g\r\n\r\n").await.expect("written");
    // Until every buffer on the way is full: of the two connections, and of hyper.
    let mut before = usize::MAX;
    while before != taken.load(Ordering::SeqCst) || before == 0 {
        before = taken.load(Ordering::SeqCst);
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert!(before < 32 << 20, "{before} bytes were taken of upstream, and none by the client");
    // It goes on with the client.
    let mut bytes = vec![0; 1 << 20];
    for _ in 0..16 {
        stream.read_exact(&mut bytes).await.expect("more");
    }
    assert!(taken.load(Ordering::SeqCst) > 16 << 20);
    drop(stream);
    upstream.await.expect("it is told that its client is gone");
    gateway.idle().await;
}

#[tokio::test]
async fn a_client_that_goes_takes_its_request_along() {
    let world = setup(&["sk-a"]).failing_over().before("{ sk-a: { fault: stall } }").await;
    let asked = tokio::spawn(world.asking(QUESTION).send());
    world.asked(1).await;
    assert_eq!(world.gateway.in_flight().requests_waiting, 1);
    asked.abort();
    world.gateway.idle().await;
    world.mock.idle().await;
    assert_eq!(world.mock.journal().that_ended(Ended::Gone).count(), 1, "{}", world.mock.journal());
    let metrics = world.gateway.metrics();
    assert_eq!((metrics.requests(), metrics.answers(), metrics.aborts()), (1, 0, 1));
    assert_eq!(world.available(), ["sk-a"], "nobody knows what would have come");
}

#[tokio::test]
async fn a_client_that_goes_in_the_middle_leaves_a_success() {
    let upstream = "sk-a: [429, { fault: { stallAfter: { events: 1 } } }]";
    let setup = setup(&["sk-a"]).failing_over().rules(|rules| rules.failover.failure_threshold = 2);
    let world = setup.before(upstream).await;
    assert_eq!(world.ask(QUESTION).await.status(), 429);
    world.gateway.idle().await;
    let failures = || world.gateway.shell().look(|pool| pool.tokens().next().expect("a token").1.failures);
    assert_eq!(failures(), 1);
    let mut answer = world.ask(STREAM).await;
    assert!(answer.chunk().await.expect("an event").is_some());
    drop(answer);
    world.gateway.idle().await;
    assert_eq!(failures(), 0, "its headers said success");
    world.mock.idle().await;
    assert_eq!(world.mock.journal().that_ended(Ended::Gone).count(), 1, "{}", world.mock.journal());
}

#[tokio::test]
async fn a_body_that_breaks_off_is_a_reset_and_breaks_off_for_the_client_too() {
    for fault in ["{ cut: { bytes: 5 } }", "resetAfterHeaders", "wrongLength", "malformedChunk"] {
        let world = setup(&["sk-a"]).failing_over().before(&format!("sk-a: {{ fault: {fault} }}")).await;
        // Where it breaks off at once its head may be lost too.
        let whole = async { world.asking(QUESTION).send().await?.text().await };
        whole.await.expect_err("no whole body");
        world.gateway.idle().await;
        assert_eq!(world.available(), [""; 0], "{fault}");
    }
}

#[tokio::test]
async fn a_body_that_stalls_is_a_timeout() {
    let upstream = "{ sk-a: { fault: { stallAfter: { events: 2 } } }, pace: { first: 0ms, between: 90s } }";
    let world = setup(&["sk-a"]).failing_over().before(upstream).await;
    let mut answer = world.ask(STREAM).await;
    assert!(answer.chunk().await.expect("an event").is_some());
    // A piece that comes in time begins the time anew.
    world.gateway.resting().await;
    world.advance(90_000).await;
    assert!(answer.chunk().await.expect("an event").is_some());
    world.gateway.resting().await;
    world.advance(119_999).await;
    assert_eq!((world.available(), world.gateway.in_flight().requests), (vec!["sk-a".to_owned()], 1));
    world.advance(1).await;
    answer.chunk().await.expect_err("no whole body");
    world.gateway.idle().await;
    assert_eq!(world.available(), [""; 0]);
}
