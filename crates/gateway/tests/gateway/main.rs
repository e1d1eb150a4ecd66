//! The gateway between its clients and a provider, over real connections on loopback.

mod admin;
mod bursts;
mod crowd;
mod failover;
mod failures;
mod guard;
mod idle;
mod kept;
mod limits;
mod operating;
mod others;
mod plain;
mod probes;
mod rehearsal;
mod reload;
mod retries;
#[path = "../../../../tests/search.rs"]
mod search;
mod secrets;
mod streams;
mod tls;
mod tokens;
mod upstream;

use firedrill_clock::Virtual;
use firedrill_failover::{
    Config, Duration, FailoverSettings, RetrySettings, Settings as Rules, Token, WorkerId,
};
use firedrill_gateway::{Gateway, Secret, Secrets, Settings, Vendor};
use firedrill_provider::{Dialect, MockProvider};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::rehearsal::Steering;
use crate::tokens::sent;

/// A question, as a client sends it.
const QUESTION: &str = r#"{"model":"gpt-4o","messages":[{"role":"user","content":"Hello?"}]}"#;
/// One whose answer should come as a stream.
const STREAM: &str = r#"{"model":"gpt-4o","stream":true,"messages":[{"role":"user","content":"Hello?"}]}"#;

/// A gateway in front of a mock, on one clock.
struct World {
    mock: MockProvider,
    gateway: Gateway,
    clock: Virtual,
}

/// The labels of the tokens, the rules, and whatever else a test says.
struct Setup {
    vendor: Vendor,
    tokens: Vec<&'static str>,
    rules: Rules,
    change: fn(&mut Settings),
    draws: Vec<&'static str>,
}

fn setup(tokens: &[&'static str]) -> Setup {
    Setup {
        vendor: Vendor::OpenAi,
        tokens: tokens.to_vec(),
        rules: Rules::default(),
        change: |_| {},
        draws: Vec::new(),
    }
}

impl Setup {
    /// One failure takes a token out, and it cools down for 100 ms; ticks are 10 ms apart.
    fn failing_over(mut self) -> Self {
        self.rules.failover = FailoverSettings {
            enabled: true,
            failure_threshold: 1,
            health_check_interval: 10,
            cooldown_duration: 100,
            ..FailoverSettings::default()
        };
        self
    }

    fn retrying(mut self, most: u64) -> Self {
        self.rules.retry_on_failure =
            RetrySettings { enabled: true, max_retries: most, ..RetrySettings::default() };
        self
    }

    fn rules(mut self, change: impl FnOnce(&mut Rules)) -> Self {
        change(&mut self.rules);
        self
    }

    fn settings(mut self, change: fn(&mut Settings)) -> Self {
        self.change = change;
        self
    }

    /// These are drawn, one after another; then it is by chance.
    fn drawing(mut self, draws: &[&'static str]) -> Self {
        self.draws = draws.to_vec();
        self
    }

    /// What the gateway runs on, with `base` for its route.
    fn made(&self, base: &str) -> Settings {
        let (pool, secrets) = pool(&self.tokens, &self.rules);
        let route = base.parse().expect("a route");
        let mut settings = Settings::new(route, self.vendor, pool, secrets);
        (self.change)(&mut settings);
        settings
    }

    /// In front of a mock that does what `upstream` says.
    async fn before(self, upstream: &str) -> World {
        let clock = Virtual::default();
        let dialect = match self.vendor {
            Vendor::OpenAi => Dialect::OpenAi,
            Vendor::Anthropic => Dialect::Anthropic,
            Vendor::Azure => Dialect::Azure,
            Vendor::Bedrock => Dialect::Bedrock,
            Vendor::Gemini => Dialect::Gemini,
            Vendor::Qwen => Dialect::Qwen,
            Vendor::DeepSeek => Dialect::DeepSeek,
        };
        let mock = MockProvider::builder()
            .dialect(dialect)
            .upstream(upstream)
            .answer("One two three four five six.");
        let mock = tokens::known_to(mock);
        let mock = mock.clock(clock.clone()).start().await.expect("it starts");
        let gateway = self.in_front_of(&mock.base_url(), &clock).await;
        World { mock, gateway, clock }
    }

    async fn in_front_of(self, base: &str, clock: &Virtual) -> Gateway {
        let mut builder =
            Gateway::builder(self.made(base)).clock(clock.clone()).worker(WorkerId::new(1)).seed(7);
        if !self.draws.is_empty() {
            builder = builder.rehearsal(Steering::new(&self.draws));
        }
        let gateway = builder.start().await.expect("it starts");
        gateway.idle().await;
        gateway
    }
}

fn pool(labels: &[&str], rules: &Rules) -> (Config, Secrets) {
    tokens::search_logs();
    let mut secrets = Secrets::new();
    let keep = |label: &&str| secrets.keep(label, Secret::from(sent(label).to_owned())).expect("a token");
    let tokens: Vec<Token> = labels.iter().map(keep).collect();
    let pool = Config::parse(tokens, rules).expect("good rules");
    (pool, secrets)
}

impl World {
    fn url(&self) -> String {
        format!("http://{}/v1/chat/completions", self.gateway.address())
    }

    /// Asks, as a client that has a key of its own.
    fn asking(&self, question: &'static str) -> reqwest::RequestBuilder {
        client().post(self.url()).bearer_auth("sk-of-the-client").body(question)
    }

    async fn ask(&self, question: &'static str) -> reqwest::Response {
        self.asking(question).send().await.expect("an answer")
    }

    /// Moves the clock, and waits until all is done that can be done by then.
    async fn advance(&self, millis: u64) {
        self.mock.advance(std::time::Duration::from_millis(millis)).await;
        self.gateway.resting().await;
    }

    /// Waits until upstream was asked so often, and waits itself.
    async fn asked(&self, times: u64) {
        self.mock.asked(times).await;
        self.gateway.resting().await;
    }

    /// Waits until `such` is so.
    async fn until(&self, such: impl Fn(&Self) -> bool) {
        let soon = async {
            while !such(self) {
                tokio::time::sleep(std::time::Duration::from_millis(1)).await;
            }
        };
        tokio::time::timeout(std::time::Duration::from_secs(10), soon).await.expect("in time");
    }

    /// Waits until these are available, in this order.
    async fn wait_for(&self, available: &[&str]) {
        self.until(|world| world.available() == available).await;
        self.gateway.idle().await;
    }

    fn available(&self) -> Vec<String> {
        self.gateway.shell().look(|pool| {
            let label = |id| pool.token(id).expect("a token of the pool").label.to_owned();
            pool.available().map(label).collect()
        })
    }
}

/// A client that opens a connection for each request.
fn client() -> reqwest::Client {
    reqwest::Client::builder().pool_max_idle_per_host(0).no_proxy().build().expect("a client")
}

/// Sends `bytes` and reads until the connection ends, however it does.
async fn raw(gateway: &Gateway, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(gateway.address()).await.expect("it listens");
    // It may be over before all is written.
    let _ = stream.write_all(bytes).await;
    rest(&mut stream).await
}

async fn rest(stream: &mut TcpStream) -> String {
    let mut read = Vec::new();
    let ended = tokio::time::timeout(std::time::Duration::from_secs(20), stream.read_to_end(&mut read)).await;
    // Also one that was reset is over.
    let _ = ended.expect("the connection ends");
    String::from_utf8_lossy(&read).into_owned()
}
