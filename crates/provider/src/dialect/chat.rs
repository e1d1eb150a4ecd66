//! Chat completions: OpenAI's shape of a question and its answer, which others speak with small differences.

use super::ask::{self, Headers};
use super::json::{Json, list, object, write_text};
use super::text::{self, Said};
use super::value::Value;
use super::{Context, sse};
use crate::exchange::{Body, Events, Form, Question, Reply};

/// Who speaks it.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) enum Vendor {
    OpenAi,
    Azure,
    DeepSeek,
    Qwen,
}

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
    let asked = Value::object(body).ok_or(Lack::Json)?;
    let model = match model {
        Some(model) => model,
        None => ask::text(&asked["model"]).ok_or(Lack::Model)?.to_owned(),
    };
    if !ask::has_entries(&asked["messages"]) {
        return Err(Lack::Messages);
    }
    let most_llm_tokens = ask::most(&asked, &["max_completion_tokens", "max_tokens"]).map_err(Lack::Most)?;
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

/// A well answer; `headers` are those that the vendor adds.
pub(super) fn well(
    vendor: Vendor,
    question: &Question,
    context: &Context<'_>,
    mut headers: Headers,
) -> Reply {
    let said = text::say(context.text, question.most_llm_tokens);
    let answer = Answer { vendor, question, context, said };
    let (kind, body) = if question.stream {
        ("text/event-stream; charset=utf-8", Body::Events(answer.events()))
    } else {
        ("application/json", Body::Whole(answer.whole().bytes()))
    };
    headers.insert(0, ("content-type".into(), kind.into()));
    Reply { status: ask::status(200), headers, body }
}

/// What stands before and after the empty word of an event.
fn split_at_the_word(event: &[u8]) -> (&[u8], &[u8]) {
    const KEY: &[u8] = br#""content":"#;
    // A quote inside a text is written with a backslash before it, so that no text can be taken for the key.
    let key = event.windows(KEY.len()).position(|part| part == KEY);
    let word = key.expect("broken invariant: an event that says something has a content") + KEY.len();
    (&event[..word], &event[word + 2..])
}

/// What goes into every part of an answer.
struct Answer<'a> {
    vendor: Vendor,
    question: &'a Question,
    context: &'a Context<'a>,
    said: Said<'a>,
}

impl Answer<'_> {
    fn finish(&self) -> &'static str {
        if self.said.cut { "length" } else { "stop" }
    }

    fn whole(&self) -> Json {
        let mut message = object! { "role" => "assistant", "content" => self.said.text.to_owned() };
        if matches!(self.vendor, Vendor::OpenAi | Vendor::Azure) {
            message.push("refusal", ());
            message.push("annotations", list![]);
        }
        let mut choice = object! { "index" => 0, "message" => message, "logprobs" => (), "finish_reason" => self.finish() };
        if self.vendor == Vendor::Azure {
            choice.push("content_filter_results", filter_results());
        }
        let mut whole = self.envelope("chat.completion", list![choice], Some(self.usage()));
        if self.vendor == Vendor::Azure {
            whole.push("prompt_filter_results", prompt_filter_results());
        }
        whole
    }

    fn events(&self) -> Events {
        // They differ in their word only: written once, and the word put in.
        let wordless = sse::alone(|to| self.event(object! { "content" => "" }, None, None, to));
        let (before, after) = split_at_the_word(&wordless);
        // About as many words as a text of this length has, and those that begin and end it.
        let words = self.said.text.len() / 5 + 6;
        let mut events = Events::with_capacity(words, words * (wordless.len() + 8) + 512);
        if self.vendor == Vendor::Azure {
            // Before anything is said, with nothing of what every other event has.
            let prompt = object! {
                "choices" => list![],
                "created" => 0,
                "id" => "",
                "model" => "",
                "object" => "",
                "prompt_filter_results" => prompt_filter_results(),
            };
            events.push(|to| sse::data(&prompt, to));
        }
        let mut first = object! { "role" => "assistant", "content" => "" };
        if matches!(self.vendor, Vendor::OpenAi | Vendor::Azure) {
            first.push("refusal", ());
        }
        events.push(|to| self.event(first, None, None, to));
        for word in self.said.words() {
            events.push(|to| {
                to.extend_from_slice(before);
                write_text(word, to);
                to.extend_from_slice(after);
            });
        }
        let (last, usage) = match self.vendor {
            Vendor::OpenAi | Vendor::Azure => (object! {}, None),
            Vendor::Qwen => (object! { "content" => "" }, None),
            Vendor::DeepSeek => (object! { "content" => "" }, Some(self.usage())),
        };
        events.push(|to| self.event(last, Some(self.finish()), usage, to));
        if self.question.usage && self.vendor != Vendor::DeepSeek {
            let last = self.envelope("chat.completion.chunk", list![], Some(self.usage()));
            events.push(|to| sse::data(&last, to));
        }
        events.push(sse::done);
        events
    }

    /// What one event says.
    fn event(&self, delta: Json, finish: Option<&'static str>, usage: Option<Json>, to: &mut Vec<u8>) {
        let says_something = delta != object! {};
        let mut choice =
            object! { "index" => 0, "delta" => delta, "logprobs" => (), "finish_reason" => finish };
        if self.vendor == Vendor::Azure {
            choice.push(
                "content_filter_results",
                if says_something {
                    filter_results()
                } else {
                    object! {}
                },
            );
        }
        // Whoever asks for the usage finds it in every event, null until the last.
        let is_told = match self.vendor {
            Vendor::OpenAi | Vendor::Azure => self.question.usage,
            Vendor::Qwen => true,
            Vendor::DeepSeek => false,
        };
        let usage = usage.or(is_told.then_some(Json::Null));
        sse::data(&self.envelope("chat.completion.chunk", list![choice], usage), to);
    }

    /// What stands round the choices, in the vendor's order.
    fn envelope(&self, kind: &'static str, choices: Json, usage: Option<Json>) -> Json {
        let serial = self.context.serial;
        let id = match self.vendor {
            Vendor::OpenAi | Vendor::Azure => ask::hex("chatcmpl-", serial, 29),
            Vendor::Qwen => format!("chatcmpl-{}", ask::uuid(serial)),
            Vendor::DeepSeek => ask::uuid(serial),
        };
        let created = self.context.wall / 1000;
        let model = self.question.model.clone();
        let mut envelope = match self.vendor {
            Vendor::OpenAi => object! {
                "id" => id,
                "object" => kind,
                "created" => created,
                "model" => model,
                "choices" => choices,
                "service_tier" => "default",
                "system_fingerprint" => (),
            },
            Vendor::DeepSeek => object! {
                "id" => id,
                "object" => kind,
                "created" => created,
                "model" => model,
                "choices" => choices,
                "system_fingerprint" => "fp_mock",
            },
            Vendor::Azure => object! {
                "choices" => choices,
                "created" => created,
                "id" => id,
                "model" => model,
                "object" => kind,
                "system_fingerprint" => "fp_mock",
            },
            Vendor::Qwen => object! {
                "choices" => choices,
                "object" => kind,
                "created" => created,
                "system_fingerprint" => (),
                "model" => model,
                "id" => id,
            },
        };
        if let Some(usage) = usage {
            envelope.push("usage", usage);
        }
        envelope
    }

    fn usage(&self) -> Json {
        let (asked, said) = (self.question.llm_tokens, self.said.llm_tokens);
        let mut usage = object! {
            "prompt_tokens" => asked,
            "completion_tokens" => said,
            "total_tokens" => asked.saturating_add(said),
        };
        match self.vendor {
            Vendor::OpenAi | Vendor::Azure => {
                usage.push("prompt_tokens_details", object! { "cached_tokens" => 0, "audio_tokens" => 0 });
                let details = object! {
                    "reasoning_tokens" => 0,
                    "audio_tokens" => 0,
                    "accepted_prediction_tokens" => 0,
                    "rejected_prediction_tokens" => 0,
                };
                usage.push("completion_tokens_details", details);
            }
            Vendor::DeepSeek => {
                usage.push("prompt_tokens_details", object! { "cached_tokens" => 0 });
                usage.push("prompt_cache_hit_tokens", 0);
                usage.push("prompt_cache_miss_tokens", asked);
            }
            Vendor::Qwen => usage.push("prompt_tokens_details", object! { "cached_tokens" => 0 }),
        }
        usage
    }
}

/// Azure's word that nothing was filtered.
fn filter_results() -> Json {
    let safe = || object! { "filtered" => false, "severity" => "safe" };
    object! { "hate" => safe(), "self_harm" => safe(), "sexual" => safe(), "violence" => safe() }
}

fn prompt_filter_results() -> Json {
    list![object! { "prompt_index" => 0, "content_filter_results" => filter_results() }]
}
