//! JSON as it is written: objects keep the order in which their vendor writes them.

use std::borrow::Cow;

use serde::ser::{Serialize, SerializeMap, Serializer};

/// A value to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Json {
    Null,
    Bool(bool),
    Number(u64),
    Text(Cow<'static, str>),
    List(Vec<Json>),
    Object(Vec<(&'static str, Json)>),
}

impl Json {
    pub(super) fn bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("broken invariant: every value can be written as JSON")
    }

    /// Adds an entry to an object; to anything else there is nothing to add.
    pub(super) fn push(&mut self, key: &'static str, value: impl Into<Json>) {
        if let Self::Object(entries) = self {
            entries.push((key, value.into()));
        }
    }

    /// The same as text.
    pub(super) fn text(&self) -> String {
        serde_json::to_string(self).expect("broken invariant: every value can be written as JSON")
    }
}

impl Serialize for Json {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Bool(value) => serializer.serialize_bool(*value),
            Self::Number(value) => serializer.serialize_u64(*value),
            Self::Text(value) => serializer.serialize_str(value),
            Self::List(values) => serializer.collect_seq(values),
            Self::Object(entries) => {
                let mut map = serializer.serialize_map(Some(entries.len()))?;
                for (key, value) in entries {
                    map.serialize_entry(key, value)?;
                }
                map.end()
            }
        }
    }
}

impl From<()> for Json {
    fn from((): ()) -> Self {
        Self::Null
    }
}

impl From<bool> for Json {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<u64> for Json {
    fn from(value: u64) -> Self {
        Self::Number(value)
    }
}

impl From<u16> for Json {
    fn from(value: u16) -> Self {
        Self::Number(value.into())
    }
}

// What a whole number is that is written down; none of them is below zero.
impl From<i32> for Json {
    fn from(value: i32) -> Self {
        Self::Number(value.unsigned_abs().into())
    }
}

impl From<&'static str> for Json {
    fn from(value: &'static str) -> Self {
        Self::Text(value.into())
    }
}

impl From<String> for Json {
    fn from(value: String) -> Self {
        Self::Text(value.into())
    }
}

impl From<Cow<'static, str>> for Json {
    fn from(value: Cow<'static, str>) -> Self {
        Self::Text(value)
    }
}

impl<T: Into<Json>> From<Option<T>> for Json {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

impl From<Vec<Json>> for Json {
    fn from(values: Vec<Json>) -> Self {
        Self::List(values)
    }
}

/// `object! { "id" => id, "choices" => list![…] }`.
macro_rules! object {
    ($($key:literal => $value:expr),* $(,)?) => {
        $crate::dialect::json::Json::Object(vec![$(($key, $crate::dialect::json::Json::from($value))),*])
    };
}

macro_rules! list {
    ($($value:expr),* $(,)?) => {
        $crate::dialect::json::Json::List(vec![$($crate::dialect::json::Json::from($value)),*])
    };
}

pub(super) use {list, object};
