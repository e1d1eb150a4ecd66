//! The path of a request: from a client's connection upstream, and back.

mod accept;
mod answer;
mod attempt;
mod body;
mod connection;
mod draw;
mod framing;
mod guard;
mod head;
mod lost;
mod request;
mod scan;

pub(crate) use accept::accept;
pub(crate) use head::with_token;
pub(crate) use lost::status as status_of;
pub(crate) use request::status_of as status_of_answer;
