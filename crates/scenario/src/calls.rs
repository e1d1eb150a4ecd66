//! How often the provider is called: what an expectation says of it, written and checked. Of any gateway it can be asked, for the
//! provider sees it.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use firedrill_yaml::{Entries, Spanned, Whole, custom, custom_at};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, Error, MapAccess, Visitor};

use crate::target::Effect;

/// How often the provider is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Calls {
    /// So often in all.
    Total(u64),
    /// So often with each of these tokens, by label; of others nothing is said.
    ByToken(BTreeMap<String, Bounds>),
}

/// A number, or between which it is.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// At least so many.
    pub least: u64,
    /// At most so many; not less than `least`.
    pub most: u64,
}

/// [`Calls`] as written: a number, or bounds by token.
#[derive(Clone, Debug)]
pub enum CallsFile {
    /// In all.
    Total(u64),
    /// By token, as it is named in the file.
    ByToken(Entries<String, Bounds>),
}

impl Calls {
    /// What is expected and what was found, as a scenario would write them, if `effect` is not so.
    pub(crate) fn contradicted_by(&self, effect: &Effect) -> Option<(String, String)> {
        let calls = || effect.draws.iter().map(|(label, _)| label).chain(&effect.probes);
        match self {
            Self::Total(expected) => {
                let found = calls().count() as u64;
                (*expected != found).then(|| (expected.to_string(), found.to_string()))
            }
            Self::ByToken(expected) => {
                let mut found: BTreeMap<&String, u64> = expected.keys().map(|label| (label, 0)).collect();
                for label in calls() {
                    *found.entry(label).or_default() += 1;
                }
                let kept = |(label, bounds): (&String, &Bounds)| {
                    found.get(label).is_some_and(|found| (bounds.least..=bounds.most).contains(found))
                };
                (!expected.iter().all(kept)).then(|| (map(expected), map(&found)))
            }
        }
    }
}

fn map(map: &BTreeMap<impl fmt::Display, impl fmt::Display>) -> String {
    let entries: Vec<String> = map.iter().map(|(label, value)| format!("{label}: {value}")).collect();
    format!("{{{}}}", entries.join(", "))
}

/// As a scenario writes it.
impl fmt::Display for Bounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self { least, most } if least == most => least.fmt(f),
            Self { least, most: u64::MAX } => write!(f, "{{atLeast: {least}}}"),
            Self { least: 0, most } => write!(f, "{{atMost: {most}}}"),
            Self { least, most } => write!(f, "{{atLeast: {least}, atMost: {most}}}"),
        }
    }
}

impl<'de> Deserialize<'de> for CallsFile {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(CallsVisitor)
    }
}

struct CallsVisitor;

impl<'de> Visitor<'de> for CallsVisitor {
    type Value = CallsFile;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number of calls, or numbers by token such as `{ sk-a: 1, sk-b: { atMost: 3 } }`")
    }

    fn visit_u64<E: Error>(self, total: u64) -> Result<CallsFile, E> {
        Ok(CallsFile::Total(total))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<CallsFile, A::Error> {
        Entries::deserialize(MapAccessDeserializer::new(map)).map(CallsFile::ByToken)
    }
}

impl<'de> Deserialize<'de> for Bounds {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(BoundsVisitor)
    }
}

struct BoundsVisitor;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct BoundsFile {
    at_least: Option<Spanned<Whole>>,
    at_most: Option<Spanned<Whole>>,
}

impl<'de> Visitor<'de> for BoundsVisitor {
    type Value = Bounds;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number, or `{ atLeast: 1, atMost: 3 }`")
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Bounds, E> {
        Ok(Bounds { least: number, most: number })
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Bounds, A::Error> {
        let BoundsFile { at_least, at_most } = BoundsFile::deserialize(MapAccessDeserializer::new(map))?;
        let bounds = Bounds {
            least: at_least.map_or(0, |least| least.value.0),
            most: at_most.map_or(u64::MAX, |most| most.value.0),
        };
        match (at_least, at_most) {
            (None, None) => Err(custom("expected `atLeast` or `atMost`", "for example `{ atMost: 3 }`")),
            (_, Some(most)) if bounds.least > bounds.most => {
                Err(custom_at(most.place, "`atMost` is less than `atLeast`", "no number is both"))
            }
            _ => Ok(bounds),
        }
    }
}

impl JsonSchema for CallsFile {
    fn schema_name() -> Cow<'static, str> {
        "Calls".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let bounds = generator.subschema_for::<Bounds>();
        json_schema!({
            "anyOf": [
                { "type": "integer", "minimum": 0 },
                { "type": "object", "additionalProperties": bounds },
            ],
        })
    }
}

impl JsonSchema for Bounds {
    fn schema_name() -> Cow<'static, str> {
        "Bounds".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let number = json_schema!({ "type": "integer", "minimum": 0 });
        json_schema!({
            "description": "A number, or between which it is.",
            "anyOf": [
                number,
                {
                    "type": "object",
                    "properties": { "atLeast": number, "atMost": number },
                    "additionalProperties": false,
                    "minProperties": 1,
                },
            ],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use firedrill_yaml::Source;

    #[track_caller]
    fn check(written: &str, draws: &[&str], probes: &[&str], expect: Option<(&str, &str)>) {
        let file: CallsFile = Source::new("f", written).parse("calls").expect("well written");
        let calls = match file {
            CallsFile::Total(total) => Calls::Total(total),
            CallsFile::ByToken(entries) => Calls::ByToken(
                entries
                    .into_iter()
                    .map(|(name, bounds): (Spanned<String>, Bounds)| (name.value, bounds))
                    .collect(),
            ),
        };
        let effect = Effect {
            draws: draws.iter().map(|label| ((*label).to_owned(), false)).collect(),
            probes: probes.iter().map(|label| (*label).to_owned()).collect(),
            ..Effect::default()
        };
        let found = calls.contradicted_by(&effect);
        assert_eq!(found.as_ref().map(|(expected, found)| (&**expected, &**found)), expect);
    }

    #[test]
    fn calls_are_counted_in_all_or_by_token_and_probes_are_calls() {
        check("3", &["a", "b"], &["a"], None);
        check("2", &["a", "b"], &["a"], Some(("2", "3")));
        check("{ a: 2 }", &["a", "b"], &["a"], None);
        check("{ a: 1, c: 0 }", &["a", "b"], &["a"], Some(("{a: 1, c: 0}", "{a: 2, b: 1, c: 0}")));
        check("{ a: { atMost: 2 }, b: { atLeast: 1 } }", &["a", "b"], &["a"], None);
        check("{ a: { atMost: 1 } }", &["a", "a"], &[], Some(("{a: {atMost: 1}}", "{a: 2}")));
        check(
            "{ a: { atLeast: 1, atMost: 2 } }",
            &["b"],
            &[],
            Some(("{a: {atLeast: 1, atMost: 2}}", "{a: 0, b: 1}")),
        );
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        for (written, expect) in [
            ("{ a: {} }", "f:1:6: expected `atLeast` or `atMost` (for example `{ atMost: 3 }`)"),
            (
                "{ a: { atLeast: 3, atMost: 2 } }",
                "f:1:28: `atMost` is less than `atLeast` (no number is both)",
            ),
        ] {
            let problem = Source::new("f", written).parse::<CallsFile>("calls").expect_err("badly written");
            assert_eq!(problem.to_string(), expect);
        }
    }
}
