//! `firedrill explore`.

use crate::assert_printed;
use crate::sandbox::{Ran, Sandbox, repository, run_words};

/// The command after `heading`, as words a shell makes of it, without the program.
fn printed(ran: &Ran, heading: &str) -> Vec<String> {
    let rest = ran.out.split_once(heading).expect(heading).1;
    let line = rest.lines().find(|line| !line.trim().is_empty()).expect("a command");
    let words: Vec<String> = shlex::Shlex::new(line).collect();
    assert_eq!(words[0], "firedrill");
    words[1..].to_vec()
}

/// What broke, and what was seen.
fn broken(ran: &Ran) -> Vec<String> {
    let lines = ran.out.lines().skip_while(|line| !line.starts_with("broken: ")).take(2);
    let lines: Vec<String> = lines.map(str::to_owned).collect();
    assert_eq!((ran.code, lines.len()), (1, 2), "{ran}");
    lines
}

#[test]
fn our_protocol_holds_and_what_was_met_is_told() {
    let ran = Sandbox::new().run("explore --seeds 2000");
    assert_eq!(ran.code, 0, "{ran}");
    assert_printed!("explore", ran);
}

#[test]
fn what_breaks_is_replayed_by_the_commands_that_are_printed() {
    let sandbox = Sandbox::new();
    let ran = sandbox.run("explore --protocol reference --seeds 50 --watch threshold-holds");
    assert_printed!("explore-broken", ran);
    // A world that is given, and one that is gone through, print theirs too.
    let given = ["explore", "--exhaustive", "--protocol", "reference", "--world", "tokens=ab: a429 | select"];
    let drawn = "explore --exhaustive --protocol reference --seed 2 --watch one-list".split(' ');
    let drawn: Vec<&str> = drawn.collect();
    for ran in [ran, run_words(&sandbox.path(""), &given), run_words(&sandbox.path(""), &drawn)] {
        let again = run_words(&sandbox.path(""), &printed(&ran, "find it again:\n"));
        assert_eq!(broken(&again), broken(&ran), "{again}");
        let replayed = run_words(&sandbox.path(""), &printed(&ran, "replay these steps:\n"));
        assert_eq!(broken(&replayed), broken(&ran), "{replayed}");
        let (steps, of) = (replayed.out.matches(". worker ").count(), ran.out.matches(". worker ").count());
        assert_eq!(steps, of, "{replayed}");
    }
}

#[test]
fn as_json_it_is_one_document_that_never_differs() {
    let sandbox = Sandbox::new();
    let ran = sandbox.run("explore --protocol reference --seeds 50 --format json");
    assert_printed!("explore-json", ran);
    let (first, second) =
        (sandbox.run("explore --seeds 100 --format json"), sandbox.run("explore --seeds 100 --format json"));
    assert_eq!(first.out, second.out);
    let ran = sandbox.run("explore --exhaustive --states 10 --format json");
    assert!(ran.out.contains("\"gaveUp\": true"), "{ran}");
}

#[test]
fn every_schedule_of_a_small_world() {
    let sandbox = Sandbox::new();
    let world = ["explore", "--exhaustive", "--world", "tokens=a failure-threshold=2: a429 | a429"];
    let ran = run_words(&sandbox.path(""), &world);
    assert_eq!(ran.code, 0, "{ran}");
    assert_printed!("explore-exhaustive", ran);
    let ran = sandbox.run("explore --exhaustive --states 100 -q");
    assert_eq!(ran.code, 2, "{ran}");
    assert!(
        ran.out.ends_with("given up after 100 states: make the world smaller, or allow more by --states\n")
    );
}

#[test]
fn a_run_that_meets_too_little_is_vacuous() {
    let sandbox = Sandbox::new();
    let ran = sandbox.run("explore --seeds 20 -q");
    assert_eq!(ran.code, 1, "{ran}");
    assert!(ran.out.contains("vacuous: there never was a worker that sleeps through its lease, so"), "{ran}");
    // What cannot be met is not asked for, and a single seed proves nothing anyway.
    let ran = sandbox.run("explore --seeds 300 --workers 1 --faults none -q");
    assert_eq!(ran.code, 0, "{ran}");
    assert_eq!(sandbox.run("explore --seed 5").code, 0);
    let deaths = ["explore", "--seeds", "5", "--world", "tokens=a deaths=1: a429"];
    assert_eq!(run_words(&sandbox.path(""), &deaths).code, 0);
}

#[test]
fn a_single_seed_is_told_step_by_step() {
    let sandbox = Sandbox::new();
    let ran = sandbox.run("explore --seed 7 -v");
    assert_eq!(ran.code, 0, "{ran}");
    assert_printed!("explore-seed", ran);
    assert_eq!(ran.out, sandbox.run("explore --seeds 7..8 -v").out);
    let last = sandbox.run("explore --seed 18446744073709551615");
    assert!(last.code == 0 && last.out.contains("1 run, "), "{last}");
}

#[test]
fn what_is_no_world_no_schedule_or_no_number_could_not_run() {
    let sandbox = Sandbox::new();
    let check = |args: &[&str], error: &str| {
        let args: Vec<&str> = [&["explore"], args].concat();
        let ran = run_words(&sandbox.path(""), &args);
        assert_eq!((ran.code, &*ran.out), (2, ""), "{ran}");
        assert!(ran.err.starts_with("error: ") && ran.err.contains(error), "{ran}");
    };
    let world = "tokens=a: a429";
    check(&["--world", "tokens=a: a429 tock"], "expected a command, found `tock`\n --> --world:1:16\n");
    check(&["--world", "tokens=a"], "expected a colon after the rules");
    check(&["--world", world, "--schedule", "1b 1x"], "expected a step, found `1x`\n --> --schedule:1:4\n");
    check(&["--world", world, "--schedule", "1b 1b"], "step 2 of the schedule, `1b`, cannot be taken");
    check(&["--world", world, "--schedule", "1b 1b"], "these can: 1g");
    check(&["--world", world, "--schedule", "9b"], "these can: 1b");
    check(&["--world", world, "--schedule", "1b 1g 1g 1r"], "nothing is left to do before it");
    check(
        &["--protocol", "reference", "--world", "tokens=a: a429", "--schedule", "1b 1g 1g 1g 1g"],
        "broken before",
    );
    check(&["--schedule", "1b"], "--world <WORLD>");
    check(&["--world", world, "--tokens", "2"], "cannot be used with");
    check(&["--seeds", "x"], "expected how many, such as 1000, or which, such as 500..600");
    check(&["--seeds", "0"], "expected how many");
    check(&["--seeds", "7..7"], "expected how many");
    check(&["--seeds", "7..0"], "expected how many");
    check(&["--seeds", "7..6"], "expected how many");
    check(&["--seed", "1", "--seeds", "5"], "cannot be used with");
    check(&["--exhaustive", "--seeds", "5"], "cannot be used with");
    check(
        &["--faults", "deaths,deth"],
        "found `deth`; names are lost-replies, deaths, clocks, away, forgets",
    );
    check(&["--watch", "all"], "found `all`; names are one-list, ");
    check(&["--workers", "0"], "0 is not in 1..=100");
    check(&["--tokens", "26"], "26 is not in 1..=25");
    check(&["--protocol", "mine"], "log, reference");
    check(&["--states", "5"], "--exhaustive");
    check(
        &["--exhaustive", "--workers", "9", "--commands", "9"],
        "has 81 commands, and --exhaustive takes 40",
    );
}

#[test]
#[cfg(unix)]
fn an_interrupt_ends_it_with_what_it_has() {
    use std::io::Read;
    use std::process::{Command, Stdio};
    use std::time::Duration;

    for args in
        [&["--seeds", "100000000", "-q"][..], &["--exhaustive", "--commands", "9", "--states", "1000000000"]]
    {
        let mut child = Command::new(env!("CARGO_BIN_EXE_firedrill"))
            .arg("explore")
            .args(args)
            .stdout(Stdio::piped())
            .spawn()
            .expect("it starts");
        wait(Duration::from_millis(500));
        let kill = Command::new("kill").args(["-INT", &child.id().to_string()]).status();
        assert!(kill.expect("a signal").success());
        let mut text = String::new();
        child.stdout.take().expect("piped").read_to_string(&mut text).expect("what it has");
        assert_eq!(child.wait().expect("it ends").code(), Some(130), "{text}");
        assert!(text.ends_with("nothing broke\ninterrupted: this is not all of it\n"), "{text}");
    }
}

#[cfg(unix)]
#[expect(clippy::disallowed_methods, reason = "a signal needs a program that runs already")]
fn wait(time: std::time::Duration) {
    std::thread::sleep(time);
}

#[test]
fn the_page_shows_what_is_printed() {
    let page = std::fs::read_to_string(repository().join("docs/races.md")).expect("the page");
    let blocks: Vec<&str> =
        page.split("```console\n$ ").skip(1).filter_map(|rest| rest.split("\n```").next()).collect();
    assert!(blocks.len() >= 3, "{} runs are shown", blocks.len());
    for block in blocks {
        let (command, expect) = block.split_once('\n').expect("a command and what it prints");
        let words: Vec<String> = shlex::Shlex::new(command).skip(1).collect();
        let ran = run_words(&repository(), &words);
        assert_eq!(ran.out.trim_end(), expect, "{ran}");
    }
}
