//! Connections that are kept between two requests, and what it means when upstream ends one of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use firedrill_gateway::Roots;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::*;

/// What upstream does with the whole of a request.
#[derive(Copy, Clone, Debug)]
enum Act {
    Answer,
    /// The connection ends in good order, without a byte.
    Close,
    /// It does so with a word of good-bye, if TLS is spoken on it.
    SayGoodBye,
    /// It is reset.
    Reset,
    /// A few bytes of an answer come, and then the connection ends in good order.
    Begin,
}

/// An upstream that keeps its connections. What it does with a request is for `act` to say: from how many were asked before on
/// the same connection, and from how many there were so far that were not answered.
struct Keeping {
    base: String,
    roots: Roots,
    asked: Arc<AtomicUsize>,
    unanswered: Arc<AtomicUsize>,
    task: tokio::task::JoinHandle<()>,
}

impl Keeping {
    async fn acting(act: fn(usize, usize) -> Act) -> Self {
        Self::start(act, None, Roots::default()).await
    }

    /// The same behind TLS.
    async fn acting_behind_tls(act: fn(usize, usize) -> Act) -> Self {
        let (acceptor, pem) = tls::acceptor("localhost");
        Self::start(act, Some(acceptor), Roots::from_pem(pem.as_bytes()).expect("a certificate")).await
    }

    async fn start(act: fn(usize, usize) -> Act, tls: Option<TlsAcceptor>, roots: Roots) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let base = match &tls {
            Some(_) => format!("https://localhost:{}", address.port()),
            None => format!("http://{address}"),
        };
        let (asked, unanswered) = (Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default());
        let counts = (Arc::clone(&asked), Arc::clone(&unanswered));
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (tls, counts) = (tls.clone(), counts.clone());
                tokio::spawn(async move {
                    match tls {
                        Some(tls) => {
                            let stream = tls.accept(stream).await.expect("a handshake");
                            serve(stream, |stream| stream.get_ref().0, act, counts).await;
                        }
                        None => serve(stream, |stream| stream, act, counts).await,
                    }
                });
            }
        });
        Self { base, roots, asked, unanswered, task }
    }

    /// How often it was asked, and how often it gave no answer.
    fn counts(&self) -> (usize, usize) {
        (self.asked.load(SeqCst), self.unanswered.load(SeqCst))
    }
}

impl Drop for Keeping {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve<S: AsyncRead + AsyncWrite + Unpin>(
    mut stream: S,
    socket: fn(&S) -> &TcpStream,
    act: fn(usize, usize) -> Act,
    (asked, unanswered): (Arc<AtomicUsize>, Arc<AtomicUsize>),
) {
    for before in 0.. {
        let Some(request) = upstream::request(&mut stream).await else { return };
        assert!(
            request.contains(&format!("authorization: Bearer {}\r\n", sent("sk-a")))
                && request.ends_with(QUESTION),
            "{request}"
        );
        asked.fetch_add(1, SeqCst);
        let act = act(before, unanswered.load(SeqCst));
        if !matches!(act, Act::Answer) {
            unanswered.fetch_add(1, SeqCst);
        }
        let said: &[u8] = match act {
            Act::Answer => b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok",
            Act::Close => return,
            Act::SayGoodBye => return stream.shutdown().await.expect("it is open"),
            Act::Reset => return socket(&stream).set_zero_linger().expect("it can be reset"),
            Act::Begin => b"HTTP/1.1 20",
        };
        let _ = stream.write_all(said).await;
        if matches!(act, Act::Begin) {
            return;
        }
    }
}

/// Asks `upstream` through a gateway until it has left so many requests unanswered: what came last, and whether the token is still
/// available.
async fn asked(upstream: &Keeping, unanswered: usize) -> (u16, bool) {
    let rules = |rules: &mut Rules| rules.failover.failover_on_status = vec!["reset".to_owned()];
    let settings = setup(&["sk-a"]).failing_over().rules(rules).made(&upstream.base);
    let settings = Settings { roots: upstream.roots.clone(), ..settings };
    let gateway = Gateway::builder(settings).clock(Virtual::default()).start().await.expect("it starts");
    gateway.idle().await;
    let url = format!("http://{}/v1/chat/completions", gateway.address());
    for _ in 0..1_000 {
        let answer = client().post(&url).body(QUESTION).send().await.expect("an answer");
        let status = answer.status().as_u16();
        answer.bytes().await.expect("a body");
        gateway.idle().await;
        if upstream.counts().1 >= unanswered {
            let available = gateway.shell().look(|pool| pool.available_len() == 1);
            let metrics = gateway.metrics();
            assert_eq!((metrics.answers(), metrics.retries()), (metrics.requests(), 0));
            return (status, available);
        }
        assert_eq!(status, 200);
        // The connection is kept once its answer was taken.
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    }
    panic!("no connection was kept: {:?}", upstream.counts());
}

#[tokio::test]
async fn a_kept_connection_that_ends_as_it_is_written_on_is_nobodys_failure() {
    let upstream = Keeping::acting(|before, _| if before == 0 { Act::Answer } else { Act::Close }).await;
    assert_eq!(asked(&upstream, 1).await, (200, true));
}

#[tokio::test]
async fn it_is_nobodys_behind_tls_either() {
    for close in [
        |before, _| if before == 0 { Act::Answer } else { Act::Close },
        |before, _| if before == 0 { Act::Answer } else { Act::SayGoodBye },
    ] {
        let upstream = Keeping::acting_behind_tls(close).await;
        assert_eq!(asked(&upstream, 1).await, (200, true));
    }
    let reset = |before, _| if before == 0 { Act::Answer } else { Act::Reset };
    let upstream = Keeping::acting_behind_tls(reset).await;
    assert_eq!(asked(&upstream, 1).await, (503, false));
}

#[tokio::test]
async fn the_second_time_it_counts() {
    let close = |before, unanswered| if before == 0 && unanswered == 0 { Act::Answer } else { Act::Close };
    let upstream = Keeping::acting(close).await;
    assert_eq!(asked(&upstream, 2).await, (503, false));
    assert_eq!(upstream.counts().1, 2, "it is sent again once");
}

#[tokio::test]
async fn a_connection_that_was_never_kept_counts_at_once() {
    let upstream = Keeping::acting(|_, _| Act::Close).await;
    assert_eq!(asked(&upstream, 1).await, (503, false));
    assert_eq!(upstream.counts(), (1, 1));
}

#[tokio::test]
async fn a_byte_of_an_answer_makes_it_a_failure() {
    let upstream = Keeping::acting(|before, _| if before == 0 { Act::Answer } else { Act::Begin }).await;
    assert_eq!(asked(&upstream, 1).await, (503, false));
}

#[tokio::test]
async fn a_reset_of_a_request_that_was_sent_whole_is_a_failure() {
    let upstream = Keeping::acting(|before, _| if before == 0 { Act::Answer } else { Act::Reset }).await;
    assert_eq!(asked(&upstream, 1).await, (503, false));
}

#[tokio::test]
async fn a_kept_connection_that_takes_half_a_request_is_nobodys_failure() {
    let large = "?".repeat(24 << 20);
    let length = large.len();
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let base = format!("http://{}", listener.local_addr().expect("an address"));
    let halves = Arc::<AtomicUsize>::default();
    let seen = Arc::clone(&halves);
    let task = tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let halves = Arc::clone(&seen);
            tokio::spawn(async move {
                let mut piece = vec![0; 1 << 16];
                for before in 0.. {
                    let mut read = 0;
                    while read <= length {
                        let came = stream.read(&mut piece).await.unwrap_or(0);
                        read += came;
                        if came == 0 || before > 0 {
                            // What was not read makes it a reset.
                            halves.fetch_add(usize::from(came > 0), SeqCst);
                            return;
                        }
                        if piece[..came].ends_with(b"!") {
                            break;
                        }
                    }
                    let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await;
                }
            });
        }
    });
    let rules = |rules: &mut Rules| rules.failover.failover_on_status = vec!["reset".to_owned()];
    let gateway = setup(&["sk-a"]).failing_over().rules(rules).in_front_of(&base, &Virtual::default()).await;
    let (url, body) =
        (format!("http://{}/v1/files", gateway.address()), hyper::body::Bytes::from(large + "!"));
    while halves.load(SeqCst) == 0 {
        let answer = client().post(&url).body(body.clone()).send().await.expect("an answer");
        assert_eq!(answer.status(), 200);
        answer.bytes().await.expect("a body");
        gateway.idle().await;
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    }
    assert!(gateway.shell().look(|pool| pool.available_len() == 1));
    task.abort();
}
