//! OpenAI: chat completions; a bearer token; limits in `x-ratelimit-…`, their resets as Go writes lengths of time.

use std::borrow::Cow;
use std::fmt::Write as _;

use super::ask::{self, Headers};
use super::failure::{self, Failure, Known, Limit};
use super::json::{Json, object};
use super::{Context, chat, sse, when};
use crate::behaviour::Plan;
use crate::dialect::Dialect;
use crate::exchange::{Incoming, Question, Reply};
use crate::quota::{Standing, Unit};

const PATH: &str = "/v1/chat/completions";

/// What an overloaded provider answers.
const OVERLOADED: u16 = 503;

const KNOWN: &[Known] = &[
    known("invalid_request_error", 400, "invalid_request_error", None, "The request is not valid."),
    known(
        "context_length_exceeded",
        400,
        "invalid_request_error",
        Some("context_length_exceeded"),
        "This model's maximum context length is 8192 tokens. Please reduce the length of the messages.",
    ),
    known(
        "invalid_api_key",
        401,
        "invalid_request_error",
        Some("invalid_api_key"),
        "Incorrect API key provided: ********.",
    ),
    known(
        "account_deactivated",
        401,
        "invalid_request_error",
        Some("account_deactivated"),
        "The account that this API key belongs to is deactivated.",
    ),
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
        "invalid_request_error",
        Some("model_not_found"),
        "The model does not exist or you do not have access to it.",
    ),
    known("rate_limit_exceeded", 429, "requests", Some("rate_limit_exceeded"), "Rate limit reached"),
    known("requests", 429, "requests", Some("rate_limit_exceeded"), "Rate limit reached"),
    known("tokens", 429, "tokens", Some("rate_limit_exceeded"), "Rate limit reached"),
    known(
        "insufficient_quota",
        429,
        "insufficient_quota",
        Some("insufficient_quota"),
        "You exceeded your current quota, please check your plan and billing details.",
    ),
    known(
        "billing_not_active",
        429,
        "billing_not_active",
        Some("billing_not_active"),
        "Your account is not active, please check your billing details.",
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
    known(
        "slow_down",
        503,
        "service_unavailable_error",
        Some("slow_down"),
        "The rate of requests grew too fast. Please slow down.",
    ),
];

const fn known(
    name: &'static str,
    status: u16,
    kind: &'static str,
    code: Option<&'static str>,
    message: &'static str,
) -> Known {
    Known { name, status, kind, code, message }
}

pub(super) fn read(incoming: &Incoming<'_>) -> Result<Question, Reply> {
    if incoming.path != PATH {
        let message = format!("Invalid URL ({} {})", incoming.method, incoming.path);
        return Err(wrong(404, message, None, None));
    }
    if incoming.method != "POST" {
        let message = "Only POST requests are accepted.";
        return Err(wrong(405, message, None, Some("method_not_supported")));
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
    let code = code.map(Cow::Borrowed);
    let body = error(message.into(), "invalid_request_error", param, code);
    ask::whole(status, vec![("content-type".into(), "application/json".into())], &body)
}

pub(super) fn error(
    message: Cow<'static, str>,
    kind: &'static str,
    param: Option<&'static str>,
    code: Option<Cow<'static, str>>,
) -> Json {
    object! { "error" => object! { "message" => message, "type" => kind, "param" => param, "code" => code } }
}

pub(super) fn well(question: &Question, plan: &Plan, context: &Context<'_>) -> Reply {
    chat::well(Dialect::OpenAi, question, context, headers(plan, context))
}

pub(super) fn refuse(question: &Question, plan: &Plan, context: &Context<'_>) -> Reply {
    let failure = failure::choose(KNOWN, OVERLOADED, plan);
    let mut headers = headers(plan, context);
    headers.push(("content-type".into(), "application/json".into()));
    if let Some(after) = failure.retry_after {
        headers.push(("retry-after".into(), when::whole_seconds(after).to_string()));
        headers.push(("retry-after-ms".into(), after.as_millis().to_string()));
    }
    ask::whole(failure.status, headers, &told(&failure, question, plan))
}

pub(super) fn error_event(question: &Question, plan: &Plan, _: &Context<'_>) -> Vec<u8> {
    sse::data(&told(&failure::choose(KNOWN, OVERLOADED, plan), question, plan))
}

/// The body of an error.
fn told(failure: &Failure, question: &Question, plan: &Plan) -> Json {
    let limited = failure.code.as_deref() == Some("rate_limit_exceeded");
    if !limited {
        return error(failure.message.clone(), failure.kind, None, failure.code.clone());
    }
    let unit = if failure.name == "tokens" || failure.limit.is_of_llm_tokens() {
        Unit::LlmTokens
    } else {
        Unit::Requests
    };
    let (kind, long, short) = match (unit, failure.limit.is_daily()) {
        (Unit::Requests, false) => ("requests", "requests per min", "RPM"),
        (Unit::Requests, true) => ("requests", "requests per day", "RPD"),
        (Unit::LlmTokens, false) => ("tokens", "tokens per min", "TPM"),
        (Unit::LlmTokens, true) => ("tokens", "tokens per day", "TPD"),
    };
    let mut message =
        format!("Rate limit reached for {} in organization org-mock on {long} ({short})", question.model);
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
    let mut headers: Headers = vec![
        ("x-request-id".into(), format!("req_{:032x}", context.serial)),
        ("openai-organization".into(), "org-mock".into()),
        ("openai-version".into(), "2020-10-01".into()),
    ];
    for (unit, word) in [(Unit::Requests, "requests"), (Unit::LlmTokens, "tokens")] {
        if let Some(standing) = tightest(&plan.quotas, unit) {
            let mut push =
                |what: &str, value| headers.push((format!("x-ratelimit-{what}-{word}").into(), value));
            push("limit", standing.limit.to_string());
            push("remaining", standing.remaining.to_string());
            push("reset", when::go(standing.reset));
        }
    }
    headers
}

/// Of several quotas of a unit, the one that headers tell: of which the least remains, and then which is back last.
pub(super) fn tightest(quotas: &[Standing], unit: Unit) -> Option<&Standing> {
    let quotas = quotas.iter().filter(|standing| standing.unit == unit);
    quotas.min_by_key(|standing| (standing.remaining, std::cmp::Reverse(standing.reset)))
}
