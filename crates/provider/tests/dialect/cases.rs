//! What the tests ask, and plans made by hand.

use firedrill_failover::{Duration, Status};
use firedrill_provider::{
    Answer, Body, Context, Dialect, Fault, Incoming, Plan, Question, Refusal, Reply, Standing, Ticket, Unit,
};

/// A token that no reply may have in it.
pub(crate) const TOKEN: &str = "sk-hush-4711";

/// A wall clock: 2026-11-23 07:30:00.250 UTC.
pub(crate) const WALL: u64 = 1_795_419_000_250;

pub(crate) const CONTEXT: Context<'static> =
    Context { serial: 7, wall: WALL, text: "It is \"well\":\nnothing burns." };

pub(crate) const MINUTE: Duration = Duration::from_secs(60);
pub(crate) const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// A way to ask a dialect.
pub(crate) struct Ask {
    pub(crate) name: &'static str,
    pub(crate) path: &'static str,
    pub(crate) query: &'static str,
    pub(crate) headers: &'static [(&'static str, &'static str)],
    pub(crate) body: &'static str,
}

impl Ask {
    pub(crate) fn headers(&self) -> Vec<(String, String)> {
        self.headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    pub(crate) fn read(&self, dialect: Dialect) -> Result<Question, Reply> {
        let headers = self.headers();
        dialect.read(&Incoming {
            method: "POST",
            path: self.path,
            query: self.query,
            headers: &headers,
            body: self.body.as_bytes(),
        })
    }
}

const BEARER: &[(&str, &str)] = &[("authorization", "Bearer sk-hush-4711")];
const CHAT: &str = r#"{"model":"m-1","messages":[{"role":"user","content":"How is it?"}]}"#;
const CHAT_STREAM: &str = r#"{"model":"m-1","messages":[{"role":"user","content":"How is it?"}],"stream":true,
    "stream_options":{"include_usage":true}}"#;
const MESSAGES: &str =
    r#"{"model":"m-1","max_tokens":5,"messages":[{"role":"user","content":"How is it?"}]}"#;
const MESSAGES_STREAM: &str = r#"{"model":"m-1","max_tokens":99,"stream":true,
    "messages":[{"role":"user","content":[{"type":"text","text":"How is it?"}]}]}"#;
const CONTENTS: &str = r#"{"contents":[{"role":"user","parts":[{"text":"How is it?"}]}]}"#;
const CONVERSE: &str = r#"{"messages":[{"role":"user","content":[{"text":"How is it?"}]}]}"#;
const NATIVE: &str = r#"{"model":"m-1","input":{"messages":[{"role":"user","content":"How is it?"}]},
    "parameters":{"result_format":"message"}}"#;
const NATIVE_TEXT: &str =
    r#"{"model":"m-1","input":{"prompt":"How is it?"},"parameters":{"incremental_output":true}}"#;

/// Ways to ask: plain first, then a stream, then others.
pub(crate) fn asks(dialect: Dialect) -> Vec<Ask> {
    let ask = |name, path, query, headers, body| Ask { name, path, query, headers, body };
    match dialect {
        Dialect::OpenAi => vec![
            ask("plain", "/v1/chat/completions", "", BEARER, CHAT),
            ask("stream", "/v1/chat/completions", "", BEARER, CHAT_STREAM),
        ],
        Dialect::Anthropic => {
            let headers = &[("x-api-key", TOKEN), ("anthropic-version", "2023-06-01")];
            vec![
                ask("plain", "/v1/messages", "", headers, MESSAGES),
                ask("stream", "/v1/messages", "", headers, MESSAGES_STREAM),
            ]
        }
        Dialect::Azure => {
            let (path, version) = ("/openai/deployments/mine/chat/completions", "api-version=2024-10-21");
            let headers = &[("api-key", TOKEN)];
            vec![
                ask("plain", path, version, headers, CHAT),
                ask("stream", path, version, headers, CHAT_STREAM),
            ]
        }
        Dialect::Gemini => {
            let (plain, stream) =
                ("/v1beta/models/m-1:generateContent", "/v1beta/models/m-1:streamGenerateContent");
            let headers = &[("x-goog-api-key", TOKEN)];
            vec![
                ask("plain", plain, "", headers, CONTENTS),
                ask("stream", stream, "alt=sse", headers, CONTENTS),
                ask("stream-array", stream, "key=sk-hush-4711", &[], CONTENTS),
            ]
        }
        Dialect::Bedrock => vec![
            ask("plain", "/model/m-1/converse", "", BEARER, CONVERSE),
            ask("stream", "/model/m-1/converse-stream", "", BEARER, CONVERSE),
            ask("invoke", "/model/anthropic.m-1%3A0/invoke", "", BEARER, MESSAGES),
            ask("invoke-stream", "/model/m-1/invoke-with-response-stream", "", BEARER, MESSAGES_STREAM),
        ],
        Dialect::Qwen => {
            let native = "/api/v1/services/aigc/text-generation/generation";
            let sse = &[("authorization", "Bearer sk-hush-4711"), ("x-dashscope-sse", "enable")];
            vec![
                ask("plain", "/compatible-mode/v1/chat/completions", "", BEARER, CHAT),
                ask("stream", "/compatible-mode/v1/chat/completions", "", BEARER, CHAT_STREAM),
                ask("native", native, "", BEARER, NATIVE),
                ask("native-stream", native, "", sse, NATIVE),
                ask("native-text-stream", native, "", sse, NATIVE_TEXT),
            ]
        }
        Dialect::DeepSeek => vec![
            ask("plain", "/chat/completions", "", BEARER, CHAT),
            ask("stream", "/v1/chat/completions", "", BEARER, CHAT_STREAM),
        ],
    }
}

/// The question of the way to ask that has this name.
pub(crate) fn question(dialect: Dialect, name: &str) -> Question {
    let ask = asks(dialect).into_iter().find(|ask| ask.name == name).expect("a way to ask");
    ask.read(dialect).expect("a question")
}

/// A plan that answers so, and says nothing of quotas.
pub(crate) fn plan(status: u16, error: Option<&str>, retry_after: Option<Duration>) -> Plan {
    let status = Status::new(status).expect("a status");
    let refusal = (status.code() != 200 || error.is_some()).then_some(Refusal::Script);
    Plan {
        answer: Answer { error: error.map(Into::into), retry_after, ..Answer::plain(status) },
        refusal,
        wait: Duration::ZERO,
        first: Duration::ZERO,
        quotas: Vec::new(),
        ticket: Ticket::default(),
    }
}

/// A plan of a provider with quotas that is well.
pub(crate) fn with_quotas() -> Plan {
    let quotas = vec![
        Standing {
            unit: Unit::Requests,
            per: MINUTE,
            limit: 60,
            remaining: 59,
            reset: Duration::from_secs(1),
        },
        Standing {
            unit: Unit::LlmTokens,
            per: MINUTE,
            limit: 40_000,
            remaining: 31_360,
            reset: Duration::from_millis(12_960),
        },
        Standing {
            unit: Unit::LlmTokens,
            per: DAY,
            limit: 900_000,
            remaining: 900_000,
            reset: Duration::ZERO,
        },
    ];
    Plan { quotas, ..plan(200, None, None) }
}

/// A plan that a quota refuses.
pub(crate) fn over(unit: Unit, per: Duration, wait: Duration) -> Plan {
    let limit = if unit == Unit::Requests { 60 } else { 40_000 };
    let quotas = vec![Standing { unit, per, limit, remaining: 0, reset: wait }];
    Plan { quotas, refusal: Some(Refusal::Quota { unit, per, limit }), ..plan(429, None, Some(wait)) }
}

/// A plan that refuses because too many are being answered.
pub(crate) fn concurrent() -> Plan {
    Plan { refusal: Some(Refusal::Concurrent), ..plan(429, None, None) }
}

/// A plan whose error comes inside a stream that is answered 200.
pub(crate) fn inside(error: Option<&str>) -> Plan {
    let mut plan = plan(200, error, None);
    plan.answer.fault = Some(Fault::ErrorEvent);
    plan
}

/// The bytes of a body, one event after the other.
pub(crate) fn bytes(reply: &Reply) -> Vec<u8> {
    match &reply.body {
        Body::Whole(bytes) => bytes.clone(),
        Body::Events(events) => events.iter().collect::<Vec<_>>().concat(),
    }
}
