//! The HTTP server round the model: mock files, ports, faults on real connections, the control API.
//!
//! [`MockProvider`] is for tests, [`Server`] for programs that serve a [`MockFile`]. HTTP/1.1 is spoken, by hyper wherever HTTP
//! is kept; `sending.rs` says how it is broken.
//!
//! **Architecture invariant:** nothing here decides what is answered. The model does, on the time that a [`Clock`] gives; the
//! server sends it. Whatever a client does, its [`Ticket`](crate::Ticket) is given back, and no token is ever shown.

mod asked;
mod clash;
mod connection;
mod control;
mod course;
mod date;
mod embed;
mod file;
mod hand;
mod journal;
mod listen;
mod pending;
mod player;
mod provider;
mod reading;
mod record;
mod sending;
mod serve;
mod shared;
mod shown;
mod start;
mod tokens;
mod written;

pub use asked::Asked;
pub use embed::{Builder, IntoUpstream, MockProvider, StartError};
pub use file::MockFile;
pub use firedrill_clock::{Clock, Real, Virtual, Wait};
pub use firedrill_line::Limits;
pub use hand::{AnswerError, IntoAnswer};
pub use journal::{Count, Ended, Entry, MOST_ENTRIES};
pub use player::Player;
pub use start::{Served, Server, Settings};
pub use written::mock_schema;
