//! What each kind of error looks like on a terminal. The snapshot is meant to be read.

use crate::sample::Drill;
use firedrill_yaml::{Problem, Source};

/// One error of each kind: what it is, and a file that has it.
const GALLERY: &[(&str, &str)] = &[
    ("misspelt key", "scenario: a\nprovider:\n  type: openai\n  failureTreshold: 3\n"),
    ("beginning of a key", "scenario: a\nprovider:\n  type: openai\n  cooldown: 3\n"),
    ("unknown key", "scenario: a\ncolour: red\n"),
    ("missing key at the top", "steps: [tick]\n"),
    ("missing key", "scenario: a\nsteps:\n  - tick\n  - request:\n      worker: 1\n"),
    ("missing key in an empty map", "scenario: a\nprovider: {}\n"),
    ("missing key in a list item", "scenario: a\nsteps: [{request: {worker: 1}}]\n"),
    ("unknown step", "scenario: a\nsteps:\n  - tick\n  - tik\n"),
    ("unknown step with a value", "scenario: a\nsteps:\n  - advanse: 5ms\n"),
    ("two steps in one", "scenario: a\nsteps:\n  - advance: 5ms\n    tick: 1\n"),
    ("a word with a value", "scenario: a\nsteps:\n  - tick: 1\n"),
    ("a step without its value", "scenario: a\nsteps:\n  - request:\n  - tick\n"),
    ("a bare step that needs a value", "scenario: a\nsteps:\n  - advance\n"),
    ("an empty step", "scenario: a\nsteps:\n  -\n"),
    ("a step that is an empty map", "scenario: a\nsteps: [{}]\n"),
    ("a bare step before another", "scenario: a\nsteps:\n  - advance\n  - 5ms\n"),
    ("a step that is a list", "scenario: a\nsteps:\n  - [tick]\n"),
    ("a step that is a number", "scenario: a\nsteps:\n  - 3\n"),
    ("own error", "scenario: a\nsteps:\n  - tick\n  - advance: 5 parsecs  # far\n"),
    ("text for a number", "scenario: a\nworkers: two\n"),
    ("quoted number", "scenario: a\nworkers: \"2\"\n"),
    ("negative", "scenario: a\nprovider: {type: openai, failureThreshold: -3}\n"),
    ("fraction", "scenario: a\nprovider: {type: openai, failureThreshold: 2.9}\n"),
    ("exponent", "scenario: a\nprovider:\n  type: openai\n  cooldownDuration: 1e30\n"),
    ("small exponent", "scenario: a\nworkers: 1e3\n"),
    ("past 64 bits", "scenario: a\nworkers: 18446744073709551616\n"),
    ("past 128 bits", "scenario: a\nworkers: 999999999999999999999999999999999999999999\n"),
    ("infinite", "scenario: a\nworkers: .inf\n"),
    ("boolean for a number", "scenario: a\nworkers: true\n"),
    ("list for a number", "scenario: a\nworkers: [1]\n"),
    ("map for a number in a list", "scenario: a\nupstream: {sk-a: [{first: 429}]}\n"),
    ("nothing for a number", "scenario: a\nupstream:\n  sk-a: [~]\n"),
    ("text for a plain number", "scenario: a\nprovider: {type: openai, ratio: much}\n"),
    ("past 32 bits", "scenario: a\nprovider: {type: openai, ratio: 5000000000}\n"),
    ("number for text", "scenario: 3\n"),
    ("number for a token", "scenario: a\nprovider:\n  type: openai\n  apiTokens: [sk-a, 12345]\n"),
    ("number for a key", "scenario: a\nupstream: {12345: [200]}\n"),
    ("boolean for text", "scenario: true\n"),
    ("nothing for text", "scenario:\nsteps: []\n"),
    ("list for text", "scenario: [a, b]\n"),
    ("map for text", "scenario:\n  name: a\n"),
    ("word for a list", "scenario: a\nsteps: tick\n"),
    ("list for a map", "scenario: a\nprovider:\n  - type: openai\n"),
    ("word for a map", "scenario: a\nprovider: openai\n"),
    ("no space after the colon", "scenario:a\n"),
    ("yes for true", "scenario: a\nstrict: yes\n"),
    ("duplicate key", "scenario: a\nworkers: 1\nstrict: true\nworkers: 2\n"),
    ("duplicate token", "scenario: a\nupstream:\n  sk-a: [200]\n  sk-b: [200]\n  sk-a: [429]\n"),
    ("tab", "scenario: a\nsteps:\n\t- tick\n"),
    ("tab before a key", "scenario: a\nprovider:\n  type: openai\n\tratio: 1\n"),
    ("unclosed bracket", "scenario: a\nsteps: [tick, tick\n"),
    ("unclosed bracket, more keys", "scenario: a\nsteps: [tick, tick\nworkers: 2\n"),
    ("wrong bracket", "scenario: a\nsteps: [tick, tick}\n"),
    ("unclosed quote", "scenario: \"a\nsteps: []\n"),
    ("colon in text", "scenario: a: b\n"),
    ("wrong indentation", "scenario: a\n  steps:\n    - tick\n"),
    ("half dedented", "provider:\n    type: openai\n  ratio: 1\nscenario: a\n"),
    ("no colon", "scenario: a\nsteps\n"),
    ("reserved character", "scenario: @home\n"),
    ("bad escape", "scenario: \"C:\\q\"\n"),
    ("list on the key's line", "scenario: - a\n"),
    ("unknown anchor", "scenario: *nobody\n"),
    ("error behind an alias", "scenario: &name drill\nworkers: *name\n"),
    ("merge key", "scenario: a\n<<: {strict: true}\n"),
    ("two documents", "scenario: a\n---\nscenario: b\n"),
    ("empty", ""),
    ("comments only", "# nothing yet\n"),
    ("empty document", "---\n"),
    ("text only", "hello\n"),
    ("a list", "- scenario: a\n"),
    ("a key that is a list", "? [a]\n: b\n"),
    ("accents before the place", "scenario: é\nupstream: {\"ü\": [200], \"ö\": [x]}\n"),
    ("windows line ends", "scenario: a\r\nworkers: two\r\nstrict: true\r\n"),
    (
        "a long line",
        "scenario: a\nprovider: {type: openai, apiTokens: [sk-a, sk-b, sk-c, sk-d, sk-e, sk-f, sk-g, sk-h, sk-i, sk-j], ratio: much}\n",
    ),
];

#[test]
fn every_kind_of_error_can_be_read() {
    let gallery: Vec<String> = GALLERY
        .iter()
        .map(|(name, text)| {
            let source = Source::new("drill.yaml", *text);
            let problem = problem(&source);
            let rendered = problem.render(Some(&source), false);
            assert!(rendered.lines().all(|line| line == line.trim_end()), "{name}: {rendered}");
            format!("# {name}\n{rendered}\n")
        })
        .collect();
    insta::assert_snapshot!("gallery", gallery.join("\n"));
}

#[test]
fn every_kind_of_error_fits_on_one_line() {
    let lines: Vec<String> =
        GALLERY.iter().map(|(_, text)| problem(&Source::new("drill.yaml", *text)).to_string()).collect();
    assert!(lines.iter().all(|line| !line.contains('\n')));
    insta::assert_snapshot!("lines", lines.join("\n"));
}

#[track_caller]
fn problem(source: &Source) -> Problem {
    match source.parse::<Drill>("a scenario") {
        Ok(drill) => panic!("expected a problem in {:?}, read {drill:?}", source.text()),
        Err(problem) => problem,
    }
}

#[test]
fn warnings_and_second_places_can_be_told_without_a_file() {
    let source = Source::new("drill.yaml", "scenario: a\nupstream:\n  sk-a: [200]\n");
    let place = source
        .parse::<Drill>("a scenario")
        .expect("nothing is wrong")
        .upstream
        .iter()
        .next()
        .map(|(key, _)| key.place);
    let place = place.expect("there is a key");
    let problem =
        Problem::warning("`sk-a` is never drawn").at(place).in_file(source.name()).label("written here");
    assert_eq!(problem.to_string(), "drill.yaml:3:3: warning: `sk-a` is never drawn");
    assert_eq!(
        problem.render(Some(&source), false),
        "warning: `sk-a` is never drawn\n --> drill.yaml:3:3\n  |\n3 |   sk-a: [200]\n  |   ^^^^ written here"
    );
    assert_eq!(problem.render(None, false), "warning: `sk-a` is never drawn\n--> drill.yaml:3:3");
    let other = Source::new("other.yaml", "1\n2\n3\n");
    assert_eq!(problem.render(Some(&other), false), problem.render(None, false));
    assert!(problem.render(Some(&source), true).contains("\u{1b}["));
    assert_eq!(
        serde_json::to_value(&problem).expect("it can be written"),
        serde_json::json!({
            "severity": "warning",
            "message": "`sk-a` is never drawn",
            "file": "drill.yaml",
            "place": { "line": 3, "column": 3, "start": 24, "end": 28 },
            "label": "written here",
        })
    );
}
