//! What every place where a log is kept promises, and how it fails.

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use firedrill_failover::{Append, Appended, Contradiction, Fold, Founding, Head, Newer, Version};
use firedrill_yaml::Damage;

/// Where a log is kept, for workers that share it and nothing else.
///
/// An implementation promises, whatever runs at the same time:
/// - **The log is the lock.** An append is accepted only if the log has exactly the head that it was decided on. Of
///   several that were decided on one head, one is accepted.
/// - **All or none.** An accepted append is in the log whole, and what was accepted never changes, moves or goes.
/// - **Known means kept.** What an answer, a read or a tail has told is as safe as the store keeps things, before it is
///   told. An entry that is still on its way is seen by nobody.
/// - **Asking again is safe.** The same append, sent again because its reply was lost, is answered
///   [`Appended::Accepted`] and is not written twice, however far the log has moved on. Where so much is newer that the
///   place of the append is no longer held, it is refused with a snapshot in which the worker finds it.
/// - **The log can be folded.** An append that does not follow from the log is an error and is not in it.
///
/// A future that is dropped before it is ready changes nothing of this: the append may or may not be in the log, and
/// sending it again tells which.
pub trait Store: Send + Sync {
    /// Appends, if the log has the head that `append` expects; else tells what is newer.
    ///
    /// # Errors
    /// If the log could not be reached or written, is behind the expected head, or the append does not follow from it. After
    /// an error of reaching or writing it the append may or may not be in the log.
    fn append(&self, append: &Append) -> impl Future<Output = Result<Appended, StoreError>> + Send;

    /// What is newer than `after`; nothing if that is the log's head. O(entries given), or O(tokens) for a snapshot.
    ///
    /// # Errors
    /// If the log could not be read, or is behind `after`.
    fn read(&self, after: Head) -> impl Future<Output = Result<Newer, StoreError>> + Send;

    /// As [`Store::read`], but waits until something is newer. It is woken and does not poll; dropping it ends the wait.
    ///
    /// # Errors
    /// If the log could not be read, or is behind `after`.
    fn tail(&self, after: Head) -> impl Future<Output = Result<Newer, StoreError>> + Send;

    /// The fold of the whole log, for a worker that begins; `None` if the log is empty. O(tokens).
    ///
    /// # Errors
    /// If the log could not be read.
    fn snapshot(&self) -> impl Future<Output = Result<Option<Arc<Fold>>, StoreError>> + Send;

    /// Founds a log anew that was wiped or cut ([`StoreError::Behind`]), if it is one that the proposal
    /// [replaces](Founding::replaces); else tells what is newer. As safe to ask again as an append.
    ///
    /// # Errors
    /// As [`Store::append`]. Also if the log was wiped since the proposal was made: then another is to be made.
    fn found(&self, founding: &Founding) -> impl Future<Output = Result<Appended, StoreError>> + Send;
}

/// Why a log could not be appended to or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The log has never been as far as the worker is: it was wiped or cut. Remedy: found it anew, from a worker's fold.
    #[error("expected a log of at least version {}, found version {}: it was wiped or cut", expected.version, found.version)]
    Behind {
        /// The head that was asked for.
        expected: Head,
        /// The log's.
        found: Head,
    },
    /// A log in a file is behind and not empty, and cannot be founded anew over what is left. Remedy: move the file away.
    #[error("the log in `{file}` is at version {}, behind its workers; expected an empty one to found anew", found.version)]
    NotEmpty {
        /// Which file.
        file: String,
        /// The log's head.
        found: Head,
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
    /// The append, or the snapshot to found a log anew with, is larger than a line of a log may be. Remedy: fewer tokens in
    /// one configuration, or shorter labels.
    #[error(
        "this takes a line of {length} bytes in the log, expected at most {most}: have fewer tokens or shorter labels"
    )]
    TooLong {
        /// Of its line, in bytes.
        length: usize,
        /// Of any line, in bytes.
        most: usize,
    },
    /// The store does not answer. Remedy: as it says; nothing that was accepted is lost, and sending the append again tells
    /// whether it is in the log.
    #[error("the store does not answer: {why}")]
    Unanswered {
        /// What was said, or not said.
        why: String,
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
    /// The URL or an option of a log on a server is of no use. Remedy: as it says.
    #[error("cannot use these settings: {why}")]
    Settings {
        /// Why not, without the URL: it may hold a password.
        why: String,
    },
    /// The server of the log cannot be reached, or cannot serve for now. It is tried again and again. Remedy: send the
    /// append again later: only the log knows whether it is in it.
    #[error("the log's server `{server}` has been away for {} ms: {why}", lasting.as_millis())]
    Away {
        /// Where it should be.
        server: String,
        /// What the last attempt met.
        why: String,
        /// For how long.
        lasting: Duration,
    },
    /// The server of the log refuses, and will until somebody does something. It is tried again every few seconds.
    #[error("the log's server `{server}` refuses: {why} ({remedy})")]
    Denied {
        /// Which server.
        server: String,
        /// What it said.
        why: String,
        /// What helps.
        remedy: &'static str,
    },
    /// What a server keeps under the log's keys is not what was written there. Remedy: delete both keys; a worker founds
    /// the log anew from what it has heard.
    #[error("the log `{key}` of the server `{server}` is damaged at {place}: {why}")]
    Unreadable {
        /// Which server.
        server: String,
        /// Which of its keys.
        key: String,
        /// Which version, or which entry.
        place: String,
        /// What is wrong there.
        why: String,
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

/// A store that is shared is one.
impl<S: Store> Store for Arc<S> {
    fn append(&self, append: &Append) -> impl Future<Output = Result<Appended, StoreError>> + Send {
        (**self).append(append)
    }

    fn read(&self, after: Head) -> impl Future<Output = Result<Newer, StoreError>> + Send {
        (**self).read(after)
    }

    fn tail(&self, after: Head) -> impl Future<Output = Result<Newer, StoreError>> + Send {
        (**self).tail(after)
    }

    fn snapshot(&self) -> impl Future<Output = Result<Option<Arc<Fold>>, StoreError>> + Send {
        (**self).snapshot()
    }

    fn found(&self, founding: &Founding) -> impl Future<Output = Result<Appended, StoreError>> + Send {
        (**self).found(founding)
    }
}
