//! The target that is a URL, against tiny gateways: a right one passes every scenario of `scenarios/anywhere`, and for each way of
//! being wrong there is one that fails. Everything lives by one virtual clock, so nobody waits.

mod gateways;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use firedrill_clock::Virtual;
use firedrill_provider::Dialect;
use firedrill_scenario::{Run, Scenario, Settings, Stranger, TimeScale, Verdict, find};
use firedrill_yaml::Source;

use gateways::{Gateway, Policy};

/// A gateway of `policy` whose upstream is the mock provider of the stranger.
fn meet(policy: Policy, scale: &str) -> (Gateway, Stranger) {
    let clock = Virtual::default();
    let gateway = Gateway::start(policy, clock.clone());
    let settings = Settings {
        gateway: format!("http://{}", gateway.address()).parse().expect("a URL"),
        path: "/v1/chat/completions".to_owned(),
        model: "gpt-4o".to_owned(),
        headers: Vec::new(),
        timeout: Duration::from_secs(20),
        listen: SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 0),
        dialect: Dialect::OpenAi,
        scale: scale.parse::<TimeScale>().expect("a share"),
    };
    let stranger = Stranger::meet(settings, clock, ()).expect("a free port");
    gateway.points_at(stranger.listens_at());
    (gateway, stranger)
}

fn read(name: &str, text: &str) -> Scenario {
    Scenario::parse(&Source::new(name, text)).expect("a scenario")
}

/// The scenarios that can be asked of anybody, by their names.
fn anywhere() -> Vec<(String, Scenario)> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../scenarios/anywhere");
    let files = find(&[folder]).expect("scenarios");
    let read = |path: &PathBuf| {
        let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
        let scenario = read(&name, &std::fs::read_to_string(path).expect("a file"));
        (name, scenario)
    };
    files.iter().map(read).collect()
}

fn word(run: &Run) -> String {
    match &run.verdict {
        Verdict::Passed => "passed".to_owned(),
        Verdict::Failed(failure) => format!("failed: {}", failure.problem.message()),
        Verdict::NotJudged => format!("not judged: {}", run.skipped[0].reason),
        Verdict::CouldNotRun(problem) => {
            format!("could not run: {}; {}", problem.message(), problem.hint_text().unwrap_or_default())
        }
    }
}

/// The scenarios that a gateway of `policy` fails, each begun with a new one: of one that is wrong much may be left behind.
fn fails(policy: Policy) -> Vec<String> {
    let failed = anywhere().into_iter().filter_map(|(name, scenario)| {
        let (_gateway, mut stranger) = meet(policy, "1");
        let run = stranger.run(&scenario, 0);
        assert!(
            !matches!(run.verdict, Verdict::CouldNotRun(_) | Verdict::NotJudged),
            "{name}: {}",
            word(&run)
        );
        matches!(run.verdict, Verdict::Failed(_)).then_some(name)
    });
    failed.collect()
}

#[test]
fn a_right_gateway_passes_everything_one_after_the_other() {
    let (_gateway, mut stranger) = meet(Policy::RIGHT, "1");
    for (name, scenario) in anywhere() {
        let run = stranger.run(&scenario, 0);
        assert_eq!((word(&run), &run.skipped[..]), ("passed".to_owned(), &[][..]), "{name}");
    }
}

#[test]
fn every_way_of_being_wrong_fails_somewhere() {
    let right = Policy::RIGHT;
    for (policy, expect) in [
        // No failover at all: tokens in turn, and what the provider says is said to the client.
        (
            Policy { retries: 0, takes_out: false, ..right },
            &[
                "a-rate-limited-token-is-left-alone",
                "a-token-comes-back-after-its-cooldown",
                "several-at-once-meet-a-bad-token",
                "two-of-three-fail",
            ][..],
        ),
        // It retries, and goes on to call the bad one.
        (
            Policy { takes_out: false, ..right },
            &[
                "a-rate-limited-token-is-left-alone",
                "a-token-comes-back-after-its-cooldown",
                "several-at-once-meet-a-bad-token",
                "two-of-three-fail",
            ],
        ),
        // It takes tokens out, and the client pays for finding out.
        (
            Policy { retries: 0, ..right },
            &[
                "a-rate-limited-token-is-left-alone",
                "a-token-comes-back-after-its-cooldown",
                "several-at-once-meet-a-bad-token",
                "two-of-three-fail",
            ],
        ),
        // One retry is one too few.
        (Policy { retries: 1, ..right }, &["two-of-three-fail"]),
        // Who is out never comes back.
        (Policy { cooldown: u64::MAX, ..right }, &["a-token-comes-back-after-its-cooldown"]),
        // And nobody serves when all are out.
        (Policy { cooldown: u64::MAX, falls_back: false, ..right }, &["an-outage-of-everything-ends"]),
        // Who is out comes back too early.
        (Policy { cooldown: 5_000, ..right }, &["a-token-comes-back-after-its-cooldown"]),
        // What a client got wrong is held against the token.
        (Policy { blames_for: 400, ..right }, &["a-mistake-of-the-client-takes-nothing-out"]),
        // It always prefers the first.
        (Policy { in_turn: false, ..right }, &["all-is-well"]),
    ] {
        let failed = fails(policy);
        for name in expect {
            assert!(
                failed.iter().any(|failed| failed == name),
                "{policy:?} fails {failed:?}, expected {expect:?}"
            );
        }
    }
}

const POOL: &str = "
provider:
  apiTokens: [sk-a, sk-b, sk-c]
  failover: { enabled: true, failureThreshold: 1, cooldownDuration: 30000, failoverOnStatus: ['429'] }
";

#[track_caller]
fn check(policy: Policy, rest: &str, expect: &str) -> Run {
    let (_gateway, mut stranger) = meet(policy, "1");
    let run = stranger.run(&read("f", &format!("scenario: s{POOL}{rest}")), 0);
    assert_eq!(word(&run), expect);
    run
}

#[test]
fn what_cannot_be_asked_is_skipped_and_what_comes_after_it_too() {
    let rest = "steps:
  - request: { times: 3, expect: { status: 200, fallback: false, events: [] } }
  - expect: { available: [sk-a, sk-b, sk-c] }
  - request: { draws: sk-a, expect: { status: 418 } }
  - expect: { status: 418 }
  - request: { expect: { status: 418 } }
  - always: every token is in exactly one list
";
    let run = check(Policy::RIGHT, rest, "passed");
    let skipped: Vec<(usize, &str)> =
        run.skipped.iter().map(|skipped| (skipped.place.line, &*skipped.reason)).collect();
    assert_eq!(
        skipped,
        [
            (6, "`fallback`: whether a draw was a fallback only the gateway knows"),
            (6, "`events`: it keeps no log that could be read"),
            (7, "what its pool is like only the gateway itself knows"),
            (8, "which token is drawn is for the gateway to say"),
            (9, "it comes after line 8, which was skipped"),
            (10, "it comes after line 8, which was skipped"),
            (11, "it keeps no log that could be read"),
        ]
    );
}

#[test]
fn what_nothing_can_be_judged_of_does_not_pass() {
    for (steps, reason) in [
        (
            "[{ request: { draws: sk-a, expect: { status: 200 } } }]",
            "which token is drawn is for the gateway to say",
        ),
        (
            "[{ outcome: { token: sk-a, status: 429 } }]",
            "no outcome can be reported to it but by an answer of the provider",
        ),
        (
            "[{ request: { times: 2 } }, { expect: { available: [sk-a, sk-b, sk-c] } }]",
            "nothing that it expects can be seen from outside",
        ),
        ("[tick]", "its timers are its own"),
        ("[{ clockBack: 1s }, { request: { expect: { status: 200 } } }]", "its clock cannot be set"),
        ("[{ always: every token is in exactly one list }]", "it keeps no log that could be read"),
        ("[{ stop: 1 }]", "its workers cannot be stopped and started from outside"),
    ] {
        check(Policy::RIGHT, &format!("steps: {steps}\n"), &format!("not judged: {reason}"));
    }
    let manual = "ticks: manual\nsteps: [{ advance: 1m }, { request: { expect: { status: 200 } } }]\n";
    check(Policy::RIGHT, manual, "not judged: its timers cannot be held while time passes");
}

#[test]
fn what_holds_by_one_seed_says_nothing_of_a_stranger() {
    let rest = "seed: 0\nupstream: { sk-a: 429 }\nsteps: [{ request: { expect: { status: 200 } } }]\n";
    let run = check(Policy::RIGHT, rest, &format!("not judged: {CHANCE}"));
    assert_eq!(run.skipped.len(), 1, "the step that it stands in, and nothing after it: {:?}", run.skipped);
}

const CHANCE: &str =
    "whether it holds is for chance to say: on the engine it fails at line 7 with `--seed 1`";

#[test]
fn a_gateway_that_is_not_ready_could_not_run() {
    let well = "steps: [{ request: { expect: { status: 200 } } }]\n";
    let mut known = String::new();
    let mut check = |policy: Policy, expect: &str| {
        let (gateway, mut stranger) = meet(policy, "1");
        if expect.starts_with("the gateway at") {
            drop(gateway);
        }
        let run = stranger.run(&read("f", &format!("scenario: s{POOL}{well}")), 0);
        let address = stranger.listens_at().to_string();
        known = word(&run).replace(&address, "MOCK");
        assert!(known.starts_with(&format!("could not run: {expect}")), "{known}");
    };
    check(
        Policy { tokens: ["sk-a", "sk-b", "sk-other"], ..Policy::RIGHT },
        "the gateway sent a token that the scenario does not have: token-3dcad332ca20; \
         configure it with those of the scenario: sk-a, sk-b, sk-c",
    );
    check(
        Policy { answers_itself: 401, ..Policy::RIGHT },
        "the gateway answered 401 (`by itself`) and asked the mock provider nothing; its upstream should be http://MOCK",
    );
    check(
        Policy { upstream_path: "/chat/completions", ..Policy::RIGHT },
        "the gateway asked the mock provider for POST /chat/completions, which is a 404 there; what it speaks is `openai`: its \
         clients mostly want http://MOCK/v1 as their base",
    );
    check(Policy::RIGHT, "the gateway at http://127.0.0.1:");
    let (_gateway, mut stranger) = meet(Policy::RIGHT, "1");
    let other = POOL.replace("provider:\n", "provider:\n  type: claude\n");
    let expect = "could not run: the provider of the scenario is of the type `anthropic`, and the mock speaks `openai`; \
                  `--mock-type anthropic` lets it speak that";
    assert_eq!(word(&stranger.run(&read("f", &format!("scenario: s{other}{well}")), 0)), expect);
}

#[test]
fn a_token_that_is_never_drawn_is_told() {
    let rest = "steps: [{ request: { expect: { status: 200 } } }]\n";
    let run = check(Policy { tokens: ["sk-a", "sk-b", "sk-b"], ..Policy::RIGHT }, rest, "passed");
    let expect = "sk-c was not drawn while all was well: the gateway lacks it, or holds it back";
    assert_eq!(run.skipped.iter().map(|skipped| &*skipped.reason).collect::<Vec<_>>(), [expect]);
}

#[test]
fn times_are_scaled_for_the_provider_too() {
    let rest = "upstream: { default: { status: 503, for: 10s } }\nsteps:
  - request: { expect: { status: 503, calls: 1 } }
  - advance: 9s
  - request: { expect: { status: 503 } }
  - advance: 1s
  - request: { expect: { status: 200 } }
";
    for scale in ["0.1", "1", "3"] {
        let (_gateway, mut stranger) = meet(Policy { retries: 0, takes_out: false, ..Policy::RIGHT }, scale);
        let run = stranger.run(&read("f", &format!("scenario: s{POOL}{rest}")), 0);
        assert_eq!(word(&run), "passed");
    }
}

#[test]
fn an_answer_that_breaks_off_or_never_comes_is_seen() {
    let none = Policy { retries: 0, ..Policy::RIGHT };
    let rest = |fault: &str, expect: &str| {
        format!(
            "upstream: {{ default: {{ fault: {fault} }} }}\nsteps: [{{ request: {{ expect: {expect} }} }}]\n"
        )
    };
    check(none, &rest("{ cut: { bytes: 20 } }", "{ status: 200, broken: true }"), "passed");
    let run =
        check(none, &rest("{ cut: { bytes: 20 } }", "{ broken: false }"), "failed: broken not as expected");
    let Verdict::Failed(failure) = run.verdict else { unreachable!("it failed") };
    let seen = "a client saw: 200, then the connection broke; the provider: ";
    assert!(failure.timeline[0].contains(seen), "{:?}", failure.timeline);
    assert!(failure.timeline[0].ends_with(" 200 cut"), "{:?}", failure.timeline);
    let run = check(none, &rest("reset", "{ status: 503 }"), "failed: status not as expected");
    let Verdict::Failed(failure) = run.verdict else { unreachable!("it failed") };
    assert_eq!(failure.mismatches[0].found, "the connection broke before an answer");
}

#[test]
fn a_gateway_that_is_too_slow_for_the_time_that_passes_could_not_run() {
    let rest =
        "steps: [{ request: { times: 3 } }, { advance: 20s }, { request: { expect: { status: 200 } } }]\n";
    check(Policy { takes: 5_000, ..Policy::RIGHT }, rest, "passed");
    check(
        Policy { takes: 7_000, ..Policy::RIGHT },
        rest,
        "could not run: the steps before took 1s longer than the time that passes here; a larger `--time-scale`, with \
         cooldowns that are as much longer, leaves a slow gateway time",
    );
}
