//! What an error of the server means: it is away and comes back, or somebody must do something.

use redis::{ErrorKind, RedisError};

use super::mirror::Damage;
use super::script::Garbage;
use super::settings::Server;

/// Why the server did not do what it was asked.
#[derive(Clone, Debug)]
pub(super) enum Fault {
    /// For now. The next attempt, perhaps on a new connection, may succeed.
    Away(String),
    /// Until somebody does something.
    Denied { why: String, remedy: &'static str },
    /// What is kept is not what was written there.
    Damaged { place: String, why: String },
}

/// The words of the server for what passes. They stand anywhere in its text, for what failed within a script is told in
/// one of several ways.
const PASSES: [&str; 6] = ["READONLY", "OOM", "MISCONF", "NOREPLICAS", "MASTERDOWN", "LOADING"];

/// Its words for what does not pass by itself, and what helps.
const REMEDIES: [(&str, &str); 10] = [
    ("WRONGPASS", LOGIN),
    ("NOAUTH", LOGIN),
    ("authentication failed", LOGIN),
    ("NOPERM", RIGHTS),
    ("can't run this command", RIGHTS),
    ("can't access", RIGHTS),
    ("refused to switch database", "the server has no database of the number in the URL"),
    (
        "certificate",
        "check `certificates`, and that the host in the URL is the one that the server's certificate names",
    ),
    ("WRONGTYPE", "something else is kept under the keys of the log: choose another prefix"),
    (
        "user_script",
        "the server is older than Redis 6.2, or somebody else has written to the keys of the log: delete them",
    ),
];
const LOGIN: &str = "check the user and the password in the URL";
const RIGHTS: &str = "allow the user the commands and the keys that `docs/redis.md` lists";

/// What the server says when another one, or a later moment, may serve.
const ELSEWHERE: [&str; 7] =
    ["READONLY", "MOVED", "LOADING", "MASTERDOWN", "CLUSTERDOWN", "UNBLOCKED", "NOAUTH"];

/// Whether a new connection may lead further than the one on which this was said.
pub(super) fn wants_another_connection(error: &RedisError) -> bool {
    let said = |word: &&str| error.code() == Some(word) || error.to_string().contains(*word);
    error.is_io_error() || error.is_unrecoverable_error() || ELSEWHERE.iter().any(said)
}

impl Fault {
    pub(super) fn of(server: &Server, error: &RedisError) -> Self {
        let text = match (error.code(), error.detail()) {
            (Some(code), Some(detail)) => format!("{code} {detail}"),
            _ => error.to_string(),
        };
        let why = server.scrubbed(&text);
        let said = |word: &str| why.contains(word) || error.to_string().contains(word);
        if PASSES.iter().any(|word| said(word)) {
            return Self::Away(why);
        }
        match REMEDIES.iter().find(|(word, _)| said(word)) {
            Some((_, remedy)) => Self::Denied { why, remedy },
            None if error.kind() == ErrorKind::InvalidClientConfig => {
                Self::Denied { why, remedy: "check the URL and the certificates" }
            }
            None => Self::Away(why),
        }
    }
}

impl From<Damage> for Fault {
    fn from(Damage { version, why }: Damage) -> Self {
        Self::Damaged { place: format!("version {version}"), why }
    }
}

impl From<Garbage> for Fault {
    fn from(Garbage { place, why }: Garbage) -> Self {
        Self::Damaged { place, why }
    }
}
