//! Mock files that are right: what is read from them, the pages that show them, and their schema.

use std::fs;

use firedrill_provider::{MockFile, Server, Settings, mock_schema};
use firedrill_yaml::Source;

#[track_caller]
fn parse(text: &str) -> MockFile {
    MockFile::parse(&Source::new("mock.yaml", text)).unwrap_or_else(|problems| panic!("{problems:?}"))
}

#[track_caller]
fn check(text: &str, expect: &[(&str, &str, &str)]) {
    let file = parse(text);
    assert!(file.warnings.is_empty(), "{:?}", file.warnings);
    serve(file, |server| {
        let served: Vec<_> = server.served().map(|it| (it.name, it.dialect.word(), it.route)).collect();
        let served: Vec<_> =
            served.iter().map(|(name, dialect, route)| (*name, *dialect, &**route)).collect();
        assert_eq!(served, expect);
    });
}

fn serve(file: MockFile, look: impl FnOnce(&Server)) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async { look(&Server::start(file, Settings::local()).expect("it starts")) });
}

#[test]
fn a_single_provider_needs_a_type_only() {
    check("type: openai", &[("openai", "openai", "/")]);
    check("{ type: gemini, name: g, path: /x/, host: G.Local }", &[("g", "gemini", "g.local/x/")]);
    check("providers: [{ type: openai }]", &[("openai", "openai", "/")]);
}

#[test]
fn several_have_paths_or_hosts_of_their_own() {
    let providers = "
seed: 7
providers:
  - { type: openai, path: /openai }
  - { type: openai, name: second, path: /openai/second }
  - { type: anthropic, host: api.anthropic.local }
  - { type: azure }";
    let expect = [
        ("openai", "openai", "/openai/"),
        ("second", "openai", "/openai/second/"),
        ("anthropic", "anthropic", "api.anthropic.local/"),
        ("azure", "azure", "/"),
    ];
    check(providers, &expect);
}

#[test]
fn a_port_of_its_own_is_shared_with_nobody() {
    let joined = MockFile::join(vec![
        parse("{ type: openai, port: 0, upstream: { outages: [{ from: 0s, for: 1s, fault: refused }] } }"),
        parse("{ type: gemini }"),
        parse("{ type: qwen, port: 0, path: /q, host: Q.local }"),
        parse("{ type: azure, path: /azure }"),
    ]);
    serve(joined.expect("no clash"), |server| {
        let shared = server.address().expect("two share one");
        let served: Vec<_> = server.served().collect();
        let own: Vec<_> = served.iter().map(|it| it.address).collect();
        let [Some(openai), None, Some(qwen), None] = *own else { panic!("{own:?}") };
        assert!(openai != qwen && ![openai, qwen].contains(&shared));
        let urls: Vec<_> = served.iter().map(|it| it.url.clone()).collect();
        let expect = [
            format!("http://{openai}"),
            format!("http://{shared}"),
            format!("http://{qwen}/q"),
            format!("http://{shared}/azure"),
        ];
        assert_eq!(urls, expect);
    });
    serve(parse("{ type: openai, port: 0 }"), |server| assert_eq!(server.address(), None));
    // The only one of the port that others would share.
    parse(
        "{ providers: [{ type: openai, upstream: { outages: [{ from: 1s, for: 1s, fault: refused }] } }, \
           { type: gemini, port: 0 }] }",
    );
}

#[test]
fn a_token_may_be_named_as_it_is_or_by_its_label() {
    check("{ type: openai, tokens: { sk-a: first }, upstream: { sk-a: 429 } }", &[("openai", "openai", "/")]);
    check(
        "{ type: openai, tokens: { sk-a: first }, upstream: { first: 429 } }",
        &[("openai", "openai", "/")],
    );
    check(
        "{ type: openai, tokens: { 'env:PATH': p }, upstream: { 'env:PATH': 429 } }",
        &[("openai", "openai", "/")],
    );
    // PATH is set wherever a test runs.
    check("{ type: openai, tokens: { 'env:PATH': first } }", &[("openai", "openai", "/")]);
}

#[test]
fn the_providers_of_several_files_share_a_port() {
    let join = |texts: [&str; 2]| MockFile::join(texts.map(parse).into());
    let joined = join(["type: openai", "{ type: gemini, path: /g }"]).expect("no clash");
    serve(joined, |server| assert_eq!(server.served().count(), 2));
    for (texts, expect) in [
        (
            ["type: openai", "{ type: openai, path: /x }"],
            "two providers are called `openai` (give one a `name` of its own)",
        ),
        (
            ["type: openai", "type: gemini"],
            "every request for `gemini` is for `openai` already (give it a `path` of its own, for example `path: /gemini`)",
        ),
        (
            [
                "{ type: openai, upstream: { outages: [{ from: 1s, for: 1s, fault: refused }] } }",
                "{ type: gemini, path: /g }",
            ],
            "`openai` shares its port, so it cannot refuse connections (nobody would listen for the others: give it one of \
             its own, `port: 0`)",
        ),
        (
            ["{ type: openai, port: 4143 }", "{ type: gemini, port: 4143 }"],
            "two providers ask for port 4143 (give each one of its own; 0 takes any that is free)",
        ),
    ] {
        assert_eq!(join(texts).expect_err("a clash").to_string(), expect);
    }
}

#[test]
fn what_looks_like_a_real_key_is_worth_a_look() {
    for text in [
        "{ type: openai, tokens: { sk-proj-aB3dE5fG7hJ9kL2mN4pQ6rS8: first } }",
        "{ type: openai, upstream: { sk-proj-aB3dE5fG7hJ9kL2mN4pQ6rS8: 429 } }",
    ] {
        let file = parse(text);
        assert_eq!(file.warnings.len(), 1);
        assert!(!format!("{file:?}").contains("aB3dE5fG7hJ9"), "{file:?}");
    }
}

#[test]
fn the_committed_schema_is_current() {
    let committed = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/mock.schema.json"));
    assert!(
        committed.expect("the committed schema") == mock_schema(),
        "docs/mock.schema.json is not current: write it again with `just schema`"
    );
}

#[test]
fn the_files_in_the_documentation_are_right() {
    let page =
        fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/mock.md")).expect("the page");
    let blocks: Vec<&str> =
        page.split("```yaml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    assert!(blocks.len() >= 3, "{} files", blocks.len());
    for block in blocks {
        parse(block);
    }
}
