//! The gateway in front of somebody else's mock: what ours and ours agree on by mistake is seen here.

use wiremock::matchers::{body_string, header, method, path, query_param};
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::*;
use crate::upstream::{Upstream, answer};

#[tokio::test]
async fn a_request_reaches_another_server_and_its_answer_the_client() {
    let server = MockServer::start().await;
    Mock::given(method("POST"))
        .and(path("/base/v1/chat"))
        .and(query_param("a", "b c"))
        .and(header("authorization", format!("Bearer {}", sent("sk-a")).as_str()))
        .and(header("x-kept", "yes"))
        .and(body_string(QUESTION))
        .respond_with(ResponseTemplate::new(201).insert_header("x-theirs", "yes").set_body_string("well"))
        .expect(1)
        .mount(&server)
        .await;
    let gateway = setup(&["sk-a"]).in_front_of(&format!("{}/base/", server.uri()), &Virtual::default()).await;
    let url = format!("http://{}/v1/chat?a=b%20c", gateway.address());
    let asking = client().post(url).header("x-kept", "yes").bearer_auth("sk-of-the-client").body(QUESTION);
    let answer = asking.send().await.expect("an answer");
    assert_eq!(
        (answer.status().as_u16(), &answer.headers()["x-theirs"]),
        (201, &"yes".parse().expect("a value"))
    );
    assert_eq!(answer.text().await.expect("a body"), "well");
}

#[tokio::test]
async fn a_token_that_another_server_refuses_is_taken_out() {
    let server = MockServer::start().await;
    for (token, status) in [("sk-a", 401), ("sk-b", 200)] {
        let mock = Mock::given(header("authorization", format!("Bearer {}", sent(token)).as_str()));
        mock.respond_with(ResponseTemplate::new(status))
            .expect(if status == 401 { 1..=1 } else { 5..=5 })
            .mount(&server)
            .await;
    }
    let setup = setup(&["sk-a", "sk-b"]).failing_over().retrying(1).drawing(&["sk-a"]);
    let gateway = setup.in_front_of(&server.uri(), &Virtual::default()).await;
    for _ in 0..5 {
        let answer =
            client().get(format!("http://{}/v1/models", gateway.address())).send().await.expect("an answer");
        assert_eq!(answer.status(), 200);
        gateway.idle().await;
    }
}

#[tokio::test]
async fn a_large_body_passes_both_ways_whole() {
    let server = MockServer::start().await;
    let large: String = (0..300_000).map(|number: u32| char::from(b'a' + (number % 23) as u8)).collect();
    let mock = Mock::given(body_string(large.as_str()));
    mock.respond_with(ResponseTemplate::new(200).set_body_string(large.as_str()))
        .expect(1)
        .mount(&server)
        .await;
    let gateway = setup(&["echoed"]).in_front_of(&server.uri(), &Virtual::default()).await;
    let answer = client().post(format!("http://{}/", gateway.address())).body(large.clone()).send().await;
    assert_eq!(answer.expect("an answer").text().await.expect("a body"), large);
}

#[tokio::test]
async fn answers_of_every_kind_follow_each_other_on_one_connection() {
    let server = MockServer::start().await;
    let cookies = ResponseTemplate::new(200).append_header("set-cookie", "a=1; path=/");
    let not_modified = ResponseTemplate::new(304).insert_header("etag", "\"v1\"");
    for (verb, at, answer) in [
        ("HEAD", "/head", ResponseTemplate::new(200).set_body_string("twelve bytes")),
        ("HEAD", "/nothing", ResponseTemplate::new(404)),
        ("DELETE", "/gone", ResponseTemplate::new(204)),
        ("GET", "/known", not_modified),
        ("GET", "/cookies", cookies.append_header("set-cookie", "b=2").set_body_string("crumbs")),
        ("PUT", "/empty", ResponseTemplate::new(201)),
        ("PATCH", "/error", ResponseTemplate::new(503).set_body_string("later")),
    ] {
        Mock::given(method(verb)).and(path(at)).respond_with(answer).expect(2).mount(&server).await;
    }
    let gateway = setup(&["sk-a"]).in_front_of(&server.uri(), &Virtual::default()).await;
    let mut stream = TcpStream::connect(gateway.address()).await.expect("it listens");
    for round in 0..2 {
        for (verb, at, status, headers, body) in [
            ("HEAD", "/head", "200 OK", ["content-length: 12"].as_slice(), ""),
            ("HEAD", "/nothing", "404 Not Found", &[], ""),
            ("DELETE", "/gone", "204 No Content", &[], ""),
            ("GET", "/known", "304 Not Modified", &["etag: \"v1\""], ""),
            ("GET", "/cookies", "200 OK", &["set-cookie: a=1; path=/", "set-cookie: b=2"], "crumbs"),
            ("PUT", "/empty", "201 Created", &["content-length: 0"], ""),
            ("PATCH", "/error", "503 Service Unavailable", &["content-length: 5"], "later"),
        ] {
            let asking = format!("{verb} {at} HTTP/1.1\r\nhost: g\r\ncontent-length: 2\r\n\r\nhi");
            stream.write_all(asking.as_bytes()).await.expect("it is open");
            let read = whole(&mut stream, body).await;
            let (head, found) = read.split_once("\r\n\r\n").expect("a head");
            let mut lines = head.lines();
            assert_eq!(
                lines.next(),
                Some(format!("HTTP/1.1 {status}").as_str()),
                "{round} {verb} {at}: {read}"
            );
            let lines: Vec<&str> = lines.collect();
            for header in headers {
                assert!(lines.contains(header), "{round} {verb} {at}: {read}");
            }
            assert_eq!(found, body, "{round} {verb} {at}");
        }
    }
    assert_eq!(gateway.metrics().answers(), 14);
}

/// What comes until there is a head and then this body.
async fn whole(stream: &mut TcpStream, body: &str) -> String {
    let mut read = Vec::new();
    let soon = async {
        loop {
            let text = String::from_utf8_lossy(&read).into_owned();
            if text.split_once("\r\n\r\n").is_some_and(|(_, found)| found.len() >= body.len()) {
                return text;
            }
            assert_ne!(stream.read_buf(&mut read).await.expect("it is open"), 0, "{text}");
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(20), soon).await.expect("an answer")
}

#[tokio::test]
async fn a_target_is_kept_as_it_was_written() {
    let server = MockServer::start().await;
    Mock::given(method("GET")).respond_with(ResponseTemplate::new(200)).mount(&server).await;
    let upstream = Upstream::saying(&[&answer("200 OK", "", "")]).await;
    let target = "/v1/files/a%2Fb%20c//%E2%9C%93;v=1,2/~%7e'!$(*)?q=a%26b&x=%2B+&empty=&q=2&&flag&y=a/b?c";
    for base in [server.uri(), upstream.base()] {
        let gateway = setup(&["sk-a"]).in_front_of(&base, &Virtual::default()).await;
        let asking = format!("GET {target} HTTP/1.1\r\nhost: g\r\nconnection: close\r\n\r\n");
        let read = raw(&gateway, asking.as_bytes()).await;
        assert!(read.starts_with("HTTP/1.1 200 OK\r\n"), "{read}");
    }
    let asked = server.received_requests().await.expect("they are recorded");
    assert_eq!(asked[0].url.as_str(), format!("http://localhost{target}"));
    assert!(upstream.asked()[0].starts_with(&format!("GET {target} HTTP/1.1\r\n")), "{:?}", upstream.asked());
}

#[tokio::test]
async fn a_body_in_chunks_is_sent_on_whole_once_the_client_was_told_to_go_on() {
    let server = MockServer::start().await;
    let mock = Mock::given(body_string(QUESTION)).and(header("content-length", QUESTION.len()));
    mock.respond_with(ResponseTemplate::new(200).set_body_string("well")).expect(1).mount(&server).await;
    let gateway = setup(&["sk-a"]).in_front_of(&server.uri(), &Virtual::default()).await;
    let mut stream = TcpStream::connect(gateway.address()).await.expect("it listens");
    let head = "POST / HTTP/1.1\r\nhost: g\r\nexpect: 100-continue\r\ntransfer-encoding: chunked\r\n\r\n";
    stream.write_all(head.as_bytes()).await.expect("it is open");
    assert_eq!(whole(&mut stream, "").await, "HTTP/1.1 100 Continue\r\n\r\n");
    for piece in QUESTION.as_bytes().chunks(7) {
        let chunk = [format!("{:x};why=not\r\n", piece.len()).as_bytes(), piece, b"\r\n"].concat();
        stream.write_all(&chunk).await.expect("it is open");
    }
    stream.write_all(b"0\r\nx-trailer: 1\r\n\r\n").await.expect("it is open");
    let read = whole(&mut stream, "well").await;
    assert!(read.starts_with("HTTP/1.1 200 OK\r\n") && read.ends_with("\r\n\r\nwell"), "{read}");
    let asked = server.received_requests().await.expect("they are recorded");
    assert!(
        !asked[0].headers.contains_key("expect") && !asked[0].headers.contains_key("x-trailer"),
        "{asked:?}"
    );
}
