//! Ids of pools that a worker has left: of while it was alone, or of a log that is gone.
//!
//! Ids of different histories never name each other's tokens, so an old one names nothing in the log; here stands whose it
//! was.

use alloc::collections::BTreeMap;

use crate::decide::Command;
use crate::fingerprint::Fingerprint;
use crate::pool::Pool;
use crate::roster::TokenId;

/// So many ids are remembered, and those of one pool more.
const REMEMBERED: usize = 1 << 16;

/// Whose the ids of pools that were left are.
#[derive(Clone, Debug, Default)]
pub(super) struct Former(BTreeMap<TokenId, Fingerprint>);

impl Former {
    /// The worker goes on with `to` instead of `from`. O(tokens).
    pub(super) fn leave(&mut self, from: &Pool, to: &Pool) {
        if self.0.len() > REMEMBERED {
            self.0.clear();
        }
        let gone = from.tokens().filter(|(id, _)| to.token(*id).is_none());
        self.0.extend(gone.map(|(id, token)| (id, token.fingerprint)));
    }

    /// Gives `command` the id that its token has in `pool`. An id that names nothing is left: the token was dropped, and
    /// its answer changes nothing.
    pub(super) fn rename(&self, command: &mut Command, pool: &Pool) {
        if !self.0.is_empty()
            && let Some(token) = command.token_mut()
            && pool.token(*token).is_none()
            && let Some(fingerprint) = self.0.get(token)
            && let Some(id) = pool.find_fingerprint(*fingerprint)
        {
            *token = id;
        }
    }
}
