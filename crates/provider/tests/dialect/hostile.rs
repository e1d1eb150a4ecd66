//! Whatever comes in, a dialect reads it or answers with an error of its own, and never has the token in it.

use firedrill_provider::{Dialect, Incoming, Reply};
use proptest::prelude::*;

use crate::cases::{self, CONTEXT, TOKEN};

/// Reads it; if it is a question, answers it in every way.
fn survive(dialect: Dialect, incoming: &Incoming<'_>) {
    match dialect.read(incoming) {
        Err(reply) => {
            can_be_sent(&reply);
            assert!((400..500).contains(&reply.status.code()), "{reply:?}");
            if !incoming.path.contains(TOKEN) {
                assert!(!String::from_utf8_lossy(&cases::bytes(&reply)).contains(TOKEN));
            }
        }
        Ok(question) => {
            let strange = cases::plan(429, Some("\u{e4}\r\nx: y\u{0}"), None);
            for plan in [cases::with_quotas(), cases::plan(429, None, None), cases::inside(None), strange] {
                can_be_sent(&dialect.reply(&question, &plan, &CONTEXT));
            }
        }
    }
}

/// HTTP allows every header, and what stands in it.
fn can_be_sent(reply: &Reply) {
    for (name, value) in &reply.headers {
        let is_name = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        assert!(name.bytes().all(is_name), "{name:?}");
        assert!(value.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()), "{name}: {value:?}");
    }
}

fn everywhere(body: &[u8]) {
    for dialect in Dialect::ALL {
        for ask in cases::asks(dialect) {
            let headers = ask.headers();
            survive(
                dialect,
                &Incoming { method: "POST", path: ask.path, query: ask.query, headers: &headers, body },
            );
        }
    }
}

fn path() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        Just("/v1".to_owned()),
        Just("/v1beta/models/".to_owned()),
        Just("/model/".to_owned()),
        Just("/openai/deployments/".to_owned()),
        Just("/chat/completions".to_owned()),
        Just(":generateContent".to_owned()),
        Just("/converse".to_owned()),
        Just("%".to_owned()),
        Just("%f".to_owned()),
        Just("%ff%00%2F".to_owned()),
        ".{0,6}",
    ];
    prop::collection::vec(part, 0..6).prop_map(|parts| parts.concat())
}

fn header() -> impl Strategy<Value = (String, String)> {
    let name = prop::sample::select(vec![
        "authorization",
        "x-api-key",
        "api-key",
        "x-goog-api-key",
        "anthropic-version",
        "x-dashscope-sse",
        "accept",
    ]);
    let value = prop_oneof![
        Just(format!("Bearer {TOKEN}")),
        Just("Bearer ".to_owned()),
        Just("bearer\u{a0}x".to_owned()),
        Just("AWS4-HMAC-SHA256 Credential=".to_owned()),
        Just("AWS4-HMAC-SHA256 Credential=/,".to_owned()),
        Just("enable".to_owned()),
        ".{0,20}",
    ];
    (name.prop_map(str::to_owned), value)
}

fn body() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop::sample::select(vec![
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "\"model\"",
        "\"messages\"",
        "\"content\"",
        "\"contents\"",
        "\"parts\"",
        "\"text\"",
        "\"input\"",
        "\"prompt\"",
        "\"max_tokens\"",
        "\"stream\"",
        "null",
        "true",
        "1",
        "-1",
        "1e400",
        "\"\\ud800\"",
        "\"x\"",
        "\u{1f525}",
    ]);
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..200),
        prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat().into_bytes()),
    ]
}

proptest! {
    #[test]
    fn anything_is_read_or_refused(
        path in path(),
        query in ".{0,20}|(key|alt|api-version)=[%a-z0-9+&=]{0,12}",
        method in "POST|GET|.{0,4}",
        headers in prop::collection::vec(header(), 0..4),
        body in body(),
    ) {
        for dialect in Dialect::ALL {
            let incoming = Incoming { method: &method, path: &path, query: &query, headers: &headers, body: &body };
            survive(dialect, &incoming);
        }
    }

    #[test]
    fn any_body_is_read_or_refused(body in body()) {
        everywhere(&body);
    }
}

#[test]
fn deep_json_is_no_json() {
    for deep in [
        "[".repeat(1 << 20),
        "{\"content\":".repeat(1 << 18),
        format!("{}1{}", "[".repeat(200), "]".repeat(200)),
    ] {
        everywhere(deep.as_bytes());
    }
}

#[test]
fn a_long_text_is_read() {
    let long = "x".repeat(1 << 20);
    let body = format!(
        r#"{{"model":"m","max_tokens":18446744073709551615,"messages":[{{"role":"{long}","content":"{long}"}}],
        "contents":[{{"parts":[{{"text":"{long}"}}]}}],"input":{{"prompt":"{long}"}}}}"#
    );
    everywhere(body.as_bytes());
    let question = cases::asks(Dialect::OpenAi)[0].headers();
    let incoming = Incoming {
        method: "POST",
        path: "/v1/chat/completions",
        query: "",
        headers: &question,
        body: body.as_bytes(),
    };
    assert_eq!(Dialect::OpenAi.read(&incoming).expect("a question").llm_tokens, 1 << 18);
}

#[test]
fn a_model_with_a_name_that_is_too_long_is_not_found() {
    let headers = cases::asks(Dialect::OpenAi)[0].headers();
    let read = |length: usize| {
        let body = format!(r#"{{"model":"{}","messages":[{{"content":"x"}}]}}"#, "m".repeat(length));
        let (path, body) = ("/v1/chat/completions", body.as_bytes());
        Dialect::OpenAi.read(&Incoming { method: "POST", path, query: "", headers: &headers, body })
    };
    assert_eq!(read(1024).expect("a question").model.len(), 1024);
    let reply = read(1025).expect_err("no such model");
    assert_eq!(reply.status.code(), 404);
    assert!(cases::bytes(&reply).len() < 1024);
}

#[test]
fn bytes_that_are_no_text_are_no_json() {
    everywhere(b"{\"model\":\"\xff\xfe\",\"messages\":[{\"content\":\"x\"}]}");
    everywhere(&[0xff; 64]);
}
