//! One request, one answer: what goes upstream, and what comes back.

use super::*;
use crate::upstream::{Upstream, answer};

#[tokio::test]
async fn a_request_goes_upstream_with_a_token_of_the_pool() {
    let world = setup(&["sk-a"]).before("{}").await;
    let answer = world.ask(QUESTION).await;
    assert_eq!(answer.status(), 200);
    assert!(answer.text().await.expect("a body").contains("One two three"));
    world.mock.assert_answered("sk-a", &[200]);
    world.mock.assert_asked(1);
    world.gateway.idle().await;
    let metrics = world.gateway.metrics();
    assert_eq!((metrics.requests(), metrics.answers(), metrics.aborts()), (1, 1, 0));
    assert_eq!(world.gateway.in_flight().requests, 0);
}

#[tokio::test]
async fn every_vendor_has_its_token_where_it_looks_for_it() {
    let gemini = "/v1beta/models/gemini-2.5-flash:generateContent?key=sk-of-the-client";
    let azure = "/openai/deployments/gpt/chat/completions?api-version=2024-10-21";
    for (vendor, path) in [
        (Vendor::OpenAi, "/v1/chat/completions"),
        (Vendor::Anthropic, "/v1/messages"),
        (Vendor::Azure, azure),
        (Vendor::Gemini, gemini),
        (Vendor::Bedrock, "/model/m/invoke"),
        (Vendor::Qwen, "/compatible-mode/v1/chat/completions"),
        (Vendor::DeepSeek, "/chat/completions"),
    ] {
        let mut setup = setup(&["sk-a"]);
        setup.vendor = vendor;
        let world = setup.before("{}").await;
        let body = r#"{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"?"}],"contents":[{"parts":[{"text":"?"}]}]}"#;
        let asking = client().post(format!("http://{}{path}", world.gateway.address())).body(body);
        let asking = asking.header("anthropic-version", "2023-06-01").header("x-api-key", "sk-of-the-client");
        let answer = asking.send().await.expect("an answer");
        assert_eq!(answer.status(), 200, "{vendor}: {:?}", answer.text().await);
        world.mock.assert_answered("sk-a", &[200]);
        world.mock.assert_asked(1);
    }
}

#[tokio::test]
async fn what_is_the_clients_own_stays_with_the_gateway() {
    let upstream = Upstream::saying(&[&answer("200 OK", "", "{}")]).await;
    let gateway =
        setup(&["sk-a"]).in_front_of(&format!("{}/base", upstream.base()), &Virtual::default()).await;
    let head = "POST /v1/chat/completions?a=b HTTP/1.1\r\nhost: gateway\r\nconnection: close, x-hop\r\nx-hop: 1\r\n\
                keep-alive: 5\r\nproxy-connection: x\r\nte: trailers\r\ntrailer: x-t\r\n\
                authorization: Bearer sk-client\r\nx-api-key: sk-client\r\napi-key: sk-client\r\n\
                x-goog-api-key: sk-client\r\nproxy-authorization: Basic sk-client\r\ncookie: sk-client\r\n\
                accept-encoding: gzip\r\nexpect: 100-continue\r\nx-kept: yes\r\nx-kept: too\r\n\
                transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nx-t: 1\r\n\r\n";
    let read = raw(&gateway, head.as_bytes()).await;
    assert!(read.starts_with("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n"), "{read}");
    let asked = upstream.asked();
    let [asked] = asked.as_slice() else { panic!("{asked:?}") };
    let (head, body) = asked.split_once("\r\n\r\n").expect("a head");
    let mut lines: Vec<&str> = head.lines().collect();
    lines[1..].sort_unstable();
    let host = format!("host: {}", upstream.base().replace("http://", ""));
    let expect = [
        "POST /base/v1/chat/completions?a=b HTTP/1.1",
        "accept-encoding: identity",
        &format!("authorization: Bearer {}", sent("sk-a")),
        "content-length: 5",
        &host,
        "x-kept: too",
        "x-kept: yes",
    ];
    assert_eq!((lines.as_slice(), body), (expect.as_slice(), "hello"));
}

#[tokio::test]
async fn what_is_between_neighbours_does_not_come_back() {
    let headers = "connection: keep-alive, x-hop\r\nx-hop: 1\r\nkeep-alive: timeout=5\r\nupgrade: h2c\r\n\
                   proxy-authenticate: Basic\r\ntrailer: x-t\r\nx-kept: yes\r\ndate: then\r\n";
    let upstream = Upstream::saying(&[&answer("429 Slow Down", headers, "no")]).await;
    let gateway = setup(&["sk-a"]).in_front_of(&upstream.base(), &Virtual::default()).await;
    let read = raw(&gateway, b"GET / HTTP/1.1\r\nhost: gateway\r\nconnection: close\r\n\r\n").await;
    let (head, body) = read.split_once("\r\n\r\n").expect("a head");
    let mut lines: Vec<&str> = head.lines().collect();
    lines[1..].sort_unstable();
    let expect = [
        "HTTP/1.1 429 Too Many Requests",
        "connection: close",
        "content-length: 2",
        "date: then",
        "x-kept: yes",
    ];
    assert_eq!((lines.as_slice(), body), (expect.as_slice(), "no"));
}

#[tokio::test]
async fn other_methods_pass_too() {
    let upstream = Upstream::saying(&["HTTP/1.1 200 OK\r\ncontent-length: 77\r\nx-kept: yes\r\n\r\n"]).await;
    let gateway = setup(&["sk-a"]).in_front_of(&upstream.base(), &Virtual::default()).await;
    let read = raw(&gateway, b"HEAD /v1/models HTTP/1.1\r\nhost: g\r\nconnection: close\r\n\r\n").await;
    assert!(read.contains("content-length: 77\r\n") && read.ends_with("\r\n\r\n"), "{read}");
    let upstream = Upstream::saying(&["HTTP/1.1 204 No Content\r\nallow: GET\r\n\r\n"]).await;
    let gateway = setup(&["sk-a"]).in_front_of(&upstream.base(), &Virtual::default()).await;
    let read = raw(&gateway, b"OPTIONS /v1/models HTTP/1.1\r\nhost: g\r\nconnection: close\r\n\r\n").await;
    assert!(read.starts_with("HTTP/1.1 204") && read.contains("allow: GET"), "{read}");
    assert!(upstream.asked()[0].starts_with("OPTIONS /v1/models HTTP/1.1\r\n"), "{:?}", upstream.asked());
}

#[tokio::test]
async fn an_answer_of_any_framing_is_framed_for_the_client() {
    let chunks =
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\none\r\n3\r\ntwo\r\n0\r\nx-t: 1\r\n\r\n";
    let older = "HTTP/1.0 200 OK\r\n\r\nonetwo";
    let until_closed = "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nonetwo";
    let twice = "HTTP/1.1 200 OK\r\ncontent-length: 6\r\ncontent-length: 6\r\n\r\nonetwo";
    for (said, length) in [(chunks, None), (older, None), (until_closed, None), (twice, Some(6))] {
        let upstream = Upstream::saying(&[said]).await;
        let gateway = setup(&["sk-a"]).in_front_of(&upstream.base(), &Virtual::default()).await;
        let answer = client().get(format!("http://{}/", gateway.address())).send().await.expect("an answer");
        assert_eq!(answer.headers().get_all("content-length").iter().count(), usize::from(length.is_some()));
        assert_eq!(
            (answer.content_length(), answer.text().await.expect("a body")),
            (length, "onetwo".to_owned())
        );
    }
}

#[tokio::test]
async fn what_upstream_says_before_its_answer_and_after_it_stays_here() {
    let said = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\nHTTP/1.1 200 OK\r\ntrailer: x-t\r\n\
                transfer-encoding: chunked\r\n\r\n4\r\nwell\r\n0\r\nx-t: sk-a\r\n\r\n";
    let upstream = Upstream::saying(&[said]).await;
    let gateway = setup(&["sk-a"]).in_front_of(&upstream.base(), &Virtual::default()).await;
    let read = raw(&gateway, b"GET / HTTP/1.1\r\nhost: g\r\nte: trailers\r\nconnection: close\r\n\r\n").await;
    assert!(read.starts_with("HTTP/1.1 200 OK\r\n") && read.contains("\r\n4\r\nwell\r\n0\r\n\r\n"), "{read}");
    assert!(!read.contains("x-t") && !read.contains("link"), "{read}");
}

#[tokio::test]
async fn an_answer_without_a_body_has_the_length_that_upstream_says_or_none() {
    for (asking, said, length) in [
        ("HEAD", "HTTP/1.1 200 OK\r\n\r\n", None),
        ("HEAD", "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", None),
        ("HEAD", "HTTP/1.1 200 OK\r\ncontent-length: 77\r\n\r\n", Some("content-length: 77")),
        // It might be told; hyper tells none (RFC 9110, 8.6, has it either way).
        ("GET", "HTTP/1.1 304 Not Modified\r\ncontent-length: 77\r\n\r\n", None),
        ("GET", "HTTP/1.1 304 Not Modified\r\n\r\n", None),
        ("GET", "HTTP/1.1 204 No Content\r\ncontent-length: 0\r\n\r\n", None),
        ("GET", "HTTP/1.1 204 No Content\r\n\r\n", None),
        ("GET", "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", Some("content-length: 0")),
    ] {
        let upstream = Upstream::saying(&[said]).await;
        let gateway = setup(&["sk-a"]).in_front_of(&upstream.base(), &Virtual::default()).await;
        let request = format!("{asking} / HTTP/1.1\r\nhost: g\r\nconnection: close\r\n\r\n");
        let read = raw(&gateway, request.as_bytes()).await;
        let (head, body) = read.split_once("\r\n\r\n").expect("a head");
        let found = head.lines().find(|line| line.starts_with("content-length"));
        assert_eq!((found, body), (length, ""), "{asking} {said:?}: {read}");
    }
}

#[tokio::test]
async fn what_is_not_for_a_gateway_is_refused_and_goes_nowhere() {
    let world = setup(&["sk-a"]).before("{}").await;
    for (request, status) in [
        ("CONNECT up:443 HTTP/1.1\r\nhost: up:443\r\n\r\n", "501"),
        ("TRACE / HTTP/1.1\r\nhost: g\r\n\r\n", "501"),
        ("GET /chat HTTP/1.1\r\nhost: g\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n", "501"),
        ("OPTIONS * HTTP/1.1\r\nhost: g\r\n\r\n", "400"),
        ("GET /chat HTTP/1.1\r\n\r\n", "400"),
        ("GET /v1/../admin HTTP/1.1\r\nhost: g\r\n\r\n", "400"),
        ("GET /v1/%2e%2E/admin HTTP/1.1\r\nhost: g\r\n\r\n", "400"),
    ] {
        let read = raw(&world.gateway, request.as_bytes()).await;
        assert!(read.starts_with(&format!("HTTP/1.1 {status} ")), "{request:?}: {read}");
        assert!(read.contains("connection: close") && read.contains("\"gateway_error\""), "{read}");
    }
    world.mock.assert_asked(0);
    let metrics = world.gateway.metrics();
    assert_eq!((metrics.requests(), metrics.answers(), metrics.aborts()), (7, 7, 0));
}

#[tokio::test]
async fn a_url_for_a_request_is_its_path() {
    let upstream = Upstream::saying(&[&answer("200 OK", "", "")]).await;
    let gateway = setup(&["sk-a"]).in_front_of(&upstream.base(), &Virtual::default()).await;
    let read = raw(
        &gateway,
        b"GET http://elsewhere/v1/models?x HTTP/1.1\r\nhost: elsewhere\r\nconnection: close\r\n\r\n",
    )
    .await;
    assert!(read.starts_with("HTTP/1.1 200 "), "{read}");
    assert!(upstream.asked()[0].starts_with("GET /v1/models?x HTTP/1.1\r\n"), "{:?}", upstream.asked());
}
