//! Whatever the text, it is read or refused: never a panic, never a place outside it.

use firedrill_yaml::{Place, Problem, Source};
use proptest::prelude::*;
use serde::de::DeserializeOwned;

use crate::sample::Drill;

const DRILL: &str = "scenario: 'a: b'  # why
workers: 2
strict: true
provider: &p
  type: \"openai\"
  apiTokens: [sk-a, &b sk-b, *b]
  cooldownDuration: 100
upstream:
  sk-a: [429, 200]
  \"sk-ü\": [500]
steps:
  - tick
  - advance: 99ms
  - request:
      draws: sk-a
";

#[test]
fn the_sample_is_right_before_it_is_bent() {
    assert!(Source::new("drill.yaml", DRILL).parse::<Drill>("a scenario").is_ok());
}

fn read_all(text: &str) {
    let source = Source::new("drill.yaml", text);
    read::<Drill>(&source);
    read::<serde_json::Value>(&source);
}

fn read<T: DeserializeOwned>(source: &Source) {
    if let Err(problem) = source.parse::<T>("a scenario") {
        let places = problem.others().iter().map(|other| other.place).chain(problem.place());
        for Place { line, column, start, end } in places {
            assert!(line >= 1 && column >= 1, "{problem:?}");
            assert!(source.text().get(start..end).is_some(), "{problem:?}");
        }
        let rendered = problem.render(Some(source), false);
        assert!(rendered.starts_with("error: "), "{rendered}");
        assert!(!rendered.contains(|c: char| c.is_control() && c != '\n'), "{rendered:?}");
        assert!(!problem.render(None, true).is_empty());
        assert!(!problem.to_string().is_empty());
    }
}

/// Pieces that mean something to YAML, to be thrown together.
fn piece() -> impl Strategy<Value = String> {
    prop_oneof![
        prop::sample::select(
            &[
                "scenario: ",
                "workers: ",
                "steps:",
                "provider: ",
                "upstream: ",
                "- ",
                "tick",
                "advance: ",
                "a: ",
                "[",
                "]",
                "{",
                "}",
                ",",
                "'",
                "\"",
                "\n",
                "\n  ",
                "\n\t",
                "\r\n",
                "\r",
                "# ",
                "---\n",
                "...",
                "|\n",
                ">-\n",
                "&a ",
                "*a",
                "!t ",
                "!!int ",
                "<<: ",
                "? ",
                ": ",
                "%YAML 1.2\n",
                "~",
                "1e999",
                ".nan",
                "-1",
                "0x",
                "\\x",
                "\u{feff}",
                "\u{2028}",
                "\u{85}",
                "é",
                "\u{1b}[2J",
                "\u{202e}",
            ][..]
        )
        .prop_map(str::to_owned),
        "\\PC{0,4}",
        any::<String>(),
    ]
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text: String) {
        read_all(&text);
    }

    #[test]
    fn yaml_in_pieces_is_read_or_refused(pieces in prop::collection::vec(piece(), 0..24)) {
        read_all(&pieces.concat());
    }

    #[test]
    fn a_bent_scenario_is_read_or_refused(at in 0..DRILL.len(), cut in 0_usize..12, put in piece()) {
        let start = (0..=at).rev().find(|&at| DRILL.is_char_boundary(at)).unwrap_or(0);
        let end = (at + cut..=DRILL.len()).find(|&at| DRILL.is_char_boundary(at)).unwrap_or(DRILL.len());
        read_all(&format!("{}{put}{}", &DRILL[..start], &DRILL[end..]));
    }

    #[test]
    fn any_place_can_be_rendered(text: String, line: usize, column: usize, start: usize, end: usize) {
        let source = Source::new("a", text);
        let far = Place { line, column, start, end };
        let near = Place { line, column, start: start % 64, end: end % 64 };
        let problem = Problem::new("late").at(far).also(near, "here").hint("later");
        prop_assert!(!problem.render(Some(&source), false).is_empty());
    }
}

#[track_caller]
fn refuses(text: &str, expected: &str) {
    let source = Source::new("big.yaml", text);
    let problem = source.parse::<serde_json::Value>("a file").expect_err(expected);
    assert_eq!(problem.message(), expected);
    assert!(!problem.render(Some(&source), false).is_empty());
}

#[test]
fn bombs_are_refused() {
    let flow = format!("{}{}", "[".repeat(33), "]".repeat(33));
    refuses(&flow, "lists and maps stand more than 32 deep in each other");
    refuses(&"[".repeat(100_000), "lists and maps stand too deep in each other");
    refuses(&"- ".repeat(33), "lists and maps stand more than 32 deep in each other");
    refuses(&"- ".repeat(100_000), "lists and maps stand more than 32 deep in each other");
    let block: Vec<String> = (0..400).map(|depth| format!("{}a:", " ".repeat(depth))).collect();
    refuses(&block.join("\n"), "lists and maps stand more than 32 deep in each other");

    let laughs: Vec<String> = (0..9)
        .map(|level| match level {
            0 => format!("a0: &a0 [{}]", ["x"; 10].join(", ")),
            _ => format!("a{level}: &a{level} [{}]", vec![format!("*a{}", level - 1); 10].join(", ")),
        })
        .collect();
    refuses(&laughs.join("\n"), "aliases repeat more than 10000 values");
    refuses(
        &format!("a: &a x\nb: [{}]\n", "*a,".repeat(300)),
        "the file has more than 256 anchors or aliases",
    );
    refuses(&format!("[{}]", "1,".repeat(100_000)), "the file holds more than 100000 values");
    refuses("&a [*a]", "this alias stands inside its own anchor");
}
