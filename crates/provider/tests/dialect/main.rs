//! The dialects, byte by byte: what each reads, answers and refuses.

mod cases;
mod docs;
mod eventstream;
mod fixtures;
mod hostile;
mod names;
mod reading;
mod streams;
