//! Bedrock: `converse` and `invoke` of a model in the path; an API key, or the access key of a signature; streams in binary
//! frames; no hint at all when it throttles.

use std::borrow::Cow;

use super::ask::{self, Headers};
use super::failure::{self, Failure, Known, Limit, known};
use super::json::{Json, list, object};
use super::messages::{self, Message};
use super::text::{self, Said};
use super::value::Value;
use super::{Context, eventstream, when};
use crate::behaviour::Plan;
use crate::exchange::{Body, Events, Form, Incoming, Question, Reply};

/// The status of an overloaded provider.
const OVERLOADED: u16 = 503;
const VALIDATION: &str = "ValidationException";
const THROTTLING: &str = "ThrottlingException";

pub(super) const KNOWN: &[Known] = &[
    known(VALIDATION, 400, "", None, "The input fails to satisfy the constraints specified by the service."),
    known(
        "ServiceQuotaExceededException",
        400,
        "",
        None,
        "Your request exceeds the service quota for your account.",
    ),
    known(
        "AccessDeniedException",
        403,
        "",
        None,
        "You don't have access to the model with the specified model ID.",
    ),
    known(
        "UnrecognizedClientException",
        403,
        "",
        None,
        "The security token included in the request is invalid.",
    ),
    known("ExpiredTokenException", 403, "", None, "The security token included in the request is expired"),
    known("ResourceNotFoundException", 404, "", None, "Could not resolve the foundation model."),
    known(
        "ModelTimeoutException",
        408,
        "",
        None,
        "Model has timed out in processing the request. Try your request again.",
    ),
    known(
        "ModelErrorException",
        424,
        "",
        None,
        "The system encountered an unexpected error during processing.",
    ),
    known(
        "ModelStreamErrorException",
        424,
        "",
        None,
        "The system encountered an unexpected error while streaming.",
    ),
    known(THROTTLING, 429, "", None, "Too many requests, please wait before trying again."),
    known(
        "ModelNotReadyException",
        429,
        "",
        None,
        "Model is not ready for inference. Wait and try your request again.",
    ),
    known(
        "InternalServerException",
        500,
        "",
        None,
        "The system encountered an unexpected error during processing.",
    ),
    known("ServiceUnavailableException", 503, "", None, "Bedrock is unable to process your request."),
];

pub(super) fn read(incoming: &Incoming<'_>) -> Result<Question, Reply> {
    let Some((model, operation)) = model_and_operation(incoming.path) else {
        return Err(unknown_operation(404));
    };
    let (form, stream) = match operation {
        "converse" => (Form::Converse, false),
        "converse-stream" => (Form::Converse, true),
        "invoke" => (Form::Invoke, false),
        "invoke-with-response-stream" => (Form::Invoke, true),
        _ => return Err(unknown_operation(404)),
    };
    if incoming.method != "POST" {
        return Err(unknown_operation(405));
    }
    let Some(token) = ask::bearer(incoming).or_else(|| access_key(incoming)) else {
        return Err(wrong(403, "MissingAuthenticationTokenException", "Missing Authentication Token"));
    };
    let model = ask::decoded(model);
    let question = match form {
        Form::Converse => converse(incoming.body, token, model),
        _ => messages::read(incoming.body, token, Some(model), form).map_err(Cow::Owned),
    };
    question.map(|question| Question { stream, ..question }).map_err(|lack| wrong(400, VALIDATION, lack))
}

/// The two parts of `/model/anthropic.claude-3-5-haiku-20241022-v1%3A0/converse`. A model's name may be an ARN with a slash
/// in it, which is encoded.
fn model_and_operation(path: &str) -> Option<(&str, &str)> {
    let (model, operation) = path.strip_prefix("/model/")?.rsplit_once('/')?;
    (!model.is_empty() && !model.contains('/')).then_some((model, operation))
}

/// The access key of a signature, version 4: its name, as it were; the secret itself is not sent.
fn access_key(incoming: &Incoming<'_>) -> Option<String> {
    let signed = incoming.header("authorization")?.trim().strip_prefix("AWS4-HMAC-SHA256")?;
    let credential = signed.split(',').find_map(|part| part.trim().strip_prefix("Credential="))?;
    let (key, _) = credential.split_once('/')?;
    (!key.is_empty()).then(|| key.to_owned())
}

/// Reads what `converse` is asked. `Err` says what it lacks.
fn converse(body: &[u8], token: String, model: String) -> Result<Question, Cow<'static, str>> {
    let asked = Value::object(body).ok_or("The provided request is not valid JSON")?;
    if !ask::has_entries(&asked["messages"]) {
        return Err("The messages field is required.".into());
    }
    let most_llm_tokens = ask::most(&asked["inferenceConfig"], &["maxTokens"])
        .map_err(|key| format!("inferenceConfig.{key} must be greater than or equal to 1"))?;
    let bytes = asked["messages"].text_bytes().saturating_add(asked["system"].text_bytes());
    Ok(Question {
        token,
        model,
        form: Form::Converse,
        stream: false,
        usage: true,
        llm_tokens: text::llm_tokens(bytes),
        most_llm_tokens,
    })
}

/// An error that needs no plan.
fn wrong(status: u16, name: &'static str, message: impl Into<Cow<'static, str>>) -> Reply {
    ask::whole(status, error_headers(name, 0), &object! { "message" => message.into() })
}

fn unknown_operation(status: u16) -> Reply {
    wrong(status, "UnknownOperationException", "The requested operation is not recognized by the service.")
}

pub(super) fn well(question: &Question, context: &Context<'_>) -> Reply {
    let mut headers: Headers = vec![("x-amzn-requestid".into(), ask::uuid(context.serial).into())];
    let (kind, body) = if question.form == Form::Invoke {
        let message = Message::new(question, context, "msg_bdrk_");
        if question.stream {
            headers.push(("x-amzn-bedrock-content-type".into(), "application/json".into()));
            (STREAM, Body::Events(chunks(&message, question)))
        } else {
            let mut count = |what: &str, count: u64| {
                headers.push((format!("x-amzn-bedrock-{what}").into(), count.to_string().into()));
            };
            count("invocation-latency", 0);
            count("input-token-count", question.llm_tokens);
            count("output-token-count", message.llm_tokens());
            ("application/json", Body::Whole(message.whole().bytes()))
        }
    } else {
        let answer = Answer { question, said: text::say(context.text, question.most_llm_tokens) };
        if question.stream {
            (STREAM, Body::Events(answer.events()))
        } else {
            ("application/json", Body::Whole(answer.whole().bytes()))
        }
    };
    headers.insert(0, ("content-type".into(), kind.into()));
    Reply { status: ask::status(200), headers, body }
}

const STREAM: &str = "application/vnd.amazon.eventstream";

/// What the model says inside `invoke-with-response-stream`: each event of its vendor's, wrapped.
fn chunks(message: &Message<'_>, question: &Question) -> Events {
    let wrap = |(name, mut event): (&str, Json)| {
        if name == "message_stop" {
            let metrics = object! {
                "inputTokenCount" => question.llm_tokens,
                "outputTokenCount" => message.llm_tokens(),
                "invocationLatency" => 0,
                "firstByteLatency" => 0,
            };
            event.push("amazon-bedrock-invocationMetrics", metrics);
        }
        eventstream::event("chunk", &object! { "bytes" => eventstream::base64(&event.bytes()) })
    };
    message.events().into_iter().map(wrap).collect()
}

pub(super) fn refuse(plan: &Plan, context: &Context<'_>) -> Reply {
    let failure = failure::choose(KNOWN, OVERLOADED, plan);
    let mut headers = error_headers(&failure.name, context.serial);
    if let Some(after) = failure.retry_after.filter(|_| failure.insists) {
        headers.push(("retry-after".into(), when::whole_seconds(after).to_string().into()));
    }
    ask::whole(failure.status, headers, &told(&failure))
}

/// An exception; it is called as in a refusal, with a small first letter.
pub(super) fn error_event(plan: &Plan) -> Vec<u8> {
    let failure = failure::choose(KNOWN, OVERLOADED, plan);
    let mut name = ask::safe(&failure.name);
    if let Some(first) = name.get_mut(..1) {
        first.make_ascii_lowercase();
    }
    eventstream::exception(&name, &told(&failure))
}

fn told(failure: &Failure) -> Json {
    let message = match failure.limit {
        _ if failure.name != THROTTLING => failure.message.clone(),
        Limit::Concurrent => "Too many concurrent requests, please wait before trying again.".into(),
        limit if limit.is_of_llm_tokens() && limit.is_daily() => {
            "Too many tokens per day, please wait before trying again.".into()
        }
        limit if limit.is_of_llm_tokens() => "Too many tokens, please wait before trying again.".into(),
        _ => failure.message.clone(),
    };
    object! { "message" => message }
}

/// The name of an error stands in a header, with a place behind it that clients cut off.
fn error_headers(name: &str, serial: u64) -> Headers {
    let kind = format!("{}:http://internal.amazon.com/coral/com.amazon.bedrock/", ask::safe(name));
    vec![
        ("content-type".into(), "application/json".into()),
        ("x-amzn-requestid".into(), ask::uuid(serial).into()),
        ("x-amzn-errortype".into(), kind.into()),
    ]
}

/// What goes into every part of an answer to `converse`.
struct Answer<'a> {
    question: &'a Question,
    said: Said<'a>,
}

impl Answer<'_> {
    fn stop_reason(&self) -> &'static str {
        if self.said.cut { "max_tokens" } else { "end_turn" }
    }

    fn whole(&self) -> Json {
        let content = list![object! { "text" => self.said.text.to_owned() }];
        let message = object! { "content" => content, "role" => "assistant" };
        object! {
            "metrics" => object! { "latencyMs" => 0 },
            "output" => object! { "message" => message },
            "stopReason" => self.stop_reason(),
            "usage" => self.usage(),
        }
    }

    fn events(&self) -> Events {
        let event = eventstream::event;
        let mut events = vec![event("messageStart", &object! { "role" => "assistant" })];
        events.extend(self.said.words().map(|word| {
            let delta = object! { "text" => word.to_owned() };
            event("contentBlockDelta", &object! { "contentBlockIndex" => 0, "delta" => delta })
        }));
        events.push(event("contentBlockStop", &object! { "contentBlockIndex" => 0 }));
        events.push(event("messageStop", &object! { "stopReason" => self.stop_reason() }));
        let metadata = object! { "metrics" => object! { "latencyMs" => 0 }, "usage" => self.usage() };
        events.push(event("metadata", &metadata));
        events.iter().collect()
    }

    fn usage(&self) -> Json {
        let (asked, said) = (self.question.llm_tokens, self.said.llm_tokens);
        object! {
            "inputTokens" => asked,
            "outputTokens" => said,
            "totalTokens" => asked.saturating_add(said),
        }
    }
}
