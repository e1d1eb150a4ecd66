//! The load: clients that ask as fast as they are answered, or at a rate that does not wait for answers.

use std::fmt;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::party::Party;

/// What is asked.
#[derive(Copy, Clone, Debug)]
pub(crate) enum Question {
    /// One answer of about a kilobyte.
    Plain,
    /// A stream of about a hundred events.
    Stream,
}

impl fmt::Display for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Plain => "Plain answers",
            Self::Stream => "Streams of about 100 events",
        })
    }
}

/// How it is asked.
#[derive(Copy, Clone, Debug)]
pub(crate) enum Load {
    /// Each client asks again when it is answered.
    Closed { clients: usize },
    /// All clients together ask at this rate a second. How long an answer takes is counted from when its question was due.
    Open { clients: usize, rate: u32 },
}

/// What came of a round.
#[derive(Debug)]
pub(crate) struct Run {
    /// Answers in a second.
    pub(crate) rate: usize,
    /// How many microseconds each took.
    times: Vec<u32>,
    /// Processor time that the party used, in microseconds an answer.
    cpu: f64,
}

impl Run {
    /// A row of the table.
    pub(crate) fn row(mut self, party: &Party) -> String {
        self.times.sort_unstable();
        let at = |hundredths: usize| {
            let micros = self.times.get(self.times.len() * hundredths / 100).copied().unwrap_or(0);
            format!("{:.2} ms", f64::from(micros) / 1_000.0)
        };
        let (cpu, memory) = match party.resident() {
            Some(kib) => (format!("{:.0} us", self.cpu), format!("{} MiB", kib / 1_024)),
            None => ("-".to_owned(), "-".to_owned()),
        };
        format!("| {} | {} | {} | {} | {cpu} | {memory} |", party.name, self.rate, at(50), at(99))
    }
}

/// The one in the middle.
pub(crate) fn middle(mut runs: Vec<Run>) -> Run {
    runs.sort_by_key(|run| run.rate);
    let middle = runs.len() / 2;
    runs.swap_remove(middle)
}

/// Asks `party` for so long.
pub(crate) async fn run(party: &Party, question: Question, load: Load, time: Duration) -> Run {
    let used = party.processor_time();
    let began = Instant::now();
    let (clients, pause) = match load {
        Load::Closed { clients } => (clients, None),
        Load::Open { clients, rate } => {
            (clients, Some(Duration::from_secs(1) * share(clients) / rate.max(1)))
        }
    };
    let asking = (0..clients).map(|number| {
        let (address, request) = (party.address, request(question));
        tokio::spawn(async move {
            let mut stream = TcpStream::connect(address).await.expect("it listens");
            stream.set_nodelay(true).expect("a socket");
            let mut buffer = Vec::new();
            let mut times = Vec::new();
            // Spread over the first pause.
            let mut due = began + pause.unwrap_or_default() * share(number) / share(clients);
            loop {
                let now = Instant::now();
                if now.max(due) >= began + time {
                    break;
                }
                // A client that is late counts from when its question was due; how exactly the timer wakes it does not count.
                let asked = match pause {
                    Some(_) if due > now => {
                        tokio::time::sleep_until(due.into()).await;
                        Instant::now()
                    }
                    Some(_) => due,
                    None => now,
                };
                exchange(&mut stream, &request, &mut buffer).await;
                times.push(micros(asked.elapsed()));
                due += pause.unwrap_or_default();
            }
            times
        })
    });
    let mut times = Vec::new();
    for client in asking.collect::<Vec<_>>() {
        times.extend(client.await.expect("no panic"));
    }
    let took = began.elapsed();
    let used = party.processor_time().saturating_sub(used);
    let count = times.len().max(1);
    let rate = usize::try_from(times.len() as u128 * 1_000_000 / took.as_micros()).expect("a rate");
    Run { rate, times, cpu: used.as_secs_f64() * 1e6 / f64::from(u32::try_from(count).expect("not so many")) }
}

fn share(clients: usize) -> u32 {
    u32::try_from(clients).expect("few")
}

fn micros(time: Duration) -> u32 {
    u32::try_from(time.as_micros()).unwrap_or(u32::MAX)
}

fn request(question: Question) -> Vec<u8> {
    let stream = matches!(question, Question::Stream);
    let body = format!(
        r#"{{"model":"gpt-4o","stream":{stream},"messages":[{{"role":"user","content":"Say something, anything."}}]}}"#
    );
    format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: gateway\r\nauthorization: Bearer sk-client\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// Asks, and reads the answer to its end.
async fn exchange(stream: &mut TcpStream, request: &[u8], buffer: &mut Vec<u8>) {
    stream.write_all(request).await.expect("written");
    buffer.clear();
    let mut end = None;
    while !end.is_some_and(|end: End| end.is_in(buffer)) {
        assert!(stream.read_buf(buffer).await.expect("an answer") > 0, "the connection ended in an answer");
        if end.is_none() {
            end = End::of(buffer);
        }
    }
}

/// How the end of an answer is told.
#[derive(Copy, Clone, Debug)]
enum End {
    /// So many bytes.
    Length(usize),
    /// By the last chunk.
    Chunked,
}

impl End {
    /// That of the answer whose head is in `buffer`; `None` if it is not there yet.
    fn of(buffer: &[u8]) -> Option<Self> {
        let head = buffer.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
        let text = String::from_utf8_lossy(&buffer[..head]).to_ascii_lowercase();
        assert!(text.starts_with("http/1.1 200"), "not answered well: {}", String::from_utf8_lossy(buffer));
        match text.split_once("content-length: ") {
            Some((_, rest)) => {
                let length = rest.split("\r\n").next().and_then(|length| length.parse().ok());
                Some(Self::Length(head + length.unwrap_or(0usize)))
            }
            None => Some(Self::Chunked),
        }
    }

    fn is_in(self, buffer: &[u8]) -> bool {
        match self {
            Self::Length(length) => buffer.len() >= length,
            Self::Chunked => buffer.ends_with(b"\r\n0\r\n\r\n"),
        }
    }
}
