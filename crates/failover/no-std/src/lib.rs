//! The engine in a program that has no standard library: no clock, no thread, no file, no environment.
//!
//! That it builds is the proof. It is not run: its allocator hands out nothing.

#![no_std]
#![expect(
    unsafe_code,
    reason = "an allocator and a name for the linker cannot be had without it; the engine has neither"
)]

extern crate alloc;

use alloc::string::String;
use core::alloc::{GlobalAlloc, Layout};
use core::panic::PanicInfo;

use firedrill_failover::wire::{self, Reader};
use firedrill_failover::{
    Command, Config, Duration, FailoverSettings, Fingerprint, Instant, MemoryLog, Random, Settings, Token,
    Worker, WorkerId,
};

/// Goes through the whole engine, so that nothing of it is left out: parsing with patterns, the protocol, a draw, the
/// log as text. Gives the number of appends.
#[unsafe(no_mangle)]
pub extern "C" fn firedrill_without_std(now: u64) -> u64 {
    let token = Token { label: "a".into(), fingerprint: Fingerprint::new(1) };
    let failover = FailoverSettings {
        enabled: true,
        cooldown_duration: 100,
        failover_on_status: [String::from("4.*")].into(),
        ..FailoverSettings::default()
    };
    let settings = Settings { failover, ..Settings::default() };
    let Ok(config) = Config::parse([token].into(), &settings) else { return 0 };
    let mut worker = Worker::new(WorkerId::new(1), Instant::from_millis(now), &config);
    let mut log = MemoryLog::new();
    for command in [Command::Join(config), Command::Tick] {
        let before = worker.pool().clone();
        let Ok(entry) = worker.perform(&mut log, Duration::ZERO, command);
        if let Some(entry) = entry {
            let mut reader = Reader::new();
            let _ =
                (reader.read(&wire::header(Fingerprint::new(1))), reader.read(&wire::line(&before, &entry)));
        }
    }
    let _ = worker.pool().select(&mut Random::new(now, 0));
    log.version().appends()
}

/// An allocator that has no memory.
struct Nothing;

// SAFETY: a null pointer is an allocator's way to say that it has no memory, whatever the layout; and so nothing is
// ever given back.
unsafe impl GlobalAlloc for Nothing {
    unsafe fn alloc(&self, _: Layout) -> *mut u8 {
        core::ptr::null_mut()
    }

    unsafe fn dealloc(&self, _: *mut u8, _: Layout) {}
}

#[global_allocator]
static NOTHING: Nothing = Nothing;

#[panic_handler]
fn stop(_: &PanicInfo<'_>) -> ! {
    loop {}
}
