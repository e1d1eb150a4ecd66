//! `firedrill gateway`: what it serves and prints, how it loads its file again, and how it ends.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::assert_printed;
use crate::sandbox::Sandbox;

/// A gateway that serves. Killed when it is dropped.
struct Serving {
    child: Child,
    gateway: String,
    admin: String,
}

impl Drop for Serving {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn serve(sandbox: &Sandbox, args: &str) -> Serving {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("firedrill"));
    command.current_dir(sandbox.path("")).args([
        "gateway",
        "gateway.yaml",
        "--port",
        "0",
        "--admin-port",
        "0",
    ]);
    command.args(args.split_whitespace()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("it starts");
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().expect("a pipe")).read_line(&mut line).expect("a line");
    let line: Value = serde_json::from_str(&line).expect("JSON");
    let address = |key: &str| line[key].as_str().expect("an address").replace("http://", "");
    Serving { gateway: address("gateway"), admin: address("admin"), child }
}

impl Serving {
    fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args([name, &pid]).status().expect("kill").success());
    }

    /// Waits for its end; gives the exit code and what was printed for people.
    fn end(&mut self) -> (Option<i32>, String) {
        let mut err = String::new();
        self.child.stderr.as_mut().expect("a pipe").read_to_string(&mut err).expect("text");
        (self.child.wait().expect("it ends").code(), err)
    }

    /// Asks until the state is `such`, at most so often as takes many seconds.
    fn until(&self, such: impl Fn(&Value) -> bool) -> Value {
        let mut state = Value::Null;
        for _ in 0..50_000 {
            let answer = ask(&self.admin, "GET", "/state", "");
            let (_, body) = answer.split_once("\r\n\r\n").expect("a body");
            state = serde_json::from_str(body).expect("JSON");
            if such(&state) {
                return state;
            }
        }
        panic!("not in time: {state}");
    }
}

/// Sends a request, and gives what is to be read from.
fn send(address: &str, method: &str, path: &str, body: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).expect("it listens");
    let length = body.len();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-length: {length}"
    );
    write!(stream, "{head}\r\n\r\n{body}").expect("written");
    stream
}

fn ask(address: &str, method: &str, path: &str, body: &str) -> String {
    let mut answer = String::new();
    send(address, method, path, body).read_to_string(&mut answer).expect("an answer");
    answer
}

const QUESTION: &str = r#"{"model":"gpt-4o","messages":[{"role":"user","content":"Hello?"}]}"#;

fn file(upstream: &str, tokens: &str) -> String {
    format!(
        "provider:\n  type: openai\n  apiTokens: [{tokens}]\n  failover: {{ enabled: true, failureThreshold: 1, \
         cooldownDuration: 60000 }}\nupstream: http://{upstream}\nstore: {{ file: pool.jsonl }}\n"
    )
}

/// An upstream that answers each request as `answer` says, when it says.
fn upstream(answer: impl Fn(&str) -> String + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let mut read = Vec::new();
            let mut piece = [0; 4096];
            // The body of a question is the last thing that is sent.
            while !read.ends_with(QUESTION.as_bytes()) {
                match stream.read(&mut piece) {
                    Ok(length) if length > 0 => read.extend_from_slice(&piece[..length]),
                    _ => break,
                }
            }
            let answer = answer(&String::from_utf8_lossy(&read));
            // Who asked may be gone.
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    address
}

fn status(status: u16) -> String {
    format!("HTTP/1.1 {status} Some\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{{}}")
}

#[test]
fn it_serves_loads_its_file_again_and_stops_when_asked() {
    let sandbox = Sandbox::new();
    let address = upstream(|request| status(if request.contains("Bearer sk-planted") { 429 } else { 200 }));
    sandbox.write("gateway.yaml", file(&address, "sk-planted"));
    let mut serving = serve(&sandbox, "");
    let answer = ask(&serving.gateway, "POST", "/v1/chat/completions", QUESTION);
    assert!(answer.starts_with("HTTP/1.1 429"), "{answer}");
    let state = serving.until(|state| state["pool"]["available"] == 0);
    assert_eq!(state["pool"]["tokens"][0]["out"]["status"], "429");
    sandbox.write("gateway.yaml", file(&address, "sk-planted, sk-good"));
    serving.signal("-HUP");
    serving.until(|state| state["pool"]["available"] == 1);
    let answer = ask(&serving.gateway, "POST", "/v1/chat/completions", QUESTION);
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    sandbox.write("gateway.yaml", file(&address, "'sk planted'"));
    serving.signal("-HUP");
    let state = serving.until(|state| !state["configuration"]["refused"].is_null());
    assert_eq!(state["pool"]["available"], 1, "the one before goes on");
    serving.signal("-TERM");
    let (code, err) = serving.end();
    assert_eq!(code, Some(0), "{err}");
    for part in [
        "tokens    1: token-",
        "log       in pool.jsonl\n",
        &format!("clients   http://{}\n", serving.gateway),
        "WARN failover: token token-",
        "WARN warning: no token is available",
        "INFO configuration loaded again",
        "ERROR configuration refused, the one before goes on: gateway.yaml:3:15: expected a token",
        "INFO stopping",
    ] {
        assert!(err.contains(part), "no `{part}` in\n{err}");
    }
    assert!(!err.contains("planted") && !sandbox.read("pool.jsonl").contains("planted"), "{err}");

    let told = sandbox.run("replay pool.jsonl");
    assert_eq!(told.code, 0, "{told}");
    assert!(told.out.starts_with("20") && told.out.contains("Z  v2"), "{told}");
    assert_eq!(sandbox.run("replay pool.jsonl --at 2020-01-01T00:00:00Z").code, 0);
    // What the file has is known to who starts again.
    sandbox.write("gateway.yaml", file(&address, "sk-planted, sk-good"));
    let serving = serve(&sandbox, "--quiet");
    serving.until(|state| state["log"]["reach"] == "connected" && state["pool"]["available"] == 1);
}

#[test]
fn an_answer_that_is_being_given_may_end_first_and_a_second_signal_ends_all() {
    let sandbox = Sandbox::new();
    let (release, held) = std::sync::mpsc::channel::<()>();
    let (arrived, arrivals) = std::sync::mpsc::channel::<()>();
    let address = upstream(move |_| {
        arrived.send(()).expect("the test waits");
        // Until the test says so, or is over.
        let _ = held.recv();
        status(200)
    });
    sandbox.write("gateway.yaml", file(&address, "sk-a") + "limits: { grace: 1m }\n");
    let mut serving = serve(&sandbox, "--quiet");
    let mut stream = send(&serving.gateway, "POST", "/v1/chat/completions", QUESTION);
    arrivals.recv().expect("upstream is asked");
    serving.signal("-TERM");
    while ask(&serving.admin, "GET", "/readyz", "").starts_with("HTTP/1.1 200") {}
    release.send(()).expect("upstream waits");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert_eq!(serving.end(), (Some(0), String::new()));

    let mut serving = serve(&sandbox, "--quiet");
    let _stream = send(&serving.gateway, "POST", "/v1/chat/completions", QUESTION);
    arrivals.recv().expect("upstream is asked");
    serving.signal("-INT");
    while ask(&serving.admin, "GET", "/readyz", "").starts_with("HTTP/1.1 200") {}
    serving.signal("-INT");
    assert_eq!(serving.end().0, Some(130));
}

#[test]
fn log_lines_are_objects_if_they_are_asked_for() {
    let sandbox = Sandbox::new();
    let address = upstream(|_| status(503));
    let text = file(&address, "sk-planted").replace("  type", "  modelMapping: {}\n  type");
    sandbox.write("gateway.yaml", text + "log: json\n");
    let mut serving = serve(&sandbox, "--verbose");
    ask(&serving.gateway, "POST", "/v1/planted?key=planted", QUESTION);
    serving.until(|state| state["pool"]["available"] == 0);
    serving.signal("-TERM");
    let (_, err) = serving.end();
    let lines: Vec<Value> = err.lines().map(|line| serde_json::from_str(line).expect(line)).collect();
    let find = |message: &str| {
        lines.iter().find(|line| line["message"].as_str().is_some_and(|m| m.contains(message)))
    };
    let removed = find("is unavailable now (503, failure 1 of 1)").expect("a line");
    assert_eq!((&removed["level"], &removed["version"]), (&"WARN".into(), &2.into()), "{removed}");
    assert!(removed["token"].as_str().is_some_and(|token| token.starts_with("token-")), "{removed}");
    assert!(removed["at"].as_u64() > Some(1_700_000_000_000) && removed["worker"].is_u64(), "{removed}");
    for message in [
        "serving",
        "`modelMapping` has no effect here",
        "attempt answered 503",
        "request answered",
        "stopping",
    ] {
        assert!(find(message).is_some(), "no `{message}` in\n{err}");
    }
    assert!(!err.contains("planted"), "{err}");
}

#[test]
fn a_timeout_that_is_loaded_again_holds_for_the_next_request() {
    let sandbox = Sandbox::new();
    let address = upstream(|_| {
        loop {
            std::thread::park();
        }
    });
    let text = file(&address, "sk-planted");
    sandbox.write("gateway.yaml", &text);
    let mut serving = serve(&sandbox, "");
    sandbox.write("gateway.yaml", text.replace("  type", "  timeout: 1\n  type"));
    serving.signal("-HUP");
    serving.until(|state| state["configuration"]["reloads"] == 1);
    let answer = ask(&serving.gateway, "POST", "/v1/chat/completions", QUESTION);
    assert!(answer.starts_with("HTTP/1.1 504"), "{answer}");
    serving.signal("-TERM");
    let (_, err) = serving.end();
    assert!(!err.contains("at the next start"), "{err}");
}

#[test]
fn why_a_token_is_out_is_known_after_a_restart() {
    let sandbox = Sandbox::new();
    let address = upstream(|_| status(429));
    sandbox.write("gateway.yaml", file(&address, "sk-planted"));
    let mut serving = serve(&sandbox, "");
    ask(&serving.gateway, "POST", "/v1/chat/completions", QUESTION);
    let before = serving.until(|state| state["pool"]["available"] == 0);
    serving.signal("-TERM");
    assert_eq!(serving.end().0, Some(0));
    let mut again = serve(&sandbox, "");
    let after = again.until(|state| state["pool"]["tokens"][0]["out"]["status"] == "429");
    assert_eq!(after["pool"]["tokens"][0]["out"], before["pool"]["tokens"][0]["out"]);
    again.signal("-TERM");
    let (_, err) = again.end();
    assert!(err.contains("WARN warning: no token is available, requests draw a fallback"), "{err}");
}

/// Nobody listens where its log should be. What it decides meanwhile is told at once, and told as what it is.
#[test]
fn what_it_decides_while_its_store_is_away_is_logged_at_once() {
    let sandbox = Sandbox::new();
    let address = upstream(|_| status(429));
    let nobody = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address");
    let text =
        file(&address, "sk-planted").replace("file: pool.jsonl", &format!("redis: 'redis://{nobody}'"));
    sandbox.write("gateway.yaml", text + "log: json\n");
    let mut serving = serve(&sandbox, "");
    serving.until(|state| state["log"]["reach"] == "away");
    ask(&serving.gateway, "POST", "/v1/chat/completions", QUESTION);
    let state = serving.until(|state| state["pool"]["available"] == 0);
    assert_eq!(state["pool"]["tokens"][0]["out"]["status"], "429", "{state}");
    assert_eq!((&state["log"]["version"], &state["log"]["reach"]), (&0.into(), &"away".into()), "{state}");
    serving.signal("-TERM");
    let (_, err) = serving.end();
    let lines: Vec<Value> = err.lines().map(|line| serde_json::from_str(line).expect(line)).collect();
    let removed = lines.iter().find(|line| line["alone"] == true && line["level"] == "WARN").expect("a line");
    let message = removed["message"].as_str().expect("text");
    assert!(message.starts_with("failover: token token-"), "{message}");
    assert!(
        message.ends_with(" is unavailable now (429, failure 1 of 1); decided alone, not in the log yet"),
        "{message}"
    );
    assert!(removed["token"].is_string() && removed.get("version").is_none(), "{removed}");
    assert!(
        lines
            .iter()
            .any(|line| line["message"].as_str().is_some_and(|m| m.contains("this gateway decides alone")))
    );
}

#[test]
fn a_file_can_be_checked_alone() {
    let sandbox = Sandbox::new();
    sandbox.write("gateway.yaml", file("127.0.0.1:9", "sk-a, env:CARGO_PKG_NAME"));
    assert_printed!("gateway-check", sandbox.run("gateway gateway.yaml --check"));
    assert_eq!(sandbox.run("gateway gateway.yaml --check --quiet").out, "");
    sandbox.write("bad.yaml", "provider:\n  type: opnai\n  apiTokens: [sk-planted, 'sk planted']\n");
    assert_printed!("gateway-bad", sandbox.run("gateway bad.yaml --check"));
}

#[test]
fn what_cannot_be_served_is_told() {
    let sandbox = Sandbox::new();
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = taken.local_addr().expect("a port").port();
    sandbox.write("gateway.yaml", file("127.0.0.1:9", "sk-planted"));
    sandbox.write("pool.jsonl", "nonsense\n");
    sandbox.write("memory.yaml", "provider: { type: openai, apiTokens: [sk-planted] }\n");
    sandbox.write("alone.yaml", "provider: { type: openai, apiTokens: [sk-planted] }\nadmin: none\n");
    for (args, message) in [
        (format!("memory.yaml --admin-port 0 --port {port}"), format!("cannot listen on 127.0.0.1:{port}")),
        (format!("memory.yaml --port 0 --admin-port {port}"), format!("cannot listen on 127.0.0.1:{port}")),
        ("gateway.yaml --port 0 --admin-port 0".to_owned(), "pool.jsonl".to_owned()),
        ("none.yaml".to_owned(), "no such file".to_owned()),
        ("alone.yaml --admin-port 0".to_owned(), "`--admin-port` has no effect".to_owned()),
    ] {
        let ran = sandbox.run(&format!("gateway {args}"));
        assert_eq!((ran.code, &*ran.out), (2, ""), "{ran}");
        assert!(ran.err.contains(&message) && !ran.err.contains("planted"), "{ran}");
    }
}
