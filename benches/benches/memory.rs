//! What a pool weighs: the bytes on the heap for each of its tokens, labels included, as asked of the allocator. What
//! the allocator adds is not in it.

#![expect(clippy::print_stdout, reason = "what it prints is its result")]

use allocation_counter::measure;
use firedrill_benches::{config, founded, probed};

/// Tokens in the pool.
const SIZE: u32 = 100_000;

fn main() {
    let config = config(SIZE, |_| {});
    let (mut plain, mut copy, mut out) = (None, None, None);
    println!("heap of a pool of {SIZE} tokens, in bytes a token:");
    weigh("all available", || plain = Some(founded(&config)));
    weigh("a clone of that", || copy.clone_from(&plain));
    weigh("all out, with a probe out", || out = Some(probed(SIZE)));
}

/// Says how much more there is after `make` than before, and how much more there was at most.
fn weigh(name: &str, make: impl FnOnce()) {
    let used = measure(make);
    let (kept, most) = (used.bytes_current / i64::from(SIZE), used.bytes_max / u64::from(SIZE));
    println!("{name:26}{kept:4}, at most {most} while it is made");
}
