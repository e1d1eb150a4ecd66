//! The mock file as it is written, before anything in it is checked; and its JSON schema.

use firedrill_yaml::{Entries, Spanned, Whole};
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::Deserialize;

use crate::dialect::Dialect;
use crate::upstream::Upstream;

/// The JSON schema of mock files as text: draft 2020-12, with a line's end at the end. `docs/mock.schema.json` is a
/// committed copy.
///
/// # Panics
/// Never: the schema is plain data.
pub fn mock_schema() -> String {
    let schema = SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<Written>();
    let mut text = serde_json::to_string_pretty(&schema).expect("broken invariant: a schema is plain data");
    text.push('\n');
    text
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Written {
    /// What chance derives from. Default: 0.
    pub(crate) seed: Option<Whole>,
    /// The providers. With a single one its keys may stand here instead.
    pub(crate) providers: Option<Spanned<Vec<Spanned<WrittenProvider>>>>,
    /// What the journal calls the provider. Default: its type.
    pub(crate) name: Option<Spanned<String>>,
    /// What it speaks.
    #[serde(rename = "type")]
    pub(crate) dialect: Option<Spanned<Dialect>>,
    /// A port of its own, 0 for any that is free. Default: the mock's.
    #[schemars(range(max = 65535))]
    pub(crate) port: Option<Spanned<Whole>>,
    /// What the paths of its requests begin with.
    pub(crate) path: Option<Spanned<String>>,
    /// Which host its requests ask for.
    pub(crate) host: Option<Spanned<String>>,
    /// The tokens that it knows, each with its label. Default: any token is good.
    pub(crate) tokens: Option<Spanned<Entries<String, Spanned<String>>>>,
    /// What it will do. Default: it is always well.
    pub(crate) upstream: Option<Upstream>,
    /// What a well answer says.
    pub(crate) answer: Option<Spanned<String>>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct WrittenProvider {
    /// What the journal calls it. Default: its type.
    pub(crate) name: Option<Spanned<String>>,
    /// What it speaks.
    #[serde(rename = "type")]
    pub(crate) dialect: Spanned<Dialect>,
    /// A port of its own, 0 for any that is free. Default: the mock's, which it shares.
    #[schemars(range(max = 65535))]
    pub(crate) port: Option<Spanned<Whole>>,
    /// What the paths of its requests begin with, such as `/openai`.
    pub(crate) path: Option<Spanned<String>>,
    /// Which host its requests ask for, such as `api.openai.local`.
    pub(crate) host: Option<Spanned<String>>,
    /// The tokens that it knows, each with its label: the token as it is, `env:NAME` or `file:PATH`. Default: any token is
    /// good, and is known by a fingerprint.
    pub(crate) tokens: Option<Spanned<Entries<String, Spanned<String>>>>,
    /// What it will do. Default: it is always well.
    #[serde(default)]
    pub(crate) upstream: Upstream,
    /// What a well answer says.
    pub(crate) answer: Option<Spanned<String>>,
}
