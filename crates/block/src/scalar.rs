//! The small values of the language: lengths of time, statuses, shares. Each says in its error what a right one looks like.

use std::borrow::Cow;
use std::fmt;

use firedrill_failover::{Duration, Status};
use firedrill_yaml::{custom, quoted};
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

/// A share of all, such as `1%` or `0.05%`, in millionths.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Share(pub u32);

/// All of it.
pub const ALL: u32 = 1_000_000;

impl<'de> Deserialize<'de> for Share {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ShareVisitor)
    }
}

struct ShareVisitor;

impl Visitor<'_> for ShareVisitor {
    type Value = Share;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a share such as `1%`")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Share, E> {
        let wrong = |hint: &str| custom(format_args!("expected a share, found {}", quoted(text)), hint);
        let number = text.strip_suffix('%').ok_or_else(|| wrong("write it as `1%` or `0.05%`"))?.trim();
        let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        if !digits(whole) || !digits(fraction) || whole.len() > 3 {
            return Err(wrong("write it as `1%` or `0.05%`"));
        }
        if fraction.trim_end_matches('0').len() > 4 {
            return Err(wrong("nothing here is finer than `0.0001%`"));
        }
        let millionths = format!("{whole}{:0<4}", &fraction[..fraction.len().min(4)]).parse::<u32>();
        let share = millionths.ok().filter(|share| *share <= ALL);
        share.map(Share).ok_or_else(|| wrong("`100%` is all of it"))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Share, E> {
        let hint = format!("did you mean `{number}%`?");
        Err(custom(format_args!("expected a share with its sign, found `{number}`"), hint))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Share, E> {
        Err(custom(
            format_args!("expected a share with its sign, found `{number}`"),
            "write it as `1%` or `0.05%`",
        ))
    }
}

impl JsonSchema for Share {
    fn schema_name() -> Cow<'static, str> {
        "Share".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A share of all: `1%`, `0.05%`.",
            "type": "string",
            "pattern": r"^[0-9]{1,3}(\.[0-9]+)?\s*%$",
            "examples": ["1%", "0.05%"],
        })
    }
}
