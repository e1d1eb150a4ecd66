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
    /// Amazon Bedrock: `authorization: Bearer`.
    Bedrock,
    /// Alibaba Cloud's DashScope, where Qwen lives: `authorization: Bearer`.
    Qwen,
    /// DeepSeek: `authorization: Bearer`.
    DeepSeek,
}

/// The words that vendors are read from; the second of two is another word for the first.
const WORDS: [(&str, Vendor); 10] = [
    ("openai", Vendor::OpenAi),
    ("anthropic", Vendor::Anthropic),
    ("claude", Vendor::Anthropic),
    ("azure", Vendor::Azure),
    ("gemini", Vendor::Gemini),
    ("bedrock", Vendor::Bedrock),
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
            Self::OpenAi | Self::Bedrock | Self::Qwen | Self::DeepSeek => AUTHORIZATION,
            Self::Anthropic => HeaderName::from_static("x-api-key"),
            Self::Azure => HeaderName::from_static("api-key"),
            Self::Gemini => HeaderName::from_static("x-goog-api-key"),
        }
    }

    /// What `token` looks like in that header, marked as sensitive; `None` if no header can hold it.
    pub(crate) fn value(self, token: &str) -> Option<HeaderValue> {
        let mut value = match self {
            Self::OpenAi | Self::Bedrock | Self::Qwen | Self::DeepSeek => {
                HeaderValue::try_from(format!("Bearer {token}"))
            }
            Self::Anthropic | Self::Azure | Self::Gemini => HeaderValue::from_str(token),
        }
        .ok()?;
        value.set_sensitive(true);
        Some(value)
    }
}

/// What a probe asks.
const QUESTION: &str = "Who are you?";

impl Vendor {
    /// Whether a probe can be sent to `path`, to which a request went.
    pub(crate) fn takes_probes(self, path: &str) -> bool {
        match self {
            Self::OpenAi | Self::Azure | Self::Qwen | Self::DeepSeek => path.ends_with("/chat/completions"),
            Self::Anthropic => path.ends_with("/messages"),
            Self::Bedrock => path.ends_with("/converse"),
            Self::Gemini => path.ends_with(":generateContent") || path.ends_with(":streamGenerateContent"),
        }
    }

    /// Where a probe for `model` goes before any request has shown where: the vendor's own path.
    pub(crate) fn default_path(self, model: &str) -> String {
        let model = encoded(model);
        match self {
            Self::OpenAi => "/v1/chat/completions".to_owned(),
            Self::Qwen => "/compatible-mode/v1/chat/completions".to_owned(),
            Self::DeepSeek => "/chat/completions".to_owned(),
            Self::Anthropic => "/v1/messages".to_owned(),
            Self::Azure => format!("/openai/deployments/{model}/chat/completions?api-version=2024-10-21"),
            Self::Gemini => format!("/v1beta/models/{model}:generateContent"),
            Self::Bedrock => format!("/model/{model}/converse"),
        }
    }

    /// `path`, to which a request went, for `model`: some vendors have it in the path.
    pub(crate) fn path_for(self, path: &str, model: &str) -> String {
        let (before, after) = match self {
            Self::Azure => ("/deployments/", '/'),
            Self::Gemini => ("/models/", ':'),
            Self::Bedrock => ("/model/", '/'),
            Self::OpenAi | Self::Anthropic | Self::Qwen | Self::DeepSeek => return path.to_owned(),
        };
        let Some((head, rest)) = path.split_once(before) else { return path.to_owned() };
        let Some((_, tail)) = rest.split_once(after) else { return path.to_owned() };
        format!("{head}{before}{}{after}{tail}", encoded(model))
    }

    /// What a probe says: a short question to `model`.
    pub(crate) fn question(self, model: &str) -> String {
        let messages = serde_json::json!([{ "role": "user", "content": QUESTION }]);
        let question = match self {
            Self::OpenAi | Self::Azure | Self::Qwen | Self::DeepSeek => {
                serde_json::json!({ "model": model, "messages": messages })
            }
            Self::Anthropic => serde_json::json!({ "model": model, "max_tokens": 1, "messages": messages }),
            Self::Bedrock => {
                serde_json::json!({ "messages": [{ "role": "user", "content": [{ "text": QUESTION }] }] })
            }
            Self::Gemini => {
                serde_json::json!({ "contents": [{ "role": "user", "parts": [{ "text": QUESTION }] }] })
            }
        };
        question.to_string()
    }

    /// A header that the vendor wants beside the token.
    pub(crate) fn version(self) -> Option<(HeaderName, HeaderValue)> {
        let version = HeaderName::from_static("anthropic-version");
        (self == Self::Anthropic).then(|| (version, HeaderValue::from_static("2023-06-01")))
    }
}

/// A model's name as a segment of a path.
fn encoded(model: &str) -> String {
    let byte = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    model.bytes().map(byte).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_read_and_another_is_told() {
        for (word, vendor) in WORDS {
            assert_eq!(word.parse(), Ok(vendor));
            assert_eq!(vendor.to_string().parse(), Ok(vendor));
        }
        let error = "opnai".parse::<Vendor>().expect_err("no vendor");
        assert!(
            error.to_string().starts_with("expected a vendor (`openai`, ")
                && error.to_string().ends_with("found `opnai`")
        );
    }

    #[test]
    fn a_probe_asks_its_own_model_where_the_path_has_it() {
        let path = Vendor::Azure.path_for("/openai/deployments/mine/chat/completions?api-version=1", "small");
        assert_eq!(path, "/openai/deployments/small/chat/completions?api-version=1");
        let path = Vendor::Gemini.path_for("/v1/models/large:streamGenerateContent?alt=sse", "small");
        assert_eq!(path, "/v1/models/small:streamGenerateContent?alt=sse");
        let path = Vendor::Bedrock.path_for("/model/large/converse", "a.b-v1:0");
        assert_eq!(path, "/model/a.b-v1%3A0/converse");
        assert_eq!(Vendor::OpenAi.path_for("/models/x:y", "small"), "/models/x:y");
    }
}
