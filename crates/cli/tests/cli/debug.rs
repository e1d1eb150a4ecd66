//! Nothing that holds a secret shows it when it is formatted, be it for a log line or for the message of a panic: every public type
//! that holds one, and every error of what reads one.

use std::fmt::Debug;

use firedrill_failover::Fingerprint;
use firedrill_gateway::{GatewayFile, Route, Secret, Secrets, StoreSetting};
use firedrill_provider::{Dialect, Incoming, MockFile};
use firedrill_scenario::{GatewayUrl, Header};
use firedrill_store::{RedisOptions, RedisStore};
use firedrill_yaml::Source;

use crate::search::Search;

// Listed in `.ci/secrets.txt`.
const PLANTED: &str = "sk-mine-Rk2Zt7Hv0Cw5Nx8Fb3Jm6Pd9Gs1Qy4Le";

/// What was formatted, in both ways.
#[derive(Default)]
struct Formatted(String);

impl Formatted {
    /// That `shown` says something, so that it is known to be the text of this type, and no secret.
    #[track_caller]
    fn add(&mut self, value: &dyn Debug, shown: &str) {
        let text = format!("{value:?} {value:#?}");
        assert!(text.contains(shown), "no `{shown}`: {text}");
        Search::new([PLANTED]).assert_hidden("a Debug", &text);
        self.0.push_str(&text);
    }
}

#[test]
#[should_panic(expected = "in a Debug")]
fn one_that_is_derived_is_found() {
    #[derive(Debug)]
    struct Derived(#[expect(dead_code, reason = "it is formatted")] &'static str);
    // No token of a test: whoever panics shows it, and what tests print is searched.
    let words = "words that stand for a secret";
    Search::new([words]).assert_hidden("a Debug", format!("{:?}", Derived(words)));
}

fn source(text: &str) -> Source {
    Source::new("a.yaml", text.replace("PLANTED", PLANTED))
}

#[test]
fn of_the_gateway() {
    let mut formatted = Formatted::default();
    let text = "provider: { type: openai, apiTokens: [PLANTED] }\nadmin: { listen: '127.0.0.1:0', token: PLANTED }\n\
                store: { redis: 'redis://me:PLANTED@host:7000/0' }\n";
    let file = GatewayFile::parse(&source(text)).expect("a good file");
    formatted.add(&file, "GatewayFile {");
    formatted.add(&file.settings, "admin_token: Some(Secret(..))");
    formatted.add(&file.settings.secrets, "token-");
    let StoreSetting::Redis { url, .. } = &file.store else { panic!("it is said") };
    assert!(url.expose().contains(PLANTED) && file.shown.text().contains("***"), "it is there, and covered");
    formatted.add(&file.store, "url: Secret(..)");
    formatted.add(&file.shown.text(), "***");
    for (good, bad) in [("7000", "port"), ("7000/0", "7000/x"), ("redis://", "http://"), ("type:", "typ:")] {
        let wrong = GatewayFile::parse(&source(&text.replace(good, bad))).expect_err(bad);
        formatted.add(&wrong, "Unusable {");
        formatted.add(&wrong.render(false), "a.yaml:");
    }
    let mut secrets = Secrets::new();
    let line = Secret::from(format!("{PLANTED}\n"));
    formatted.add(&secrets.keep("mine", line).expect_err("a line break"), "NotASecret { label: \"mine\"");
    for url in [format!("https://me:{PLANTED}@up"), format!("https://up/?key={PLANTED}"), PLANTED.to_owned()]
    {
        formatted.add(&url.parse::<Route>().expect_err("no route"), "NotARoute");
    }
    assert!(formatted.0.len() > 2_000, "all of it: {}", formatted.0);
}

#[test]
fn of_the_mock() {
    let mut formatted = Formatted::default();
    let text = "type: openai\ntokens: { PLANTED: first }\nupstream: { first: 429 }\n";
    formatted.add(&MockFile::parse(&source(text)).expect("a good file"), "MockFile {");
    let open = "type: openai\nupstream: { PLANTED: 429 }\n";
    formatted.add(&MockFile::parse(&source(open)).expect("a good file"), "MockFile {");
    for wrong in [text.replace("first: 429", "PLANTED: 42"), text.replace("openai", "PLANTED")] {
        formatted.add(&MockFile::parse(&source(&wrong)).expect_err("wrong"), "a.yaml");
    }
    let headers = vec![("authorization".to_owned(), format!("Bearer {PLANTED}"))];
    let body = br#"{"model":"gpt-4o","messages":[{"role":"user","content":"Hello?"}]}"#;
    let path = "/v1/chat/completions";
    let incoming = Incoming { method: "POST", path, query: "", headers: &headers, body };
    let question = Dialect::OpenAi.read(&incoming).expect("a good question");
    assert_eq!(question.token, PLANTED);
    formatted.add(&question, "Question {");
    let refused = Dialect::OpenAi.read(&Incoming { body: b"{", ..incoming }).expect_err("no JSON");
    formatted.add(&refused, "Reply {");
}

#[tokio::test]
async fn of_the_store() {
    let mut formatted = Formatted::default();
    let (pool, options) = (Fingerprint::new(1), RedisOptions::default());
    let store = RedisStore::begin(&format!("redis://me:{PLANTED}@127.0.0.1:9/0"), pool, options.clone());
    formatted.add(&store.expect("it needs no server to begin"), "127.0.0.1:9");
    for wrong in
        ["redis://me:PLANTED@host:port", "redis://:PLANTED@host/PLANTED", "redis://PLANTED@", "PLANTED"]
    {
        let error = RedisStore::check(&wrong.replace("PLANTED", PLANTED), &options).expect_err(wrong);
        formatted.add(&error, "Settings {");
        formatted.add(&error.to_string(), "expected a URL such as");
    }
}

#[test]
fn of_a_scenario_at_a_url() {
    let mut formatted = Formatted::default();
    let header = Header::read("authorization: Bearer env:KEY", |_| Ok(PLANTED.to_owned()));
    formatted.add(&header.expect("a good header"), "Bearer env:KEY");
    let literal = Header::read(&format!("x-key: {PLANTED}"), |_| panic!("nothing to ask"));
    formatted.add(&literal.expect_err("a secret as it is"), "off the command line");
    for url in
        [format!("http://me:{PLANTED}@host"), format!("http://host/?key={PLANTED}"), PLANTED.to_owned()]
    {
        formatted.add(&url.parse::<GatewayUrl>().expect_err("no URL"), "expected a URL");
    }
}
