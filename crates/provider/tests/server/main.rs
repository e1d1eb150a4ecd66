//! The server as its clients meet it, over real connections on loopback.

mod control;
mod date;
mod faults;
mod held;
mod hostile;
mod journal;
mod limits;
mod ports;
mod quotas;

use std::time::Duration;

use firedrill_provider::{MockProvider, Virtual};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A question, as a client sends it.
const QUESTION: &str = r#"{"model":"gpt-4o","messages":[{"role":"user","content":"Hello?"}]}"#;
/// One whose answer should come as a stream.
const STREAM: &str = r#"{"model":"gpt-4o","stream":true,"messages":[{"role":"user","content":"Hello?"}]}"#;

/// A mock with this block, in real time.
async fn mock(upstream: &str) -> MockProvider {
    MockProvider::builder()
        .upstream(upstream)
        .answer("One two three four five six.")
        .start()
        .await
        .expect("it starts")
}

/// A mock with this block, whose time stands still until it is moved.
async fn on_virtual_time(upstream: &str) -> MockProvider {
    let builder = MockProvider::builder().upstream(upstream).clock(Virtual::default());
    builder.start().await.expect("it starts")
}

/// A client that opens a connection for each request.
fn client() -> reqwest::Client {
    reqwest::Client::builder().pool_max_idle_per_host(0).no_proxy().build().expect("a client")
}

/// Asks `mock` with `token`.
async fn ask(mock: &MockProvider, token: &str, question: &'static str) -> reqwest::Result<reqwest::Response> {
    let url = format!("{}/v1/chat/completions", mock.base_url());
    client().post(url).bearer_auth(token).body(question).send().await
}

/// The bytes of a request.
fn request(token: &str, question: &str) -> String {
    format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: mock\r\nauthorization: Bearer {token}\r\ncontent-length: {}\r\n\r\n\
         {question}",
        question.len()
    )
}

/// Sends `bytes` and reads until the connection ends, however it does. Gives what came, and how it ended.
async fn raw(mock: &MockProvider, bytes: &[u8]) -> (String, std::io::Result<()>) {
    let mut stream = connect(mock).await;
    // It may be over before all is written.
    let _ = stream.write_all(bytes).await;
    rest(&mut stream).await
}

async fn rest(stream: &mut TcpStream) -> (String, std::io::Result<()>) {
    let mut read = Vec::new();
    let ended = tokio::time::timeout(Duration::from_secs(20), stream.read_to_end(&mut read)).await;
    let ended = ended.expect("the connection ends");
    (String::from_utf8_lossy(&read).into_owned(), ended.map(drop))
}

async fn connect(mock: &MockProvider) -> TcpStream {
    let address = mock.base_url().replace("http://", "");
    TcpStream::connect(address).await.expect("it listens")
}

/// Asserts that another client is served.
async fn assert_serves(mock: &MockProvider) {
    let answer = tokio::time::timeout(Duration::from_secs(5), ask(mock, "sk-other", QUESTION)).await;
    assert_eq!(answer.expect("in time").expect("an answer").status(), 200);
}
