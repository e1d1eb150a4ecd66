//! Probes of every type that a file can say, before a request has shown the way.

use firedrill_clock::Clock as _;
use firedrill_gateway::GatewayFile;
use firedrill_yaml::Source;

use super::*;
use crate::upstream::{Upstream, answer};

/// What a file of this type comes to, in front of `base`: unavailable tokens are probed every 10 ms.
fn of_type(kind: &str, base: &str) -> Settings {
    let text = format!(
        "
provider:
  type: {kind}
  apiTokens: [{}]
  failover: {{ enabled: true, failureThreshold: 1, healthCheckInterval: 10, healthCheckModel: 'vendor/tiny:1' }}
upstream: {base}
listen: 127.0.0.1:0
admin: none
",
        sent("sk-a")
    );
    let file = GatewayFile::parse(&Source::new("gateway.yaml", &text));
    file.unwrap_or_else(|unusable| panic!("{}", unusable.render(false))).settings
}

/// A gateway of this type, whose token has just been taken out: nobody serves what was asked.
async fn out(kind: &str, base: &str, clock: &Virtual) -> Gateway {
    let gateway =
        Gateway::builder(of_type(kind, base)).clock(clock.clone()).start().await.expect("it starts");
    gateway.idle().await;
    let url = format!("http://{}/nowhere", gateway.address());
    assert_eq!(client().post(url).send().await.expect("an answer").status(), 404, "{kind}");
    gateway.idle().await;
    assert!(gateway.shell().look(|pool| pool.available_len() == 0), "{kind}");
    gateway
}

#[tokio::test]
async fn every_vendors_provider_takes_the_probe_for_one_of_its_own_requests() {
    let converse = "/model/vendor%2Ftiny%3A1/converse";
    let azure = "/openai/deployments/vendor%2Ftiny%3A1/chat/completions";
    let gemini = "/v1beta/models/vendor%2Ftiny%3A1:generateContent";
    for (kind, dialect, path) in [
        ("openai", Dialect::OpenAi, "/v1/chat/completions"),
        ("generic", Dialect::OpenAi, "/v1/chat/completions"),
        ("anthropic", Dialect::Anthropic, "/v1/messages"),
        ("claude", Dialect::Anthropic, "/v1/messages"),
        ("azure", Dialect::Azure, azure),
        ("gemini", Dialect::Gemini, gemini),
        ("bedrock", Dialect::Bedrock, converse),
        ("qwen", Dialect::Qwen, "/compatible-mode/v1/chat/completions"),
        ("deepseek", Dialect::DeepSeek, "/chat/completions"),
    ] {
        let clock = Virtual::default();
        let mock = MockProvider::builder().dialect(dialect).upstream("default: 200").clock(clock.clone());
        let mock = mock.start().await.expect("it starts");
        let gateway = out(kind, &mock.base_url(), &clock).await;
        mock.advance(std::time::Duration::from_millis(10)).await;
        let back = async {
            while gateway.shell().look(|pool| pool.available_len() == 0) {
                tokio::time::sleep(std::time::Duration::from_millis(1)).await;
            }
        };
        let back = tokio::time::timeout(std::time::Duration::from_secs(10), back).await;
        let journal = mock.journal();
        back.unwrap_or_else(|_| panic!("{kind} is not back: {journal}"));
        let [_, probe] = &journal[..] else { panic!("{kind}: {journal}") };
        let found = (&*probe.method, &*probe.path, &*probe.model, probe.status);
        assert_eq!(found, ("POST", path, "vendor/tiny:1", 200), "{kind}");
    }
}

#[tokio::test]
async fn who_speaks_openai_at_another_path_is_probed_there() {
    for (kind, path) in [
        ("zhipuai", "/api/paas/v4/chat/completions"),
        ("doubao", "/api/v3/chat/completions"),
        ("cohere", "/compatibility/v1/chat/completions"),
        ("mistral", "/v1/chat/completions"),
    ] {
        let upstream = Upstream::saying(&[&answer("404 Not Found", "", "{}")]).await;
        let clock = Virtual::default();
        let gateway = out(kind, &format!("{}/base", upstream.base()), &clock).await;
        clock.advance(Duration::from_millis(10));
        gateway.resting().await;
        let soon = async {
            while upstream.asked().len() < 2 {
                tokio::time::sleep(std::time::Duration::from_millis(1)).await;
            }
        };
        tokio::time::timeout(std::time::Duration::from_secs(10), soon).await.expect("a probe");
        let asked = upstream.asked();
        assert!(asked[1].starts_with(&format!("POST /base{path} HTTP/1.1\r\n")), "{kind}: {asked:?}");
        assert!(
            asked[1].contains(&format!("authorization: Bearer {}\r\n", sent("sk-a"))),
            "{kind}: {asked:?}"
        );
    }
}
