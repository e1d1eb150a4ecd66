//! DashScope, where Qwen lives: its own `generation`, and OpenAI's chat completions in compatible mode; a bearer token; no
//! limits in its headers. What a limit is called differs between the two.

use std::borrow::Cow;

use super::ask::{self, Headers};
use super::chat::{self, Lack, Vendor};
use super::failure::{self, Failure, Known, known};
use super::json::{Json, list, object};
use super::text::{self, Said};
use super::value::Value;
use super::{Context, sse, when};
use crate::behaviour::Plan;
use crate::exchange::{Body, Events, Form, Incoming, Question, Reply};

const COMPATIBLE: &str = "/compatible-mode/v1/chat/completions";
const NATIVE: &str = "/api/v1/services/aigc/text-generation/generation";
/// The status of an overloaded provider.
const OVERLOADED: u16 = 503;
const RATE: &str = "Requests rate limit exceeded, please try again later.";
const ALLOCATION: &str = "Allocated quota exceeded, please increase your quota limit.";
const BURST: &str = "Request rate increased too quickly.";
const FREE: &str = "The free quota is exhausted, and the model is set to use only that.";

// The coarser word is the `code` in compatible mode, the finer one the `code` of DashScope's own. Either names the error.
pub(super) const KNOWN: &[Known] = &[
    known(
        "InvalidParameter",
        400,
        "invalid_parameter_error",
        Some("InvalidParameter"),
        "A parameter is not valid.",
    ),
    known(
        "DataInspectionFailed",
        400,
        "data_inspection_failed",
        Some("DataInspectionFailed"),
        "Inappropriate content.",
    ),
    known(
        "Arrearage",
        400,
        "Arrearage",
        Some("Arrearage"),
        "Access denied, please make sure your account is in good standing.",
    ),
    known("InvalidApiKey", 401, "invalid_api_key", Some("InvalidApiKey"), "Invalid API-key provided."),
    known("invalid_api_key", 401, "invalid_api_key", Some("InvalidApiKey"), "Invalid API-key provided."),
    known("AccessDenied", 403, "access_denied", Some("AccessDenied"), "Access denied."),
    known(
        "AllocationQuota.FreeTierOnly",
        403,
        "AllocationQuota.FreeTierOnly",
        Some("AllocationQuota.FreeTierOnly"),
        FREE,
    ),
    known("ModelNotFound", 404, "model_not_found", Some("ModelNotFound"), "The model does not exist."),
    known("InvalidURL", 404, "invalid_url", Some("InvalidURL"), "Invalid URL provided in your request."),
    known("Throttling.RateQuota", 429, "limit_requests", Some("Throttling.RateQuota"), RATE),
    known("limit_requests", 429, "limit_requests", Some("Throttling.RateQuota"), RATE),
    known(
        "Throttling.AllocationQuota",
        429,
        "insufficient_quota",
        Some("Throttling.AllocationQuota"),
        ALLOCATION,
    ),
    known("insufficient_quota", 429, "insufficient_quota", Some("Throttling.AllocationQuota"), ALLOCATION),
    known("Throttling.BurstRate", 429, "limit_burst_rate", Some("Throttling.BurstRate"), BURST),
    known("limit_burst_rate", 429, "limit_burst_rate", Some("Throttling.BurstRate"), BURST),
    known("Throttling", 429, "Throttling", Some("Throttling"), "Requests throttling triggered."),
    known("InternalError", 500, "internal_error", Some("InternalError"), "An internal error has occurred."),
    known(
        "ModelServiceFailed",
        503,
        "service_unavailable",
        Some("ModelServiceFailed"),
        "Service unavailable.",
    ),
];

pub(super) fn read(incoming: &Incoming<'_>) -> Result<Question, Reply> {
    let form = match incoming.path {
        COMPATIBLE => Form::Chat,
        NATIVE => Form::Generation { message: false, increments: false },
        _ => return Err(wrong(Form::Chat, 404, "InvalidURL", "Invalid URL provided in your request.")),
    };
    let wrong = |status, name, message: Cow<'static, str>| wrong(form, status, name, message);
    if incoming.method != "POST" {
        return Err(wrong(405, "InvalidParameter", "Only POST requests are accepted.".into()));
    }
    let Some(token) = ask::bearer(incoming) else {
        return Err(wrong(401, "InvalidApiKey", "No API-key provided.".into()));
    };
    if form == Form::Chat {
        return chat::read(incoming.body, token, None).map_err(|lack| {
            let message =
                if lack == Lack::Model { "you must provide a model parameter" } else { lack.message() };
            wrong(400, "InvalidParameter", message.into())
        });
    }
    native(incoming, token).map_err(|lack| wrong(400, "InvalidParameter", lack.into()))
}

/// Reads what DashScope's own interface is asked. `Err` says what it lacks.
fn native(incoming: &Incoming<'_>, token: String) -> Result<Question, String> {
    let asked = Value::object(incoming.body).ok_or("Request body format invalid")?;
    let model =
        ask::text(&asked["model"]).ok_or("Required parameter \"model\" missing from request.")?.to_owned();
    let (input, parameters) = (&asked["input"], &asked["parameters"]);
    let llm_tokens = match (&input["messages"], ask::text(&input["prompt"])) {
        (messages, _) if ask::has_entries(messages) => messages.text_bytes(),
        (_, Some(prompt)) => prompt.len() as u64,
        _ => return Err("Either \"prompt\" or \"messages\" must exist and cannot both be none".to_owned()),
    };
    let most_llm_tokens = ask::most(parameters, &["max_tokens"])
        .map_err(|key| format!("Range of {key} should be at least 1"))?;
    let is_enabled =
        incoming.header("x-dashscope-sse").is_some_and(|value| value.eq_ignore_ascii_case("enable"));
    let is_accepted = incoming.header("accept").is_some_and(|value| value.contains("text/event-stream"));
    Ok(Question {
        token,
        model,
        form: Form::Generation {
            message: parameters["result_format"].as_str() == Some("message"),
            increments: parameters["incremental_output"].as_bool().unwrap_or(false),
        },
        stream: is_enabled || is_accepted,
        usage: true,
        llm_tokens: text::llm_tokens(llm_tokens),
        most_llm_tokens,
    })
}

/// An error that needs no plan.
fn wrong(form: Form, status: u16, name: &'static str, message: impl Into<Cow<'static, str>>) -> Reply {
    let named = KNOWN.iter().find(|known| known.name == name);
    let kind = named.map_or(name, |known| known.kind);
    let body = error(form, kind.into(), name.into(), message.into(), ask::uuid(0));
    ask::whole(status, vec![("content-type".into(), "application/json".into())], &body)
}

/// The shape of every error, as the form has it.
fn error(
    form: Form,
    compatible: Cow<'static, str>,
    native: Cow<'static, str>,
    message: Cow<'static, str>,
    request_id: String,
) -> Json {
    if form != Form::Chat {
        return object! { "code" => native, "message" => message, "request_id" => request_id };
    }
    let kind =
        if compatible == "invalid_api_key" { "invalid_request_error".into() } else { compatible.clone() };
    object! {
        "error" => object! { "message" => message, "type" => kind, "param" => (), "code" => compatible },
        "request_id" => request_id,
    }
}

pub(super) fn well(question: &Question, context: &Context<'_>) -> Reply {
    let Form::Generation { message, increments } = question.form else {
        return chat::well(Vendor::Qwen, question, context, headers(context));
    };
    let answer =
        Answer { message, question, context, said: text::say(context.text, question.most_llm_tokens) };
    let mut headers = headers(context);
    let (kind, body) = if question.stream {
        ("text/event-stream;charset=UTF-8", Body::Events(answer.events(increments)))
    } else {
        let whole = answer.output(answer.said.text, answer.said.llm_tokens, answer.finish());
        ("application/json", Body::Whole(whole.bytes()))
    };
    headers.insert(0, ("content-type".into(), kind.into()));
    Reply { status: ask::status(200), headers, body }
}

pub(super) fn refuse(question: &Question, plan: &Plan, context: &Context<'_>) -> Reply {
    let failure = failure::choose(KNOWN, OVERLOADED, plan);
    let mut headers = headers(context);
    if let Some(after) = failure.retry_after.filter(|_| failure.insists) {
        headers.push(("retry-after".into(), when::whole_seconds(after).to_string().into()));
    }
    // Whoever asks DashScope itself for a stream gets even a refusal as an event.
    let is_event = question.stream && question.form != Form::Chat;
    let kind = if is_event { "text/event-stream;charset=UTF-8" } else { "application/json" };
    headers.insert(0, ("content-type".into(), kind.into()));
    let told = told(question, &failure, context);
    let bytes = if is_event {
        sse::alone(|to| sse::numbered(1, "error", failure.status, &told, to))
    } else {
        told.bytes()
    };
    Reply { status: ask::status(failure.status), headers, body: Body::Whole(bytes) }
}

pub(super) fn error_event(question: &Question, plan: &Plan, context: &Context<'_>) -> Vec<u8> {
    let failure = failure::choose(KNOWN, OVERLOADED, plan);
    let told = told(question, &failure, context);
    match question.form {
        Form::Chat => sse::alone(|to| sse::data(&told, to)),
        _ => sse::alone(|to| sse::numbered(1, "error", failure.status, &told, to)),
    }
}

fn told(question: &Question, failure: &Failure, context: &Context<'_>) -> Json {
    let is_of_llm_tokens = failure.limit.is_of_llm_tokens() && failure.name == "Throttling.RateQuota";
    let (compatible, native, message): (Cow<'_, str>, _, _) = match (failure.is_known, is_of_llm_tokens) {
        (true, true) => ("insufficient_quota".into(), "Throttling.AllocationQuota".into(), ALLOCATION.into()),
        (true, false) => {
            let native = failure.code.clone().unwrap_or_else(|| failure.name.clone());
            (failure.kind.into(), native, failure.message.clone())
        }
        (false, _) => (failure.name.clone(), failure.name.clone(), failure.message.clone()),
    };
    error(question.form, compatible, native, message, ask::uuid(context.serial))
}

fn headers(context: &Context<'_>) -> Headers {
    vec![
        ("x-request-id".into(), ask::uuid(context.serial).into()),
        ("x-dashscope-call-gateway".into(), "true".into()),
    ]
}

/// What goes into every part of an answer of DashScope's own.
struct Answer<'a> {
    message: bool,
    question: &'a Question,
    context: &'a Context<'a>,
    said: Said<'a>,
}

impl Answer<'_> {
    fn finish(&self) -> &'static str {
        if self.said.cut { "length" } else { "stop" }
    }

    /// A part of the answer; the one that is not over says so with the word `null`.
    fn output(&self, text: &str, llm_tokens: u64, finish: &'static str) -> Json {
        let output = if self.message {
            let message = object! { "role" => "assistant", "content" => text.to_owned() };
            object! { "choices" => list![object! { "finish_reason" => finish, "message" => message }] }
        } else {
            object! { "finish_reason" => finish, "text" => text.to_owned() }
        };
        let asked = self.question.llm_tokens;
        let usage = object! {
            "total_tokens" => asked.saturating_add(llm_tokens),
            "output_tokens" => llm_tokens,
            "input_tokens" => asked,
        };
        object! { "output" => output, "usage" => usage, "request_id" => ask::uuid(self.context.serial) }
    }

    fn events(&self, increments: bool) -> Events {
        let mut events = Events::default();
        let (mut number, mut end) = (0, 0);
        for word in self.said.words() {
            (number, end) = (number + 1, end + word.len());
            let text = if increments { word } else { &self.said.text[..end] };
            let output = self.output(text, text::llm_tokens(end as u64), "null");
            events.push(|to| sse::numbered(number, "result", 200, &output, to));
        }
        let text = if increments { "" } else { self.said.text };
        let output = self.output(text, self.said.llm_tokens, self.finish());
        events.push(|to| sse::numbered(number + 1, "result", 200, &output, to));
        events
    }
}
