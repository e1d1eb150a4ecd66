//! `firedrill conform`.

use crate::assert_printed;
use crate::sandbox::{Sandbox, repository, run_in};

const TRACE: &str = r#"{"trace":"t0",
 "provider": {"apiTokens": ["sk-a"], "failover": {"enabled": true, "failureThreshold": 9, "cooldownDuration": 1000}},
 "steps":[
  {"do": "start", "at": 0, "then": {"available": ["sk-a"], "unavailable": [], "failureCounts": {}, "successCounts": {}, "unavailableSince": {}}},
  {"do": "outcome", "token": "sk-a", "status": 400, "at": 0, "note": "it counts", "then": {"available": ["sk-a"], "unavailable": [], "failureCounts": {"sk-a": 1}, "successCounts": {}, "unavailableSince": {}}}
 ]}
"#;

#[test]
fn every_recorded_trace_agrees() {
    let ran = run_in(&repository(), "conform fixtures/reference -q", &[], "");
    assert_eq!(ran.code, 0, "{ran}");
    assert!(ran.out.ends_with(" agree, 0 differ, 0 cannot be used\n"), "{ran}");
}

#[test]
fn the_first_step_that_differs_is_shown() {
    let sandbox = Sandbox::new();
    sandbox.write("traces/agrees.json", TRACE);
    sandbox.write("traces/differs.json", TRACE.replace("{\"sk-a\": 1}", "{\"sk-a\": 2}"));
    let ran = sandbox.run("conform traces");
    assert_eq!(ran.code, 1);
    assert_printed!("conform", ran);
    assert_printed!("conform-json", sandbox.run("conform traces --format json"));
}

#[test]
fn what_is_no_trace_could_not_be_used() {
    let sandbox = Sandbox::new();
    sandbox.write("traces/torn.json", TRACE.split_at(400).0);
    sandbox.write("empty/readme.txt", "");
    let ran = sandbox.run("conform traces");
    assert_eq!(ran.code, 2);
    assert!(ran.out.contains(" error  traces/torn.json\n"), "{ran}");
    for args in ["conform", "conform nowhere", "conform empty"] {
        let ran = sandbox.run(args);
        assert_eq!((ran.code, &*ran.out), (2, ""), "{ran}");
    }
}
