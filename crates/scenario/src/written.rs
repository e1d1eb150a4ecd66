//! A scenario file as it is written: the types that the YAML is read into and that the JSON schema is made from.
//!
//! Nothing is resolved here: names are names, and a step may contradict itself. `check.rs` makes a
//! [`crate::Scenario`] of it, or says what is wrong.

use std::borrow::Cow;
use std::fmt;

use firedrill_block::{ProfileWord, ProviderBlock, Span, StatusCode};
use firedrill_provider::Upstream;
use firedrill_yaml::{Entries, Spanned, Whole, closest, custom, quoted};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, Error, MapAccess, SeqAccess, Visitor};

use crate::calls::CallsFile;
use crate::scalar::AnyStatus;

/// A rehearsal: a pool of tokens, what its provider will do, and what should come of it.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(title = "firedrill scenario")]
pub struct ScenarioFile {
    /// What it shows, in one line.
    pub scenario: Spanned<String>,
    /// Why it matters, or where it comes from.
    pub description: Option<String>,
    /// Words to choose scenarios by (`firedrill run --tag`).
    #[serde(default)]
    pub tags: Vec<Spanned<String>>,
    /// The provider block, as a gateway has it.
    pub provider: Spanned<ProviderBlock>,
    /// Which reading of the rules. Default: `standard`.
    pub profile: Option<ProfileWord>,
    /// What every draw derives from. Default: 0.
    pub seed: Option<Spanned<Whole>>,
    /// How many workers share the pool, numbered from 1. Default: 1.
    pub workers: Option<Spanned<Whole>>,
    /// Whether `advance` fires the ticks that fall due (`auto`, the default) or only `tick` steps do (`manual`).
    pub ticks: Option<TicksWord>,
    /// What the provider will do. Default: it answers 200.
    #[serde(default)]
    pub upstream: Upstream,
    /// What happens, in order.
    pub steps: Spanned<Vec<Spanned<StepFile>>>,
}

/// Who fires ticks.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum TicksWord {
    /// Every worker's timer, while time advances.
    Auto,
    /// Only `tick` steps.
    Manual,
}

/// A step: one thing that happens, with a description if it needs one.
#[derive(Clone, Debug, Default)]
pub struct StepFile {
    /// Why the step is there.
    pub description: Option<String>,
    /// What happens; `None` for a step that only describes.
    pub action: Option<ActionFile>,
}

/// What can happen in a step. Read as the one key of the step beside `description`.
#[derive(Clone, Debug)]
#[expect(clippy::large_enum_variant, reason = "read once, checked and dropped")]
pub enum ActionFile {
    /// A client sends a request.
    Request(RequestFile),
    /// A response with a status is reported for a token, whatever the upstream would say.
    Outcome(OutcomeFile),
    /// The oldest probe that is out for a token is answered.
    Probe(ProbeFile),
    /// Time passes.
    Advance(Span),
    /// The tick runs now, whatever the interval.
    Tick(TickFile),
    /// The wall clock is set back while time goes on.
    ClockBack(Span),
    /// A worker loads another configuration.
    Reconfigure(ReconfigureFile),
    /// A worker dies, and whatever it had in flight with it.
    Stop(Spanned<Whole>),
    /// A worker that was stopped starts again, as a new one, with what the wall clock says now.
    Start(Spanned<Whole>),
    /// Things that several workers do at once, in every order of their small steps.
    Concurrently(Vec<Spanned<StepFile>>),
    /// What should be so.
    Expect(ExpectFile),
    /// What should be so at every version of the log, from the first to the last.
    Always(Invariants),
}

/// Fields of a `request` step.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RequestFile {
    /// Which worker serves it. Default: 1.
    pub worker: Option<Spanned<Whole>>,
    /// Which token is to be drawn; several for the attempts of a request that is retried. Default: whichever the seed says.
    pub draws: Option<OneOrMore>,
    /// Whether the client asks for a stream. Default: false.
    #[serde(default)]
    pub stream: bool,
    /// How many such requests, one after another. Default: 1.
    pub times: Option<Spanned<Whole>>,
    /// What should come of it.
    pub expect: Option<Spanned<ExpectFile>>,
}

/// Fields of an `outcome` step.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OutcomeFile {
    /// Which worker heard it. Default: 1.
    pub worker: Option<Spanned<Whole>>,
    /// Which token was used.
    pub token: Spanned<String>,
    /// What was answered; `connect`, `timeout` or `reset` for a failure below HTTP.
    pub status: AnyStatus,
    /// Whether it was the answer to a retry. Default: false.
    #[serde(default)]
    pub retry: bool,
    /// How many such outcomes, one after another. Default: 1.
    pub times: Option<Spanned<Whole>>,
    /// What should come of it.
    pub expect: Option<Spanned<ExpectFile>>,
}

/// Fields of a `probe` step.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ProbeFile {
    /// For which token.
    pub token: Spanned<String>,
    /// What was answered; `timeout` for nothing in time, `connect` and `reset` for a connection that failed.
    pub status: AnyStatus,
    /// What should come of it.
    pub expect: Option<Spanned<ExpectFile>>,
}

/// Fields of a `tick` step.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TickFile {
    /// Whose tick. Default: 1.
    pub worker: Option<Spanned<Whole>>,
    /// What should come of it.
    pub expect: Option<Spanned<ExpectFile>>,
}

/// Fields of a `reconfigure` step.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ReconfigureFile {
    /// Which worker loads it. Default: 1.
    pub worker: Option<Spanned<Whole>>,
    /// The new provider block.
    pub provider: Spanned<ProviderBlock>,
    /// What should come of it.
    pub expect: Option<Spanned<ExpectFile>>,
}

/// What should be so. `status`, `drawn`, `fallback`, `probes`, `calls` and `events` speak of the step that they stand in, or, in
/// a step of their own, of the step before; the rest speaks of the pool.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ExpectFile {
    /// Whose fold of the log is asked. Default: that of a worker that has heard everything.
    pub worker: Option<Spanned<Whole>>,
    /// The available tokens, in order; `{ anyOrder: […] }` for a set.
    pub available: Option<Tokens>,
    /// The unavailable tokens, in the order in which they left; `{ anyOrder: […] }` for a set.
    pub unavailable: Option<Tokens>,
    /// Failures counted, by token; who is not named has none.
    pub failure_counts: Option<Entries<String, Whole>>,
    /// Probe successes counted, by token; who is not named has none.
    pub success_counts: Option<Entries<String, Whole>>,
    /// Since when each unavailable token is out, as the time since the start; who is not named is available.
    pub unavailable_since: Option<Entries<String, Span>>,
    /// The status that the client got; of several requests, each.
    pub status: Option<StatusCode>,
    /// The token that was drawn; a list for several attempts or requests, in order.
    pub drawn: Option<OneOrMore>,
    /// Whether what was drawn was a fallback.
    pub fallback: Option<bool>,
    /// Whether the body of the answer that the client got broke off; of several requests, of each.
    pub broken: Option<bool>,
    /// How many probes were sent, or for which tokens, in order.
    pub probes: Option<CountOrTokens>,
    /// How often the provider was called, probes included: in all, or by token as a number or `{ atLeast: 1, atMost: 3 }`.
    pub calls: Option<CallsFile>,
    /// What was appended to the log, in order: `removed sk-a`, `none_available`, ….
    pub events: Option<Vec<Spanned<String>>>,
}

/// One name or a list of them.
#[derive(Clone, Debug)]
pub struct OneOrMore(pub Vec<Spanned<String>>);

/// A list of tokens: in order, or as a set.
#[derive(Clone, Debug)]
pub struct Tokens {
    /// The names.
    pub names: Vec<Spanned<String>>,
    /// Whether the order matters.
    pub ordered: bool,
}

/// A number of probes, or the tokens they were for.
#[derive(Clone, Debug)]
pub enum CountOrTokens {
    /// How many.
    Count(u64),
    /// For which.
    Tokens(Vec<Spanned<String>>),
}

/// The sentences of `always`: one, or a list.
#[derive(Clone, Debug)]
pub struct Invariants(pub Vec<Spanned<String>>);

impl<'de> Deserialize<'de> for OneOrMore {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let names = Spanned::<Names>::deserialize(deserializer)?;
        Ok(Self(names.value.at(names.place)))
    }
}

impl<'de> Deserialize<'de> for Invariants {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        OneOrMore::deserialize(deserializer).map(|OneOrMore(sentences)| Self(sentences))
    }
}

/// One name, whose place is that of the whole, or a list.
enum Names {
    One(String),
    More(Vec<Spanned<String>>),
}

impl Names {
    fn at(self, place: firedrill_yaml::Place) -> Vec<Spanned<String>> {
        match self {
            Self::One(name) => vec![Spanned::new(name, place)],
            Self::More(names) => names,
        }
    }
}

impl<'de> Deserialize<'de> for Names {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NamesVisitor)
    }
}

struct NamesVisitor;

impl<'de> Visitor<'de> for NamesVisitor {
    type Value = Names;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name or a list of names")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Names, E> {
        Ok(Names::One(name.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Names, A::Error> {
        let mut names = Vec::new();
        while let Some(name) = seq.next_element()? {
            names.push(name);
        }
        Ok(Names::More(names))
    }
}

impl<'de> Deserialize<'de> for Tokens {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TokensVisitor)
    }
}

struct TokensVisitor;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct AnyOrder {
    any_order: Vec<Spanned<String>>,
}

impl<'de> Visitor<'de> for TokensVisitor {
    type Value = Tokens;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of tokens, or `{ anyOrder: [sk-a, sk-b] }`")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Tokens, A::Error> {
        match NamesVisitor.visit_seq(seq)? {
            Names::More(names) => Ok(Tokens { names, ordered: true }),
            Names::One(_) => unreachable!("broken invariant: a sequence is read as a list"),
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Tokens, A::Error> {
        let AnyOrder { any_order } = AnyOrder::deserialize(MapAccessDeserializer::new(map))?;
        Ok(Tokens { names: any_order, ordered: false })
    }
}

impl<'de> Deserialize<'de> for CountOrTokens {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(CountOrTokensVisitor)
    }
}

struct CountOrTokensVisitor;

impl<'de> Visitor<'de> for CountOrTokensVisitor {
    type Value = CountOrTokens;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number of probes or a list of tokens")
    }

    fn visit_u64<E: Error>(self, count: u64) -> Result<CountOrTokens, E> {
        Ok(CountOrTokens::Count(count))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<CountOrTokens, A::Error> {
        TokensVisitor.visit_seq(seq).map(|tokens| CountOrTokens::Tokens(tokens.names))
    }
}

impl<'de> Deserialize<'de> for StepFile {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(StepVisitor)
    }
}

struct StepVisitor;

/// The keys of a step; one of those after the first says what happens.
const STEP_KEYS: [&str; 13] = [
    "description",
    "request",
    "outcome",
    "probe",
    "advance",
    "tick",
    "clockBack",
    "reconfigure",
    "stop",
    "start",
    "concurrently",
    "expect",
    "always",
];

impl<'de> Visitor<'de> for StepVisitor {
    type Value = StepFile;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a step such as `tick`, `advance: 10s` or `request: { draws: sk-a }`")
    }

    fn visit_str<E: Error>(self, word: &str) -> Result<StepFile, E> {
        let action = match word {
            "tick" => ActionFile::Tick(TickFile::default()),
            "request" => ActionFile::Request(RequestFile::default()),
            _ if STEP_KEYS.contains(&word) => {
                let hint = "write a colon and the value after it";
                return Err(custom(format_args!("`{word}` needs a value"), hint));
            }
            _ => match closest(word, STEP_KEYS) {
                Some(close) => {
                    let hint = format_args!("did you mean `{close}`?");
                    return Err(custom(format_args!("unknown step {}", quoted(word)), hint));
                }
                None => return Err(E::invalid_value(serde::de::Unexpected::Str(word), &self)),
            },
        };
        Ok(StepFile { description: None, action: Some(action) })
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<StepFile, A::Error> {
        let mut step = StepFile::default();
        let mut first: Option<Spanned<String>> = None;
        while let Some(key) = map.next_key::<Spanned<String>>()? {
            if key.as_str() == "description" {
                step.description = Some(map.next_value()?);
                continue;
            }
            if let Some(first) = &first {
                let hint = "give each its own dash";
                let message =
                    format_args!("a step is one thing, found `{}` and `{}`", first.value, key.value);
                return Err(firedrill_yaml::custom_at(key.place, message, hint));
            }
            step.action = Some(match key.as_str() {
                "request" => ActionFile::Request(map.next_value()?),
                "outcome" => ActionFile::Outcome(map.next_value()?),
                "probe" => ActionFile::Probe(map.next_value()?),
                "advance" => ActionFile::Advance(map.next_value()?),
                "tick" => ActionFile::Tick(map.next_value()?),
                "clockBack" => ActionFile::ClockBack(map.next_value()?),
                "reconfigure" => ActionFile::Reconfigure(map.next_value()?),
                "stop" => ActionFile::Stop(map.next_value()?),
                "start" => ActionFile::Start(map.next_value()?),
                "concurrently" => ActionFile::Concurrently(map.next_value()?),
                "expect" => ActionFile::Expect(map.next_value()?),
                "always" => ActionFile::Always(map.next_value()?),
                _ => return Err(firedrill_yaml::unknown_key(&key, &STEP_KEYS)),
            });
            first = Some(key);
        }
        Ok(step)
    }
}

fn name_list(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<Vec<String>>()
}

impl JsonSchema for OneOrMore {
    fn schema_name() -> Cow<'static, str> {
        "OneOrMore".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let list = name_list(generator);
        json_schema!({ "anyOf": [{ "type": "string" }, list] })
    }
}

impl JsonSchema for Invariants {
    fn schema_name() -> Cow<'static, str> {
        "Invariants".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let sentence = json_schema!({ "enum": crate::always::SENTENCES });
        json_schema!({ "anyOf": [sentence, { "type": "array", "items": sentence }] })
    }
}

impl JsonSchema for Tokens {
    fn schema_name() -> Cow<'static, str> {
        "Tokens".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let list = name_list(generator);
        json_schema!({
            "anyOf": [
                list,
                {
                    "type": "object",
                    "properties": { "anyOrder": list },
                    "required": ["anyOrder"],
                    "additionalProperties": false,
                },
            ],
        })
    }
}

impl JsonSchema for CountOrTokens {
    fn schema_name() -> Cow<'static, str> {
        "CountOrTokens".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let list = name_list(generator);
        json_schema!({ "anyOf": [{ "type": "integer", "minimum": 0 }, list] })
    }
}

impl JsonSchema for StepFile {
    fn schema_name() -> Cow<'static, str> {
        "Step".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let request = generator.subschema_for::<RequestFile>();
        let outcome = generator.subschema_for::<OutcomeFile>();
        let probe = generator.subschema_for::<ProbeFile>();
        let span = generator.subschema_for::<Span>();
        let tick = generator.subschema_for::<TickFile>();
        let reconfigure = generator.subschema_for::<ReconfigureFile>();
        let expect = generator.subschema_for::<ExpectFile>();
        let always = generator.subschema_for::<Invariants>();
        let keys = &STEP_KEYS[1..];
        let one_of: Vec<_> = keys.iter().map(|key| json_schema!({ "required": [key] })).collect();
        json_schema!({
            "description": "One thing that happens.",
            "anyOf": [
                { "enum": ["tick", "request"] },
                {
                    "type": "object",
                    "properties": {
                        "description": { "type": "string", "description": "Why the step is there." },
                        "request": request,
                        "outcome": outcome,
                        "probe": probe,
                        "advance": { "allOf": [span], "description": "Time passes." },
                        "tick": tick,
                        "clockBack": {
                            "allOf": [span],
                            "description": "The wall clock is set back while time goes on.",
                        },
                        "reconfigure": reconfigure,
                        "stop": {
                            "type": "integer",
                            "minimum": 1,
                            "description": "This worker dies, and whatever it had in flight with it.",
                        },
                        "start": {
                            "type": "integer",
                            "minimum": 1,
                            "description": "This worker, which was stopped, starts again as a new one.",
                        },
                        "concurrently": {
                            "type": "array",
                            "minItems": 1,
                            "items": { "$ref": "#/$defs/Step" },
                            "description": "Several workers at once, in every order of their small steps.",
                        },
                        "expect": expect,
                        "always": always,
                    },
                    "additionalProperties": false,
                    "oneOf": one_of,
                },
            ],
        })
    }
}
