//! Several providers at once: which is asked at which port and path, and one that closes a port of its own.

use std::sync::Arc;

use firedrill_provider::{MockFile, Server, Settings, Virtual};
use firedrill_yaml::Source;
use reqwest::Method;

use crate::{QUESTION, client};

/// Two on the shared port, and one with a port of its own.
const FILE: &str = "
providers:
  - { type: openai, port: 0, path: /v, upstream: { outages: [{ from: 10s, for: 5s, fault: refused }] } }
  - { type: openai, name: second, upstream: { default: 429 } }
  - { type: openai, name: third, path: /third, upstream: { default: 503 } }
";

fn serve() -> (Server, [String; 3]) {
    let file = MockFile::parse(&Source::new("mock.yaml", FILE)).expect("a mock file");
    let settings = Settings { clock: Arc::new(Virtual::default()), ..Settings::local() };
    let server = Server::start(file, settings).expect("it starts");
    let urls: Vec<String> = server.served().map(|served| served.url).collect();
    (server, urls.try_into().expect("three"))
}

async fn ask(url: &str) -> reqwest::Result<u16> {
    let request = client().post(format!("{url}/v1/chat/completions")).bearer_auth("sk-a").body(QUESTION);
    Ok(request.send().await?.status().as_u16())
}

async fn control(server: &Server, method: Method, path: &str, body: &'static str) -> (u16, String) {
    let url = format!("http://{}{path}", server.control());
    let answer = client().request(method, url).body(body).send().await.expect("an answer");
    (answer.status().as_u16(), answer.text().await.expect("a body"))
}

/// What each of the three answers; nothing if it refuses connections.
async fn statuses(urls: &[String; 3]) -> [Option<u16>; 3] {
    let mut found = [None; 3];
    for (url, found) in urls.iter().zip(&mut found) {
        *found = match ask(url).await {
            Ok(status) => Some(status),
            Err(error) if error.is_connect() => None,
            Err(error) => panic!("{error:?}"),
        };
    }
    found
}

#[tokio::test]
async fn one_that_refuses_on_a_port_of_its_own_leaves_the_others_alone() {
    let (server, urls) = serve();
    let advance = async |by: &'static str| {
        let (status, told) = control(&server, Method::POST, "/clock", by).await;
        assert_eq!(status, 200, "{told}");
    };
    for _ in 0..2 {
        assert_eq!(statuses(&urls).await, [Some(200), Some(429), Some(503)]);
        advance("advance: 10s").await;
        assert_eq!(statuses(&urls).await, [None, Some(429), Some(503)]);
        advance("advance: 4999ms").await;
        assert_eq!(statuses(&urls).await, [None, Some(429), Some(503)]);
        advance("advance: 1ms").await;
        assert_eq!(statuses(&urls).await, [Some(200), Some(429), Some(503)]);
        control(&server, Method::POST, "/reset", "").await;
    }
}

#[tokio::test]
async fn a_port_is_closed_by_whom_it_belongs_to_alone() {
    let (server, urls) = serve();
    let block = "outages: [{ from: 0s, for: 1s, fault: refused }]";
    let (status, told) = control(&server, Method::PUT, "/upstream/second", block).await;
    assert_eq!(status, 400, "{told}");
    assert!(told.contains("`second` shares its port, so it cannot refuse connections"), "{told}");
    assert_eq!(statuses(&urls).await, [Some(200), Some(429), Some(503)]);
    let (status, told) = control(&server, Method::PUT, "/upstream/openai", block).await;
    assert_eq!(status, 200, "{told}");
    assert_eq!(statuses(&urls).await, [None, Some(429), Some(503)]);
}

#[tokio::test]
async fn each_is_asked_at_its_own_port_and_path() {
    let (server, urls) = serve();
    let shared = format!("http://{}", server.address().expect("two share one"));
    assert_eq!(urls[1..], [shared.clone(), format!("{shared}/third")]);
    let own = urls[0].strip_suffix("/v").expect("a path");
    assert_ne!(own, shared);
    // Nobody else is there, and it is nowhere else.
    for url in [own.to_owned(), format!("{own}/third"), format!("{shared}/v")] {
        assert_eq!(ask(&url).await.expect("an answer"), 404, "{url}");
    }
    let (_, state) = control(&server, Method::GET, "/state", "").await;
    let state: serde_json::Value = serde_json::from_str(&state).expect("JSON");
    let told: Vec<_> = state["providers"].as_array().expect("a list").iter().map(|it| &it["port"]).collect();
    let ports: Vec<_> =
        server.served().map(|it| it.address.or(server.address()).expect("one").port()).collect();
    assert_eq!(told, ports);
}
