//! The tests of firedrill-yaml, through what it offers to other crates.

mod chaos;
mod errors;
mod files;
mod places;
mod sample;
mod secrets;
mod values;
mod words;
