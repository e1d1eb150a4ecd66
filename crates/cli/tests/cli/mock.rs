//! `firedrill mock`: what it serves and prints, and how it ends.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::sandbox::Sandbox;

/// A mock that is being served. Killed when it is dropped.
struct Served {
    child: Child,
    /// What it printed for scripts.
    line: String,
    mock: String,
    control: String,
}

impl Drop for Served {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn serve(sandbox: &Sandbox, args: &str) -> Served {
    let binary = assert_cmd::cargo::cargo_bin!("firedrill");
    let mut command = Command::new(binary);
    command.current_dir(sandbox.path("")).args(["mock", "--port", "0", "--control-port", "0"]);
    command.args(args.split_whitespace()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("it starts");
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().expect("a pipe")).read_line(&mut line).expect("a line");
    let told: serde_json::Value = serde_json::from_str(&line).expect("JSON");
    let address = |key: &str| told[key].as_str().unwrap_or("").replace("http://", "");
    Served { child, mock: address("mock"), control: address("control"), line }
}

impl Served {
    /// Sends an interrupt.
    fn signal(&self) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-INT", &pid]).status().expect("kill").success());
    }

    /// Waits until it was asked something.
    fn asked(&self) {
        while !ask(&self.control, "GET", "/journal", "", "").contains("\"number\":1") {}
    }

    /// Sends an interrupt, and gives the exit code and what was printed for people.
    fn interrupt(&mut self) -> (Option<i32>, String) {
        self.signal();
        let code = self.child.wait().expect("it ends").code();
        let mut err = String::new();
        self.child.stderr.as_mut().expect("a pipe").read_to_string(&mut err).expect("text");
        (code, err)
    }
}

/// What is answered to a request.
fn ask(address: &str, method: &str, path: &str, token: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(address).expect("it listens");
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nhost: {HOST}\r\nauthorization: Bearer {token}\r\nconnection: close\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    )
    .expect("written");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    answer
}

/// What every request asks for.
const HOST: &str = "Claude.local:4141";
const QUESTION: &str = r#"{"model":"gpt-4o","messages":[{"role":"user","content":"Hello?"}]}"#;
const FILES: [(&str, &str); 2] = [
    ("openai.yaml", "type: openai\nhost: claude.local\npath: /openai\nupstream: { sk-a: [429, 200] }\n"),
    ("claude.yaml", "type: anthropic\nname: claude\nhost: claude.local\n"),
];

#[test]
fn providers_are_served_until_an_interrupt() {
    let sandbox = Sandbox::new();
    for (path, text) in FILES {
        sandbox.write(path, text);
    }
    let mut served = serve(&sandbox, "openai.yaml claude.yaml --clock virtual");
    for status in ["429", "200"] {
        let answer = ask(&served.mock, "POST", "/openai/v1/chat/completions", "sk-a", QUESTION);
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{answer}");
    }
    let answer = ask(&served.mock, "POST", "/v1/chat/completions", "sk-a", QUESTION);
    assert!(answer.starts_with("HTTP/1.1 404") && answer.contains("not_found_error"), "{answer}");
    let answer = ask(&served.mock, "POST", "/openaix/v1/chat/completions", "sk-a", QUESTION);
    assert!(answer.contains("not_found_error"), "a path is more than its first letters: {answer}");
    let moved = ask(&served.control, "POST", "/clock", "", r#"{"advance": "10s"}"#);
    assert!(moved.ends_with("{\"now\":10000}\n"), "{moved}");
    let counts = ask(&served.control, "GET", "/counts", "", "");
    assert!(counts.contains(r#"{"count":1,"provider":"openai","status":429,"token":"sk-a"}"#), "{counts}");
    let (mock, control) = (&served.mock, &served.control);
    let line = format!(
        "{{\"mock\":\"http://{mock}\",\"control\":\"http://{control}\",\
         \"providers\":{{\"openai\":\"http://{mock}/openai\",\"claude\":\"http://{mock}\"}}}}\n"
    );
    assert_eq!(served.line, line);
    let (code, err) = served.interrupt();
    assert_eq!(code, Some(130));
    let expect = format!(
        "serving 2 providers at http://{}\n  openai  openai     claude.local/openai/\n  claude  anthropic  claude.local/\n\
         control API at http://{}: /state /journal /counts /openapi.json\n",
        served.mock, served.control
    );
    assert_eq!(err, expect);
}

#[test]
fn a_provider_with_a_port_of_its_own_says_where_it_is() {
    let sandbox = Sandbox::new();
    sandbox.write("own.yaml", "type: openai\nport: 0\npath: /own\nupstream: { default: 503 }\n");
    let mut served = serve(&sandbox, "own.yaml");
    let told: serde_json::Value = serde_json::from_str(&served.line).expect("JSON");
    assert!(told["mock"].is_null(), "nobody shares it: {told}");
    let url = told["providers"]["openai"].as_str().expect("an address").to_owned();
    let address = url.strip_prefix("http://").and_then(|url| url.strip_suffix("/own")).expect("its path");
    let answer = ask(address, "POST", "/own/v1/chat/completions", "sk-a", QUESTION);
    assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
    let (_, err) = served.interrupt();
    let expect = format!(
        "serving 1 provider\n  openai  openai  /own/ at http://{address}\n\
         control API at http://{}: /state /journal /counts /openapi.json\n",
        served.control
    );
    assert_eq!(err, expect);
}

#[test]
fn an_interrupt_lets_answers_end_first() {
    let sandbox = Sandbox::new();
    sandbox.write("a.yaml", "type: openai\nupstream: { latency: 500ms }\n");
    let mut served = serve(&sandbox, "a.yaml");
    let mock = served.mock.clone();
    let asking = std::thread::spawn(move || ask(&mock, "POST", "/v1/chat/completions", "sk-a", QUESTION));
    served.asked();
    assert_eq!(served.interrupt().0, Some(130));
    let answer = asking.join().expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with('}'), "{answer}");
}

#[test]
fn a_second_interrupt_ends_it_at_once() {
    let sandbox = Sandbox::new();
    sandbox.write("a.yaml", "type: openai\nupstream: { default: { fault: stall } }\n");
    let mut served = serve(&sandbox, "a.yaml");
    let mut stalled = TcpStream::connect(&served.mock).expect("it listens");
    let head = format!("host: a\r\nauthorization: Bearer sk-a\r\ncontent-length: {}", QUESTION.len());
    write!(stalled, "POST /v1/chat/completions HTTP/1.1\r\n{head}\r\n\r\n{QUESTION}").expect("written");
    served.asked();
    served.signal();
    while TcpStream::connect(&served.mock).is_ok() {}
    assert!(served.child.try_wait().expect("a state").is_none(), "it waits for the answer");
    served.signal();
    // By itself it would wait for 5 s.
    stalled.set_read_timeout(Some(Duration::from_secs(3))).expect("a timeout");
    let ended = stalled.read(&mut [0]).map_err(|error| error.kind());
    assert!(matches!(ended, Ok(0) | Err(ErrorKind::ConnectionReset)), "{ended:?}");
    assert_eq!(served.child.wait().expect("it ends").code(), Some(130));
}

#[test]
fn a_quiet_one_prints_where_it_is_only() {
    let sandbox = Sandbox::new();
    sandbox.write("a.yaml", "type: openai\nupstream: { sk-proj-aB3dE5fG7hJ9kL2mN4pQ6rS8: 429 }\n");
    let mut served = serve(&sandbox, "a.yaml --quiet --seed 7");
    assert_eq!(served.interrupt(), (Some(130), String::new()));
}

#[test]
fn what_cannot_be_served_is_told() {
    let sandbox = Sandbox::new();
    let key = "sk-proj-aB3dE5fG7hJ9kL2mN4pQ6rS8";
    sandbox.write("bad.yaml", format!("type: opanai\nanswer: {key}\n"));
    sandbox.write("good.yaml", "type: openai\n");
    sandbox.write(
        "key.yaml",
        format!("type: openai\ntokens: {{ {key}: first }}\nupstream: {{ second: 429 }}\n"),
    );
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = taken.local_addr().expect("a port").port();
    sandbox.write("own.yaml", format!("type: openai\nport: {port}\n"));
    for (args, message) in [
        ("bad.yaml".to_owned(), "bad.yaml:1:7"),
        ("key.yaml".to_owned(), "unknown token `second`"),
        ("good.yaml good.yaml".to_owned(), "two providers are called `openai`"),
        ("none.yaml".to_owned(), "none.yaml"),
        (
            format!("good.yaml --control-port 0 --port {port}"),
            &*format!("cannot listen on 127.0.0.1:{port} for the providers: "),
        ),
        (
            format!("good.yaml --port 0 --control-port {port}"),
            &*format!("cannot listen on 127.0.0.1:{port} for the control API: "),
        ),
        (
            "own.yaml --control-port 0".to_owned(),
            &*format!("cannot listen on 127.0.0.1:{port} for `openai`: "),
        ),
    ] {
        let ran = sandbox.run(&format!("mock {args}"));
        assert_eq!((ran.code, &*ran.out), (2, ""), "{ran}");
        assert!(ran.err.contains(message) && !ran.err.contains("aB3dE5fG7hJ9"), "{ran}");
    }
}
