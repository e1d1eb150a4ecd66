//! How long answers take.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use firedrill_failover::{Duration, Random};
use firedrill_yaml::{Spanned, custom, custom_at};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, Error, MapAccess, SeqAccess, Visitor};

use crate::scalar::Span;

/// How long an answer takes, or the wait between two events of a stream. `200ms` is always that; `{ from: 100ms, to: 300ms }`
/// is anything between, each equally likely; `[80ms, 120ms, 2s]` is one of a recorded list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Latency {
    /// Always this.
    Fixed(Duration),
    /// From the first to the second, both included, each millisecond equally likely.
    Uniform(Duration, Duration),
    /// One of these, each equally likely; at least one.
    Recorded(Arc<[Duration]>),
}

impl Default for Latency {
    fn default() -> Self {
        Self::Fixed(Duration::ZERO)
    }
}

impl Latency {
    /// Draws one.
    pub fn draw(&self, random: &mut Random) -> Duration {
        match self {
            Self::Fixed(time) => *time,
            Self::Uniform(from, to) => {
                let width = u32::try_from(to.as_millis() - from.as_millis()).unwrap_or(u32::MAX - 1);
                Duration::from_millis(from.as_millis() + u64::from(random.below(width + 1)))
            }
            Self::Recorded(times) => {
                let drawn = random.below(u32::try_from(times.len()).unwrap_or(u32::MAX));
                times.get(drawn as usize).copied().unwrap_or_default()
            }
        }
    }
}

/// A latency as a map.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Range {
    from: Spanned<Span>,
    to: Spanned<Span>,
}

impl<'de> Deserialize<'de> for Latency {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(LatencyVisitor)
    }
}

struct LatencyVisitor;

impl<'de> Visitor<'de> for LatencyVisitor {
    type Value = Latency;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a length of time, `{ from: 100ms, to: 300ms }`, or a list of lengths of time")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Latency, E> {
        let Span(time) = Span::deserialize(serde::de::value::StrDeserializer::new(text))?;
        Ok(Latency::Fixed(time))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Latency, A::Error> {
        let mut times = Vec::new();
        while let Some(Span(time)) = seq.next_element()? {
            times.push(time);
        }
        if times.is_empty() {
            return Err(custom(
                "expected at least one length of time, found an empty list",
                "for example `[80ms, 2s]`",
            ));
        }
        Ok(Latency::Recorded(times.into()))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Latency, A::Error> {
        let Range { from, to } = Range::deserialize(MapAccessDeserializer::new(map))?;
        if to.value.0 < from.value.0 {
            return Err(custom_at(to.place, "`to` is less than `from`", "write the shorter one first"));
        }
        Ok(Latency::Uniform(from.value.0, to.value.0))
    }
}

impl JsonSchema for Latency {
    fn schema_name() -> Cow<'static, str> {
        "Latency".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let span = generator.subschema_for::<Span>();
        json_schema!({
            "description": "How long an answer takes.",
            "anyOf": [
                span,
                {
                    "type": "object",
                    "properties": { "from": span, "to": span },
                    "required": ["from", "to"],
                    "additionalProperties": false,
                },
                { "type": "array", "items": span, "minItems": 1 },
            ],
        })
    }
}
