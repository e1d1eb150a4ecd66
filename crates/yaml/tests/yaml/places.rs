//! Where things stand: every step, every key, every error that a type of our own raises.

use firedrill_yaml::{Entries, Place, Source, Spanned, Whole, custom, custom_at, quoted, unknown_key};
use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};

use crate::sample::{Drill, Request, Span, Step};

#[track_caller]
fn read<T: serde::de::DeserializeOwned>(text: &str) -> T {
    match Source::new("drill.yaml", text).parse("a scenario") {
        Ok(value) => value,
        Err(problem) => panic!("{problem}"),
    }
}

/// What stands at a place: its line and column, and the text there.
#[track_caller]
fn check(text: &str, place: Place, line: usize, column: usize, there: &str) {
    assert_eq!((place.line, place.column), (line, column), "{text}");
    assert_eq!(&text[place.start..place.end], there, "{text}");
}

#[test]
fn every_step_has_its_own_line() {
    let text = "scenario: é\nsteps:\n  - tick\n  - advance: 5ms\n\n  # then\n  - request:\n      draws: sk-a\n  - {request: {draws: sk-b}}\n";
    let drill: Drill = read(text);
    let steps: Vec<_> = drill.steps.iter().map(|step| (step.place.line, step.place.column)).collect();
    assert_eq!(steps, [(3, 5), (4, 5), (7, 5), (9, 5)]);
    assert_eq!(drill.steps[0].value, Step::Tick);
    assert_eq!(drill.steps[1].value, Step::Advance(Span(5)));
    assert_eq!(drill.steps[2].value, Step::Request(Request { draws: "sk-a".into(), worker: None }));
    check(text, drill.scenario.place, 1, 11, "é");
    check(text, drill.steps[0].place, 3, 5, "tick");
}

#[test]
fn keys_have_places_and_keep_their_order() {
    let text = "scenario: a\nupstream:\n  sk-b: [429]\n  \"sk-a\": [200]\n";
    let drill: Drill = read(text);
    let keys: Vec<_> = drill.upstream.iter().map(|(key, _)| key.as_str()).collect();
    assert_eq!(keys, ["sk-b", "sk-a"]);
    let places: Vec<_> = drill.upstream.iter().map(|(key, _)| key.place).collect();
    check(text, places[0], 3, 3, "sk-b");
    check(text, places[1], 4, 3, "\"sk-a\"");
    assert_eq!(drill.upstream.get("sk-a"), Some(&vec![Whole(200)]));
}

#[test]
fn what_may_be_left_out_has_a_place_when_it_is_there() {
    let text = "scenario: a\nworkers: 2\n";
    let place = read::<Drill>(text).workers.map(|workers| workers.place);
    check(text, place.expect("workers are given"), 2, 10, "2");
    assert_eq!(read::<Drill>("scenario: a\nworkers: ~\n").workers, None);
    assert_eq!(read::<Drill>("scenario: a\n").workers, None);
}

#[test]
fn an_alias_stands_where_it_is_used() {
    let text = "scenario: &name a\nprovider:\n  type: openai\n  apiTokens: [sk-a, *name]\n";
    let provider = read::<Drill>(text).provider.expect("a provider is given");
    assert_eq!(provider.api_tokens[1].value, "a");
    check(text, provider.api_tokens[1].place, 4, 21, "*name");
}

#[test]
fn a_byte_order_mark_moves_nothing() {
    let text = "scenario: a\nworkers: 2\n";
    let place = read::<Drill>(&format!("\u{feff}{text}")).scenario.place;
    check(text, place, 1, 11, "a");
}

#[test]
fn json_reads_as_yaml_with_places() {
    let text = r#"{"scenario": "a", "upstream": {"sk-a": [200]}, "steps": ["tick", {"advance": "5ms"}]}"#;
    let drill: Drill = read(text);
    check(text, drill.scenario.place, 1, 14, r#""a""#);
    assert_eq!(drill.steps[1].value, Step::Advance(Span(5)));
}

/// A map read by hand: `from` has to come before `to`.
#[derive(Debug)]
struct Window;

impl<'de> Deserialize<'de> for Window {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Window, D::Error> {
        struct WindowVisitor;

        impl<'de> Visitor<'de> for WindowVisitor {
            type Value = Window;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a map")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Window, A::Error> {
                let (mut from, mut to) = (None, None);
                while let Some(key) = map.next_key::<Spanned<String>>()? {
                    match key.as_str() {
                        "from" => from = Some(map.next_value::<Whole>()?),
                        "to" => to = Some(map.next_value::<Spanned<Whole>>()?),
                        "skip" => drop(map.next_value::<IgnoredAny>()?),
                        _ => return Err(unknown_key(&key, &["from", "to", "skip"])),
                    }
                }
                match (from, to) {
                    (Some(from), Some(to)) if to.value < from => {
                        Err(custom_at(to.place, "`to` comes before `from`", "swap them"))
                    }
                    (Some(_), Some(_)) => Ok(Window),
                    _ => Err(custom("a window needs `from` and `to`", "")),
                }
            }
        }

        deserializer.deserialize_map(WindowVisitor)
    }
}

#[derive(Debug)]
struct Label;

impl<'de> Deserialize<'de> for Label {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Label, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text == "good" {
            Ok(Label)
        } else {
            Err(serde::de::Error::custom(format!("no {}", quoted(&text))))
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "only its errors are looked at")]
struct Own {
    #[serde(default)]
    window: Option<Spanned<Window>>,
    #[serde(default)]
    labels: Vec<Label>,
    #[serde(default)]
    wrapped: Option<Spanned<Label>>,
    #[serde(default)]
    named: Entries<String, Label>,
    #[serde(default)]
    choice: Option<Choice>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(dead_code, reason = "only its errors are looked at")]
enum Choice {
    Plain,
    Labelled(Label),
    Wide { label: Label },
    Pair(Label, Label),
}

#[test]
fn errors_of_our_own_types_stand_at_the_value() {
    #[track_caller]
    fn check(text: &str, expected: &str) {
        let problem = Source::new("own.yaml", text).parse::<Own>("a file").expect_err(text);
        assert_eq!(problem.to_string(), expected, "{text}");
    }
    check("window: {from: 2, to: 1}", "own.yaml:1:23: `to` comes before `from` (swap them)");
    check("window:\n  from: 2\n", "own.yaml:2:3: a window needs `from` and `to`");
    check("window: {form: 2}", "own.yaml:1:10: unknown key `form` (did you mean `from`?)");
    check("labels:\n  - good\n  - bad", "own.yaml:3:5: no `bad`");
    check("wrapped: bad", "own.yaml:1:10: no `bad`");
    check("named: {a: good, b: bad}", "own.yaml:1:21: no `bad`");
    check("choice: {labelled: bad}", "own.yaml:1:20: no `bad`");
    check("choice: {wide: {label: bad}}", "own.yaml:1:24: no `bad`");
    check("choice: {pair: [good, bad]}", "own.yaml:1:23: no `bad`");
    check("choice: plian", "own.yaml:1:9: unknown word `plian` (did you mean `plain`?)");
    check("choice: wide", "own.yaml:1:9: `wide` needs a value (write a colon and the value after it)");
    check("choice: {wide: }", "own.yaml:1:10: expected a map, found nothing");
}

#[test]
fn a_variant_never_takes_its_neighbour_for_its_value() {
    let text = "scenario: a\nsteps:\n  - advance\n  - 5ms\n";
    let problem = Source::new("drill.yaml", text).parse::<Drill>("a scenario").expect_err("it needs a value");
    assert_eq!(
        problem.to_string(),
        "drill.yaml:3:5: `advance` needs a value (write a colon and the value after it)"
    );
}

/// What not to write: serde buffers these, and the places are gone.
#[test]
fn buffered_values_lose_their_place_and_nothing_else() {
    #[derive(Debug, PartialEq, Deserialize)]
    struct Flat {
        n: Spanned<Whole>,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    struct Outer {
        #[serde(flatten)]
        flat: Flat,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(tag = "kind", rename_all = "camelCase")]
    enum Tagged {
        Flat(Flat),
    }

    let outer: Outer = read("n: 3");
    assert_eq!((outer.flat.n.value, outer.flat.n.place), (Whole(3), Place::UNKNOWN));
    let Tagged::Flat(flat) = read("kind: flat\nn: 3");
    assert_eq!((flat.n.value, flat.n.place), (Whole(3), Place::UNKNOWN));
}
