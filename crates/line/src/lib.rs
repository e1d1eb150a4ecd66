//! A port, and a connection from a client, with the patience of the server: how long it waits for the client to write and to read, and
//! how much one client may take.
//!
//! Every HTTP server of this project serves on a [`Line`], so that a slow client costs each of them the same: little.

#![forbid(unsafe_code)]

mod limits;
mod line;
mod parting;
mod port;
mod stopping;
mod turns;

pub use limits::Limits;
pub use line::{Line, Phase};
pub use parting::{drain, turn_away};
pub use port::{BACKLOG, TOLD, asked_to, hold, listen};
pub use stopping::Stopping;
pub use turns::Turns;
