//! Time that passes in requests and probes on the engine, and what may take none.

use firedrill_failover::Random;
use firedrill_scenario::{Run, Scenario, Verdict, run_on_engine};
use firedrill_yaml::Source;

fn rehearse(text: &str) -> Run {
    let scenario = Scenario::parse(&Source::new("drill.yaml", text)).expect("a good scenario");
    run_on_engine(&scenario, None)
}

#[track_caller]
fn passes(text: &str) -> Run {
    let run = rehearse(text);
    if let Verdict::Failed(failure) = &run.verdict {
        panic!("{} {:?}\n{}", failure.problem, failure.mismatches, failure.timeline.join("\n"));
    }
    run
}

#[track_caller]
fn fails(text: &str, expect: &str) {
    let Verdict::Failed(failure) = rehearse(text).verdict else { panic!("it passes") };
    assert_eq!(failure.problem.to_string(), expect);
}

/// A pool of two, the `upstream` and the `steps`.
fn scenario(rules: &str, upstream: &str, steps: &str) -> String {
    format!(
        "scenario: time\nworkers: 2\nprovider:\n  apiTokens: [sk-a, sk-b]\n  timeout: 10000\n  failover: {{ enabled: true, \
         failureThreshold: 1, healthCheckInterval: 1000, {rules} }}\nupstream: {upstream}\nsteps:\n{steps}"
    )
}

const COOLS: &str = "cooldownDuration: 1000";
const PROBES: &str = "healthCheckModel: m, healthCheckTimeout: 3000";

#[test]
fn what_takes_time_does_not_happen_at_once() {
    let at_once = "  - concurrently: [request: { draws: sk-a }, request: { worker: 2, draws: sk-b }]\n";
    fails(
        &scenario(COOLS, "{ sk-b: { status: 200, latency: 2s } }", at_once),
        "drill.yaml:9:5: the answer to sk-b takes 2s, and no time passes while several things happen at once",
    );
    fails(
        &scenario(COOLS, "{ sk-a: { status: 200, fault: stall } }", at_once),
        "drill.yaml:9:5: the answer to sk-a takes 10s, and no time passes while several things happen at once",
    );
    passes(&scenario(COOLS, "{ sk-a: { status: 200, fault: reset } }", at_once));
}

/// In every schedule the probe is out when all is done, and it is answered while time passes.
#[test]
fn a_slow_probe_of_what_happens_at_once_is_answered_later() {
    let steps = "
  - request: { draws: sk-a }
  - concurrently:
      - tick: { worker: 1, expect: { unavailable: [sk-a] } }
      - outcome: { worker: 2, token: sk-b, status: 200, expect: { unavailable: [sk-a] } }
  - expect: { probes: [sk-a], unavailable: [sk-a] }
  - advance: 2s
  - expect: { available: [sk-b, sk-a], events: [restored sk-a] }";
    let run = passes(&scenario(PROBES, "{ sk-a: [429, { status: 200, latency: 2s }] }", steps));
    assert!(run.explored.iter().all(|(_, explored)| explored.all && explored.broken.is_none()));
}

#[test]
fn an_answer_that_never_ends_is_skipped_with_the_reason() {
    let steps = "  - request: { draws: sk-a }\n  - request: { draws: sk-b, expect: { status: 200 } }";
    let run = passes(&scenario(COOLS, "{ sk-a: { status: 200, fault: endless } }", steps));
    let reasons: Vec<&str> = run.skipped.iter().map(|skipped| &*skipped.reason).collect();
    assert_eq!(reasons, ["the answer to sk-a never ends, and neither would this step"]);
}

#[test]
fn a_worker_that_is_stopped_hears_no_answer() {
    let steps = "
  - request: { draws: sk-a }
  - advance: 1s
  - expect: { probes: [sk-a] }
  - stop: 1
  - advance: 2999ms
  - expect: { unavailable: [sk-a], events: [] }";
    passes(&scenario(PROBES, "{ sk-a: [429, { status: 200, latency: 2s }] }", steps));
    // Nor does the one that starts in its place.
    let steps = steps.replace("  - stop: 1\n", "  - stop: 1\n  - start: 1\n");
    passes(&scenario(PROBES, "{ sk-a: [429, { status: 200, latency: 2s }] }", &steps));
}

/// sk-b may return at the very moment at which sk-a is answered.
#[test]
fn an_answer_comes_before_a_tick_of_the_same_moment() {
    let steps = "
  - request: { draws: sk-b }
  - request: { draws: sk-a, expect: { events: [removed sk-a, none_available, restored sk-b] } }";
    passes(&scenario(COOLS, "{ sk-b: 429, sk-a: { status: 429, latency: 1s } }", steps));
    let steps = "
  - request: { draws: sk-a }
  - advance: 3s
  - expect: { events: [lease_taken, probe_sent sk-a, restored sk-a] }
  - request: { draws: sk-a, expect: { unavailableSince: { sk-a: 3s } } }
  - advance: 3s
  - expect: { available: [sk-b, sk-a], events: [probe_sent sk-a, restored sk-a] }";
    passes(&scenario(PROBES, "{ sk-a: [429, { status: 200, latency: 2s, times: 1 }, 429, 200] }", steps));
    // A probe is given up before the tick that sends the next.
    let steps = "
  - request: { draws: sk-a }
  - advance: 2s
  - expect: { events: [lease_taken, probe_sent sk-a, probe_failed sk-a, probe_sent sk-a, restored sk-a] }";
    let upstream = "{ sk-a: [429, { status: 200, fault: stall, times: 1 }, 200] }";
    passes(&scenario("healthCheckModel: m, healthCheckTimeout: 1000", upstream, steps));
}

#[test]
fn of_two_answers_at_one_moment_that_to_the_earlier_call_comes_first() {
    let upstream = |latency: &str| {
        format!(
            "{{ sk-a: [429, {{ status: 200, latency: 2s }}], sk-b: {{ status: 429, latency: {latency} }} }}"
        )
    };
    let steps = "
  - request: { draws: sk-a }
  - advance: 1500ms
  - request: { draws: sk-b, expect: { events: [restored sk-a, removed sk-b, probe_sent sk-b] } }";
    passes(&scenario(PROBES, &upstream("1500ms"), steps));
    let steps = "
  - request: { draws: sk-a }
  - advance: 500ms
  - request:
      draws: sk-b
      expect: { events: [lease_taken, probe_sent sk-a, removed sk-b, none_available, restored sk-a, probe_sent sk-b] }";
    passes(&scenario(PROBES, &upstream("2500ms"), steps));
}

#[test]
fn a_body_that_breaks_off_is_expected_like_all_else() {
    let reset = "{ sk-a: { status: 200, fault: resetAfterHeaders } }";
    let text = |expect: &str| scenario(COOLS, reset, &format!("  - {expect}\n"));
    passes(&text("request: { draws: sk-a, expect: { broken: true } }"));
    fails(
        &text("request: { draws: sk-a, expect: { broken: false } }"),
        "drill.yaml:9:37: broken not as expected",
    );
    fails(
        &text("outcome: { token: sk-a, status: 200, expect: { broken: false } }"),
        "drill.yaml:9:50: broken not as expected",
    );
}

#[test]
fn no_answer_takes_more_than_ten_years() {
    let years = "timeout: 18446744073709551615";
    let text = scenario(COOLS, "{ sk-a: { status: 200, fault: stall } }", "  - request: { draws: sk-a }\n");
    let Verdict::Failed(failure) = rehearse(&text.replace("timeout: 10000", years)).verdict else {
        panic!("it passes")
    };
    assert!(failure.problem.to_string().contains("expected at most 87600h to pass in all"));
}

/// Where a success is to be retried its headers are enough, so its body is none of the token's faults.
#[test]
fn a_success_that_is_tried_again_is_not_waited_for() {
    let upstream = "{ sk-a: { status: 200, fault: { stallAfter: { bytes: 9 } } } }";
    let steps = "
  - request: { draws: [sk-a, sk-b], expect: { status: 200, broken: false, events: [] } }
  - outcome: { token: sk-a, status: 429, expect: { unavailableSince: { sk-a: 0ms } } }";
    let retry = "  retryOnFailure: { enabled: true, retryOnStatus: [\"200\"] }\nupstream:";
    passes(&scenario(COOLS, upstream, steps).replace("upstream:", retry));
}

/// What a gateway reports of an answer, when it knows it and when its client has it all, by another way of reckoning: from the
/// kind, the latency, and a `timeout` of ten seconds.
fn reckoned(kind: &str, latency: u64) -> (&'static str, u64, u64) {
    let late = latency >= 10_000;
    match kind {
        _ if late => ("\"timeout\"", 10_000, 10_000),
        "stall" => ("\"timeout\"", 10_000, 10_000),
        "reset" | "resetAfterHeaders" | "malformedChunk" | "wrongLength" | "{ cut: { events: 1 } }" => {
            ("\"reset\"", latency, latency)
        }
        "{ stallAfter: { events: 1 } }" | "{ drip: { bytes: 1, every: 10s } }" => {
            ("\"timeout\"", latency + 10_000, latency + 10_000)
        }
        "429" => ("429", latency, latency),
        "429, fault: { stallAfter: { bytes: 1 } }" => ("429", latency, latency + 10_000),
        _ => unreachable!("{kind}"),
    }
}

#[test]
fn requests_one_after_another_are_reported_when_they_are_known() {
    const KINDS: [&str; 10] = [
        "stall",
        "reset",
        "resetAfterHeaders",
        "malformedChunk",
        "wrongLength",
        "{ cut: { events: 1 } }",
        "{ stallAfter: { events: 1 } }",
        "{ drip: { bytes: 1, every: 10s } }",
        "429",
        "429, fault: { stallAfter: { bytes: 1 } }",
    ];
    let mut random = Random::new(5, 5);
    for _ in 0..40 {
        let (mut now, mut phases, mut expect) = (0, Vec::new(), Vec::new());
        for _ in 0..8 {
            let kind = KINDS[random.below(10) as usize];
            let latency = [0, 1, 999, 9_999, 10_000, 70_000][random.below(6) as usize];
            let answer =
                if kind.starts_with("429") { kind.to_owned() } else { format!("200, fault: {kind}") };
            phases.push(format!("{{ status: {answer}, latency: {latency}ms, times: 1 }}"));
            let (status, known, over) = reckoned(kind, latency);
            expect.push(format!("{status} at {}", now + known));
            now += over;
        }
        // Every tenth of a second a tick finds somebody out and nothing to do.
        let upstream = format!("{{ sk-a: [{}] }}", phases.join(", "));
        let steps =
            "  - outcome: { token: sk-b, status: 429, times: 20 }\n  - request: { draws: sk-a, times: 8 }";
        let text = scenario("cooldownDuration: 999999999", &upstream, steps)
            .replace("failureThreshold: 1", "failureThreshold: 20")
            .replace("healthCheckInterval: 1000", "healthCheckInterval: 100");
        let run = passes(&text);
        let failed = run.history.wire.iter().filter(|line| line.contains(r#"{"failed":{"token":"sk-a""#));
        let found = failed.map(|line| {
            let part = |key: &str| {
                let (_, rest) = line.split_once(key).expect("a key");
                rest.split([',', '}']).next().expect("a value").to_owned()
            };
            format!("{} at {}", part("\"status\":"), part("\"at\":"))
        });
        assert_eq!(found.collect::<Vec<_>>(), expect, "{text}");
    }
}
