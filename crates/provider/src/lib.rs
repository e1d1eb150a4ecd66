//! Mock providers that fail like real ones.
//!
//! What a provider will do is written in an `upstream:` block ([`Upstream`]), the same in a scenario and in a mock file:
//! scripts by token, outages, failures by chance, latency, quotas by token or by domain. [`Behaviour`] is the pure model of
//! it: it is told the time and the request, and gives a [`Plan`].
//!
//! **Architecture invariant:** the model reads no clock and opens no socket: whoever plays it passes the time in, so that one
//! seed gives one fate, over HTTP, on a virtual clock, and in a simulation.

#![forbid(unsafe_code)]

mod behaviour;
mod dialect;
mod exchange;
mod fault;
mod fixed;
mod latency;
mod quota;
mod script;
#[cfg(feature = "server")]
mod server;
mod timed;
mod upstream;

pub use behaviour::{Ask, Behaviour, Plan, Refusal, Seen, Ticket};
pub use dialect::{Context, Dialect, UnknownDialect};
pub use exchange::{Body, Events, Form, Headers, Incoming, Question, Reply, TEXT};
pub use fault::{After, Drip, Fault};
pub use firedrill_block::{Share, Span, StatusCode};
pub use latency::Latency;
pub use quota::{Meter, Owner, Quota, Standing, Unit, Window};
pub use script::{Answer, Playback, Script, WELL};
#[cfg(feature = "server")]
pub use server::{
    AnswerError, Asked, Builder, Clock, Count, Ended, Entry, IntoAnswer, IntoUpstream, Limits, MOST_ENTRIES,
    MockFile, MockProvider, Player, Real, Served, Server, Settings, StartError, Virtual, Wait, mock_schema,
};
pub use upstream::{Domain, Errors, Outage, Pace, Upstream, WORDS};
