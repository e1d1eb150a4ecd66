//! The behaviour of a provider as a pure model: for a token, a time and a request, what to answer and when.
//!
//! A call is judged in this order: outages, requests at the same time, quotas, the token's script, failures by chance. The
//! first that refuses answers, and what comes after it is not asked: a script does not move on by a call that a quota
//! refused.
//!
//! **Architecture invariant:** no clock and no socket is here. What chance decides depends on the seed, the token, and the
//! how-manieth call of that token it is, and on nothing else: calls of other tokens in between change nothing.

use std::collections::BTreeMap;
use std::sync::Arc;

use firedrill_failover::{Duration, Instant, Random, Status};

use crate::fault::Fault;
use crate::quota::{Meter, Owner, Quota, Standing, Unit};
use crate::script::{Answer, Playback, WELL};
use crate::upstream::Upstream;
use firedrill_block::ALL;

/// What is asked of the provider.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Ask<'a> {
    /// With which token.
    pub token: &'a str,
    /// How many LLM tokens it costs: those of the question and those that the answer may have.
    pub llm_tokens: u64,
}

/// What the provider does with a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// What is answered.
    pub answer: Answer,
    /// Why it is refused, if it is.
    pub refusal: Option<Refusal>,
    /// From the request to the headers of the answer.
    pub wait: Duration,
    /// From the headers to the first event of a stream.
    pub first: Duration,
    /// What is left of each quota, in the order in which they are written.
    pub quotas: Vec<Standing>,
    /// To be given back by [`Behaviour::ended`] when the answer is over.
    pub ticket: Ticket,
}

/// Who refused a call.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Nothing works just now.
    Outage,
    /// Too many requests at the same time.
    Concurrent,
    /// A quota is used up.
    Quota {
        /// Of what.
        unit: Unit,
        /// In what time it is granted.
        per: Duration,
        /// How much is granted.
        limit: u64,
    },
    /// The token's script.
    Script,
    /// Chance.
    Chance,
}

/// A call that is being answered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use = "a call that has not ended counts as one that is being answered"]
pub struct Ticket {
    /// The token's number, and the how-manieth call of it this is.
    call: Option<(usize, u64)>,
}

/// A token as the provider knows it.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Seen<'a> {
    /// Its name.
    pub token: &'a str,
    /// Its calls so far.
    pub calls: u64,
    /// How many of them are being answered; with those of its whole domain, if it has one.
    pub answering: u64,
    /// The phase of its script that answered last, from 0; past the end, how many there are.
    pub phase: usize,
    /// How many calls that phase has answered, or how many rounds it has gone through.
    pub times: u64,
}

/// A provider at work. `O(log tokens + quotas)` a call.
#[derive(Clone, Debug)]
pub struct Behaviour {
    upstream: Arc<Upstream>,
    seed: u64,
    /// The domain of each token that has one, by its place in the block.
    members: BTreeMap<Arc<str>, usize>,
    /// As many as the block has.
    domains: Vec<Account>,
    /// The number of each token that was met.
    numbers: BTreeMap<Arc<str>, usize>,
    /// By their numbers.
    tokens: Vec<TokenState>,
}

#[derive(Clone, Debug)]
struct TokenState {
    playback: Playback,
    /// Its calls so far.
    calls: u64,
    /// What its draws derive from.
    stream: u64,
    domain: Option<usize>,
    account: Account,
}

/// What a token, or a domain, has used of its limits.
#[derive(Clone, Debug)]
struct Account {
    /// How many calls are being answered.
    answering: u64,
    /// One for each quota of the block, whosever that is.
    meters: Vec<Meter>,
}

const TOO_MANY: Status = Status::new(429).expect("429 is a status");

impl Behaviour {
    /// A provider that begins at [`Instant::ZERO`].
    pub fn new(upstream: Arc<Upstream>, seed: u64) -> Self {
        let members = upstream.domains.iter().enumerate().flat_map(|(domain, (_, tokens))| {
            tokens.iter().map(move |token| (token.value.as_str().into(), domain))
        });
        let members = members.collect();
        let domains = upstream.domains.iter().map(|_| Account::new(&upstream)).collect();
        Self { upstream, seed, members, domains, numbers: BTreeMap::new(), tokens: Vec::new() }
    }

    /// What to do with a call at `now`, which is not before any call before.
    pub fn call(&mut self, now: Instant, ask: Ask<'_>) -> Plan {
        let token = self.number(ask.token);
        let (answer, refusal, mut random) = self.judge(now, token, ask.llm_tokens);
        let latency = answer.latency.as_ref().unwrap_or(&self.upstream.latency);
        let wait = latency.draw(&mut random);
        let first = self.upstream.pace.first.draw(&mut random);
        for account in self.accounts(token) {
            account.answering += 1;
        }
        let quotas = self.standings(now, token);
        let call = self.tokens[token].calls;
        Plan { answer, refusal, wait, first, quotas, ticket: Ticket { call: Some((token, call)) } }
    }

    /// The answer to a call is over, be it sent or broken off.
    #[expect(clippy::needless_pass_by_value, reason = "a ticket is given back once")]
    pub fn ended(&mut self, ticket: Ticket) {
        // What another provider gave is nothing to this one.
        let Some((token, _)) = ticket.call.filter(|(token, _)| *token < self.tokens.len()) else { return };
        for account in self.accounts(token) {
            account.answering = account.answering.saturating_sub(1);
        }
    }

    /// What is left at `now` of the quotas that `token` has a part in.
    pub fn quotas(&mut self, now: Instant, token: &str) -> Vec<Standing> {
        let token = self.number(token);
        self.standings(now, token)
    }

    /// Whether nobody listens at `now`.
    pub fn is_refusing(&self, now: Instant) -> bool {
        self.outage(now).is_some_and(|outage| outage.fault == Some(Fault::Refused))
    }

    /// The wait between the `nth` event of a stream, from 1, and the one before, for the call that `plan` was made for.
    pub fn between(&self, plan: &Plan, nth: u64) -> Duration {
        let call = plan.ticket.call.and_then(|(token, call)| Some((self.tokens.get(token)?, call)));
        let mut random = match call {
            Some((state, call)) => state.random(self.seed, call, nth),
            None => Random::new(self.seed, 0),
        };
        self.upstream.pace.between.draw(&mut random)
    }

    /// Every token that has called, in the order of their names.
    pub fn seen(&self) -> impl Iterator<Item = Seen<'_>> {
        let met = self.numbers.iter().map(|(token, number)| (token, &self.tokens[*number]));
        met.filter(|(_, state)| state.calls > 0).map(|(token, state)| {
            let (phase, times) = state.playback.place();
            let account = state.domain.map_or(&state.account, |domain| &self.domains[domain]);
            Seen { token, calls: state.calls, answering: account.answering, phase, times }
        })
    }

    fn judge(&mut self, now: Instant, token: usize, llm_tokens: u64) -> (Answer, Option<Refusal>, Random) {
        let state = &mut self.tokens[token];
        state.calls += 1;
        let mut random = state.random(self.seed, state.calls, 0);
        // Drawn whatever happens, so that the chances of a later call are its own.
        let chances: Vec<u32> = self.upstream.errors.iter().map(|_| random.below(ALL)).collect();
        if let Some(outage) = self.outage(now) {
            let answer = Answer { fault: outage.fault.clone(), ..Answer::plain(outage.status) };
            return (answer, Some(Refusal::Outage), random);
        }
        let is_full = (0..self.upstream.concurrent.len()).any(|number| {
            let (most, owner) = self.upstream.concurrent[number];
            self.account(token, owner).answering >= most
        });
        if is_full {
            return (Answer::plain(TOO_MANY), Some(Refusal::Concurrent), random);
        }
        if let Some((answer, refusal)) = self.use_quotas(now, token, llm_tokens) {
            return (answer, Some(refusal), random);
        }
        let answer = self.tokens[token].playback.answer(now);
        if answer.status != WELL || answer.fault.is_some() {
            return (answer, Some(Refusal::Script), random);
        }
        let unlucky = self.upstream.errors.iter().zip(chances).find(|(errors, drawn)| *drawn < errors.rate.0);
        if let Some((errors, _)) = unlucky {
            let answer = Answer { fault: errors.fault.clone(), ..Answer::plain(errors.status) };
            return (answer, Some(Refusal::Chance), random);
        }
        (answer, None, random)
    }

    /// Takes from every quota, or from none if one has not enough: then the refusal of the one that takes longest.
    fn use_quotas(&mut self, now: Instant, token: usize, llm_tokens: u64) -> Option<(Answer, Refusal)> {
        let cost = |unit| match unit {
            Unit::Requests => 1,
            Unit::LlmTokens => llm_tokens,
        };
        let mut worst: Option<(Option<Duration>, Quota)> = None;
        for number in 0..self.upstream.quotas.len() {
            let quota = self.upstream.quotas[number];
            let wait = self.meter(number, token).wait(now, cost(quota.unit));
            // What is never to be had is later than any time.
            let later = |wait: Option<Duration>| (wait.is_none(), wait);
            if wait != Some(Duration::ZERO) && worst.is_none_or(|(longest, _)| later(wait) > later(longest)) {
                worst = Some((wait, quota));
            }
        }
        if let Some((wait, quota)) = worst {
            let answer = Answer { retry_after: wait, ..Answer::plain(TOO_MANY) };
            let refusal = Refusal::Quota { unit: quota.unit, per: quota.per, limit: quota.most };
            return Some((answer, refusal));
        }
        for number in 0..self.upstream.quotas.len() {
            let cost = cost(self.upstream.quotas[number].unit);
            self.meter(number, token).take(now, cost);
        }
        None
    }

    fn outage(&self, now: Instant) -> Option<&crate::upstream::Outage> {
        self.upstream.outages.iter().find(|outage| {
            let began = Instant::ZERO + outage.from;
            now >= began && now.since(began) < outage.lasts
        })
    }

    fn standings(&mut self, now: Instant, token: usize) -> Vec<Standing> {
        (0..self.upstream.quotas.len()).map(|number| self.meter(number, token).standing(now)).collect()
    }

    fn meter(&mut self, number: usize, token: usize) -> &mut Meter {
        let owner = self.upstream.quotas[number].owner;
        &mut self.account(token, owner).meters[number]
    }

    /// Which account of a token a limit of this owner is about.
    fn account(&mut self, token: usize, owner: Owner) -> &mut Account {
        let state = &mut self.tokens[token];
        match (owner, state.domain) {
            (Owner::Domain, Some(domain)) => &mut self.domains[domain],
            _ => &mut state.account,
        }
    }

    /// Its own account, and that of its domain.
    fn accounts(&mut self, token: usize) -> impl Iterator<Item = &mut Account> {
        let state = &mut self.tokens[token];
        std::iter::once(&mut state.account).chain(state.domain.map(|domain| &mut self.domains[domain]))
    }

    /// The number of a token, which is met now if it was not before.
    fn number(&mut self, token: &str) -> usize {
        if let Some(number) = self.numbers.get(token) {
            return *number;
        }
        let script = self.upstream.tokens.iter().find(|(name, _)| name.value == token);
        let script = script.map_or(&self.upstream.default, |(_, script)| script);
        self.tokens.push(TokenState {
            playback: script.play(Instant::ZERO),
            calls: 0,
            stream: stream_of(token),
            domain: self.members.get(token).copied(),
            account: Account::new(&self.upstream),
        });
        self.numbers.insert(token.into(), self.tokens.len() - 1);
        self.tokens.len() - 1
    }
}

impl Account {
    fn new(upstream: &Upstream) -> Self {
        let meters = upstream.quotas.iter().map(|quota| Meter::new(*quota, Instant::ZERO)).collect();
        Self { answering: 0, meters }
    }
}

impl TokenState {
    /// The draws of a call: `part` 0 for the call, the others for its events.
    fn random(&self, seed: u64, call: u64, part: u64) -> Random {
        // Far apart and odd, so that two calls, or two events, never share their draws.
        let call = call.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let part = part.wrapping_mul(0xd1b5_4a32_d192_ed03);
        Random::new(seed.wrapping_add(call).wrapping_add(part), self.stream)
    }
}

/// A number for a name: FNV-1a, 64 bits.
fn stream_of(name: &str) -> u64 {
    name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use firedrill_yaml::Source;

    fn behaviour(upstream: &str) -> Behaviour {
        let upstream: Upstream = Source::new("f", upstream).parse("an upstream").expect("a good upstream");
        Behaviour::new(upstream.into(), 1)
    }

    fn call(behaviour: &mut Behaviour, token: &str) -> Plan {
        behaviour.call(Instant::ZERO, Ask { token, llm_tokens: 0 })
    }

    #[test]
    fn a_call_counts_once_for_a_token_and_once_for_its_domain() {
        let upstream =
            "{ quotas: [{ concurrent: 2 }, { concurrent: 3, by: domain }], domains: { d: [sk-b, sk-c] } }";
        let mut behaviour = behaviour(upstream);
        let plans: Vec<Plan> = ["sk-a", "sk-a", "sk-a", "sk-b", "sk-b", "sk-c", "sk-c"]
            .into_iter()
            .map(|token| call(&mut behaviour, token))
            .collect();
        let refused: Vec<bool> = plans.iter().map(|plan| plan.refusal.is_some()).collect();
        assert_eq!(refused, [false, false, true, false, false, false, true]);
        for plan in plans {
            behaviour.ended(plan.ticket);
        }
        assert_eq!(call(&mut behaviour, "sk-a").refusal, None);
        let answering: Vec<u64> = behaviour.seen().map(|seen| seen.answering).collect();
        assert_eq!(answering, [1, 0, 0]);
    }

    #[test]
    fn the_waits_of_a_stream_are_its_own_whoever_calls_meanwhile() {
        let upstream = "{ pace: { between: { from: 0ms, to: 1s } } }";
        let waits =
            |behaviour: &Behaviour, plan| (1..9).map(|nth| behaviour.between(plan, nth)).collect::<Vec<_>>();
        let mut behaviour = behaviour(upstream);
        let plan = call(&mut behaviour, "sk-a");
        let alone = waits(&behaviour, &plan);
        let other = call(&mut behaviour, "sk-a");
        assert_eq!(waits(&behaviour, &plan), alone);
        assert_ne!(waits(&behaviour, &other), alone);
    }
}
