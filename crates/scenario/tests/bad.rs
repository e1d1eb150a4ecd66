//! Every file in `fixtures/bad/` is wrong, and its name says how. What a person is told about it is a snapshot in
//! `tests/snapshots-bad/`; here only what holds for all of them is asked: the file is named, and the line and the
//! column, and it reads like every other error.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use firedrill_scenario::{Replay, Scenario, Until};
use firedrill_yaml::{Place, Problem, Source};

fn scenario(path: &Path) -> datatest_stable::Result<()> {
    let shown = shown(path);
    let (source, problems) = match Source::read(path) {
        Ok(read) => {
            let source = Source::new(&shown, read.text());
            let problems = Scenario::parse(&source).err().ok_or("nothing is wrong with it")?;
            (Some(source), problems)
        }
        Err(problem) => (None, vec![problem.in_file(&shown)]),
    };
    let about_the_whole = shown.contains("/file-");
    for problem in &problems {
        check_words(problem, &shown);
        match (problem.place(), &source) {
            (Some(place), Some(source)) => check_place(place, source.text()),
            (Some(_), None) => {}
            (None, _) => assert!(about_the_whole, "no place: {problem:?}"),
        }
    }
    let rendered: Vec<String> =
        problems.iter().map(|problem| problem.render(source.as_ref(), false)).collect();
    snapshot(&shown, &rendered.join("\n\n"));
    Ok(())
}

fn log(path: &Path) -> datatest_stable::Result<()> {
    let shown = shown(path);
    let mut replay = Replay::new(&shown, BufReader::new(File::open(path)?), Until::End);
    let damage = loop {
        match replay.next_append() {
            Ok(Some(_)) => {}
            Ok(None) => return Err("nothing is wrong with it".into()),
            Err(damage) => break damage,
        }
    };
    check_words(&damage.problem, &shown);
    assert!(damage.problem.place().is_some() || shown.contains("/file-"), "no place: {:?}", damage.problem);
    snapshot(&shown, &damage.render(false));
    Ok(())
}

#[track_caller]
fn check_words(problem: &Problem, shown: &str) {
    assert_eq!(problem.file(), Some(shown));
    for text in [Some(problem.message()), problem.hint_text(), problem.label_text()].into_iter().flatten() {
        assert!(!text.starts_with(char::is_uppercase), "begins with a capital: {text}");
        assert!(!text.ends_with(['.', ' ', ':']), "ends badly: {text}");
    }
}

/// The line and the column are those of the first byte, counted again here.
#[track_caller]
fn check_place(Place { line, column, start, end }: Place, text: &str) {
    assert!(text.get(start..end).is_some(), "outside the text: {start}..{end}");
    let before: Vec<&str> = text[..start].split('\n').collect();
    let last = before.last().map_or(0, |last| last.chars().count());
    assert_eq!((line, column), (before.len(), last + 1));
}

fn snapshot(shown: &str, text: &str) {
    let widest = text.lines().max_by_key(|line| line.chars().count()).unwrap_or_default();
    assert!(widest.chars().count() <= 80, "does not fit 80 columns: {widest}");
    let name = shown.trim_start_matches("fixtures/bad/").replace('/', "__");
    let name = name.trim_end_matches(".yaml").trim_end_matches(".jsonl");
    insta::with_settings!({
        snapshot_path => "snapshots-bad",
        prepend_module_to_snapshot => false,
        omit_expression => true,
    }, {
        insta::assert_snapshot!(name, text);
    });
}

/// The path as one types it at the root of the repository.
fn shown(path: &Path) -> String {
    path.display().to_string().replace('\\', "/").trim_start_matches("../").to_owned()
}

datatest_stable::harness! {
    { test = scenario, root = "../../fixtures/bad/scenarios", pattern = r"\.ya?ml$" },
    { test = log, root = "../../fixtures/bad/logs", pattern = r"\.jsonl$" },
}
