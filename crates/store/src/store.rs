//! What every place where a log is kept promises, and how it fails.

use std::future::Future;
use std::io;

use firedrill_failover::{Append, Appended, Contradiction, Entry, Version};
use firedrill_yaml::Damage;

/// Where a log is kept, for workers that share it and nothing else.
///
/// An implementation promises, whatever runs at the same time:
/// - **The log is the lock.** An append is accepted only if the log is at exactly the version that it was decided on. Of
///   several that were decided on one version, one is accepted.
/// - **All or none.** An accepted append is in the log whole, and what was accepted never changes, moves or goes.
/// - **Known means kept.** What an answer, a read or a tail has told is as safe as the store keeps things, before it is
///   told. An entry that is still on its way is seen by nobody.
/// - **Asking again is safe.** The same append, sent again because its reply was lost, is answered
///   [`Appended::Accepted`] and is not written twice, however far the log has moved on.
/// - **The log can be folded.** An append that does not follow from the log is an error and is not in it.
///
/// A future that is dropped before it is ready changes nothing of this: the append may or may not be in the log, and
/// sending it again tells which.
pub trait Store: Send + Sync {
    /// Appends, if the log is at the version that `append` expects; else tells what is newer.
    ///
    /// # Errors
    /// If the log could not be written, is behind the expected version, or the append does not follow from it. After an
    /// error of writing the append may or may not be in the log.
    fn append(&self, append: &Append) -> impl Future<Output = Result<Appended, StoreError>> + Send;

    /// Every entry after `after`, oldest first; none if there is nothing newer. O(entries given).
    ///
    /// # Errors
    /// If the log could not be read, or is behind `after`.
    fn read(&self, after: Version) -> impl Future<Output = Result<Vec<Entry>, StoreError>> + Send;

    /// As [`Store::read`], but waits until something is newer: gives at least one entry. It is woken and does not poll;
    /// dropping it ends the wait.
    ///
    /// # Errors
    /// If the log could not be read, or is behind `after`.
    fn tail(&self, after: Version) -> impl Future<Output = Result<Vec<Entry>, StoreError>> + Send;
}

/// Why a log could not be appended to or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The log has never been as far as the worker is: it was wiped or cut. Remedy: found it anew, from a fold.
    #[error("expected a log of at least version {expected}, found version {found}: it was wiped or cut")]
    Behind {
        /// The version that was asked for.
        expected: Version,
        /// The log's.
        found: Version,
    },
    /// The append does not follow from the log. Remedy: none from outside, a worker with a fold of this log does not
    /// decide so; do its work on the log again with a new one.
    #[error("this append does not follow from version {before}: {contradiction}")]
    Contradiction {
        /// The version it was decided on.
        before: Version,
        /// What does not follow.
        contradiction: Contradiction,
    },
    /// The append is larger than a line of a log may be. Remedy: fewer tokens in one configuration.
    #[error("this append takes {length} bytes, expected at most {most}")]
    TooLong {
        /// Of its line, in bytes.
        length: usize,
        /// Of any line, in bytes.
        most: usize,
    },
    /// The file of the log is damaged. Remedy: have it from a copy, or cut it before the line that is named and go on
    /// without the rest.
    #[error(transparent)]
    Damaged(Box<Damage>),
    /// Another process, or another store of this one, writes to the file. Remedy: end it, or share its store.
    #[error("`{file}` is in use: a log in a file has one process that writes it")]
    Locked {
        /// Which file.
        file: String,
    },
    /// The file could not be opened. Remedy: as the operating system says.
    #[error("cannot {doing} `{file}`: {why}")]
    File {
        /// Which file.
        file: String,
        /// What was tried.
        doing: &'static str,
        /// Why it failed.
        why: io::Error,
    },
    /// The append could not be written, and the store has stopped. Remedy: make room, open the store again, and send the
    /// append again: only the log knows whether it is in it.
    #[error("cannot write to `{file}`: {why}; nothing that was accepted is lost, and nothing more is taken")]
    Unwritten {
        /// Which file.
        file: String,
        /// Why it failed.
        why: io::Error,
    },
    /// An earlier write failed, and the store has stopped. Remedy: as for [`StoreError::Unwritten`].
    #[error("`{file}` takes no more appends since it could not be written: {why}")]
    Stopped {
        /// Which file.
        file: String,
        /// Why the write failed.
        why: String,
    },
}

impl StoreError {
    pub(crate) fn io(file: &str, doing: &'static str, why: io::Error) -> Self {
        Self::File { file: file.to_owned(), doing, why }
    }
}
