//! What a client of a scenario asks: something short, in the way of the provider's vendor, whole or as a stream. And when the
//! pieces of a good answer to it come.

use firedrill_failover::Duration;
use firedrill_provider::{Behaviour, Body, Context, Dialect, Incoming, Plan, TEXT};

/// The model that is asked for. No provider has it, so that a probe is told from a request by its model.
pub(crate) const MODEL: &str = "rehearsed";

/// A question.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) struct Question {
    /// Whose way it is.
    pub(crate) dialect: Dialect,
    /// Whether the answer should come as a stream.
    pub(crate) stream: bool,
}

/// A piece of a body: how long it takes to come after the one before, and how many bytes it has.
pub(crate) type Piece = (Duration, u64);

impl Question {
    /// The path, with its query.
    pub(crate) fn path(self) -> String {
        let Self { dialect, stream } = self;
        match dialect {
            Dialect::OpenAi => "/v1/chat/completions".to_owned(),
            Dialect::Anthropic => "/v1/messages".to_owned(),
            Dialect::Azure => format!("/openai/deployments/{MODEL}/chat/completions?api-version=2024-10-21"),
            Dialect::Gemini if stream => format!("/v1beta/models/{MODEL}:streamGenerateContent?alt=sse"),
            Dialect::Gemini => format!("/v1beta/models/{MODEL}:generateContent"),
            Dialect::Bedrock if stream => format!("/model/{MODEL}/converse-stream"),
            Dialect::Bedrock => format!("/model/{MODEL}/converse"),
            Dialect::Qwen => "/compatible-mode/v1/chat/completions".to_owned(),
            Dialect::DeepSeek => "/chat/completions".to_owned(),
        }
    }

    /// The body.
    pub(crate) fn body(self) -> String {
        const ASKED: &str = "Is anybody there?";
        let Self { dialect, stream } = self;
        let messages = serde_json::json!([{ "role": "user", "content": ASKED }]);
        let body = match dialect {
            Dialect::Gemini => {
                serde_json::json!({ "contents": [{ "role": "user", "parts": [{ "text": ASKED }] }] })
            }
            Dialect::Bedrock => {
                serde_json::json!({ "messages": [{ "role": "user", "content": [{ "text": ASKED }] }] })
            }
            Dialect::Anthropic => serde_json::json!({
                "model": MODEL, "max_tokens": 64, "messages": messages, "stream": stream,
            }),
            Dialect::OpenAi | Dialect::Azure | Dialect::Qwen | Dialect::DeepSeek => {
                serde_json::json!({ "model": MODEL, "messages": messages, "stream": stream })
            }
        };
        body.to_string()
    }

    /// The pieces in which the answer comes that `plan` says: one that takes no time, unless it is a stream.
    pub(crate) fn pieces(self, plan: &Plan, behaviour: &Behaviour) -> Vec<Piece> {
        if !self.stream {
            return Vec::new();
        }
        let (path, body) = (self.path(), self.body());
        let (path, query) = path.split_once('?').unwrap_or((&path, ""));
        let headers = [("authorization", "Bearer any"), ("anthropic-version", "2023-06-01")];
        let headers: Vec<(String, String)> =
            headers.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let incoming = Incoming { method: "POST", path, query, headers: &headers, body: body.as_bytes() };
        let Ok(question) = self.dialect.read(&incoming) else { return Vec::new() };
        let reply = self.dialect.reply(&question, plan, &Context { serial: 0, wall: 0, text: TEXT });
        let Body::Events(events) = reply.body else { return Vec::new() };
        let waits = std::iter::once(plan.first).chain((1..).map(|nth| behaviour.between(plan, nth)));
        waits.zip(events.iter().map(|event| event.len() as u64)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use firedrill_provider::{Ask, Upstream};
    use firedrill_yaml::Source;

    #[test]
    fn every_dialect_reads_its_question_and_streams_the_answer_at_its_pace() {
        let upstream: Upstream = Source::new("f", "{ pace: { first: 30ms, between: 20ms }, sk-b: [429] }")
            .parse("an upstream")
            .expect("a good one");
        let mut behaviour = Behaviour::new(upstream.into(), 0);
        for dialect in Dialect::ALL {
            let mut pieces = |token, stream| {
                let plan = behaviour.call(firedrill_failover::Instant::ZERO, Ask { token, llm_tokens: 10 });
                Question { dialect, stream }.pieces(&plan, &behaviour)
            };
            let stream = pieces("sk-a", true);
            assert!(
                stream.len() > 2 && stream.iter().all(|(_, bytes)| *bytes > 0),
                "{dialect:?}: {stream:?}"
            );
            let waits: Vec<u64> = stream.iter().map(|(wait, _)| wait.as_millis()).collect();
            assert!(waits[0] == 30 && waits[1..].iter().all(|wait| *wait == 20), "{dialect:?}: {waits:?}");
            assert_eq!(
                (pieces("sk-a", false), pieces("sk-b", true)),
                (Vec::new(), Vec::new()),
                "{dialect:?}"
            );
        }
    }
}
