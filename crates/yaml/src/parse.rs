//! The one place where the YAML reader is called, with the limits they are given. What they
//! complain of is put into words elsewhere.

use serde::de::DeserializeOwned;
use serde_saphyr::options::{AliasLimits, DuplicateKeyPolicy, MergeKeyPolicy};

use crate::guard::Guard;
use crate::translate::yaml_problem;
use crate::{Problem, Source, source};

/// How deep lists and maps may stand in each other. Types that hold themselves are read by recursion, which takes
/// some 30 kB of stack a level without optimization, and a thread has 2 MB.
pub(crate) const DEPTH: usize = 32;
/// How many values, lists and maps a file may hold.
pub(crate) const NODES: usize = 100_000;
/// How many anchors, and how many aliases, a file may hold.
pub(crate) const ALIASES: usize = 256;
/// How many values all aliases of a file together may repeat.
pub(crate) const REPEATED: usize = 10_000;

pub(crate) fn yaml<T: DeserializeOwned>(source: &Source, expected: &str) -> Result<T, Problem> {
    check_size_and_characters(source.text())?;
    let read = |deserializer: serde_saphyr::Deserializer<'_, '_>| T::deserialize(Guard(deserializer));
    serde_saphyr::with_deserializer_from_str_with_options(source.text(), options(), read)
        .map_err(|error| yaml_problem(source.text(), &error, expected))
}

/// A source need not have come from a file, so what reading checks is checked again. And neither format allows
/// control characters, which the readers notice late or at a place that is not theirs.
fn check_size_and_characters(text: &str) -> Result<(), Problem> {
    if text.len() as u64 > Source::LIMIT {
        return Err(source::too_large());
    }
    let at = text.find(|c: char| c.is_ascii_control() && !matches!(c, '\t' | '\n' | '\r'));
    at.map_or(Ok(()), |at| Err(source::control(text, at)))
}

fn options() -> serde_saphyr::Options {
    let mut alias_limits = AliasLimits::default();
    alias_limits.max_total_replayed_events = REPEATED;
    serde_saphyr::options! {
        strict_booleans: true,
        no_schema: true,
        with_snippet: false,
        duplicate_keys: DuplicateKeyPolicy::Error,
        merge_keys: MergeKeyPolicy::Error,
        alias_limits: alias_limits,
        budget: serde_saphyr::budget! {
            max_depth: DEPTH,
            max_nodes: NODES,
            max_events: 3 * NODES,
            max_aliases: ALIASES,
            max_anchors: ALIASES,
            max_documents: 2,
            max_recorded_anchor_events: 3 * NODES,
            enforce_alias_anchor_ratio: false,
        },
    }
}
