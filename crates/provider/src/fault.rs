//! What can go wrong below the status of an answer, and inside a stream.

use std::num::NonZeroU64;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};

use firedrill_yaml::{Whole, custom};

use firedrill_block::Span;

/// What goes wrong with an answer below HTTP, or inside its body.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum Fault {
    /// Nobody listens: the connection is refused. Only as an outage, for it is so before anyone knows the token.
    Refused,
    /// The connection is reset before a byte of the answer.
    Reset,
    /// The connection is reset after the headers.
    ResetAfterHeaders,
    /// The connection is closed in the middle of the body.
    Cut(After),
    /// The connection stays open and silent before the headers.
    Stall,
    /// It stays open and silent in the middle of the body.
    StallAfter(After),
    /// The body comes a few bytes at a time.
    Drip(Drip),
    /// The framing of the body breaks in its middle.
    MalformedChunk,
    /// The body, or the first event of a stream, is no JSON.
    InvalidJson,
    /// The headers promise more bytes than come.
    WrongLength,
    /// An error comes as the first event of a stream that was answered 200.
    ErrorEvent,
    /// The body never ends.
    Endless,
}

/// A place in a body.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum After {
    /// After this many bytes.
    Bytes(Whole),
    /// After this many events of a stream; of an answer that is no stream, after that many bytes.
    Events(Whole),
}

/// How a body drips.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Drip {
    /// So many bytes at a time; at least 1.
    #[serde(deserialize_with = "at_least_one")]
    #[schemars(with = "Whole", range(min = 1))]
    pub bytes: NonZeroU64,
    /// This often.
    pub every: Span,
}

fn at_least_one<'de, D: Deserializer<'de>>(deserializer: D) -> Result<NonZeroU64, D::Error> {
    let Whole(bytes) = Whole::deserialize(deserializer)?;
    NonZeroU64::new(bytes).ok_or_else(|| {
        custom(
            "expected at least 1, found `0`",
            "nothing would ever come: that is `stallAfter: { bytes: 0 }`",
        )
    })
}
