//! Chat completions: OpenAI's shape of a question and its answer, which others speak with small differences.

use super::ask::{self, Headers};
use super::json::{Object, write_text};
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
        llm_tokens: text::llm_tokens(asked["messages"].text_bytes()),
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
    let id = match vendor {
        Vendor::OpenAi | Vendor::Azure => ask::hex("chatcmpl-", context.serial, 29),
        Vendor::Qwen => format!("chatcmpl-{}", ask::uuid(context.serial)),
        Vendor::DeepSeek => ask::uuid(context.serial),
    };
    let answer = Answer { vendor, question, id, created: context.wall / 1000, said };
    let (kind, body) = if question.stream {
        ("text/event-stream; charset=utf-8", Body::Events(answer.events()))
    } else {
        ("application/json", Body::Whole(answer.whole()))
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
    id: String,
    created: u64,
    said: Said<'a>,
}

/// What an event says.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
enum Delta {
    /// Who speaks.
    Role,
    /// The empty word, for others to be put in its place.
    Word,
    /// That it is over.
    End,
}

/// What is told of the usage.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
enum Usage {
    /// Nothing.
    Untold,
    /// That it comes later.
    Null,
    Told,
}

impl Answer<'_> {
    fn finish(&self) -> &'static str {
        if self.said.cut { "length" } else { "stop" }
    }

    fn whole(&self) -> Vec<u8> {
        // What stands round the text, and a little for what is escaped in it.
        let mut whole = Vec::with_capacity(self.said.text.len() + self.question.model.len() + 1024);
        let choice = |choice: &mut Object<'_>| {
            choice.same(r#""index":0"#);
            choice.object("message", |message| {
                message.same(r#""role":"assistant""#);
                message.text("content", self.said.text);
                if matches!(self.vendor, Vendor::OpenAi | Vendor::Azure) {
                    message.same(r#""refusal":null,"annotations":[]"#);
                }
            });
            choice.same(r#""logprobs":null"#);
            choice.text("finish_reason", self.finish());
            if self.vendor == Vendor::Azure {
                choice.object("content_filter_results", |filtered| filtered.same(NOT_FILTERED));
            }
        };
        Object::write(&mut whole, |whole| {
            self.envelope("chat.completion", whole, |to| one(to, choice), Usage::Told);
            if self.vendor == Vendor::Azure {
                whole.same(PROMPT_NOT_FILTERED);
            }
        });
        whole
    }

    fn events(&self) -> Events {
        // They differ in their word only: written once, and the word put in.
        let wordless = sse::alone(|to| self.event(Delta::Word, to));
        let (before, after) = split_at_the_word(&wordless);
        // About as many words as a text of this length has, and those that begin and end it.
        let words = self.said.text.len() / 5 + 6;
        let mut events = Events::with_capacity(words, words * (wordless.len() + 8) + 512);
        if self.vendor == Vendor::Azure {
            // Before anything is said, with nothing of what every other event has.
            events.push(|to| {
                sse::object(to, |event| {
                    event.same(r#""choices":[],"created":0,"id":"","model":"","object":"""#);
                    event.same(PROMPT_NOT_FILTERED);
                });
            });
        }
        events.push(|to| self.event(Delta::Role, to));
        for word in self.said.words() {
            events.push(|to| {
                to.extend_from_slice(before);
                write_text(word, to);
                to.extend_from_slice(after);
            });
        }
        events.push(|to| self.event(Delta::End, to));
        if self.question.usage && self.vendor != Vendor::DeepSeek {
            let nothing = |to: &mut Vec<u8>| to.extend_from_slice(b"[]");
            events.push(|to| {
                sse::object(to, |event| {
                    self.envelope("chat.completion.chunk", event, nothing, Usage::Told);
                });
            });
        }
        events.push(sse::done);
        events
    }

    /// What one event says.
    fn event(&self, delta: Delta, to: &mut Vec<u8>) {
        let is_openai = matches!(self.vendor, Vendor::OpenAi | Vendor::Azure);
        let choice = |choice: &mut Object<'_>| {
            choice.same(r#""index":0"#);
            choice.object("delta", |told| {
                if delta == Delta::Role {
                    told.same(r#""role":"assistant""#);
                }
                if delta != Delta::End || !is_openai {
                    told.text("content", "");
                }
                if delta == Delta::Role && is_openai {
                    told.null("refusal");
                }
            });
            choice.null("logprobs");
            match delta {
                Delta::End => choice.text("finish_reason", self.finish()),
                Delta::Role | Delta::Word => choice.null("finish_reason"),
            }
            if self.vendor == Vendor::Azure {
                choice.object("content_filter_results", |filtered| {
                    if delta != Delta::End {
                        filtered.same(NOT_FILTERED);
                    }
                });
            }
        };
        // Whoever asks for the usage finds it in every event, null until the last.
        let usage = match self.vendor {
            Vendor::OpenAi | Vendor::Azure if self.question.usage => Usage::Null,
            Vendor::Qwen => Usage::Null,
            Vendor::DeepSeek if delta == Delta::End => Usage::Told,
            _ => Usage::Untold,
        };
        sse::object(to, |event| {
            self.envelope("chat.completion.chunk", event, |to| one(to, choice), usage);
        });
    }

    /// What stands round the choices, in the vendor's order.
    fn envelope(
        &self,
        kind: &'static str,
        whole: &mut Object<'_>,
        choices: impl FnOnce(&mut Vec<u8>),
        usage: Usage,
    ) {
        let (id, created, model) = (&*self.id, self.created, &*self.question.model);
        match self.vendor {
            Vendor::OpenAi => {
                whole.text("id", id);
                whole.text("object", kind);
                whole.number("created", created);
                whole.text("model", model);
                whole.entry("choices", choices);
                whole.same(r#""service_tier":"default","system_fingerprint":null"#);
            }
            Vendor::DeepSeek => {
                whole.text("id", id);
                whole.text("object", kind);
                whole.number("created", created);
                whole.text("model", model);
                whole.entry("choices", choices);
                whole.text("system_fingerprint", "fp_mock");
            }
            Vendor::Azure => {
                whole.entry("choices", choices);
                whole.number("created", created);
                whole.text("id", id);
                whole.text("model", model);
                whole.text("object", kind);
                whole.text("system_fingerprint", "fp_mock");
            }
            Vendor::Qwen => {
                whole.entry("choices", choices);
                whole.text("object", kind);
                whole.number("created", created);
                whole.null("system_fingerprint");
                whole.text("model", model);
                whole.text("id", id);
            }
        }
        match usage {
            Usage::Untold => {}
            Usage::Null => whole.null("usage"),
            Usage::Told => whole.object("usage", |usage| self.usage(usage)),
        }
    }

    fn usage(&self, usage: &mut Object<'_>) {
        let (asked, said) = (self.question.llm_tokens, self.said.llm_tokens);
        usage.number("prompt_tokens", asked);
        usage.number("completion_tokens", said);
        usage.number("total_tokens", asked.saturating_add(said));
        match self.vendor {
            Vendor::OpenAi | Vendor::Azure => {
                usage.same(r#""prompt_tokens_details":{"cached_tokens":0,"audio_tokens":0}"#);
                usage.same(concat!(
                    r#""completion_tokens_details":{"reasoning_tokens":0,"audio_tokens":0,"#,
                    r#""accepted_prediction_tokens":0,"rejected_prediction_tokens":0}"#,
                ));
            }
            Vendor::DeepSeek => {
                usage.same(r#""prompt_tokens_details":{"cached_tokens":0},"prompt_cache_hit_tokens":0"#);
                usage.number("prompt_cache_miss_tokens", asked);
            }
            Vendor::Qwen => usage.same(r#""prompt_tokens_details":{"cached_tokens":0}"#),
        }
    }
}

/// A list of one object.
fn one(to: &mut Vec<u8>, entries: impl FnOnce(&mut Object<'_>)) {
    to.push(b'[');
    Object::write(to, entries);
    to.push(b']');
}

/// Azure's word that nothing was filtered, in a constant that others can be made of.
macro_rules! not_filtered {
    () => {
        concat!(
            r#""hate":{"filtered":false,"severity":"safe"},"self_harm":{"filtered":false,"severity":"safe"},"#,
            r#""sexual":{"filtered":false,"severity":"safe"},"violence":{"filtered":false,"severity":"safe"}"#,
        )
    };
}

const NOT_FILTERED: &str = not_filtered!();

/// The same of the question.
const PROMPT_NOT_FILTERED: &str = concat!(
    r#""prompt_filter_results":[{"prompt_index":0,"content_filter_results":{"#,
    not_filtered!(),
    "}}]",
);
