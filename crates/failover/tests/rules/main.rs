//! Every rule of the engine at its boundary, one file a subject. A case is a script: what is done, and what is so then.
//! `script.rs` tells how a script is written, and checks after every line of every script what is always so.

mod clock;
mod cooldown;
mod counting;
mod deadline;
mod joining;
mod lease;
mod operator;
mod probes;
mod profiles;
mod reload;
mod retries;
mod script;
mod selection;
