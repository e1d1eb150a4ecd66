//! The binary, as a user meets it: what it prints, what it leaves behind, and the exit code.

mod check;
mod conform;
mod debug;
mod explore;
mod gateway;
mod help;
mod leaks;
mod mock;
mod new;
mod output;
mod readme;
mod replay;
mod run;
mod sandbox;
#[path = "../../../../tests/search.rs"]
mod search;
mod secrets;
mod stranger;
