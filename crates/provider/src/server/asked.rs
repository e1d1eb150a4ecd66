//! What a mock provider was asked, as a test looks at it.

use std::ops::Deref;

use crate::server::journal::{Ended, Entry};
use crate::server::tokens::label_of_a_stranger;

/// What a mock provider was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked(pub(crate) Vec<Entry>);

impl Deref for Asked {
    type Target = [Entry];

    fn deref(&self) -> &[Entry] {
        &self.0
    }
}

impl Asked {
    /// How often.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// With the token of this label, or with this token if nobody named it.
    #[must_use]
    pub fn of(&self, token: &str) -> Self {
        self.those(of(token))
    }

    /// And answered with this status.
    #[must_use]
    pub fn with_status(&self, status: u16) -> Self {
        self.those(|entry| entry.status == status)
    }

    /// And ended so.
    #[must_use]
    pub fn that_ended(&self, ended: Ended) -> Self {
        self.those(|entry| entry.ended == Some(ended))
    }

    fn those(&self, wanted: impl Fn(&Entry) -> bool) -> Self {
        Self(self.0.iter().filter(|entry| wanted(entry)).cloned().collect())
    }
}

/// Whether an entry is of the token with this label, or of this token if nobody named it.
pub(crate) fn of(token: &str) -> impl Fn(&Entry) -> bool {
    let (label, stranger) = (token.to_owned(), label_of_a_stranger(token));
    move |entry| *entry.token == *label || *entry.token == *stranger
}

/// A line for each.
impl std::fmt::Display for Asked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for Entry { number, at, token, method, path, status, refusal, fault, ended, bytes, .. } in &self.0 {
            write!(f, "{number} at {at}ms {token}: {method} {path}: ")?;
            match status {
                0 => f.write_str("nothing")?,
                status => write!(f, "{status}")?,
            }
            for word in [*refusal, *fault].into_iter().flatten() {
                write!(f, " {word}")?;
            }
            match ended {
                Some(ended) => writeln!(f, ", {ended:?}, {bytes} bytes")?,
                None => writeln!(f, ", still being answered")?,
            }
        }
        Ok(())
    }
}
