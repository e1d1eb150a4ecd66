//! How time passes over HTTP: one thing that falls due goes on at a time, and nothing moves before everything has come to rest.
//!
//! At one moment, answers come before ticks, and what was sent first is answered first: as on the engine.

use std::time;

use firedrill_clock::Clock as _;
use firedrill_failover::{Duration, Instant, Version};

use super::Play;
use super::gate::At;
use crate::check::LONGEST;
use crate::engine::MOST_APPENDS;
use crate::target::Refusal;
use crate::trip::never_ends;

/// So often in a row everything must be seen at rest: more often than anything on its way could go unseen, for what is written
/// here has arrived when the next one looks.
const LOOKS: u32 = 12;

/// Nothing here waits for real time. If it does, it is broken, and somebody should know.
const LONGEST_UNREST: time::Duration = time::Duration::from_mins(1);

impl Play {
    /// Waits until nothing more happens by itself, and records what was appended. Whoever is ready is let run, again and again,
    /// until everybody waits: for the clock, at the gate, or to be let go on.
    ///
    /// # Errors
    /// If that does not come to be.
    pub(super) async fn rest(&mut self) -> Result<(), Refusal> {
        let came = tokio::time::timeout(LONGEST_UNREST, async {
            let (mut looks, mut endless) = (0, None);
            while looks < LOOKS {
                tokio::task::yield_now().await;
                looks = if self.is_at_rest() { looks + 1 } else { 0 };
                endless = endless.or_else(|| self.give_endless_up());
            }
            endless
        });
        let Ok(endless) = came.await else {
            return Err(Refusal::Impossible(format!("the gateways do not come to rest: {}", self.unrest())));
        };
        self.record();
        match endless {
            None => Ok(()),
            Some(label) => Err(never_ends(&label)),
        }
    }

    /// Nobody takes an answer that never ends. Gives the token that it was for.
    fn give_endless_up(&mut self) -> Option<String> {
        if !self.is_endless {
            return None;
        }
        let asked = self.mock.journal();
        let last = asked.last().filter(|last| last.fault == Some("endless") && last.ended.is_none())?;
        let clients = std::mem::take(&mut self.clients);
        if clients.is_empty() {
            return None;
        }
        clients.values().for_each(super::Client::abort);
        Some(last.token.to_string())
    }

    fn is_at_rest(&self) -> bool {
        let Some(open) = self.mock.at_rest() else { return false };
        let now = self.clock.now();
        if !self.mock.listens() && self.clock.first().is_none_or(|first| first > now) {
            return false;
        }
        let (mut waiting, mut parked) = (0, 0);
        for (index, member) in self.members.iter().enumerate() {
            let Some(gateway) = &member.gateway else { continue };
            let flight = gateway.in_flight();
            waiting += flight.requests_waiting + flight.probes_waiting + flight.draining;
            parked += self.stage.parked(index);
            let at = self.gate.at(index);
            if flight.requests != flight.requests_waiting + self.stage.parked(index)
                || flight.probes != flight.probes_waiting
                || at == At::Busy
                || !self.gate.is_closed()
                    && (at != At::Resting || gateway.shell().standing().head != self.gate.head())
            {
                return false;
            }
        }
        // What one side has ended and the other has not is on its way. A request that waits to be let go on may have an answer
        // that it has not read.
        let begun =
            |(number, client): (&u64, &super::Client)| client.is_finished() || self.stage.has_begun(*number);
        (waiting..=waiting + parked).contains(&open) && self.clients.iter().all(begun)
    }

    /// Who does not rest, for a person to find out why.
    fn unrest(&self) -> String {
        let members = self.members.iter().enumerate().filter_map(|(index, member)| {
            let gateway = member.gateway.as_ref()?;
            let (flight, at) = (gateway.in_flight(), self.gate.at(index));
            Some(format!("worker {} has {flight:?} and is {at:?}", index + 1))
        });
        let members: Vec<String> = members.collect();
        format!("{}; the provider has {} open", members.join("; "), self.mock.open())
    }

    /// Time passes, and what falls due happens.
    pub(super) async fn advance(&mut self, span: Duration) -> Result<(), Refusal> {
        let end = self.clock.now() + span;
        self.do_what_is_due(end).await?;
        self.clock.pass(end);
        self.rest().await
    }

    /// Does what falls due up to `last`, in order.
    pub(super) async fn do_what_is_due(&mut self, last: Instant) -> Result<(), Refusal> {
        while self.do_next(last).await? {}
        Ok(())
    }

    /// Does the next thing that falls due up to `last`; false if there is none.
    pub(super) async fn do_next(&mut self, last: Instant) -> Result<bool, Refusal> {
        let (now, first) = (self.clock.now(), self.clock.first());
        if let (Some(worker), true) = (self.stage.tick_due(), first.is_none_or(|first| first > now)) {
            self.stage.let_tick(worker);
            self.rest().await?;
            self.send_probes().await?;
        } else if first.is_some_and(|first| first <= last) {
            self.clock.step();
            self.rest().await?;
        } else {
            return Ok(false);
        }
        if self.recording.pool.version() > Version::new(MOST_APPENDS) {
            let message =
                format!("the log has more than {MOST_APPENDS} appends: advance less, or tick less often");
            return Err(Refusal::Impossible(message));
        }
        Ok(true)
    }

    /// Lets time pass to the next thing that falls due, for somebody waits for an answer.
    pub(super) async fn wait_on(&mut self) -> Result<(), Refusal> {
        let due = self.clock.first();
        if let Some(at) = due.filter(|at| at.since(Instant::ZERO) > LONGEST) {
            let message = format!("expected at most {LONGEST} to pass in all, found {at}");
            return Err(Refusal::Impossible(message));
        }
        let last = due.unwrap_or(self.clock.now());
        if self.do_next(last).await? {
            return Ok(());
        }
        Err(Refusal::Impossible("no answer comes, and nothing more falls due".to_owned()))
    }
}
