//! What the README shows is what is printed, apart from the time it took.

use crate::sandbox::{Ran, Sandbox, repository, run_in};

/// The blocks of a language in the README, in order.
fn blocks(language: &str) -> Vec<String> {
    let readme = std::fs::read_to_string(repository().join("README.md")).expect("the README");
    let fence = format!("```{language}\n");
    readme.split(&fence).skip(1).filter_map(|rest| rest.split("```").next()).map(str::to_owned).collect()
}

/// What follows the command in the `nth` run of `command` that the README shows.
fn shown(command: &str, nth: usize) -> String {
    let runs = blocks("console")
        .into_iter()
        .filter_map(|block| block.strip_prefix(&format!("$ {command}\n")).map(str::to_owned));
    runs.into_iter().nth(nth).expect("the README shows the run")
}

#[track_caller]
fn check(ran: &Ran, expect: &str) {
    let timeless = |text: &str| {
        let lines = text
            .lines()
            .map(|line| line.split(" in ").next().filter(|_| line.ends_with(" ms")).unwrap_or(line));
        lines.collect::<Vec<_>>().join("\n")
    };
    assert_eq!(timeless(&ran.out), timeless(expect), "{ran}");
}

#[test]
fn the_first_suite_runs_as_shown() {
    check(&run_in(&repository(), "run scenarios/start", &[], ""), &shown("firedrill run scenarios/start", 0));
}

#[test]
fn the_smallest_scenario_runs_as_shown() {
    let sandbox = Sandbox::new();
    let [first] = &blocks("yaml")[..] else { panic!("the README has one scenario") };
    sandbox.write("first.yaml", first);
    check(&sandbox.run("run first.yaml"), &shown("firedrill run first.yaml", 0));

    assert!(first.contains("advance: 1m"), "{first}");
    sandbox.write("first.yaml", first.replace("advance: 1m", "advance: 59s"));
    let failed = sandbox.run("run first.yaml");
    check(&failed, &shown("firedrill run first.yaml", 1));
    assert_eq!(failed.code, 1);
}
