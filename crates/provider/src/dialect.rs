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
mod value;
mod when;

use std::borrow::Cow;
use std::str::FromStr;

use firedrill_failover::Duration;
use firedrill_yaml::{closest, custom, quoted};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserialize, Deserializer};

#[cfg(feature = "server")]
pub(crate) use self::ask::decoded;
#[cfg(feature = "server")]
pub(crate) use self::text::llm_tokens;
use crate::behaviour::{Plan, Ticket};
use crate::exchange::{Body, Incoming, Question, Reply};
use crate::fault::Fault;
use crate::script::Answer;

/// A vendor's way of being asked, answering and refusing.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Dialect {
    /// OpenAI.
    OpenAi,
    /// Anthropic.
    Anthropic,
    /// Azure OpenAI.
    Azure,
    /// Google's Gemini.
    Gemini,
    /// Amazon Bedrock.
    Bedrock,
    /// Alibaba Cloud's DashScope, where Qwen lives.
    Qwen,
    /// DeepSeek.
    DeepSeek,
}

/// The words that dialects are read from; the second of two is another word for the first.
const WORDS: [(&str, Dialect); 9] = [
    ("openai", Dialect::OpenAi),
    ("anthropic", Dialect::Anthropic),
    ("claude", Dialect::Anthropic),
    ("azure", Dialect::Azure),
    ("gemini", Dialect::Gemini),
    ("bedrock", Dialect::Bedrock),
    ("qwen", Dialect::Qwen),
    ("dashscope", Dialect::Qwen),
    ("deepseek", Dialect::DeepSeek),
];

/// The longest name of a model that is served: a stream repeats it in every event.
const LONGEST_MODEL: usize = 1024;

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
        let words = Dialect::ALL.map(|dialect| format!("`{}`", dialect.word())).join(", ");
        write!(f, "expected a dialect ({words}), found {}", quoted(&self.word))
    }
}

impl std::error::Error for UnknownDialect {}

impl FromStr for Dialect {
    type Err = UnknownDialect;

    /// Reads the word of a Higress `type:`, or of a mock's `dialect:`.
    fn from_str(word: &str) -> Result<Self, UnknownDialect> {
        let known = WORDS.iter().find(|(known, _)| *known == word).map(|(_, dialect)| *dialect);
        known.ok_or_else(|| UnknownDialect { word: word.to_owned() })
    }
}

impl<'de> Deserialize<'de> for Dialect {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let word = String::deserialize(deserializer)?;
        word.parse().map_err(|unknown| {
            let meant = closest(&word, WORDS.iter().map(|(known, _)| *known));
            custom(unknown, meant.map_or_else(String::new, |meant| format!("did you mean `{meant}`?")))
        })
    }
}

impl JsonSchema for Dialect {
    fn schema_name() -> Cow<'static, str> {
        "Dialect".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let words = WORDS.map(|(word, _)| word);
        json_schema!({ "description": "Whose paths, bodies, headers and streams.", "type": "string", "enum": words })
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

    /// The errors that a script can call by name, and the status that each comes with; the first with a status is what that
    /// status means by itself. Another name is told as the error's code, as it stands.
    pub fn errors(self) -> impl Iterator<Item = (&'static str, u16)> {
        let known = match self {
            Self::OpenAi => openai::KNOWN,
            Self::Anthropic => anthropic::KNOWN,
            Self::Azure => azure::KNOWN,
            Self::Gemini => gemini::KNOWN,
            Self::Bedrock => bedrock::KNOWN,
            Self::Qwen => qwen::KNOWN,
            Self::DeepSeek => deepseek::KNOWN,
        };
        known.iter().map(|known| (known.name, known.status))
    }

    /// What a request asks for. Any token is good here: the plan says which is not.
    ///
    /// # Errors
    ///
    /// The dialect's own answer to a request without a token (401, or 403), for a path it does not serve or a model whose
    /// name is longer than 1024 bytes (404), with another method (405), or with a body that is no JSON or lacks what it must
    /// have (400, or 422).
    pub fn read(self, incoming: &Incoming<'_>) -> Result<Question, Reply> {
        let question = match self {
            Self::OpenAi => openai::read(incoming),
            Self::Anthropic => anthropic::read(incoming),
            Self::Azure => azure::read(incoming),
            Self::Gemini => gemini::read(incoming),
            Self::Bedrock => bedrock::read(incoming),
            Self::Qwen => qwen::read(incoming),
            Self::DeepSeek => deepseek::read(incoming),
        }?;
        if question.model.len() <= LONGEST_MODEL {
            return Ok(question);
        }
        let plan = Plan {
            answer: Answer::plain(ask::status(404)),
            refusal: None,
            wait: Duration::ZERO,
            first: Duration::ZERO,
            quotas: Vec::new(),
            ticket: Ticket::default(),
        };
        Err(self.refuse(&question, &plan, &Context { serial: 0, wall: 0, text: "" }))
    }

    /// The answer to `question` as `plan` says. Of its faults only [`Fault::ErrorEvent`] is played here: then the status is
    /// 200, and the only event of the stream, or the whole body, is the error. The others are for whoever sends the bytes.
    pub fn reply(self, question: &Question, plan: &Plan, context: &Context<'_>) -> Reply {
        let status = plan.answer.status;
        if plan.answer.fault == Some(Fault::ErrorEvent) {
            let mut reply = self.well(question, plan, context);
            reply.body = match reply.body {
                Body::Events(_) => Body::Events([self.error_event(question, plan, context)].iter().collect()),
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
