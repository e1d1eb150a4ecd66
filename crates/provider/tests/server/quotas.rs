//! Quotas, limits and chance over HTTP, on a virtual clock.

use std::time::Duration;

use firedrill_provider::MockProvider;

use crate::{QUESTION, STREAM, ask, on_virtual_time};

#[tokio::test]
async fn headers_count_down_and_back() {
    let mock = on_virtual_time("quotas: [{ requests: 3, per: 1m }]").await;
    let mut seen = Vec::new();
    for _ in 0..5 {
        let answer = ask(&mock, "sk-a", QUESTION).await.expect("an answer");
        let header =
            |name: &str| answer.headers().get(name).map(|value| value.to_str().expect("text").to_owned());
        let remaining = header("x-ratelimit-remaining-requests").expect("a quota");
        let reset = header("x-ratelimit-reset-requests").expect("a quota");
        seen.push(format!("{} {remaining} {reset} {:?}", answer.status().as_u16(), header("retry-after")));
        mock.advance(Duration::from_secs(15)).await;
    }
    let expect =
        ["200 2 1m0s None", "200 1 45s None", "200 0 30s None", "429 0 15s Some(\"15\")", "200 2 1m0s None"];
    assert_eq!(seen, expect);
}

#[tokio::test]
async fn questions_and_what_may_be_answered_cost_llm_tokens() {
    let mock = on_virtual_time("quotas: [{ llmTokens: 100, per: 1m }]").await;
    // "Hello?" are 2, and the answer of 60 letters 15 unless less is asked for.
    let limited = r#"{"model":"gpt-4o","max_tokens":40,"messages":[{"role":"user","content":"Hello?"}]}"#;
    let mut left = Vec::new();
    for question in [QUESTION, limited, QUESTION, limited] {
        let answer = ask(&mock, "sk-a", question).await.expect("an answer");
        let header = |name| answer.headers()[name].to_str().expect("text").to_owned();
        left.push((answer.status().as_u16(), header("x-ratelimit-remaining-tokens")));
    }
    let expect =
        [(200, "83"), (200, "41"), (200, "24"), (429, "24")].map(|(status, left)| (status, left.to_owned()));
    assert_eq!(left, expect);
}

#[tokio::test]
async fn tokens_of_a_domain_share_a_quota() {
    let mock =
        on_virtual_time("{ domains: { d: [sk-a, sk-b] }, quotas: [{ requests: 2, per: 1m, by: domain }] }")
            .await;
    let mut statuses = Vec::new();
    for token in ["sk-a", "sk-b", "sk-a", "sk-c"] {
        statuses.push(ask(&mock, token, QUESTION).await.expect("an answer").status().as_u16());
    }
    assert_eq!(statuses, [200, 200, 429, 200]);
    assert_eq!(mock.journal()[2].refusal, Some("quota"));
}

#[tokio::test]
async fn so_many_are_answered_at_the_same_time() {
    let mock = on_virtual_time("{ quotas: [{ concurrent: 2 }], latency: 10s }").await;
    let first = tokio::spawn(send(&mock, "sk-a"));
    let second = tokio::spawn(send(&mock, "sk-a"));
    mock.asked(2).await;
    let third = tokio::spawn(send(&mock, "sk-a"));
    let other = tokio::spawn(send(&mock, "sk-b"));
    mock.asked(4).await;
    mock.advance(Duration::from_secs(10)).await;
    let mut statuses = Vec::new();
    for answer in [first, second, third, other] {
        statuses.push(answer.await.expect("no panic"));
    }
    assert_eq!(statuses, [200, 200, 429, 200]);
    mock.idle().await;
    let fourth = tokio::spawn(send(&mock, "sk-a"));
    mock.asked(5).await;
    mock.advance(Duration::from_secs(10)).await;
    assert_eq!(fourth.await.expect("no panic"), 200);
}

#[tokio::test]
async fn a_call_from_before_a_reset_ends_for_nobody_else() {
    let mock = on_virtual_time("{ quotas: [{ concurrent: 1 }], latency: 10s }").await;
    let before = tokio::spawn(send(&mock, "sk-a"));
    mock.asked(1).await;
    mock.advance(Duration::from_secs(5)).await;
    mock.reset().await;
    let after = tokio::spawn(send(&mock, "sk-a"));
    mock.asked(1).await;
    // The first is over, the second is not.
    mock.advance(Duration::from_secs(5)).await;
    assert_eq!(before.await.expect("no panic"), 200);
    let third = tokio::spawn(send(&mock, "sk-a"));
    mock.asked(2).await;
    mock.advance(Duration::from_secs(10)).await;
    assert_eq!((after.await.expect("no panic"), third.await.expect("no panic")), (200, 429));
}

fn send(mock: &MockProvider, token: &'static str) -> impl Future<Output = u16> + use<> {
    let url = format!("{}/v1/chat/completions", mock.base_url());
    async move {
        let request = crate::client().post(url).bearer_auth(token).body(QUESTION);
        request.send().await.expect("an answer").status().as_u16()
    }
}

#[tokio::test]
async fn a_stream_comes_at_its_pace() {
    let mock = on_virtual_time("{ latency: 1s, pace: { first: 2s, between: 3s } }").await;
    let url = format!("{}/v1/chat/completions", mock.base_url());
    let asked = tokio::spawn(crate::client().post(url).bearer_auth("sk-a").body(STREAM).send());
    mock.asked(1).await;
    let silent = Duration::from_millis(30);
    mock.advance(Duration::from_millis(999)).await;
    tokio::time::sleep(silent).await;
    assert!(!asked.is_finished());
    mock.advance(Duration::from_millis(1)).await;
    let mut answer = asked.await.expect("no panic").expect("headers");
    for wait in [2, 3, 3] {
        let early = Duration::from_millis(wait * 1_000 - 1);
        assert!(tokio::time::timeout(silent, answer.chunk()).await.is_err());
        mock.advance(early).await;
        assert!(tokio::time::timeout(silent, answer.chunk()).await.is_err());
        mock.advance(Duration::from_millis(1)).await;
        assert!(answer.chunk().await.expect("an event").expect("an event").starts_with(b"data: "));
    }
}

/// What chance makes of forty calls.
async fn fate(seed: u64) -> (Vec<u16>, Vec<String>) {
    let upstream = "{ errors: [{ rate: 30%, status: 503 }], latency: { from: 1ms, to: 3ms } }";
    let builder = MockProvider::builder().upstream(upstream).seed(seed);
    let mock = builder.start().await.expect("it starts");
    let mut bodies = Vec::new();
    for _ in 0..40 {
        let body = ask(&mock, "sk-a", QUESTION).await.expect("an answer").text().await.expect("a body");
        // The one thing that is of the wall clock.
        let (before, after) = body.split_once("\"created\":").unwrap_or((&body, ""));
        bodies.push(format!("{before}{}", after.trim_start_matches(|c: char| c.is_ascii_digit())));
    }
    (mock.journal().iter().map(|entry| entry.status).collect(), bodies)
}

#[tokio::test]
async fn one_seed_has_one_fate() {
    let first = fate(7).await;
    assert_eq!(fate(7).await, first);
    assert_ne!(fate(8).await.0, first.0);
    let failed = first.0.iter().filter(|status| **status == 503).count();
    assert!((4..=20).contains(&failed), "{failed} of 40");
}
