//! A request on its way through its attempts: what it draws, what the provider answers, whether it is retried.

use std::sync::Arc;

use firedrill_failover::{
    Attempt, Command, Instant, Policy, Pool, Random, Retry, Selection, Status, TokenId,
};
use firedrill_provider::{Ask, Behaviour, Upstream};

use crate::target::Refusal;

/// What a request of a scenario costs, in LLM tokens: questions and answers are not part of the language.
const LLM_TOKENS: u64 = 10;

/// The provider under a scenario.
#[derive(Clone, Debug)]
pub(crate) struct Provider {
    behaviour: Behaviour,
    shared: bool,
}

impl Provider {
    pub(crate) fn new(upstream: &Arc<Upstream>, seed: u64) -> Self {
        let shared = !upstream.domains.is_empty();
        Self { behaviour: Behaviour::new(Arc::clone(upstream), seed), shared }
    }

    /// Whether the calls of one token may change what is answered to another.
    pub(crate) fn is_shared(&self) -> bool {
        self.shared
    }

    /// The answer to the next call of the token called `label`; `None` if no whole answer comes.
    pub(crate) fn answer(&mut self, label: &str, now: Instant) -> Option<Status> {
        let plan = self.behaviour.call(now, Ask { token: label, llm_tokens: LLM_TOKENS });
        // No time passes between a request and its answer.
        self.behaviour.ended(plan.ticket);
        plan.answer.fault.is_none().then_some(plan.answer.status)
    }
}

/// A request with the tokens that it has tried.
#[derive(Clone, Debug)]
pub(crate) struct Trip {
    /// The worker that serves it, from 0.
    pub(crate) member: usize,
    draws: Vec<String>,
    tried: Vec<TokenId>,
}

/// An attempt that was answered.
#[derive(Clone, Debug)]
pub(crate) struct Attempted {
    /// The token that was drawn.
    pub(crate) label: String,
    pub(crate) fallback: bool,
    pub(crate) status: Status,
    /// What the worker is told of it.
    pub(crate) command: Command,
}

impl Trip {
    pub(crate) fn new(member: usize, draws: &[String]) -> Self {
        Self { member, draws: draws.to_vec(), tried: Vec::new() }
    }

    /// Sends the next attempt, drawn from `pool`; `None` if there is no token left to try.
    ///
    /// # Errors
    /// If the token that should be drawn cannot be, or what goes wrong needs a socket.
    pub(crate) fn attempt(
        &mut self,
        pool: &Pool,
        random: &mut Random,
        provider: &mut Provider,
        now: Instant,
    ) -> Result<Option<Attempted>, Refusal> {
        let Some(Selection { token, fallback }) = self.draw(pool, random)? else { return Ok(None) };
        let label = pool.token(token).map(|token| token.label.to_owned()).unwrap_or_default();
        let status = provider.answer(&label, now).ok_or_else(|| {
            Refusal::CannotAsk(format!(
                "what the provider does to {label} goes wrong below HTTP, and here are no sockets"
            ))
        })?;
        let attempt = if self.tried.is_empty() { Attempt::First } else { Attempt::Retry };
        self.tried.push(token);
        let command = Command::Outcome { token, status, attempt };
        Ok(Some(Attempted { label, fallback, status, command }))
    }

    fn draw(&self, pool: &Pool, random: &mut Random) -> Result<Option<Selection>, Refusal> {
        let attempt = self.tried.len();
        if let Some(label) = self.draws.get(attempt) {
            let id = pool.find(label);
            let selection = id.and_then(|id| pool.selectable(id, &self.tried));
            return match (selection, id) {
                (Some(selection), _) => Ok(Some(selection)),
                (None, None) => {
                    Err(Refusal::Impossible(format!("{label} cannot be drawn: it is not configured")))
                }
                (None, Some(id)) if self.tried.contains(&id) => {
                    Err(Refusal::Impossible(format!("{label} cannot be drawn: it was tried already")))
                }
                (None, Some(_)) => Err(Refusal::Impossible(format!(
                    "{label} cannot be drawn: it is unavailable while another is available"
                ))),
            };
        }
        Ok(match attempt {
            0 => Some(pool.select(random)),
            _ => pool.select_another(random, &self.tried),
        })
    }

    /// Whether it is tried once more after the answer `status`, as far as `policy` says. A request takes no time here, so
    /// its budget of time is never spent.
    pub(crate) fn goes_on(&self, policy: &Policy, status: Status, now: Instant) -> bool {
        let retries = u32::try_from(self.tried.len().saturating_sub(1)).unwrap_or(u32::MAX);
        policy.retry().is_some_and(|retry: &Retry| retry.allows(status, retries, now, now))
    }

    /// Ends it.
    ///
    /// # Errors
    /// If a token should have been drawn in an attempt that there was not.
    pub(crate) fn end(&self) -> Result<(), Refusal> {
        match self.draws.get(self.tried.len()) {
            Some(label) => {
                Err(Refusal::Impossible(format!("{label} was not drawn: there was no further attempt")))
            }
            None => Ok(()),
        }
    }
}
