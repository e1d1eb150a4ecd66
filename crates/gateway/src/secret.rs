//! Secrets: the tokens as they are sent. Nothing here can be printed by accident.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use firedrill_failover::{Config, Fingerprint, Token};
use secrecy::{ExposeSecret, SecretString};

/// A text that must not be seen. Its `Debug` says nothing of it.
#[derive(Clone)]
pub struct Secret(SecretString);

impl Secret {
    /// The text, to send it or to compare it. Whoever asks for it sees to it that nobody else does.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// The tokens of a pool as they are sent, each by its fingerprint.
#[derive(Clone, Default)]
pub struct Secrets(BTreeMap<Fingerprint, Arc<Kept>>);

/// A token with its label.
pub(crate) struct Kept {
    pub(crate) label: Box<str>,
    pub(crate) token: Secret,
}

/// A token that cannot be sent. It does not say which text it is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a token that a header can hold, found {found} (token `{label}`)")]
pub struct NotASecret {
    /// Its label.
    pub label: String,
    /// What is wrong with it.
    pub found: &'static str,
}

impl Secrets {
    /// None.
    pub fn new() -> Self {
        Self::default()
    }

    /// Keeps `token` under `label`; gives what the engine knows it by. That no two have one label is for the engine to see.
    ///
    /// # Errors
    /// If no header can hold it.
    pub fn keep(&mut self, label: &str, token: Secret) -> Result<Token, NotASecret> {
        let fingerprint = firedrill_block::fingerprint(token.expose());
        let known = Token { label: label.into(), fingerprint };
        self.stand_in(&known, token)?;
        Ok(known)
    }

    /// Has `secret` sent for `token`, whatever that stands for: for a rehearsal, which sends nobody's real token.
    ///
    /// # Errors
    /// As [`Secrets::keep`].
    pub fn stand_in(&mut self, token: &Token, secret: Secret) -> Result<(), NotASecret> {
        let text = secret.expose();
        let found = if text.is_empty() {
            Some("nothing")
        } else if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            Some("a space, a line break or a character outside of ASCII")
        } else {
            None
        };
        if let Some(found) = found {
            return Err(NotASecret { label: token.label.to_string(), found });
        }
        self.0.insert(token.fingerprint, Arc::new(Kept { label: token.label.clone(), token: secret }));
        Ok(())
    }

    /// The first token of `pool` that is not kept here, by its label.
    pub(crate) fn lacks<'a>(&self, pool: &'a Config) -> Option<&'a str> {
        let missing = pool.tokens().iter().find(|token| !self.0.contains_key(&token.fingerprint));
        missing.map(|token| &*token.label)
    }

    pub(crate) fn into_iter(self) -> impl Iterator<Item = (Fingerprint, Arc<Kept>)> {
        self.0.into_iter()
    }
}

/// The labels.
impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.values().map(|kept| &kept.label)).finish()
    }
}
