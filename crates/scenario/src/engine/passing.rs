//! How time passes on the engine: ticks fall due, and probes are answered that take their time.
//!
//! At one moment, answers come before ticks, and what was sent first is answered first.

use firedrill_failover::{Command, Duration, Failover, Instant};

use super::{EngineTarget, Member};
use crate::check::LONGEST;
use crate::target::Refusal;

/// A log longer than this is a mistake in a scenario: it is held in memory, and a person is to read it.
pub(crate) const MOST_APPENDS: u64 = 100_000;

impl EngineTarget {
    /// Lets the first tick of a new interval fall due an interval from now.
    pub(super) fn set_timers(&mut self) {
        let interval = self.recording.pool.policy().failover().map(Failover::health_check_interval);
        if interval != self.interval {
            self.interval = interval;
            for member in &mut self.members {
                member.next_tick = self.time + interval.unwrap_or_default();
            }
        }
    }

    pub(super) fn advance(&mut self, span: Duration) -> Result<(), Refusal> {
        let end = self.time + span;
        self.do_what_is_due(end)?;
        self.pass(end);
        Ok(())
    }

    /// Time passes up to `at`, when the answer comes to the call that was sent as number `turn`; `then` takes it. What falls due
    /// at that very moment comes after it, but for the answers to calls that were sent before.
    pub(super) fn wait(
        &mut self,
        at: Instant,
        turn: u64,
        then: impl FnOnce(&mut Self),
    ) -> Result<(), Refusal> {
        if at <= self.time {
            then(self);
            return Ok(());
        }
        if at.since(Instant::ZERO) > LONGEST {
            let message = format!("expected at most {LONGEST} to pass in all, found {at}");
            return Err(Refusal::Impossible(message));
        }
        self.do_what_is_due(just_before(at))?;
        self.pass(at);
        while self.arriving.first_key_value().is_some_and(|(due, _)| *due < (at, turn)) {
            self.arrive_next();
        }
        then(self);
        self.do_what_is_due(at)
    }

    /// The number of a call that is sent now.
    pub(super) fn turn(&mut self) -> u64 {
        self.sent += 1;
        self.sent
    }

    /// A worker that was stopped hears no answers.
    pub(super) fn hang_up(&mut self, member: usize) {
        for (due, arriving) in std::mem::take(&mut self.arriving) {
            if arriving.waiting.member == member {
                self.provider.ended(arriving.ticket);
            } else {
                self.arriving.insert(due, arriving);
            }
        }
    }

    /// Does what falls due up to `last`, in order.
    fn do_what_is_due(&mut self, last: Instant) -> Result<(), Refusal> {
        loop {
            let answer = self.arriving.first_key_value().map(|((at, _), _)| *at).filter(|at| *at <= last);
            if let Some((member, at, interval)) = self.next_tick(answer.map_or(last, just_before)) {
                self.pass(at);
                self.members[member].next_tick = at + interval;
                self.perform(member, Command::Tick);
            } else if let Some(at) = answer {
                self.pass(at);
                self.arrive_next();
            } else {
                return Ok(());
            }
            self.catch_up();
            if self.log.version().appends() > MOST_APPENDS {
                let message =
                    format!("the log has more than {MOST_APPENDS} appends: advance less, or tick less often");
                return Err(Refusal::Impossible(message));
            }
        }
    }

    fn arrive_next(&mut self) {
        if let Some((_, arriving)) = self.arriving.pop_first() {
            self.arrive(arriving);
        }
    }

    /// The next tick that falls due up to `end` and may change something, and how long after it the next one is. Ticks
    /// that change nothing pass unasked.
    fn next_tick(&mut self, end: Instant) -> Option<(usize, Instant, Duration)> {
        let interval = self.interval.filter(|_| self.ticks_fall_due)?;
        for Member { worker, made, next_tick, .. } in
            self.members.iter_mut().filter(|member| member.next_tick <= end)
        {
            let past_the_end = end.since(*next_tick).as_millis().saturating_add(1);
            let idle = worker.pool().next_deadline(worker.id()).map_or(past_the_end, |deadline| {
                deadline.since(worker.time(next_tick.since(*made))).as_millis().min(past_the_end)
            });
            let ticks = idle.div_ceil(interval.as_millis());
            *next_tick += Duration::from_millis(ticks.saturating_mul(interval.as_millis()));
        }
        let alive = self.members.iter().enumerate().filter(|(_, member)| member.alive);
        let (index, member) = alive.min_by_key(|(_, member)| member.next_tick)?;
        (member.next_tick <= end).then_some((index, member.next_tick, interval))
    }

    /// Time passes up to `at`.
    fn pass(&mut self, at: Instant) {
        self.wall += at.since(self.time);
        self.time = at;
    }
}

fn just_before(at: Instant) -> Instant {
    Instant::from_millis(at.as_millis().saturating_sub(1))
}
