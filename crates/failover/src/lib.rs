//! A failover engine for pools of API tokens: pure, deterministic, event-sourced.
//!
//! A gateway puts many tokens in front of one LLM provider. It must take a token out when it fails, bring it back
//! after a cooldown or a health check, and keep serving meanwhile, over many workers. This crate decides who is in and
//! who is out; a shell round it sends the requests, keeps the secrets and reads the clock.
//!
//! # The log is the lock
//! Everything that happens to a pool is an [`Event`] in an append-only log. The state, a [`Pool`], is the fold of the
//! log and nothing else. A [`Worker`] decides events on its own fold and appends them, saying which version it decided
//! on; if the log has moved on the append is refused, and the worker catches up and decides again. So a transition is
//! atomic however many parts it has, and counts are exact however many workers there are.
//!
//! # Embedding it
//! 1. Parse a [`Config`] from [`Settings`].
//! 2. Make a [`Worker`], and [`Worker::perform`] a [`Command::Join`] on your [`Log`].
//! 3. For each request: [`Pool::select`], send it, and perform a [`Command::Outcome`].
//! 4. Every `healthCheckInterval`: perform a [`Command::Tick`], send a probe for each [`Event::ProbeSent`] it gives
//!    back, and perform a [`Command::ProbeAnswered`] for each answer. [`Pool::next_deadline`] says when a tick can be
//!    left out.
//!
//! ```
//! use firedrill_failover::*;
//!
//! let token = |label: &str, bits| Token { label: label.into(), fingerprint: Fingerprint::new(bits) };
//! let failover = FailoverSettings {
//!     enabled: true,
//!     failure_threshold: 1,
//!     cooldown_duration: 100,
//!     ..FailoverSettings::default()
//! };
//! let settings = Settings { failover, ..Settings::default() };
//! let config = Config::parse(vec![token("a", 1), token("b", 2)], &settings).unwrap();
//!
//! let (mut log, mut worker) = (MemoryLog::new(), Worker::new(WorkerId::new(1), Instant::ZERO, &config));
//! let uptime = Duration::from_millis;
//! worker.perform(&mut log, uptime(0), Command::Join(config)).unwrap();
//!
//! let a = worker.pool().find("a").unwrap();
//! let refused = Status::new(429).unwrap();
//! let outcome = Command::Outcome { token: a, status: refused, attempt: Attempt::First };
//! worker.perform(&mut log, uptime(5), outcome).unwrap();
//! assert_eq!(worker.pool().available_len(), 1);
//!
//! worker.perform(&mut log, uptime(105), Command::Tick).unwrap();
//! assert_eq!(worker.pool().available_len(), 2);
//! ```
//!
//! **Architecture invariant:** no clock, thread, socket, file, environment or global randomness is within reach here:
//! the crate is `no_std`. Time is an argument, randomness a value. It never sees a secret and cannot fail for reasons
//! outside it.

#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod admit;
mod config;
mod decide;
mod event;
mod fingerprint;
mod fold;
mod log;
mod pool;
mod random;
mod roster;
mod selection;
mod status;
mod time;
pub mod wire;
mod worker;

pub use admit::Contradiction;
pub use config::{
    Config, ConfigError, Failover, FailoverSettings, Field, HealthCheck, OnReload, Policy, Profile, Retry,
    RetrySettings, Settings, Token,
};
pub use decide::{Attempt, Command, Order};
pub use event::{Configured, Entry, Event, Head, RestoredBy, Version, WorkerId};
pub use fingerprint::{Fingerprint, NotAFingerprint};
pub use fold::{Fold, WORKERS_REMEMBERED};
pub use log::{Append, Appended, Founding, Log, MemoryLog, Newer, Start};
pub use pool::{Lease, Pool, TokenState};
pub use random::Random;
pub use roster::TokenId;
pub use selection::{NotSelectable, Selection};
pub use status::{NotAStatus, NotAStatusSet, PatternError, Status, StatusSet};
pub use time::{Duration, Instant};
pub use worker::{MOST_TOGETHER, Refused, Worker};
