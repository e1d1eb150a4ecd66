//! `firedrill check`.

use crate::assert_printed;
use crate::sandbox::{PASSES, Sandbox};

#[test]
fn everything_that_is_wrong_is_shown() {
    let sandbox = Sandbox::with_scenarios();
    let twice = PASSES.replace("draws: sk-a", "draws: sk-x").replace("available:", "availabel:");
    sandbox.write("scenarios/twice.yaml", twice);
    let names = PASSES.replace("draws: sk-a", "draws: sk-x").replace("[sk-b, sk-a]", "[sk-b, sk-y]");
    sandbox.write("scenarios/names.yaml", names);
    assert_printed!("check", sandbox.run("check"));
    assert_printed!("check-json", sandbox.run("check --format json"));
}

#[test]
fn warnings_are_shown_and_are_no_error() {
    let sandbox = Sandbox::new();
    sandbox.write("a.yaml", PASSES.replace("enabled: true, ", ""));
    let ran = sandbox.run("check a.yaml");
    assert_eq!(ran.code, 0);
    assert!(ran.out.contains("warning: failover is off"), "{ran}");
    assert!(ran.out.ends_with("\n1 ok, 0 cannot be used, 1 warning\n"), "{ran}");
}

#[test]
fn what_fails_is_fine_to_check() {
    let sandbox = Sandbox::with_scenarios();
    assert_eq!(sandbox.run("check scenarios/deep").code, 0);
    assert_eq!(sandbox.run("check scenarios/unusable.yaml").code, 2);
    assert_eq!(sandbox.run("check nowhere").code, 2);
}

#[test]
fn files_that_are_no_text_are_told_so() {
    let sandbox = Sandbox::new();
    sandbox.write("a.yaml", b"scenario: \xff\n");
    sandbox.write("b.yaml", "scenario: \0\n");
    sandbox.write("c.yaml", "");
    sandbox.write("d.yaml", vec![b'#'; (1 << 20) + 1]);
    assert_printed!("check-no-text", sandbox.run("check ."));
}
