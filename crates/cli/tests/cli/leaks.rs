//! No byte that the binary prints, serves or writes shows a token, nor half of one: a gateway and a mock at their most talkative,
//! through failures that echo the key, reloads, and files that are wrong.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::sandbox::Sandbox;
use crate::search::{Search, listed};

// All of them are made up, and listed in `.ci/secrets.txt`.
const LITERAL: &str = "sk-proj-Zq4Wm8Xt1Rv6Ny3Kc9Hb5Jd2Lf7Pg0Sa";
const OF_THE_ENVIRONMENT: &str = "sk-env-Tn7Bw2Qk9Xe4Vr1Mz6Yc3Hu8Jp5Lg0Fd";
const OF_A_FILE: &str = "sk-file-Gh3Ks8Dp1Wv6Xb9Nc4Rt7Zm2Qy5Lj0Ea";
const TURNED: &str = "sk-next-Uc5Yf0Jq7Bn2Hx9Tw4Ms1Ev6Kz3Rd8Pg";
const OF_THE_ADMIN: &str = "admin-Vx8Lc3Ng6Wt1Qh9Zb4Kf7Dr2Yp5Mj0Su";
const OF_THE_CLIENT: &str = "sk-mine-Rk2Zt7Hv0Cw5Nx8Fb3Jm6Pd9Gs1Qy4Le";
const ALL: [&str; 6] = [LITERAL, OF_THE_ENVIRONMENT, OF_A_FILE, TURNED, OF_THE_ADMIN, OF_THE_CLIENT];

const QUESTION: &str = r#"{"model":"gpt-4o","messages":[{"role":"user","content":"Hello?"}]}"#;

/// Everything that was printed, served or written, by what it is.
#[derive(Default)]
struct Told(Vec<(String, Vec<u8>)>);

impl Told {
    fn hear(&mut self, what: &str, bytes: impl Into<Vec<u8>>) {
        self.0.push((what.to_owned(), bytes.into()));
    }

    #[track_caller]
    fn assert_hidden(&self) {
        let search = Search::new(ALL);
        for (what, bytes) in &self.0 {
            search.assert_hidden(what, bytes);
        }
    }
}

#[test]
fn a_secret_that_is_planted_is_found() {
    let search = Search::new(ALL);
    search.prove(ALL);
    for secret in ALL {
        assert_eq!(search.shown(&secret.as_bytes()[..secret.len() / 2 - 1]), None, "less than half of it");
    }
    // And by what every run of the binary is searched with.
    let listed: Vec<&str> = listed().collect();
    assert!(ALL.iter().all(|secret| listed.contains(secret)), "all of them are listed");
    Search::new(listed.iter().copied()).prove(listed.iter().copied());
}

/// A server of the binary's, killed when it is dropped. What it prints goes to files.
struct Served {
    child: Child,
    line: Value,
    name: &'static str,
}

impl Drop for Served {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn serve(sandbox: &Sandbox, name: &'static str, args: &str) -> Served {
    let err = std::fs::File::create(sandbox.path(&format!("{name}.err"))).expect("a file");
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("firedrill"));
    command.current_dir(sandbox.path("")).args(args.split_whitespace());
    command.env("POOL_TOKEN", OF_THE_ENVIRONMENT).env("ADMIN_TOKEN", OF_THE_ADMIN);
    let mut child = command.stdout(Stdio::piped()).stderr(err).spawn().expect("it starts");
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().expect("a pipe")).read_line(&mut line).expect("a line");
    Served { child, line: serde_json::from_str(&line).expect("JSON"), name }
}

impl Served {
    fn address(&self, key: &str) -> String {
        self.line[key].as_str().expect("an address").replace("http://", "")
    }

    fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args([name, &pid]).status().expect("kill").success());
    }

    /// Has it end, and hears what it printed.
    fn end(mut self, sandbox: &Sandbox, told: &mut Told) {
        self.signal("-TERM");
        let mut rest = Vec::new();
        self.child.stdout.as_mut().expect("a pipe").read_to_end(&mut rest).expect("read");
        self.child.wait().expect("it ends");
        told.hear(&format!("what {} printed", self.name), format!("{}{rest:?}", self.line));
        let err = sandbox.read(&format!("{}.err", self.name));
        assert!(!err.is_empty(), "it is asked to log all");
        told.hear(&format!("the log lines of {}", self.name), err);
    }
}

/// What comes back, until the connection ends or pauses.
fn ask(address: &str, head: &str, fields: &str, body: &str) -> Vec<u8> {
    let mut stream = TcpStream::connect(address).expect("it listens");
    stream
        .set_read_timeout(Some(if head.contains("/events") {
            Duration::from_millis(500)
        } else {
            Duration::from_secs(20)
        }))
        .expect("set");
    let length = body.len();
    let fields = format!("host: localhost\r\nconnection: close\r\ncontent-length: {length}\r\n{fields}");
    write!(stream, "{head} HTTP/1.1\r\n{fields}\r\n{body}").expect("written");
    let mut read = Vec::new();
    // A stream of events does not end, and a body that breaks off may be reset.
    let _ = stream.read_to_end(&mut read);
    read
}

/// An upstream that echoes the head of every request, with the key, in its header and its body; first as an error, then as an
/// answer, then as one that breaks off.
fn echoing() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    std::thread::spawn(move || {
        for (stream, status) in listener.incoming().zip([401, 200, 429, 503, 200, 403].into_iter().cycle()) {
            let Ok(mut stream) = stream else { return };
            let (mut read, mut piece) = (Vec::new(), [0; 4096]);
            // Questions and probes end so.
            while !read.ends_with(b"}") {
                match stream.read(&mut piece) {
                    Ok(length) if length > 0 => read.extend_from_slice(&piece[..length]),
                    _ => break,
                }
            }
            let head = String::from_utf8_lossy(&read).into_owned();
            let key = head.lines().find_map(|line| line.strip_prefix("authorization: ")).unwrap_or_default();
            let body = format!(r#"{{"error":{{"message":"incorrect key: {key}","request":{head:?}}}}}"#);
            let promised = body.len() + if status == 200 { 10 } else { 0 };
            // Who asked may be gone.
            let _ = write!(
                stream,
                "HTTP/1.1 {status} {key}\r\nx-echo: {key}\r\ncontent-length: {promised}\r\nconnection: close\r\n\r\n{body}"
            );
        }
    });
    address
}

fn file(upstream: &str, tokens: &str, log: &str) -> String {
    format!(
        "provider:\n  type: openai\n  apiTokens: [{tokens}]\n  failover: {{ enabled: true, failureThreshold: 1, \
         cooldownDuration: 50, healthCheckInterval: 20, healthCheckModel: small }}\n  retryOnFailure: {{ enabled: true }}\n\
         upstream: http://{upstream}\nadmin: {{ listen: 127.0.0.1:0, token: env:ADMIN_TOKEN }}\n\
         store: {{ file: pool-{log}.jsonl }}\nlog: {log}\n"
    )
}

/// Files that are wrong, each with a secret where none belongs or where it cannot be used.
fn wrong_files() -> Vec<String> {
    let good = file("127.0.0.1:9", LITERAL, "pretty");
    vec![
        file("127.0.0.1:9", &format!("'{LITERAL} '"), "pretty"),
        file("127.0.0.1:9", &format!("{LITERAL}, {LITERAL}"), "pretty"),
        file("127.0.0.1:9", &format!("[{LITERAL}]"), "pretty"),
        file("127.0.0.1:9", &format!("{{ {LITERAL}: {OF_A_FILE} }}"), "pretty"),
        file(&format!("{LITERAL}@127.0.0.1:9"), "sk-a", "pretty"),
        file(&format!("127.0.0.1:9/?key={LITERAL}"), "sk-a", "pretty"),
        // Where a name or a path is meant, and where a variable holds more than a line.
        file("127.0.0.1:9", &format!("env:{LITERAL}"), "pretty"),
        file("127.0.0.1:9", &format!("'file:{LITERAL}'"), "pretty"),
        file("127.0.0.1:9", &format!("'env: {LITERAL}'"), "pretty"),
        file("127.0.0.1:9", "env:BROKEN_TOKEN", "pretty"),
        good.replace("env:ADMIN_TOKEN", "env:BROKEN_TOKEN"),
        good.replace("env:ADMIN_TOKEN", &format!("env:{OF_THE_ADMIN}")),
        good.replace("{ file: pool-pretty.jsonl }", &format!("{{ redis: '{LITERAL}' }}")),
        good.replace(
            "{ file: pool-pretty.jsonl }",
            &format!("{{ redis: 'redis://me:{LITERAL}@host:port/0' }}"),
        ),
        good.replace(
            "{ file: pool-pretty.jsonl }",
            &format!("{{ redis: 'redis://:{LITERAL}@host:6379/{LITERAL}' }}"),
        ),
        good.replace("{ file: pool-pretty.jsonl }", &format!("{{ {LITERAL}: 1 }}")),
        good.replace("type: openai", &format!("type: {LITERAL}")),
        good.replace("  type:", &format!("  {LITERAL}: 1\n  type:")),
        good.replace("log: pretty", &format!("log: {LITERAL}")),
        good.replace("listen: 127.0.0.1:0", &format!("listen: {LITERAL}")),
        good.replace("cooldownDuration: 50", &format!("cooldownDuration: {LITERAL}")),
        good.replace("env:ADMIN_TOKEN", &format!("'{OF_THE_ADMIN} x'")),
        good.replace("]\n", "\n"),
        format!("{good}{LITERAL}\n"),
    ]
}

/// A gateway before `upstream`, asked all that it can be asked, at its most talkative.
fn rehearse(sandbox: &Sandbox, told: &mut Told, upstream: &str, log: &'static str) {
    let tokens = format!("{LITERAL}, env:POOL_TOKEN, 'file:token'");
    sandbox.write("token", format!("{OF_A_FILE}\n"));
    sandbox.write("gateway.yaml", file(upstream, &tokens, log));
    let gateway = serve(sandbox, log, "gateway gateway.yaml --port 0 --admin-port 0 --verbose");
    let (clients, admin) = (gateway.address("gateway"), gateway.address("admin"));
    let pools = Search::new([LITERAL, OF_THE_ENVIRONMENT, OF_A_FILE, TURNED, OF_THE_ADMIN]);
    let ask_all = |told: &mut Told| {
        for (number, path) in
            ["/v1/chat/completions", "/v1/models?key=", "/v1/"].into_iter().cycle().take(9).enumerate()
        {
            let path = if number % 2 == 0 { path.to_owned() } else { format!("{path}{OF_THE_CLIENT}") };
            let mine = format!("authorization: Bearer {OF_THE_CLIENT}\r\nx-api-key: {OF_THE_CLIENT}\r\n");
            let answered = ask(&clients, &format!("POST {path}"), &mine, QUESTION);
            // What the client put into its own path may come back to it, as the echo that it is: not the pool's.
            pools.assert_hidden("an answer", answered);
        }
        told.hear("an answer to a wrong head", ask(&clients, &format!("POST {LITERAL}"), "x y\r\n", ""));
        let mine = format!("authorization: Bearer {OF_THE_ADMIN}\r\n");
        for path in ["/", "/state", "/metrics", "/healthz", "/readyz", "/nothing"] {
            for accept in ["", "accept: text/html\r\n", "accept: application/json\r\n"] {
                for fields in [format!("{mine}{accept}"), accept.to_owned()] {
                    told.hear(
                        &format!("{path} of the admin"),
                        ask(&admin, &format!("GET {path}"), &fields, ""),
                    );
                }
            }
        }
        told.hear("the events", ask(&admin, "GET /events?from=0", &mine, ""));
    };
    ask_all(told);
    let mine = format!("authorization: Bearer {OF_THE_ADMIN}\r\n");
    let until = |part: &str| {
        let mut state = String::new();
        for _ in 0..5_000 {
            state = String::from_utf8_lossy(&ask(&admin, "GET /state", &mine, "")).into_owned();
            if state.contains(part) {
                return;
            }
        }
        panic!("no {part} in time: {state}");
    };
    // The key turns; then the file is refused.
    sandbox.write("token", TURNED);
    gateway.signal("-HUP");
    until("\"reloads\": 1");
    ask_all(told);
    sandbox.write("gateway.yaml", wrong_files().swap_remove(0));
    gateway.signal("-HUP");
    until("\"refused\": {");
    ask_all(told);
    gateway.end(sandbox, told);
    let written = sandbox.read(&format!("pool-{log}.jsonl"));
    assert!(written.contains("failure") || written.contains("removed"), "failures are in the log: {written}");
    told.hear("the log", written);
    for format in ["human", "json"] {
        let ran = sandbox.run(&format!("replay pool-{log}.jsonl --format {format}"));
        assert_eq!(ran.code, 0, "{ran}");
        told.hear("the log, told", ran.to_string());
    }
}

#[test]
fn no_byte_shows_a_token_or_half_of_one() {
    let (sandbox, mut told) = (Sandbox::new(), Told::default());
    rehearse(&sandbox, &mut told, &echoing(), "json");

    sandbox.write("mocked", OF_A_FILE);
    sandbox.write(
        "mock.yaml",
        format!(
            "type: openai\ntokens: {{ {LITERAL}: first, 'file:mocked': second }}\nupstream:\n  first: {{ repeat: [429, 401, 200] }}\n  \
             second: {{ repeat: [{{ fault: reset }}, {{ status: 401 }}, 200] }}\n"
        ),
    );
    let mock = serve(&sandbox, "mock", "mock mock.yaml --port 0 --control-port 0");
    rehearse(&sandbox, &mut told, &mock.address("mock"), "pretty");
    for path in ["/state", "/journal", "/counts"] {
        told.hear(
            &format!("{path} of the mock"),
            ask(&mock.address("control"), &format!("GET {path}"), "", ""),
        );
    }
    mock.end(&sandbox, &mut told);

    for wrong in wrong_files() {
        sandbox.write("wrong.yaml", &wrong);
        for args in ["gateway wrong.yaml --check", "gateway wrong.yaml --check --verbose"] {
            let broken = format!("{OF_THE_ENVIRONMENT}\n{OF_A_FILE}");
            let variables = [("ADMIN_TOKEN", OF_THE_ADMIN), ("BROKEN_TOKEN", &*broken)];
            let ran = sandbox.run_with(args, &variables, "");
            // A key that is none of the block's is only warned of.
            assert!(ran.code == 2 || ran.err.contains("has no effect here"), "{wrong}{ran}");
            told.hear("what is said of a wrong file", ran.to_string());
        }
    }
    assert!(told.0.iter().map(|(_, bytes)| bytes.len()).sum::<usize>() > 50_000, "there is much to search");
    told.assert_hidden();
}
