//! `firedrill replay`, on logs that a run wrote and somebody damaged.

use crate::assert_printed;
use crate::sandbox::Sandbox;

#[test]
fn a_log_is_told_with_its_state() {
    let (sandbox, lines) = Sandbox::with_log();
    assert_printed!("replay", sandbox.run("replay log.jsonl"));
    assert_printed!("replay-json", sandbox.run("replay log.jsonl --format json"));
    let piped = sandbox.run_with("replay -", &[], &lines.join("\n"));
    assert_eq!(piped.out, sandbox.run("replay log.jsonl").out);
}

#[test]
fn it_stops_where_it_is_asked_to() {
    let (sandbox, _) = Sandbox::with_log();
    let out = |args: &str| {
        let ran = sandbox.run(&format!("replay log.jsonl {args}"));
        assert_eq!((ran.code, &*ran.err), (0, ""));
        ran.out
    };
    let second = out("--version 2");
    assert!(second.contains("\nat version 2:\n  version        2\n"), "{second}");
    assert!(second.contains("unavailable    [sk-a (since 0ms)]\n") && !second.contains("v3"), "{second}");
    assert!(out("--at 4s").contains("\nat 4s:\n  version        2\n"));
    assert!(out("--at 5s").contains("\nat 5s:\n  version        3\n"));
    assert!(out("--at 1h").contains("\nat 1h:\n  version        3\n"));
    assert!(out("--version 1 --format json").contains("\"version\": 1"));
    let ran = sandbox.run("replay log.jsonl --version 4");
    assert_eq!(ran.code, 2);
    assert!(ran.err.starts_with("error: there is no version 4: the log ends at 3\n"), "{ran}");
    assert_eq!(sandbox.run("replay log.jsonl --version 1 --at 1s").code, 2);
}

#[test]
fn every_damage_is_told_with_what_is_left() {
    let (sandbox, lines) = Sandbox::with_log();
    let [header, first, second, third] = &lines[..] else { panic!("four lines") };
    let text = |lines: &[&str]| lines.join("\n") + "\n";
    let torn = second.split_at(second.len() / 2).0;
    let nul = format!("{header}\n{first}\n{second}\n\0\0\0\0");
    for (name, bytes) in [
        ("torn-at-the-end", text(&[header, first, torn]).trim_end().to_owned().into_bytes()),
        ("torn-in-the-middle", text(&[header, first, torn, third]).into_bytes()),
        ("not-json", text(&[header, first, "nonsense", third]).into_bytes()),
        ("misspelt", text(&[header, first, &second.replace("\"at\"", "\"ta\""), third]).into_bytes()),
        ("line-missing", text(&[header, first, third]).into_bytes()),
        ("line-doubled", text(&[header, first, second, second, third]).into_bytes()),
        ("contradiction", text(&[header, first, &second.replace("429", "200"), third]).into_bytes()),
        ("too-early", text(&[header, first, second, &third.replace("5000", "99")]).into_bytes()),
        ("unknown-token", text(&[header, first, &second.replace("sk-a", "sk-x"), third]).into_bytes()),
        ("later-format", text(&[&header.replace(":1,", ":2,"), first]).into_bytes()),
        ("no-header", text(&[first, second]).into_bytes()),
        ("not-utf8", [text(&[header, first]).as_bytes(), b"{\"version\":\"\xff\"}\n{}\n"].concat()),
        ("ends-in-zeros", nul.into_bytes()),
        ("empty", Vec::new()),
    ] {
        let path = format!("{name}.jsonl");
        sandbox.write(&path, bytes);
        let ran = sandbox.run(&format!("replay {path}"));
        assert_eq!(ran.code, 2, "{ran}");
        insta::allow_duplicates! {
            assert!(ran.err.contains(&path), "{ran}");
        }
        insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
            insta::assert_snapshot!(format!("replay-{name}"), ran);
        });
        let json = sandbox.run(&format!("replay {path} --format json"));
        assert_eq!((json.code, json.err), (2, ran.err));
        assert!(json.out.contains("\"problem\": {"), "{}", json.out);
    }
}

#[test]
fn a_log_in_which_nothing_happened_is_whole() {
    let (sandbox, lines) = Sandbox::with_log();
    let ran = sandbox.run_with("replay -", &[], &lines[0]);
    assert_eq!((ran.code, &*ran.out, &*ran.err), (0, "nothing had happened\n", ""));
}

#[test]
fn what_is_no_log_is_told_so() {
    let sandbox = Sandbox::with_scenarios();
    for args in ["replay nowhere", "replay scenarios", "replay scenarios/passes.yaml"] {
        let ran = sandbox.run(args);
        assert_eq!((ran.code, &*ran.out), (2, ""), "{ran}");
        assert!(ran.err.starts_with("error: "), "{ran}");
    }
}
