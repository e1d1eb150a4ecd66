//! The task that follows the log: it connects, catches up, waits for what is appended, and begins again when something
//! is wrong. Nobody else ever sets the mirror back, so that what an older answer says never undoes a newer one.

use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use firedrill_failover::{Head, Random};
use redis::aio::MultiplexedConnection;
use tokio::time::{Instant, sleep};

use super::fault::{Fault, wants_another_connection};
use super::link::Link;
use super::mirror::Heard;
use super::script::{Answer, Page, PageStart, read_lines};
use super::shared::Shared;

/// The waits between attempts to connect grow from this to that, each drawn from the upper half.
const FIRST_WAIT: Duration = Duration::from_millis(10);
const LONGEST_WAIT: Duration = Duration::from_secs(2);

/// Why a session ended.
enum Stop {
    /// Somebody found the connection wanting.
    Distrusted,
    Fault(Fault),
}

impl From<Fault> for Stop {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

/// Follows the log for ever.
pub(super) async fn follow(shared: &Shared) {
    let mut random = Random::new(shared.server.options.seed, 0);
    let (mut attempts, mut since) = (0, None);
    for number in 1.. {
        let mut session = Session { shared, number, was_up: false, has_heard: false };
        let stop = session.run().await;
        if session.was_up {
            since = None;
        }
        if session.has_heard {
            attempts = 0;
        }
        let since = *since.get_or_insert_with(Instant::now);
        let fault = match stop {
            Stop::Distrusted => Fault::Away("the connection was given up".to_owned()),
            Stop::Fault(fault) => fault,
        };
        shared.set(Link::Down(since, fault));
        sleep(wait(attempts, &mut random)).await;
        attempts += 1;
    }
}

/// How long to wait after so many attempts that led to nothing.
fn wait(attempts: u32, random: &mut Random) -> Duration {
    let whole = FIRST_WAIT.saturating_mul(1 << attempts.min(16)).min(LONGEST_WAIT);
    let half = whole / 2;
    let part = u32::try_from(half.as_micros()).unwrap_or(u32::MAX);
    half + Duration::from_micros(random.below(part.saturating_add(1).max(1)).into())
}

/// One pair of connections: to ask on, and to wait on.
struct Session<'a> {
    shared: &'a Shared,
    number: u64,
    was_up: bool,
    has_heard: bool,
}

impl Session<'_> {
    /// Until something is wrong.
    async fn run(&mut self) -> Stop {
        match self.follow().await {
            Ok(never) => match never {},
            Err(stop) => stop,
        }
    }

    async fn follow(&mut self) -> Result<std::convert::Infallible, Stop> {
        let Shared { server, scripts, mirror, links, .. } = self.shared;
        let silence = server.options.silence;
        let refused = |error| Fault::of(server, &error);
        let mut asking = server.connect(Duration::ZERO).await.map_err(refused)?;
        let mut waiting = server.connect(silence).await.map_err(refused)?;
        catch_up(self.shared, &mut asking).await?;
        self.shared.set(Link::Up(self.number, asking.clone()));
        self.was_up = true;
        let milliseconds = u64::try_from(silence.as_millis()).unwrap_or(u64::MAX).max(1);
        loop {
            let distrusted = links.distrusted(self.number);
            let newer = scripts.wait(&mut waiting, mirror.head().version, milliseconds);
            let answer = unless(distrusted, newer).await.ok_or(Stop::Distrusted)?.map_err(refused)?;
            self.has_heard = true;
            let lines = read_lines(answer).map_err(Fault::from)?;
            let heard = self.shared.hear(PageStart::Here, &lines)?;
            // After a silence too: if the log was wiped, or another put in its place, nothing newer would ever come.
            if lines.is_empty() || heard == Heard::Elsewhere {
                catch_up(self.shared, &mut asking).await?;
            }
        }
    }
}

/// Hears all that is in the log now, whatever became of it.
async fn catch_up(shared: &Shared, on: &mut MultiplexedConnection) -> Result<(), Fault> {
    let Shared { mirror, .. } = shared;
    let (mut anew, mut strange) = (mirror.is_broken(), 0);
    loop {
        let before = mirror.head();
        let after = if anew { Head::EMPTY } else { before };
        let Answer::Newer(page) = ask(shared, on, after).await.map_err(|(fault, _)| fault)? else {
            // It was wiped or cut. What is left of it is heard from its start.
            anew = true;
            continue;
        };
        let Page { start, head, lines } = page;
        let start = if anew && start == PageStart::Here { PageStart::Beginning } else { start };
        anew = false;
        let heard = shared.hear(start, &lines)?;
        if mirror.head().version >= head.version {
            return Ok(());
        }
        // Once it may be that another log was put in this one's place meanwhile.
        strange = if heard == Heard::Elsewhere || mirror.head() == before { strange + 1 } else { 0 };
        if strange > 2 {
            return Err(mirror.hole(&lines).into());
        }
    }
}

/// What the server says is newer than `after`. With a fault, whether another connection may lead further.
pub(super) async fn ask(
    shared: &Shared,
    on: &mut MultiplexedConnection,
    after: Head,
) -> Result<Answer, (Fault, bool)> {
    let answer = shared.scripts.newer(on, after).await;
    let answer =
        answer.map_err(|error| (Fault::of(&shared.server, &error), wants_another_connection(&error)))?;
    Answer::read(answer).map_err(|garbage| (garbage.into(), true))
}

/// What `wanted` gives, unless `stop` is ready before.
async fn unless<T>(stop: impl Future<Output = ()>, wanted: impl Future<Output = T>) -> Option<T> {
    let (mut stop, mut wanted) = (pin!(stop), pin!(wanted));
    std::future::poll_fn(|context| {
        if stop.as_mut().poll(context).is_ready() {
            return Poll::Ready(None);
        }
        wanted.as_mut().poll(context).map(Some)
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_two_seconds_and_are_drawn_from_the_upper_half() {
        let (mut one, mut other) = (Random::new(1, 0), Random::new(2, 0));
        let mut drawn = Vec::new();
        for attempts in 0..40 {
            let longest = (10 << attempts.min(20)).min(2_000);
            let waits = [wait(attempts, &mut one), wait(attempts, &mut other)];
            for wait in waits {
                let (least, most) = (Duration::from_millis(longest / 2), Duration::from_millis(longest));
                assert!((least..=most).contains(&wait), "{wait:?} after {attempts} attempts");
            }
            drawn.push(waits[0] == waits[1]);
        }
        assert!(drawn.contains(&false), "two processes wait for the same time, again and again");
        assert_eq!(wait(u32::MAX, &mut Random::new(1, 0)), wait(16, &mut Random::new(1, 0)));
    }
}
