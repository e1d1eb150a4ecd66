//! What must hold of whatever a client sends: nothing goes upstream but what the client's bytes say, read strictly; nothing of the
//! client's credentials; and no token comes back.

use crate::strict::{self, Answer, Asked, End, values};

/// The token of the pool.
pub(crate) const TOKEN: &str = "sk-pool-7Qw9eR2tY5uI8oP1aS4dF6gH";

/// What upstream marks its answers with.
pub(crate) const MARK: &str = "x-upstream";

/// What comes from a client and is not for upstream, beside what its `connection` names.
const NOT_FOR_UPSTREAM: [&str; 17] = [
    "connection",
    "keep-alive",
    "proxy-connection",
    "proxy-authenticate",
    "proxy-authorization",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "authorization",
    "x-api-key",
    "api-key",
    "x-goog-api-key",
    "cookie",
    "expect",
    "content-length",
    "host",
];

/// What a client sent, what upstream was asked for it, and what the client was sent.
pub(crate) struct Case<'a> {
    pub sent: &'a [u8],
    /// In the order in which it came, and where it went.
    pub upstream: &'a [Asked],
    pub host: &'a str,
    pub answered: &'a [u8],
}

impl Case<'_> {
    /// What does not hold.
    ///
    /// # Errors
    /// That.
    pub(crate) fn judge(&self) -> Result<(), String> {
        let (meant, _) = strict::requests(self.sent);
        let mut left = meant.iter().map(|(asked, _)| asked);
        for asked in self.upstream {
            self.is_good(asked)?;
            // What the gateway refuses by itself is passed over; nothing is there twice, or in another order.
            if !left.any(|meant| is_same(meant, asked)) {
                return Err(format!("upstream was asked what the client did not ask: {asked:?}"));
            }
        }
        let methods = strict::methods(self.sent, &meant);
        let (answers, end) = strict::answers(self.answered, &methods);
        if end != End::Clean {
            return Err(format!("the client was sent what is no answer: {end:?}"));
        }
        let is_marked = |answer: &&Answer| values(&answer.fields, MARK).count() == 1;
        let marked = answers.iter().filter(is_marked).count();
        if marked != self.upstream.len() {
            return Err(format!("{marked} answers of upstream to {} requests", self.upstream.len()));
        }
        if answers.len() > meant.len() + 1 {
            return Err(format!("{} answers to {} requests", answers.len(), meant.len()));
        }
        shows_nothing(self.answered, TOKEN, b"")
    }

    fn is_good(&self, asked: &Asked) -> Result<(), String> {
        let wrong = |what: &str| Err(format!("{what} went upstream: {asked:?}"));
        let of = |name: &'static str| values(&asked.fields, name).collect::<Vec<_>>();
        if !asked.is_11 || !asked.target.starts_with('/') || is_elsewhere(&asked.target) {
            return wrong("a target or a version that is not meant");
        }
        if of("host") != [self.host.as_bytes()] || of("accept-encoding") != [b"identity"] {
            return wrong("another host or coding");
        }
        let mine = format!("Bearer {TOKEN}");
        if of("authorization") != [mine.as_bytes()] {
            return wrong("another token than the pool's");
        }
        let kept = ["authorization", "content-length", "host"];
        let not_for_it = NOT_FOR_UPSTREAM.iter().filter(|name| !kept.contains(name));
        if not_for_it.into_iter().any(|name| values(&asked.fields, name).next().is_some()) {
            return wrong("a field that is not for it");
        }
        Ok(())
    }
}

/// That no half of `secret` is in `bytes`, unless who is told knew it: it is in what he sent.
///
/// # Errors
/// Which is.
pub(crate) fn shows_nothing(bytes: &[u8], secret: &str, sent: &[u8]) -> Result<(), String> {
    let half = secret.len() / 2;
    // Whatever holds half of it has one of these, all of a size that is compared at once, at every step of so many bytes.
    let parts: Vec<&[u8; 8]> = secret.as_bytes().windows(8).filter_map(|part| part.try_into().ok()).collect();
    let mut steps = bytes.windows(8).step_by(half - 7).filter_map(|part| <&[u8; 8]>::try_from(part).ok());
    if !steps.any(|part| parts.contains(&part)) {
        return Ok(());
    }
    let has = |bytes: &[u8], part: &[u8]| bytes.windows(half).any(|window| window == part);
    let mut shown = secret.as_bytes().windows(half).filter(|part| has(bytes, part) && !has(sent, part));
    shown.next().map_or(Ok(()), |part| Err(format!("a secret is shown: {}", String::from_utf8_lossy(part))))
}

/// Whether the path of `target` leads out of where it is. What it asks there is no path.
fn is_elsewhere(target: &str) -> bool {
    let path = target.split('?').next().unwrap_or_default();
    path.split('/').any(|segment| segment == "..")
}

/// Whether upstream was asked what the client meant.
fn is_same(meant: &Asked, asked: &Asked) -> bool {
    let named: Vec<String> = values(&meant.fields, "connection")
        .flat_map(|value| value.split(|byte| *byte == b','))
        .map(|name| String::from_utf8_lossy(name.trim_ascii()).to_ascii_lowercase())
        .collect();
    let goes_on = |(name, _): &&(String, Vec<u8>)| {
        !NOT_FOR_UPSTREAM.contains(&&**name) && name != "accept-encoding" && !named.contains(name)
    };
    let sorted = |asked: &Asked| {
        let mut fields: Vec<_> = asked.fields.iter().filter(goes_on).cloned().collect();
        fields.sort();
        fields
    };
    let at_home = |target: &str| match target.split_once("://") {
        Some((scheme, rest)) if !scheme.contains(['/', '?']) => {
            let path = &rest[rest.find(['/', '?']).unwrap_or(rest.len())..];
            if path.starts_with('/') { path.to_owned() } else { format!("/{path}") }
        }
        _ => target.to_owned(),
    };
    meant.method == asked.method
        && at_home(&meant.target) == asked.target
        && meant.body == asked.body
        && sorted(meant) == sorted(asked)
}
