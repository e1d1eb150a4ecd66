//! JSON as it is written: objects keep the order in which their vendor writes them.

use std::borrow::Cow;

/// A value to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Json {
    Null,
    Bool(bool),
    Number(u64),
    Text(Cow<'static, str>),
    List(Vec<Json>),
    /// The keys are words of ours, with nothing in them that JSON escapes.
    Object(Vec<(&'static str, Json)>),
}

impl Json {
    pub(super) fn bytes(&self) -> Vec<u8> {
        // Room for most refusals, and for a short answer.
        let mut bytes = Vec::with_capacity(512);
        self.write(&mut bytes);
        bytes
    }

    /// Writes it behind what is there.
    pub(super) fn write(&self, to: &mut Vec<u8>) {
        match self {
            Self::Null => to.extend_from_slice(b"null"),
            Self::Bool(true) => to.extend_from_slice(b"true"),
            Self::Bool(false) => to.extend_from_slice(b"false"),
            Self::Number(number) => write_number(*number, to),
            Self::Text(text) => write_text(text, to),
            Self::List(values) => {
                to.push(b'[');
                for (number, value) in values.iter().enumerate() {
                    if number > 0 {
                        to.push(b',');
                    }
                    value.write(to);
                }
                to.push(b']');
            }
            Self::Object(entries) => {
                to.push(b'{');
                for (number, (key, value)) in entries.iter().enumerate() {
                    to.extend_from_slice(if number > 0 { b",\"" } else { b"\"" });
                    to.extend_from_slice(key.as_bytes());
                    to.extend_from_slice(b"\":");
                    value.write(to);
                }
                to.push(b'}');
            }
        }
    }

    /// Adds an entry to an object; to anything else there is nothing to add.
    pub(super) fn push(&mut self, key: &'static str, value: impl Into<Json>) {
        if let Self::Object(entries) = self {
            entries.push((key, value.into()));
        }
    }
}

/// An object that is written entry by entry, where a value of its own would be too slow.
pub(super) struct Object<'t> {
    to: &'t mut Vec<u8>,
    is_begun: bool,
}

impl Object<'_> {
    /// Writes one behind what is there.
    pub(super) fn write(to: &mut Vec<u8>, entries: impl FnOnce(&mut Object<'_>)) {
        to.push(b'{');
        let mut object = Object { to, is_begun: false };
        entries(&mut object);
        to.push(b'}');
    }

    /// Entries that are the same in every object, as they are written: `"a":0,"b":[]`.
    pub(super) fn same(&mut self, entries: &'static str) {
        if self.is_begun {
            self.to.push(b',');
        }
        self.is_begun = true;
        self.to.extend_from_slice(entries.as_bytes());
    }

    /// An entry with the value that `write` writes. The key is a word of ours, with nothing in it that JSON escapes.
    #[expect(clippy::inline_always, reason = "a key whose length is known is written in a few instructions")]
    #[inline(always)]
    pub(super) fn entry(&mut self, key: &'static str, write: impl FnOnce(&mut Vec<u8>)) {
        self.to.extend_from_slice(if self.is_begun { b",\"" } else { b"\"" });
        self.is_begun = true;
        self.to.extend_from_slice(key.as_bytes());
        self.to.extend_from_slice(b"\":");
        write(self.to);
    }

    pub(super) fn null(&mut self, key: &'static str) {
        self.entry(key, |to| Json::Null.write(to));
    }

    #[expect(clippy::inline_always, reason = "a key whose length is known is written in a few instructions")]
    #[inline(always)]
    pub(super) fn number(&mut self, key: &'static str, number: u64) {
        self.entry(key, |to| write_number(number, to));
    }

    #[expect(clippy::inline_always, reason = "a key whose length is known is written in a few instructions")]
    #[inline(always)]
    pub(super) fn text(&mut self, key: &'static str, text: &str) {
        self.entry(key, |to| write_text(text, to));
    }

    pub(super) fn object(&mut self, key: &'static str, entries: impl FnOnce(&mut Object<'_>)) {
        self.entry(key, |to| Object::write(to, entries));
    }
}

/// Writes a text in its quotes.
pub(super) fn write_text(text: &str, to: &mut Vec<u8>) {
    if is_plain(text) {
        to.push(b'"');
        to.extend_from_slice(text.as_bytes());
        to.push(b'"');
    } else {
        let escaped = serde_json::to_vec(text).expect("broken invariant: every text can be written as JSON");
        to.extend_from_slice(&escaped);
    }
}

/// Whether nothing in it must be escaped.
fn is_plain(text: &str) -> bool {
    if text.len() < SHORT {
        return text.bytes().all(|byte| !ESCAPED[usize::from(byte)]);
    }
    // Looks at every byte, and stops at none, so that it can look at many at once.
    !text.bytes().fold(false, |any, byte| any | is_escaped(byte))
}

/// To look at many bytes at once does not pay for a text of less.
const SHORT: usize = 32;

/// For each byte whether it is escaped in a text.
const ESCAPED: [bool; 256] = {
    let mut escaped = [false; 256];
    let mut byte = u8::MAX;
    while byte > 0 {
        escaped[byte as usize] = is_escaped(byte);
        byte -= 1;
    }
    escaped[0] = is_escaped(0);
    escaped
};

const fn is_escaped(byte: u8) -> bool {
    byte < b' ' || byte == b'"' || byte == b'\\'
}

fn write_number(number: u64, to: &mut Vec<u8>) {
    to.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_written_as_any_json_is() {
        for number in [0, 1, 9, 10, 99, 100, 12_345, u64::from(u32::MAX), u64::MAX - 1, u64::MAX] {
            assert_eq!(Json::Number(number).bytes(), number.to_string().into_bytes());
        }
        let controls: String = ('\0'..='\u{80}').collect();
        for text in ["", "plain", "a \"b\" \\ c", "a\nb", "\u{e9}\u{1f525}\u{2028}", &controls] {
            assert_eq!(
                Json::from(text.to_owned()).bytes(),
                serde_json::to_vec(text).expect("text"),
                "{text:?}"
            );
        }
        for code in 0..=0x7f_u8 {
            let text = char::from(code).to_string();
            assert_eq!(
                Json::from(text.clone()).bytes(),
                serde_json::to_vec(&text).expect("text"),
                "{text:?}"
            );
        }
        let json = object! {
            "a" => list![1, (), true, "x"], "b" => object! {}, "c" => list![], "d" => object! { "e" => false, "f" => 2 },
        };
        assert_eq!(json.bytes(), br#"{"a":[1,null,true,"x"],"b":{},"c":[],"d":{"e":false,"f":2}}"#);
        let mut bytes = Vec::new();
        Object::write(&mut bytes, |object| {
            object.entry("a", |to| list![1, (), true, "x"].write(to));
            object.object("b", |_| {});
            object.same("\"c\":[]");
            object.object("d", |object| {
                object.entry("e", |to| Json::Bool(false).write(to));
                object.number("f", 2);
            });
        });
        assert_eq!(bytes, json.bytes());
    }
}
