//! The lock of what is held of a log: the standard library's, or shuttle's for `tests/shuttle.rs`, which then decides at
//! every lock who goes on. Tokio's `watch` stays as it is: it waits for nobody, and what it wakes is shuttle's.

#[cfg(feature = "shuttle")]
pub(crate) use shuttle::sync::{Mutex, MutexGuard};
#[cfg(not(feature = "shuttle"))]
pub(crate) use std::sync::{Mutex, MutexGuard};
