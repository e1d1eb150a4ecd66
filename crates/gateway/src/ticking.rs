//! Ticks: every `healthCheckInterval` since the gateway began, or since it was given another, as long as one could change
//! anything.

use std::sync::Arc;

use firedrill_clock::Clock;
use firedrill_failover::{Command, Instant};
use firedrill_store::{Reach, Shell};
use tokio::sync::watch;

use crate::following::Beat;
use crate::rehearsal::Rehearsal;

/// Performs ticks until everybody who could need one is gone. A tick that cannot change anything passes unasked, so that nobody
/// waits for it and virtual time can jump.
pub(crate) async fn tick(
    shell: Shell,
    clock: Arc<dyn Clock>,
    rehearsal: Option<Arc<dyn Rehearsal>>,
    mut beats: watch::Receiver<Option<Beat>>,
) {
    let mut standing = shell.watch();
    // Since when the interval is what it is.
    let (mut began, mut before) = (clock.now(), None);
    loop {
        let beat = *beats.borrow_and_update();
        let interval = beat.map(|beat| beat.interval);
        if interval != before {
            (began, before) = (clock.now(), interval);
        }
        // What a worker decides alone is not in the beat, which is that of the log.
        let alone = standing.borrow_and_update().reach != Reach::Connected;
        let due = async {
            match beat.filter(|beat| beat.needed || alone) {
                Some(Beat { interval, .. }) => {
                    clock.wait_until(after(clock.now(), began, interval.as_millis())).await;
                }
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            changed = beats.changed() => if changed.is_err() { return },
            changed = standing.changed() => if changed.is_err() { return },
            () = due => {
                if let Some(rehearsal) = &rehearsal
                    && !rehearsal.ticks().await
                {
                    continue;
                }
                shell.perform(Command::Tick);
                // What it changes is heard before the next is waited for, unless the store is away.
                if !alone {
                    tokio::select! {
                        _ = shell.settled() => {}
                        _ = standing.changed() => {}
                    }
                }
            }
        }
    }
}

/// The first tick after `now`.
fn after(now: Instant, began: Instant, interval: u64) -> Instant {
    let passed = now.as_millis().saturating_sub(began.as_millis());
    let next = (passed / interval).saturating_add(1).saturating_mul(interval);
    Instant::from_millis(began.as_millis().saturating_add(next))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_come_every_interval_since_the_beginning() {
        let after =
            |now, interval| after(Instant::from_millis(now), Instant::from_millis(7), interval).as_millis();
        assert_eq!([after(7, 10), after(16, 10), after(17, 10), after(3, 10)], [17, 17, 27, 17]);
        assert_eq!(after(100, u64::MAX), u64::MAX);
    }
}
