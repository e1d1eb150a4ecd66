//! Which reading of the rules a file asks for.

use firedrill_failover::Profile;
use schemars::JsonSchema;
use serde::Deserialize;

/// Which reading of the rules.
#[derive(Copy, Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum ProfileWord {
    /// As the reference does.
    Higress,
    /// firedrill's own.
    Standard,
}

impl From<ProfileWord> for Profile {
    fn from(word: ProfileWord) -> Self {
        match word {
            ProfileWord::Higress => Self::Higress,
            ProfileWord::Standard => Self::Standard,
        }
    }
}
