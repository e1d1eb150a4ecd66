//! What the admin tells, to whom, and what it keeps to itself.

use std::time::Duration;

use firedrill_gateway::Secret;
use reqwest::StatusCode;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use crate::{QUESTION, Setup, World, client, setup, tokens};

/// Three tokens of which one failure takes one out, and an admin.
pub(crate) fn with_admin(setup: Setup) -> Setup {
    setup.settings(|settings| settings.admin = Some("127.0.0.1:0".parse().expect("an address")))
}

impl World {
    pub(crate) fn admin(&self, path: &str) -> String {
        format!("http://{}{path}", self.gateway.admin_address().expect("an admin"))
    }

    async fn told(&self, path: &str) -> (StatusCode, String) {
        let answer = client().get(self.admin(path)).send().await.expect("an answer");
        let (status, text) = (answer.status(), answer.text().await.expect("text"));
        tokens::assert_hidden(path, &text);
        (status, text)
    }

    /// The status of a stream of events that is asked for and given up.
    async fn client_stream(&self) -> u16 {
        client().get(self.admin("/events")).send().await.expect("an answer").status().as_u16()
    }

    pub(crate) async fn state(&self) -> Value {
        let (status, state) = self.told("/state").await;
        assert_eq!(status, 200, "{state}");
        serde_json::from_str(&state).expect("JSON")
    }
}

#[tokio::test]
async fn the_state_says_who_is_out_why_and_until_when() {
    let world = with_admin(setup(&["sk-a", "sk-b"]).failing_over()).before("{ sk-a: 429, sk-b: 429 }").await;
    assert_eq!(world.ask(QUESTION).await.status(), 429);
    world.until(|world| world.available().len() == 1).await;
    let state = world.state().await;
    let tokens = state["pool"]["tokens"].as_array().expect("tokens");
    assert_eq!((&state["pool"]["available"], &state["pool"]["unavailable"]), (&1.into(), &1.into()));
    assert_eq!((&tokens[0]["available"], &tokens[0].get("out")), (&true.into(), &None), "{state}");
    assert_eq!(tokens[1]["available"], false);
    assert_eq!(tokens[1]["attempts"], 1);
    let out = &tokens[1]["out"];
    assert_eq!(out["status"], "429", "{state}");
    // The virtual clock begins with a year.
    assert_eq!(
        (&out["since"], &out["due"]),
        (&"2026-01-01T00:00:00.000Z".into(), &"2026-01-01T00:00:00.100Z".into())
    );
    assert_eq!((&state["log"]["reach"], &state["log"]["version"]), (&"connected".into(), &2.into()));
    assert_eq!(state["configuration"]["refused"], Value::Null);

    assert_eq!(world.ask(QUESTION).await.status(), 429);
    world.until(|world| world.available().is_empty()).await;
    let request = client().get(world.admin("/state")).header("accept", "text/html,*/*;q=0.1");
    let page = request.send().await.expect("an answer");
    assert_eq!(page.headers()["content-type"], "text/html; charset=utf-8");
    let page = page.text().await.expect("text");
    assert!(page.contains("<h1>0 of 2 tokens available</h1>"), "{page}");
    assert!(page.contains("No token is available: requests draw a fallback."), "{page}");
    assert!(
        page.contains("<td>sk-a<td class=\"out\">unavailable<td>429<td>2026-01-01T00:00:00.000Z"),
        "{page}"
    );
}

#[tokio::test]
async fn a_label_means_nothing_to_a_browser() {
    let world = with_admin(setup(&["<script>x</script>"])).before("{ default: 200 }").await;
    let request = client().get(world.admin("/")).header("accept", "text/html");
    let page = request.send().await.expect("an answer").text().await.expect("text");
    tokens::assert_hidden("the page", &page);
    assert!(page.contains("&lt;script&gt;x") && !page.contains("<script"), "{page}");
}

#[tokio::test]
async fn metrics_count_by_token_and_class_and_by_nothing_else() {
    let setup = with_admin(setup(&["sk-a", "sk-b"]).failing_over().retrying(1));
    // The mock knows no such path.
    let world = setup.before("{ default: 200 }").await;
    let question =
        client().post(format!("http://{}/v1/planted/chat/completions?key=planted", world.gateway.address()));
    let answer = question.header("x-planted", "planted").body(r#"{"model":"planted"}"#).send().await;
    assert_eq!(answer.expect("an answer").status(), 404);
    world.until(|world| world.available().is_empty()).await;
    let (status, page) = world.told("/metrics").await;
    assert_eq!(status, 200);
    for line in [
        "firedrill_requests_total 1",
        r#"firedrill_answers_total{by="upstream",status="4xx"} 1"#,
        "firedrill_retries_total 1",
        "firedrill_fallbacks_total 0",
        r#"firedrill_attempts_total{token="sk-a",outcome="4xx"} 1"#,
        r#"firedrill_attempts_total{token="sk-b",outcome="4xx"} 1"#,
        r#"firedrill_token_available{token="sk-a"} 0"#,
        r#"firedrill_token_available{token="sk-b"} 0"#,
        "firedrill_request_seconds_count 1",
        "firedrill_attempt_seconds_count 2",
        "firedrill_log_reachable 1",
        "firedrill_log_version 3",
        "# EOF",
    ] {
        assert!(page.lines().any(|found| found == line), "no `{line}` in\n{page}");
    }
    assert!(!page.contains("planted"), "{page}");
}

/// Reads events of a stream until `such` is one; gives what was read.
async fn read_until(lines: &mut BufReader<TcpStream>, such: &str) -> String {
    let mut read = String::new();
    let found = async {
        while !read.contains(such) {
            assert!(lines.read_line(&mut read).await.expect("text") > 0, "it ended: {read}");
        }
    };
    tokio::time::timeout(Duration::from_secs(10), found).await.expect("in time");
    tokens::assert_hidden("the events", &read);
    read
}

impl World {
    /// A stream of events, read behind its first comment.
    async fn events(&self, path: &str, more: &str) -> BufReader<TcpStream> {
        let address = self.gateway.admin_address().expect("an admin");
        let mut stream = TcpStream::connect(address).await.expect("it listens");
        let head = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n{more}\r\n");
        stream.write_all(head.as_bytes()).await.expect("written");
        let mut lines = BufReader::new(stream);
        let head = read_until(&mut lines, ": events of the log\n").await;
        assert!(
            head.starts_with("HTTP/1.1 200") && head.contains("content-type: text/event-stream"),
            "{head}"
        );
        lines
    }
}

#[tokio::test]
async fn events_are_told_as_they_happen_and_again_from_a_version() {
    let world = with_admin(setup(&["sk-a"]).failing_over()).before("{ sk-a: [429, 200] }").await;
    let mut lines = world.events("/events", "").await;
    let first = read_until(&mut lines, "id: 1\n").await + &read_until(&mut lines, "\"sentences\":").await;
    assert!(first.contains(r#"data: {"version":1,"#) && first.contains("founded: 1 token"), "{first}");
    assert_eq!(world.ask(QUESTION).await.status(), 429);
    let second = read_until(&mut lines, "requests draw a fallback").await;
    assert!(second.contains("id: 2\nevent: append\n"), "{second}");
    assert!(
        second.contains(r#"{"removed":{"token":"sk-a","status":429,"failures":1}},"none_available"]"#)
            && second.contains("failover: token sk-a is unavailable now (429, failure 1 of 1)"),
        "{second}"
    );
    world.advance(100).await;
    let third = read_until(&mut lines, "restored").await;
    assert!(third.contains("id: 3\n"), "{third}");

    let mut again = world.events("/events?from=3", "").await;
    let from_three = read_until(&mut again, "sentences").await;
    assert!(from_three.contains("id: 3\n") && !from_three.contains("id: 2\n"), "{from_three}");
    let mut again = world.events("/events", "last-event-id: 2\r\n").await;
    let after_two = read_until(&mut again, "sentences").await;
    assert!(after_two.contains("id: 3\n") && !after_two.contains("id: 2\n"), "{after_two}");
    let (status, why) = world.told("/events?from=x").await;
    assert_eq!(status, 400);
    assert!(why.contains("expected the number of a version, found `x`"), "{why}");
}

#[tokio::test]
async fn streams_leave_room_for_who_asks_whether_it_is_well() {
    let world = with_admin(setup(&["sk-a"])).before("{ default: 200 }").await;
    let mut streams = Vec::new();
    for _ in 0..32 {
        streams.push(world.events("/events", "").await);
    }
    assert_eq!(world.told("/events").await.0, 503);
    assert_eq!(world.told("/healthz").await.0, 200);
    streams.pop();
    let again = async { while world.client_stream().await != 200 {} };
    tokio::time::timeout(Duration::from_secs(10), again).await.expect("room again");
}

#[tokio::test]
async fn only_who_is_on_this_machine_is_told_without_a_token() {
    let world = with_admin(setup(&["sk-a"])).before("{ default: 200 }").await;
    for (host, status) in [("localhost:1", 200), ("[::1]:1", 200), ("evil.example", 403)] {
        let answer =
            client().get(world.admin("/state")).header("host", host).send().await.expect("an answer");
        assert_eq!(answer.status(), status, "{host}");
    }
    for path in ["/healthz", "/readyz"] {
        let answer = client().get(world.admin(path)).header("host", "evil.example").send().await;
        assert_eq!(answer.expect("an answer").status(), 200);
    }
    assert_eq!(world.told("/nothing").await.0, 404);
    let posted = client().post(world.admin("/state")).send().await.expect("an answer");
    assert_eq!(
        (posted.status().as_u16(), &posted.headers()["allow"]),
        (405, &"GET, HEAD".parse().expect("a value"))
    );
}

#[tokio::test]
async fn a_token_guards_all_but_health() {
    let setup = setup(&["sk-a"]).settings(|settings| {
        settings.admin = Some("127.0.0.1:0".parse().expect("an address"));
        settings.admin_token = Some(Secret::from("open-sesame".to_owned()));
    });
    let world = setup.before("{ default: 200 }").await;
    for path in ["/state", "/events", "/metrics", "/nothing"] {
        let (status, body) = world.told(path).await;
        assert_eq!(status, 401, "{path}");
        assert!(!body.contains("sesame"), "{body}");
        for wrong in ["open-sesam", "open-sesame2", "", "OPEN-SESAME"] {
            let answer = client().get(world.admin(path)).bearer_auth(wrong).send().await.expect("an answer");
            assert_eq!(answer.status(), 401, "{path} with `{wrong}`");
            assert_eq!(answer.headers()["www-authenticate"], "Bearer");
        }
    }
    let right = client().get(world.admin("/state")).bearer_auth("open-sesame").send().await;
    assert_eq!(right.expect("an answer").status(), 200);
    assert_eq!(world.told("/healthz").await, (StatusCode::OK, "ok\n".to_owned()));
    assert_eq!(world.told("/readyz").await, (StatusCode::OK, "ready\n".to_owned()));
}

#[tokio::test]
async fn an_admin_that_others_reach_needs_a_token() {
    let setup =
        setup(&["sk-a"]).settings(|settings| settings.admin = Some("0.0.0.0:0".parse().expect("an address")));
    let started = firedrill_gateway::Gateway::builder(setup.made("http://127.0.0.1:1")).start().await;
    let error = started.err().expect("refused").to_string();
    assert_eq!(error, "expected a token that guards the admin at 0.0.0.0:0, found none");
}
