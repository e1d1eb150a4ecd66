//! What must hold of whatever is sent to an admin: only who has authority is told, and orders; and no secret is shown to anybody.
//! Who has it is read here from the bytes alone.

use std::net::Ipv6Addr;

use crate::judge::{TOKEN, shows_nothing};
use crate::strict::{self, Answer, Asked, values};

/// What the admin wants that is guarded by a token.
pub(crate) const ADMIN: &str = "admin-3Xc5vB7nM9kJ2hG4fD6sA8pQ";

/// What the token of the pool is called. Strangers are not told that either.
pub(crate) const LABEL: &str = "known-as";

/// What stands in nothing that a stranger is told.
const PRIVATE: [&str; 5] = [LABEL, "\"tokens\"", "firedrill_", "<html", "text/event-stream"];

/// What guards an admin.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Guard {
    /// [`ADMIN`].
    Token,
    /// That it is asked by a name of this machine, and ordered as no page of another host can.
    Machine,
}

/// What was sent to an admin, what it answered, and whether its pool is another than before.
pub(crate) struct Case<'a> {
    pub guard: Guard,
    pub sent: &'a [u8],
    pub answered: &'a [u8],
    pub changed: bool,
}

impl Case<'_> {
    /// What does not hold.
    ///
    /// # Errors
    /// That.
    pub(crate) fn judge(&self) -> Result<(), String> {
        shows_nothing(self.answered, TOKEN, self.sent)?;
        shows_nothing(self.answered, ADMIN, self.sent)?;
        let (meant, _) = strict::requests(self.sent);
        // What comes after those may still be understood by whoever is less strict.
        let rest = &self.sent[meant.last().map_or(0, |(_, end)| *end)..];
        let methods = strict::methods(self.sent, &meant);
        let (answers, _) = strict::answers(self.answered, &methods);
        for (number, answer) in answers.iter().enumerate() {
            let may = match meant.get(number) {
                Some((asked, _)) => self.guard.admits(asked),
                None => self.guard.could_admit(rest),
            };
            if !may && !is_for_all(answer) {
                return Err(format!("a stranger is told: {answer:?}"));
            }
        }
        let anybody = meant.iter().any(|(asked, _)| self.guard.admits(asked)) || self.guard.could_admit(rest);
        if let Some(private) = PRIVATE.iter().find(|private| has(self.answered, private) && !anybody) {
            return Err(format!("{private} is told to a stranger"));
        }
        let could_order = self.guard.could_admit(rest) && has(rest, "POST") && has(rest, "/tokens/");
        if self.changed && !could_order && !meant.iter().any(|(asked, _)| self.guard.lets_order(asked)) {
            return Err("the pool is another, and nobody had the authority to order that".to_owned());
        }
        Ok(())
    }
}

impl Guard {
    /// Whether who asks this may be told.
    fn admits(self, asked: &Asked) -> bool {
        match self {
            Self::Token => {
                let given: Vec<&[u8]> = values(&asked.fields, "authorization").collect();
                let [given] = given[..] else { return false };
                let given = String::from_utf8_lossy(given);
                given
                    .split_once(' ')
                    .is_some_and(|(scheme, token)| scheme.eq_ignore_ascii_case("bearer") && token == ADMIN)
            }
            Self::Machine => {
                let hosts: Vec<&[u8]> = values(&asked.fields, "host").collect();
                matches!(hosts[..], [host] if is_this_machine(&String::from_utf8_lossy(host)))
            }
        }
    }

    fn lets_order(self, asked: &Asked) -> bool {
        let kinds: Vec<String> = values(&asked.fields, "content-type")
            .map(|kind| String::from_utf8_lossy(kind).to_ascii_lowercase())
            .collect();
        let as_no_page_can = match &kinds[..] {
            [kind] => kind.split(';').next().is_some_and(|kind| kind.trim() == "application/json"),
            _ => false,
        };
        self.admits(asked)
            && asked.method == "POST"
            && asked.target.contains("/tokens/")
            && (self == Self::Token || as_no_page_can)
    }

    /// Whether `bytes`, which are no request, hold anything that could be taken for authority.
    fn could_admit(self, bytes: &[u8]) -> bool {
        match self {
            Self::Token => has(bytes, ADMIN),
            Self::Machine => {
                let bytes = bytes.to_ascii_lowercase();
                ["localhost", "127.", "[::1]"].iter().any(|name| has(&bytes, name))
            }
        }
    }
}

/// Whether `host` names this machine, with or without a port.
fn is_this_machine(host: &str) -> bool {
    let host = host.to_ascii_lowercase();
    let (name, port) = match host.rfind(':') {
        Some(colon) if !host[colon..].contains(']') => (&host[..colon], &host[colon + 1..]),
        _ => (&*host, ""),
    };
    let is_byte = |part: &str| !part.starts_with('+') && part.parse::<u8>().is_ok();
    let is_127 = || {
        let parts: Vec<&str> = name.split('.').collect();
        parts.len() == 4 && parts[0] == "127" && parts.into_iter().all(is_byte)
    };
    let is_1 = || {
        let inner = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        inner.is_some_and(|inner| inner.parse() == Ok(Ipv6Addr::LOCALHOST))
    };
    port.bytes().all(|byte| byte.is_ascii_digit()) && (name == "localhost" || is_127() || is_1())
}

/// Whether anybody may be told this: that it is well or not, or that he may not be told.
fn is_for_all(answer: &Answer) -> bool {
    let is_private = PRIVATE.iter().any(|private| has(&answer.body, private));
    let is_health = values(&answer.fields, "content-type").eq([b"text/plain; charset=utf-8"]);
    match answer.status {
        400 | 401 | 403 | 414 | 431 | 501 | 505 => !is_private,
        200 | 503 => is_health && answer.body.len() < 64 && !is_private,
        _ => false,
    }
}

fn has(bytes: &[u8], part: &str) -> bool {
    bytes.windows(part.len()).any(|window| window == part.as_bytes())
}
