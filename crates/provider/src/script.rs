//! Scripts: what a provider answers to one token, call by call.
//!
//! A [`Script`] is what is written; a [`Playback`] plays it, on a time that is passed in.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use firedrill_failover::{Duration, Instant, Status};
use firedrill_yaml::{Place, Spanned, Whole, custom, custom_at, unknown_key};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use crate::fault::Fault;
use crate::latency::Latency;
use firedrill_block::{Span, StatusCode};

/// A script of answers. `503` is always 503; `[429, 200]` is 429 once and 200 from then on;
/// `{ status: 503, for: 10s, then: [200] }` is an outage; `{ repeat: [429, 200] }` goes round. When a limit (`times`, `for`)
/// runs out and nothing follows, the provider is well again and answers 200.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Script {
    /// Shared, because every token plays it on its own and it may be long.
    phases: Arc<[Phase]>,
}

/// One answer of a provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The status.
    pub status: Status,
    /// Which error of the provider's it is, by its name there; without one the status tells.
    pub error: Option<Arc<str>>,
    /// What it says about when to come back.
    pub retry_after: Option<Duration>,
    /// What goes wrong below the status.
    pub fault: Option<Fault>,
    /// How long it takes, if otherwise than usual.
    pub latency: Option<Latency>,
}

impl Answer {
    /// A plain answer with this status.
    pub const fn plain(status: Status) -> Self {
        Self { status, error: None, retry_after: None, fault: None, latency: None }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Phase {
    what: What,
    limit: Limit,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum What {
    Answer(Answer),
    /// Played over and over; each time through moves on by a call or some time.
    Round(Arc<[Phase]>),
}

#[derive(Copy, Clone, Debug, PartialEq, Eq)]
enum Limit {
    None,
    /// Calls, or rounds.
    Times(u64),
    Time(Duration),
}

/// What a provider answers when it is well.
pub const WELL: Status = Status::new(200).expect("200 is a status");

impl Default for Script {
    /// Always 200.
    fn default() -> Self {
        Self::always(WELL)
    }
}

impl Script {
    fn always(status: Status) -> Self {
        Self { phases: Arc::new([Phase { what: What::Answer(Answer::plain(status)), limit: Limit::None }]) }
    }

    /// Plays it from its start at `began`.
    pub fn play(&self, began: Instant) -> Playback {
        Playback(Play::new(Arc::clone(&self.phases), began))
    }

    /// The same with other times.
    #[must_use]
    pub fn timed(&self, time: &dyn Fn(Duration) -> Duration) -> Self {
        fn of(phases: &[Phase], time: &dyn Fn(Duration) -> Duration) -> Arc<[Phase]> {
            let timed = phases.iter().map(|phase| Phase {
                what: match &phase.what {
                    What::Answer(answer) => What::Answer(answer.timed(time)),
                    What::Round(phases) => What::Round(of(phases, time)),
                },
                limit: match phase.limit {
                    Limit::Time(lasts) => Limit::Time(time(lasts)),
                    limit => limit,
                },
            });
            timed.collect()
        }
        Self { phases: of(&self.phases, time) }
    }

    /// Every answer that it may give.
    pub fn answers(&self) -> Vec<&Answer> {
        fn of(phases: &[Phase]) -> Vec<&Answer> {
            let answers = phases.iter().flat_map(|phase| match &phase.what {
                What::Answer(answer) => vec![answer],
                What::Round(phases) => of(phases),
            });
            answers.collect()
        }
        of(&self.phases)
    }
}

/// A script being played.
#[derive(Clone, Debug)]
pub struct Playback(Play);

impl Playback {
    /// The answer to a call at `now`, which is not before the call before.
    pub fn answer(&mut self, now: Instant) -> Answer {
        self.0.answer(now).unwrap_or(const { Answer::plain(WELL) })
    }

    /// The phase that answered last, from 0, and how many calls it has answered or rounds it has gone through. Past the end,
    /// the number of phases, and 0.
    pub fn place(&self) -> (usize, u64) {
        (self.0.phase, self.0.times)
    }
}

/// Phases being played.
#[derive(Clone, Debug)]
struct Play {
    phases: Arc<[Phase]>,
    phase: usize,
    /// When the phase began.
    began: Instant,
    /// Calls answered in the phase, or rounds gone through.
    times: u64,
    /// What the phase goes round through.
    round: Option<Box<Play>>,
}

impl Play {
    fn new(phases: Arc<[Phase]>, began: Instant) -> Self {
        Self { phases, phase: 0, began, times: 0, round: None }
    }

    /// `None` past the end, which was at `began`.
    fn answer(&mut self, now: Instant) -> Option<Answer> {
        loop {
            let phase = self.phases.get(self.phase)?;
            let over = match phase.limit {
                Limit::Time(time) if now.since(self.began) >= time => Some(self.began + time),
                Limit::Times(times) if self.times >= times => {
                    Some(self.round.as_ref().map_or(now, |round| round.began))
                }
                _ => None,
            };
            if let Some(end) = over {
                (self.phase, self.began, self.times, self.round) = (self.phase + 1, end, 0, None);
                continue;
            }
            match &phase.what {
                What::Answer(answer) => {
                    self.times += 1;
                    return Some(answer.clone());
                }
                What::Round(phases) => {
                    let began = self.began;
                    let round =
                        self.round.get_or_insert_with(|| Box::new(Play::new(Arc::clone(phases), began)));
                    let left = match phase.limit {
                        Limit::Times(times) => times - self.times,
                        Limit::None | Limit::Time(_) => u64::MAX,
                    };
                    let skipped = round.skip(now, left);
                    if skipped > 0 {
                        self.times += skipped;
                        continue;
                    }
                    if let Some(answer) = round.answer(now) {
                        return Some(answer);
                    }
                    self.times += 1;
                    **round = Play::new(Arc::clone(phases), round.began);
                }
            }
        }
    }

    /// Goes through whole rounds that lie in the past at once, at most `left`, if a round takes time and no calls; a call a
    /// day later does not go through a day of milliseconds. Gives how many.
    fn skip(&mut self, now: Instant, left: u64) -> u64 {
        if self.phase != 0 || self.times != 0 {
            return 0;
        }
        let mut length: u64 = 0;
        for phase in &*self.phases {
            let Limit::Time(time) = phase.limit else { return 0 };
            length = length.saturating_add(time.as_millis());
        }
        let rounds = (now.since(self.began).as_millis() / length.max(1)).min(left);
        self.began += Duration::from_millis(rounds * length);
        rounds
    }
}

/// Whether going through these once takes a call or some time, so that going round ends.
fn moves_on(phases: &[Phase]) -> bool {
    phases.iter().any(|phase| match phase.limit {
        Limit::None => true,
        Limit::Times(times) => times > 0,
        Limit::Time(time) => time > Duration::ZERO,
    })
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
            if let Some(Phase { what: What::Answer(_), limit: limit @ Limit::None }) = phases.last_mut() {
                // A status on its own stands for one call, until the last, which repeats.
                *limit = Limit::Times(1);
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
    error: Option<Spanned<String>>,
    retry_after: Option<Span>,
    fault: Option<Spanned<Fault>>,
    latency: Option<Latency>,
    repeat: Option<(Place, Script)>,
    times: Option<Spanned<Whole>>,
    time: Option<Spanned<Span>>,
    then: Option<(Place, Script)>,
}

const KEYS: [&str; 9] =
    ["status", "error", "retryAfter", "fault", "latency", "repeat", "times", "for", "then"];

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
                "error" => written.error = Some(map.next_value()?),
                "retryAfter" => written.retry_after = Some(map.next_value()?),
                "fault" => written.fault = Some(map.next_value()?),
                "latency" => written.latency = Some(map.next_value()?),
                "repeat" => written.repeat = Some((key.place, map.next_value()?)),
                "times" => written.times = Some(map.next_value()?),
                "for" => written.time = Some(map.next_value()?),
                "then" => written.then = Some((key.place, map.next_value()?)),
                _ => return Err(unknown_key(&key, &KEYS)),
            }
        }
        Ok(written)
    }
}

impl Written {
    fn script<E: Error>(self) -> Result<Script, E> {
        let limit = match (&self.times, &self.time) {
            (Some(times), Some(_)) => {
                return Err(custom_at(
                    times.place,
                    "`times` and `for` exclude each other",
                    "keep one of the two",
                ));
            }
            (Some(times), None) => Limit::Times(times.value.0),
            (None, Some(time)) => Limit::Time(time.value.0),
            (None, None) => Limit::None,
        };
        if let (Limit::None, Some((place, _))) = (limit, &self.then) {
            let hint = "say how long the status lasts, with `times: 3` or `for: 10s`";
            return Err(custom_at(*place, "`then` is never reached", hint));
        }
        let then = self.then.iter().flat_map(|(_, script)| script.phases.to_vec()).collect::<Vec<_>>();
        let first = Phase { what: self.what()?, limit };
        Ok(Script { phases: std::iter::once(first).chain(then).collect() })
    }

    fn what<E: Error>(self) -> Result<What, E> {
        let Some((place, repeat)) = self.repeat else {
            return Ok(What::Answer(Answer {
                status: match (self.status, &self.fault) {
                    (Some(StatusCode(status)), _) => status,
                    // What is cut, stalled or mangled is an answer that would have been well.
                    (None, Some(_)) => WELL,
                    (None, None) => return Err(E::missing_field("status")),
                },
                error: self.error.map(|error| error.value.into()),
                retry_after: self.retry_after.map(|Span(time)| time),
                fault: match self.fault {
                    Some(Spanned { value: Fault::Refused, place }) => {
                        let hint =
                            "a connection is refused before anyone knows its token: write it under `outages`";
                        return Err(custom_at(place, "one token cannot be refused a connection", hint));
                    }
                    fault => fault.map(|fault| fault.value),
                },
                latency: self.latency,
            }));
        };
        let beside = self.status.is_some() || self.error.is_some() || self.fault.is_some();
        if beside || self.retry_after.is_some() || self.latency.is_some() {
            let hint = "what is repeated says what is answered: `{ repeat: [429, 200] }`";
            return Err(custom_at(place, "`repeat` stands in place of an answer", hint));
        }
        let mut phases = repeat.phases.to_vec();
        // Nothing repeats within what goes round: each time through, the last stands for one call too.
        for phase in &mut phases {
            if phase.limit == Limit::None {
                phase.limit = Limit::Times(1);
            }
        }
        if !moves_on(&phases) {
            return Err(custom_at(
                place,
                "`repeat` would go round for ever",
                "give it a status, or time: `for: 1s`",
            ));
        }
        Ok(What::Round(phases.into()))
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
        let fault = generator.subschema_for::<Fault>();
        let latency = generator.subschema_for::<Latency>();
        let phase = json_schema!({
            "type": "object",
            "properties": {
                "status": { "allOf": [status], "description": "What is answered." },
                "error": { "type": "string", "description": "Which error of the provider's it is, by its name there." },
                "retryAfter": { "allOf": [span], "description": "When to come back, as the answer says it." },
                "fault": { "allOf": [fault], "description": "What goes wrong below the status." },
                "latency": { "allOf": [latency], "description": "How long it takes, if otherwise than usual." },
                "repeat": { "$ref": "#/$defs/Script", "description": "A script that is played over and over." },
                "times": { "allOf": [times], "description": "To how many calls, or how many rounds. Without a limit: to all." },
                "for": { "allOf": [span], "description": "For how long, from the start of the phase." },
                "then": { "$ref": "#/$defs/Script", "description": "What follows. Default: 200." },
            },
            "anyOf": [{ "required": ["status"] }, { "required": ["fault"] }, { "required": ["repeat"] }],
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
            moments.iter().map(|at| playback.answer(Instant::from_millis(*at)).status.code()).collect();
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
    fn what_repeats_goes_round() {
        check("{ repeat: [429, 200] }", &[0; 5], &[429, 200, 429, 200, 429]);
        check("{ repeat: [429, 200], times: 2, then: 401 }", &[0; 6], &[429, 200, 429, 200, 401, 401]);
        let minutes = "{ repeat: [{ status: 503, for: 10s }, { status: 200, for: 50s }] }";
        check(minutes, &[0, 9_999, 10_000, 60_000, 86_400_000, 86_410_000], &[503, 503, 200, 503, 503, 200]);
        let twice = "{ repeat: { status: 503, for: 1s }, times: 2, then: { status: 429, for: 1s } }";
        check(twice, &[1_999, 2_000, 2_999, 3_000], &[503, 429, 429, 200]);
        check("{ repeat: 503, for: 2s, then: 401 }", &[0, 1_999, 2_000], &[503, 503, 401]);
        check("{ repeat: [{ repeat: 503, times: 2 }, 200] }", &[0; 6], &[503, 503, 200, 503, 503, 200]);
    }

    #[test]
    fn a_call_a_year_later_costs_no_year_of_rounds() {
        check("{ repeat: { status: 503, for: 1ms } }", &[31_536_000_000_000], &[503]);
    }

    #[test]
    fn a_script_that_cannot_be_meant_is_refused() {
        let forever = "`repeat` would go round for ever (give it a status, or time: `for: 1s`)";
        check_refused("{ repeat: { status: 503, times: 0 } }", &format!("f:1:3: {forever}"));
        check_refused("{ repeat: { status: 503, for: 0s } }", &format!("f:1:3: {forever}"));
        check_refused(
            "{ status: 503, repeat: 200 }",
            "f:1:16: `repeat` stands in place of an answer (what is repeated says what is answered: `{ repeat: [429, 200] \
             }`)",
        );
        check_refused(
            "{ fault: refused }",
            "f:1:10: one token cannot be refused a connection (a connection is refused before anyone knows its token: \
             write it under `outages`)",
        );
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
