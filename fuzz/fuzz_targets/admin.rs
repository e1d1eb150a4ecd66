//! Any bytes of whoever asks the admin, judged as `crates/gateway/tests/hostile` judges its mutations.
#![no_main]
#![allow(dead_code, reason = "the other target and the tests use the rest")]

#[path = "../../crates/gateway/tests/hostile/authority.rs"]
mod authority;
#[path = "../../crates/gateway/tests/hostile/exchange.rs"]
mod exchange;
#[path = "../../crates/gateway/tests/hostile/judge.rs"]
mod judge;
mod lines;
#[path = "../../crates/gateway/tests/hostile/operated.rs"]
mod operated;
mod pipe;
#[path = "../../crates/gateway/tests/hostile/strict.rs"]
mod strict;

use std::cell::OnceCell;

thread_local! {
    static WORLD: OnceCell<operated::Operated> = const { OnceCell::new() };
}

libfuzzer_sys::fuzz_target!(init: pipe::ignore(), |bytes: &[u8]| {
    WORLD.with(|world| world.get_or_init(operated::Operated::start).judge(bytes).unwrap_or_else(|wrong| panic!("{wrong}")));
});

libfuzzer_sys::fuzz_mutator!(|bytes: &mut [u8], size: usize, most: usize, seed: u32| {
    lines::mutate(bytes, size, most, seed)
});
