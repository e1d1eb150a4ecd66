//! Files of gateways that are right: what is read from them, the pages that show them, and their schema.

use std::fs;
use std::path::Path;
use std::time::Duration;

use firedrill_gateway::{GatewayFile, LogFormat, Secret, StoreSetting, Vendor, gateway_schema};
use firedrill_store::Fsync;
use firedrill_yaml::Source;

#[track_caller]
fn parse_as(name: &str, text: &str) -> GatewayFile {
    let source = Source::new(name, text);
    GatewayFile::parse(&source).unwrap_or_else(|unusable| panic!("{}", unusable.render(false)))
}

#[track_caller]
fn parse(text: &str) -> GatewayFile {
    parse_as("gateway.yaml", text)
}

fn labels(file: &GatewayFile) -> Vec<&str> {
    file.settings.pool.tokens().iter().map(|token| &*token.label).collect()
}

const LEAST: &str = "provider: { type: openai, apiTokens: [sk-a] }\n";

#[test]
fn the_least_is_a_type_and_a_token() {
    let file = parse(LEAST);
    assert_eq!(file.settings.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(file.settings.admin.map(|admin| admin.to_string()).as_deref(), Some("127.0.0.1:8081"));
    assert_eq!(file.settings.upstream.to_string(), "https://api.openai.com");
    assert_eq!(file.settings.timeout.as_millis(), 120_000);
    assert!(matches!(file.store, StoreSetting::Memory));
    assert_eq!((file.log, &*file.name), (LogFormat::Pretty, "openai at https://api.openai.com"));
    assert_eq!(labels(&file), ["token-a4a6d307ad00"]);
    assert!(file.warnings.is_empty(), "{:?}", file.warnings);
}

#[test]
fn a_list_of_one_provider_is_that_provider() {
    let file = parse("providers: [{ id: a, type: claude, apiTokens: [sk-a], protocol: original }]");
    assert_eq!(
        (file.settings.vendor, file.settings.upstream.to_string()),
        (Vendor::Anthropic, "https://api.anthropic.com".into())
    );
    assert!(file.warnings.is_empty(), "{:?}", file.warnings);
}

#[test]
fn what_higress_does_and_this_does_not_is_worth_a_look() {
    let file = parse("provider: { type: openai, apiTokens: [sk-a], modelMapping: { '*': gpt-4o } }");
    let warnings: Vec<String> = file.warnings.iter().map(ToString::to_string).collect();
    let expect = "gateway.yaml:1:46: warning: `modelMapping` has no effect here (requests and answers go through as they are)";
    assert_eq!(warnings, [expect]);
}

#[test]
fn whoever_says_where_requests_go_must_say_it_here() {
    for key in [
        "providerDomain",
        "openaiCustomUrl",
        "azureServiceUrl",
        "qwenDomain",
        "zhipuDomain",
        "doubaoDomain",
        "vllmCustomUrl",
        "vllmServerHost",
        "ollamaServerHost",
        "ollamaServerPort",
        "genericHost",
        "difyApiUrl",
        "tritonDomain",
        "awsRegion",
    ] {
        let text = format!("provider: {{ type: openai, apiTokens: [sk-a], {key}: there }}");
        let Err(unusable) = GatewayFile::parse(&Source::new("gateway.yaml", &text)) else { panic!("{key}") };
        let expect = format!("`{key}` says where requests go, and is not read here");
        assert!(unusable.render(false).contains(&expect), "{key}: {}", unusable.render(false));
        let file = parse(&format!("{text}\nupstream: https://there.example"));
        assert!(file.warnings.is_empty(), "{:?}", file.warnings);
    }
}

#[test]
fn a_type_says_whose_api_it_is_and_where() {
    for (kind, vendor, upstream) in [
        ("bedrock", Vendor::Bedrock, None),
        ("azure", Vendor::Azure, None),
        ("vllm", Vendor::OpenAi, None),
        ("dashscope", Vendor::Qwen, Some("https://dashscope.aliyuncs.com")),
        ("openrouter", Vendor::OpenAi, Some("https://openrouter.ai/api")),
    ] {
        let text = format!("provider: {{ type: {kind}, apiTokens: [sk-a] }}");
        match (upstream, GatewayFile::parse(&Source::new("gateway.yaml", &text))) {
            (Some(upstream), Ok(file)) => {
                assert_eq!(
                    (file.settings.upstream.to_string().as_str(), file.settings.vendor),
                    (upstream, vendor)
                );
            }
            (None, Err(unusable)) => {
                let rendered = unusable.render(false);
                assert!(
                    rendered.contains(&format!("`{kind}` has no API that is the same for all")),
                    "{rendered}"
                );
                let file = parse(&format!("{text}\nupstream: https://there.example"));
                assert_eq!(file.settings.vendor, vendor);
            }
            (_, found) => panic!("{kind}: {found:?}"),
        }
    }
}

#[test]
fn everything_can_be_said() {
    let file = parse(
        "
provider: { type: azure, apiTokens: [k], timeout: 5000 }
profile: higress
pool: mine
upstream: https://mine.openai.azure.com/
listen: 0.0.0.0:80
admin: { listen: '[::]:81', token: open-sesame }
store: { file: logs/pool.jsonl, fsync: 100ms }
limits: { connections: 9, headBytes: 1000, bodyBytes: 2000, headTime: 1s, bodyTime: 2s, idleTime: 3s, writeTime: 4s, grace: 0s }
log: json
",
    );
    let settings = &file.settings;
    assert_eq!((settings.vendor, settings.timeout.as_millis()), (Vendor::Azure, 5_000));
    assert_eq!(settings.upstream.to_string(), "https://mine.openai.azure.com");
    assert_eq!(settings.admin_token.as_ref().map(Secret::expose), Some("open-sesame"));
    let limits = &settings.limits;
    assert_eq!((limits.connections, limits.head_bytes, limits.body_bytes), (9, 1_000, 2_000));
    let times = [limits.head_time, limits.body_time, limits.idle_time, limits.write_time, limits.grace];
    assert_eq!(times, [1, 2, 3, 4, 0].map(Duration::from_secs));
    let StoreSetting::File { path, fsync } = &file.store else { panic!("a file") };
    assert_eq!(
        (path.as_path(), *fsync),
        (Path::new("logs/pool.jsonl"), Fsync::Within(Duration::from_millis(100)))
    );
    assert_eq!((file.log, &*file.name), (LogFormat::Json, "mine"));
    let file =
        parse(&format!("{LEAST}admin: none\nstore: {{ redis: 'redis://:aB3dE5fG7hJ9@host', prefix: mine }}"));
    let StoreSetting::Redis { url, options } = &file.store else { panic!("a server") };
    assert_eq!((url.expose(), &*options.prefix), ("redis://:aB3dE5fG7hJ9@host", "mine"));
    assert_eq!(file.settings.admin, None);
    assert!(
        !format!("{file:?}").contains("aB3dE5fG7hJ9") && !format!("{file:?}").contains("sk-a"),
        "{file:?}"
    );
}

#[test]
fn tokens_are_found_where_they_are_kept() {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        fs::write(path, text).expect("written");
    };
    write("one", "sk-one\n");
    write("a/key", "sk-two\r\n");
    write("b/key", "sk-three");
    let name = folder.path().join("gateway.yaml").display().to_string();
    let file = parse_as(
        &name,
        "provider: { type: openai, apiTokens: [file:one, file:a/key, file:b/key, 'env:CARGO_PKG_NAME', sk-four] }",
    );
    assert_eq!(labels(&file)[..4], ["one", "key", "file:b/key", "CARGO_PKG_NAME"]);
    assert_eq!(file.files.len(), 3);
    let fingerprints: Vec<_> = file.settings.pool.tokens().iter().map(|token| token.fingerprint).collect();
    let expect =
        ["sk-one", "sk-two", "sk-three", "firedrill-gateway", "sk-four"].map(firedrill_block::fingerprint);
    assert_eq!(fingerprints, expect);
    // One line only, and what is in a file stays there.
    write("one", "sk-one\nsk-more\n");
    let source = Source::new(&name, "provider: { type: openai, apiTokens: [file:one] }");
    let unusable = GatewayFile::parse(&source).expect_err("two lines");
    assert!(!unusable.render(false).contains("sk-"), "{}", unusable.render(false));
}

/// Nobody waits for the end of what has none, and no memory is filled with it.
#[cfg(target_os = "linux")]
#[test]
fn a_file_that_never_ends_is_refused() {
    let rest = [
        "\nupstreamCa: /dev/zero\n",
        "\nstore: { redis: 'rediss://127.0.0.1', certificates: /dev/zero }\n",
        "\nadmin: { token: 'file:/dev/zero' }\n",
    ];
    let texts = rest
        .map(|rest| LEAST.to_owned() + rest)
        .into_iter()
        .chain([LEAST.replace("sk-a", "'file:/dev/zero'")]);
    for text in texts {
        let unusable = GatewayFile::parse(&Source::new("gateway.yaml", &text)).expect_err("it has no end");
        let problems: Vec<String> = unusable.problems.iter().map(ToString::to_string).collect();
        let [problem] = &*problems else { panic!("{problems:?}") };
        assert!(problem.contains("it is larger than ") && problem.contains(" KiB"), "{problem}");
    }
}

#[test]
fn a_port_of_an_upstream_is_a_port() {
    for good in ["http://a:1", "https://a:65535/v1", "http://[::1]", "http://[::1]:8080", "http://a"] {
        assert!(good.parse::<firedrill_gateway::Route>().is_ok(), "{good}");
    }
    for bad in ["http://a:0", "http://a:65536", "http://a:", "http://a:+1", "http://[::1]:0"] {
        assert!(bad.parse::<firedrill_gateway::Route>().is_err(), "{bad}");
    }
}

#[test]
fn what_takes_effect_at_a_start_only_is_known() {
    let before = parse(LEAST);
    let differs = |text: &str| -> Vec<&str> {
        let after = parse(text);
        let keys: Vec<&str> = after.differs_at_start(&before).collect();
        keys
    };
    assert_eq!(differs("provider: { type: openai, apiTokens: [sk-b, sk-c] }"), Vec::<&str>::new());
    assert_eq!(differs(&format!("{LEAST}listen: 127.0.0.1:1\nlog: json")), ["listen", "log"]);
    assert_eq!(differs(&format!("{LEAST}admin: {{ token: x }}")), ["admin"]);
    assert_eq!(differs(&format!("{LEAST}store: {{ redis: redis://a }}")), ["store"]);
    assert_eq!(differs(&format!("{LEAST}upstream: http://localhost")), ["pool", "upstream"]);
}

#[test]
fn the_committed_schema_is_current() {
    let committed =
        fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/gateway.schema.json"));
    assert!(
        committed.expect("the committed schema") == gateway_schema(),
        "docs/gateway.schema.json is not current: write it again with `just schema`"
    );
}

#[test]
fn the_files_in_the_documentation_are_right() {
    let page =
        fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/gateway.md")).expect("the page");
    let blocks: Vec<&str> =
        page.split("```yaml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    assert!(blocks.len() >= 2, "{} files", blocks.len());
    for block in blocks {
        // What is set where it runs is not set here.
        let block = block.replace("env:OPENAI_KEY_1", "sk-one").replace("env:OPENAI_KEY_2", "sk-two");
        let block =
            block.replace("file:/run/secrets/openai-3", "sk-three").replace("env:ADMIN_TOKEN", "open-sesame");
        parse(&block.replace("env:REDIS_URL", "redis://localhost"));
    }
}
