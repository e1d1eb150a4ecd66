//! JSON as it is read: texts are where they stood in the body, as far as nothing in them is escaped, and of a list only is known
//! how much is in it, for nobody asks for more.

use std::borrow::Cow;
use std::fmt;
use std::ops::Index;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};

/// A value that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value<'a> {
    Null,
    Bool(bool),
    /// `None` if it is no whole number from 0 that has room in 64 bits.
    Number(Option<u64>),
    Text(Cow<'a, str>),
    List(List),
    /// Of two entries with one key the last counts.
    Object(Vec<(Cow<'a, str>, Self)>),
}

/// What is known of a list.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct List {
    /// How many values are in it.
    pub(super) entries: usize,
    /// How many bytes of text are in those; see [`Value::text_bytes`].
    text_bytes: u64,
}

/// Where a message has its text, whoever's it is.
const TEXTS: [&str; 3] = ["content", "parts", "text"];

impl Value<'_> {
    /// The JSON object that a body is.
    pub(super) fn object(body: &[u8]) -> Option<Value<'_>> {
        // Looked at once, not text by text.
        let body = std::str::from_utf8(body).ok()?;
        serde_json::from_str(body).ok().filter(|value| matches!(value, Value::Object(_)))
    }

    pub(super) fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    pub(super) fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Bool(value) => Some(*value),
            _ => None,
        }
    }

    pub(super) fn as_u64(&self) -> Option<u64> {
        match self {
            Self::Number(value) => *value,
            _ => None,
        }
    }

    pub(super) fn as_str(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(super) fn as_list(&self) -> Option<List> {
        match self {
            Self::List(list) => Some(*list),
            _ => None,
        }
    }

    /// How many bytes of text are in messages, wherever their vendor puts them: texts themselves, and below `content`,
    /// `parts` and `text`. Pictures and roles are not counted.
    pub(super) fn text_bytes(&self) -> u64 {
        match self {
            Self::Text(text) => text.len() as u64,
            Self::List(list) => list.text_bytes,
            Self::Object(_) => TEXTS.iter().map(|key| self[*key].text_bytes()).sum(),
            _ => 0,
        }
    }
}

/// The value of a key; null if it is no object, or has none such.
impl<'a> Index<&str> for Value<'a> {
    type Output = Value<'a>;

    fn index(&self, key: &str) -> &Self {
        let Self::Object(entries) = self else { return &Value::Null };
        entries.iter().rev().find(|(known, _)| known == key).map_or(&Value::Null, |(_, value)| value)
    }
}

impl<'de> Deserialize<'de> for Value<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E: Error>(self) -> Result<Value<'de>, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value<'de>, E> {
        Ok(Value::Bool(value))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Value<'de>, E> {
        Ok(Value::Number(Some(number)))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Value<'de>, E> {
        Ok(Value::Number(u64::try_from(number).ok()))
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Value<'de>, E> {
        Ok(Value::Number(None))
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Value<'de>, E> {
        Ok(Value::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Value<'de>, E> {
        Ok(Value::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value<'de>, A::Error> {
        let mut list = List::default();
        while let Some(TextBytes(bytes)) = seq.next_element()? {
            list.entries += 1;
            list.text_bytes = list.text_bytes.saturating_add(bytes);
        }
        Ok(Value::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value<'de>, A::Error> {
        let mut entries = Vec::new();
        while let Some((Key(key), value)) = map.next_entry()? {
            entries.push((key, value));
        }
        Ok(Value::Object(entries))
    }
}

/// A value of which only [`Value::text_bytes`] is wanted.
struct TextBytes(u64);

impl<'de> Deserialize<'de> for TextBytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TextBytesVisitor)
    }
}

struct TextBytesVisitor;

impl<'de> Visitor<'de> for TextBytesVisitor {
    type Value = TextBytes;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E: Error>(self) -> Result<TextBytes, E> {
        Ok(TextBytes(0))
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<TextBytes, E> {
        Ok(TextBytes(0))
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<TextBytes, E> {
        Ok(TextBytes(0))
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<TextBytes, E> {
        Ok(TextBytes(0))
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<TextBytes, E> {
        Ok(TextBytes(0))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<TextBytes, E> {
        Ok(TextBytes(text.len() as u64))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<TextBytes, A::Error> {
        ValueVisitor.visit_seq(seq).map(|list| TextBytes(list.text_bytes()))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<TextBytes, A::Error> {
        let mut texts = [0; TEXTS.len()];
        while let Some((Key(key), TextBytes(bytes))) = map.next_entry()? {
            if let Some(at) = TEXTS.iter().position(|text| key == *text) {
                texts[at] = bytes;
            }
        }
        Ok(TextBytes(texts.into_iter().fold(0, u64::saturating_add)))
    }
}

struct Key<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for Key<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(KeyVisitor)
    }
}

struct KeyVisitor;

impl<'de> Visitor<'de> for KeyVisitor {
    type Value = Key<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Key<'de>, E> {
        Ok(Key(Cow::Borrowed(text)))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Key<'de>, E> {
        Ok(Key(Cow::Owned(text.to_owned())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Whether it says the same as what `serde_json` itself reads.
    fn is_same(value: &Value<'_>, expect: &serde_json::Value) -> bool {
        match (value, expect) {
            (Value::Null, serde_json::Value::Null) => true,
            (Value::Bool(value), serde_json::Value::Bool(expect)) => value == expect,
            (Value::Number(value), serde_json::Value::Number(expect)) => *value == expect.as_u64(),
            (Value::Text(value), serde_json::Value::String(expect)) => *value == *expect,
            (Value::List(list), serde_json::Value::Array(expect)) => {
                list.entries == expect.len()
                    && list.text_bytes == expect.iter().map(text_bytes).sum::<usize>() as u64
            }
            (Value::Object(entries), serde_json::Value::Object(expect)) => {
                entries.iter().all(|(key, _)| expect.contains_key(&**key))
                    && expect.iter().all(|(key, expect)| is_same(&value[key], expect))
            }
            _ => false,
        }
    }

    fn text_bytes(value: &serde_json::Value) -> usize {
        match value {
            serde_json::Value::String(text) => text.len(),
            serde_json::Value::Array(values) => values.iter().map(text_bytes).sum(),
            _ => TEXTS.iter().filter_map(|key| value.get(key)).map(text_bytes).sum(),
        }
    }

    #[track_caller]
    fn check(body: &[u8]) {
        let expect =
            serde_json::from_slice::<serde_json::Value>(body).ok().filter(serde_json::Value::is_object);
        match (Value::object(body), expect) {
            (Some(value), Some(expect)) => assert!(is_same(&value, &expect), "{value:?} is not {expect}"),
            (value, expect) => {
                assert_eq!(value.is_none(), expect.is_none(), "{:?}", String::from_utf8_lossy(body));
            }
        }
    }

    #[test]
    fn it_is_read_like_any_json_and_refused_like_any() {
        for body in [
            r#"{"a":1,"b":[true,false,null,"x"],"c":{"d":-1,"e":1.5,"f":18446744073709551615}}"#,
            r#"{"a":1,"a":2,"b":{"c":1},"b":3}"#,
            r#"{"a":[{"content":"one","role":"x","content":"two!"},"three",[{"parts":[{"text":"4\n"}]}]]}"#,
            r#"{"a":[{"content":{"text":"one","content":[1,true,null,-1,1.5,"\u0041"]}},{}],"b":[[]]}"#,
            r#"{"a":["\ud800"]}"#,
            r#"{"a":[{"b":1e999}]}"#,
            r#"{"\u0061":"\n\ud83d\udd25","\"":{}}"#,
            r#"{"a":18446744073709551616,"b":1e3,"c":-0,"d":-9223372036854775809}"#,
            r#"{"a":1e999}"#,
            r#"{"a":"\ud800"}"#,
            r#"{"a":"\x"}"#,
            r#"{"a":01}"#,
            r#"{"a":1,}"#,
            "{1:2}",
            r#"{"a":nul}"#,
            "{\"a\":\"\n\"}",
            "{} {}",
            " {} ",
            "[]",
            "1",
            "",
            "{",
        ] {
            check(body.as_bytes());
        }
        check(b"{\"a\":\"\xff\"}");
        check(b"{\"\xff\":1}");
        for depth in [126, 127, 128, 129, 10_000] {
            check(format!("{{\"a\":{}{}}}", "[".repeat(depth), "]".repeat(depth)).as_bytes());
        }
    }

    proptest! {
        #[test]
        fn whatever_stands_in_an_object_is_read_like_any_json(
            body in r#"\{("[ab\\nu0"]{0,3}"[:,][\[\]{}"0-9eE.+\-tfn ,\\u]{0,12}[,]?){0,3}\}"#
        ) {
            check(body.as_bytes());
        }
    }
}
