//! Tiny gateways, right and wrong. They share no code with the engine: a right one is what a stranger could be.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use firedrill_clock::{Clock, Virtual};
use firedrill_failover::Duration;

/// What a gateway does.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Policy {
    pub(crate) tokens: [&'static str; 3],
    /// How often a request is sent again, with another token.
    pub(crate) retries: usize,
    /// Whether a token that fails is taken out.
    pub(crate) takes_out: bool,
    /// For so many milliseconds.
    pub(crate) cooldown: u64,
    /// Whether a token that is out serves when nobody else is left.
    pub(crate) falls_back: bool,
    /// A status that is a failure besides 429 and 5xx.
    pub(crate) blames_for: u16,
    /// Whether tokens are drawn in turn; else the first that can be.
    pub(crate) in_turn: bool,
    /// What it answers without asking anybody; 0 to ask.
    pub(crate) answers_itself: u16,
    /// What it asks its upstream for.
    pub(crate) upstream_path: &'static str,
    /// How many milliseconds pass with each request.
    pub(crate) takes: u64,
}

impl Policy {
    pub(crate) const RIGHT: Self = Self {
        tokens: ["sk-a", "sk-b", "sk-c"],
        retries: 2,
        takes_out: true,
        cooldown: 30_000,
        falls_back: true,
        blames_for: 0,
        in_turn: true,
        answers_itself: 0,
        upstream_path: "/v1/chat/completions",
        takes: 0,
    };
}

/// A gateway that is running. It stops when it is dropped.
pub(crate) struct Gateway {
    shared: Arc<Shared>,
    address: SocketAddr,
    accepting: Option<JoinHandle<()>>,
}

struct Shared {
    policy: Policy,
    clock: Virtual,
    stop: AtomicBool,
    pool: Mutex<Pool>,
}

#[derive(Default)]
struct Pool {
    upstream: Option<SocketAddr>,
    turn: usize,
    /// Who is out, and until when.
    out: BTreeMap<usize, u64>,
}

impl Gateway {
    pub(crate) fn start(policy: Policy, clock: Virtual) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let shared = Arc::new(Shared { policy, clock, stop: AtomicBool::new(false), pool: Mutex::default() });
        let for_all = Arc::clone(&shared);
        let accepting = std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if for_all.stop.load(Ordering::Relaxed) {
                    break;
                }
                let shared = Arc::clone(&for_all);
                std::thread::spawn(move || shared.serve(stream));
            }
        });
        Self { shared, address, accepting: Some(accepting) }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn points_at(&self, upstream: SocketAddr) {
        self.shared.pool().upstream = Some(upstream);
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        // So that it looks.
        drop(TcpStream::connect(self.address));
        if let Some(accepting) = self.accepting.take() {
            accepting.join().expect("it accepts");
        }
    }
}

impl Shared {
    fn pool(&self) -> MutexGuard<'_, Pool> {
        self.pool.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn serve(&self, mut client: TcpStream) {
        let Some(body) = read(&mut client) else { return };
        self.clock.advance(Duration::from_millis(self.policy.takes));
        let answer = match self.policy.answers_itself {
            0 => self.answer(&body),
            status => format!("HTTP/1.1 {status} No\r\ncontent-length: 9\r\n\r\nby itself").into_bytes(),
        };
        // A client that is gone wants nothing.
        let _ = client.write_all(&answer);
    }

    /// The first answer that is none of a bad token's, or the last.
    fn answer(&self, body: &str) -> Vec<u8> {
        let nobody = b"HTTP/1.1 503 Nobody\r\ncontent-length: 0\r\n\r\n".to_vec();
        let (mut tried, mut answer) = (Vec::new(), nobody);
        while let Some(token) = self.draw(&tried) {
            answer = self.ask(self.policy.tokens[token], body);
            let status: u16 = answer
                .get(9..12)
                .map_or(0, |status| String::from_utf8_lossy(status).parse().expect("a status"));
            if !(status == 429 || status >= 500 || status == 0 || status == self.policy.blames_for) {
                break;
            }
            if self.policy.takes_out {
                let until = self.clock.now().as_millis().saturating_add(self.policy.cooldown);
                self.pool().out.insert(token, until);
            }
            tried.push(token);
            if tried.len() > self.policy.retries {
                break;
            }
        }
        answer
    }

    /// Another token than those that were tried: one that is in, or else any.
    fn draw(&self, tried: &[usize]) -> Option<usize> {
        let now = self.clock.now().as_millis();
        let mut pool = self.pool();
        pool.out.retain(|_, until| *until > now);
        let first = if self.policy.in_turn { pool.turn } else { 0 };
        let others = (0..3).map(|step| (first + step) % 3).filter(|token| !tried.contains(token));
        let drawn = others
            .clone()
            .find(|token| !pool.out.contains_key(token))
            .or_else(|| others.clone().next().filter(|_| self.policy.falls_back))?;
        pool.turn = drawn + 1;
        Some(drawn)
    }

    fn ask(&self, token: &str, body: &str) -> Vec<u8> {
        let upstream = self.pool().upstream.expect("it points somewhere");
        let mut stream = TcpStream::connect(upstream).expect("the mock provider listens");
        let path = self.policy.upstream_path;
        write!(
            stream,
            "POST {path} HTTP/1.1\r\nhost: mock\r\nauthorization: Bearer {token}\r\ncontent-type: application/json\r\n\
             connection: close\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        )
        .expect("it is read");
        let mut answer = Vec::new();
        // What breaks off is passed on as far as it came.
        let _ = stream.read_to_end(&mut answer);
        answer
    }
}

/// The body of the request that comes on `stream`.
fn read(stream: &mut TcpStream) -> Option<String> {
    let (mut bytes, mut piece) = (Vec::new(), [0; 4096]);
    loop {
        let count = stream.read(&mut piece).ok().filter(|count| *count > 0)?;
        bytes.extend_from_slice(&piece[..count]);
        let text = String::from_utf8_lossy(&bytes);
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "))?;
        if body.len() >= length.parse().ok()? {
            return Some(body.to_owned());
        }
    }
}
