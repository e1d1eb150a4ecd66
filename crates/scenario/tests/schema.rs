//! The committed JSON schema is the one that the types make, and a scenario's editor comment points at it.

use std::fs;

const COMMITTED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../scenarios/schema.json");

#[test]
fn the_committed_schema_is_current() {
    let committed = fs::read_to_string(COMMITTED).expect("the committed schema");
    assert!(
        committed == firedrill_scenario::schema(),
        "scenarios/schema.json is not current: write it again with `just schema`"
    );
}
