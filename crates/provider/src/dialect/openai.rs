//! OpenAI: chat completions; a bearer token; limits in `x-ratelimit-…`, their resets as Go writes lengths of time.

use std::borrow::Cow;
use std::fmt::Write as _;

use super::ask::{self, Headers};
use super::chat::{self, Vendor};
use super::failure::{self, Failure, Known, Limit, known};
use super::json::{Json, object};
use super::{Context, sse, when};
use crate::behaviour::Plan;
use crate::exchange::{Incoming, Question, Reply};
use crate::quota::Unit;

const PATH: &str = "/v1/chat/completions";
/// The status of an overloaded provider.
const OVERLOADED: u16 = 503;
const INVALID: &str = "invalid_request_error";
const QUOTA: &str = "insufficient_quota";
const EXCEEDED: &str = "You exceeded your current quota, please check your plan and billing details.";

pub(super) const KNOWN: &[Known] = &[
    known("invalid_request_error", 400, INVALID, None, "The request is not valid."),
    known(
        "context_length_exceeded",
        400,
        INVALID,
        Some("context_length_exceeded"),
        "This model's maximum context length is exceeded. Please reduce the length of the messages.",
    ),
    known("content_filter", 400, INVALID, Some("content_filter"), "The content was filtered."),
    known(
        "invalid_api_key",
        401,
        INVALID,
        Some("invalid_api_key"),
        "Incorrect API key provided: ********. You can find your API key in your account.",
    ),
    known("account_deactivated", 401, INVALID, Some("account_deactivated"), "The account is deactivated."),
    known("ip_not_authorized", 401, INVALID, Some("ip_not_authorized"), "Your IP is not authorized."),
    known(
        "unsupported_country_region_territory",
        403,
        "request_forbidden",
        Some("unsupported_country_region_territory"),
        "Country, region, or territory not supported",
    ),
    known(
        "model_not_found",
        404,
        INVALID,
        Some("model_not_found"),
        "The model does not exist or you do not have access to it.",
    ),
    known("rate_limit_exceeded", 429, "requests", Some("rate_limit_exceeded"), ""),
    known("requests", 429, "requests", Some("rate_limit_exceeded"), ""),
    known("tokens", 429, "tokens", Some("rate_limit_exceeded"), ""),
    known("insufficient_quota", 429, QUOTA, Some(QUOTA), EXCEEDED),
    known("credit_balance_exhausted", 429, QUOTA, Some("credit_balance_exhausted"), EXCEEDED),
    known(
        "organization_spend_limit_exceeded",
        429,
        QUOTA,
        Some("organization_spend_limit_exceeded"),
        EXCEEDED,
    ),
    known(
        "organization_usage_limit_exceeded",
        429,
        QUOTA,
        Some("organization_usage_limit_exceeded"),
        EXCEEDED,
    ),
    known("project_spend_limit_exceeded", 429, QUOTA, Some("project_spend_limit_exceeded"), EXCEEDED),
    known(
        "billing_not_active",
        429,
        "billing_not_active",
        Some("billing_not_active"),
        "Your account is not active.",
    ),
    known(
        "slow_down",
        429,
        "rate_limit_error",
        Some("slow_down"),
        "Your request rate increased too quickly. Please slow down.",
    ),
    known(
        "server_error",
        500,
        "server_error",
        None,
        "The server had an error while processing your request. Sorry about that!",
    ),
    known(
        "server_is_overloaded",
        503,
        "service_unavailable_error",
        Some("server_is_overloaded"),
        "Our servers are currently overloaded. Please try again later.",
    ),
];

pub(super) fn read(incoming: &Incoming<'_>) -> Result<Question, Reply> {
    if incoming.path != PATH {
        let message = format!("Invalid URL ({} {})", incoming.method, incoming.path);
        return Err(wrong(404, message, None, None));
    }
    if incoming.method != "POST" {
        return Err(wrong(405, "Only POST requests are accepted.", None, Some("method_not_supported")));
    }
    let Some(token) = ask::bearer(incoming) else {
        let message = "You didn't provide an API key. You need to provide your API key in an Authorization header \
                       using Bearer auth (i.e. Authorization: Bearer YOUR_KEY).";
        return Err(wrong(401, message, None, None));
    };
    chat::read(incoming.body, token, None)
        .map_err(|lack| wrong(400, lack.message(), lack.param(), lack.code()))
}

/// An error that needs no plan.
pub(super) fn wrong(
    status: u16,
    message: impl Into<Cow<'static, str>>,
    param: Option<&'static str>,
    code: Option<&'static str>,
) -> Reply {
    let body = error(message.into(), INVALID, param, code.map(Cow::Borrowed));
    ask::whole(status, vec![("content-type".into(), "application/json".into())], &body)
}

/// The shape of every error.
pub(super) fn error(
    message: Cow<'static, str>,
    kind: &'static str,
    param: Option<&'static str>,
    code: Option<Cow<'static, str>>,
) -> Json {
    object! { "error" => object! { "message" => message, "type" => kind, "param" => param, "code" => code } }
}

pub(super) fn well(question: &Question, plan: &Plan, context: &Context<'_>) -> Reply {
    chat::well(Vendor::OpenAi, question, context, headers(plan, context))
}

pub(super) fn refuse(question: &Question, plan: &Plan, context: &Context<'_>) -> Reply {
    let failure = failure::choose(KNOWN, OVERLOADED, plan);
    let mut headers = headers(plan, context);
    headers.insert(0, ("content-type".into(), "application/json".into()));
    if let Some(after) = failure.retry_after {
        headers.push(("retry-after".into(), when::whole_seconds(after).to_string().into()));
    }
    ask::whole(failure.status, headers, &told(&failure, question, plan))
}

pub(super) fn error_event(question: &Question, plan: &Plan) -> Vec<u8> {
    sse::alone(|to| sse::data(&told(&failure::choose(KNOWN, OVERLOADED, plan), question, plan), to))
}

/// The body of an error.
fn told(failure: &Failure, question: &Question, plan: &Plan) -> Json {
    if failure.code.as_deref() != Some("rate_limit_exceeded") {
        return error(failure.message.clone(), failure.kind, None, failure.code.clone());
    }
    let is_of_llm_tokens = failure.name == "tokens" || failure.limit.is_of_llm_tokens();
    let (kind, what) = match (is_of_llm_tokens, failure.limit) {
        (_, Limit::Concurrent) => ("requests", "concurrent requests"),
        (false, limit) if limit.is_daily() => ("requests", "requests per day (RPD)"),
        (false, _) => ("requests", "requests per min (RPM)"),
        (true, limit) if limit.is_daily() => ("tokens", "tokens per day (TPD)"),
        (true, _) => ("tokens", "tokens per min (TPM)"),
    };
    let mut message = format!("Rate limit reached for {} in organization org-mock on {what}", question.model);
    if let Limit::Quota { unit, per, most } = failure.limit {
        let standing = plan.quotas.iter().find(|it| it.unit == unit && it.per == per && it.limit == most);
        let used = most.saturating_sub(standing.map_or(0, |standing| standing.remaining));
        let requested = match unit {
            Unit::Requests => 1,
            Unit::LlmTokens => question.llm_tokens.saturating_add(question.most_llm_tokens.unwrap_or(0)),
        };
        let _ = write!(message, ": Limit {most}, Used {used}, Requested {requested}");
    }
    message.push('.');
    if let Some(after) = failure.retry_after {
        let _ = write!(message, " Please try again in {}.", when::go(after));
    }
    error(message.into(), kind, None, failure.code.clone())
}

/// The headers of every answer: an id, and what is left of the quotas.
fn headers(plan: &Plan, context: &Context<'_>) -> Headers {
    // Room for those of the quotas and of the answer too.
    let mut headers = Headers::with_capacity(12);
    headers.extend([
        ("x-request-id".into(), ask::hex("req_", context.serial, 32).into()),
        ("openai-organization".into(), "org-mock".into()),
        ("openai-version".into(), "2020-10-01".into()),
    ]);
    for (unit, word) in [(Unit::Requests, "requests"), (Unit::LlmTokens, "tokens")] {
        if let Some(standing) = failure::tightest(&plan.quotas, unit) {
            let mut push = |what: &str, value: String| {
                headers.push((format!("x-ratelimit-{what}-{word}").into(), value.into()));
            };
            push("limit", standing.limit.to_string());
            push("remaining", standing.remaining.to_string());
            push("reset", when::go(standing.reset));
        }
    }
    headers
}
