//! Embedding the engine: a gateway in miniature, with a made-up clock and a made-up provider.
//!
//! Two tokens. `blue` hits its rate limit, the provider goes down under `green` too, requests draw a fallback meanwhile,
//! and then `blue` comes back by its cooldown and `green` by a probe. Run it with
//! `cargo run -p firedrill-failover --example embed`.

#![expect(clippy::print_stdout, reason = "an example is there to be read on the screen")]

use firedrill_failover::{
    Attempt, Command, Config, Duration, Event, FailoverSettings, Fingerprint, Instant, MemoryLog, Pool,
    Random, Settings, Status, Token, Worker, WorkerId,
};

fn main() {
    for line in story() {
        println!("{line}");
    }
}

/// Everything that happens, one sentence a line. A test of this crate holds it to what it says today.
pub(crate) fn story() -> Vec<String> {
    // 1. The configuration: two tokens and Higress's names. The secrets stay in the gateway; the engine gets a label
    //    to show and a fingerprint to compare.
    let tokens = [("blue", 0xb1), ("green", 0x97)];
    let tokens =
        tokens.map(|(label, bits)| Token { label: label.into(), fingerprint: Fingerprint::new(bits) });
    let failover = FailoverSettings {
        enabled: true,
        failure_threshold: 2,
        cooldown_duration: 10_000,
        health_check_model: "gpt-4o-mini".into(),
        ..FailoverSettings::default()
    };
    let settings = Settings { failover, ..Settings::default() };
    let config = Config::parse(tokens.into(), &settings).expect("a good configuration");

    // 2. A worker takes part in a log.
    let mut gateway = Gateway {
        worker: Worker::new(WorkerId::new(1), Instant::ZERO, &config),
        log: MemoryLog::new(),
        random: Random::new(7, 0),
        uptime: Duration::ZERO,
        story: Vec::new(),
    };
    gateway.perform(Command::Join(config));

    // 3. Requests. `blue` is over its rate limit and `green` is not.
    for _ in 0..6 {
        gateway.wait(250);
        gateway.request(|label| if label == "blue" { 429 } else { 200 });
    }

    // The whole provider is down: `green` goes too, and requests draw a fallback.
    gateway.wait(4_000);
    for _ in 0..3 {
        gateway.request(|_| 503);
    }

    // 4. Ticks. The first probes both tokens, and only `green` passes. The second comes when the cooldown of `blue` is
    //    over.
    gateway.tick(|label| if label == "green" { 200 } else { 429 });
    gateway.wait(10_000);
    gateway.tick(|_| 200);
    gateway.request(|_| 200);
    gateway.story
}

/// What an embedder writes round the engine.
struct Gateway {
    worker: Worker,
    log: MemoryLog,
    random: Random,
    /// How long ago the worker was made, by a clock that is never set.
    uptime: Duration,
    story: Vec<String>,
}

impl Gateway {
    fn wait(&mut self, millis: u64) {
        self.uptime = Duration::from_millis(self.uptime.as_millis() + millis);
    }

    fn say(&mut self, sentence: &str) {
        self.story.push(format!("{:>7}  {sentence}", self.uptime.to_string()));
    }

    /// Lets the worker do something, tells what happened, and gives it back.
    fn perform(&mut self, command: Command) -> Vec<Event> {
        let before: Pool = self.worker.pool().clone();
        let entry = self.worker.perform(&mut self.log, self.uptime, command).expect("memory is within reach");
        let events = entry.map(|entry| entry.events.into_vec()).unwrap_or_default();
        let at = self.worker.time(self.uptime);
        for event in &events {
            self.say(&event.sentence(&before, at).to_string());
        }
        events
    }

    /// One request: `provider` tells the status that it answers to a token.
    fn request(&mut self, provider: impl Fn(&str) -> u16) {
        let drawn = self.worker.pool().select(&mut self.random);
        let label = self.worker.pool().token(drawn.token).map_or("?", |token| token.label);
        let code = provider(label);
        let fallback = if drawn.fallback { " as a fallback" } else { "" };
        let sentence = format!("a request draws {label}{fallback} and is answered {code}");
        self.say(&sentence);
        let status = Status::new(code).expect("three digits");
        self.perform(Command::Outcome { token: drawn.token, status, attempt: Attempt::First });
    }

    /// One tick; the probes that it asks for are sent and answered at once.
    fn tick(&mut self, provider: impl Fn(&str) -> u16) {
        let events = self.perform(Command::Tick);
        for event in events {
            let Event::ProbeSent { token, probe } = event else { continue };
            let label = self.worker.pool().token(token).map_or("?", |token| token.label);
            let answer = Status::new(provider(label)).expect("three digits");
            self.perform(Command::ProbeAnswered { token, probe, answer });
        }
    }
}
