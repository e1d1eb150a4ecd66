//! The gateway in front of somebody else's mock: what ours and ours agree on by mistake is seen here.

use wiremock::matchers::{body_string, header, method, path, query_param};
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::*;

#[tokio::test]
async fn a_request_reaches_another_server_and_its_answer_the_client() {
    let server = MockServer::start().await;
    Mock::given(method("POST"))
        .and(path("/base/v1/chat"))
        .and(query_param("a", "b c"))
        .and(header("authorization", "Bearer sk-a"))
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
        let mock = Mock::given(header("authorization", format!("Bearer {token}").as_str()));
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
    let gateway = setup(&["sk-0123456789abcdefghij"]).in_front_of(&server.uri(), &Virtual::default()).await;
    let answer = client().post(format!("http://{}/", gateway.address())).body(large.clone()).send().await;
    assert_eq!(answer.expect("an answer").text().await.expect("a body"), large);
}
