//! Chat completions: OpenAI's shape of a question and its answer, which many vendors speak with small differences.

use serde_json::Value;

use super::ask::{self, Headers};
use super::json::{Json, list, object};
use super::text::{self, Said};
use super::{Context, Dialect, sse};
use crate::exchange::{Body, Form, Question, Reply};

/// What a body lacks.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) enum Lack {
    /// It is no JSON object.
    Json,
    /// It has no `model`.
    Model,
    /// It has no `messages`, or none in them.
    Messages,
    /// How many LLM tokens the answer may have is no whole number of at least 1.
    Most(&'static str),
}

impl Lack {
    pub(super) fn message(self) -> &'static str {
        match self {
            Self::Json => "We could not parse the JSON body of your request.",
            Self::Model => "you must provide a model parameter",
            Self::Messages => "Missing required parameter: 'messages'.",
            Self::Most(_) => "Expected an integer of at least 1.",
        }
    }

    pub(super) fn param(self) -> Option<&'static str> {
        match self {
            Self::Json | Self::Model => None,
            Self::Messages => Some("messages"),
            Self::Most(key) => Some(key),
        }
    }

    pub(super) fn code(self) -> Option<&'static str> {
        match self {
            Self::Json | Self::Model => None,
            Self::Messages => Some("missing_required_parameter"),
            Self::Most(_) => Some("integer_below_min_value"),
        }
    }
}

/// Reads a body. `model` is the one that the path says, where it does.
pub(super) fn read(body: &[u8], token: String, model: Option<String>) -> Result<Question, Lack> {
    let asked = ask::object(body).ok_or(Lack::Json)?;
    let model = match model {
        Some(model) => model,
        None => ask::text(&asked["model"]).ok_or(Lack::Model)?.to_owned(),
    };
    if !ask::has_entries(&asked["messages"]) {
        return Err(Lack::Messages);
    }
    let mut most_llm_tokens = None;
    for key in ["max_completion_tokens", "max_tokens"] {
        if let value @ (Value::Number(_) | Value::String(_)) = &asked[key] {
            most_llm_tokens =
                most_llm_tokens.or(Some(value.as_u64().filter(|most| *most > 0).ok_or(Lack::Most(key))?));
        }
    }
    Ok(Question {
        token,
        model,
        form: Form::Chat,
        stream: asked["stream"].as_bool().unwrap_or(false),
        usage: asked["stream_options"]["include_usage"].as_bool().unwrap_or(false),
        llm_tokens: text::llm_tokens(ask::text_bytes(&asked["messages"])),
        most_llm_tokens,
    })
}

/// What goes into every part of an answer.
struct Answer<'a> {
    question: &'a Question,
    context: &'a Context<'a>,
    said: Said<'a>,
}

/// A well answer; `headers` are those that the vendor adds.
pub(super) fn well(_: Dialect, question: &Question, context: &Context<'_>, mut headers: Headers) -> Reply {
    let said = text::say(context.text, question.most_llm_tokens);
    let answer = Answer { question, context, said };
    let (kind, body) = if question.stream {
        ("text/event-stream; charset=utf-8", Body::Events(answer.events()))
    } else {
        ("application/json", Body::Whole(answer.whole().bytes()))
    };
    headers.insert(0, ("content-type".into(), kind.into()));
    Reply { status: ask::status(200), headers, body }
}

impl Answer<'_> {
    fn id(&self) -> String {
        format!("chatcmpl-{:029x}", self.context.serial)
    }

    fn finish(&self) -> &'static str {
        if self.said.cut { "length" } else { "stop" }
    }

    fn usage(&self) -> Json {
        let (asked, said) = (self.question.llm_tokens, self.said.llm_tokens);
        object! {
            "prompt_tokens" => asked,
            "completion_tokens" => said,
            "total_tokens" => asked.saturating_add(said),
            "prompt_tokens_details" => object! { "cached_tokens" => 0_u16, "audio_tokens" => 0_u16 },
            "completion_tokens_details" => object! {
                "reasoning_tokens" => 0_u16,
                "audio_tokens" => 0_u16,
                "accepted_prediction_tokens" => 0_u16,
                "rejected_prediction_tokens" => 0_u16,
            },
        }
    }

    fn whole(&self) -> Json {
        object! {
            "id" => self.id(),
            "object" => "chat.completion",
            "created" => self.context.wall / 1000,
            "model" => self.question.model.clone(),
            "choices" => list![object! {
                "index" => 0_u16,
                "message" => object! {
                    "role" => "assistant",
                    "content" => self.said.text.to_owned(),
                    "refusal" => (),
                    "annotations" => list![],
                },
                "logprobs" => (),
                "finish_reason" => self.finish(),
            }],
            "usage" => self.usage(),
            "service_tier" => "default",
            "system_fingerprint" => (),
        }
    }

    fn events(&self) -> Vec<Vec<u8>> {
        let first = object! { "role" => "assistant", "content" => "", "refusal" => () };
        let mut events = vec![self.chunk(Some((first, None)), None)];
        let words = self.said.words().map(|word| object! { "content" => word.to_owned() });
        events.extend(words.map(|delta| self.chunk(Some((delta, None)), None)));
        events.push(self.chunk(Some((object! {}, Some(self.finish()))), None));
        if self.question.usage {
            events.push(self.chunk(None, Some(self.usage())));
        }
        events.push(sse::done());
        events
    }

    /// One event: what is new, and why it ended if it did; the last of a stream that tells its usage has nothing new.
    fn chunk(&self, new: Option<(Json, Option<&'static str>)>, usage: Option<Json>) -> Vec<u8> {
        let choices = new.map(|(delta, finish)| {
            object! { "index" => 0_u16, "delta" => delta, "logprobs" => (), "finish_reason" => finish }
        });
        let mut event = object! {
            "id" => self.id(),
            "object" => "chat.completion.chunk",
            "created" => self.context.wall / 1000,
            "model" => self.question.model.clone(),
            "service_tier" => "default",
            "system_fingerprint" => (),
            "choices" => choices.into_iter().collect::<Vec<_>>(),
        };
        if self.question.usage {
            event.push("usage", usage);
        }
        sse::data(&event)
    }
}
