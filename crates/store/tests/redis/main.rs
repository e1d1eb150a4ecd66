//! The store in Redis, on a server of its own that each test starts, ends and hurts. The tests run without an async runtime,
//! as those of the other stores; the stores have one.
//!
//! They are apart from those of the other stores, for a process that is started at the wrong moment shares the lock of a
//! file that a test has open.

#[path = "../store/alarm.rs"]
mod alarm;
mod away;
#[path = "../store/block_on.rs"]
mod block_on;
mod broken;
mod compacting;
#[path = "../store/conformance.rs"]
mod conformance;
mod damage;
mod login;
mod opened;
mod processes;
mod promises;
mod proxy;
mod scripts;
mod server;
mod shells;
#[path = "../store/workers.rs"]
mod workers;
