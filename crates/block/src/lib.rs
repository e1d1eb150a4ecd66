//! The provider block of a gateway as people write it, in Higress's own names, and the small values that every file shares:
//! lengths of time, statuses, shares, patterns. Each says in its error what a right one looks like.

#![forbid(unsafe_code)]

mod fingerprint;
mod pattern;
mod profile;
mod provider;
mod scalar;

pub use fingerprint::{fingerprint, label};
pub use pattern::Pattern;
pub use profile::ProfileWord;
pub use provider::{FailoverBlock, OnReloadWord, ProviderBlock, RetryBlock, parse};
pub use scalar::{ALL, Share, Span, StatusCode};
