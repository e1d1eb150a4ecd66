//! The small values of the language that providers do not share: patterns, and what a probe was answered. Each says in its
//! error what a right one looks like.

use std::borrow::Cow;
use std::fmt;

use firedrill_failover::Answer;
use firedrill_provider::StatusCode;
use firedrill_yaml::{closest, custom, quoted};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::U64Deserializer;
use serde::de::{Deserialize, Deserializer, Error, Unexpected, Visitor};

/// What a probe was answered: a status, or the word `timeout`.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct ProbeStatus(pub Answer);

impl<'de> Deserialize<'de> for ProbeStatus {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ProbeStatusVisitor)
    }
}

struct ProbeStatusVisitor;

impl Visitor<'_> for ProbeStatusVisitor {
    type Value = ProbeStatus;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a status from 100 to 999, or `timeout`")
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<ProbeStatus, E> {
        StatusCode::deserialize(U64Deserializer::new(number))
            .map(|StatusCode(status)| ProbeStatus(Answer::Status(status)))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<ProbeStatus, E> {
        Err(E::invalid_value(Unexpected::Signed(number), &self))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<ProbeStatus, E> {
        match text {
            "timeout" => Ok(ProbeStatus(Answer::Timeout)),
            _ if closest(text, ["timeout"]).is_some() => {
                Err(custom(format_args!("unknown word {}", quoted(text)), "did you mean `timeout`?"))
            }
            _ => Err(E::invalid_value(Unexpected::Str(text), &self)),
        }
    }
}

impl JsonSchema for ProbeStatus {
    fn schema_name() -> Cow<'static, str> {
        "ProbeStatus".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let status = generator.subschema_for::<StatusCode>();
        json_schema!({ "anyOf": [status, { "const": "timeout" }] })
    }
}

/// A pattern for statuses. Higress takes a number as well as text, so this does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern(pub String);

impl<'de> Deserialize<'de> for Pattern {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(PatternVisitor)
    }
}

struct PatternVisitor;

impl Visitor<'_> for PatternVisitor {
    type Value = Pattern;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a status or a pattern for statuses such as `5.*`")
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Pattern, E> {
        StatusCode::deserialize(U64Deserializer::new(number))
            .map(|StatusCode(status)| Pattern(status.to_string()))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Pattern, E> {
        Ok(Pattern(text.to_owned()))
    }
}

impl JsonSchema for Pattern {
    fn schema_name() -> Cow<'static, str> {
        "Pattern".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let status = generator.subschema_for::<StatusCode>();
        json_schema!({
            "description": "A status, or a regular expression for statuses.",
            "anyOf": [{ "type": "string", "format": "regex" }, status],
            "examples": ["429", "5.*"],
        })
    }
}
