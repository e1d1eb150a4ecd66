//! What a probe was answered, as a scenario says it.

use std::borrow::Cow;
use std::fmt;

use firedrill_block::StatusCode;
use firedrill_failover::Answer;
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
