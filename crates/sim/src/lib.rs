//! A deterministic explorer of schedules: workers that share a pool of tokens, every order in which their small steps
//! can fall, and checkers that watch each one.
//!
//! A [`World`] is workers with programs of commands, a clock and a few faults to spend, over a [`Protocol`], the way in
//! which the workers share state. [`log::Shared`] is ours: the engine's workers and one log. [`reference::Shared`] is
//! the reference's, known to be wrong, and there as a canary: an explorer that finds nothing in it has proved nothing
//! about ours.
//!
//! - [`explore::exhaust`] goes through every schedule of a small world, each state once.
//! - [`explore::fewest`] finds the shortest schedule that breaks a [`Property`].
//! - [`random::runs`] draws schedules from a seed in larger worlds, and [`shrink::shrink`] shortens what it finds.
//! - [`World::tell`] prints a schedule as a list of steps.
//! - [`schedule`] does all of this for anything that goes on by small steps: a [`World`] is one such thing.
//!
//! **Architecture invariant:** no clock, no thread and no hash map: one setting gives one result. The checkers
//! ([`Witness`], [`Audit`]) import nothing of the engine.

#![forbid(unsafe_code)]

mod audit;
mod command;
pub mod explore;
mod key;
pub mod log;
mod met;
mod model;
mod notation;
mod property;
mod protocol;
pub mod random;
pub mod reference;
pub mod schedule;
mod setting;
mod settle;
pub mod shape;
pub mod shrink;
mod tell;
mod view;
mod witness;
mod world;

pub use audit::Audit;
pub use command::{Command, Order, Token};
pub use key::Key;
pub use met::{Occasion, Sometimes};
pub use notation::{Misread, parse_schedule, schedule_words};
pub use property::{Property, Violation};
pub use protocol::{Deed, Fact, Making, Move, Protocol};
pub use setting::{Faults, Profile, SET_BACK, Setting};
pub use tell::{Told, Untaken};
pub use view::View;
pub use witness::Witness;
pub use world::{Step, World};
