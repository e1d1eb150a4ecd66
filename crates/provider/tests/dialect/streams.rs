//! Streams: an event for every word, all of the text, and an end.

use firedrill_provider::{Body, Context, Dialect, Question};
use serde_json::Value;

use crate::cases::{self, CONTEXT, WALL};
use crate::eventstream;

/// What an event says, whatever the dialect.
fn said(dialect: Dialect, question: &Question, event: &[u8]) -> Vec<Value> {
    if dialect == Dialect::Bedrock {
        return vec![eventstream::payload(event)];
    }
    let text = std::str::from_utf8(event).expect("text");
    if question.stream && !text.starts_with(['[', ',']) {
        assert!(text.ends_with("\n\n") || text.ends_with("\r\n\r\n"), "{text:?} does not end");
        let lines = text.lines().filter_map(|line| line.strip_prefix("data:")).map(str::trim);
        let lines: Vec<&str> = lines.collect();
        assert_eq!(lines.len(), 1, "{text:?} is one line of data");
        return lines.into_iter().filter(|line| *line != "[DONE]").map(json).collect();
    }
    let part = text.trim_start_matches(['[', ',', '\r', '\n']);
    vec![json(
        part.strip_suffix(']').filter(|rest| serde_json::from_str::<Value>(rest).is_ok()).unwrap_or(part),
    )]
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// The words in what is said.
fn words(value: &Value) -> String {
    let places = [
        "/choices/0/delta/content",
        "/delta/text",
        "/candidates/0/content/parts/0/text",
        "/output/choices/0/message/content",
        "/output/text",
    ];
    places.iter().filter_map(|place| value.pointer(place)?.as_str()).collect()
}

#[test]
fn a_stream_says_all_of_the_text_a_word_an_event() {
    for dialect in Dialect::ALL {
        for ask in cases::asks(dialect).iter().filter(|ask| ask.name.contains("stream")) {
            let question = ask.read(dialect).expect("a question");
            let reply = dialect.reply(&question, &cases::with_quotas(), &CONTEXT);
            let Body::Events(events) = &reply.body else { panic!("{dialect:?} {} is no stream", ask.name) };
            let said: Vec<String> = events
                .iter()
                .flat_map(|event| said(dialect, &question, event))
                .map(|value| words(&value))
                .collect();
            let text = match ask.name {
                // Each event repeats what was said before.
                "native-stream" => said.last().cloned().expect("an event"),
                _ => said.concat(),
            };
            assert_eq!(text, CONTEXT.text, "{dialect:?} {}", ask.name);
            let speaking = said.iter().filter(|words| !words.is_empty()).count();
            assert!(speaking >= 5, "{dialect:?} {}: {said:?}", ask.name);
        }
    }
}

#[test]
fn an_empty_text_and_strange_ones_are_framed_like_any_other() {
    for text in ["", " ", "\n\n", "data: x\n\nevent: y", "a\r\nb", "\u{2028}\u{0}\u{1f525}", "]", "[DONE]"] {
        let context = Context { serial: u64::MAX, wall: WALL, text };
        for dialect in Dialect::ALL {
            for ask in cases::asks(dialect).iter().filter(|ask| ask.name.contains("stream")) {
                let mut question = ask.read(dialect).expect("a question");
                question.most_llm_tokens = None;
                let reply = dialect.reply(&question, &cases::with_quotas(), &context);
                let Body::Events(events) = &reply.body else {
                    panic!("{dialect:?} {} is no stream", ask.name)
                };
                for event in events.iter() {
                    said(dialect, &question, event);
                }
            }
        }
    }
}

#[test]
fn an_answer_obeys_how_long_it_may_be_and_says_that_it_was_cut() {
    let reasons = [
        (Dialect::OpenAi, "/choices/0/finish_reason", "length"),
        (Dialect::Anthropic, "/stop_reason", "max_tokens"),
        (Dialect::Azure, "/choices/0/finish_reason", "length"),
        (Dialect::Gemini, "/candidates/0/finishReason", "MAX_TOKENS"),
        (Dialect::Bedrock, "/stopReason", "max_tokens"),
        (Dialect::Qwen, "/choices/0/finish_reason", "length"),
        (Dialect::DeepSeek, "/choices/0/finish_reason", "length"),
    ];
    for (dialect, place, reason) in reasons {
        let mut question = cases::question(dialect, "plain");
        question.most_llm_tokens = Some(2);
        let context = Context { text: "ab\u{1f525}\u{1f525}cd", ..CONTEXT };
        let reply = dialect.reply(&question, &cases::with_quotas(), &context);
        let text = String::from_utf8(cases::bytes(&reply)).expect("text");
        let value = json(&text);
        assert_eq!(value.pointer(place).and_then(Value::as_str), Some(reason), "{dialect:?}");
        // Eight bytes: the second character would end at the tenth.
        assert!(text.contains("\"ab\u{1f525}\""), "{dialect:?}: {text}");
    }
}

#[test]
fn an_error_inside_a_stream_is_its_only_event_and_comes_with_200() {
    for dialect in Dialect::ALL {
        for ask in cases::asks(dialect) {
            let question = ask.read(dialect).expect("a question");
            let plan = cases::inside(None);
            let reply = dialect.reply(&question, &plan, &CONTEXT);
            assert_eq!(reply.status.code(), 200);
            match reply.body {
                Body::Events(events) => {
                    assert!(question.stream, "{dialect:?} {}", ask.name);
                    assert_eq!(events, [dialect.error_event(&question, &plan, &CONTEXT)].iter().collect());
                }
                Body::Whole(_) => assert!(!question.stream, "{dialect:?} {}", ask.name),
            }
        }
    }
}

#[test]
fn the_same_goes_in_and_the_same_bytes_come_out_and_another_number_makes_another_id() {
    for dialect in Dialect::ALL {
        let question = cases::question(dialect, "plain");
        let reply = |serial| dialect.reply(&question, &cases::with_quotas(), &Context { serial, ..CONTEXT });
        assert_eq!(reply(7), reply(7));
        assert_ne!(reply(7), reply(8), "{dialect:?}");
    }
}
