//! Several providers at once: which is asked at which port and path, and one that closes a port of its own.

use std::sync::Arc;

use firedrill_provider::{MockFile, Server, Settings, Virtual};
use firedrill_yaml::Source;
use reqwest::Method;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

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

/// Not seen at once if it is not so, but in one of so many times.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_clock_comes_back_when_the_port_is_as_it_should_be() {
    let (server, urls) = serve();
    let own = server.served().next().and_then(|served| served.address).expect("a port of its own");
    let mut stream = TcpStream::connect(server.control()).await.expect("it listens");
    for _ in 0..100 {
        for (by, open) in [("10s", false), ("5s", true)] {
            let body = format!("advance: {by}");
            let head = format!("POST /clock HTTP/1.1\r\nhost: a\r\ncontent-length: {}", body.len());
            stream.write_all(format!("{head}\r\n\r\n{body}").as_bytes()).await.expect("written");
            let mut told = [0; 1024];
            let read = stream.read(&mut told).await.expect("an answer");
            assert!(told[..read].starts_with(b"HTTP/1.1 200"));
            assert_eq!(TcpStream::connect(own).await.is_ok(), open, "after {by}");
        }
        control(&server, Method::POST, "/reset", "").await;
    }
    assert_eq!(statuses(&urls).await, [Some(200), Some(429), Some(503)]);
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

/// Each is told by its status: which of them is meant.
const ROUTES: &str = "
providers:
  - { type: openai, name: a, upstream: { default: 401 } }
  - { type: openai, name: b, path: /long, upstream: { default: 402 } }
  - { type: openai, name: c, path: /long/longer, upstream: { default: 403 } }
  - { type: openai, name: d, host: D.local, upstream: { default: 404 } }
  - { type: openai, name: e, host: d.local, path: /e, upstream: { default: 405 } }
";

#[tokio::test]
async fn the_one_with_the_host_is_meant_and_then_the_one_with_the_longer_path() {
    let file = MockFile::parse(&Source::new("mock.yaml", ROUTES)).expect("a mock file");
    let server = Server::start(file, Settings::local()).expect("it starts");
    let address = server.address().expect("they share one");
    for (host, path, status) in [
        ("other", "", 401),
        ("other", "/long", 402),
        ("other", "/long/longer", 403),
        ("d.local", "", 404),
        ("D.LOCAL:4141", "", 404),
        ("d.local", "/e", 405),
        // It has no such path, but it is the one with the host.
        ("d.local", "/long", 404),
        ("notd.local", "/longest", 404),
    ] {
        let url = format!("http://{address}{path}/v1/chat/completions");
        let request = client().post(url).header("host", host).bearer_auth("sk-a").body(QUESTION);
        let found = request.send().await.expect("an answer").status().as_u16();
        assert_eq!(found, status, "{host}{path}");
    }
    let (_, journal) = control(&server, Method::GET, "/journal", "").await;
    let journal: serde_json::Value = serde_json::from_str(&journal).expect("JSON");
    let told: Vec<_> =
        journal["entries"].as_array().expect("a list").iter().map(|it| it["provider"].clone()).collect();
    assert_eq!(told, ["a", "b", "c", "d", "d", "e", "d", "a"]);
}

/// What chance makes of thirty calls to a mock whose file has this seed.
async fn fate(written: u64, asked_for: Option<u64>) -> Vec<u16> {
    let text = format!("{{ type: openai, seed: {written}, upstream: {{ errors: [{{ rate: 50% }}] }} }}");
    let file = MockFile::parse(&Source::new("mock.yaml", text)).expect("a mock file");
    let server = Server::start(file, Settings { seed: asked_for, ..Settings::local() }).expect("it starts");
    let url = server.served().next().expect("one").url;
    let mut statuses = Vec::new();
    for _ in 0..30 {
        statuses.push(ask(&url).await.expect("an answer"));
    }
    statuses
}

#[tokio::test]
async fn the_seed_of_the_file_is_meant_unless_another_is_asked_for() {
    let seven = fate(7, None).await;
    assert_eq!((fate(7, None).await, fate(8, Some(7)).await), (seven.clone(), seven.clone()));
    assert_ne!(fate(8, None).await, seven);
    assert_ne!(fate(7, Some(8)).await, seven);
}
