//! A small language to try the reader on: the shapes that scenario files have, and none of their
//! meaning.

use firedrill_yaml::{Entries, Spanned, Whole, custom, quoted};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};

#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Drill {
    pub(crate) scenario: Spanned<String>,
    pub(crate) workers: Option<Spanned<Whole>>,
    pub(crate) strict: Option<bool>,
    pub(crate) provider: Option<Provider>,
    #[serde(default)]
    pub(crate) upstream: Entries<String, Vec<Whole>>,
    #[serde(default)]
    pub(crate) steps: Vec<Spanned<Step>>,
}

#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Provider {
    #[serde(rename = "type")]
    pub(crate) kind: String,
    #[serde(default)]
    pub(crate) api_tokens: Vec<Spanned<String>>,
    pub(crate) failure_threshold: Option<Whole>,
    pub(crate) success_threshold: Option<Whole>,
    pub(crate) cooldown_duration: Option<Spanned<Whole>>,
    pub(crate) ratio: Option<u32>,
}

#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Step {
    Tick,
    Advance(Span),
    Request(Request),
}

#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Request {
    pub(crate) draws: String,
    pub(crate) worker: Option<Whole>,
}

/// Milliseconds, written as `99ms`.
#[derive(Clone, Debug, PartialEq, JsonSchema)]
pub(crate) struct Span(pub(crate) u64);

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Span, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.strip_suffix("ms").and_then(|number| number.parse().ok()).map(Span).ok_or_else(|| {
            custom(format_args!("expected a duration, found {}", quoted(&text)), "for example `99ms`")
        })
    }
}
