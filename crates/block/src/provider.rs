//! A Higress provider block, read as it is.
//!
//! What has to do with failover is read strictly: a misspelt key or a bent number is an error at its place. What has
//! nothing to do with it (`type`, `modelMapping`, …) is accepted and its keys are kept, so that they can be listed. What a
//! gateway needs of it is kept with its value.

use std::fmt;

use firedrill_failover::{
    Config, ConfigError, Duration, FailoverSettings, Field, OnReload, PatternError, Profile, RetrySettings,
    Settings, Token,
};
use firedrill_yaml::{Place, Problem, Spanned, Whole, closest, custom_at, quoted, unknown_key};
use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::{Deserializer, Error, IgnoredAny, MapAccess, Visitor};

use crate::pattern::Pattern;

/// The block.
#[derive(Clone, Debug, Default, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProviderBlock {
    /// Whose API the upstream speaks.
    #[schemars(rename = "type")]
    pub kind: Option<Spanned<String>>,
    /// The tokens of the pool. In a scenario a token's name is its label: write no real keys.
    #[schemars(length(min = 1))]
    pub api_tokens: Option<Spanned<Vec<Spanned<String>>>>,
    /// When a token is taken out, and how it returns.
    #[serde(default)]
    pub failover: Option<Spanned<FailoverBlock>>,
    /// Whether a failed request is tried again with another token.
    #[serde(default)]
    pub retry_on_failure: Option<RetryBlock>,
    /// Milliseconds until the headers of an answer, and between two pieces of its body. 0 or absent means the default: 120000.
    #[serde(default)]
    pub timeout: Option<Spanned<Whole>>,
    /// Keys that have nothing to do with failover.
    #[schemars(skip)]
    pub ignored: Vec<Spanned<String>>,
}

/// Higress's `failover`. In every field 0 or absent means the default.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FailoverBlock {
    /// Whether tokens are taken out at all. Default: false.
    pub enabled: Option<bool>,
    /// Consecutive failures that take a token out. Default: 3.
    pub failure_threshold: Option<Spanned<Whole>>,
    /// Health-check successes that bring it back. Default: 1.
    pub success_threshold: Option<Spanned<Whole>>,
    /// Milliseconds between two ticks. Default: 5000.
    pub health_check_interval: Option<Whole>,
    /// Milliseconds that a probe may take. Default: 5000.
    pub health_check_timeout: Option<Whole>,
    /// With it, unavailable tokens are probed at each tick.
    pub health_check_model: Option<String>,
    /// Milliseconds after which an unavailable token returns at a tick. Default: 0, never.
    pub cooldown_duration: Option<Whole>,
    /// Statuses that count as failures, as regular expressions. Default: `["4.*", "5.*"]`.
    pub failover_on_status: Option<Vec<Spanned<Pattern>>>,
    /// What a reconfigure does to the tokens that stay. Not one of Higress's keys. Default: the profile's.
    pub on_reload: Option<OnReloadWord>,
}

/// Higress's `retryOnFailure`. In every field 0 or absent means the default.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RetryBlock {
    /// Whether a failed request is tried again. Default: false.
    pub enabled: Option<bool>,
    /// Further attempts after the first. Default: 1.
    pub max_retries: Option<Spanned<Whole>>,
    /// Milliseconds that the whole request may take. Default: 30000.
    pub retry_timeout: Option<Whole>,
    /// Statuses that are tried again, as regular expressions. Default: `["4.*", "5.*"]`.
    pub retry_on_status: Option<Vec<Spanned<Pattern>>>,
}

/// What a reconfigure does to the tokens that stay.
#[derive(Copy, Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum OnReloadWord {
    /// They keep their state.
    Keep,
    /// Everything is forgotten.
    Reset,
}

impl ProviderBlock {
    /// How many retries a request may have, if retries are on; at least 1.
    pub fn retries(&self) -> u64 {
        let written = self.retry_on_failure.as_ref().and_then(|retry| retry.max_retries.as_ref());
        written.map_or(0, |written| written.value.0).max(1)
    }

    /// The reference's `timeout` when none is written.
    pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(120);

    /// How long the upstream may take until the headers of an answer, and between two pieces of its body; never zero.
    pub fn timeout(&self) -> Duration {
        match self.timeout {
            Some(Spanned { value: Whole(millis), .. }) if millis > 0 => Duration::from_millis(millis),
            _ => Self::DEFAULT_TIMEOUT,
        }
    }
}

/// The keys that are read.
const KEYS: [&str; 4] = ["apiTokens", "failover", "retryOnFailure", "timeout"];

/// Keys of the blocks within this one, and which. Beside their block they would be without effect, and nobody would
/// know. (`enabled` is not among them: it is a word that others may use.)
const INSIDE: [(&str, &str); 11] = [
    ("failureThreshold", "failover"),
    ("successThreshold", "failover"),
    ("healthCheckInterval", "failover"),
    ("healthCheckTimeout", "failover"),
    ("healthCheckModel", "failover"),
    ("cooldownDuration", "failover"),
    ("failoverOnStatus", "failover"),
    ("onReload", "failover"),
    ("maxRetries", "retryOnFailure"),
    ("retryTimeout", "retryOnFailure"),
    ("retryOnStatus", "retryOnFailure"),
];

/// Keys that stand beside a provider block, and got into it if they are indented too far.
const BESIDE: [&str; 8] =
    ["scenario", "provider", "profile", "seed", "workers", "ticks", "upstream", "steps"];

impl<'de> Deserialize<'de> for ProviderBlock {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(BlockVisitor)
    }
}

struct BlockVisitor;

impl<'de> Visitor<'de> for BlockVisitor {
    type Value = ProviderBlock;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a provider block")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<ProviderBlock, A::Error> {
        let mut block = ProviderBlock::default();
        while let Some(key) = map.next_key::<Spanned<String>>()? {
            match key.as_str() {
                "apiTokens" => block.api_tokens = Some(map.next_value()?),
                "failover" => block.failover = Some(map.next_value()?),
                "retryOnFailure" => block.retry_on_failure = Some(map.next_value()?),
                "timeout" => block.timeout = Some(map.next_value()?),
                _ => {
                    check_unrelated(&key)?;
                    match key.as_str() {
                        "type" => block.kind = Some(map.next_value()?),
                        _ => drop(map.next_value::<IgnoredAny>()?),
                    }
                    block.ignored.push(key);
                }
            }
        }
        Ok(block)
    }
}

/// An error if `key` has to do with failover after all: it is misspelt, or it stands in the wrong place.
fn check_unrelated<E: Error>(key: &Spanned<String>) -> Result<(), E> {
    let written = key.as_str();
    if BESIDE.contains(&written) {
        let message = format_args!("`{written}` has no effect in a provider block");
        return Err(custom_at(key.place, message, "it belongs beside `provider`: indent it less"));
    }
    let inside = INSIDE.iter().map(|(name, _)| *name);
    let Some(meant) = closest(written, KEYS.into_iter().chain(inside)) else { return Ok(()) };
    let Some((_, block)) = INSIDE.iter().find(|(name, _)| *name == meant) else {
        return Err(unknown_key(key, &KEYS));
    };
    let it = if written == meant { "it".to_owned() } else { format!("`{meant}`") };
    let message = format_args!("{} has no effect here", quoted(written));
    Err(custom_at(key.place, message, format_args!("{it} belongs under `{block}`")))
}

/// Parses `block` for the engine; `token` tells how each token is known to it.
///
/// # Errors
/// Everything that is wrong, each at its place.
pub fn parse(
    block: &Spanned<ProviderBlock>,
    profile: Profile,
    token: impl FnMut(&str) -> Token,
) -> Result<Config, Vec<Problem>> {
    let settings = settings(block, profile);
    let tokens = block.api_tokens.iter().flat_map(|tokens| tokens.iter());
    Config::parse(tokens.map(|token| token.as_str()).map(token).collect(), &settings)
        .map_err(|errors| errors.iter().map(|error| problem(block, error)).collect())
}

fn settings(block: &ProviderBlock, profile: Profile) -> Settings {
    let number = |written: Option<Whole>| written.map_or(0, u64::from);
    let place_free = |written: &Option<Spanned<Whole>>| number(written.as_ref().map(|written| written.value));
    let patterns = |written: &Option<Vec<Spanned<Pattern>>>| {
        written.iter().flatten().map(|pattern| pattern.value.0.clone()).collect()
    };
    let failover = block.failover.clone().unwrap_or_default().value;
    let retry = block.retry_on_failure.clone().unwrap_or_default();
    Settings {
        profile,
        failover: FailoverSettings {
            enabled: failover.enabled.unwrap_or_default(),
            failure_threshold: place_free(&failover.failure_threshold),
            success_threshold: place_free(&failover.success_threshold),
            health_check_interval: number(failover.health_check_interval),
            health_check_timeout: number(failover.health_check_timeout),
            health_check_model: failover.health_check_model.unwrap_or_default(),
            cooldown_duration: number(failover.cooldown_duration),
            failover_on_status: patterns(&failover.failover_on_status),
            on_reload: failover.on_reload.map(|word| match word {
                OnReloadWord::Keep => OnReload::Keep,
                OnReloadWord::Reset => OnReload::Reset,
            }),
        },
        retry_on_failure: RetrySettings {
            enabled: retry.enabled.unwrap_or_default(),
            max_retries: place_free(&retry.max_retries),
            retry_timeout: number(retry.retry_timeout),
            retry_on_status: patterns(&retry.retry_on_status),
        },
    }
}

/// What the engine says of a field, at the place where the field was written.
fn problem(block: &Spanned<ProviderBlock>, error: &ConfigError) -> Problem {
    let tokens = block.api_tokens.as_ref();
    let token =
        |index: usize| tokens.and_then(|tokens| tokens.get(index)).map_or(block.place, |token| token.place);
    match error {
        ConfigError::NoTokens => {
            let problem = Problem::new("expected at least one token, found none")
                .hint("`apiTokens: [sk-a, sk-b]` makes a pool of two");
            match tokens {
                Some(tokens) => problem.at(tokens.place),
                None => problem.at(block.place).label("needs `apiTokens`"),
            }
        }
        ConfigError::EmptyToken { index } => {
            Problem::new("expected a token, found nothing").at(token(*index)).hint("write it, or take the entry out")
        }
        ConfigError::DuplicateToken { first, second } | ConfigError::DuplicateLabel { first, second, .. } => {
            Problem::new("the same token stands twice in `apiTokens`")
                .at(token(*second))
                .label("again here")
                .also(token(*first), "first here")
                .hint("take one of the two out: a token cannot have double weight")
        }
        ConfigError::TooLarge { field, found, most } => {
            Problem::new(format!("expected a whole number up to {most}, found `{found}`")).at(number_place(block, *field))
        }
        ConfigError::NoRecovery => Problem::new(
            "neither `healthCheckModel` nor a positive `cooldownDuration` is set, so a token that is taken out could \
             never return",
        )
        .at(block.failover.as_ref().map_or(block.place, |failover| failover.place))
        .hint("add `cooldownDuration: 60000` to try it again after a minute"),
        ConfigError::Pattern { field, fault } => {
            let written = pattern_place(block, *field, fault.index);
            let pattern = quoted(&fault.pattern);
            Problem::new(format!("{pattern} is no pattern for statuses: {}", fault.reason))
                .at(within(written, fault))
                .label(format!("character {}", fault.character()))
                .hint("write a status such as `429`, `5.*` for all that begin with 5, or a name such as `timeout`")
        }
    }
}

/// The place of the fault in the pattern at `written`; all of the pattern if escapes hide where that is.
fn within(written: Place, fault: &PatternError) -> Place {
    let quote = match (written.end - written.start).checked_sub(fault.pattern.len()) {
        Some(0) => 0,
        Some(2) => 1,
        _ => return written,
    };
    let start = written.start + quote + fault.at.start;
    let column = written.column + quote + fault.character() - 1;
    // A bracket alone would be taken for the beginning of a list.
    let at_bracket = fault.pattern[fault.at.start..].starts_with(['[', '{']);
    let least = if at_bracket { 1 + quote } else { 1 };
    Place { column, start, end: start + fault.at.len().max(least), ..written }
}

fn number_place(block: &Spanned<ProviderBlock>, field: Field) -> Place {
    let failover = block.failover.as_ref();
    let retry = block.retry_on_failure.as_ref();
    let written = match field {
        Field::FailureThreshold => failover.and_then(|failover| failover.failure_threshold.as_ref()),
        Field::SuccessThreshold => failover.and_then(|failover| failover.success_threshold.as_ref()),
        Field::MaxRetries => retry.and_then(|retry| retry.max_retries.as_ref()),
        Field::FailoverOnStatus | Field::RetryOnStatus => None,
    };
    written.map_or(block.place, |written| written.place)
}

fn pattern_place(block: &Spanned<ProviderBlock>, field: Field, index: usize) -> Place {
    let patterns = match field {
        Field::RetryOnStatus => {
            block.retry_on_failure.as_ref().and_then(|retry| retry.retry_on_status.as_ref())
        }
        _ => block.failover.as_ref().and_then(|failover| failover.failover_on_status.as_ref()),
    };
    patterns.and_then(|patterns| patterns.get(index)).map_or(block.place, |pattern| pattern.place)
}
