//! How it prints: colour when it is wanted, nothing that steers a terminal, no panic when nobody reads.

use std::process::{Command, Stdio};

use crate::sandbox::{PASSES, Sandbox};

#[test]
fn colour_is_for_those_who_want_it() {
    let sandbox = Sandbox::with_scenarios();
    let colored = |args: &str, env: &[(&str, &str)]| sandbox.run_with(args, env, "").out.contains('\u{1b}');
    assert!(!colored("run", &[]), "no terminal");
    assert!(colored("run", &[("CLICOLOR_FORCE", "1")]));
    assert!(!colored("run", &[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")]));
    assert!(colored("run --color always", &[("NO_COLOR", "1")]));
    assert!(!colored("--color never run", &[("CLICOLOR_FORCE", "1")]));
    assert!(colored("run --help --color=always", &[]));
    assert!(!colored("run --help --color never", &[("CLICOLOR_FORCE", "1")]));
    assert!(!colored("run --format json", &[("CLICOLOR_FORCE", "1")]));
    assert!(!colored("run --format junit", &[("CLICOLOR_FORCE", "1")]));
}

#[test]
fn nothing_in_a_file_steers_the_terminal() {
    let sandbox = Sandbox::new();
    let steers = PASSES.replace("a rate-limited", r#""\e[31mred\a"#).replace("comes back", r#"comes back""#);
    sandbox.write("scenarios/a.yaml", steers.replace("[cooldown,", r#"["\e]0;title\a","#));
    for args in ["run -v", "check -v", "run --format json", "run --format junit"] {
        let ran = sandbox.run(args);
        assert_eq!(ran.code, 0, "{ran}");
        assert!(!ran.out.contains(['\u{1b}', '\u{7}']), "{ran}");
    }
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let sandbox = Sandbox::new();
    for number in 0..200 {
        sandbox.write(&format!("scenarios/{number}.yaml"), PASSES);
    }
    for args in [&["run"][..], &["run", "--format", "json"], &["schema"], &["check"], &["completions", "zsh"]]
    {
        let mut child = Command::new(env!("CARGO_BIN_EXE_firedrill"))
            .args(args)
            .current_dir(sandbox.path(""))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it starts");
        drop(child.stdout.take());
        let output = child.wait_with_output().expect("it ends");
        assert_eq!((output.status.code(), &*output.stderr), (Some(0), &b""[..]), "{args:?}");
    }
}

#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_is_an_error() {
    let sandbox = Sandbox::new();
    sandbox.write("a.yaml", PASSES);
    let full = std::fs::File::create("/dev/full").expect("Linux has it");
    let output = Command::new(env!("CARGO_BIN_EXE_firedrill"))
        .args(["run", "a.yaml"])
        .current_dir(sandbox.path(""))
        .stdout(full)
        .output()
        .expect("it starts");
    assert_eq!(output.status.code(), Some(2));
    assert!(output.stderr.starts_with(b"error: cannot write to standard output: "));
}
