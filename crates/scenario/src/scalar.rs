//! What came of an attempt or of a probe, as a scenario says it.

use std::borrow::Cow;
use std::fmt;

use firedrill_block::StatusCode;
use firedrill_failover::Status;
use firedrill_yaml::{closest, custom, quoted};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserialize, Deserializer, Error, Unexpected, Visitor};

/// What came of an attempt or of a probe: a status, or the name of a failure below HTTP.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct AnyStatus(pub Status);

/// The named failures.
const NAMES: [&str; 3] = ["connect", "timeout", "reset"];

impl<'de> Deserialize<'de> for AnyStatus {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyStatusVisitor)
    }
}

struct AnyStatusVisitor;

impl Visitor<'_> for AnyStatusVisitor {
    type Value = AnyStatus;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a status from 100 to 999, or `connect`, `timeout` or `reset`")
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<AnyStatus, E> {
        let status = u16::try_from(number).ok().and_then(Status::new);
        status.map(AnyStatus).ok_or_else(|| E::invalid_value(Unexpected::Unsigned(number), &self))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<AnyStatus, E> {
        Err(E::invalid_value(Unexpected::Signed(number), &self))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<AnyStatus, E> {
        if let Some(named) = Status::named(text) {
            return Ok(AnyStatus(named));
        }
        match closest(text, NAMES) {
            Some(meant) => Err(custom(
                format_args!("unknown word {}", quoted(text)),
                format_args!("did you mean `{meant}`?"),
            )),
            None => Err(E::invalid_value(Unexpected::Str(text), &self)),
        }
    }
}

impl JsonSchema for AnyStatus {
    fn schema_name() -> Cow<'static, str> {
        "AnyStatus".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let status = generator.subschema_for::<StatusCode>();
        json_schema!({
            "description": "A status, or the name of a failure below HTTP.",
            "anyOf": [status, { "enum": NAMES }],
        })
    }
}
