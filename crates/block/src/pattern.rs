//! A pattern for statuses, as it stands in a provider block.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::U64Deserializer;
use serde::de::{Deserialize, Deserializer, Error, Visitor};

use crate::scalar::StatusCode;

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
            "description": "A status, or a regular expression for statuses and for the names of failures below HTTP: `connect`, `timeout`, `reset`.",
            "anyOf": [{ "type": "string", "format": "regex" }, status],
            "examples": ["429", "5.*", "timeout"],
        })
    }
}
