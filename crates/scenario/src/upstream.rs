//! What the provider will do: scripts of answers, by token.
//!
//! A [`Script`] is what is written; a [`Playback`] plays it, call by call, on a time that is passed in.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use firedrill_failover::{Duration, Instant, Status};
use firedrill_yaml::{Place, Spanned, Whole, custom, custom_at, unknown_key};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use crate::scalar::{Span, StatusCode};

/// A script of answers. `503` is always 503; `[429, 200]` is 429 once and 200 from then on;
/// `{ status: 503, for: 10s, then: [200] }` is an outage. When a limit (`times`, `for`) runs out and nothing follows,
/// the provider is well again and answers 200.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Script {
    /// Shared, because every token plays it on its own and it may be long.
    phases: Arc<[Phase]>,
}

#[derive(Copy, Clone, Debug, PartialEq, Eq)]
struct Phase {
    status: Status,
    limit: Limit,
}

#[derive(Copy, Clone, Debug, PartialEq, Eq)]
enum Limit {
    None,
    Calls(u64),
    Time(Duration),
}

/// What a provider answers when it is well.
const WELL: Status = Status::new(200).expect("200 is a status");

impl Default for Script {
    /// Always 200.
    fn default() -> Self {
        Self::always(WELL)
    }
}

impl Script {
    fn always(status: Status) -> Self {
        Self { phases: Arc::new([Phase { status, limit: Limit::None }]) }
    }

    /// Plays it from its start at `began`.
    pub fn play(&self, began: Instant) -> Playback {
        Playback { script: self.clone(), phase: 0, began, calls: 0 }
    }
}

/// A script being played.
#[derive(Clone, Debug)]
pub struct Playback {
    script: Script,
    phase: usize,
    /// When the phase began.
    began: Instant,
    /// Calls answered in the phase.
    calls: u64,
}

impl Playback {
    /// The answer to a call at `now`, which is not before the call before.
    pub fn answer(&mut self, now: Instant) -> Status {
        loop {
            let Some(phase) = self.script.phases.get(self.phase) else { return WELL };
            let next = match phase.limit {
                Limit::Calls(calls) if self.calls >= calls => now,
                Limit::Time(time) if now.since(self.began) >= time => self.began + time,
                _ => {
                    self.calls += 1;
                    return phase.status;
                }
            };
            (self.phase, self.began, self.calls) = (self.phase + 1, next, 0);
        }
    }
}

impl<'de> Deserialize<'de> for Script {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ScriptVisitor)
    }
}

struct ScriptVisitor;

impl<'de> Visitor<'de> for ScriptVisitor {
    type Value = Script;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a status, a list of statuses, or `{ status: 503, for: 10s, then: [200] }`")
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Script, E> {
        StatusCode::deserialize(serde::de::value::U64Deserializer::new(number))
            .map(|code| Script::always(code.0))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Script, A::Error> {
        let mut phases: Vec<Phase> = Vec::new();
        while let Some(Item(item)) = seq.next_element()? {
            if let Some(Phase { limit: limit @ Limit::None, .. }) = phases.last_mut() {
                // A status on its own stands for one call, until the last, which repeats.
                *limit = Limit::Calls(1);
            }
            phases.extend_from_slice(&item.phases);
        }
        if phases.is_empty() {
            return Err(custom("expected at least one status, found an empty list", "`[200]` is always 200"));
        }
        Ok(Script { phases: phases.into() })
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Script, A::Error> {
        let written = Written::deserialize(MapAccessDeserializer::new(map))?;
        written.script()
    }
}

/// An entry of a list: a status, or a phase.
struct Item(Script);

impl<'de> Deserialize<'de> for Item {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ItemVisitor)
    }
}

struct ItemVisitor;

impl<'de> Visitor<'de> for ItemVisitor {
    type Value = Item;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a status, or `{ status: 429, times: 3 }`")
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Item, E> {
        ScriptVisitor.visit_u64(number).map(Item)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Item, A::Error> {
        ScriptVisitor.visit_map(map).map(Item)
    }
}

/// A phase as written.
#[derive(Default)]
struct Written {
    status: Option<StatusCode>,
    times: Option<Spanned<Whole>>,
    time: Option<Spanned<Span>>,
    then: Option<(Place, Script)>,
}

impl<'de> Deserialize<'de> for Written {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(WrittenVisitor)
    }
}

struct WrittenVisitor;

impl<'de> Visitor<'de> for WrittenVisitor {
    type Value = Written;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a script such as `{ status: 503, for: 10s, then: [200] }`")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Written, A::Error> {
        let mut written = Written::default();
        while let Some(key) = map.next_key::<Spanned<String>>()? {
            match key.as_str() {
                "status" => written.status = Some(map.next_value()?),
                "times" => written.times = Some(map.next_value()?),
                "for" => written.time = Some(map.next_value()?),
                "then" => written.then = Some((key.place, map.next_value()?)),
                _ => return Err(unknown_key(&key, &["status", "times", "for", "then"])),
            }
        }
        Ok(written)
    }
}

impl Written {
    fn script<E: Error>(self) -> Result<Script, E> {
        let Some(StatusCode(status)) = self.status else { return Err(E::missing_field("status")) };
        let limit = match (self.times, self.time) {
            (Some(times), Some(_)) => {
                return Err(custom_at(
                    times.place,
                    "`times` and `for` exclude each other",
                    "keep one of the two",
                ));
            }
            (Some(times), None) => Limit::Calls(times.value.0),
            (None, Some(time)) => Limit::Time(time.value.0),
            (None, None) => Limit::None,
        };
        if let (Limit::None, Some((place, _))) = (limit, &self.then) {
            let hint = "say how long the status lasts, with `times: 3` or `for: 10s`";
            return Err(custom_at(*place, "`then` is never reached", hint));
        }
        let then = self.then.iter().flat_map(|(_, script)| script.phases.iter().copied());
        Ok(Script { phases: std::iter::once(Phase { status, limit }).chain(then).collect() })
    }
}

impl JsonSchema for Script {
    fn schema_name() -> Cow<'static, str> {
        "Script".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let status = generator.subschema_for::<StatusCode>();
        let span = generator.subschema_for::<Span>();
        let times = generator.subschema_for::<Whole>();
        let phase = json_schema!({
            "type": "object",
            "properties": {
                "status": { "allOf": [status], "description": "What is answered." },
                "times": { "allOf": [times], "description": "To how many calls. Without a limit: to all." },
                "for": { "allOf": [span], "description": "For how long, from the start of the phase." },
                "then": { "$ref": "#/$defs/Script", "description": "What follows. Default: 200." },
            },
            "required": ["status"],
            "additionalProperties": false,
        });
        json_schema!({
            "description": "What the provider answers: a status, a list of statuses of which the last repeats, or \
                            a phase with a limit.",
            "anyOf": [
                status,
                { "type": "array", "minItems": 1, "items": { "anyOf": [status, phase] } },
                phase,
            ],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use firedrill_yaml::Source;

    /// Plays `script` with a call at each of the `moments` (milliseconds).
    #[track_caller]
    fn check(script: &str, moments: &[u64], expect: &[u16]) {
        let script: Script = Source::new("upstream", script).parse("a script").expect("a good script");
        let mut playback = script.play(Instant::ZERO);
        let answers: Vec<u16> =
            moments.iter().map(|at| playback.answer(Instant::from_millis(*at)).code()).collect();
        assert_eq!(answers, expect);
    }

    #[track_caller]
    fn check_refused(script: &str, expect: &str) {
        let problem = Source::new("f", script).parse::<Script>("a script").expect_err("a bad script");
        assert_eq!(problem.to_string(), expect);
    }

    #[test]
    fn the_last_of_a_list_repeats() {
        check("503", &[0, 1, 2], &[503, 503, 503]);
        check("[429, 200]", &[0, 1, 2], &[429, 200, 200]);
        check("[429, { status: 503, times: 2 }, 401]", &[0; 5], &[429, 503, 503, 401, 401]);
    }

    #[test]
    fn a_limit_runs_out_and_the_provider_is_well_again() {
        check("{ status: 503, times: 2 }", &[0, 0, 0], &[503, 503, 200]);
        check("{ status: 503, for: 10s }", &[0, 9_999, 10_000], &[503, 503, 200]);
        check("[{ status: 429, times: 0 }]", &[0], &[200]);
    }

    #[test]
    fn phases_follow_each_other() {
        let script = "{ status: 503, for: 10s, then: { status: 429, for: 5s, then: [401, 200] } }";
        check(script, &[0, 10_000, 14_999, 15_000, 15_000], &[503, 429, 429, 401, 200]);
        check(script, &[20_000, 20_000], &[401, 200]);
    }

    #[test]
    fn a_script_that_cannot_be_meant_is_refused() {
        check_refused(
            "[]",
            "f:1:1: expected at least one status, found an empty list (`[200]` is always 200)",
        );
        check_refused(
            "{ status: 503, then: [200] }",
            "f:1:16: `then` is never reached (say how long the status lasts, with `times: 3` or `for: 10s`)",
        );
        check_refused(
            "{ status: 503, times: 1, for: 1s }",
            "f:1:23: `times` and `for` exclude each other (keep one of the two)",
        );
        check_refused("{ status: 503, fro: 1s }", "f:1:16: unknown key `fro` (did you mean `for`?)");
        check_refused("42", "f:1:1: expected a status from 100 to 999, found `42`");
        check_refused("{ times: 2 }", "f:1:1: missing key `status`");
    }
}
