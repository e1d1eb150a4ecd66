//! Clients of every kind: some read all, some go away in the middle, some never get so far.

use std::ops::AddAssign;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::{Round, World};

/// So many at the same time.
const CLIENTS: u64 = 16;

/// So many requests of each.
const EACH: u64 = 25;

/// What the models begin with whose requests upstream holds for ever.
pub(crate) const HELD: &str = "held";

/// The model that probes ask for.
pub(crate) const PROBE: &str = "probing";

/// What clients did and saw.
#[derive(Copy, Clone, Debug, Default)]
pub(crate) struct Tally {
    /// Requests whose head was sent whole.
    pub(crate) asked: u64,
    /// Answers that were read to their end.
    pub(crate) whole: u64,
    /// Answers that broke off. If that is known at once, their head may not have been sent either.
    pub(crate) broken: u64,
    /// Answers that began, and whose client went away.
    pub(crate) left_amid: u64,
    /// Requests whose client went away while upstream held them.
    pub(crate) left_held: u64,
    /// Requests whose client went away before it could know anything.
    pub(crate) left_blind: u64,
}

impl Tally {
    /// Answers that began.
    pub(crate) fn begun(&self) -> u64 {
        self.whole + self.broken + self.left_amid
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.asked += other.asked;
        self.whole += other.whole;
        self.broken += other.broken;
        self.left_amid += other.left_amid;
        self.left_held += other.left_held;
        self.left_blind += other.left_blind;
    }
}

/// Has every client ask all that it asks in a round.
pub(crate) async fn ask(world: &World, round: Round) -> Tally {
    let address = world.gateway.address();
    let (mut clients, mut leaving) = (JoinSet::new(), JoinSet::new());
    let mut all = Tally::default();
    for client in 0..CLIENTS {
        clients.spawn(async move {
            let mut asking = Asking::new(address, client);
            for number in 0..EACH {
                asking.one(round, number).await;
            }
            asking.tally
        });
    }
    // Those that upstream holds: each leaves when it is known to be there. While a port is closed it might be answered instead.
    let held = if round == Round::Exact { 0..4 } else { 0..0 };
    for client in held.clone() {
        let model = format!("{HELD}-{client}");
        leaving.spawn(async move { Asking::new(address, client).held(&model).await });
    }
    let held = async {
        for client in held {
            let model = format!("{HELD}-{client}");
            until(|| world.mock.held().iter().any(|entry| entry.model == model)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), held).await.expect("they are held");
    leaving.abort_all();
    while let Some(left) = leaving.join_next().await {
        assert!(left.is_err_and(|left| left.is_cancelled()), "nobody answers what is held");
        all += Tally { asked: 1, left_held: 1, ..Tally::default() };
    }
    while let Some(client) = clients.join_next().await {
        all += client.expect("no client panics");
    }
    all
}

/// Waits until it is so.
pub(crate) async fn until(such: impl Fn() -> bool) {
    while !such() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

fn question(model: &str, stream: bool) -> String {
    let said = "x".repeat(if stream { 40 } else { 400 });
    format!(r#"{{"model":"{model}","stream":{stream},"messages":[{{"role":"user","content":"{said}"}}]}}"#)
}

struct Asking {
    address: std::net::SocketAddr,
    client: u64,
    http: reqwest::Client,
    tally: Tally,
}

impl Asking {
    fn new(address: std::net::SocketAddr, client: u64) -> Self {
        let http = reqwest::Client::builder().no_proxy().build().expect("a client");
        Self { address, client, http, tally: Tally::default() }
    }

    /// What it does differs from one request to the next, and from client to client.
    async fn one(&mut self, round: Round, number: u64) {
        let kind = (number * 7 + self.client * 3) % 20;
        match (round, kind) {
            (_, 0..=1) => self.leaves_amid().await,
            (Round::Rough, 2) => self.hangs_up(Part::Whole).await,
            (Round::Rough, 3) => self.hangs_up(Part::HalfABody).await,
            (Round::Rough, 4) => self.hangs_up(Part::HalfAHead).await,
            _ => self.reads_all(kind.is_multiple_of(2)).await,
        }
    }

    fn asks(&self, model: &str, stream: bool) -> reqwest::RequestBuilder {
        let url = format!("http://{}/v1/chat/completions", self.address);
        self.http.post(url).bearer_auth("sk-of-the-client").body(question(model, stream))
    }

    async fn reads_all(&mut self, stream: bool) {
        self.tally.asked += 1;
        let read = async { self.asks("gpt-4o", stream).send().await?.bytes().await };
        let count = match read.await {
            Ok(_) => &mut self.tally.whole,
            Err(error) => {
                assert!(!error.is_connect(), "it listens: {error}");
                &mut self.tally.broken
            }
        };
        *count += 1;
    }

    async fn leaves_amid(&mut self) {
        self.tally.asked += 1;
        if let Ok(mut answer) = self.asks("gpt-4o", true).send().await {
            // Its first piece, if there is one.
            let _ = answer.chunk().await;
            self.tally.left_amid += 1;
        } else {
            self.tally.broken += 1;
        }
    }

    async fn held(&self, model: &str) {
        let answer = self.asks(model, false).send().await;
        panic!("answered: {answer:?}");
    }

    async fn hangs_up(&mut self, part: Part) {
        let body = question("gpt-4o", self.client.is_multiple_of(2));
        let length = body.len();
        let head =
            format!("POST /v1/chat/completions HTTP/1.1\r\nhost: g\r\ncontent-length: {length}\r\n\r\n");
        let bytes = match part {
            Part::Whole => head + &body,
            Part::HalfABody => head + &body[..length / 2],
            Part::HalfAHead => head[..head.len() / 2].to_owned(),
        };
        let mut stream = TcpStream::connect(self.address).await.expect("it listens");
        stream.write_all(bytes.as_bytes()).await.expect("it reads");
        if !matches!(part, Part::HalfAHead) {
            self.tally.asked += 1;
            self.tally.left_blind += 1;
        }
    }
}

/// How much of a request is sent.
enum Part {
    Whole,
    HalfABody,
    HalfAHead,
}
