//! Upstream fails below HTTP: what the client is told, and what the engine.

use super::*;
use tokio::net::TcpListener;

#[track_caller]
fn assert_told(body: &str, code: &str, base: &str) {
    assert!(body.contains(&format!(r#""type":"gateway_error","code":"{code}"}}"#)), "{body}");
    let host = base.trim_start_matches("http://");
    assert!(!body.contains(host) && !body.contains("sk-") && !body.contains("127.0.0.1"), "{body}");
}

fn unavailable(gateway: &Gateway) -> Vec<String> {
    gateway
        .shell()
        .look(|pool| pool.unavailable().map(|id| pool.token(id).expect("a token").label.to_owned()).collect())
}

#[tokio::test]
async fn a_connection_that_cannot_be_had_is_a_failure_of_its_own_name() {
    // A port that nobody listens on.
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let base = format!("http://{}", listener.local_addr().expect("an address"));
    drop(listener);
    for (pattern, out) in [("connect", 1), ("timeout", 0), ("4.*", 0)] {
        let rules = |rules: &mut Rules| rules.failover.failover_on_status = vec![pattern.to_owned()];
        let gateway =
            setup(&["sk-a"]).failing_over().rules(rules).in_front_of(&base, &Virtual::default()).await;
        let answer =
            client().post(format!("http://{}/x", gateway.address())).send().await.expect("an answer");
        assert_eq!(answer.status(), 503);
        assert_told(&answer.text().await.expect("a body"), "connect", &base);
        gateway.idle().await;
        assert_eq!(unavailable(&gateway).len(), out, "{pattern}");
    }
}

#[tokio::test]
async fn an_answer_that_does_not_come_in_time_is_a_timeout() {
    let rules = |rules: &mut Rules| rules.failover.failover_on_status = vec!["timeout".to_owned()];
    let world = setup(&["sk-a"]).failing_over().rules(rules).before("{ sk-a: { fault: stall } }").await;
    let asked = tokio::spawn(world.asking(QUESTION).send());
    world.asked(1).await;
    world.advance(119_999).await;
    assert_eq!(world.gateway.in_flight().requests, 1);
    world.advance(1).await;
    let answer = asked.await.expect("no panic").expect("an answer");
    assert_eq!(answer.status(), 504);
    assert_told(&answer.text().await.expect("a body"), "timeout", &world.mock.base_url());
    world.gateway.idle().await;
    assert_eq!(unavailable(&world.gateway), ["sk-a"]);
    world.mock.idle().await;
}

#[tokio::test]
async fn a_connection_that_breaks_is_a_reset() {
    let rules = |rules: &mut Rules| rules.failover.failover_on_status = vec!["reset".to_owned()];
    let world = setup(&["sk-a"]).failing_over().rules(rules).before("{ sk-a: { fault: reset } }").await;
    let answer = world.ask(QUESTION).await;
    assert_eq!(answer.status(), 503);
    assert_told(&answer.text().await.expect("a body"), "reset", &world.mock.base_url());
    world.gateway.idle().await;
    assert_eq!(unavailable(&world.gateway), ["sk-a"]);
}

#[tokio::test]
async fn what_is_not_http_is_a_reset() {
    for said in [
        "SSH-2.0-OpenSSH\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nxy",
        "HTTP/1.1 101 Up\r\n\r\n",
    ] {
        let upstream = upstream::Upstream::saying(&[said]).await;
        let gateway = setup(&["sk-a"]).in_front_of(&upstream.base(), &Virtual::default()).await;
        let answer = client().get(format!("http://{}/x", gateway.address())).send().await.expect("an answer");
        assert_eq!(answer.status(), 503, "{said:?}");
        assert_told(&answer.text().await.expect("a body"), "reset", &upstream.base());
    }
}
