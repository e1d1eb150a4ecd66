//! Dialects: how each vendor is asked, answers and refuses, in bytes.
//!
//! A [`Dialect`] reads a request into a [`Question`], and says what a [`Plan`] decided in the vendor's own words: bodies,
//! headers, events of a stream. What is known of each and from where stands in `docs/providers.md`.
//!
//! **Architecture invariant:** no clock, no socket and no randomness is here. The time and the number of the request are
//! passed in, and the same come out in the same bytes. No reply has a token in it, in whole or in part, unless it was part
//! of a path or a model's name.

mod ask;
mod chat;
mod failure;
mod json;
mod openai;
mod sse;
mod text;
mod when;

use std::str::FromStr;

pub(crate) use self::ask::decoded;
pub(crate) use self::text::llm_tokens;
use crate::behaviour::Plan;
use crate::exchange::{Body, Incoming, Question, Reply};
use crate::fault::Fault;

/// A vendor's way of being asked, answering and refusing.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Dialect {
    /// OpenAI: `openai`.
    OpenAi,
}

/// What a reply depends on besides the question and the plan.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Context<'a> {
    /// The how-manieth request it is; ids are made of it.
    pub serial: u64,
    /// The provider's wall clock, in ms since the Unix epoch.
    pub wall: u64,
    /// What a well answer says.
    pub text: &'a str,
}

/// A word that is no dialect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownDialect {
    word: String,
}

impl std::fmt::Display for UnknownDialect {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let words: Vec<String> = Dialect::ALL.iter().map(|dialect| format!("`{}`", dialect.word())).collect();
        write!(f, "expected a dialect ({}), found {}", words.join(", "), firedrill_yaml::quoted(&self.word))
    }
}

impl std::error::Error for UnknownDialect {}

impl FromStr for Dialect {
    type Err = UnknownDialect;

    /// Reads the word of a Higress `type:`, or of a mock's `dialect:`.
    fn from_str(word: &str) -> Result<Self, UnknownDialect> {
        match word {
            "openai" => Ok(Self::OpenAi),
            _ => Err(UnknownDialect { word: word.to_owned() }),
        }
    }
}

impl Dialect {
    /// Every dialect.
    pub const ALL: [Self; 1] = [Self::OpenAi];

    /// The word it is read from.
    pub const fn word(self) -> &'static str {
        match self {
            Self::OpenAi => "openai",
        }
    }

    /// What a request asks for. Any token is good here: the plan says which is not.
    ///
    /// # Errors
    ///
    /// The dialect's own answer to a request without a token (401), for a path it does not serve (404), with another method
    /// (405), or with a body that is no JSON or lacks what it must have (400).
    pub fn read(self, incoming: &Incoming<'_>) -> Result<Question, Reply> {
        match self {
            Self::OpenAi => openai::read(incoming),
        }
    }

    /// The answer to `question` as `plan` says. Of its faults only [`Fault::ErrorEvent`] is played here: then the status is
    /// 200, and the only event of the stream, or the whole body, is the error. The others are for whoever sends the bytes.
    pub fn reply(self, question: &Question, plan: &Plan, context: &Context<'_>) -> Reply {
        let status = plan.answer.status;
        if plan.answer.fault == Some(Fault::ErrorEvent) {
            let mut reply = self.well(question, plan, context);
            reply.status = ask::status(200);
            reply.body = match reply.body {
                Body::Events(_) => Body::Events(vec![self.error_event(question, plan, context)]),
                Body::Whole(_) => self.refuse(question, plan, context).body,
            };
            return reply;
        }
        if plan.answer.error.is_none() && (200..300).contains(&status.code()) {
            return Reply { status, ..self.well(question, plan, context) };
        }
        Reply { status, ..self.refuse(question, plan, context) }
    }

    /// The error that `plan` says, as an event inside a stream that was answered 200. If the plan's status is a success,
    /// the name of its error tells which it is, and without one the provider is overloaded.
    pub fn error_event(self, question: &Question, plan: &Plan, context: &Context<'_>) -> Vec<u8> {
        match self {
            Self::OpenAi => openai::error_event(question, plan, context),
        }
    }

    fn well(self, question: &Question, plan: &Plan, context: &Context<'_>) -> Reply {
        match self {
            Self::OpenAi => openai::well(question, plan, context),
        }
    }

    fn refuse(self, question: &Question, plan: &Plan, context: &Context<'_>) -> Reply {
        match self {
            Self::OpenAi => openai::refuse(question, plan, context),
        }
    }
}
