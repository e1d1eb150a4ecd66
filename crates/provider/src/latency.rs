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

use crate::fixed::{log2_ratio, times_exp2};
use firedrill_block::Span;

/// How long an answer takes, or the wait between two events of a stream. `200ms` is always that; `{ from: 100ms, to: 300ms }`
/// is anything between, each equally likely; `{ median: 200ms, p99: 2s }` is log-normal, as answers of real providers about
/// are; `[80ms, 120ms, 2s]` is one of a recorded list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Latency {
    /// Always this.
    Fixed(Duration),
    /// From the first to the second, both included, each millisecond equally likely.
    Uniform(Duration, Duration),
    /// Log-normal, by the length of time that half of them stay below, and by that which one in a hundred exceeds. Near
    /// enough: what is drawn stays within six standard deviations.
    LogNormal {
        /// Half are shorter; at least 1 ms.
        median: Duration,
        /// One in a hundred is longer; not less than the median.
        p99: Duration,
    },
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
            Self::LogNormal { median, p99 } => {
                let spread = log2_ratio(p99.as_millis(), median.as_millis());
                // The logarithm is spread/z as many powers of two per standard deviation, z being those of one in a hundred.
                let power = i128::from(spread) * i128::from(normal(random)) / i128::from(ONE_IN_A_HUNDRED);
                let power = i64::try_from(power).unwrap_or(i64::MAX);
                Duration::from_millis(times_exp2(median.as_millis(), power))
            }
            Self::Recorded(times) => {
                let drawn = random.below(u32::try_from(times.len()).unwrap_or(u32::MAX));
                times.get(drawn as usize).copied().unwrap_or_default()
            }
        }
    }
}

/// So many standard deviations, with 32 bits after the point, are exceeded by one in a hundred of what [`normal`] draws:
/// a little less than the 2.326 of a normal distribution.
const ONE_IN_A_HUNDRED: i64 = 9_923_000_000;

/// About normally distributed: standard deviations, with 32 bits after the point. The sum of twelve even draws has a
/// variance of one.
fn normal(random: &mut Random) -> i64 {
    (0..12).map(|_| i64::from(random.next_u32())).sum::<i64>() - (6 << 32)
}

/// A latency as a map.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Spread {
    from: Option<Spanned<Span>>,
    to: Option<Spanned<Span>>,
    median: Option<Spanned<Span>>,
    p99: Option<Spanned<Span>>,
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
        f.write_str("a length of time, `{ from: 100ms, to: 300ms }`, `{ median: 200ms, p99: 2s }`, or a list")
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
        let Spread { from, to, median, p99 } = Spread::deserialize(MapAccessDeserializer::new(map))?;
        let (names, low, high) = match (from, to, median, p99) {
            (Some(from), Some(to), None, None) => (["from", "to"], from, to),
            (None, None, Some(median), Some(p99)) => (["median", "p99"], median, p99),
            _ => {
                let hint = "write `{ from: 100ms, to: 300ms }` or `{ median: 200ms, p99: 2s }`";
                return Err(custom("expected `from` and `to`, or `median` and `p99`", hint));
            }
        };
        let [low_name, high_name] = names;
        if high.value.0 < low.value.0 {
            let message = format!("`{high_name}` is less than `{low_name}`");
            return Err(custom_at(high.place, message, "the longer one is the second"));
        }
        if low_name == "from" {
            return Ok(Latency::Uniform(low.value.0, high.value.0));
        }
        if low.value.0 == Duration::ZERO {
            return Err(custom_at(
                low.place,
                "expected a median of at least `1ms`",
                "nothing is ever shorter than none",
            ));
        }
        Ok(Latency::LogNormal { median: low.value.0, p99: high.value.0 })
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
                {
                    "type": "object",
                    "properties": { "median": span, "p99": span },
                    "required": ["median", "p99"],
                    "additionalProperties": false,
                },
                { "type": "array", "items": span, "minItems": 1 },
            ],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use firedrill_yaml::Source;

    fn read(text: &str) -> Latency {
        Source::new("f", text).parse("a latency").expect("a good latency")
    }

    /// A hundred thousand draws, sorted, in milliseconds.
    fn draws(text: &str) -> Vec<u64> {
        let (latency, mut random) = (read(text), Random::new(1, 0));
        let mut draws: Vec<u64> = (0..100_000).map(|_| latency.draw(&mut random).as_millis()).collect();
        draws.sort_unstable();
        draws
    }

    #[test]
    fn each_spread_is_what_it_says() {
        assert_eq!(draws("200ms")[0], 200);
        let even = draws("{ from: 100ms, to: 300ms }");
        assert_eq!((even[0], even[99_999]), (100, 300));
        assert!((198..=202).contains(&even[50_000]), "{}", even[50_000]);
        let recorded = draws("[80ms, 2s]");
        assert_eq!((recorded[0], recorded[40_000], recorded[60_000]), (80, 80, 2_000));
        let log_normal = draws("{ median: 200ms, p99: 2s }");
        let (median, p99, p1) = (log_normal[50_000], log_normal[99_000], log_normal[1_000]);
        assert!((196..=204).contains(&median), "{median}");
        assert!((1_900..=2_100).contains(&p99), "{p99}");
        assert!((19..=21).contains(&p1), "{p1}");
    }

    #[test]
    fn one_seed_gives_one_latency_on_every_machine() {
        let (latency, mut random) = (read("{ median: 200ms, p99: 2s }"), Random::new(42, 54));
        let drawn: Vec<u64> = (0..8).map(|_| latency.draw(&mut random).as_millis()).collect();
        assert_eq!(drawn, [760, 128, 183, 198, 118, 68, 541, 730]);
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        for (text, expect) in [
            ("{ from: 3s, to: 1s }", "f:1:17: `to` is less than `from` (the longer one is the second)"),
            ("{ median: 3s, p99: 1s }", "f:1:20: `p99` is less than `median` (the longer one is the second)"),
            (
                "{ median: 0s, p99: 1s }",
                "f:1:11: expected a median of at least `1ms` (nothing is ever shorter than none)",
            ),
            (
                "[]",
                "f:1:1: expected at least one length of time, found an empty list (for example `[80ms, 2s]`)",
            ),
        ] {
            let problem = Source::new("f", text).parse::<Latency>("a latency").expect_err("a bad latency");
            assert_eq!(problem.to_string(), expect);
        }
        let half = Source::new("f", "{ from: 1s }").parse::<Latency>("a latency").expect_err("half a range");
        assert!(half.to_string().contains("expected `from` and `to`, or `median` and `p99`"), "{half}");
    }
}
