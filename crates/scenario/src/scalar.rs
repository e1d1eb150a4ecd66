//! The small values of the language: lengths of time, statuses, patterns. Each says in its error what a right one
//! looks like.

use std::borrow::Cow;
use std::fmt;

use firedrill_failover::{Answer, Duration, Status};
use firedrill_yaml::{closest, custom, quoted};
use jiff::SignedDuration;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserialize, Deserializer, Error, Unexpected, Visitor};

/// A length of time as a person writes it: `99ms`, `10s`, `1m 30s`, `2h`. Whole milliseconds, not negative.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Span(pub Duration);

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(SpanVisitor)
    }
}

struct SpanVisitor;

impl Visitor<'_> for SpanVisitor {
    type Value = Span;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a length of time such as `100ms` or `10s`")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Span, E> {
        let wrong = |message: fmt::Arguments<'_>, hint: &str| custom(message, hint);
        let written = quoted(text);
        let span: SignedDuration = text.parse().map_err(|_| {
            wrong(
                format_args!("expected a length of time, found {written}"),
                "write it as `100ms`, `10s`, `1m 30s` or `24h`",
            )
        })?;
        if span.is_negative() {
            return Err(negative(&written));
        }
        if span.subsec_nanos() % 1_000_000 != 0 {
            let hint = "nothing here is shorter than `1ms`";
            return Err(wrong(format_args!("expected whole milliseconds, found {written}"), hint));
        }
        let millis = u64::try_from(span.as_millis());
        let millis =
            millis.map_err(|_| wrong(format_args!("the length of time {written} is too long"), ""))?;
        Ok(Span(Duration::from_millis(millis)))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Span, E> {
        let hint = format!("did you mean `{number}ms`?");
        Err(custom(format_args!("expected a length of time with its unit, found `{number}`"), hint))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Span, E> {
        Err(negative(&format!("`{number}`")))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Span, E> {
        let hint = "write it as `100ms`, `10s` or `1.5s`";
        Err(custom(format_args!("expected a length of time with its unit, found `{number}`"), hint))
    }
}

/// The error for a length of time below zero.
fn negative<E: Error>(written: &str) -> E {
    let hint = "time only goes forward; a clock that is set back is `clockBack: 5s`";
    custom(format_args!("expected a length of time, found the negative {written}"), hint)
}

impl JsonSchema for Span {
    fn schema_name() -> Cow<'static, str> {
        "Span".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A length of time: `99ms`, `10s`, `1m 30s`, `2h`.",
            "type": "string",
            "examples": ["99ms", "10s", "1m 30s"],
        })
    }
}

/// The status of an answer, 100 to 999.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct StatusCode(pub Status);

impl<'de> Deserialize<'de> for StatusCode {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(StatusVisitor)
    }
}

struct StatusVisitor;

impl Visitor<'_> for StatusVisitor {
    type Value = StatusCode;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a status from 100 to 999")
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<StatusCode, E> {
        let status = u16::try_from(number).ok().and_then(Status::new).map(StatusCode);
        status.ok_or_else(|| E::invalid_value(Unexpected::Unsigned(number), &self))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<StatusCode, E> {
        Err(E::invalid_value(Unexpected::Signed(number), &self))
    }
}

impl JsonSchema for StatusCode {
    fn schema_name() -> Cow<'static, str> {
        "Status".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "The status of an answer.",
            "type": "integer",
            "minimum": Status::MIN,
            "maximum": Status::MAX,
        })
    }
}

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
        StatusVisitor.visit_u64(number).map(|StatusCode(status)| ProbeStatus(Answer::Status(status)))
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
        StatusVisitor.visit_u64(number).map(|StatusCode(status)| Pattern(status.to_string()))
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
