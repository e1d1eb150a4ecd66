//! Every file in `fixtures/bad/gateway/` is wrong, and its name says how. What a person is told about it is a snapshot in
//! `tests/snapshots-bad/`; here only what holds for all of them is asked: the file is named, and the line and the column, it
//! reads like every other error, and no token is shown.

use std::path::Path;

use firedrill_gateway::GatewayFile;
use firedrill_yaml::{Place, Source};

fn gateway(path: &Path) -> datatest_stable::Result<()> {
    let shown = path.display().to_string().replace('\\', "/").trim_start_matches("../").to_owned();
    let source = Source::new(&shown, std::fs::read_to_string(path)?);
    let unusable = GatewayFile::parse(&source).err().ok_or("nothing is wrong with it")?;
    for problem in &unusable.problems {
        assert_eq!(problem.file(), Some(&*shown));
        for text in [Some(problem.message()), problem.hint_text(), problem.label_text()].into_iter().flatten()
        {
            assert!(!text.starts_with(char::is_uppercase), "begins with a capital: {text}");
            assert!(!text.ends_with(['.', ' ', ':']), "ends badly: {text}");
        }
        match problem.place() {
            Some(place) => check_place(place, source.text()),
            None => assert!(shown.contains("/file-"), "no place: {problem:?}"),
        }
    }
    let rendered = unusable.render(false);
    let widest = rendered.lines().max_by_key(|line| line.chars().count()).unwrap_or_default();
    assert!(widest.chars().count() <= 80, "does not fit 80 columns: {widest}");
    for text in [&rendered, &format!("{unusable:?}")] {
        assert!(!text.contains("aB3dE5fG7hJ9") && !text.contains("planted"), "a secret: {text}");
    }
    let name = path.file_stem().and_then(|stem| stem.to_str()).ok_or("a name")?;
    insta::with_settings!({
        snapshot_path => "snapshots-bad",
        prepend_module_to_snapshot => false,
        omit_expression => true,
    }, {
        insta::assert_snapshot!(name, rendered);
    });
    Ok(())
}

/// The line and the column are those of the first byte, counted again here.
#[track_caller]
fn check_place(Place { line, column, start, end }: Place, text: &str) {
    assert!(text.get(start..end).is_some(), "outside the text: {start}..{end}");
    let before: Vec<&str> = text[..start].split('\n').collect();
    let last = before.last().map_or(0, |last| last.chars().count());
    assert_eq!((line, column), (before.len(), last + 1));
}

datatest_stable::harness! {
    { test = gateway, root = "../../fixtures/bad/gateway", pattern = r"\.yaml$" },
}
