//! The schedules that `docs/races.md` shows are those that the explorer finds.

use std::fs;
use std::path::Path;

#[test]
fn the_page_shows_what_is_found() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(here.join("../../docs/races.md")).expect("the page");
    let snapshots = fs::read_dir(here.join("tests/snapshots")).expect("the snapshots");
    let found: Vec<String> = snapshots
        .map(|entry| fs::read_to_string(entry.expect("a snapshot").path()).expect("a snapshot"))
        .collect();
    let shown: Vec<&str> =
        page.split("```text\n").skip(1).filter_map(|rest| rest.split("\n```").next()).collect();
    assert!(shown.len() >= 6, "{} schedules are shown", shown.len());
    for schedule in shown {
        assert!(found.iter().any(|snapshot| snapshot.contains(schedule)), "no longer found:\n{schedule}");
    }
}
