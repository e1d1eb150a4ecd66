//! A request on its way through its attempts: what it draws, what the provider answers, whether it is retried.

use std::sync::Arc;

use firedrill_failover::{
    Attempt, Command, Duration, HealthCheck, Instant, Policy, Pool, Random, Retry, Selection, Status, TokenId,
};
use firedrill_provider::{Ask, Behaviour, Dialect, Ticket};

use crate::answer::{Answer, Patience};
use crate::question::Question;
use crate::scenario::Scenario;
use crate::target::Refusal;

/// What a request of a scenario costs, in LLM tokens: questions and answers are not part of the language.
pub(crate) const LLM_TOKENS: u64 = 10;

/// The provider under a scenario.
#[derive(Clone, Debug)]
pub(crate) struct Provider {
    behaviour: Behaviour,
    shared: bool,
    dialect: Dialect,
}

impl Provider {
    pub(crate) fn new(scenario: &Scenario, seed: u64) -> Self {
        let upstream = &scenario.upstream;
        let shared = !upstream.domains.is_empty();
        let dialect = scenario.dialect();
        Self { behaviour: Behaviour::new(Arc::clone(upstream), seed), shared, dialect }
    }

    /// Whether the calls of one token may change what is answered to another.
    pub(crate) fn is_shared(&self) -> bool {
        self.shared
    }

    /// The answer to the next call of the token called `label`; `None` if its body never ends. The ticket is given back when it
    /// is over.
    fn request(
        &mut self,
        label: &str,
        stream: bool,
        patience: Patience,
        now: Instant,
        passes_on: impl FnOnce(Status, Instant) -> bool,
    ) -> Option<(Answer, Ticket)> {
        // Who is refused a connection has not called.
        if self.behaviour.is_refusing(now) {
            return Some((Answer::refused(now), Ticket::default()));
        }
        let plan = self.behaviour.call(now, Ask { token: label, llm_tokens: LLM_TOKENS });
        let pieces = Question { dialect: self.dialect, stream }.pieces(&plan, &self.behaviour);
        let answer = Answer::new(&plan, &pieces, patience, now, passes_on);
        if answer.is_none() {
            self.ended(plan.ticket);
            return None;
        }
        answer.map(|answer| (answer, plan.ticket))
    }

    /// What a probe of the token called `label` reports, and when. The ticket is given back then.
    pub(crate) fn probe(&mut self, label: &str, policy: &Policy, now: Instant) -> (Status, Instant, Ticket) {
        if self.behaviour.is_refusing(now) {
            return (Status::CONNECT, now, Ticket::default());
        }
        let check = policy.failover().and_then(|failover| failover.health_check());
        let most = check.map_or(Duration::ZERO, |HealthCheck { timeout, .. }| *timeout);
        let plan = self.behaviour.call(now, Ask { token: label, llm_tokens: LLM_TOKENS });
        let (status, at) = Answer::of_probe(&plan, policy, most, now);
        (status, at, plan.ticket)
    }

    /// The answer to a call is over.
    pub(crate) fn ended(&mut self, ticket: Ticket) {
        self.behaviour.ended(ticket);
    }
}

/// Why a step is skipped whose answer would never come to its end.
pub(crate) fn never_ends(label: &str) -> Refusal {
    Refusal::CannotAsk(format!("the answer to {label} never ends, and neither would this step"))
}

/// A request with the tokens that it has tried.
#[derive(Clone, Debug)]
pub(crate) struct Trip {
    /// The worker that serves it, from 0.
    pub(crate) member: usize,
    draws: Vec<String>,
    /// Where draws that are not named come from.
    random: Random,
    /// Whether its client asks for a stream.
    stream: bool,
    tried: Vec<TokenId>,
    /// When it was sent.
    began: Instant,
    /// The upstream's time for an answer, and for each piece of it.
    timeout: Duration,
    /// Whether other things happen at the same moment, so that no time may pass.
    at_once: bool,
    /// What its last attempt was answered.
    pub(crate) last: Option<Answer>,
}

/// An attempt that is answered.
#[derive(Debug)]
pub(crate) struct Attempted {
    /// The token that was drawn.
    pub(crate) label: String,
    pub(crate) fallback: bool,
    pub(crate) answer: Answer,
    pub(crate) ticket: Ticket,
    /// What the worker is told of it.
    pub(crate) command: Command,
}

impl Trip {
    pub(crate) fn new(
        member: usize,
        (draws, random): (&[String], Random),
        stream: bool,
        began: Instant,
        timeout: Duration,
    ) -> Self {
        let (tried, at_once, last) = (Vec::new(), false, None);
        Self { member, draws: draws.to_vec(), random, stream, tried, began, timeout, at_once, last }
    }

    /// The same, for a moment at which other things happen too.
    pub(crate) fn at_once(self) -> Self {
        Self { at_once: true, ..self }
    }

    /// Sends the next attempt, drawn from `pool`; `None` if there is no token left to try.
    ///
    /// # Errors
    /// If the token that should be drawn cannot be, if the answer never ends, or if it takes time that it may not take.
    pub(crate) fn attempt(
        &mut self,
        pool: &Pool,
        provider: &mut Provider,
        now: Instant,
    ) -> Result<Option<Attempted>, Refusal> {
        let Some(Selection { token, fallback }) = self.draw(pool)? else { return Ok(None) };
        let label = pool.token(token).map(|token| token.label.to_owned()).unwrap_or_default();
        let left = pool.policy().retry().map_or(self.timeout, |retry| retry.left(self.began, now));
        let patience = Patience { headers: self.timeout.min(left), piece: self.timeout };
        let retries = u32::try_from(self.tried.len()).unwrap_or(u32::MAX);
        let (policy, began) = (pool.policy(), self.began);
        let passes_on = |status, at| {
            let again = policy.retry().is_some_and(|retry| retry.allows(status, retries, began, at));
            policy.is_success(status) && !again
        };
        let answered = provider.request(&label, self.stream, patience, now, passes_on);
        let (answer, ticket) = answered.ok_or_else(|| never_ends(&label))?;
        if self.at_once && answer.over > now {
            return Err(Refusal::Impossible(format!(
                "the answer to {label} takes {}, and no time passes while several things happen at once",
                answer.over.since(now)
            )));
        }
        let attempt = if self.tried.is_empty() { Attempt::First } else { Attempt::Retry };
        self.tried.push(token);
        self.last = Some(answer);
        let command = Command::Outcome { token, status: answer.status, attempt };
        Ok(Some(Attempted { label, fallback, answer, ticket, command }))
    }

    /// The token of the next attempt; `None` if none is left to try.
    ///
    /// # Errors
    /// If the one that should be drawn cannot be.
    fn draw(&mut self, pool: &Pool) -> Result<Option<Selection>, Refusal> {
        let attempt = self.tried.len();
        if let Some(label) = self.draws.get(attempt) {
            let drawn = pool.select_this(label, &self.tried);
            return drawn
                .map(Some)
                .map_err(|why| Refusal::Impossible(format!("{label} cannot be drawn: {why}")));
        }
        Ok(match attempt {
            0 => Some(pool.select(&mut self.random)),
            _ => pool.select_another(&mut self.random, &self.tried),
        })
    }

    /// Whether it is tried once more after its last answer, as far as `policy` says and the client has nothing of that answer.
    pub(crate) fn goes_on(&self, policy: &Policy, now: Instant) -> bool {
        let retries = u32::try_from(self.tried.len().saturating_sub(1)).unwrap_or(u32::MAX);
        let allows = |retry: &Retry, answer: &Answer| {
            !answer.is_passed_on() && retry.allows(answer.status, retries, self.began, now)
        };
        policy.retry().zip(self.last.as_ref()).is_some_and(|(retry, answer)| allows(retry, answer))
    }

    /// Ends it.
    ///
    /// # Errors
    /// If a token should have been drawn in an attempt that there was not.
    pub(crate) fn end(&self) -> Result<(), Refusal> {
        all_drawn(&self.draws, self.tried.len())
    }
}

/// Whether a request that should draw `draws` has done so in so many attempts.
///
/// # Errors
/// If a token should have been drawn in an attempt that there was not.
pub(crate) fn all_drawn(draws: &[String], attempts: usize) -> Result<(), Refusal> {
    draws.get(attempts).map_or(Ok(()), |label| {
        Err(Refusal::Impossible(format!("{label} was not drawn: there was no further attempt")))
    })
}
