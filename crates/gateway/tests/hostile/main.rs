//! Whatever bytes a client sends: what goes upstream is what they say, and no secret is shown. Mutations of good requests, by a
//! seed; `fuzz/` looks further, with the same judge, and from the same good requests.

mod authority;
mod exchange;
mod judge;
mod mutated;
mod operated;
mod strict;
mod world;

use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner};

use crate::authority::{ADMIN, Guard};
use crate::judge::{Case, TOKEN};
use crate::operated::Operated;
use crate::strict::{Asked, End};
use crate::world::World;

const CASES: u32 = 500;

#[track_caller]
fn check(target: &str, judge: impl Fn(&[u8]) -> Result<(), String>) {
    for (name, seed) in mutated::seeds(target) {
        judge(&seed).unwrap_or_else(|wrong| panic!("{wrong}: seed `{name}`"));
    }
    let config = Config { cases: CASES, failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let ran = runner.run(&mutated::strategy(mutated::templates(target)), |bytes| {
        judge(&bytes)
            .map_err(|wrong| TestCaseError::fail(format!("{wrong}\n{:?}", String::from_utf8_lossy(&bytes))))
    });
    if let Err(wrong) = ran {
        panic!("{wrong}");
    }
}

#[test]
fn what_goes_upstream_is_what_the_bytes_say_and_no_secret_is_shown() {
    let world = World::start();
    check("requests", |bytes| world.judge(bytes));
}

#[test]
fn the_admin_tells_no_stranger_obeys_none_and_shows_no_secret() {
    let operated = Operated::start();
    check("admin", |bytes| operated.judge(bytes));
}

/// What is wrong with `upstream` and `answered` for a plain request.
fn judged(change: impl FnOnce(&mut Asked), times: usize, answered: &str) -> Result<(), String> {
    let sent = b"POST /v1 HTTP/1.1\r\nhost: g\r\nauthorization: Bearer sk-mine\r\nx-a: 1\r\ncontent-length: 2\r\n\r\nhi";
    let (meant, _) = strict::requests(sent);
    let mut asked = meant[0].0.clone();
    asked.fields = [
        ("host", "up"),
        ("authorization", &format!("Bearer {TOKEN}")),
        ("accept-encoding", "identity"),
        ("x-a", "1"),
        ("content-length", "2"),
    ]
    .map(|(name, value)| (name.to_owned(), value.as_bytes().to_vec()))
    .to_vec();
    change(&mut asked);
    let upstream = vec![asked; times];
    Case { sent, upstream: &upstream, host: "up", answered: answered.as_bytes() }.judge()
}

#[test]
fn a_gateway_that_is_wrong_is_seen() {
    const GOOD: &str = "HTTP/1.1 200 OK\r\nx-upstream: yes\r\ncontent-length: 2\r\n\r\nhi";
    let nothing = |_: &mut Asked| {};
    let field = |name: &'static str, value: &'static str| {
        move |asked: &mut Asked| asked.fields.push((name.to_owned(), value.as_bytes().to_vec()))
    };
    assert_eq!(judged(nothing, 1, GOOD), Ok(()));
    let wrong = [
        // Asked twice; another body; another path; a field that the client did not send.
        judged(nothing, 2, &GOOD.repeat(2)),
        judged(|asked| asked.body.push(b'!'), 1, GOOD),
        judged(|asked| asked.target.push('x'), 1, GOOD),
        judged(field("x-b", "1"), 1, GOOD),
        // The client's credentials.
        judged(field("cookie", "a=b"), 1, GOOD),
        judged(field("x-api-key", "sk-mine"), 1, GOOD),
        judged(|asked| asked.fields[1].1 = b"Bearer sk-mine".to_vec(), 1, GOOD),
        // A token that comes back, or half of it.
        judged(nothing, 1, &GOOD.replace("OK", TOKEN)),
        judged(nothing, 1, &GOOD.replace("hi", &TOKEN[..16]).replace(": 2", ": 16")),
        // An answer too few, one too many, and one that is none.
        judged(nothing, 1, ""),
        judged(nothing, 1, &GOOD.repeat(2)),
        judged(nothing, 1, &format!("{GOOD}x")),
    ];
    for (number, judged) in wrong.iter().enumerate() {
        assert!(judged.is_err(), "number {number} is not seen");
    }
}

#[test]
fn the_strict_reader_takes_what_is_meant_in_one_way() {
    let seeds = mutated::seeds("requests");
    let (_, chunks) = seeds.iter().find(|(name, _)| name == "chunks").expect("a seed");
    let (asked, end) = strict::requests(chunks);
    assert_eq!((asked.len(), end), (1, End::Clean));
    assert_eq!(asked[0].0.body, b"hello world");
    assert!(mutated::templates("requests").len() >= 7, "most seeds are one request");
    for wrong in [
        "POST / HTTP/1.1\r\nhost: g\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n",
        "POST / HTTP/1.1\r\nhost: g\r\ncontent-length: 1\r\ncontent-length: 1\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: g\n\r\n",
        "GET /#a HTTP/1.1\r\nhost: g\r\n\r\n",
        "GET / HTTP/1.0\r\ntransfer-encoding: chunked\r\n\r\n",
        "POST / HTTP/1.1\r\nhost: g\r\ntransfer-encoding: chunked\r\n\r\n1\r\nab\r\n",
        "GET / HTTP/1.1\r\n\r\n",
    ] {
        assert!(
            matches!(strict::requests(wrong.as_bytes()), (asked, End::Wrong(_)) if asked.is_empty()),
            "{wrong:?}"
        );
    }
}

/// What the judge of an admin says of `answered`, and of a pool that is another since.
fn judged_admin(guard: Guard, sent: &str, answered: &str, changed: bool) -> Result<(), String> {
    authority::Case { guard, sent: sent.as_bytes(), answered: answered.as_bytes(), changed }.judge()
}

#[test]
fn an_admin_that_is_wrong_is_seen() {
    use Guard::{Machine, Token};

    const ORDER: &str = "POST /tokens/known-as/out HTTP/1.1\r\n";
    const STATE: &str = "HTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\n\"tokens\"";
    const NOT_YOU: &str = "HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\n\r\n";
    let named = format!("authorization: Bearer {ADMIN}\r\n");
    let asks = |line: &str, fields: &str| format!("{line}host: localhost\r\n{fields}\r\n");
    let get = |fields: &str| asks("GET /state HTTP/1.1\r\n", fields);
    let of_a_page = "GET /state HTTP/1.1\r\nhost: example.com\r\n\r\n";
    let json = "content-type: application/json\r\n";
    for right in [
        judged_admin(Token, &get(&named), STATE, false),
        judged_admin(Token, &get(""), NOT_YOU, false),
        judged_admin(Token, &asks(ORDER, &named), STATE, true),
        judged_admin(Machine, &get(""), STATE, false),
        judged_admin(Machine, &asks(ORDER, json), STATE, true),
    ] {
        assert_eq!(right, Ok(()));
    }
    let wrong = [
        judged_admin(Token, &get(""), STATE, false),
        judged_admin(Token, &get(&named.replace("pQ", "pq")), STATE, false),
        judged_admin(Token, &get(&named.repeat(2)), STATE, false),
        // The second of two is a stranger's.
        judged_admin(Token, &(get(&named) + &get("")), &STATE.repeat(2), false),
        judged_admin(Token, &get(&named), &STATE.replace("OK", TOKEN), false),
        judged_admin(Token, &get(""), &NOT_YOU.replace("Unauthorized", ADMIN), false),
        judged_admin(Token, &asks(ORDER, ""), NOT_YOU, true),
        judged_admin(Token, &asks(&ORDER.replace("POST", "GET"), &named), STATE, true),
        judged_admin(Machine, of_a_page, STATE, false),
        judged_admin(Machine, &asks(ORDER, "content-type: text/plain\r\n"), STATE, true),
        judged_admin(Machine, &asks(ORDER, &json.repeat(2)), STATE, true),
        judged_admin(Machine, "GET /state HTTP/1.0\r\n\r\n", STATE, false),
    ];
    for (number, judged) in wrong.iter().enumerate() {
        assert!(judged.is_err(), "number {number} is not seen");
    }
}

#[test]
fn half_of_a_token_is_seen_wherever_it_stands() {
    for secret in [TOKEN, ADMIN] {
        let half = secret.len() / 2;
        for part in secret.as_bytes().windows(half) {
            for before in 0..secret.len() {
                let bytes = [&b"x".repeat(before), part, b"y"].concat();
                assert!(judge::shows_nothing(&bytes, secret, b"").is_err(), "{before} bytes before it");
                assert_eq!(judge::shows_nothing(&bytes, secret, part), Ok(()), "who is told knew it");
            }
        }
        assert_eq!(judge::shows_nothing(&secret.as_bytes()[..half - 1], secret, b""), Ok(()));
    }
}
