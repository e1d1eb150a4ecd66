//! A gateway at full speed for a while, with faults, reloads, and clients that go away: every count is exact, and nothing is left
//! behind. `FIREDRILL_SOAK` says for how many seconds.

mod clients;
mod measure;

use std::sync::Arc;
use std::time::Duration;

use firedrill_failover::{Config, FailoverSettings, Founding, RetrySettings, Settings as Rules, Token};
use firedrill_gateway::{Gateway, Secret, Secrets, Settings, StartError, Vendor};
use firedrill_provider::MockProvider;
use firedrill_store::{MemoryStore, Store};

use crate::clients::{HELD, PROBE, Tally};
use crate::measure::{Sample, Samples};

/// So long it takes, if nobody says otherwise, in seconds.
const LENGTH: u64 = 4;

/// Fewer rounds say nothing of what is left behind.
const LEAST_ROUNDS: usize = 7;

/// Whether it is known of each request how far it comes.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
enum Round {
    /// Who goes away does so at a moment that can be told: every count is known.
    Exact,
    /// Some hang up as soon as they have asked, others before that; and the port is closed for a while. What becomes of those is
    /// known within bounds.
    Rough,
}

impl Round {
    /// What goes wrong.
    fn upstream(self) -> &'static str {
        match self {
            Self::Exact => {
                "{ latency: { from: 0ms, to: 2ms }, pace: { first: 0ms, between: 1ms },
                   quotas: [{ requests: 200, per: 1s, window: bucket, burst: 50 }],
                   outages: [{ from: 300ms, for: 100ms, status: 502 }],
                   errors: [{ rate: 5%, status: 503 }, { rate: 2%, fault: reset }, { rate: 2%, fault: { cut: { bytes: 40 } } },
                            { rate: 1%, fault: resetAfterHeaders }, { rate: 1%, fault: malformedChunk }] }"
            }
            Self::Rough => {
                "{ latency: { from: 0ms, to: 5ms }, pace: { first: 0ms, between: 1ms },
                   outages: [{ from: 200ms, for: 100ms, fault: refused }],
                   errors: [{ rate: 10%, status: 429 }, { rate: 3%, fault: wrongLength }] }"
            }
        }
    }
}

/// A gateway, what is behind it, and where its log is kept.
struct World {
    mock: MockProvider,
    gateway: Gateway,
    store: Arc<MemoryStore>,
}

/// One of the configurations that take turns: most tokens are in all of them.
fn configuration(turn: usize) -> (Config, Secrets) {
    let labels = ["sk-soak-a", "sk-soak-b", "sk-soak-c", ["sk-soak-d", "sk-soak-e"][turn % 2]];
    let mut secrets = Secrets::new();
    let keep = |label: &&str| {
        let token = Secret::from(format!("{label}-0123456789abcdef"));
        secrets.keep(label, token).expect("a token")
    };
    let tokens: Vec<Token> = labels.iter().map(keep).collect();
    let failover = FailoverSettings {
        enabled: true,
        failure_threshold: 1 + turn as u64 % 3,
        health_check_interval: 10,
        cooldown_duration: 30,
        health_check_model: PROBE.to_owned(),
        ..FailoverSettings::default()
    };
    let retry_on_failure =
        RetrySettings { enabled: true, max_retries: 1 + turn as u64 % 2, ..RetrySettings::default() };
    let rules = Rules { failover, retry_on_failure, ..Rules::default() };
    (Config::parse(tokens, &rules).expect("good rules"), secrets)
}

impl World {
    async fn start() -> Self {
        let tokens = ["a", "b", "c", "d", "e"];
        let mock = tokens.iter().fold(MockProvider::builder(), |mock, token| {
            mock.token_as(&format!("sk-soak-{token}-0123456789abcdef"), &format!("sk-soak-{token}"))
        });
        let mock = mock.answer("One two three four five six seven eight.").seed(7);
        let mock = mock.hold(|entry| entry.model.starts_with(HELD)).start().await.expect("it starts");
        let (pool, secrets) = configuration(0);
        let route = mock.base_url().parse().expect("a route");
        let settings = Settings::new(route, Vendor::OpenAi, pool, secrets);
        let store = Arc::new(MemoryStore::new());
        let gateway = Gateway::builder(settings).store(Arc::clone(&store)).seed(7).start().await;
        let world = Self { mock, gateway: gateway.expect("it starts"), store };
        world.gateway.idle().await;
        world
    }

    /// So many requests were read: what a client that hung up has sent may still be on its way.
    async fn read(&self, asked: u64) {
        let read = clients::until(|| self.gateway.metrics().requests() >= asked);
        // If there are fewer, that is told with the other counts.
        let _ = tokio::time::timeout(Duration::from_secs(5), read).await;
    }

    /// All is done, and every token is back: so that no probe begins.
    async fn rest(&self) {
        let whole = async {
            loop {
                self.gateway.idle().await;
                self.mock.idle().await;
                let is_whole = self.gateway.shell().look(|pool| pool.unavailable().count()) == 0;
                // One of two probes may have brought the last token back while the other is on its way.
                if is_whole && self.in_flight() == [0; 4] && self.mock.open() == 0 {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), whole).await.expect("it comes to rest");
    }

    /// Other configurations take effect, again and again; one that cannot be sent is refused.
    async fn reload(&self) {
        for turn in 1.. {
            tokio::time::sleep(Duration::from_millis(60)).await;
            let (pool, secrets) = configuration(turn);
            let refused = self.gateway.reconfigure(pool.clone(), Secrets::new());
            assert!(matches!(refused, Err(StartError::NoSecret(_))), "{refused:?}");
            self.gateway.reconfigure(pool, secrets).expect("a secret for each");
        }
    }

    /// Requests, those of them that wait for upstream, and the same of probes.
    fn in_flight(&self) -> [usize; 4] {
        let flight = self.gateway.in_flight();
        [flight.requests, flight.requests_waiting, flight.probes, flight.probes_waiting]
    }

    /// How often tokens were drawn for requests.
    fn attempts(&self) -> u64 {
        let tokens = ["a", "b", "c", "d", "e"].map(|token| format!("sk-soak-{token}"));
        tokens.iter().map(|label| self.gateway.metrics().token(label).attempts()).sum()
    }

    fn counts(&self) -> Counts {
        let metrics = self.gateway.metrics();
        Counts {
            requests: metrics.requests(),
            answers: metrics.answers(),
            aborts: metrics.aborts(),
            attempts: self.attempts(),
            sent: self.gateway.in_flight().sent,
        }
    }

    /// Forgets the log and what the mock was asked: neither is the gateway's, and both may grow up to a length.
    async fn forget(&self) {
        self.mock.reset().await;
        let fold = self.store.snapshot().await.expect("in memory").expect("it is founded");
        self.store.found(&Founding { over: fold.head(), fold }).await.expect("in memory");
    }
}

/// What the gateway has counted.
#[derive(Copy, Clone, Debug)]
struct Counts {
    requests: u64,
    answers: u64,
    aborts: u64,
    attempts: u64,
    /// Attempts and probes.
    sent: u64,
}

impl Counts {
    fn since(self, before: Self) -> Self {
        Self {
            requests: self.requests - before.requests,
            answers: self.answers - before.answers,
            aborts: self.aborts - before.aborts,
            attempts: self.attempts - before.attempts,
            sent: self.sent - before.sent,
        }
    }
}

/// Asserts that what the gateway counted, what its clients saw and what upstream was asked are one story.
fn assert_one_story(round: Round, counted: Counts, seen: Tally, mock: &MockProvider) {
    let journal = mock.journal();
    let asked = journal.count() as u64;
    let probes = journal.iter().filter(|entry| entry.model == PROBE).count() as u64;
    let said =
        format!("{round:?}: counted {counted:?}, seen {seen:?}, asked {asked}, {probes} of them probes");
    assert_eq!(counted.requests, seen.asked, "{said}");
    assert_eq!(counted.requests, counted.answers + counted.aborts, "{said}");
    match round {
        Round::Exact => {
            assert_eq!(counted.answers, seen.begun(), "{said}");
            assert_eq!(counted.aborts, seen.left_held, "{said}");
            assert_eq!(counted.sent, asked, "{said}");
            assert_eq!(counted.attempts, asked - probes, "{said}");
        }
        Round::Rough => {
            assert!((seen.begun()..=seen.begun() + seen.left_blind).contains(&counted.answers), "{said}");
            assert!((seen.left_held..=seen.left_held + seen.left_blind).contains(&counted.aborts), "{said}");
            // What was sent to a closed port, or given up at once, may not have come.
            assert!(counted.sent >= asked && counted.attempts >= asked - probes, "{said}");
        }
    }
}

#[test]
fn nothing_is_lost_and_nothing_is_left_behind() {
    let length = std::env::var("FIREDRILL_SOAK").map_or(LENGTH, |text| text.parse().expect("seconds"));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.expect("a runtime").block_on(soak(Duration::from_secs(length)));
}

#[expect(clippy::print_stdout, reason = "who runs it for long reads what it came to")]
async fn soak(length: Duration) {
    let files = measure::files();
    let began = tokio::time::Instant::now();
    let world = World::start().await;
    let (mut samples, mut all, mut rounds) = (Samples::default(), Tally::default(), 0);
    while rounds < LEAST_ROUNDS || began.elapsed() < length {
        let round = if rounds % 2 == 0 { Round::Exact } else { Round::Rough };
        world.mock.replace(round.upstream()).await.expect("good YAML");
        let before = world.counts();
        let seen = tokio::select! {
            seen = clients::ask(&world, round) => seen,
            () = world.reload() => unreachable!("it goes on"),
        };
        world.read(before.requests + seen.asked).await;
        world.rest().await;
        assert_eq!(world.in_flight(), [0; 4]);
        assert_eq!((world.mock.open(), world.gateway.shell().standing().waiting), (0, 0));
        assert_one_story(round, world.counts().since(before), seen, &world.mock);
        world.forget().await;
        all += seen;
        rounds += 1;
        samples.take(all.asked);
    }
    let World { mock, gateway, .. } = world;
    let retries = gateway.metrics().retries();
    gateway.stop().await;
    mock.stop().await;
    measure::back_to(files).await;
    let took = began.elapsed();
    println!("{rounds} rounds in {took:.1?}: {all:?}, {retries} retries; {samples}");
    // Each of these happened, or the counts prove little.
    let Tally { asked, whole, broken, left_amid, left_held, left_blind } = all;
    for some in [asked, whole, broken, left_amid, left_held, left_blind, retries] {
        assert!(some > 0, "{all:?}, {retries} retries");
    }
    samples.assert_flat();
}

#[test]
fn a_request_whose_bytes_stay_is_noticed() {
    let samples = |each: i64| {
        let sample = |round: u32| {
            let noise = [40_000, 0, 90_000, 20_000][round as usize % 4];
            Sample {
                asked: u64::from(round) * 400,
                heap: 2_000_000 + i64::from(round) * 400 * each + noise,
                resident: 50 << 20,
            }
        };
        Samples::from((1..=20u32).map(sample).collect::<Vec<_>>())
    };
    assert_eq!(samples(0).growth(), None);
    assert!(samples(400).growth().is_some_and(|growth| growth.contains("heap")));
    let mut resident = samples(0);
    resident.grow_by(2 << 20);
    assert!(resident.growth().is_some_and(|growth| growth.contains("resident")));
}
