//! The `upstream:` block: what a provider will do. One language for scenarios and mock files.
//!
//! Its keys are the names of tokens, each with a script, and a few words of its own ([`WORDS`]).

use std::borrow::Cow;
use std::fmt;

use firedrill_failover::{Duration, Status};
use firedrill_yaml::{Place, Spanned, Whole, custom_at, quoted};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::{Deserializer, Error, MapAccess, Visitor};

use crate::fault::Fault;
use crate::latency::Latency;
use crate::quota::{Owner, Quota, Unit, Window};
use crate::script::Script;
use firedrill_block::{Share, Span, StatusCode};

/// The keys of the block that are no names of tokens.
pub const WORDS: [&str; 7] = ["default", "domains", "quotas", "outages", "errors", "latency", "pace"];

/// What a provider will do, as written and checked as far as it can be without knowing the tokens.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Upstream {
    /// The scripts of tokens that are named.
    pub tokens: Vec<(Spanned<String>, Script)>,
    /// The script of all others.
    pub default: Script,
    /// Which tokens share quotas. No token is in two domains.
    pub domains: Vec<Domain>,
    /// How much is granted.
    pub quotas: Vec<Quota>,
    /// How many requests may be answered at the same time, and whose the limit is.
    pub concurrent: Vec<(u64, Owner)>,
    /// When nothing works, for anyone.
    pub outages: Vec<Outage>,
    /// Failures by chance.
    pub errors: Vec<Errors>,
    /// How long an answer takes to begin.
    pub latency: Latency,
    /// How a stream comes, after it has begun.
    pub pace: Pace,
}

/// A domain: its name, and the names of its tokens.
pub type Domain = (Spanned<String>, Vec<Spanned<String>>);

/// A time in which nothing works.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outage {
    /// Since the provider began.
    pub from: Duration,
    /// For so long.
    pub lasts: Duration,
    /// What is answered.
    pub status: Status,
    /// What goes wrong below that.
    pub fault: Option<Fault>,
}

/// Failures by chance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Errors {
    /// How many of all requests fail so.
    pub rate: Share,
    /// What is answered.
    pub status: Status,
    /// What goes wrong below that.
    pub fault: Option<Fault>,
}

/// How a stream comes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Pace {
    /// From the headers to the first event.
    pub first: Latency,
    /// From each event to the next.
    pub between: Latency,
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct OutageFile {
    /// When it begins, since the start.
    from: Span,
    /// How long it lasts.
    #[serde(rename = "for")]
    lasts: Span,
    /// What is answered. Default: 503.
    status: Option<StatusCode>,
    /// What goes wrong below the status.
    fault: Option<Fault>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ErrorsFile {
    /// How many of all requests fail so.
    rate: Share,
    /// What is answered. Default: 500.
    status: Option<StatusCode>,
    /// What goes wrong below the status.
    fault: Option<Spanned<Fault>>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct QuotaFile {
    /// So many requests.
    requests: Option<Spanned<Whole>>,
    /// So many LLM tokens, of questions and answers together.
    llm_tokens: Option<Spanned<Whole>>,
    /// So many requests at the same time.
    concurrent: Option<Spanned<Whole>>,
    /// In this time; not for `concurrent`.
    per: Option<Spanned<Span>>,
    /// Whose it is: each `token`'s (the default), or the `domain`'s that tokens share.
    by: Option<OwnerWord>,
    /// How it comes back: all at once at the end of a `fixed` window (the default), or continuously into a `bucket`.
    window: Option<Spanned<WindowWord>>,
    /// How much a bucket holds. Default: as much as flows in during `per`.
    burst: Option<Spanned<Whole>>,
}

#[derive(Copy, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
enum OwnerWord {
    Token,
    Domain,
}

#[derive(Copy, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
enum WindowWord {
    Fixed,
    Bucket,
}

impl<'de> Deserialize<'de> for Upstream {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(UpstreamVisitor)
    }
}

struct UpstreamVisitor;

impl<'de> Visitor<'de> for UpstreamVisitor {
    type Value = Upstream;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("what the provider will do, such as `{ sk-a: [429, 200], default: 200 }`")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Upstream, A::Error> {
        let mut upstream = Upstream::default();
        while let Some(key) = map.next_key::<Spanned<String>>()? {
            match key.as_str() {
                "default" => upstream.default = map.next_value()?,
                "domains" => upstream.domains = domains(map.next_value()?)?,
                "quotas" => {
                    for quota in map.next_value::<Vec<Spanned<QuotaFile>>>()? {
                        quota.value.add(quota.place, &mut upstream)?;
                    }
                }
                "outages" => {
                    let outages: Vec<OutageFile> = map.next_value()?;
                    upstream.outages = outages.into_iter().map(OutageFile::outage).collect();
                }
                "errors" => {
                    let errors: Vec<ErrorsFile> = map.next_value()?;
                    upstream.errors = errors.into_iter().map(ErrorsFile::errors).collect::<Result<_, _>>()?;
                }
                "latency" => upstream.latency = map.next_value()?,
                "pace" => upstream.pace = map.next_value()?,
                _ => upstream.tokens.push((key, map.next_value()?)),
            }
        }
        Ok(upstream)
    }
}

fn domains<E: Error>(
    written: firedrill_yaml::Entries<String, Vec<Spanned<String>>>,
) -> Result<Vec<Domain>, E> {
    let mut known: Vec<(String, String)> = Vec::new();
    let domains: Vec<Domain> = written.into_iter().collect();
    for (domain, tokens) in &domains {
        for token in tokens {
            if let Some((_, other)) = known.iter().find(|(known, _)| *known == token.value) {
                let message = format!("{} is in {} already", quoted(token), quoted(other));
                return Err(custom_at(token.place, message, "a token is in one domain"));
            }
            known.push((token.value.clone(), domain.value.clone()));
        }
    }
    Ok(domains)
}

impl OutageFile {
    fn outage(self) -> Outage {
        let status =
            self.status.map_or(Status::new(503).expect("broken invariant: 503 is a status"), |code| code.0);
        Outage { from: self.from.0, lasts: self.lasts.0, status, fault: self.fault }
    }
}

impl ErrorsFile {
    fn errors<E: Error>(self) -> Result<Errors, E> {
        let status =
            self.status.map_or(Status::new(500).expect("broken invariant: 500 is a status"), |code| code.0);
        if let Some(Spanned { value: Fault::Refused, place }) = self.fault {
            let hint = "a connection is refused before there is a request: write it under `outages`";
            return Err(custom_at(place, "one request cannot be refused a connection", hint));
        }
        Ok(Errors { rate: self.rate, status, fault: self.fault.map(|fault| fault.value) })
    }
}

impl QuotaFile {
    fn add<E: Error>(self, place: Place, upstream: &mut Upstream) -> Result<(), E> {
        let owner = match self.by {
            Some(OwnerWord::Domain) => Owner::Domain,
            Some(OwnerWord::Token) | None => Owner::Token,
        };
        let counted = [self.requests, self.llm_tokens, self.concurrent];
        let (unit, most) = match counted {
            [Some(most), None, None] => (Some(Unit::Requests), most),
            [None, Some(most), None] => (Some(Unit::LlmTokens), most),
            [None, None, Some(most)] => (None, most),
            _ => {
                let hint = "for example `{ requests: 60, per: 1m }` or `{ concurrent: 4 }`";
                return Err(custom_at(
                    place,
                    "expected one of `requests`, `llmTokens` and `concurrent`",
                    hint,
                ));
            }
        };
        if most.value.0 == 0 {
            let hint = "a token that is never answered has a script: `sk-a: 429`";
            return Err(custom_at(most.place, "expected at least 1, found `0`", hint));
        }
        let Some(unit) = unit else {
            let place = (self.per.map(|per| per.place)).or(self.window.map(|word| word.place));
            if let Some(place) = place.or(self.burst.map(|burst| burst.place)) {
                let hint = "it counts those that are being answered: `{ concurrent: 4 }`";
                return Err(custom_at(place, "`concurrent` has no time", hint));
            }
            upstream.concurrent.push((most.value.0, owner));
            return Ok(());
        };
        let Some(per) = self.per else {
            return Err(custom_at(place, "missing key `per`", "say in what time, for example `per: 1m`"));
        };
        if per.value.0 == Duration::ZERO {
            return Err(custom_at(per.place, "expected a time, found none", "for example `1m`"));
        }
        let word = self.window.map_or(WindowWord::Fixed, |word| word.value);
        let window = match (word, self.burst) {
            (WindowWord::Fixed, None) => Window::Fixed,
            (WindowWord::Fixed, Some(burst)) => {
                return Err(custom_at(
                    burst.place,
                    "a fixed window has no `burst`",
                    "write `window: bucket`",
                ));
            }
            (WindowWord::Bucket, None) => Window::Bucket { burst: most.value.0 },
            (WindowWord::Bucket, Some(burst)) if burst.value.0 == 0 => {
                return Err(custom_at(
                    burst.place,
                    "expected at least 1, found `0`",
                    "nothing could ever be had",
                ));
            }
            (WindowWord::Bucket, Some(burst)) => Window::Bucket { burst: burst.value.0 },
        };
        upstream.quotas.push(Quota { unit, most: most.value.0, per: per.value.0, owner, window });
        Ok(())
    }
}

impl JsonSchema for Upstream {
    fn schema_name() -> Cow<'static, str> {
        "Upstream".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let script = generator.subschema_for::<Script>();
        let quota = generator.subschema_for::<QuotaFile>();
        let outage = generator.subschema_for::<OutageFile>();
        let errors = generator.subschema_for::<ErrorsFile>();
        let latency = generator.subschema_for::<Latency>();
        let pace = generator.subschema_for::<Pace>();
        json_schema!({
            "description": "What the provider will do. Every other key is the name of a token, with its script.",
            "type": "object",
            "properties": {
                "default": { "allOf": [script], "description": "The script of tokens that are not named. Default: 200." },
                "domains": {
                    "description": "Which tokens share quotas, by a name of their own.",
                    "type": "object",
                    "additionalProperties": { "type": "array", "items": { "type": "string" } },
                },
                "quotas": { "type": "array", "items": quota, "description": "How much is granted." },
                "outages": { "type": "array", "items": outage, "description": "When nothing works, for anyone." },
                "errors": { "type": "array", "items": errors, "description": "Failures by chance." },
                "latency": { "allOf": [latency], "description": "How long an answer takes to begin. Default: no time." },
                "pace": { "allOf": [pace], "description": "How a stream comes, after it has begun." },
            },
            "additionalProperties": script,
        })
    }
}
