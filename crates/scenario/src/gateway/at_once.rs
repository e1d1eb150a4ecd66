//! Several actions at once over HTTP: all decide on what they have heard, the appends arrive in the order of the actions, and
//! those that come too late are decided again. The gate lets everybody on in the order in which the engine target goes on.

use std::collections::VecDeque;

use firedrill_failover::Command;

use super::Play;
use super::gate::At;
use crate::scenario::Action;
use crate::target::{Effect, Refusal};

impl Play {
    pub(super) async fn concurrently(&mut self, actions: &[Action]) -> Result<Vec<Effect>, Refusal> {
        self.gate.close();
        let done = self.all_at_once(actions).await;
        self.gate.open();
        self.rest().await?;
        let mut effects = done?;
        if let Some(last) = effects.last_mut() {
            last.extend(std::mem::take(&mut self.effect));
        }
        Ok(effects)
    }

    async fn all_at_once(&mut self, actions: &[Action]) -> Result<Vec<Effect>, Refusal> {
        let mut effects = Vec::new();
        let mut requests = Vec::new();
        let mut commands = VecDeque::new();
        for (index, action) in actions.iter().enumerate() {
            let (member, request) = self.begin(action).await?;
            commands.push_back(member);
            let mut effect = std::mem::take(&mut self.effect);
            if let Some(number) = request {
                requests.push((index, number, member));
                effect.draws = self.stage.drawn(number)?;
            }
            effects.push(effect);
        }
        self.perform_at_once(commands).await?;
        for (index, number, member) in requests {
            while self.stage.is_parked(number) {
                self.stage.let_go_on(number);
                self.rest().await?;
                effects[index].draws.extend(self.stage.drawn(number)?);
                self.let_decide(member).await?;
                self.let_append(member).await?;
            }
            let got = self.got(number).await?;
            self.stage.end(number)?;
            effects[index].statuses.push(got.status);
            effects[index].broken.push(got.broken);
        }
        Ok(effects)
    }

    /// Begins one of several actions: gives its worker, and its number if it is a request. A request is drawn and answered.
    async fn begin(&mut self, action: &Action) -> Result<(usize, Option<u64>), Refusal> {
        let (member, number) = match action {
            Action::Request { worker, draws, stream } => {
                let (member, number) = self.send(*worker, draws, *stream)?;
                (member, Some(number))
            }
            Action::Outcome { worker, token, status, attempt } => {
                let (member, token) = (self.member(*worker)?, self.recording.id(token)?);
                let command = Command::Outcome { token, status: *status, attempt: *attempt };
                self.shell(member)?.perform(command);
                (member, None)
            }
            Action::Probe { token, answer } => (self.answer_probe(token, *answer)?, None),
            Action::Tick { worker } => {
                let member = self.member(*worker)?;
                self.shell(member)?.perform(Command::Tick);
                (member, None)
            }
            Action::Advance(_)
            | Action::ClockBack(_)
            | Action::Reconfigure { .. }
            | Action::Stop { .. }
            | Action::Start { .. } => {
                return Err(Refusal::Impossible("this cannot happen at once with something else".to_owned()));
            }
        };
        self.rest().await?;
        if let Some(number) = number
            && !self.stage.is_parked(number)
            && !self.is_answered(number)
        {
            let drawn = self.stage.drawn(number)?;
            let label = drawn.last().map_or("a request", |(label, _)| label);
            return Err(Refusal::Impossible(format!(
                "the answer to {label} takes time, and no time passes while several things happen at once"
            )));
        }
        Ok((member, number))
    }

    /// Lets the workers decide, each one command, and then append, in this order; then everybody hears what is new. And again,
    /// until all is done.
    async fn perform_at_once(&mut self, mut commands: VecDeque<usize>) -> Result<(), Refusal> {
        while !commands.is_empty() {
            let mut later = VecDeque::new();
            let mut proposed = Vec::new();
            for member in commands {
                if self.gate.at(member) == At::Appending {
                    later.push_back(member);
                    continue;
                }
                self.let_decide(member).await?;
                if self.gate.at(member) == At::Appending {
                    proposed.push(member);
                }
            }
            for member in proposed {
                self.let_append(member).await?;
                if !later.contains(&member) {
                    self.send_probes().await?;
                }
            }
            self.gate.let_hear();
            self.rest().await?;
            commands = later;
        }
        self.send_probes().await
    }

    /// A worker decides what it has to decide next, if there is something.
    pub(super) async fn let_decide(&mut self, member: usize) -> Result<(), Refusal> {
        if self.gate.at(member) == At::Deciding {
            self.gate.let_decide(member);
            self.rest().await?;
        }
        Ok(())
    }

    /// A worker appends what it has decided, if it has.
    pub(super) async fn let_append(&mut self, member: usize) -> Result<(), Refusal> {
        if self.gate.at(member) == At::Appending {
            self.gate.let_append(member);
            self.rest().await?;
        }
        Ok(())
    }
}
