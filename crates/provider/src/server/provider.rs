//! A provider at work behind its path: its behaviour, its tokens, and when it began.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use firedrill_failover::{Duration, Instant, Random, Status};
use firedrill_yaml::Problem;

use crate::behaviour::{Ask, Behaviour, Plan, Refusal, Ticket};
use crate::dialect::{Dialect, llm_tokens};
use crate::exchange::Question;
use crate::fault::Fault;
use crate::latency::Latency;
use crate::script::{Answer, WELL};
use crate::server::course::Between;
use crate::server::file::Route;
use crate::server::tokens::{Tokens, digest, labelled};
use crate::upstream::Upstream;

#[derive(Debug)]
pub(crate) struct Provider {
    pub(crate) name: Arc<str>,
    pub(crate) dialect: Dialect,
    /// Which of the mock's ports is its.
    pub(crate) port: usize,
    pub(crate) route: Route,
    /// What a well answer says.
    pub(crate) text: String,
    /// What every request costs in LLM tokens, whatever it says.
    pub(crate) cost: Option<u64>,
    live: Mutex<Live>,
}

/// What changes.
#[derive(Debug)]
pub(crate) struct Live {
    pub(crate) upstream: Arc<Upstream>,
    pub(crate) behaviour: Behaviour,
    pub(crate) tokens: Tokens,
    /// On the clock; the behaviour's time begins here.
    pub(crate) began: Instant,
    seed: u64,
    /// Grows when the behaviour begins anew, so that no ticket is given back to another than it came from.
    generation: u64,
    /// Requests since it began.
    serial: u64,
}

/// What the provider does with a request.
#[derive(Debug)]
pub(crate) struct Decision {
    /// `None` if the token is not known.
    pub(crate) label: Option<Arc<str>>,
    pub(crate) plan: Plan,
    pub(crate) serial: u64,
    generation: u64,
}

const UNKNOWN: Status = Status::new(401).expect("401 is a status");

impl Provider {
    pub(crate) fn new(
        (name, dialect, port, route, text): (Arc<str>, Dialect, usize, Route, String),
        (upstream, tokens): (Upstream, Tokens),
        seed: u64,
    ) -> Self {
        let upstream = Arc::new(upstream);
        let behaviour = Behaviour::new(Arc::clone(&upstream), seed);
        let live = Live { upstream, behaviour, tokens, began: Instant::ZERO, seed, generation: 0, serial: 0 };
        Self { name, dialect, port, route, text, cost: None, live: Mutex::new(live) }
    }

    /// What to do with `question` at `now`.
    pub(crate) fn call(&self, now: Instant, question: &Question) -> Decision {
        let digest = digest(&question.token);
        let mut live = self.live();
        live.serial += 1;
        let (serial, generation) = (live.serial, live.generation);
        let Some(label) = live.tokens.label(&digest) else {
            let plan = Plan {
                answer: Answer::plain(UNKNOWN),
                refusal: None,
                wait: Duration::ZERO,
                first: Duration::ZERO,
                quotas: Vec::new(),
                ticket: Ticket::default(),
            };
            return Decision { label: None, plan, serial, generation };
        };
        let llm_tokens = self.cost.unwrap_or_else(|| {
            let answer = question.most_llm_tokens.unwrap_or_else(|| llm_tokens(self.text.len() as u64));
            question.llm_tokens.saturating_add(answer)
        });
        let ask = Ask { token: &label, llm_tokens };
        let now = live.time(now);
        let plan = live.behaviour.call(now, ask);
        Decision { label: Some(label), plan, serial, generation }
    }

    /// The label of a token; `None` if the provider does not know it.
    pub(crate) fn label(&self, token: &str) -> Option<Arc<str>> {
        let digest = digest(token);
        self.live().tokens.label(&digest)
    }

    /// What to do at `now` with a request of the token with this label that somebody answers by hand: no script moves on by
    /// it, and no quota is used.
    pub(crate) fn by_hand(&self, now: Instant, label: Arc<str>, answer: Answer) -> Decision {
        let mut live = self.live();
        live.serial += 1;
        let (serial, generation, now) = (live.serial, live.generation, live.time(now));
        let mut random = Random::new(live.seed, serial);
        let plan = Plan {
            // As a script says it.
            refusal: (answer.status != WELL || answer.fault.is_some()).then_some(Refusal::Script),
            wait: answer.latency.as_ref().map_or(Duration::ZERO, |latency| latency.draw(&mut random)),
            first: live.upstream.pace.first.draw(&mut random),
            quotas: live.behaviour.quotas(now, &label),
            ticket: Ticket::default(),
            answer,
        };
        Decision { label: Some(label), plan, serial, generation }
    }

    /// The waits before the second, the third, … of so many events.
    pub(crate) fn between(&self, plan: &Plan, events: usize) -> Between {
        let live = self.live();
        match live.upstream.pace.between {
            Latency::Fixed(wait) => Between::Same(wait),
            _ => Between::Each(
                (1..events.max(1) as u64).map(|nth| live.behaviour.between(plan, nth)).collect(),
            ),
        }
    }

    /// The answer is over.
    pub(crate) fn ended(&self, generation: u64, ticket: Ticket) {
        let mut live = self.live();
        if live.generation == generation {
            live.behaviour.ended(ticket);
        }
    }

    /// Begins anew at `now`, with another block if one is given.
    ///
    /// # Errors
    /// What is wrong with the names in the block.
    pub(crate) fn begin(&self, now: Instant, upstream: Option<Upstream>) -> Result<(), Vec<Problem>> {
        let mut live = self.live();
        if let Some(upstream) = upstream {
            let mut tokens = live.tokens.clone();
            live.upstream = labelled(upstream, &mut tokens)?.into();
            live.tokens = tokens;
        }
        live.behaviour = Behaviour::new(Arc::clone(&live.upstream), live.seed);
        live.began = now;
        live.generation += 1;
        live.serial = 0;
        Ok(())
    }

    /// Knows other tokens from now on, draws by another seed, and begins anew at `now` with another block.
    ///
    /// # Errors
    /// What is wrong with the names in the block.
    pub(crate) fn play(
        &self,
        now: Instant,
        (upstream, tokens): (Upstream, Tokens),
        seed: u64,
    ) -> Result<(), Vec<Problem>> {
        {
            let mut live = self.live();
            (live.tokens, live.seed) = (tokens, seed);
        }
        self.begin(now, Some(upstream))
    }

    /// Whether nobody listens at `now`.
    pub(crate) fn is_refusing(&self, now: Instant) -> bool {
        let live = self.live();
        live.behaviour.is_refusing(live.time(now))
    }

    /// When `is_refusing` may change next, after `now`.
    pub(crate) fn next_change(&self, now: Instant) -> Option<Instant> {
        let live = self.live();
        let outages = live.upstream.outages.iter().filter(|outage| outage.fault == Some(Fault::Refused));
        let edges =
            outages.flat_map(|outage| [live.began + outage.from, live.began + outage.from + outage.lasts]);
        edges.filter(|edge| *edge > now).min()
    }

    /// Nothing that is done under the lock can leave it half done.
    pub(crate) fn live(&self) -> MutexGuard<'_, Live> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Live {
    /// The behaviour's own time.
    pub(crate) fn time(&self, now: Instant) -> Instant {
        Instant::ZERO + now.since(self.began)
    }
}

impl Decision {
    /// What is to be given back when the answer is over, and to which.
    pub(crate) fn ticket(&mut self) -> (u64, Ticket) {
        (self.generation, std::mem::take(&mut self.plan.ticket))
    }
}
