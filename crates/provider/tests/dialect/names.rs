//! The words of dialects and errors, and what they make of an answer.

use firedrill_failover::Duration;
use firedrill_provider::{Dialect, Unit};
use firedrill_yaml::Source;
use serde_json::Value;

use crate::cases::{self, CONTEXT, DAY, MINUTE};

#[test]
fn every_word_of_higress_is_read() {
    for dialect in Dialect::ALL {
        assert_eq!(dialect.word().parse(), Ok(dialect));
    }
    assert_eq!("claude".parse(), Ok(Dialect::Anthropic));
    assert_eq!("dashscope".parse(), Ok(Dialect::Qwen));
}

#[test]
fn another_word_is_an_error_that_says_which_there_are() {
    let error = "mistral".parse::<Dialect>().expect_err("no dialect");
    insta::assert_snapshot!(error, @"expected a dialect (`openai`, `anthropic`, `azure`, `gemini`, `bedrock`, `qwen`, `deepseek`), found `mistral`");
}

#[test]
fn a_word_in_a_file_is_read_and_a_misspelt_one_is_hinted_at() {
    let read = |text: &str| Source::new("mock.yaml", text).parse::<Dialect>("a dialect");
    assert_eq!(read("claude").expect("a dialect"), Dialect::Anthropic);
    let problem = read("antropic").expect_err("no dialect");
    assert_eq!(problem.hint_text(), Some("did you mean `anthropic`?"));
}

#[track_caller]
fn body(dialect: Dialect, ask: &str, plan: &firedrill_provider::Plan) -> Value {
    let reply = dialect.reply(&cases::question(dialect, ask), plan, &CONTEXT);
    serde_json::from_slice(&cases::bytes(&reply)).expect("JSON")
}

#[track_caller]
fn header(dialect: Dialect, plan: &firedrill_provider::Plan, name: &str) -> Option<String> {
    let reply = dialect.reply(&cases::question(dialect, "plain"), plan, &CONTEXT);
    reply.headers.into_iter().find(|(known, _)| known == name).map(|(_, value)| value.into_owned())
}

#[test]
fn insufficient_quota_is_billing_at_openai_and_a_limit_at_dashscope() {
    let plan = cases::plan(429, Some("insufficient_quota"), None);
    let openai = body(Dialect::OpenAi, "plain", &plan);
    assert_eq!(openai["error"]["type"], "insufficient_quota");
    assert!(openai["error"]["message"].as_str().expect("a message").contains("billing"));
    assert_eq!(body(Dialect::Qwen, "plain", &plan)["error"]["code"], "insufficient_quota");
    assert_eq!(body(Dialect::Qwen, "native", &plan)["code"], "Throttling.AllocationQuota");
}

#[test]
fn a_quota_names_itself_by_its_unit_and_its_time() {
    let second = Duration::from_secs(1);
    let requests = cases::over(Unit::Requests, MINUTE, second);
    let llm_tokens = cases::over(Unit::LlmTokens, MINUTE, second);
    let daily = cases::over(Unit::Requests, DAY, second);
    assert_eq!(body(Dialect::OpenAi, "plain", &requests)["error"]["type"], "requests");
    assert_eq!(body(Dialect::OpenAi, "plain", &llm_tokens)["error"]["type"], "tokens");
    let id = |plan| {
        body(Dialect::Gemini, "plain", plan)["error"]["details"][0]["violations"][0]["quotaId"].to_string()
    };
    assert!(id(&requests).contains("RequestsPerMinute") && id(&daily).contains("RequestsPerDay"));
    assert!(id(&llm_tokens).contains("Tokens"));
    assert_eq!(body(Dialect::Qwen, "native", &requests)["code"], "Throttling.RateQuota");
    assert_eq!(body(Dialect::Qwen, "native", &llm_tokens)["code"], "Throttling.AllocationQuota");
}

#[test]
fn a_hint_stands_where_the_vendor_puts_it() {
    let quota = cases::over(Unit::Requests, MINUTE, Duration::from_millis(1_200));
    let hint = |dialect| header(dialect, &quota, "retry-after");
    assert_eq!(hint(Dialect::OpenAi).as_deref(), Some("2"));
    assert_eq!(hint(Dialect::Anthropic).as_deref(), Some("2"));
    assert_eq!(hint(Dialect::Azure).as_deref(), Some("2"));
    assert_eq!(header(Dialect::Azure, &quota, "retry-after-ms").as_deref(), Some("1200"));
    for dialect in [Dialect::Gemini, Dialect::Bedrock, Dialect::Qwen, Dialect::DeepSeek] {
        assert_eq!(hint(dialect), None, "{dialect:?}");
    }
    let details = &body(Dialect::Gemini, "plain", &quota)["error"]["details"];
    assert_eq!(details[1]["retryDelay"], "1.200s");
}

#[test]
fn a_hint_that_is_written_is_told_even_where_the_vendor_has_none() {
    let written = cases::plan(429, None, Some(Duration::from_secs(86_400)));
    for dialect in [Dialect::Bedrock, Dialect::Qwen, Dialect::DeepSeek] {
        assert_eq!(header(dialect, &written, "retry-after").as_deref(), Some("86400"), "{dialect:?}");
    }
}

#[test]
fn an_unknown_name_is_the_code_as_it_stands() {
    let plan = cases::plan(429, Some("my own\nname"), None);
    let of = |dialect, ask| body(dialect, ask, &plan);
    assert_eq!(of(Dialect::OpenAi, "plain")["error"]["code"], "my own\nname");
    assert_eq!(of(Dialect::Anthropic, "plain")["error"]["type"], "my own\nname");
    assert_eq!(of(Dialect::Azure, "plain")["error"]["code"], "my own\nname");
    assert_eq!(of(Dialect::Gemini, "plain")["error"]["status"], "my own\nname");
    assert_eq!(of(Dialect::Qwen, "native")["code"], "my own\nname");
    assert_eq!(of(Dialect::DeepSeek, "plain")["error"]["code"], "my own\nname");
    let kind = header(Dialect::Bedrock, &plan, "x-amzn-errortype").expect("a name");
    assert!(kind.starts_with("myownname:"), "{kind}");
}

#[test]
fn a_name_without_a_status_that_is_an_error_brings_its_own() {
    for (dialect, name, status) in
        [(Dialect::Gemini, "PERMISSION_DENIED", 403), (Dialect::Gemini, "RESOURCE_EXHAUSTED", 429)]
    {
        let told = body(dialect, "plain", &cases::inside(Some(name)));
        assert_eq!(told["error"]["code"], status);
    }
}
