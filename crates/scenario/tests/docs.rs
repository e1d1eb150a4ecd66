//! The scenarios in the README and in `docs/` are run as they stand there.

use std::fs;

use firedrill_scenario::{Scenario, Verdict, run_on_engine};
use firedrill_yaml::Source;

/// The blocks of YAML in a page that are scenarios.
fn scenarios(page: &str) -> Vec<Source> {
    let path = format!("{}/../../{page}", env!("CARGO_MANIFEST_DIR"));
    let text = fs::read_to_string(path).expect("the page");
    let blocks = text.split("```yaml\n").skip(1).filter_map(|rest| rest.split("```").next());
    let scenarios = blocks.filter(|block| block.lines().any(|line| line.starts_with("scenario:")));
    scenarios.enumerate().map(|(index, block)| Source::new(format!("{page}#{}", index + 1), block)).collect()
}

#[track_caller]
fn check(page: &str, at_least: usize) {
    let scenarios = scenarios(page);
    assert!(scenarios.len() >= at_least, "{page} has {} scenarios", scenarios.len());
    for source in scenarios {
        let scenario = Scenario::parse(&source).unwrap_or_else(|problems| {
            panic!(
                "{}",
                problems.iter().map(|problem| problem.render(Some(&source), false)).collect::<String>()
            )
        });
        assert!(scenario.warnings.is_empty(), "{:?}", scenario.warnings);
        if let Verdict::Failed(failure) = run_on_engine(&scenario, None).verdict {
            panic!("{}", failure.render(&scenario, false));
        }
    }
}

#[test]
fn the_examples_of_the_language_hold() {
    check("docs/scenarios.md", 5);
}

#[test]
fn the_smallest_scenario_holds() {
    check("README.md", 1);
}
