//! Anthropic: messages; `x-api-key`; limits in `anthropic-ratelimit-…`, their resets in RFC 3339; 529 when overloaded.

use super::ask::{self, Headers};
use super::failure::{self, Failure, Known, Limit, known};
use super::json::{Json, object};
use super::messages::{self, Message};
use super::{Context, sse, when};
use crate::behaviour::Plan;
use crate::exchange::{Body, Events, Form, Incoming, Question, Reply};
use crate::quota::Unit;

/// The status of an overloaded provider.
const OVERLOADED: u16 = 529;
const INVALID: &str = "invalid_request_error";
const RATE: &str = "rate_limit_error";

// The finer word is what stands in `details`.
pub(super) const KNOWN: &[Known] = &[
    known(INVALID, 400, INVALID, None, "The request is not valid."),
    known(
        "credit_balance_too_low",
        400,
        INVALID,
        None,
        "Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing to upgrade or purchase \
         credits.",
    ),
    known("authentication_error", 401, "authentication_error", None, "invalid x-api-key"),
    known(
        "billing_error",
        402,
        "billing_error",
        None,
        "There is an issue with your billing or payment information.",
    ),
    known(
        "permission_error",
        403,
        "permission_error",
        None,
        "Your API key does not have permission to use the specified resource.",
    ),
    known("not_found_error", 404, "not_found_error", None, "The requested resource could not be found."),
    known("request_too_large", 413, "request_too_large", None, "Request exceeds the maximum size"),
    known(
        RATE,
        429,
        RATE,
        None,
        "This request would exceed your account's rate limit. Please try again later.",
    ),
    known(
        "enforced_spend_limit_reached",
        429,
        RATE,
        Some("enforced_spend_limit_reached"),
        "You have reached your specified API usage limits.",
    ),
    known("api_error", 500, "api_error", None, "Internal server error"),
    known("timeout_error", 504, "timeout_error", None, "Request timed out"),
    known("overloaded_error", 529, "overloaded_error", None, "Overloaded"),
];

pub(super) fn read(incoming: &Incoming<'_>) -> Result<Question, Reply> {
    if incoming.path != "/v1/messages" {
        return Err(wrong(404, "not_found_error", "Not found"));
    }
    if incoming.method != "POST" {
        return Err(wrong(405, INVALID, "Method Not Allowed"));
    }
    let Some(token) = ask::key(incoming, "x-api-key").or_else(|| ask::bearer(incoming)) else {
        return Err(wrong(401, "authentication_error", "x-api-key header is required"));
    };
    if incoming.header("anthropic-version").is_none() {
        return Err(wrong(400, INVALID, "anthropic-version: header is required"));
    }
    messages::read(incoming.body, token, None, Form::Messages).map_err(|lack| wrong(400, INVALID, lack))
}

/// An error that needs no plan.
fn wrong(status: u16, kind: &'static str, message: impl Into<std::borrow::Cow<'static, str>>) -> Reply {
    let error = object! { "type" => kind, "message" => message.into() };
    let body = object! { "type" => "error", "error" => error, "request_id" => () };
    ask::whole(status, vec![("content-type".into(), "application/json".into())], &body)
}

pub(super) fn well(question: &Question, plan: &Plan, context: &Context<'_>) -> Reply {
    let message = Message::new(question, context, "msg_");
    let (kind, body) = if question.stream {
        let mut events = Events::default();
        for (name, event) in message.events() {
            events.push(|to| sse::named(name, &event, to));
        }
        ("text/event-stream; charset=utf-8", Body::Events(events))
    } else {
        ("application/json", Body::Whole(message.whole().bytes()))
    };
    let mut headers = headers(plan, context);
    headers.insert(0, ("content-type".into(), kind.into()));
    Reply { status: ask::status(200), headers, body }
}

pub(super) fn refuse(plan: &Plan, context: &Context<'_>) -> Reply {
    let failure = failure::choose(KNOWN, OVERLOADED, plan);
    let mut headers = headers(plan, context);
    headers.insert(0, ("content-type".into(), "application/json".into()));
    if let Some(after) = failure.retry_after {
        headers.push(("retry-after".into(), when::whole_seconds(after).to_string().into()));
    }
    if failure.status >= 500 {
        headers.push(("x-should-retry".into(), "true".into()));
    }
    ask::whole(failure.status, headers, &told(&failure, context))
}

pub(super) fn error_event(plan: &Plan, context: &Context<'_>) -> Vec<u8> {
    sse::alone(|to| sse::named("error", &told(&failure::choose(KNOWN, OVERLOADED, plan), context), to))
}

/// The body of an error; the vendor has one word for it, so an unknown name is that word.
fn told(failure: &Failure, context: &Context<'_>) -> Json {
    let message = match (failure.kind, failure.limit) {
        (RATE, Limit::Quota { unit, most, .. }) => {
            let unit = if unit == Unit::Requests { "requests" } else { "input tokens" };
            let per = if failure.limit.is_daily() { "day" } else { "minute" };
            format!(
                "This request would exceed the rate limit for your organization of {most} {unit} per {per}."
            )
            .into()
        }
        (RATE, Limit::Concurrent) => {
            "Number of concurrent connections has exceeded your rate limit. Please try again later.".into()
        }
        _ => failure.message.clone(),
    };
    let kind = if failure.is_known { failure.kind.into() } else { failure.name.clone() };
    let mut error = object! { "type" => kind, "message" => message };
    if let Some(code) = failure.code.clone().filter(|_| failure.is_known) {
        error.push("details", object! { "error_code" => code });
    }
    object! { "type" => "error", "error" => error, "request_id" => request_id(context) }
}

fn request_id(context: &Context<'_>) -> String {
    ask::hex("req_", context.serial, 24)
}

/// The headers of every answer: an id, and what is left of the quotas.
fn headers(plan: &Plan, context: &Context<'_>) -> Headers {
    let mut headers: Headers = vec![
        ("request-id".into(), request_id(context).into()),
        ("anthropic-organization-id".into(), ask::uuid(0).into()),
    ];
    for (unit, word) in [(Unit::Requests, "requests"), (Unit::LlmTokens, "tokens")] {
        if let Some(standing) = failure::tightest(&plan.quotas, unit) {
            let reset = when::rfc3339(context.wall.saturating_add(standing.reset.as_millis()));
            let mut push = |what: &str, value: String| {
                headers.push((format!("anthropic-ratelimit-{word}-{what}").into(), value.into()));
            };
            push("limit", standing.limit.to_string());
            push("remaining", standing.remaining.to_string());
            push("reset", reset);
        }
    }
    headers
}
