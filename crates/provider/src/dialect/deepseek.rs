//! DeepSeek: OpenAI's chat completions; a bearer token; 402 for an empty balance; no limits in its headers.

use std::borrow::Cow;

use super::ask::{self, Headers};
use super::chat::{self, Lack, Vendor};
use super::failure::{self, Failure, Known, known};
use super::json::Json;
use super::{Context, openai, sse, when};
use crate::behaviour::Plan;
use crate::exchange::{Incoming, Question, Reply};

/// The status of an overloaded provider.
const OVERLOADED: u16 = 503;
const INVALID: &str = "invalid_request_error";

pub(super) const KNOWN: &[Known] = &[
    known(INVALID, 400, INVALID, Some(INVALID), "The request is not valid."),
    known("model_not_exist", 400, INVALID, Some(INVALID), "Model Not Exist"),
    known(
        "authentication_error",
        401,
        "authentication_error",
        Some(INVALID),
        "Authentication Fails, Your api key: ******** is invalid",
    ),
    known("insufficient_balance", 402, "unknown_error", Some(INVALID), "Insufficient Balance"),
    known(
        "invalid_parameters",
        422,
        INVALID,
        Some(INVALID),
        "Failed to deserialize the JSON body into the target type",
    ),
    known(
        "rate_limit_reached",
        429,
        "rate_limit_error",
        Some("rate_limit_error"),
        "Rate limit reached. You are sending requests too quickly.",
    ),
    known(
        "server_error",
        500,
        "server_error",
        Some("server_error"),
        "Server error. Please retry after a brief wait.",
    ),
    known(
        "service_unavailable_error",
        503,
        "service_unavailable_error",
        Some("service_unavailable_error"),
        "Service is too busy. Please retry after a brief wait.",
    ),
];

pub(super) fn read(incoming: &Incoming<'_>) -> Result<Question, Reply> {
    if !matches!(incoming.path, "/chat/completions" | "/v1/chat/completions") {
        return Err(wrong(404, "Not Found", INVALID));
    }
    if incoming.method != "POST" {
        return Err(wrong(405, "Method Not Allowed", INVALID));
    }
    let Some(token) = ask::bearer(incoming) else {
        return Err(wrong(
            401,
            "Authentication Fails (auth header format should be Bearer sk-...)",
            "authentication_error",
        ));
    };
    chat::read(incoming.body, token, None).map_err(|lack| match lack {
        Lack::Json => wrong(400, "Failed to parse the request body as JSON", INVALID),
        Lack::Model => wrong(
            422,
            "Failed to deserialize the JSON body into the target type: missing field `model`",
            INVALID,
        ),
        Lack::Messages => wrong(
            422,
            "Failed to deserialize the JSON body into the target type: missing field `messages`",
            INVALID,
        ),
        Lack::Most(_) => wrong(400, "Invalid max_tokens value, expected an integer of at least 1", INVALID),
    })
}

/// An error that needs no plan.
fn wrong(status: u16, message: &'static str, kind: &'static str) -> Reply {
    let body = openai::error(message.into(), kind, None, Some(Cow::Borrowed(INVALID)));
    ask::whole(status, vec![("content-type".into(), "application/json".into())], &body)
}

pub(super) fn well(question: &Question, context: &Context<'_>) -> Reply {
    chat::well(Vendor::DeepSeek, question, context, headers(context))
}

pub(super) fn refuse(plan: &Plan, context: &Context<'_>) -> Reply {
    let failure = failure::choose(KNOWN, OVERLOADED, plan);
    let mut headers = headers(context);
    headers.insert(0, ("content-type".into(), "application/json".into()));
    if let Some(after) = failure.retry_after.filter(|_| failure.insists) {
        headers.push(("retry-after".into(), when::whole_seconds(after).to_string().into()));
    }
    ask::whole(failure.status, headers, &told(&failure))
}

pub(super) fn error_event(plan: &Plan) -> Vec<u8> {
    sse::alone(|to| sse::data(&told(&failure::choose(KNOWN, OVERLOADED, plan)), to))
}

fn told(failure: &Failure) -> Json {
    openai::error(failure.message.clone(), failure.kind, None, failure.code.clone())
}

fn headers(context: &Context<'_>) -> Headers {
    vec![("x-ds-trace-id".into(), ask::hex("", context.serial, 32).into())]
}
