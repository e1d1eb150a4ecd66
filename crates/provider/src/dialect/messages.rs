//! Anthropic's messages: the shape of a question and its answer, which Bedrock carries inside `invoke` as well.

use super::Context;
use super::ask;
use super::json::{Json, list, object};
use super::text::{self, Said};
use super::value::Value;
use crate::exchange::{Form, Question};

/// Reads a body. `model` is the one that the path says, where it does. `Err` says what it lacks.
pub(super) fn read(
    body: &[u8],
    token: String,
    model: Option<String>,
    form: Form,
) -> Result<Question, String> {
    let asked = Value::object(body).ok_or("The request body is not valid JSON")?;
    let model = match model {
        Some(model) => model,
        None => ask::text(&asked["model"]).ok_or("model: Field required")?.to_owned(),
    };
    let most_llm_tokens = ask::most(&asked, &["max_tokens"])
        .map_err(|key| format!("{key}: Input should be an integer greater than or equal to 1"))?;
    if most_llm_tokens.is_none() {
        return Err("max_tokens: Field required".to_owned());
    }
    if asked["messages"].as_list().is_none() {
        return Err("messages: Field required".to_owned());
    }
    if !ask::has_entries(&asked["messages"]) {
        return Err("messages: at least one message is required".to_owned());
    }
    let bytes = asked["messages"].text_bytes().saturating_add(asked["system"].text_bytes());
    Ok(Question {
        token,
        model,
        form,
        stream: asked["stream"].as_bool().unwrap_or(false),
        usage: true,
        llm_tokens: text::llm_tokens(bytes),
        most_llm_tokens,
    })
}

/// What goes into every part of an answer.
pub(super) struct Message<'a> {
    question: &'a Question,
    id: String,
    said: Said<'a>,
}

impl<'a> Message<'a> {
    /// `id` says what it is called, such as `msg_…`.
    pub(super) fn new(question: &'a Question, context: &Context<'a>, id: &str) -> Self {
        let id = ask::hex(id, context.serial, 24);
        Self { question, id, said: text::say(context.text, question.most_llm_tokens) }
    }

    /// How many LLM tokens it says.
    pub(super) fn llm_tokens(&self) -> u64 {
        self.said.llm_tokens
    }

    fn stop_reason(&self) -> &'static str {
        if self.said.cut { "max_tokens" } else { "end_turn" }
    }

    /// All at once.
    pub(super) fn whole(&self) -> Json {
        let text = object! { "type" => "text", "text" => self.said.text.to_owned() };
        self.message(list![text], self.stop_reason().into(), self.said.llm_tokens)
    }

    /// As a stream: the name of each event and what it says.
    pub(super) fn events(&self) -> Vec<(&'static str, Json)> {
        let message = self.message(list![], Json::Null, 1);
        let block = object! { "type" => "text", "text" => "" };
        let mut events = vec![
            ("message_start", object! { "type" => "message_start", "message" => message }),
            (
                "content_block_start",
                object! { "type" => "content_block_start", "index" => 0, "content_block" => block },
            ),
            ("ping", object! { "type" => "ping" }),
        ];
        events.extend(self.said.words().map(|word| {
            let delta = object! { "type" => "text_delta", "text" => word.to_owned() };
            let event = object! { "type" => "content_block_delta", "index" => 0, "delta" => delta };
            ("content_block_delta", event)
        }));
        let delta = object! { "stop_reason" => self.stop_reason(), "stop_sequence" => () };
        let usage = object! { "output_tokens" => self.said.llm_tokens };
        events.extend([
            ("content_block_stop", object! { "type" => "content_block_stop", "index" => 0 }),
            ("message_delta", object! { "type" => "message_delta", "delta" => delta, "usage" => usage }),
            ("message_stop", object! { "type" => "message_stop" }),
        ]);
        events
    }

    fn message(&self, content: Json, stop_reason: Json, output_llm_tokens: u64) -> Json {
        object! {
            "id" => self.id.clone(),
            "type" => "message",
            "role" => "assistant",
            "model" => self.question.model.clone(),
            "content" => content,
            "stop_reason" => stop_reason,
            "stop_sequence" => (),
            "usage" => object! {
                "input_tokens" => self.question.llm_tokens,
                "cache_creation_input_tokens" => 0,
                "cache_read_input_tokens" => 0,
                "output_tokens" => output_llm_tokens,
                "service_tier" => "standard",
            },
        }
    }
}
