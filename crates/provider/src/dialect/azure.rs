//! Azure OpenAI: chat completions of a deployment; `api-key`; hints as `retry-after-ms`, and in the words of the message.

use std::borrow::Cow;
use std::fmt::Write as _;

use super::ask::{self, Headers};
use super::chat::{self, Vendor};
use super::failure::{self, Failure, Known, known};
use super::json::{Json, object};
use super::{Context, openai, sse, when};
use crate::behaviour::Plan;
use crate::exchange::{Incoming, Question, Reply};
use crate::quota::Unit;

/// The status of an overloaded provider.
const OVERLOADED: u16 = 503;

pub(super) const KNOWN: &[Known] = &[
    known("BadRequest", 400, "", Some("BadRequest"), "The request is not valid."),
    known("content_filter", 400, "", Some("content_filter"), "The response was filtered"),
    known(
        "401",
        401,
        "",
        Some("401"),
        "Access denied due to invalid subscription key or wrong API endpoint. Make sure to provide a valid key for an \
         active subscription and use a correct regional API endpoint for your resource.",
    ),
    known(
        "PermissionDenied",
        403,
        "",
        Some("PermissionDenied"),
        "The principal lacks the required data action to perform this operation.",
    ),
    known(
        "DeploymentNotFound",
        404,
        "",
        Some("DeploymentNotFound"),
        "The API deployment for this resource does not exist.",
    ),
    known("Timeout", 408, "", Some("Timeout"), "The operation was timeout."),
    known("429", 429, "", Some("429"), ""),
    known("RateLimitReached", 429, "", Some("RateLimitReached"), ""),
    known(
        "NoCapacity",
        429,
        "",
        Some("NoCapacity"),
        "The system is currently experiencing high demand and cannot process your request.",
    ),
    known("InternalServerError", 500, "", Some("InternalServerError"), "The server had an error."),
    known(
        "ServiceUnavailable",
        503,
        "",
        Some("ServiceUnavailable"),
        "The service is temporarily unable to process your request. Please try again later.",
    ),
];

pub(super) fn read(incoming: &Incoming<'_>) -> Result<Question, Reply> {
    let Some(door) = door(incoming) else {
        return Err(wrong(404, "404", "Resource not found"));
    };
    if incoming.method != "POST" {
        return Err(wrong(405, "405", "Method not allowed"));
    }
    let Some(token) = ask::key(incoming, "api-key").or_else(|| ask::bearer(incoming)) else {
        let message = "Access denied due to missing subscription key. Make sure to include subscription key when making \
                       requests to an API.";
        return Err(wrong(401, "401", message));
    };
    let model = match door {
        Door::Deployment(deployment) => Some(deployment),
        Door::Body => None,
    };
    chat::read(incoming.body, token, model)
        .map_err(|lack| openai::wrong(400, lack.message(), lack.param(), lack.code()))
}

/// Where a path leads.
enum Door {
    /// To the deployment that the path names.
    Deployment(String),
    /// To the one that the body names as its model.
    Body,
}

/// Where the path leads, if anywhere. One that names a deployment needs an `api-version`.
fn door(incoming: &Incoming<'_>) -> Option<Door> {
    if incoming.path == "/openai/v1/chat/completions" {
        return Some(Door::Body);
    }
    let deployment = incoming.path.strip_prefix("/openai/deployments/")?.strip_suffix("/chat/completions")?;
    let is_one = !deployment.is_empty() && !deployment.contains('/');
    let has_version =
        ask::parameter(incoming.query, "api-version").is_some_and(|version| !version.is_empty());
    (is_one && has_version).then(|| Door::Deployment(ask::decoded(deployment)))
}

/// An error of the front door, which needs no plan.
fn wrong(status: u16, code: &'static str, message: &'static str) -> Reply {
    let body = object! { "error" => object! { "code" => code, "message" => message } };
    ask::whole(status, vec![("content-type".into(), "application/json".into())], &body)
}

pub(super) fn well(question: &Question, plan: &Plan, context: &Context<'_>) -> Reply {
    chat::well(Vendor::Azure, question, context, headers(plan, context))
}

pub(super) fn refuse(plan: &Plan, context: &Context<'_>) -> Reply {
    let failure = failure::choose(KNOWN, OVERLOADED, plan);
    let mut headers = headers(plan, context);
    headers.insert(0, ("content-type".into(), "application/json".into()));
    if let Some(after) = failure.retry_after {
        headers.push(("retry-after".into(), when::whole_seconds(after).to_string().into()));
        headers.push(("retry-after-ms".into(), after.as_millis().to_string().into()));
    }
    ask::whole(failure.status, headers, &told(&failure))
}

pub(super) fn error_event(plan: &Plan) -> Vec<u8> {
    sse::alone(|to| sse::data(&told(&failure::choose(KNOWN, OVERLOADED, plan)), to))
}

/// The body of an error: like OpenAI's from the model, and shorter from the front door.
fn told(failure: &Failure) -> Json {
    if failure.code.as_deref() == Some("content_filter") {
        return object! { "error" => object! {
            "message" => failure.message.clone(),
            "type" => (),
            "param" => "prompt",
            "code" => "content_filter",
            "status" => failure.status,
        } };
    }
    let message = if failure.message.is_empty() { limited(failure) } else { failure.message.clone() };
    object! { "error" => object! { "code" => failure.code.clone(), "message" => message } }
}

/// What a limit says; clients read the seconds in it.
fn limited(failure: &Failure) -> Cow<'static, str> {
    let what = if failure.limit.is_of_llm_tokens() { "token" } else { "call" };
    let mut message = format!(
        "Requests to the ChatCompletions_Create Operation under Azure OpenAI API have exceeded {what} rate limit of your \
         current OpenAI S0 pricing tier."
    );
    if let Some(after) = failure.retry_after {
        let _ = write!(message, " Please retry after {} seconds.", when::whole_seconds(after));
    }
    message.into()
}

/// The headers of every answer: an id, and what is left of the quotas.
fn headers(plan: &Plan, context: &Context<'_>) -> Headers {
    let mut headers: Headers = vec![
        ("apim-request-id".into(), ask::uuid(context.serial).into()),
        ("x-request-id".into(), ask::uuid(context.serial).into()),
        ("x-ms-region".into(), "mock".into()),
    ];
    for (unit, word) in [(Unit::Requests, "requests"), (Unit::LlmTokens, "tokens")] {
        if let Some(standing) = failure::tightest(&plan.quotas, unit) {
            headers.push((format!("x-ratelimit-limit-{word}").into(), standing.limit.to_string().into()));
            headers.push((
                format!("x-ratelimit-remaining-{word}").into(),
                standing.remaining.to_string().into(),
            ));
        }
    }
    headers
}
