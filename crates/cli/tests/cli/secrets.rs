//! Whatever a scenario holds, no real key is printed or written.

use crate::sandbox::{FAILS, PASSES, Sandbox, UNUSABLE};

/// Made up, in the form of a real one.
const SECRET: &str = "aB3dE5fG7hJ9kL2mN4pQ6rS8tU1vW3xY5zA7bC9d";

#[track_caller]
fn check_hidden(text: &str) {
    let parts = (0..=SECRET.len() - 10).map(|at| &SECRET[at..at + 10]);
    for part in parts {
        assert!(!text.contains(part), "{part} in:\n{text}");
    }
}

#[test]
fn no_key_is_printed_or_written() {
    let sandbox = Sandbox::new();
    let key = format!("sk-proj-{SECRET}");
    let planted = |text: &str| {
        text.replace("sk-a", &key)
            .replace("scenario:", &format!("description: about {key} and more\nscenario: {key} of"))
            .replace("tags: [", &format!("tags: [{key}, "))
            .replace("apiTokens:", &format!("{key}: 1\n  apiTokens:"))
    };
    sandbox.write("scenarios/passes.yaml", planted(PASSES));
    sandbox.write("scenarios/fails.yaml", planted(FAILS));
    sandbox.write("scenarios/unusable.yaml", planted(UNUSABLE));
    sandbox.write("scenarios/unknown.yaml", planted(PASSES).replace("draws: sk", "draws: x-sk"));
    sandbox.write("scenarios/broken.yaml", planted(PASSES).replace("steps:", &format!("steps: {key}\n  - ")));
    sandbox.write(&format!("scenarios/{key}.yaml"), planted(FAILS));

    for args in [
        "run --log logs",
        "run -v",
        "run -q --color always",
        "run --format json",
        "run --format junit",
        "check -v",
        "check --format json",
    ] {
        let ran = sandbox.run(args);
        assert_eq!(ran.code, 2, "{ran}");
        check_hidden(&ran.to_string());
    }
    for name in ["passes", "fails"] {
        let log = format!("logs/scenarios/{name}.yaml.jsonl");
        check_hidden(&sandbox.read(&log));
        for format in ["human", "json"] {
            let ran = sandbox.run(&format!("replay {log} --format {format}"));
            assert_eq!(ran.code, 0, "{ran}");
            check_hidden(&ran.to_string());
        }
    }
}

/// A log from elsewhere may name its tokens as it likes.
#[test]
fn no_key_in_a_log_is_printed() {
    let (sandbox, lines) = Sandbox::with_log();
    let key = format!("sk-proj-{SECRET}");
    let log = lines.join("\n").replace("sk-a", &key);
    let [header, first, ..] = &lines[..] else { panic!("four lines") };
    let unknown = format!("{header}\n{first}\n{}", lines[2].replace("sk-a", &key));
    let torn = &log[..log.len() - 20];
    for log in [&*log, &*unknown, torn] {
        for format in ["human", "json"] {
            let ran = sandbox.run_with(&format!("replay - --format {format}"), &[], log);
            assert!(ran.out.contains("token"), "{ran}");
            check_hidden(&ran.to_string());
        }
    }
}
