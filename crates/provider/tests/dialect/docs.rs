//! `docs/providers.md` names every error, and its mocks are read and answer as it says.

use firedrill_failover::Instant;
use firedrill_provider::{Ask, Behaviour, Dialect, Upstream};
use firedrill_yaml::Source;

use crate::cases::{self, CONTEXT};

fn page() -> String {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/providers.md");
    std::fs::read_to_string(path).expect("the page")
}

/// The part of the page under the heading that names this dialect.
fn section(page: &str, dialect: Dialect) -> String {
    let heading = format!("\n## `{}`", dialect.word());
    let (_, rest) = page.split_once(&heading).unwrap_or_else(|| panic!("no section {heading}"));
    rest.split("\n## ").next().unwrap_or(rest).to_owned()
}

#[test]
fn every_error_is_in_its_section_with_its_status() {
    let page = page();
    for dialect in Dialect::ALL {
        let section = section(&page, dialect);
        for (name, status) in dialect.errors() {
            let row =
                section.lines().find(|line| line.starts_with('|') && line.contains(&format!("`{name}`")));
            let row = row.unwrap_or_else(|| panic!("{name} of {} is not in the page", dialect.word()));
            assert!(
                row.starts_with(&format!("| {status} |")),
                "{name} of {} is {status}: {row}",
                dialect.word()
            );
        }
    }
}

#[test]
fn every_mock_of_the_page_is_read_and_answers_with_errors_that_are_known() {
    let page = page();
    let blocks: Vec<&str> =
        page.split("```yaml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    assert!(blocks.len() >= 8, "{} mocks", blocks.len());
    for block in blocks {
        let first = block.lines().next().and_then(|line| line.strip_prefix("# "));
        let dialect: Dialect = first.expect("a dialect").parse().expect("a dialect");
        let source = Source::new("docs/providers.md", block);
        let upstream: Upstream = source
            .parse("an upstream block")
            .unwrap_or_else(|problem| panic!("{}", problem.render(Some(&source), false)));
        let scripts = upstream.tokens.iter().map(|(_, script)| script).chain([&upstream.default]);
        for answer in scripts.flat_map(|script| script.answers()) {
            let Some(error) = &answer.error else { continue };
            assert!(dialect.errors().any(|(name, _)| name == &**error), "{error} is no error of {dialect:?}");
        }
        let mut behaviour = Behaviour::new(upstream.into(), 0);
        let question = cases::question(dialect, "stream");
        let statuses = (0..3).map(|_| {
            let plan = behaviour.call(Instant::ZERO, Ask { token: "sk-a", llm_tokens: 1 });
            dialect.reply(&question, &plan, &CONTEXT).status.code()
        });
        let statuses: Vec<String> = statuses.map(|status| status.to_string()).collect();
        let said = block.lines().find_map(|line| line.strip_prefix("# answers "));
        assert_eq!(statuses.join(", "), said.expect("what it answers"), "{block}");
    }
}
