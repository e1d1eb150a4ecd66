//! Reads the files that people write, scenarios and provider blocks first, and says kindly what is
//! wrong with them and where. It is the one wrap round the YAML library: no other crate names it, so
//! it may change, or be replaced, behind these types. It knows nothing of what the files mean.
//!
//! A [`Source`] is read, then parsed into the caller's own types. Whatever goes wrong, there or later
//! in a checker, is a [`Problem`]: a message, a [`Place`], a hint. What should keep its place is
//! [`Spanned`]; a count is [`Whole`]; a map whose keys are the writer's own words is [`Entries`].
//!
//! ```
//! use firedrill_yaml::{Source, Spanned, Whole};
//!
//! #[derive(Debug, serde::Deserialize)]
//! #[serde(rename_all = "camelCase", deny_unknown_fields)]
//! struct Failover {
//!     failure_threshold: Spanned<Whole>,
//! }
//!
//! let source = Source::new("pool.yaml", "failureThreshold: 3");
//! let failover: Failover = source.parse("a failover block").unwrap();
//! assert_eq!(failover.failure_threshold.value, Whole(3));
//! assert_eq!(failover.failure_threshold.place.column, 19);
//!
//! let source = Source::new("pool.yaml", "failureTreshold: 3");
//! let problem = source.parse::<Failover>("a failover block").unwrap_err();
//! assert_eq!(
//!     problem.to_string(),
//!     "pool.yaml:1:1: unknown key `failureTreshold` (did you mean `failureThreshold`?)"
//! );
//! ```
//!
//! # How to write a type that reads well
//! - Tag enums externally, the serde default: under `#[serde(flatten)]`, `untagged` and `tag = "..."`
//!   values are buffered and their places are lost ([`Place::UNKNOWN`]).
//! - `#[serde(deny_unknown_fields)]` on every struct, so that a misspelt key is found.
//! - Raise errors of your own with [`custom`] or [`custom_at`]; they keep the place of the value.
//! - Text that looks like a number, a boolean or null must be quoted where text is wanted.
//!
//! **Architecture invariant:** no secret leaves this crate. Every word that looks like a real key
//! ([`looks_secret`]) is masked when a [`Problem`] is made, and again in the lines it shows.

#![forbid(unsafe_code)]

mod custom;
mod damage;
mod entries;
mod guard;
mod hint;
mod outline;
mod parse;
mod place;
mod problem;
mod render;
mod secret;
mod source;
mod spanned;
mod syntax;
mod translate;
mod whole;
mod wording;

pub use custom::{custom, custom_at, unknown_key};
pub use damage::Damage;
pub use entries::Entries;
pub use hint::closest;
pub use place::Place;
pub use problem::{Other, Problem, Severity};
pub use secret::{looks_secret, redact};
pub use source::Source;
pub use spanned::Spanned;
pub use whole::Whole;
pub use wording::{presentable, quoted};
