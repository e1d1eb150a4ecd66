//! Chance is the same everywhere: a gateway that is given the seed of a worker draws by itself what the engine target draws for that
//! worker, request by request: first attempts, retries, and fallbacks.
//!
//! A gateway retries without waiting until the failure before is in its log, and so it may draw on what was true a moment ago.
//! Where there are retries a rehearsal has it wait for that, and names nothing.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::pin::Pin;

use firedrill_clock::{Clock, Virtual};
use firedrill_failover::{Duration, Pool, WorkerId};
use firedrill_gateway::{Gateway, Rehearsal, Secret, Secrets, Settings, Vendor};
use firedrill_provider::MockProvider;
use firedrill_scenario::{Action, EngineTarget, Scenario, Target, seed_of_worker};
use firedrill_store::Shell;
use firedrill_yaml::Source;
use hyper::http::request::Parts;

const SEED: u64 = 7;
/// So many requests, then all tokens come back, and so on.
const TIMES: usize = 3;
const REQUESTS: usize = 60;

const TEXT: &str = "
scenario: many requests draw by chance
provider:
  apiTokens: [sk-a, sk-b, sk-c, sk-d, sk-e]
  failover: { enabled: true, failureThreshold: 2, cooldownDuration: 60000 }
  retryOnFailure: { enabled: RETRIES, maxRetries: 2 }
upstream: { errors: [{ rate: 45%, status: 503 }] }
steps: [tick]
";

const PAUSE: Duration = Duration::from_secs(90);

fn scenario(retries: bool) -> Scenario {
    let text = TEXT.replace("RETRIES", &retries.to_string());
    Scenario::parse(&Source::new("draws.yaml", text)).expect("a scenario")
}

/// Has a gateway wait before each attempt until what came of those before is in its log.
struct Settles;

impl Rehearsal for Settles {
    fn before<'a>(
        &'a self,
        _: &'a Parts,
        _: usize,
        shell: &'a Shell,
    ) -> Pin<Box<dyn Future<Output = Option<String>> + Send + 'a>> {
        Box::pin(async {
            shell.settled().await.expect("a driver");
            None
        })
    }

    fn drawn(&self, _: &Parts, _: Result<(&str, bool), String>) {}
}

/// What is drawn on the engine, each with whether it was a fallback; a pause is `None`.
fn on_the_engine(scenario: &Scenario) -> Vec<Option<(String, bool)>> {
    let mut target = EngineTarget::new(scenario, SEED);
    let mut drawn = Vec::new();
    for _ in 0..TIMES {
        for _ in 0..REQUESTS {
            let request = Action::Request { worker: 1, draws: Vec::new(), stream: false };
            drawn.extend(target.act(&request).expect("it can be asked").draws.into_iter().map(Some));
        }
        target.act(&Action::Advance(PAUSE)).expect("time passes");
        drawn.push(None);
    }
    drawn
}

/// What a gateway calls its provider with, by itself; a pause is `None`.
fn on_the_gateway(scenario: &Scenario, settles: bool, seed: u64) -> Vec<Option<String>> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let runtime = runtime.expect("a runtime");
    let clock = Virtual::default();
    let tokens = scenario.config.tokens();
    let mut mock =
        MockProvider::builder().upstream(scenario.upstream.as_ref().clone()).seed(SEED).clock(clock.clone());
    let mut secrets = Secrets::new();
    for token in tokens {
        let secret = format!("secret-of-{}", token.label);
        mock = mock.token_as(&secret, &token.label);
        secrets.stand_in(token, Secret::from(secret)).expect("a header can hold it");
    }
    let mock = runtime.block_on(mock.start()).expect("a mock");
    let route = mock.base_url().parse().expect("a URL");
    let settings = Settings::new(route, Vendor::OpenAi, scenario.config.clone(), secrets);
    let gateway = Gateway::builder(settings).clock(clock.clone()).worker(WorkerId::new(1)).seed(seed);
    let gateway = if settles { gateway.rehearsal(Settles) } else { gateway };
    let gateway = runtime.block_on(gateway.start()).expect("it starts");
    runtime.block_on(gateway.idle());
    let mut called = Vec::new();
    let mut known = 0;
    for _ in 0..TIMES {
        for _ in 0..REQUESTS {
            ask(gateway.address());
            runtime.block_on(gateway.idle());
        }
        let journal = mock.journal();
        called.extend(journal.iter().skip(known).map(|asked| Some(asked.token.to_string())));
        known = journal.count();
        // How much time passes has no part in what is drawn, and its tick may not be waiting for it yet.
        let is_back = || gateway.shell().look(Pool::available_len) == tokens.len();
        assert!((0..1_000).any(|_| {
            clock.advance(PAUSE);
            soon(is_back)
        }));
        called.push(None);
    }
    called
}

/// Whether another thread soon makes it so.
fn soon(such: impl Fn() -> bool) -> bool {
    (0..10_000).any(|_| {
        std::thread::yield_now();
        such()
    })
}

fn ask(address: SocketAddr) {
    let body = r#"{"model":"gpt-4o","messages":[{"role":"user","content":"Hello?"}]}"#;
    let mut stream = TcpStream::connect(address).expect("it listens");
    let head = format!("host: localhost\r\nconnection: close\r\ncontent-length: {}", body.len());
    write!(stream, "POST /v1/chat/completions HTTP/1.1\r\n{head}\r\n\r\n{body}").expect("written");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 200") || answer.starts_with("HTTP/1.1 503"), "{answer}");
}

/// Gives how many calls there were, and how many of them fell back.
fn check(retries: bool) -> (usize, usize) {
    let scenario = scenario(retries);
    let drawn = on_the_engine(&scenario);
    let fallbacks = drawn.iter().flatten().filter(|(_, fallback)| *fallback).count();
    let drawn: Vec<_> = drawn.into_iter().map(|drawn| Some(drawn?.0)).collect();
    let worker = WorkerId::new(1);
    assert_eq!(on_the_gateway(&scenario, retries, seed_of_worker(SEED, worker)), drawn);
    assert_ne!(
        on_the_gateway(&scenario, retries, seed_of_worker(SEED + 1, worker)),
        drawn,
        "chance has its part"
    );
    (drawn.iter().flatten().count(), fallbacks)
}

#[test]
fn a_gateway_by_itself_draws_what_the_engine_draws() {
    let (calls, fallbacks) = check(false);
    assert_eq!(calls, TIMES * REQUESTS);
    assert!(fallbacks > 20 && fallbacks < calls - 20, "{fallbacks} of {calls}");
}

#[test]
fn so_it_does_when_it_retries() {
    let (calls, fallbacks) = check(true);
    assert!(calls > TIMES * REQUESTS + 40, "{calls}");
    assert!(fallbacks > 20 && fallbacks < calls - 20, "{fallbacks} of {calls}");
}
