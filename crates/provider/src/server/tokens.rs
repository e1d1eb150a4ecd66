//! Which tokens a mock provider knows, and by which labels. No secret is kept: a token is known by its SHA-256.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use firedrill_failover::Fingerprint;
use firedrill_yaml::{Problem, Spanned, closest, looks_secret, quoted};
use sha2::{Digest, Sha256};

use crate::upstream::Upstream;

/// More tokens than this that nobody named share one label, so that a client that makes up tokens takes no memory.
const MOST_STRANGERS: usize = 10_000;
/// The label they share.
const OTHERS: &str = "token-others";

/// The SHA-256 of a token.
type Digested = [u8; 32];

/// The tokens of a provider.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tokens {
    known: BTreeMap<Digested, Arc<str>>,
    /// How the mock file names those that are kept elsewhere.
    names: BTreeMap<String, Arc<str>>,
    /// Whether it answers tokens that are not among those.
    pub(crate) open: bool,
    strangers: BTreeSet<Arc<str>>,
}

impl Tokens {
    pub(crate) fn open() -> Self {
        Self { open: true, ..Self::default() }
    }

    /// From now on `secret` is known as `label`.
    pub(crate) fn know(&mut self, secret: &str, label: &str) {
        self.known.insert(digest(secret), label.into());
    }

    /// The mock file names the token with this label so: `env:NAME` or `file:PATH`. Any other name is a secret, and not kept.
    pub(crate) fn call(&mut self, name: &str, label: &str) {
        if name.starts_with("env:") || name.starts_with("file:") {
            self.names.insert(name.to_owned(), label.into());
        }
    }

    /// A name in an open provider's `upstream` is a token, and its own label unless it looks like a real key. Gives the label.
    pub(crate) fn name(&mut self, name: &str) -> String {
        let digest = digest(name);
        let label = if looks_secret(name) { stranger(&digest) } else { name.to_owned() };
        self.known.insert(digest, label.as_str().into());
        label
    }

    /// The label of a token, by its [`digest`]; `None` if the provider does not know it.
    pub(crate) fn label(&mut self, digest: &Digested) -> Option<Arc<str>> {
        if let Some(label) = self.known.get(digest) {
            return Some(Arc::clone(label));
        }
        if !self.open {
            return None;
        }
        let label: Arc<str> = stranger(digest).into();
        if !self.strangers.contains(&label) {
            if self.strangers.len() >= MOST_STRANGERS {
                return Some(OTHERS.into());
            }
            self.strangers.insert(Arc::clone(&label));
        }
        Some(label)
    }

    /// Every label that was given, in their order.
    pub(crate) fn labels(&self) -> BTreeSet<Arc<str>> {
        self.known.values().cloned().collect()
    }
}

/// The block with labels in place of tokens. A provider that takes any token knows those that are named from now on.
///
/// # Errors
/// Each name that is no token of the provider.
pub(crate) fn labelled(mut upstream: Upstream, tokens: &mut Tokens) -> Result<Upstream, Vec<Problem>> {
    let mut problems = Vec::new();
    let labels = tokens.labels();
    let mut label = |name: &mut Spanned<String>| {
        if tokens.open {
            name.value = tokens.name(&name.value);
        } else if let Some(label) =
            tokens.names.get(&name.value).cloned().or_else(|| tokens.label(&digest(&name.value)))
        {
            name.value = label.to_string();
        } else if !labels.contains(&*name.value) {
            let labels: Vec<&str> = labels.iter().map(|label| &**label).collect();
            let near = closest(&name.value, labels.iter().copied());
            let hint = near.map_or_else(
                || format!("`tokens` has: {}", labels.iter().take(8).copied().collect::<Vec<_>>().join(", ")),
                |near| format!("did you mean `{near}`?"),
            );
            problems.push(
                Problem::new(format!("unknown token {}", quoted(&name.value))).at(name.place).hint(hint),
            );
        }
    };
    for (name, _) in &mut upstream.tokens {
        label(name);
    }
    for (_, names) in &mut upstream.domains {
        names.iter_mut().for_each(&mut label);
    }
    for at in 1..upstream.tokens.len() {
        let (name, _) = &upstream.tokens[at];
        if upstream.tokens[..at].iter().any(|(other, _)| other.value == name.value) {
            let problem = Problem::new(format!("the token {} is given twice", quoted(name))).at(name.place);
            problems.push(problem.hint("once by its label and once as it is"));
        }
    }
    if problems.is_empty() { Ok(upstream) } else { Err(problems) }
}

/// The label of a token that nobody named.
pub(crate) fn label_of_a_stranger(secret: &str) -> String {
    stranger(&digest(secret))
}

/// What of a token is kept.
pub(crate) fn digest(secret: &str) -> Digested {
    Sha256::digest(secret.as_bytes()).into()
}

fn stranger(digest: &Digested) -> String {
    let bits = digest.iter().take(8).fold(0, |bits, byte| bits << 8 | u64::from(*byte));
    firedrill_block::label(Fingerprint::new(bits))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stranger_is_known_by_a_fingerprint_and_many_share_one() {
        let mut tokens = Tokens::open();
        assert_eq!(tokens.name("sk-a"), "sk-a");
        assert_eq!(tokens.name("sk-proj-aB3dE5fG7hJ9kL2mN4pQ6rS8"), "token-3b1f711b18b5");
        assert_eq!(tokens.label(&digest("sk-a")).as_deref(), Some("sk-a"));
        let first = tokens.label(&digest("0"));
        assert_eq!(first.as_deref(), Some("token-5feceb66ffc8"));
        for number in 0..MOST_STRANGERS {
            tokens.label(&digest(&number.to_string()));
        }
        assert_eq!(tokens.label(&digest("one more")).as_deref(), Some(OTHERS));
        assert_eq!(tokens.label(&digest("0")), first);
    }

    #[test]
    fn without_strangers_only_who_is_named_is_known() {
        let mut tokens = Tokens::default();
        tokens.know("secret", "label-a");
        assert_eq!(
            (tokens.label(&digest("secret")).as_deref(), tokens.label(&digest("label-a"))),
            (Some("label-a"), None)
        );
    }
}
