//! Scenarios: rehearsals of API-key failures, written in YAML.
//!
//! A file is read ([`written`]), checked into a [`Scenario`], and [`run`] against a [`Target`], which gives a
//! [`Verdict`]. The language is described, by example, in `docs/scenarios.md`.
//!
//! ```
//! use firedrill_scenario::{Scenario, Verdict, run_on_engine};
//! use firedrill_yaml::Source;
//!
//! let text = "
//! scenario: a rate-limited token is taken out
//! provider:
//!   apiTokens: [sk-a, sk-b]
//!   failover: { enabled: true, failureThreshold: 1, cooldownDuration: 100 }
//! upstream: { sk-a: [429] }
//! steps:
//!   - request: { draws: sk-a, expect: { status: 429 } }
//!   - expect: { available: [sk-b], unavailable: [sk-a] }
//! ";
//! let scenario = Scenario::parse(&Source::new("example.yaml", text)).unwrap();
//! assert!(matches!(run_on_engine(&scenario, None).verdict, Verdict::Passed));
//! ```

#![forbid(unsafe_code)]

mod account;
mod always;
mod answer;
mod calls;
mod chance;
mod check;
mod conform;
mod engine;
mod find;
#[cfg(feature = "gateway")]
mod gateway;
mod judge;
mod question;
mod recording;
mod replay;
mod run;
mod scalar;
mod scenario;
mod schedules;
mod schema;
mod starter;
mod target;
mod trip;
#[cfg(feature = "url")]
mod url;
pub mod written;

pub use always::Invariant;
pub use calls::{Bounds, Calls, CallsFile};
pub use chance::seed_of_worker;
pub use conform::{Conformance, Difference, conform};
pub use engine::EngineTarget;
pub use find::find;
pub use firedrill_block::{FailoverBlock, OnReloadWord, Pattern, ProviderBlock, RetryBlock};
#[cfg(feature = "gateway")]
pub use gateway::{GatewayTarget, run_on_gateway};
pub use judge::Mismatch;
pub use replay::{Replay, Replayed, ReplayedEvent, Until};
pub use run::{Failure, Run, Skipped, Verdict, run, run_on_engine};
pub use scalar::AnyStatus;
pub use scenario::{Action, Expectation, Probes, Scenario, Step, StepKind, TokenList};
pub use schedules::{BrokenSchedule, Explored};
pub use schema::schema;
pub use starter::starter;
pub use target::{Effect, History, Moment, PoolState, Refusal, Target};
#[cfg(feature = "url")]
pub use url::{GatewayUrl, Header, Settings, Stranger, TimeScale, Watch};
