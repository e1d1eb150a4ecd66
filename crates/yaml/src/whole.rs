//! The number that configurations count with. It takes what is written as a whole number and nothing
//! that could be bent into one: no quotes, no fractions, no exponents. What the number counts, and
//! whether 0 is allowed, is the business of the type that holds it.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserialize, Deserializer, Error, Unexpected, Visitor};
use serde::{Serialize, Serializer};

/// A whole number from 0 to `u64::MAX`, written in digits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Whole(pub u64);

const WANTED: &str = "a whole number";
const NOT_NEGATIVE: &str = "a whole number, 0 or more";
const NOT_SO_LARGE: &str = "a whole number up to 18446744073709551615";

impl From<Whole> for u64 {
    fn from(Whole(number): Whole) -> u64 {
        number
    }
}

impl From<u64> for Whole {
    fn from(number: u64) -> Whole {
        Whole(number)
    }
}

impl fmt::Display for Whole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<'de> Deserialize<'de> for Whole {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Whole, D::Error> {
        deserializer.deserialize_any(WholeVisitor)
    }
}

struct WholeVisitor;

impl Visitor<'_> for WholeVisitor {
    type Value = Whole;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(WANTED)
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Whole, E> {
        Ok(Whole(number))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Whole, E> {
        u64::try_from(number)
            .map(Whole)
            .map_err(|_| E::invalid_value(Unexpected::Signed(number), &NOT_NEGATIVE))
    }

    fn visit_u128<E: Error>(self, number: u128) -> Result<Whole, E> {
        let found = number.to_string();
        u64::try_from(number)
            .map(Whole)
            .map_err(|_| E::invalid_value(Unexpected::Other(&found), &NOT_SO_LARGE))
    }

    fn visit_i128<E: Error>(self, number: i128) -> Result<Whole, E> {
        let wanted = if number < 0 { NOT_NEGATIVE } else { NOT_SO_LARGE };
        let found = number.to_string();
        u64::try_from(number).map(Whole).map_err(|_| E::invalid_value(Unexpected::Other(&found), &wanted))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Whole, E> {
        // Two to the power of 64: beyond it the size is what is wrong, not the way it is written.
        const BEYOND: f64 = 18_446_744_073_709_551_616.0;
        let wanted = match number {
            number if number >= BEYOND => NOT_SO_LARGE,
            number if number < 0.0 => NOT_NEGATIVE,
            _ => WANTED,
        };
        Err(E::invalid_value(Unexpected::Float(number), &wanted))
    }
}

impl Serialize for Whole {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(self.0)
    }
}

impl JsonSchema for Whole {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Whole".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "integer", "minimum": 0 })
    }
}
