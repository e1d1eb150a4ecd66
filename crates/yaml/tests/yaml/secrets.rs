//! No key that looks real gets out, whatever is wrong with the file it stands in.

use firedrill_yaml::{Problem, Source, closest, looks_secret, quoted, redact};
use proptest::prelude::*;

use crate::sample::Drill;

/// Made up, in the shapes that providers use.
const KEYS: [&str; 9] = [
    "sk-4fT9bXq2LmZ8vKc1RwN7pJd3",
    "sk-proj-Vh3kLq9xT2mWcR7bZ1nYs8dFg5jPa4",
    "sk-ant-api03-Qm7Lw2ZxKv9TnB4RcYh8Fd3Jp6Gs1",
    "AIzaSyD4kT8mQ2wXv7LcZ9bRn3JhPf6Gs1YqKt0",
    "gsk_Zt4Lm9QwXv2KcT7bRn3JhPf6Gs1YqKd8",
    "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",
    "AKIA4ZTQ7MXW2LCV9BRN",
    "0f4b2c9d8e7a6154b3c2d1e0f9a8b7c6",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJmaXJlZHJpbGwifQ.c2lnbmF0dXJlLW1hZGUtdXAtMTIz",
];

#[test]
fn real_keys_are_known_by_their_shape() {
    for key in KEYS {
        assert!(looks_secret(key), "{key}");
        assert_eq!(redact(key), "*".repeat(key.len()), "{key}");
    }
}

#[test]
fn names_and_placeholders_are_not_keys() {
    for name in [
        "sk-a",
        "sk-primary",
        "backup-token-eu-west-1",
        "sk-backup-token-eu-west-1",
        "sk-aaaaaaaaaaaaaaaaaaaaaaaa",
        "sk-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
        "the-primary-token-of-the-eu-west-1-region",
        "a_rate_limited_token_comes_back_after_its_cooldown_2",
        "Qwen2-72B-Instruct-Turbo-FP8-2024-11-Preview",
        "11111111111111111111111111111111111111",
        "failureThresholdOfTheSecondProviderInTheList",
        "2026-11-23T03-34-24-firedrill-report-0001",
        "hf_hub",
        "",
    ] {
        assert!(!looks_secret(name), "{name}");
        assert_eq!(redact(name), name);
    }
}

#[test]
fn masking_keeps_everything_else_where_it_was() {
    let key = KEYS[0];
    assert_eq!(redact(&format!("é [{key}, sk-a]")), format!("é [{}, sk-a]", "*".repeat(key.len())));
    assert_eq!(redact(&format!("Bearer {key}.")), format!("Bearer {}.", "*".repeat(key.len())));
    assert_eq!(redact("sk-a, sk-b"), "sk-a, sk-b");
}

/// Files with one thing wrong each, the key being where `KEY` stands.
const FILES: [&str; 24] = [
    "scenario: a\nworkers: KEY\n",
    "scenario: a\nworkers: \"KEY\"\n",
    "scenario: a\nKEY: 1\n",
    "scenario: a\nsteps: [KEY]\n",
    "scenario: a\nsteps: [{KEY: 1}]\n",
    "scenario: a\nsteps: KEY\n",
    "scenario: a\nsteps: [{advance: KEY}]\n",
    "scenario: a\nprovider: KEY\n",
    "scenario: a\nprovider: {apiTokens: [KEY]}\n",
    "scenario: a\nprovider: {type: openai, apiTokens: [KEY], ratio: much}\n",
    "scenario: a\nupstream: {KEY: [x]}\n",
    "scenario: a\nupstream: {KEY: [1], KEY: [2]}\n",
    "scenario: a\nstrict: KEY\n",
    "scenario: *KEY\n",
    "scenario: &KEY 3\n",
    "scenario: !KEY [a]\n",
    "scenario: [KEY\n",
    "scenario: \"KEY\n",
    "scenario: KEY: KEY\n",
    "scenario: @KEY\n",
    "scenario: a\n\tKEY: 1\n",
    "KEY\n",
    "- KEY\n",
    "scenario: KEY\n---\nscenario: KEY\n",
];

#[test]
fn no_error_shows_a_key_or_half_of_one() {
    for (key, file) in KEYS.iter().flat_map(|key| FILES.map(|file| (key, file))) {
        let source = Source::new("drill.yaml", file.replace("KEY", key));
        let Err(problem) = source.parse::<Drill>("a scenario") else { panic!("nothing is wrong: {file}") };
        check(key, &source, &problem);
        let text = format!("{{\"scenario\": \"a\", \"{key}\": \"{key}\"}}");
        let source = Source::new("drill.json", text);
        check(key, &source, &source.parse::<Drill>("a scenario").expect_err(file));
    }
}

#[test]
fn no_checker_can_show_one_by_mistake() {
    for key in KEYS {
        let source = Source::new("drill.yaml", format!("scenario: {key}\n"));
        let place = firedrill_yaml::Place { line: 1, column: 11, start: 10, end: 11 };
        let problem = Problem::warning(format!("the token {} looks real: {key}", quoted(key)))
            .at(place)
            .in_file(key)
            .label(key)
            .also(place, key)
            .hint(format!("did you mean {key}?"));
        check(key, &source, &problem);
    }
    assert_eq!(closest("sk-4fT9bXq2LmZ8vKc1RwN7pJd4", [KEYS[0]]), Some(KEYS[0]));
}

#[track_caller]
fn check(key: &str, source: &Source, problem: &Problem) {
    let json = serde_json::to_string(problem).expect("it can be written");
    let shown = [
        problem.render(Some(source), false),
        problem.render(Some(source), true),
        problem.render(None, false),
        problem.to_string(),
        format!("{problem:?}"),
        json,
    ];
    let half = key.len() / 2;
    for part in [&key[..half], &key[half..], &key[half / 2..half / 2 + half]] {
        for text in &shown {
            assert!(!text.contains(part), "{part} is shown in:\n{text}");
        }
    }
}

proptest! {
    #[test]
    fn masking_never_moves_a_column(text in "(\\PC{0,8}|sk-[a-zA-Z0-9]{20}){0,6}") {
        let masked = redact(&text);
        prop_assert_eq!(masked.len(), text.len());
        prop_assert_eq!(masked.chars().count(), text.chars().count());
        prop_assert_eq!(redact(&masked), masked.as_ref());
    }
}
