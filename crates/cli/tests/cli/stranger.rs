//! `firedrill run --target URL`: a gateway that is not ours, as small as one can be.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};

use crate::sandbox::{PASSES, Sandbox};

/// It asks its upstream with one token, and says what that says. Lives as long as the test.
fn gateway(upstream: SocketAddr, token: &'static str, wants: &'static str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    std::thread::spawn(move || {
        for mut client in listener.incoming().map_while(Result::ok) {
            let request = read(&mut client);
            let (head, body) = request.split_once("\r\n\r\n").unwrap_or_default();
            if !head.contains(wants) {
                let _ = client.write_all(b"HTTP/1.1 401 No\r\ncontent-length: 11\r\n\r\nwho is this");
                continue;
            }
            let mut stream = TcpStream::connect(upstream).expect("the mock provider listens");
            write!(
                stream,
                "POST /v1/chat/completions HTTP/1.1\r\nhost: mock\r\nauthorization: Bearer {token}\r\n\
                 connection: close\r\ncontent-length: {}\r\n\r\n{body}",
                body.len()
            )
            .expect("it is read");
            let mut answer = Vec::new();
            stream.read_to_end(&mut answer).expect("an answer");
            let _ = client.write_all(&answer);
        }
    });
    address
}

fn read(client: &mut TcpStream) -> String {
    let (mut text, mut piece) = (String::new(), [0; 4096]);
    loop {
        let count = client.read(&mut piece).expect("a request");
        text.push_str(&String::from_utf8_lossy(&piece[..count]));
        let length = text.lines().find_map(|line| line.strip_prefix("content-length: "));
        let length = length.and_then(|length| length.parse::<usize>().ok()).unwrap_or_default();
        if count == 0 || text.split_once("\r\n\r\n").is_some_and(|(_, body)| body.len() >= length) {
            return text;
        }
    }
}

/// An address that was free just now.
fn free() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address")
}

const ONE: &str = "\
scenario: what the provider says is what the client hears
provider:
  apiTokens: [sk-a]
  failover: { enabled: true, failureThreshold: 9, cooldownDuration: 1000 }
upstream: { sk-a: [429, 200] }
steps:
  - request: { draws: sk-a, expect: { status: 429 } }
  - request: { expect: { status: 200, calls: { sk-a: 1 }, fallback: false } }
  - expect: { available: [sk-a] }
";

#[test]
fn what_can_be_asked_is_judged_and_the_rest_is_counted() {
    let sandbox = Sandbox::new();
    let mock = free();
    let gateway = gateway(mock, "sk-a", "x-key: hidden\r\n");
    sandbox.write("1.yaml", ONE);
    sandbox.write("2.yaml", PASSES);
    let args = format!("--target http://{gateway} --mock-listen {mock} --header x-key:env:KEY");
    let run = |files: &str| sandbox.run_with(&format!("run {files} {args}"), &[("KEY", "hidden")], "");
    let ran = run("1.yaml");
    assert_eq!(ran.code, 0, "{ran}");
    assert!(
        ran.out.contains("pass  1.yaml  what the provider says is what the client hears (2 skipped)\n"),
        "{ran}"
    );
    assert!(ran.out.ends_with("\n2 skipped steps; -v shows more\n"), "{ran}");
    let ran = run("1.yaml -v");
    let skipped =
        "skipped line 8: `fallback`: whether a draw was a fallback only the\n        gateway knows\n";
    assert!(ran.out.contains(skipped), "{ran}");
    // Alone it says nothing, and that is no pass.
    let ran = run("2.yaml");
    assert_eq!(ran.code, 2, "{ran}");
    assert!(ran.out.contains("skip  2.yaml"), "{ran}");
    assert!(ran.out.contains("line 8: which token is drawn is for the gateway to say"), "{ran}");
    assert!(ran.out.contains("\n0 passed, 0 failed, 0 could not run, 1 not judged in "), "{ran}");
    let ran = run("1.yaml 2.yaml --format json");
    assert_eq!(ran.code, 0, "{ran}");
    assert!(ran.out.contains("\"notJudged\": 1,"), "{ran}");
    assert!(ran.out.contains("\"verdict\": \"notJudged\""), "{ran}");
    assert!(ran.out.contains("\"reason\": \"what its pool is like only the gateway itself knows\""), "{ran}");
    assert!(run("1.yaml 2.yaml --format junit").out.contains("skipped=\"1\""), "{ran}");
}

#[test]
fn a_failure_shows_what_was_seen_and_how_to_see_it_again() {
    let sandbox = Sandbox::new();
    let mock = free();
    let gateway = gateway(mock, "sk-a", "");
    sandbox.write("1.yaml", ONE.replace("status: 200", "status: 201"));
    let ran =
        sandbox.run(&format!("run 1.yaml --target http://{gateway} --mock-listen {mock} --time-scale 0.5"));
    assert_eq!(ran.code, 1, "{ran}");
    assert!(ran.out.contains("status  201       200\n"), "{ran}");
    assert!(ran.out.contains("  a client saw: 429; the provider: sk-a 429\n"), "{ran}");
    let again = format!(
        "firedrill run 1.yaml --seed 0 --target http://{gateway} --mock-listen {mock} --time-scale 0.5\n"
    );
    assert!(ran.out.contains(&again), "{ran}");
}

#[test]
fn a_gateway_that_is_not_ready_could_not_run_and_says_what_to_do() {
    let sandbox = Sandbox::new();
    sandbox.write("1.yaml", ONE);
    let check = |token, wants, expect: &[&str]| {
        let mock = free();
        let gateway = gateway(mock, token, wants);
        let ran = sandbox.run(&format!("run 1.yaml --target http://{gateway} --mock-listen {mock}"));
        assert_eq!(ran.code, 2, "{ran}");
        for expect in expect {
            assert!(ran.out.contains(expect), "{ran}");
        }
        assert!(ran.out.contains("\n0 passed, 0 failed, 1 could not run in "), "{ran}");
    };
    let key = "sk-proj-aB3dE5fG7hJ9kL2mN4pQ6rS8";
    check(key, "", &["a token that the scenario does not have", "token-3b1f711b18b5", "1.yaml:7:5"]);
    check(
        "sk-a",
        "x-key",
        &["the gateway answered 401 (`who is this`)", "its upstream should be http://127.0.0.1:"],
    );
    let ran = sandbox.run("run 1.yaml --mock-listen 127.0.0.1:0 --format json --target http://127.0.0.1:1");
    assert!(
        ran.out.contains("\"verdict\": \"couldNotRun\"") && ran.out.contains("cannot be reached"),
        "{ran}"
    );
}

#[test]
fn what_cannot_be_meant_is_refused_before_anything_is_asked() {
    let sandbox = Sandbox::new();
    sandbox.write("1.yaml", ONE);
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let taken = taken.local_addr().expect("an address");
    let key = "sk-proj-aB3dE5fG7hJ9kL2mN4pQ6rS8";
    let url = "--target http://127.0.0.1:1";
    for (args, expect) in [
        ("--target engin".to_owned(), "unknown target `engin`, did you mean `engine`?"),
        ("--target https://a.b".to_owned(), "expected `http://`: TLS is not spoken here"),
        ("--target localhost:80".to_owned(), "expected a URL such as `http://127.0.0.1:8080`"),
        (url.to_owned(), "a gateway at a URL needs `--mock-listen`"),
        (
            format!("{url} --mock-listen {taken}"),
            "the mock provider cannot start: cannot listen on 127.0.0.1:",
        ),
        (format!("{url} --mock-listen nowhere"), "invalid value 'nowhere' for '--mock-listen <IP:PORT>'"),
        (
            format!("{url} --mock-listen 127.0.0.1:0 --time-scale 0"),
            "expected a share from `0.001` to `1000`",
        ),
        (
            format!("{url} --mock-listen nowhere"),
            "expected an address with its port, such as `127.0.0.1:4141`",
        ),
        (format!("{url} --mock-listen 127.0.0.1:0 --timeout 10"), "expected a length of time"),
        (format!("{url} --mock-listen 127.0.0.1:0 --timeout 0ms"), "expected a length of time above zero"),
        ("--target http://me:planted@127.0.0.1:1".to_owned(), "expected a URL without a name and a password"),
        #[cfg(target_os = "linux")]
        (format!("{url} --mock-listen 127.0.0.1:0 --header x:file:/dev/zero"), "it is larger than 64 KiB"),
        (
            format!("{url} --mock-listen 127.0.0.1:0 --path v1"),
            "expected a path such as `/v1/chat/completions`",
        ),
        (format!("{url} --mock-listen 127.0.0.1:0 --mock-type opanai"), "expected a dialect"),
        (
            format!("{url} --mock-listen 127.0.0.1:0 --header x:env:NOT_THERE"),
            "the environment has no `NOT_THERE`",
        ),
        (format!("{url} --mock-listen 127.0.0.1:0 --header x:{key}"), "has what looks like a real key"),
        (format!("{url} --mock-listen 127.0.0.1:0 --log logs"), "`--log` needs a target that tells its log"),
        ("--time-scale 0.1".to_owned(), "`--time-scale` is for a gateway at a URL"),
    ] {
        let ran = sandbox.run(&format!("run 1.yaml {args}"));
        assert_eq!((ran.code, &*ran.out), (2, ""), "{ran}");
        assert!(ran.err.contains(expect), "{ran}");
        assert!(!ran.err.contains("aB3dE5fG7hJ9") && !ran.err.contains("planted"), "{ran}");
    }
}

#[test]
#[cfg(unix)]
fn an_interrupt_ends_a_wait() {
    use std::process::{Command, Stdio};

    let sandbox = Sandbox::new();
    let mock = free();
    let gateway = gateway(mock, "sk-a", "");
    let waits = ONE.replace("  - expect: { available", "  - advance: 1h\n  - expect: { available");
    sandbox.write("1.yaml", waits.replace("status: 429", "status: 429, calls: 1"));
    let child = Command::new(assert_cmd::cargo::cargo_bin!("firedrill"))
        .args(["run", "1.yaml", "--target", &format!("http://{gateway}"), "--mock-listen", &mock.to_string()])
        .current_dir(sandbox.path(""))
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    // Once the mock provider listens, Ctrl-C is heard.
    while TcpStream::connect(mock).is_err() {
        std::thread::yield_now();
    }
    let kill = Command::new("kill").args(["-INT", &child.id().to_string()]).status();
    assert!(kill.expect("a signal").success());
    let output = child.wait_with_output().expect("it ends");
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(130), "{text}");
    assert!(text.contains("0 passed, 0 failed, 0 could not run, 1 not run in "), "{text}");
    assert!(text.ends_with("interrupted: this is not all of it\n"), "{text}");
}
