//! What a mock provider costs: requests in a second beside a bare hyper server that answers the same bytes, in the same
//! process, turn by turn, so that a busy machine is as busy for both. Clients keep their connections.

#![expect(clippy::print_stdout, reason = "what it prints is its result")]
#![expect(clippy::disallowed_methods, reason = "a bench measures time")]

use std::collections::VecDeque;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use firedrill_benches::process;
use firedrill_provider::MockProvider;
use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const CLIENTS: usize = 32;
/// Short, and many, so that a machine that is slow for a second is slow for both.
const ROUNDS: usize = 45;
const ROUND: Duration = Duration::from_millis(100);

fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    if let [who, kind, times] = &words[..] {
        let times = times.parse().expect("how many requests, after `mock` or `bare` and `plain` or `stream`");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        return runtime.block_on(only(who == "mock", kind == "stream", times));
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        start().await;
        println!("{CLIENTS} clients, {ROUNDS} rounds of {ROUND:?} each, in turn:");
        compare("plain", false).await;
        compare("stream of 100 events", true).await;
    });
}

/// Asks one of the two so often, on one connection and one thread: for a profiler, or to count instructions.
async fn only(mocked: bool, stream: bool, times: usize) {
    let (mock, request, answer, bare) = both(stream).await;
    let address = if mocked { address(&mock) } else { bare };
    let mut stream = connect(address).await;
    for _ in 0..times {
        exchange(&mut stream, &request, Some(answer.len())).await;
    }
}

/// A mock, a question, what it answers, and a bare server that answers the same.
async fn both(stream: bool) -> (MockProvider, String, Vec<u8>, SocketAddr) {
    // Two events begin it and two end it.
    let words = vec!["word"; 96].join(" ");
    let mock = MockProvider::builder().upstream("sk-a: 200").answer(&words).start().await.expect("it starts");
    let request = request(stream);
    let answer = exchange(&mut connect(address(&mock)).await, &request, None).await;
    let bare = serve(&answer).await;
    (mock, request, answer, bare)
}

/// How long it takes from nothing to the first answer.
async fn start() {
    let began = Instant::now();
    let mock = MockProvider::builder().upstream("sk-a: 200").start().await.expect("it starts");
    let started = began.elapsed();
    let mut stream = connect(address(&mock)).await;
    stream.write_all(request(false).as_bytes()).await.expect("written");
    stream.read_u8().await.expect("an answer");
    println!("started in {started:?}, first answer after {:?}", began.elapsed());
}

async fn compare(name: &str, stream: bool) {
    let (mock, request, answer, bare) = both(stream).await;
    let before = process::resident("self");
    // What memory a bare server needs; and warm.
    round(bare, &request, &answer).await;
    let without = process::resident("self");
    let (mut mine, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        theirs.push(round(bare, &request, &answer).await);
        mine.push(round(address(&mock), &request, &answer).await);
    }
    let turns = || mine.iter().zip(&theirs);
    let rates = sorted(turns().map(|(mine, theirs)| mine.rate * 100 / theirs.rate.max(1)));
    let costs = sorted(turns().map(|(mine, theirs)| theirs.nanos * 100 / mine.nanos.max(1)));
    let events = String::from_utf8_lossy(&answer).matches("data: ").count();
    println!("{name}: {} bytes, {events} events", answer.len());
    median("bare hyper", theirs);
    median("mock", mine);
    println!(
        "  share of bare: {} by requests, {} by processor time, clients' too",
        quarters(&rates),
        quarters(&costs)
    );
    println!(
        "  resident: {before} KiB, after bare {without} KiB, after the mock {} KiB",
        process::resident("self")
    );
    println!("  journal: {} entries kept", mock.journal().count());
}

/// The middle of so many sorted shares, and between what the middle half of them lies.
fn quarters(shares: &[usize]) -> String {
    let quarter = |nth| shares[(shares.len() - 1) * nth / 4];
    format!("{} % ({} to {})", quarter(2), quarter(1), quarter(3))
}

fn sorted(values: impl Iterator<Item = usize>) -> Vec<usize> {
    let mut values: Vec<usize> = values.collect();
    values.sort_unstable();
    values
}

/// What came of a round.
struct Round {
    /// Requests in a second.
    rate: usize,
    /// Processor time of a request, its client's included, in ns.
    nanos: usize,
    /// How many microseconds each took.
    times: Vec<u32>,
}

/// Prints the median round.
fn median(name: &str, mut rounds: Vec<Round>) {
    rounds.sort_by_key(|round| round.rate);
    let middle = rounds.len() / 2;
    let Round { rate, nanos, mut times } = rounds.swap_remove(middle);
    times.sort_unstable();
    let share = |hundredths: usize| times.get(times.len() * hundredths / 100).copied().unwrap_or(0);
    let micros = nanos / 1_000;
    println!("  {name:10} {rate:7} requests/s, p50 {} us, p99 {} us, CPU {micros} us", share(50), share(99));
}

async fn round(address: SocketAddr, request: &str, answer: &[u8]) -> Round {
    let (began, used) = (Instant::now(), process::processor_time("self"));
    let clients = (0..CLIENTS).map(|_| {
        let (request, length) = (request.to_owned(), answer.len());
        tokio::spawn(async move {
            let mut stream = connect(address).await;
            let mut times = Vec::new();
            while began.elapsed() < ROUND {
                let asked = Instant::now();
                exchange(&mut stream, &request, Some(length)).await;
                times.push(u32::try_from(asked.elapsed().as_micros()).unwrap_or(u32::MAX));
            }
            times
        })
    });
    let mut times = Vec::new();
    for client in clients.collect::<Vec<_>>() {
        times.extend(client.await.expect("no panic"));
    }
    let millis = usize::try_from(began.elapsed().as_millis()).expect("a short time");
    let used = process::processor_time("self").saturating_sub(used);
    let nanos = usize::try_from(used.as_nanos()).expect("a short time") / times.len().max(1);
    Round { rate: times.len() * 1_000 / millis, nanos, times }
}

fn address(mock: &MockProvider) -> SocketAddr {
    mock.base_url().trim_start_matches("http://").parse().expect("an address")
}

async fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).await.expect("it listens");
    stream.set_nodelay(true).expect("a socket");
    stream
}

fn request(stream: bool) -> String {
    let body = format!(
        r#"{{"model":"gpt-4o","stream":{stream},"messages":[{{"role":"user","content":"Say something, anything."}}]}}"#
    );
    format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: mock\r\nauthorization: Bearer sk-a\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// Asks, and reads so many bytes; as many as come, if it is not known. All answers are of one length.
async fn exchange(stream: &mut TcpStream, request: &str, length: Option<usize>) -> Vec<u8> {
    stream.write_all(request.as_bytes()).await.expect("written");
    if let Some(length) = length {
        let mut answer = vec![0; length];
        stream.read_exact(&mut answer).await.expect("an answer");
        return answer;
    }
    let mut answer = Vec::new();
    let silence = Duration::from_millis(300);
    while tokio::time::timeout(silence, stream.read_buf(&mut answer)).await.is_ok() {}
    answer
}

/// A bare server that reads the question and answers these bytes: its headers, and its body in its chunks.
async fn serve(answer: &[u8]) -> SocketAddr {
    let text = String::from_utf8(answer.to_vec()).expect("text");
    let (head, body) = text.split_once("\r\n\r\n").expect("a head");
    let mut response = Response::builder();
    for line in head.lines().skip(1) {
        let (name, value) = line.split_once(": ").expect("a header");
        if !["content-length", "transfer-encoding", "date"].contains(&name) {
            response = response.header(name, value);
        }
    }
    let (parts, ()) = response.body(()).expect("a response").into_parts();
    let chunked = head.contains("chunked");
    let chunks: VecDeque<Bytes> = if chunked {
        let events = body.split("\r\n").filter(|line| line.starts_with("data: "));
        events.map(|event| Bytes::copy_from_slice(event.as_bytes())).collect()
    } else {
        [Bytes::copy_from_slice(body.as_bytes())].into()
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.expect("a connection");
            stream.set_nodelay(true).expect("a socket");
            let (parts, chunks) = (parts.clone(), chunks.clone());
            let service = service_fn(move |request: Request<Incoming>| {
                let response = Response::from_parts(parts.clone(), Chunks(chunks.clone(), chunked));
                async move {
                    let mut body = request.into_body();
                    while std::future::poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await.is_some() {}
                    Ok::<_, Infallible>(response)
                }
            });
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
        }
    });
    address
}

/// A body, and whether its length is not told.
struct Chunks(VecDeque<Bytes>, bool);

impl Body for Chunks {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.pop_front().map(|chunk| Ok(Frame::data(chunk))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        if self.1 {
            return SizeHint::default();
        }
        SizeHint::with_exact(self.0.iter().map(|chunk| chunk.len() as u64).sum())
    }
}
