//! Gemini: `generateContent`; `x-goog-api-key` or `?key=`; which limit it was, and when to come back, in the body.

use std::borrow::Cow;
use std::fmt::Write as _;

use super::ask::{self, Headers};
use super::failure::{self, Failure, Known, Limit, known};
use super::json::{Json, list, object};
use super::text::{self, Said};
use super::value::Value;
use super::{Context, sse, when};
use crate::behaviour::Plan;
use crate::exchange::{Body, Events, Form, Incoming, Question, Reply};
use crate::quota::Unit;

/// The status of an overloaded provider.
const OVERLOADED: u16 = 503;
const INVALID: &str = "INVALID_ARGUMENT";
const EXHAUSTED: &str = "RESOURCE_EXHAUSTED";
const BAD_KEY: &str = "API key not valid. Please pass a valid API key.";
const QUOTA: &str = "You exceeded your current quota, please check your plan and billing details.";

/// Limits by the names that a `QuotaFailure` calls them.
const PER_MINUTE: &str = "GenerateRequestsPerMinutePerProjectPerModel-FreeTier";
const PER_DAY: &str = "GenerateRequestsPerDayPerProjectPerModel-FreeTier";
const TOKENS_PER_MINUTE: &str = "GenerateContentInputTokensPerModelPerMinute-FreeTier";
const TOKENS_PER_DAY: &str = "GenerateContentInputTokensPerModelPerDay-FreeTier";

// The coarser word is the `status`, the finer one a reason or a limit.
pub(super) const KNOWN: &[Known] = &[
    known(INVALID, 400, INVALID, None, "Request contains an invalid argument."),
    known("API_KEY_INVALID", 400, INVALID, Some("API_KEY_INVALID"), BAD_KEY),
    known(
        "FAILED_PRECONDITION",
        400,
        "FAILED_PRECONDITION",
        None,
        "User location is not supported for the API use.",
    ),
    known("UNAUTHENTICATED", 401, "UNAUTHENTICATED", None, "Request had invalid authentication credentials."),
    known("PERMISSION_DENIED", 403, "PERMISSION_DENIED", None, "The caller does not have permission"),
    known("NOT_FOUND", 404, "NOT_FOUND", None, "Requested entity was not found."),
    known(EXHAUSTED, 429, EXHAUSTED, None, "Resource has been exhausted (e.g. check quota)."),
    known(PER_MINUTE, 429, EXHAUSTED, Some(PER_MINUTE), QUOTA),
    known(PER_DAY, 429, EXHAUSTED, Some(PER_DAY), QUOTA),
    known(TOKENS_PER_MINUTE, 429, EXHAUSTED, Some(TOKENS_PER_MINUTE), QUOTA),
    known(TOKENS_PER_DAY, 429, EXHAUSTED, Some(TOKENS_PER_DAY), QUOTA),
    known("CANCELLED", 499, "CANCELLED", None, "The operation was cancelled."),
    known("INTERNAL", 500, "INTERNAL", None, "An internal error has occurred. Please retry."),
    known("UNAVAILABLE", 503, "UNAVAILABLE", None, "The model is overloaded. Please try again later."),
    known(
        "DEADLINE_EXCEEDED",
        504,
        "DEADLINE_EXCEEDED",
        None,
        "Deadline expired before operation could complete.",
    ),
];

pub(super) fn read(incoming: &Incoming<'_>) -> Result<Question, Reply> {
    let Some((model, verb)) = model_and_verb(incoming.path) else {
        return Err(wrong(404, "NOT_FOUND", "The requested URL was not found on this server."));
    };
    let stream = match verb {
        "generateContent" => false,
        "streamGenerateContent" => true,
        _ => return Err(wrong(404, "NOT_FOUND", "The requested URL was not found on this server.")),
    };
    if incoming.method != "POST" {
        return Err(wrong(405, "UNIMPLEMENTED", "Method not allowed."));
    }
    let token = ask::key(incoming, "x-goog-api-key")
        .or_else(|| ask::parameter(incoming.query, "key").filter(|key| !key.is_empty()))
        .or_else(|| ask::bearer(incoming));
    let Some(token) = token else {
        let message = "Method doesn't allow unregistered callers (callers without established identity). Please use API \
                       Key or other form of API consumer identity to call this API.";
        return Err(wrong(403, "PERMISSION_DENIED", message));
    };
    let Some(asked) = Value::object(incoming.body) else {
        return Err(wrong(400, INVALID, "Invalid JSON payload received."));
    };
    if !ask::has_entries(&asked["contents"]) {
        return Err(wrong(400, INVALID, "* GenerateContentRequest.contents: contents is not specified\n"));
    }
    let either =
        |camel: &str, snake: &str| if asked[camel].is_null() { &asked[snake] } else { &asked[camel] };
    let config = either("generationConfig", "generation_config");
    let most_llm_tokens = ask::most(config, &["maxOutputTokens", "max_output_tokens"]).map_err(|_| {
        wrong(
            400,
            INVALID,
            "* GenerateContentRequest.generation_config.max_output_tokens: must be positive.\n",
        )
    })?;
    let system = either("systemInstruction", "system_instruction");
    let bytes = asked["contents"].text_bytes().saturating_add(system.text_bytes());
    let is_sse = ask::parameter(incoming.query, "alt").is_some_and(|alt| alt == "sse");
    Ok(Question {
        token,
        model: ask::decoded(model),
        form: Form::Generate { array: stream && !is_sse },
        stream,
        usage: true,
        llm_tokens: text::llm_tokens(bytes),
        most_llm_tokens,
    })
}

/// The two parts of `/v1beta/models/gemini-2.5-flash:generateContent`.
fn model_and_verb(path: &str) -> Option<(&str, &str)> {
    let path = path.strip_prefix("/v1beta/").or_else(|| path.strip_prefix("/v1/"))?;
    let (model, verb) = path.strip_prefix("models/")?.rsplit_once(':')?;
    (!model.is_empty() && !model.contains('/')).then_some((model, verb))
}

/// An error that needs no plan.
fn wrong(code: u16, status: &'static str, message: &'static str) -> Reply {
    let error = object! { "code" => code, "message" => message, "status" => status };
    ask::whole(code, headers(JSON), &object! { "error" => error })
}

const JSON: &str = "application/json; charset=UTF-8";

pub(super) fn well(question: &Question, context: &Context<'_>) -> Reply {
    let answer = Answer { question, context, said: text::say(context.text, question.most_llm_tokens) };
    let (kind, body) = match (question.stream, question.form) {
        (false, _) => (JSON, Body::Whole(answer.part(answer.said.text, true).bytes())),
        (true, Form::Generate { array: true }) => (JSON, Body::Events(answer.array())),
        (true, _) => ("text/event-stream", Body::Events(answer.events())),
    };
    Reply { status: ask::status(200), headers: headers(kind), body }
}

pub(super) fn refuse(question: &Question, plan: &Plan) -> Reply {
    let failure = failure::choose(KNOWN, OVERLOADED, plan);
    let told = told(&failure, question);
    let body = if question.form == (Form::Generate { array: true }) { list![told] } else { told };
    ask::whole(failure.status, headers(JSON), &body)
}

pub(super) fn error_event(question: &Question, plan: &Plan) -> Vec<u8> {
    let told = told(&failure::choose(KNOWN, OVERLOADED, plan), question);
    match question.form {
        Form::Generate { array: true } => list![told].bytes(),
        _ => sse::alone(|to| sse::data_crlf(&told, to)),
    }
}

/// The body of an error: the `status` is the vendor's word for it, so an unknown name is that.
fn told(failure: &Failure, question: &Question) -> Json {
    let status = if failure.is_known { failure.kind.into() } else { failure.name.clone() };
    let details = if failure.is_known { details(failure, question) } else { Vec::new() };
    let is_quota = matches!(failure.limit, Limit::Quota { .. });
    let mut message = if is_quota { QUOTA.to_owned() } else { failure.message.to_string() };
    if let Some(after) = failure.retry_after.filter(|_| !details.is_empty()) {
        let _ = write!(message, " Please retry in {}.", when::proto(after));
    }
    let mut error = object! { "code" => failure.status, "message" => message, "status" => status };
    if !details.is_empty() {
        error.push("details", details);
    }
    object! { "error" => error }
}

fn details(failure: &Failure, question: &Question) -> Vec<Json> {
    let mut details = Vec::new();
    if failure.code.as_deref() == Some("API_KEY_INVALID") {
        details.push(object! {
            "@type" => "type.googleapis.com/google.rpc.ErrorInfo",
            "reason" => "API_KEY_INVALID",
            "domain" => "googleapis.com",
            "metadata" => object! { "service" => "generativelanguage.googleapis.com" },
        });
        details.push(object! {
            "@type" => "type.googleapis.com/google.rpc.LocalizedMessage",
            "locale" => "en-US",
            "message" => BAD_KEY,
        });
    }
    if let Some((id, value)) = violated(failure) {
        let metric = if id.contains("Tokens") { "input_token_count" } else { "requests" };
        let mut violation = object! {
            "quotaMetric" => format!("generativelanguage.googleapis.com/generate_content_free_tier_{metric}"),
            "quotaId" => id,
            "quotaDimensions" => object! { "location" => "global", "model" => question.model.clone() },
        };
        if let Some(value) = value {
            violation.push("quotaValue", value.to_string());
        }
        details.push(object! {
            "@type" => "type.googleapis.com/google.rpc.QuotaFailure",
            "violations" => list![violation],
        });
    }
    if let Some(after) = failure.retry_after {
        details.push(object! {
            "@type" => "type.googleapis.com/google.rpc.RetryInfo",
            "retryDelay" => when::proto(after),
        });
    }
    details
}

/// The limit that was reached, and how much it grants: the one that the script names, or the quota that refused.
fn violated(failure: &Failure) -> Option<(Cow<'static, str>, Option<u64>)> {
    if failure.kind != EXHAUSTED {
        return None;
    }
    if let Some(code) = &failure.code {
        return Some((code.clone(), None));
    }
    let Limit::Quota { unit, most, .. } = failure.limit else { return None };
    let id = match (unit, failure.limit.is_daily()) {
        (Unit::Requests, false) => PER_MINUTE,
        (Unit::Requests, true) => PER_DAY,
        (Unit::LlmTokens, false) => TOKENS_PER_MINUTE,
        (Unit::LlmTokens, true) => TOKENS_PER_DAY,
    };
    Some((id.into(), Some(most)))
}

fn headers(kind: &'static str) -> Headers {
    vec![("content-type".into(), kind.into()), ("vary".into(), "Origin, X-Origin, Referer".into())]
}

/// What goes into every part of an answer.
struct Answer<'a> {
    question: &'a Question,
    context: &'a Context<'a>,
    said: Said<'a>,
}

impl Answer<'_> {
    /// A part of the answer; the last one says why it ended, and the usage.
    fn part(&self, text: &str, is_last: bool) -> Json {
        let content = object! { "parts" => list![object! { "text" => text.to_owned() }], "role" => "model" };
        let mut candidate = object! { "content" => content };
        if is_last {
            candidate.push("finishReason", if self.said.cut { "MAX_TOKENS" } else { "STOP" });
        }
        candidate.push("index", 0);
        let mut part = object! { "candidates" => list![candidate] };
        if is_last {
            let (asked, said) = (self.question.llm_tokens, self.said.llm_tokens);
            let usage = object! {
                "promptTokenCount" => asked,
                "candidatesTokenCount" => said,
                "totalTokenCount" => asked.saturating_add(said),
            };
            part.push("usageMetadata", usage);
        }
        part.push("modelVersion", self.question.model.clone());
        part.push("responseId", ask::hex("", self.context.serial, 22));
        part
    }

    /// A part for each word; the last word is in the last part.
    fn parts(&self) -> Vec<Json> {
        let mut words = self.said.words().peekable();
        let mut parts = Vec::new();
        while let Some(word) = words.next() {
            parts.push(self.part(word, words.peek().is_none()));
        }
        if parts.is_empty() {
            parts.push(self.part("", true));
        }
        parts
    }

    /// The parts as events.
    fn events(&self) -> Events {
        let mut events = Events::default();
        for part in self.parts() {
            events.push(|to| sse::data_crlf(&part, to));
        }
        events
    }

    /// The parts as one JSON array that comes piece by piece.
    fn array(&self) -> Events {
        let parts = self.parts();
        let mut events = Events::default();
        for (number, part) in parts.iter().enumerate() {
            events.push(|to| {
                to.extend_from_slice(if number == 0 { b"[" } else { b",\r\n" });
                part.write(to);
                if number + 1 == parts.len() {
                    to.push(b']');
                }
            });
        }
        events
    }
}
