//! The control API.

use std::time::Duration;

use firedrill_provider::{MockProvider, Virtual};
use reqwest::Method;
use reqwest::header::HeaderValue;
use serde_json::{Value, json};

use crate::{QUESTION, ask, client, mock, on_virtual_time};

async fn call(mock: &MockProvider, method: Method, path: &str, body: &str) -> (u16, Value) {
    let request = client().request(method, format!("{}{path}", mock.control_url())).body(body.to_owned());
    let answer = request.send().await.expect("an answer");
    assert_eq!(answer.headers()["content-type"], "application/json");
    let status = answer.status().as_u16();
    (status, serde_json::from_str(&answer.text().await.expect("a body")).expect("JSON"))
}

async fn get(mock: &MockProvider, path: &str) -> Value {
    let (status, value) = call(mock, Method::GET, path, "").await;
    assert_eq!(status, 200, "{value}");
    value
}

#[tokio::test]
async fn the_state_tells_places_and_quotas() {
    let upstream = "{ sk-a: [429, { status: 503, times: 2 }, 200], quotas: [{ requests: 5, per: 1m }] }";
    let mock = on_virtual_time(upstream).await;
    for _ in 0..2 {
        ask(&mock, "sk-a", QUESTION).await.expect("an answer");
    }
    mock.idle().await;
    let (_, moved) = call(&mock, Method::POST, "/clock", r#"{"advance": "20s"}"#).await;
    assert_eq!(moved, json!({ "now": 20_000 }));
    let state = get(&mock, "/state").await;
    assert_eq!(
        state["providers"][0]["tokens"],
        json!([{
            "label": "sk-a",
            "calls": 2,
            "answering": 0,
            "script": { "phase": 1, "times": 1 },
            "quotas": [{ "unit": "requests", "per": 60_000, "limit": 5, "remaining": 3, "reset": 40_000 }],
        }])
    );
    assert_eq!((&state["now"], &state["wall"]), (&json!(20_000), &json!(1_767_225_620_000_u64)));
    assert_eq!(get(&mock, "/healthz").await, json!({ "status": "ok" }));
}

#[tokio::test]
async fn the_state_tells_who_is_being_answered_and_that_a_port_is_closed() {
    let builder = MockProvider::builder().token_as("secret", "first").token_as("other", "second");
    let mock = builder.clock(Virtual::default()).start().await.expect("it starts");
    mock.advance(Duration::from_secs(5)).await;
    let block = "{ first: [429, 200], latency: 10s, outages: [{ from: 1s, for: 9s, fault: refused }] }";
    mock.replace(block).await.expect("a good block");
    let asked = tokio::spawn(
        client()
            .post(format!("{}/v1/chat/completions", mock.base_url()))
            .bearer_auth("secret")
            .body(QUESTION)
            .send(),
    );
    mock.asked(1).await;
    mock.advance(Duration::from_secs(1)).await;
    let state = get(&mock, "/state").await;
    let port: u16 = mock.base_url().rsplit(':').next().and_then(|port| port.parse().ok()).expect("a port");
    let expect = json!({
        "now": 6_000,
        "wall": 1_767_225_606_000_u64,
        // The one that is being answered, and this.
        "connections": 2,
        "requests": 1,
        "providers": [{
            "name": "openai",
            "type": "openai",
            "route": "/",
            "port": port,
            "began": 5_000,
            "refusing": true,
            "known": ["first", "second"],
            "tokens": [{
                "label": "first",
                "calls": 1,
                "answering": 1,
                "script": { "phase": 0, "times": 1 },
                "quotas": [],
            }],
        }],
    });
    assert_eq!(state, expect);
    // The time goes on; the provider begins anew, and who was being answered is nobody's.
    let (_, state) = call(&mock, Method::POST, "/reset", "").await;
    assert_eq!((&state["now"], &state["requests"]), (&json!(6_000), &json!(0)));
    let provider = &state["providers"][0];
    let found = (&provider["began"], &provider["refusing"], &provider["tokens"]);
    assert_eq!(found, (&json!(6_000), &json!(false), &json!([])));
    mock.advance(Duration::from_secs(10)).await;
    assert_eq!(asked.await.expect("no panic").expect("an answer").status(), 429);
}

#[tokio::test]
async fn a_block_is_replaced_and_begins_anew() {
    let mock = mock("default: 429").await;
    assert_eq!(ask(&mock, "sk-a", QUESTION).await.expect("an answer").status(), 429);
    for block in ["sk-a: [503, 200]", r#"{"sk-a": [503, 200]}"#] {
        let (status, value) = call(&mock, Method::PUT, "/upstream/openai", block).await;
        assert_eq!(status, 200, "{value}");
        assert_eq!(ask(&mock, "sk-a", QUESTION).await.expect("an answer").status(), 503);
    }
    assert_eq!(ask(&mock, "sk-a", QUESTION).await.expect("an answer").status(), 200);
    call(&mock, Method::POST, "/reset", "").await;
    assert_eq!(ask(&mock, "sk-a", QUESTION).await.expect("an answer").status(), 503);
    mock.assert_answered("sk-a", &[503]);
}

#[tokio::test]
async fn the_journal_can_be_asked_in_parts() {
    let mock = mock("{ sk-a: 200, sk-b: 429 }").await;
    for token in ["sk-a", "sk-b", "sk-b"] {
        ask(&mock, token, QUESTION).await.expect("an answer");
    }
    mock.idle().await;
    let numbers = async |query: &str| {
        let entries = get(&mock, &format!("/journal{query}")).await["entries"].clone();
        entries
            .as_array()
            .expect("a list")
            .iter()
            .map(|entry| entry["number"].as_u64())
            .collect::<Option<Vec<_>>>()
    };
    assert_eq!(numbers("").await, Some(vec![1, 2, 3]));
    assert_eq!(numbers("?token=sk%2Db&provider=openai").await, Some(vec![2, 3]));
    assert_eq!(numbers("?after=1&most=1").await, Some(vec![2]));
    assert_eq!(numbers("?provider=other").await, Some(vec![]));
    let entry = get(&mock, "/journal?token=sk-a").await["entries"][0].clone();
    let bytes = entry["bytes"].as_u64().expect("bytes");
    assert!(bytes > 100);
    assert_eq!(
        entry,
        json!({
            "number": 1, "at": entry["at"], "provider": "openai", "token": "sk-a", "method": "POST",
            "path": "/v1/chat/completions", "model": "gpt-4o", "stream": false, "status": 200, "refusal": null, "fault": null,
            "ended": "whole", "bytes": bytes,
        })
    );
    let count = |token, status, count| json!({ "provider": "openai", "token": token, "status": status, "count": count });
    assert_eq!(
        get(&mock, "/counts").await,
        json!({ "counts": [count("sk-a", 200, 1), count("sk-b", 429, 2)] })
    );
    call(&mock, Method::DELETE, "/journal", "").await;
    assert_eq!((numbers("").await, get(&mock, "/counts").await), (Some(vec![]), json!({ "counts": [] })));
}

#[tokio::test]
async fn what_is_wrong_is_told() {
    let mock = mock("{}").await;
    let large = "a".repeat(2 << 20);
    for (method, path, body, status, message) in [
        (Method::GET, "/sate", "", 404, "there is nothing at `/sate`"),
        (Method::GET, "/upstream/", "", 404, "there is nothing at `/upstream/`"),
        (Method::POST, "/state", "", 405, "expected GET, found `POST`"),
        (Method::PUT, "/upstream/opena", "{}", 404, "unknown provider `opena` (did you mean `openai`?)"),
        (
            Method::PUT,
            "/upstream/openai",
            "sk-a: 42",
            400,
            "body:1:7: expected a status from 100 to 999, found `42`",
        ),
        (Method::PUT, "/upstream/openai", &large, 413, "expected a body of at most 1048576 bytes"),
        (
            Method::POST,
            "/clock",
            "advance: 1s",
            409,
            "the clock is real, and moves by itself: start the mock with a virtual one to move it",
        ),
        (
            Method::POST,
            "/clock",
            "advance: 10",
            400,
            "body:1:10: expected a length of time with its unit, found `10` (did you mean `10ms`?)",
        ),
        (Method::GET, "/journal?tokn=a", "", 400, "unknown parameter `tokn` (did you mean `token`?)"),
        (Method::GET, "/journal?after=x", "", 400, "expected a whole number for `after`, found `x`"),
    ] {
        let (found, value) = call(&mock, method, path, body).await;
        assert_eq!((found, value["error"]["message"].as_str()), (status, Some(message)), "{path}");
    }
}

#[tokio::test]
async fn a_method_that_is_not_allowed_is_told_which_are() {
    let mock = mock("{}").await;
    for (path, allowed) in [("/journal", "GET, DELETE"), ("/reset", "POST")] {
        let request = client().put(format!("{}{path}", mock.control_url()));
        let answer = request.send().await.expect("an answer");
        assert_eq!(
            (answer.status().as_u16(), &answer.headers()["allow"]),
            (405, &HeaderValue::from_static(allowed))
        );
    }
}

#[tokio::test]
async fn the_description_is_served() {
    let mock = mock("{}").await;
    let described = get(&mock, "/openapi.json").await;
    assert_eq!(described["openapi"], "3.1.0");
    assert!(described["paths"]["/upstream/{provider}"]["put"].is_object());
}
