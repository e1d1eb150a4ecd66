//! Connections to upstream that nobody uses: the next request has them, and they are closed when they are of no use any more.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use tokio::net::TcpListener;
use tokio::sync::mpsc;

use super::upstream::request;
use super::*;

/// An upstream that keeps its connections, and then does `after` with each.
struct Keeping {
    base: String,
    connections: Arc<AtomicUsize>,
    /// Told of each that the gateway has closed.
    closed: mpsc::UnboundedReceiver<()>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Keeping {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Answers every request with `answer`; with `ends` it says after the first of a connection that there will be no more.
async fn keeping(answer: &'static str, ends: bool) -> Keeping {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let base = format!("http://{}", listener.local_addr().expect("an address"));
    let (connections, (told, closed)) = (Arc::<AtomicUsize>::default(), mpsc::unbounded_channel());
    let count = Arc::clone(&connections);
    let task = tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            count.fetch_add(1, SeqCst);
            let told = told.clone();
            tokio::spawn(async move {
                while request(&mut stream).await.is_some() {
                    stream.write_all(answer.as_bytes()).await.expect("it reads");
                    if ends {
                        stream.shutdown().await.expect("it is open");
                    }
                }
                told.send(()).expect("the test waits");
            });
        }
    });
    Keeping { base, connections, closed, task }
}

const ANSWER: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

async fn ask(gateway: &Gateway) -> String {
    raw(gateway, b"GET / HTTP/1.1\r\nhost: g\r\nconnection: close\r\n\r\n").await
}

#[tokio::test]
async fn the_next_request_has_the_connection_of_the_one_before() {
    for answer in [
        ANSWER,
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        "HTTP/1.1 204 No Content\r\n\r\n",
    ] {
        let upstream = keeping(answer, false).await;
        let gateway = setup(&["sk-a"]).in_front_of(&upstream.base, &Virtual::default()).await;
        for _ in 0..20 {
            assert!(ask(&gateway).await.starts_with("HTTP/1.1 20"));
            gateway.idle().await;
        }
        assert_eq!(upstream.connections.load(SeqCst), 1, "{answer}");
    }
}

/// After how many seconds a connection is closed on which one request was answered; with `ends` upstream has ended it.
async fn closed_after(ends: bool) -> u64 {
    let mut upstream = keeping(ANSWER, ends).await;
    let gateway = setup(&["sk-a"]).in_front_of(&upstream.base, &Virtual::default()).await;
    let began = tokio::time::Instant::now();
    ask(&gateway).await;
    upstream.closed.recv().await.expect("it is closed");
    began.elapsed().as_secs()
}

#[tokio::test(start_paused = true)]
async fn one_that_nobody_uses_is_closed_after_a_while() {
    let after = closed_after(false).await;
    assert!((30..=36).contains(&after), "{after} s");
}

#[tokio::test(start_paused = true)]
async fn one_that_upstream_has_ended_is_closed_soon() {
    let after = closed_after(true).await;
    assert!(after <= 6, "{after} s");
}

#[tokio::test]
async fn one_that_upstream_has_ended_is_not_asked_on() {
    let upstream = keeping(ANSWER, true).await;
    let rules = |rules: &mut Rules| rules.failover.failure_threshold = 1;
    let gateway =
        setup(&["sk-a"]).failing_over().rules(rules).in_front_of(&upstream.base, &Virtual::default()).await;
    for _ in 0..20 {
        assert!(ask(&gateway).await.starts_with("HTTP/1.1 200"));
        gateway.idle().await;
    }
    assert_eq!(upstream.connections.load(SeqCst), 20);
}
