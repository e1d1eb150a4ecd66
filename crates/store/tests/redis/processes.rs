//! Four worker processes on one real server, which is killed under them, as one of them is. The children are this test
//! binary again.
//!
//! Every worker reports ten thousand failures of a token that all share and as many of one of its own. The threshold is
//! what three of them report of the shared token. So of the tokens of workers that lived exactly ten thousand are counted,
//! no more and no fewer, and the shared one is out: it left once.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Lines, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command as Process, Stdio};
use std::time::Duration;

use firedrill_failover::{
    Attempt, Command, Config, FailoverSettings, Fingerprint, Instant, Pool, Random, Settings, Status, Token,
    Worker, WorkerId,
};
use firedrill_store::{Quiet, Shell, Store};

use crate::opened::{LOG, RUNTIME, SNAPSHOT, open};
use crate::server::{Options, Server, pause};
use crate::shells::{settled, uptime};

const WORKERS: u64 = 4;
const REPORTS: u32 = 10_000;

/// Given to a child: the server, and the number of the worker.
const URL: &str = "FIREDRILL_REDIS_URL";
const WORKER: &str = "FIREDRILL_REDIS_WORKER";

/// The shared token is 1, that of worker n is n + 1.
fn config() -> Config {
    let token =
        |number| Token { label: format!("token-{number}").into(), fingerprint: Fingerprint::new(number) };
    let failover = FailoverSettings {
        enabled: true,
        failure_threshold: u64::from(REPORTS) * (WORKERS - 1),
        cooldown_duration: 3_600_000,
        ..FailoverSettings::default()
    };
    let settings = Settings { failover, ..Settings::default() };
    Config::parse((1..=WORKERS + 1).map(token).collect(), &settings).expect("a good configuration")
}

#[test]
fn four_processes_lose_no_count_when_one_of_them_and_their_server_are_killed() {
    let Some(mut server) = Server::start(Options { durable: true, ..Options::default() }) else { return };
    let mut workers: BTreeMap<u64, Running> =
        (1..=WORKERS).map(|number| (number, Running::start(&server, number))).collect();
    let doomed = WORKERS;
    for worker in workers.values_mut() {
        worker.hear("joined");
    }
    for worker in workers.values_mut() {
        worker.tell("go");
    }
    // Each is heard at its quarters, so that what befalls them befalls them at work.
    for worker in workers.values_mut() {
        worker.hear("quarter");
    }
    server.kill();
    pause(Duration::from_millis(200));
    server.start_again();
    workers.remove(&doomed).expect("it runs").kill();
    for worker in workers.values_mut() {
        worker.hear("half");
    }
    server.kill();
    server.wipe();
    pause(Duration::from_millis(200));
    server.start_again();
    for worker in workers.values_mut() {
        worker.hear("settled");
    }
    let store = open(&server.url());
    let fold = RUNTIME.block_on(store.snapshot()).expect("answers").expect("a log");
    for worker in workers.values_mut() {
        worker.tell(&fold.head().version.to_string());
    }
    let folds: BTreeMap<u64, String> =
        workers.iter_mut().map(|(number, worker)| (*number, worker.line())).collect();
    let expect = shown(fold.pool());
    for (number, shown) in folds {
        assert_eq!(shown, expect, "worker {number} ends with another fold");
    }
    let pool = fold.pool();
    for number in 1..WORKERS {
        let own =
            pool.token(pool.find(&format!("token-{}", number + 1)).expect("configured")).expect("known");
        assert_eq!(own.failures, REPORTS, "worker {number}");
    }
    let shared = pool.token(pool.find("token-1").expect("configured")).expect("known");
    assert!(shared.unavailable_since.is_some(), "the shared token has {} failures", shared.failures);
    let mut connection = server.connection();
    let kept: Vec<(String, Vec<String>)> =
        redis::cmd("XRANGE").arg(LOG).arg("-").arg("+").query(&mut connection).expect("a log");
    let removals = kept.iter().flat_map(|(_, fields)| fields).map(|text| text.matches("\"removed\"").count());
    let removals: usize = removals.sum();
    // Only the shared token can be out, and what the log was founded anew with may say so.
    let founded: String =
        redis::cmd("HGET").arg(SNAPSHOT).arg("e").query(&mut connection).expect("founded anew");
    let before = founded.matches("\"since\"").count();
    assert_eq!(before + removals, 1, "{before} times before the log was founded anew, {removals} after");
    println!("{expect}; {} appends and {removals} removals since the log was founded anew", kept.len());
    for (_, worker) in workers {
        worker.end();
    }
}

/// Not a test: what a child does. Without its environment it does nothing.
#[test]
fn child() {
    let (Ok(url), Ok(number)) = (std::env::var(URL), std::env::var(WORKER)) else { return };
    let number: u64 = number.parse().expect("a number");
    let config = config();
    let worker = Worker::new(WorkerId::new(number), Instant::ZERO, &config);
    let (shell, driver) = Shell::new(open(&url), worker, uptime, Quiet);
    RUNTIME.spawn(driver.run());
    shell.perform(Command::Join(config));
    settled(&shell);
    let mut heard = std::io::stdin().lines();
    let tell = |line: &str| {
        let mut out = std::io::stdout().lock();
        writeln!(out, "\nsay {line}").and_then(|()| out.flush()).expect("the parent listens");
    };
    tell("joined");
    heard.next().expect("the parent speaks").expect("text");
    let failed = Status::new(503).expect("a status");
    let mut random = Random::new(number, 0);
    let draw = |random: &mut Random, wanted: u64| loop {
        let drawn = shell.select(random);
        if drawn.fingerprint() == Fingerprint::new(wanted) {
            break drawn;
        }
    };
    let own = draw(&mut random, number + 1);
    let shared = draw(&mut random, 1);
    for report in 0..REPORTS {
        if report == REPORTS / 4 {
            tell("quarter");
        }
        if report == REPORTS / 2 {
            tell("half");
        }
        shell.report(own, failed, Attempt::First);
        shell.report(shared, failed, Attempt::First);
        if report % 10 == 0 {
            pause(Duration::from_millis(2));
        }
    }
    settled(&shell);
    tell("settled");
    // What others appended, and decided again, is still on its way.
    let version: u64 = heard.next().expect("the parent speaks").expect("text").parse().expect("a version");
    for _ in 0..2_000 {
        if shell.look(|pool| pool.version().appends()) >= version {
            break;
        }
        pause(Duration::from_millis(10));
    }
    tell(&shell.look(shown));
    // The parent is done when it says nothing more.
    heard.for_each(drop);
}

/// Every token with its count, and who is out.
fn shown(pool: &Pool) -> String {
    let mut tokens: Vec<String> = pool
        .tokens()
        .map(|(_, token)| {
            let out = if token.unavailable_since.is_some() { " (out)" } else { "" };
            format!("{} {}{out}", token.label, token.failures)
        })
        .collect();
    tokens.sort();
    tokens.join(", ")
}

/// A child at work.
struct Running {
    child: Child,
    to: ChildStdin,
    from: Lines<BufReader<ChildStdout>>,
}

impl Running {
    fn start(server: &Server, number: u64) -> Self {
        let mut process = Process::new(std::env::current_exe().expect("this binary"));
        process.args(["--exact", "processes::child", "--nocapture"]);
        process.env(URL, server.url()).env(WORKER, number.to_string());
        process.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit());
        let mut child = process.spawn().expect("starts");
        let to = child.stdin.take().expect("its input");
        let from = BufReader::new(child.stdout.take().expect("its output")).lines();
        Self { child, to, from }
    }

    fn tell(&mut self, line: &str) {
        writeln!(self.to, "{line}").and_then(|()| self.to.flush()).expect("it listens");
    }

    /// The next thing that it says; the test harness prints lines of its own.
    fn line(&mut self) -> String {
        let said = self.from.find_map(|line| line.expect("text").strip_prefix("say ").map(str::to_owned));
        said.expect("it ended")
    }

    #[track_caller]
    fn hear(&mut self, expect: &str) {
        assert_eq!(self.line(), expect);
    }

    fn kill(mut self) {
        self.child.kill().expect("kills");
        self.child.wait().expect("waits");
    }

    fn end(self) {
        let Self { mut child, to, from } = self;
        drop(to);
        from.for_each(drop);
        assert!(child.wait().expect("waits").success());
    }
}
