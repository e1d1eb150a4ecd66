//! Dialects: how each vendor is asked, answers and refuses, in bytes.
//!
//! A [`Dialect`] reads a request into a [`Question`], and says what a [`Plan`] decided in the vendor's own words: bodies,
//! headers, events of a stream. What is known of each and from where stands in `docs/providers.md`.
//!
//! **Architecture invariant:** no clock, no socket and no randomness is here. The time and the number of the request are
//! passed in, and the same come out in the same bytes. No reply has a token in it, in whole or in part, unless it was part
//! of a path or a model's name.

mod anthropic;
mod ask;
mod azure;
mod bedrock;
mod chat;
mod deepseek;
mod eventstream;
mod failure;
mod gemini;
mod json;
mod messages;
mod openai;
mod qwen;
mod sse;
mod text;
mod when;

use std::str::FromStr;

use schemars::JsonSchema;
use serde::Deserialize;

#[cfg(feature = "server")]
pub(crate) use self::ask::decoded;
#[cfg(feature = "server")]
pub(crate) use self::text::llm_tokens;
use crate::behaviour::Plan;
use crate::exchange::{Body, Incoming, Question, Reply};
use crate::fault::Fault;

/// A vendor's way of being asked, answering and refusing.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Dialect {
    /// OpenAI.
    OpenAi,
    /// Anthropic; Higress calls it `claude`.
    #[serde(alias = "claude")]
    Anthropic,
    /// Azure OpenAI.
    Azure,
    /// Google's Gemini.
    Gemini,
    /// Amazon Bedrock.
    Bedrock,
    /// Alibaba Cloud's DashScope, where Qwen lives.
    #[serde(alias = "dashscope")]
    Qwen,
    /// DeepSeek.
    DeepSeek,
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
            "claude" => Ok(Self::Anthropic),
            "dashscope" => Ok(Self::Qwen),
            _ => Self::ALL
                .into_iter()
                .find(|dialect| dialect.word() == word)
                .ok_or_else(|| UnknownDialect { word: word.to_owned() }),
        }
    }
}

impl Dialect {
    /// Every dialect.
    pub const ALL: [Self; 7] =
        [Self::OpenAi, Self::Anthropic, Self::Azure, Self::Gemini, Self::Bedrock, Self::Qwen, Self::DeepSeek];

    /// The word it is read from.
    pub const fn word(self) -> &'static str {
        match self {
            Self::OpenAi => "openai",
            Self::Anthropic => "anthropic",
            Self::Azure => "azure",
            Self::Gemini => "gemini",
            Self::Bedrock => "bedrock",
            Self::Qwen => "qwen",
            Self::DeepSeek => "deepseek",
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
            Self::Anthropic => anthropic::read(incoming),
            Self::Azure => azure::read(incoming),
            Self::Gemini => gemini::read(incoming),
            Self::Bedrock => bedrock::read(incoming),
            Self::Qwen => qwen::read(incoming),
            Self::DeepSeek => deepseek::read(incoming),
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
            Self::OpenAi => openai::error_event(question, plan),
            Self::Anthropic => anthropic::error_event(plan, context),
            Self::Azure => azure::error_event(plan),
            Self::Gemini => gemini::error_event(question, plan),
            Self::Bedrock => bedrock::error_event(plan),
            Self::Qwen => qwen::error_event(question, plan, context),
            Self::DeepSeek => deepseek::error_event(plan),
        }
    }

    fn well(self, question: &Question, plan: &Plan, context: &Context<'_>) -> Reply {
        match self {
            Self::OpenAi => openai::well(question, plan, context),
            Self::Anthropic => anthropic::well(question, plan, context),
            Self::Azure => azure::well(question, plan, context),
            Self::Gemini => gemini::well(question, context),
            Self::Bedrock => bedrock::well(question, context),
            Self::Qwen => qwen::well(question, context),
            Self::DeepSeek => deepseek::well(question, context),
        }
    }

    fn refuse(self, question: &Question, plan: &Plan, context: &Context<'_>) -> Reply {
        match self {
            Self::OpenAi => openai::refuse(question, plan, context),
            Self::Anthropic => anthropic::refuse(plan, context),
            Self::Azure => azure::refuse(plan, context),
            Self::Gemini => gemini::refuse(question, plan),
            Self::Bedrock => bedrock::refuse(plan, context),
            Self::Qwen => qwen::refuse(question, plan, context),
            Self::DeepSeek => deepseek::refuse(plan, context),
        }
    }
}
