//! `firedrill run`.

use crate::assert_printed;
use crate::sandbox::{FAILS, PASSES, Sandbox, UNUSABLE, repository, run_in};

#[test]
fn every_kind_of_verdict_is_shown() {
    let sandbox = Sandbox::with_scenarios();
    assert_printed!("run", sandbox.run("run"));
    assert_printed!("run-json", sandbox.run("run --format json"));
    assert_printed!("run-junit", sandbox.run("run --format junit"));
}

#[test]
fn the_exit_code_says_what_came_of_it() {
    let sandbox = Sandbox::with_scenarios();
    let check = |args: &str, code, summary: &str| {
        let ran = sandbox.run(args);
        assert_eq!(ran.code, code, "{ran}");
        assert!(ran.out.contains(summary), "{ran}");
    };
    check("run scenarios/passes.yaml", 0, "\n1 passed, 0 failed, 0 could not run in ");
    check("run scenarios/deep", 1, "\n0 passed, 1 failed, 0 could not run in ");
    check("run scenarios/unusable.yaml", 2, "\n0 passed, 0 failed, 1 could not run in ");
    check("run", 2, "\n1 passed, 1 failed, 1 could not run in ");
}

#[test]
fn our_first_scenarios_pass() {
    let ran = run_in(&repository(), "run scenarios/start -q", &[], "");
    assert_eq!(ran.code, 0, "{ran}");
}

#[test]
fn what_is_not_there_could_not_run() {
    let sandbox = Sandbox::new();
    sandbox.write("empty/readme.txt", "");
    for args in ["run", "run nowhere.yaml", "run empty"] {
        let ran = sandbox.run(args);
        assert_eq!((ran.code, &*ran.out), (2, ""), "{ran}");
        assert!(ran.err.starts_with("error: there is no "), "{ran}");
    }
    assert!(sandbox.run("run").err.contains("firedrill new NAME"));
}

#[test]
fn filters_and_tags_choose_by_path_name_and_word() {
    let sandbox = Sandbox::new();
    sandbox.write("scenarios/passes.yaml", PASSES);
    sandbox.write("scenarios/deep/fails.yaml", FAILS);
    let check = |args: &str, expect: &str| {
        let ran = sandbox.run(&format!("run {args}"));
        assert!(ran.out.contains(expect), "{ran}");
    };
    check("--filter deep/", "\n0 passed, 1 failed, 0 could not run, 1 left out in ");
    check("--filter rate-limited", "\n1 passed, 0 failed, 0 could not run, 1 left out in ");
    check("--tag cooldown", "\n1 passed, 0 failed, 0 could not run, 1 left out in ");
    check("--tag cooldown --tag threshold", "\n1 passed, 1 failed, 0 could not run in ");
    check("--tag start --filter a", "\n1 passed, 0 failed, 0 could not run, 1 left out in ");
    let ran = sandbox.run("run --tag threshold --filter passes");
    assert_eq!((ran.code, &*ran.out), (2, ""));
    assert_eq!(ran.err, "error: `--filter` and `--tag` leave nothing to run, of 2 scenarios\n");
}

#[test]
fn an_unusable_file_is_left_out_by_its_path_only() {
    let sandbox = Sandbox::with_scenarios();
    assert_eq!(sandbox.run("run --filter passes").code, 0);
    assert_eq!(sandbox.run("run --tag cooldown").code, 2, "nobody knows its tags");
}

#[test]
fn fail_fast_stops_at_the_first() {
    let sandbox = Sandbox::with_scenarios();
    let ran = sandbox.run("run --fail-fast");
    assert_eq!(ran.code, 1, "what comes later may be unusable: {ran}");
    let ran = sandbox.run("run scenarios/unusable.yaml scenarios/deep --fail-fast");
    assert_eq!(ran.code, 2, "{ran}");
    let ran = sandbox.run("run scenarios/deep scenarios/passes.yaml --fail-fast");
    assert_eq!(ran.code, 1);
    assert!(ran.out.contains("\n0 passed, 1 failed, 0 could not run, 1 not run in "), "{ran}");
    assert!(!ran.out.contains("passes.yaml"), "{ran}");
    let ran = sandbox.run("run scenarios/deep scenarios/passes.yaml --fail-fast --format junit");
    assert!(ran.out.contains("skipped=\"1\""), "{ran}");
}

#[test]
fn quiet_prints_what_went_wrong_and_verbose_everything() {
    let sandbox = Sandbox::new();
    sandbox.write("passes.yaml", PASSES);
    let ran = sandbox.run("run passes.yaml -q");
    assert!(ran.out.starts_with("1 passed, "), "{ran}");
    let asks = PASSES
        .replace(
            "tags:",
            "description: Why it matters is told here, at some length, so that one line is too short.\ntags:",
        )
        .replace("provider:", "provider:\n  type: openai\n  modelMapping: { '*': small }")
        .replace("  - advance", "  - expect: {}\n  - advance");
    sandbox.write("asks.yaml", asks);
    assert_printed!("run-hidden", sandbox.run("run asks.yaml"));
    assert_printed!("run-verbose", sandbox.run("run asks.yaml -v"));
}

/// It holds in the order of its list and in no other.
const RACES: &str = "\
scenario: a failure and a success at the same moment
workers: 2
provider:
  apiTokens: [sk-a, sk-b]
  failover: { enabled: true, failureThreshold: 2, cooldownDuration: 60000 }
steps:
  - outcome: { token: sk-a, status: 503 }
  - concurrently:
      - outcome: { worker: 1, token: sk-a, status: 503, expect: { unavailable: [sk-a] } }
      - outcome: { worker: 2, token: sk-a, status: 200 }
  - always: every token is in exactly one list
";

#[test]
fn a_schedule_that_breaks_what_is_expected_is_shown() {
    let sandbox = Sandbox::new();
    sandbox.write("races.yaml", RACES);
    let ran = sandbox.run("run races.yaml");
    let schedule = ran.out.split("  the schedule").nth(1).and_then(|rest| rest.split("\n\n").next());
    let page = std::fs::read_to_string(repository().join("docs/scenarios.md")).expect("the page");
    assert!(schedule.is_some_and(|schedule| page.contains(schedule)), "the page shows another: {ran}");
    assert_printed!("run-schedule", ran);
    assert_printed!("run-schedule-json", sandbox.run("run races.yaml --format json"));
    // What is asked after it is asked of the order in which they stand.
    let (once, after) =
        (", expect: { unavailable: [sk-a] } }", "  - expect: { unavailable: [sk-a] }\n  - always");
    sandbox.write("races.yaml", RACES.replace(once, " }").replace("  - always", after));
    assert_printed!("run-schedules", sandbox.run("run races.yaml -v"));
}

#[test]
fn a_seed_is_used_and_told() {
    let sandbox = Sandbox::new();
    // Which of the two is drawn is for the seed to say.
    let draws =
        FAILS.replace("{ draws: sk-a }", "{ expect: { drawn: sk-a } }").replace("steps:", "seed: 5\nsteps:");
    sandbox.write("my scenarios/it's.yaml", draws);
    let verdicts: Vec<bool> = (0..8)
        .map(|seed| {
            let ran = sandbox.run(&format!("run --seed {seed}  ."));
            let told = format!("firedrill run \"./my scenarios/it's.yaml\" --seed {seed}\n");
            assert!(ran.out.contains(&told), "{ran}");
            ran.out.contains("drawn not as expected")
        })
        .collect();
    assert!(verdicts.contains(&true) && verdicts.contains(&false));
    assert!(sandbox.run("run .").out.contains("--seed 5\n"), "its own");
    assert_eq!(sandbox.run("run --seed 3 --format json .").out.matches("\"seed\": 3").count(), 1);
}

#[test]
fn logs_mirror_where_the_scenarios_stand() {
    let sandbox = Sandbox::with_scenarios();
    sandbox.write("scenarios/passes.yml", PASSES);
    let ran = sandbox.run("run --log out/logs");
    assert_eq!(ran.code, 2);
    for name in ["passes.yaml", "passes.yml", "deep/fails.yaml"] {
        let log = sandbox.read(&format!("out/logs/scenarios/{name}.jsonl"));
        assert!(log.starts_with("{\"firedrill_log\":1,") && log.ends_with("}\n"), "{log}");
    }
    assert!(!sandbox.path("out/logs/scenarios/unusable.yaml.jsonl").exists());

    // However the path is written, the log is the same.
    let whole = sandbox.path("scenarios/passes.yaml");
    sandbox.run(&format!("run {} --log again", whole.display()));
    assert_eq!(
        sandbox.read("again/scenarios/passes.yaml.jsonl"),
        sandbox.read("out/logs/scenarios/passes.yaml.jsonl")
    );
    sandbox.write("file", "");
    let ran = sandbox.run("run --log file");
    assert_eq!((ran.code, &*ran.out), (2, ""), "{ran}");
}

#[test]
#[cfg(unix)]
fn an_interrupt_stops_after_the_scenario_that_is_running() {
    use std::io::{BufRead, BufReader, Read};
    use std::process::{Command, Stdio};

    let sandbox = Sandbox::new();
    let slow = FAILS.replace("failureThreshold: 2", "failureThreshold: 4000000").replace("[429, 200]", "429");
    let slow = slow.split("steps:").next().expect("a part").to_owned();
    let steps = "steps:\n  - request: { draws: sk-a, times: 30000 }\n";
    sandbox.write("1.yaml", PASSES);
    sandbox.write("2.yaml", slow + steps);
    sandbox.write("3.yaml", PASSES);
    sandbox.write("4.yaml", UNUSABLE);
    let mut child = Command::new(env!("CARGO_BIN_EXE_firedrill"))
        .args(["run", "."])
        .current_dir(sandbox.path(""))
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut out = BufReader::new(child.stdout.take().expect("piped"));
    let mut text = String::new();
    out.read_line(&mut text).expect("the first verdict");
    let kill = Command::new("kill").args(["-INT", &child.id().to_string()]).status();
    assert!(kill.expect("a signal").success());
    out.read_to_string(&mut text).expect("the rest");
    assert_eq!(child.wait().expect("it ends").code(), Some(130), "{text}");
    // The signal is heard before the slow one or after it, and never after the third.
    assert!(text.contains(" passed, 0 failed, 0 could not run, "), "{text}");
    assert!(text.contains(" not run in ") && !text.contains("3.yaml"), "{text}");
    assert!(text.ends_with("interrupted: this is not all of it\n"), "{text}");
}
