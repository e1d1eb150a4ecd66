//! Several actions at once on the engine: how they begin, the one order in which a run goes on, and what is needed to go
//! through all the others.

use std::collections::VecDeque;

use firedrill_failover::Command;

use super::{EngineTarget, Member, Waiting};
use crate::always::Invariant;
use crate::chance::Chance;
use crate::scenario::{Action, Expectation};
use crate::schedules::{AtOnce, Beginning, Begun, Part};
use crate::target::{Effect, Refusal};
use crate::trip::Attempted;

impl EngineTarget {
    /// Does them in the order in which they stand: all decide, the appends arrive, then there are retries.
    pub(super) fn do_at_once(&mut self, actions: &[Action]) -> Result<Vec<Effect>, Refusal> {
        let begun = self.begin(actions)?;
        let mut commands = VecDeque::new();
        let mut trips = Vec::new();
        let mut effects = Vec::new();
        for (index, Begun { member, command, trip, effect }) in begun.into_iter().enumerate() {
            commands.push_back((member, command));
            trips.extend(trip.map(|trip| (index, trip)));
            effects.push(effect);
        }
        self.perform_at_once(commands);
        for (index, mut trip) in trips {
            self.retries(&mut trip)?;
            effects[index].draws.append(&mut self.effect.draws);
            effects[index].statuses.append(&mut self.effect.statuses);
            effects[index].broken.append(&mut self.effect.broken);
        }
        if let Some(last) = effects.last_mut() {
            last.extend(std::mem::take(&mut self.effect));
        }
        self.catch_up();
        Ok(effects)
    }

    /// Several actions as they begin: requests are drawn and answered, in order, on what their workers have heard.
    fn begin(&mut self, actions: &[Action]) -> Result<Vec<Begun>, Refusal> {
        let mut begun = Vec::new();
        for action in actions {
            let (member, command, trip) = match action {
                Action::Request { worker, draws, stream } => {
                    let mut trip = self.trip(*worker, draws, *stream)?.at_once();
                    let Some(Attempted { command, ticket, .. }) = self.attempt(&mut trip)? else {
                        return Err(Refusal::Impossible("there is no token to draw".to_owned()));
                    };
                    self.provider.ended(ticket);
                    (trip.member, command, Some(trip))
                }
                Action::Outcome { worker, token, status, attempt } => {
                    let token = self.recording.id(token)?;
                    let command = Command::Outcome { token, status: *status, attempt: *attempt };
                    (self.member(*worker)?, command, None)
                }
                Action::Probe { token, answer } => {
                    let Waiting { member, token, probe, .. } = self.waiting_probe(token)?;
                    (member, Command::ProbeAnswered { token, probe, answer: *answer }, None)
                }
                Action::Tick { worker } => (self.member(*worker)?, Command::Tick, None),
                Action::Advance(_)
                | Action::ClockBack(_)
                | Action::Reconfigure { .. }
                | Action::Stop { .. }
                | Action::Start { .. } => {
                    return Err(Refusal::Impossible(
                        "this cannot happen at once with something else".to_owned(),
                    ));
                }
            };
            begun.push(Begun { member, command, trip, effect: std::mem::take(&mut self.effect) });
        }
        Ok(begun)
    }

    /// The state from which the schedules of `items` go on, over a log that `admits` an append by the version it expects
    /// and the newest. This target stays as it is.
    pub(crate) fn beginning(
        &mut self,
        items: &[(Action, Option<Expectation>)],
        always: &[Invariant],
        admits: fn(u64, u64) -> bool,
    ) -> Result<AtOnce, Refusal> {
        let chances: Vec<Chance> = self.members.iter().map(|member| member.chance.clone()).collect();
        let (provider, waiting) = (self.provider.clone(), self.waiting.clone());
        let actions: Vec<Action> = items.iter().map(|(action, _)| action.clone()).collect();
        let begun = self.begin(&actions);
        let provider = std::mem::replace(&mut self.provider, provider);
        self.waiting = waiting;
        self.effect = Effect::default();
        for line in &self.recording.history.wire[1 + self.accounted..] {
            // What is wrong with the log so far is told in the end.
            let _ = self.account.hear(line, &[]);
        }
        self.accounted = self.recording.appends();
        let beginning = begun.map(|begun| {
            let part = |(number, member): (u32, &Member)| Part {
                number,
                worker: member.worker.clone(),
                uptime: self.time.since(member.made),
            };
            AtOnce::new(Beginning {
                now: self.time,
                parts: (1..).zip(&self.members).map(part).collect(),
                begun,
                expects: items.iter().map(|(_, expect)| expect.clone()).collect(),
                provider,
                answers_probes: self.answers_probes,
                pool: self.recording.pool.clone(),
                account: self.account.clone(),
                always: always.to_vec(),
                admits,
            })
        });
        for (member, chance) in self.members.iter_mut().zip(chances) {
            member.chance = chance;
        }
        beginning
    }

    /// Lets every worker propose on what it has heard so far, before any append arrives; then the appends arrive in
    /// order, and those that come too late are decided again. A worker with several commands takes them in turns.
    fn perform_at_once(&mut self, mut commands: VecDeque<(usize, Command)>) {
        while !commands.is_empty() {
            let mut later = VecDeque::new();
            let mut proposed = Vec::new();
            for (member, command) in commands {
                let Member { worker, made, .. } = &mut self.members[member];
                if worker.is_waiting() {
                    later.push_back((member, command));
                } else if worker.propose(self.time.since(*made), command).is_some() {
                    proposed.push(member);
                }
            }
            for member in proposed {
                let Ok(entry) = self.members[member].worker.resume(&mut self.log);
                self.settle(member, entry);
            }
            self.catch_up();
            commands = later;
        }
    }
}
