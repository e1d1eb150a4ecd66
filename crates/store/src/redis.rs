//! The store on a Redis or Valkey server: a log that many processes share. `docs/redis.md` says what is kept there.
//!
//! Each process holds a mirror of the log, which a task of its own keeps up with: readers ask nobody else. An append is
//! one round trip, of a script that looks at the newest entry and writes the next one. Nothing is locked, and no process
//! coordinates with another but by the log.
//!
//! **Architecture invariant:** what the server says is never trusted. Every line is checked and folded before it is told to
//! anyone, as a log from a file is; the rest is text that must be of the form that was written.

mod fault;
mod follow;
mod link;
mod mirror;
mod script;
mod settings;
mod shared;

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use firedrill_failover::{Append, Appended, Fingerprint, Fold, Founding, Head, Newer};
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use crate::known::Judged;
use crate::store::{Store, StoreError};
pub use settings::RedisOptions;
use settings::Server;
use shared::Shared;

/// A log on a Redis or Valkey server, for the workers of many processes. Those of one process share it by an `Arc`.
///
/// It works on the tokio runtime that it was opened in; its futures can be driven by any executor. What a reader is told
/// has been heard from the server, which may be a moment before the newest append of another process; an append is judged
/// by the server itself. [`RedisStore::catch_up`] hears everything that is in the log by now.
///
/// When the server is away it is tried again for as long as the store is there. Once that takes longer than an answer may, it is
/// said to whoever asks and to whoever waits. What a worker has heard and the server has lost, because it was wiped, or crashed before it wrote to its disk, is told as
/// [`StoreError::Behind`].
///
/// ```no_run
/// use firedrill_failover::Fingerprint;
/// use firedrill_store::{RedisOptions, RedisStore, StoreError};
///
/// async fn share(pool: Fingerprint) -> Result<RedisStore, StoreError> {
///     RedisStore::open("redis://gateway:password@redis.internal:6379/0", pool, RedisOptions::default()).await
/// }
/// ```
pub struct RedisStore {
    shared: Arc<Shared>,
    runtime: Handle,
    follower: JoinHandle<()>,
}

impl RedisStore {
    /// Connects to the server of `url` and hears the log of `pool`, an empty one if nothing is there.
    ///
    /// The URL is `redis://user:password@host:port/database`, `rediss://` for TLS, or `redis+unix:///path?db=0`; all but
    /// the host may be left out. What is not plain text in a password is written as `%` and two hexadecimal digits.
    ///
    /// # Errors
    /// If the URL or an option is of no use, no tokio runtime is there, the server is away or refuses, or what it keeps is
    /// no log.
    ///
    /// # Panics
    /// If the runtime has no timer or no I/O.
    pub async fn open(url: &str, pool: Fingerprint, options: RedisOptions) -> Result<Self, StoreError> {
        let store = Self::begin(url, pool, options)?;
        match store.shared.links.first().await {
            Ok(()) => Ok(store),
            Err(away) => Err(store.shared.away(away)),
        }
    }

    /// As [`RedisStore::open`], and does not wait for the server: it may be away, and come later. Until then every answer is
    /// [`StoreError::Away`], and a [`crate::Shell`] decides alone.
    ///
    /// # Errors
    /// If the URL or an option is of no use, or no tokio runtime is there.
    ///
    /// # Panics
    /// If the runtime has no timer or no I/O.
    pub fn begin(url: &str, pool: Fingerprint, options: RedisOptions) -> Result<Self, StoreError> {
        let server = Server::new(url, pool, options)?;
        let runtime = Handle::try_current().map_err(|_| StoreError::Settings {
            why: "expected to be opened in a tokio runtime".to_owned(),
        })?;
        let shared = Arc::new(Shared::new(server, pool));
        let following = Arc::clone(&shared);
        let follower = runtime.spawn(async move { follow::follow(&following).await });
        Ok(Self { shared, runtime, follower })
    }

    /// Whether [`RedisStore::begin`] could begin with these: the URL and the options are read, and so are the certificates. No
    /// server is asked.
    ///
    /// # Errors
    /// [`StoreError::Settings`], or [`StoreError::File`] for certificates that cannot be read.
    pub fn check(url: &str, options: &RedisOptions) -> Result<(), StoreError> {
        Server::new(url, Fingerprint::new(0), options.clone()).map(drop)
    }

    /// Hears everything that is in the log by now: one round trip if nothing is newer.
    ///
    /// # Errors
    /// If the server is away or refuses, or what it keeps is no log.
    pub async fn catch_up(&self) -> Result<(), StoreError> {
        let shared = Arc::clone(&self.shared);
        self.run(async move { shared.catch_up().await }).await
    }

    /// Runs `task` to its end on the store's runtime, also if nobody waits for it any more.
    async fn run<T: Send + 'static>(
        &self,
        task: impl Future<Output = Result<T, StoreError>> + Send + 'static,
    ) -> Result<T, StoreError> {
        match self.runtime.spawn(task).await {
            Ok(answer) => answer,
            // The runtime is ending.
            Err(ended) => Err(StoreError::Away {
                server: self.shared.server.name.clone(),
                why: ended.to_string(),
                lasting: Duration::ZERO,
            }),
        }
    }

    /// What is newer, as far as it was heard. Where the log seems to be behind, the server is asked. That nothing is newer is not
    /// said of a server that is away.
    async fn newer(&self, after: Head) -> Result<Newer, StoreError> {
        self.shared.undenied()?;
        let heard = match self.shared.mirror.read(after) {
            Err(StoreError::Behind { .. }) => {
                self.catch_up().await?;
                self.shared.mirror.read(after)
            }
            heard => heard,
        }?;
        if heard.is_empty() {
            self.shared.reached()?;
        }
        Ok(heard)
    }
}

impl Drop for RedisStore {
    fn drop(&mut self) {
        self.follower.abort();
    }
}

impl fmt::Debug for RedisStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Server { name, keys, .. } = &self.shared.server;
        let heard = self.shared.mirror.head();
        f.debug_struct("RedisStore")
            .field("server", name)
            .field("key", &keys.log)
            .field("heard", &heard)
            .finish_non_exhaustive()
    }
}

impl Store for RedisStore {
    async fn append(&self, append: &Append) -> Result<Appended, StoreError> {
        self.shared.undenied()?;
        // What has moved on already needs no round trip.
        match self.shared.mirror.judge(append) {
            Ok(Judged::Known) => return Ok(Appended::Accepted),
            Ok(Judged::Stale(newer)) => return Ok(Appended::Refused(newer)),
            // The worker may have heard more, from another store.
            Ok(Judged::Next) | Err(_) => {}
        }
        let (shared, append) = (Arc::clone(&self.shared), append.clone());
        self.run(async move { shared.append(&append).await }).await
    }

    async fn read(&self, after: Head) -> Result<Newer, StoreError> {
        self.newer(after).await
    }

    async fn tail(&self, after: Head) -> Result<Newer, StoreError> {
        let mut news = self.shared.news.subscribe();
        loop {
            news.borrow_and_update();
            match self.newer(after).await {
                Ok(newer) if newer.is_empty() => {}
                other => return other,
            }
            // The sender is `self`'s, so that it cannot be gone.
            let _ = news.changed().await;
        }
    }

    async fn snapshot(&self) -> Result<Option<Arc<Fold>>, StoreError> {
        self.shared.undenied()?;
        let heard = self.shared.mirror.snapshot();
        if heard.is_none() {
            // What was never asked is not empty.
            self.catch_up().await?;
            return Ok(self.shared.mirror.snapshot());
        }
        Ok(heard)
    }

    async fn found(&self, founding: &Founding) -> Result<Appended, StoreError> {
        let (shared, founding) = (Arc::clone(&self.shared), founding.clone());
        self.run(async move { shared.found(&founding).await }).await
    }
}
