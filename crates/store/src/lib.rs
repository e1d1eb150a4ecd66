//! Where the log of a pool is kept: in memory, for the threads of one process, in a file, for one that comes back, or on a
//! Redis or Valkey server, for many.
//!
//! [`Store`] is the one trait for all, and says what each promises. A store needs no particular async runtime: what it
//! waits with is `tokio::sync` alone, which any executor can drive, and a file is written by a thread of its own. Only the
//! tasks that talk to a server need a tokio runtime; the feature `redis`, which is on unless it is switched off, has them.
//!
//! The shell round a worker is a loop: send what it proposes until it is settled.
//!
//! ```
//! use firedrill_failover::{Appended, Command, Duration, Refused, Worker};
//! use firedrill_store::{Store, StoreError};
//!
//! async fn perform(
//!     store: &impl Store,
//!     worker: &mut Worker,
//!     uptime: Duration,
//!     command: Command,
//! ) -> Result<(), StoreError> {
//!     let mut next = worker.propose(uptime, command);
//!     while let Some(append) = next.take() {
//!         match store.append(&append).await? {
//!             Appended::Accepted => drop(worker.accepted()),
//!             Appended::Refused(newer) => {
//!                 if let Refused::Again(append) = worker.refused(&newer) {
//!                     next = Some(append);
//!                 }
//!             }
//!         }
//!     }
//!     Ok(())
//! }
//! ```
//!
//! **Architecture invariant:** no rule of the engine is here. A store knows which version an append was decided on and
//! whether it follows, by asking the engine; what it means is none of its business. It holds labels and fingerprints,
//! never a token.

#![forbid(unsafe_code)]

mod file;
mod known;
mod memory;
#[cfg(feature = "redis")]
mod redis;
mod shell;
mod store;
mod sync;

#[cfg(feature = "redis")]
pub use self::redis::{RedisOptions, RedisStore};
pub use file::{FileStore, Fsync, Opened};
pub use known::KEPT;
pub use memory::MemoryStore;
pub use shell::{Drawn, Driver, Ended, Observer, Quiet, Reach, Shell, Standing};
pub use store::{Store, StoreError};
