//! A mock provider within a test: started, asked about, and gone when it is dropped.

use std::io;
use std::sync::Arc;

use firedrill_clock::Clock;
use firedrill_failover::Duration;
use firedrill_line::Limits;
use firedrill_yaml::{Problem, Source, quoted};

use crate::dialect::Dialect;
use crate::server::asked::{Asked, of};
use crate::server::file::{MockFile, Route, Specified, TEXT};
use crate::server::hand::{AnswerError, IntoAnswer};
use crate::server::journal::{Entry, Wanted};
use crate::server::pending::ByHand;
use crate::server::shared::Hold;
use crate::server::start::{Server, Settings};
use crate::server::tokens::{Tokens, labelled};
use crate::upstream::Upstream;

/// A mock provider on a free port of this machine. It is gone when it is dropped.
///
/// ```no_run
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), firedrill_provider::StartError> {
/// use firedrill_provider::{MockProvider, Virtual};
///
/// let mock = MockProvider::builder().upstream("sk-a: [429, 200]").clock(Virtual::default()).start().await?;
/// let url = format!("{}/v1/chat/completions", mock.base_url());
/// // ... what is tested asks `url` twice, with the token `sk-a` ...
/// mock.assert_answered("sk-a", &[429, 200]);
/// # Ok(()) }
/// ```
pub struct MockProvider(Server);

/// How a [`MockProvider`] is made.
#[must_use = "it is not started yet"]
pub struct Builder {
    dialect: Dialect,
    upstream: Result<Upstream, Problem>,
    tokens: Vec<(String, Option<String>)>,
    text: String,
    settings: Settings,
    hold: Option<Hold>,
    cost: Option<u64>,
}

/// Why a mock provider could not be started.
#[derive(Debug)]
pub enum StartError {
    /// Something is wrong in its block. Remedy: each problem says it.
    Upstream(Vec<Problem>),
    /// No port could be had. Remedy: most of the time, fewer open files.
    Port(io::Error),
}

impl std::fmt::Display for StartError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Upstream(problems) => {
                f.write_str(&problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))
            }
            Self::Port(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for StartError {}

/// What a provider will do, as text or as what it says.
pub trait IntoUpstream {
    /// What it says.
    ///
    /// # Errors
    /// What is wrong in the text.
    fn into_upstream(self) -> Result<Upstream, Problem>;
}

impl IntoUpstream for &str {
    fn into_upstream(self) -> Result<Upstream, Problem> {
        Source::new("upstream", self).parse("what the provider will do")
    }
}

impl IntoUpstream for Upstream {
    fn into_upstream(self) -> Result<Upstream, Problem> {
        Ok(self)
    }
}

impl Builder {
    /// What it speaks. Default: as OpenAI does.
    pub fn dialect(mut self, dialect: Dialect) -> Self {
        self.dialect = dialect;
        self
    }

    /// What it will do: the block `upstream` of a scenario, as YAML or as it was read. Default: it is always well.
    pub fn upstream(mut self, upstream: impl IntoUpstream) -> Self {
        self.upstream = upstream.into_upstream();
        self
    }

    /// A token that it knows. With one, it answers 401 to those that it does not know; without, any token is good.
    pub fn token(mut self, token: &str) -> Self {
        self.tokens.push((token.to_owned(), None));
        self
    }

    /// A token that it knows, by a label.
    pub fn token_as(mut self, token: &str, label: &str) -> Self {
        self.tokens.push((token.to_owned(), Some(label.to_owned())));
        self
    }

    /// What a well answer says.
    pub fn answer(mut self, text: &str) -> Self {
        text.clone_into(&mut self.text);
        self
    }

    /// The time that it lives by. Default: real time.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.settings.clock = Arc::new(clock);
        self
    }

    /// What chance derives from. Default: 0.
    pub fn seed(mut self, seed: u64) -> Self {
        self.settings.seed = Some(seed);
        self
    }

    /// What clients may take of it.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.settings.limits = limits;
        self
    }

    /// Which requests are held until [`MockProvider::answer`] answers them, as of its start. What it is told has the token's
    /// label, the model, the path; its status is 0. A request whose token is not known is never held. Default: none is.
    pub fn hold(mut self, hold: impl Fn(&Entry) -> bool + Send + Sync + 'static) -> Self {
        self.hold = Some(Box::new(hold));
        self
    }

    /// What every request costs in LLM tokens. Default: about as much as it and its answer say.
    pub fn llm_tokens(mut self, each: u64) -> Self {
        self.cost = Some(each);
        self
    }

    /// Starts it on the runtime that this is awaited in. When it comes back, the port is open.
    ///
    /// # Errors
    /// What is wrong with the block, or that no port could be had.
    #[expect(clippy::unused_async, reason = "it needs a runtime, and this says so")]
    pub async fn start(self) -> Result<MockProvider, StartError> {
        let wrong = |problem| StartError::Upstream(vec![problem]);
        let mut tokens = if self.tokens.is_empty() { Tokens::open() } else { Tokens::default() };
        for (token, label) in &self.tokens {
            match label {
                Some(label) => tokens.know(token, label),
                None => drop(tokens.name(token)),
            }
        }
        let upstream = labelled(self.upstream.map_err(wrong)?, &mut tokens).map_err(StartError::Upstream)?;
        let (name, route) = (self.dialect.word().to_owned(), Route::default());
        let only = Specified {
            seed: 0,
            name,
            dialect: self.dialect,
            port: None,
            route,
            text: self.text,
            upstream,
            tokens,
            cost: self.cost,
        };
        let file = MockFile { providers: vec![only], warnings: Vec::new() };
        let server = Server::start(file, self.settings).map_err(StartError::Port)?;
        if let Some(hold) = self.hold {
            server.shared.hold_those(hold);
        }
        Ok(MockProvider(server))
    }
}

impl MockProvider {
    /// How to make one.
    pub fn builder() -> Builder {
        Builder {
            dialect: Dialect::OpenAi,
            upstream: Ok(Upstream::default()),
            tokens: Vec::new(),
            text: TEXT.to_owned(),
            settings: Settings::local(),
            hold: None,
            cost: None,
        }
    }

    /// `http://127.0.0.1:PORT`.
    ///
    /// # Panics
    /// Never: there is a provider.
    pub fn base_url(&self) -> String {
        self.0.served().next().expect("broken invariant: it has a provider").url
    }

    /// `http://127.0.0.1:PORT`, of the control API.
    pub fn control_url(&self) -> String {
        format!("http://{}", self.0.control())
    }

    /// Moves a virtual clock. Waits that end by then end now.
    ///
    /// # Panics
    /// If the clock is real: it moves by itself.
    pub async fn advance(&self, by: std::time::Duration) {
        let by = Duration::from_millis(u64::try_from(by.as_millis()).unwrap_or(u64::MAX));
        let moved = self.0.shared.clock.advance(by);
        assert!(
            moved.is_some(),
            "a real clock moves by itself: build the mock with `.clock(Virtual::default())`"
        );
        self.0.shared.settled().await;
    }

    /// Replaces what it will do; it begins anew.
    ///
    /// # Errors
    /// What is wrong with the block.
    pub async fn replace(&self, upstream: impl IntoUpstream) -> Result<(), Vec<Problem>> {
        let upstream = upstream.into_upstream().map_err(|problem| vec![problem])?;
        let shared = &self.0.shared;
        for provider in shared.providers.iter().take(1) {
            provider.begin(shared.clock.now(), Some(upstream.clone()))?;
        }
        shared.begun.send_replace(());
        shared.settled().await;
        Ok(())
    }

    /// Begins anew, and forgets what it was asked.
    pub async fn reset(&self) {
        self.0.shared.reset().await;
    }

    /// What it was asked, in the order in which it was asked. An entry is there before its answer begins.
    pub fn journal(&self) -> Asked {
        Asked(self.0.shared.journal.entries(&Wanted::default(), usize::MAX))
    }

    /// From now on those requests are held that are so; see [`Builder::hold`]. Those that are held already stay so.
    pub fn hold(&self, hold: impl Fn(&Entry) -> bool + Send + Sync + 'static) {
        self.0.shared.hold_those(Box::new(hold));
    }

    /// The requests that are held, the oldest first. Their status is 0 until they are answered.
    pub fn held(&self) -> Asked {
        Asked(self.0.shared.journal.held())
    }

    /// Answers the oldest held request of the token with this label, or of this token if nobody named it: in the provider's
    /// words and at the pace of its streams, at once or after the latency of the answer itself. No script moves on, and no
    /// quota is used. An answer of the type, a status, or text as in a script will do.
    ///
    /// # Errors
    /// What is wrong with the answer, or that none of this token is held.
    pub fn answer(&self, token: &str, answer: impl IntoAnswer) -> Result<(), AnswerError> {
        let answer = answer.into_answer().map_err(AnswerError::Answer)?;
        self.end_hold(token, Some(answer))
    }

    /// Lets the oldest held request of the token with this label, or of this token if nobody named it, be answered as if it came
    /// only now.
    ///
    /// # Errors
    /// That none of this token is held.
    pub fn release(&self, token: &str) -> Result<(), AnswerError> {
        self.end_hold(token, None)
    }

    fn end_hold(&self, token: &str, by_hand: ByHand) -> Result<(), AnswerError> {
        if self.0.shared.journal.answer(by_hand, of(token)) {
            return Ok(());
        }
        Err(AnswerError::NoneHeld(quoted(token)))
    }

    /// How many requests are not over: those that wait or are held, and those that are on their way.
    pub fn open(&self) -> usize {
        self.0.shared.journal.open()
    }

    /// How many requests are held, or wait for the clock: for their latency, the pace of their stream, or for ever, as a fault
    /// says. One whose time has come counts no more.
    pub fn waiting(&self) -> usize {
        self.0.shared.journal.waiting(self.0.shared.clock.now())
    }

    /// How many requests are not over, if every one of them is held or waits to be woken by the clock. `None` while one is on its
    /// way. For a clock that wakes one at a time, whatever time it is.
    pub fn at_rest(&self) -> Option<usize> {
        self.0.shared.journal.at_rest()
    }

    /// Whether the port is open, or refuses connections, as the time says.
    pub fn listens(&self) -> bool {
        self.0.shared.is_settled()
    }

    /// Waits until it was asked so often. For a virtual clock: it is of no use to move it before.
    pub async fn asked(&self, times: u64) {
        self.0.shared.journal.asked(times).await;
    }

    /// Waits until it was asked so often, and each of those requests has been answered, is held, or waits for the clock: nothing
    /// more will come of them by itself. What was answered may still be on its way to the client.
    pub async fn settled(&self, times: u64) {
        self.0.shared.journal.settled(times, || self.0.shared.clock.now()).await;
    }

    /// Waits until nothing is being answered, and nothing is held.
    pub async fn idle(&self) {
        self.0.shared.journal.idle().await;
    }

    /// Asserts that it was asked so often.
    ///
    /// # Panics
    /// If it was not; the message has the journal.
    #[track_caller]
    pub fn assert_asked(&self, times: usize) {
        let journal = self.journal();
        assert!(journal.count() == times, "asked {} times, expected {times}:\n{journal}", journal.count());
    }

    /// Asserts that the token with this label, or this token if nobody named it, was answered with these statuses, in this order.
    ///
    /// # Panics
    /// If it was not; the message has the journal.
    #[track_caller]
    pub fn assert_answered(&self, token: &str, statuses: &[u16]) {
        let journal = self.journal();
        let found: Vec<u16> = journal.of(token).iter().map(|entry| entry.status).collect();
        assert!(found == statuses, "{token} was answered {found:?}, expected {statuses:?}:\n{journal}");
    }

    /// Asserts that the token with this label, or this token if nobody named it, was never sent.
    ///
    /// # Panics
    /// If it was; the message has the journal.
    #[track_caller]
    pub fn assert_never_asked(&self, token: &str) {
        self.assert_answered(token, &[]);
    }

    /// Stops it, and lets the answers that are being given end first.
    pub async fn stop(self) {
        self.0.stop().await;
    }
}
