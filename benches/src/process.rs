//! What a process uses, as the kernel counts it. On a machine that does other things too, that tells more than the time on the
//! clock.

use std::fmt::Display;
use std::time::Duration;

/// The processor time that a process has used, in steps of 10 ms. `process` is its id, or `self`. Zero if there is none such.
pub fn processor_time(process: impl Display) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    // The name, in parentheses, may hold spaces; utime and stime are the 12th and 13th fields after it.
    let fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields).split_whitespace();
    let ticks: u64 = fields.skip(11).take(2).filter_map(|ticks| ticks.parse::<u64>().ok()).sum();
    Duration::from_millis(ticks * 10)
}

/// What of a process is in memory, in KiB. Zero if there is none such.
pub fn resident(process: impl Display) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).unwrap_or(0)
}
