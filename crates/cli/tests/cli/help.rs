//! The help: complete, with examples, and no wider than a terminal.

use crate::assert_printed;
use crate::sandbox::Sandbox;

const COMMANDS: [&str; 10] =
    ["run", "check", "new", "replay", "conform", "explore", "mock", "gateway", "schema", "completions"];

#[test]
fn every_help_teaches_by_example_within_80_columns() {
    let sandbox = Sandbox::new();
    let mut all = vec![sandbox.run("--help")];
    all.extend(COMMANDS.map(|command| sandbox.run(&format!("{command} --help"))));
    for (index, help) in all.iter().enumerate() {
        assert_eq!((help.code, &*help.err), (0, ""));
        for line in help.out.lines() {
            assert!(line.chars().count() <= 80, "too wide: {line}");
            assert_eq!(line, line.trim_end(), "it ends in blanks");
        }
        assert!(!help.out.ends_with("\n\n"));
        assert!(index == 0 || help.out.contains("\nExamples:\n  "), "{help}");
    }
    assert!(all[0].out.contains("\nExit codes:\n  0 "));
    let all: Vec<String> = all.iter().map(ToString::to_string).collect();
    assert_printed!("help", all.join("\n\n"));
}

#[test]
fn both_ways_to_ask_for_help_say_the_same() {
    let sandbox = Sandbox::new();
    for command in COMMANDS {
        let (short, long) =
            (sandbox.run(&format!("{command} -h")), sandbox.run(&format!("{command} --help")));
        assert_eq!(short.out, long.out);
    }
}

#[test]
fn without_a_command_there_is_help_and_nothing_ran() {
    let sandbox = Sandbox::new();
    let ran = sandbox.run("");
    assert_eq!((ran.code, ran.err), (2, sandbox.run("--help").out));
}

#[test]
fn a_wrong_command_line_could_not_run() {
    let sandbox = Sandbox::new();
    for args in [
        "walk",
        "run --seed x",
        "run -q -v",
        "replay",
        "replay a --at 12",
        "replay a --version 0",
        "new",
        "mock",
        "mock a --port 70000",
        "mock a --clock fast",
        "schema gateways",
        "gateway",
        "gateway a --port x",
        "gateway a -q -v",
    ] {
        let ran = sandbox.run(args);
        assert_eq!((ran.code, &*ran.out), (2, ""), "{ran}");
        assert!(ran.err.starts_with("error: "), "{ran}");
    }
    let ran = sandbox.run("replay a --at 12");
    assert!(ran.err.contains("found `12`; did you mean `12ms`?"), "{ran}");
}

#[test]
fn completions_are_for_every_shell() {
    let sandbox = Sandbox::new();
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let ran = sandbox.run(&format!("completions {shell}"));
        assert_eq!((ran.code, &*ran.err), (0, ""));
        assert!(COMMANDS.iter().all(|command| ran.out.contains(command)), "{shell}");
    }
}

#[test]
fn the_schema_is_that_of_the_language() {
    let ran = Sandbox::new().run("schema");
    assert_eq!((ran.code, ran.out), (0, firedrill_scenario::schema()));
    let ran = Sandbox::new().run("schema mock");
    assert_eq!((ran.code, ran.out), (0, firedrill_provider::mock_schema()));
    let ran = Sandbox::new().run("schema gateway");
    assert_eq!((ran.code, ran.out), (0, firedrill_gateway::gateway_schema()));
}
