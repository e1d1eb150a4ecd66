//! Every answer of every dialect in `fixtures/providers/<dialect>/<case>.http`, byte by byte. `INSTA_UPDATE=always` writes
//! them anew.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::PathBuf;

use firedrill_failover::Duration;
use firedrill_provider::{Dialect, Incoming, Plan, Reply, Unit};

use crate::cases::{self, CONTEXT, DAY, MINUTE, TOKEN};

fn folder(dialect: Dialect) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/providers")).join(dialect.word())
}

/// The cases of a dialect: a name, and the reply.
fn replies(dialect: Dialect) -> Vec<(String, Reply)> {
    let mut replies = Vec::new();
    for ask in cases::asks(dialect) {
        let question = ask.read(dialect).expect("a question");
        let mut reply = |name: &str, plan: &Plan| {
            replies.push((format!("{}-{name}", ask.name), dialect.reply(&question, plan, &CONTEXT)));
        };
        reply("200", &cases::with_quotas());
        reply("error-event", &cases::inside(None));
        let wait = Duration::from_millis(2_500);
        if ask.name == "plain" || ask.name.starts_with("native") || ask.name == "stream-array" {
            reply("429-requests", &cases::over(Unit::Requests, MINUTE, wait));
        }
        if ask.name != "plain" {
            continue;
        }
        reply("429-tokens", &cases::over(Unit::LlmTokens, MINUTE, wait));
        reply("429-day", &cases::over(Unit::Requests, DAY, Duration::from_secs(8 * 60 * 60)));
        reply("429-concurrent", &cases::concurrent());
        reply("429-written", &cases::plan(429, None, Some(Duration::from_secs(30))));
        reply("429-no-hint", &cases::plan(429, None, None));
        reply("unknown-name", &cases::plan(418, Some("short_and_stout"), None));
        for status in [400, 401, 402, 403, 404, 408, 413, 422, 424, 500, 503, 529] {
            reply(&status.to_string(), &cases::plan(status, None, None));
        }
        for (status, name) in named(dialect) {
            reply(&format!("{status}-{name}"), &cases::plan(*status, Some(name), None));
        }
    }
    let ask = &cases::asks(dialect)[0];
    let headers = ask.headers();
    let good = Incoming {
        method: "POST",
        path: ask.path,
        query: ask.query,
        headers: &headers,
        body: ask.body.as_bytes(),
    };
    let without: Vec<_> = headers.iter().filter(|(_, value)| !value.contains(TOKEN)).cloned().collect();
    let wrong = [
        ("no-token", Incoming { headers: &without, ..good }),
        ("no-such-path", Incoming { path: "/v2/chat", ..good }),
        ("get", Incoming { method: "GET", ..good }),
        ("no-json", Incoming { body: b"{", ..good }),
        ("empty", Incoming { body: b"{}", ..good }),
    ];
    for (name, incoming) in wrong {
        replies.push((format!("read-{name}"), dialect.read(&incoming).expect_err(name)));
    }
    replies
}

/// Errors that only their name tells apart.
fn named(dialect: Dialect) -> &'static [(u16, &'static str)] {
    match dialect {
        Dialect::OpenAi => {
            &[(429, "insufficient_quota"), (429, "credit_balance_exhausted"), (429, "slow_down")]
        }
        Dialect::Anthropic => &[(400, "credit_balance_too_low"), (429, "enforced_spend_limit_reached")],
        Dialect::Azure => &[(400, "content_filter"), (429, "NoCapacity")],
        Dialect::Gemini => {
            &[(400, "API_KEY_INVALID"), (429, "GenerateRequestsPerDayPerProjectPerModel-FreeTier")]
        }
        Dialect::Bedrock => &[(403, "ExpiredTokenException"), (429, "ModelNotReadyException")],
        Dialect::Qwen => &[
            (400, "Arrearage"),
            (403, "AllocationQuota.FreeTierOnly"),
            (429, "insufficient_quota"),
            (429, "limit_burst_rate"),
        ],
        Dialect::DeepSeek => &[(400, "model_not_exist")],
    }
}

/// A reply as a file: what is no text is written as its bytes, with the text in it beside them.
fn shown(reply: &Reply) -> Vec<u8> {
    let mut text = format!("HTTP/1.1 {}\n", reply.status.code());
    for (name, value) in &reply.headers {
        let _ = writeln!(text, "{name}: {value}");
    }
    text.push('\n');
    let bytes = cases::bytes(reply);
    let mut shown = text.into_bytes();
    if reply.headers.iter().any(|(_, value)| value == "application/vnd.amazon.eventstream") {
        for line in bytes.chunks(16) {
            let hex: Vec<String> = line.iter().map(|byte| format!("{byte:02x}")).collect();
            let text: String = line
                .iter()
                .map(|byte| if byte.is_ascii_graphic() { char::from(*byte) } else { '.' })
                .collect();
            shown.extend(format!("{:<47}  {text}\n", hex.join(" ")).into_bytes());
        }
    } else {
        shown.extend(bytes);
        shown.push(b'\n');
    }
    shown
}

#[track_caller]
fn check(dialect: Dialect) {
    let folder = folder(dialect);
    let is_writing = std::env::var("INSTA_UPDATE").is_ok_and(|update| update == "always");
    let replies = replies(dialect);
    let names: BTreeSet<String> = replies.iter().map(|(name, _)| format!("{name}.http")).collect();
    assert_eq!(names.len(), replies.len(), "two cases of {} have one name", dialect.word());
    if is_writing {
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).expect("a folder");
    }
    let mut wrong = Vec::new();
    for (name, reply) in &replies {
        let (file, shown) = (folder.join(format!("{name}.http")), shown(reply));
        if is_writing {
            std::fs::write(&file, &shown).expect("a file");
        }
        if std::fs::read(&file).ok().as_ref() != Some(&shown) {
            wrong.push(format!("{}:\n{}", file.display(), String::from_utf8_lossy(&shown)));
        }
        assert!(
            !String::from_utf8_lossy(&shown).contains(TOKEN),
            "{name} of {} has the token",
            dialect.word()
        );
    }
    let files = std::fs::read_dir(&folder).expect("a folder");
    let files: BTreeSet<String> =
        files.map(|file| file.expect("a file").file_name().to_string_lossy().into_owned()).collect();
    wrong.extend(files.difference(&names).map(|file| format!("{file} is no case")));
    assert!(
        wrong.is_empty(),
        "{} answers otherwise than its fixtures; if that is right, write them anew with INSTA_UPDATE=always\n{}",
        dialect.word(),
        wrong.join("\n")
    );
}

#[test]
fn openai_answers_as_its_fixtures() {
    check(Dialect::OpenAi);
}

#[test]
fn anthropic_answers_as_its_fixtures() {
    check(Dialect::Anthropic);
}

#[test]
fn azure_answers_as_its_fixtures() {
    check(Dialect::Azure);
}

#[test]
fn gemini_answers_as_its_fixtures() {
    check(Dialect::Gemini);
}

#[test]
fn bedrock_answers_as_its_fixtures() {
    check(Dialect::Bedrock);
}

#[test]
fn qwen_answers_as_its_fixtures() {
    check(Dialect::Qwen);
}

#[test]
fn deepseek_answers_as_its_fixtures() {
    check(Dialect::DeepSeek);
}
