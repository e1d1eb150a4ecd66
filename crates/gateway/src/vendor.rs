//! Vendors: where each wants its token, and how it is asked for something small.

use std::fmt;
use std::str::FromStr;

use hyper::header::{AUTHORIZATION, HeaderName, HeaderValue};

/// Whose API the upstream speaks.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Vendor {
    /// OpenAI, and all that speak as it does: a token goes into `authorization: Bearer`.
    #[default]
    OpenAi,
    /// Anthropic: `x-api-key`.
    Anthropic,
    /// Azure OpenAI: `api-key`.
    Azure,
    /// Google's Gemini: `x-goog-api-key`.
    Gemini,
    /// Alibaba Cloud's DashScope, where Qwen lives: `authorization: Bearer`.
    Qwen,
    /// DeepSeek: `authorization: Bearer`.
    DeepSeek,
}

/// The words that vendors are read from; the second of two is another word for the first.
const WORDS: [(&str, Vendor); 9] = [
    ("openai", Vendor::OpenAi),
    ("anthropic", Vendor::Anthropic),
    ("claude", Vendor::Anthropic),
    ("azure", Vendor::Azure),
    ("gemini", Vendor::Gemini),
    ("qwen", Vendor::Qwen),
    ("dashscope", Vendor::Qwen),
    ("deepseek", Vendor::DeepSeek),
    ("generic", Vendor::OpenAi),
];

/// A word that is no vendor. Remedy: write one of those it lists.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a vendor ({}), found `{word}`", Vendor::words().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", "))]
pub struct UnknownVendor {
    word: String,
}

impl FromStr for Vendor {
    type Err = UnknownVendor;

    /// Reads the word of a Higress `type:`.
    fn from_str(word: &str) -> Result<Self, UnknownVendor> {
        let known = WORDS.iter().find(|(known, _)| *known == word).map(|(_, vendor)| *vendor);
        known.ok_or_else(|| UnknownVendor { word: word.to_owned() })
    }
}

impl fmt::Display for Vendor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(WORDS.iter().find(|(_, vendor)| vendor == self).map_or("", |(word, _)| word))
    }
}

impl Vendor {
    /// Every word that a vendor is read from.
    pub fn words() -> impl Iterator<Item = &'static str> {
        WORDS.iter().map(|(word, _)| *word)
    }

    /// The header that a token goes into.
    pub fn header(self) -> HeaderName {
        match self {
            Self::OpenAi | Self::Qwen | Self::DeepSeek => AUTHORIZATION,
            Self::Anthropic => HeaderName::from_static("x-api-key"),
            Self::Azure => HeaderName::from_static("api-key"),
            Self::Gemini => HeaderName::from_static("x-goog-api-key"),
        }
    }

    /// What `token` looks like in that header, marked as sensitive; `None` if no header can hold it.
    pub(crate) fn value(self, token: &str) -> Option<HeaderValue> {
        let mut value = match self {
            Self::OpenAi | Self::Qwen | Self::DeepSeek => HeaderValue::try_from(format!("Bearer {token}")),
            Self::Anthropic | Self::Azure | Self::Gemini => HeaderValue::from_str(token),
        }
        .ok()?;
        value.set_sensitive(true);
        Some(value)
    }
}
