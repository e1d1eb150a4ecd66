//! Configuration: what a provider block says, parsed into what the engine runs on.
//!
//! [`Settings`] is the block as written: Higress's own names, where 0, an empty text, an empty list or an absent
//! key means the default. [`Config::parse`] turns it into a [`Config`], and there is no other way to have one: an
//! engine cannot be made from a wrong configuration. What is wrong is told by [`Field`], so that a shell that
//! knows where each field was written can point there.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::num::NonZeroU32;

use serde::{Deserialize, Serialize};

use crate::fingerprint::Fingerprint;
use crate::status::{PatternError, Status, StatusSet};
use crate::time::{Duration, Instant};

/// Which reading of the rules a pool runs under; `docs/higress.md` has the table of what differs.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Profile {
    /// As the reference does: for a provider block that is pasted from Higress.
    Higress,
    /// firedrill's own reading, and the default.
    #[default]
    Standard,
}

/// What a change of configuration does to the state of the tokens that stay.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnReload {
    /// What stays, by fingerprint, keeps its state. The default of [`Profile::Standard`].
    Keep,
    /// Everything is forgotten. The default of [`Profile::Higress`].
    Reset,
}

/// A token as the engine knows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Token {
    /// What people see in logs and pages; not empty, and different for every token of a pool.
    pub label: Box<str>,
    /// What tells it from others, also after a change of configuration.
    pub fingerprint: Fingerprint,
}

/// A provider block as written. `Settings::default()` is the empty block.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// Which reading of the rules.
    pub profile: Profile,
    /// The block's `failover`.
    pub failover: FailoverSettings,
    /// The block's `retryOnFailure`.
    pub retry_on_failure: RetrySettings,
}

/// Higress's `failover`. In every field 0, empty or `None` means the default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FailoverSettings {
    /// `enabled`; default false.
    pub enabled: bool,
    /// `failureThreshold`: consecutive failures that take a token out; default 3.
    pub failure_threshold: u64,
    /// `successThreshold`: health-check successes that bring it back; default 1.
    pub success_threshold: u64,
    /// `healthCheckInterval`: milliseconds between two ticks; default 5000.
    pub health_check_interval: u64,
    /// `healthCheckTimeout`: milliseconds that a probe may take; default 5000.
    pub health_check_timeout: u64,
    /// `healthCheckModel`: with it, unavailable tokens are probed at each tick.
    pub health_check_model: String,
    /// `cooldownDuration`: milliseconds after which an unavailable token returns at a tick; 0 for never.
    pub cooldown_duration: u64,
    /// `failoverOnStatus`: regular expressions for statuses and for the names of failures; default `["4.*", "5.*"]`.
    pub failover_on_status: Vec<String>,
    /// `onReload`, which is firedrill's own; the default is the profile's.
    pub on_reload: Option<OnReload>,
}

/// Higress's `retryOnFailure`. In every field 0 or empty means the default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RetrySettings {
    /// `enabled`; default false.
    pub enabled: bool,
    /// `maxRetries`: further attempts after the first; default 1.
    pub max_retries: u64,
    /// `retryTimeout`: milliseconds that the whole request may take; default 30000.
    pub retry_timeout: u64,
    /// `retryOnStatus`: regular expressions; default `["4.*", "5.*"]`.
    pub retry_on_status: Vec<String>,
}

/// What a pool runs on: its tokens, and the policy for them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    tokens: Vec<Token>,
    /// Boxed, for a command may hold a configuration, and many commands are kept of which hardly any does.
    policy: Box<Policy>,
}

impl Config {
    /// Parses `settings` for `tokens`.
    ///
    /// # Errors
    /// Everything that is wrong, in the order of the fields of [`Settings`], tokens first.
    ///
    /// ```
    /// use firedrill_failover::{Config, FailoverSettings, Fingerprint, Settings, Token};
    /// let token = Token { label: "primary".into(), fingerprint: Fingerprint::new(1) };
    /// let failover = FailoverSettings { enabled: true, ..FailoverSettings::default() };
    /// let errors = Config::parse(vec![token], &Settings { failover, ..Settings::default() }).unwrap_err();
    /// assert_eq!(
    ///     errors[0].to_string(),
    ///     "failover: neither `healthCheckModel` nor a positive `cooldownDuration` is set, so a token that is taken out could never return"
    /// );
    /// ```
    pub fn parse(tokens: Vec<Token>, settings: &Settings) -> Result<Self, Vec<ConfigError>> {
        let mut errors = check_tokens(&tokens);
        let policy = Box::new(Policy::parse(settings, &mut errors));
        if errors.is_empty() { Ok(Self { tokens, policy }) } else { Err(errors) }
    }

    /// The tokens, in the order of the block. At least one.
    pub fn tokens(&self) -> &[Token] {
        &self.tokens
    }

    /// The policy.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    pub(crate) fn from_parts(tokens: Vec<Token>, policy: Policy) -> Result<Self, Vec<ConfigError>> {
        let errors = check_tokens(&tokens);
        if errors.is_empty() { Ok(Self { tokens, policy: Box::new(policy) }) } else { Err(errors) }
    }
}

fn check_tokens(tokens: &[Token]) -> Vec<ConfigError> {
    let mut errors = Vec::new();
    if tokens.is_empty() {
        errors.push(ConfigError::NoTokens);
    }
    let (mut fingerprints, mut labels) = (BTreeMap::new(), BTreeMap::new());
    for (index, token) in tokens.iter().enumerate() {
        if token.label.is_empty() {
            errors.push(ConfigError::EmptyToken { index });
        } else if let Some(&first) = fingerprints.get(&token.fingerprint) {
            errors.push(ConfigError::DuplicateToken { first, second: index });
        } else if let Some(&first) = labels.get(&token.label) {
            errors.push(ConfigError::DuplicateLabel { label: token.label.clone(), first, second: index });
        }
        fingerprints.entry(token.fingerprint).or_insert(index);
        labels.entry(&token.label).or_insert(index);
    }
    errors
}

/// The rules of a pool, parsed: what cannot be meant cannot be said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Policy {
    pub(crate) profile: Profile,
    pub(crate) on_reload: OnReload,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) failover: Option<Failover>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) retry_on_failure: Option<Retry>,
}

impl Policy {
    /// Checks every field, also of what is switched off: a typo should not wait for the day it is switched on. What is
    /// wrong is added to `errors`, and then the policy is good for nothing.
    fn parse(settings: &Settings, errors: &mut Vec<ConfigError>) -> Self {
        let profile = settings.profile;
        let failover = Failover::parse(&settings.failover, profile, errors);
        let retry_on_failure = Retry::parse(&settings.retry_on_failure, profile, errors);
        let on_reload = settings.failover.on_reload.unwrap_or(match profile {
            Profile::Higress => OnReload::Reset,
            Profile::Standard => OnReload::Keep,
        });
        Self {
            profile,
            on_reload,
            failover: failover.filter(|_| settings.failover.enabled),
            retry_on_failure: retry_on_failure.filter(|_| settings.retry_on_failure.enabled),
        }
    }

    /// Which reading of the rules.
    pub fn profile(&self) -> Profile {
        self.profile
    }

    /// Whether the answer to a retry counts as the answer to a first attempt does.
    pub fn counts_retries(&self) -> bool {
        self.profile == Profile::Standard
    }

    /// What a change of configuration does to the tokens that stay.
    pub fn on_reload(&self) -> OnReload {
        self.on_reload
    }

    /// The failover rules; `None` if failover is off.
    pub fn failover(&self) -> Option<&Failover> {
        self.failover.as_ref()
    }

    /// The retry rules; `None` if retries are off.
    pub fn retry(&self) -> Option<&Retry> {
        self.retry_on_failure.as_ref()
    }

    /// Whether `status` is a success: 200 for [`Profile::Higress`], any 2xx for [`Profile::Standard`].
    pub fn is_success(&self, status: Status) -> bool {
        match self.profile {
            Profile::Higress => status.code() == 200,
            Profile::Standard => status.code() / 100 == 2,
        }
    }
}

/// The failover rules of a pool that has failover on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "FailoverFields", into = "FailoverFields")]
pub struct Failover {
    failure_threshold: NonZeroU32,
    success_threshold: NonZeroU32,
    health_check_interval: Duration,
    recovery: Recovery,
    on_status: StatusSet,
}

/// How a token returns. There is no fourth way and no way to have none.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Recovery {
    Cooldown(Duration),
    HealthCheck(HealthCheck),
    Both(Duration, HealthCheck),
}

/// How an unavailable token is probed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealthCheck {
    /// The model that a probe asks for; not empty.
    pub model: Box<str>,
    /// How long a probe may take.
    pub timeout: Duration,
}

impl Failover {
    /// The reference's `failureThreshold` when none is written.
    pub const DEFAULT_FAILURE_THRESHOLD: NonZeroU32 = NonZeroU32::new(3).unwrap();
    /// The reference's `successThreshold` when none is written.
    pub const DEFAULT_SUCCESS_THRESHOLD: NonZeroU32 = NonZeroU32::MIN;
    /// The reference's `healthCheckInterval` when none is written.
    pub const DEFAULT_INTERVAL: Duration = Duration::from_secs(5);
    /// The reference's `healthCheckTimeout` when none is written.
    pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(5);
    /// The reference's `failoverOnStatus` and `retryOnStatus` when none are written.
    pub const DEFAULT_ON_STATUS: [&'static str; 2] = ["4.*", "5.*"];

    /// `None` if something is wrong, or if failover is off and there is no way for a token to return.
    fn parse(settings: &FailoverSettings, profile: Profile, errors: &mut Vec<ConfigError>) -> Option<Self> {
        let failure_threshold = threshold(
            Field::FailureThreshold,
            settings.failure_threshold,
            Self::DEFAULT_FAILURE_THRESHOLD,
            errors,
        );
        let success_threshold = threshold(
            Field::SuccessThreshold,
            settings.success_threshold,
            Self::DEFAULT_SUCCESS_THRESHOLD,
            errors,
        );
        let health_check = (!settings.health_check_model.is_empty()).then(|| HealthCheck {
            model: settings.health_check_model.as_str().into(),
            timeout: or_default(settings.health_check_timeout, Self::DEFAULT_TIMEOUT),
        });
        let recovery = Recovery::new(Duration::from_millis(settings.cooldown_duration), health_check);
        if recovery.is_none() && settings.enabled {
            errors.push(ConfigError::NoRecovery);
        }
        let on_status = patterns(&settings.failover_on_status, profile)
            .map_err(|fault| errors.push(ConfigError::Pattern { field: Field::FailoverOnStatus, fault }));
        Some(Self {
            failure_threshold: failure_threshold?,
            success_threshold: success_threshold?,
            health_check_interval: or_default(settings.health_check_interval, Self::DEFAULT_INTERVAL),
            recovery: recovery?,
            on_status: on_status.ok()?,
        })
    }

    /// Consecutive failures that take a token out.
    pub fn failure_threshold(&self) -> NonZeroU32 {
        self.failure_threshold
    }

    /// Health-check successes that bring it back.
    pub fn success_threshold(&self) -> NonZeroU32 {
        self.success_threshold
    }

    /// Time between two ticks; never zero.
    pub fn health_check_interval(&self) -> Duration {
        self.health_check_interval
    }

    /// How unavailable tokens are probed, if they are.
    pub fn health_check(&self) -> Option<&HealthCheck> {
        match &self.recovery {
            Recovery::Cooldown(_) => None,
            Recovery::HealthCheck(check) | Recovery::Both(_, check) => Some(check),
        }
    }

    /// How long a token stays out before a tick brings it back, if it does; never zero.
    pub fn cooldown(&self) -> Option<Duration> {
        match self.recovery {
            Recovery::HealthCheck(_) => None,
            Recovery::Cooldown(cooldown) | Recovery::Both(cooldown, _) => Some(cooldown),
        }
    }

    /// The statuses that count as failures, unless they are successes.
    pub fn on_status(&self) -> &StatusSet {
        &self.on_status
    }
}

impl Recovery {
    fn new(cooldown: Duration, health_check: Option<HealthCheck>) -> Option<Self> {
        match (cooldown, health_check) {
            (Duration::ZERO, None) => None,
            (Duration::ZERO, Some(check)) => Some(Self::HealthCheck(check)),
            (cooldown, None) => Some(Self::Cooldown(cooldown)),
            (cooldown, Some(check)) => Some(Self::Both(cooldown, check)),
        }
    }
}

/// The retry rules of a pool that has retries on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Retry {
    max_retries: NonZeroU32,
    #[serde(rename = "retryTimeout", deserialize_with = "positive")]
    timeout: Duration,
    #[serde(rename = "retryOnStatus")]
    on_status: StatusSet,
}

impl Retry {
    /// The reference's `maxRetries` when none is written.
    pub const DEFAULT_MAX_RETRIES: NonZeroU32 = NonZeroU32::MIN;
    /// The reference's `retryTimeout` when none is written.
    pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);

    fn parse(settings: &RetrySettings, profile: Profile, errors: &mut Vec<ConfigError>) -> Option<Self> {
        let max_retries =
            threshold(Field::MaxRetries, settings.max_retries, Self::DEFAULT_MAX_RETRIES, errors);
        let on_status = patterns(&settings.retry_on_status, profile)
            .map_err(|fault| errors.push(ConfigError::Pattern { field: Field::RetryOnStatus, fault }));
        Some(Self {
            max_retries: max_retries?,
            timeout: or_default(settings.retry_timeout, Self::DEFAULT_TIMEOUT),
            on_status: on_status.ok()?,
        })
    }

    /// Whether a request that began at `began`, was answered `status` now and has been retried `retries` times
    /// may be tried once more.
    pub fn allows(&self, status: Status, retries: u32, began: Instant, now: Instant) -> bool {
        self.on_status.contains(status)
            && retries < self.max_retries.get()
            && self.left(began, now) > Duration::ZERO
    }

    /// What is left now of `retryTimeout` for a request that began at `began`: the next attempt has no longer for the headers of
    /// its answer. Zero if it is spent.
    pub fn left(&self, began: Instant, now: Instant) -> Duration {
        Duration::from_millis(self.timeout.as_millis().saturating_sub(now.since(began).as_millis()))
    }
}

fn or_default(millis: u64, default: Duration) -> Duration {
    if millis == 0 { default } else { Duration::from_millis(millis) }
}

fn threshold(
    field: Field,
    written: u64,
    default: NonZeroU32,
    errors: &mut Vec<ConfigError>,
) -> Option<NonZeroU32> {
    let Ok(written) = u32::try_from(written) else {
        errors.push(ConfigError::TooLarge { field, found: written, most: u32::MAX });
        return None;
    };
    Some(NonZeroU32::new(written).unwrap_or(default))
}

fn patterns(written: &[String], profile: Profile) -> Result<StatusSet, PatternError> {
    if written.is_empty() {
        return Ok(StatusSet::default_for(profile));
    }
    StatusSet::matching(written.iter().map(String::as_str), profile)
}

fn positive<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let duration = Duration::deserialize(deserializer)?;
    if duration == Duration::ZERO {
        return Err(serde::de::Error::custom("a duration is at least 1"));
    }
    Ok(duration)
}

/// A field of a provider block, for pointing at it.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Field {
    /// `failover.failureThreshold`
    FailureThreshold,
    /// `failover.successThreshold`
    SuccessThreshold,
    /// `failover.failoverOnStatus`
    FailoverOnStatus,
    /// `retryOnFailure.maxRetries`
    MaxRetries,
    /// `retryOnFailure.retryOnStatus`
    RetryOnStatus,
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::FailureThreshold => "failover.failureThreshold",
            Self::SuccessThreshold => "failover.successThreshold",
            Self::FailoverOnStatus => "failover.failoverOnStatus",
            Self::MaxRetries => "retryOnFailure.maxRetries",
            Self::RetryOnStatus => "retryOnFailure.retryOnStatus",
        })
    }
}

/// Why a block is no configuration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// There is no token. Remedy: list at least one.
    #[error("apiTokens: expected at least one token, found none")]
    NoTokens,
    /// A token is empty. Remedy: write it, or take the entry out.
    #[error("apiTokens[{index}]: expected a token, found nothing")]
    EmptyToken {
        /// Which entry, from 0.
        index: usize,
    },
    /// The same token stands twice. Remedy: take one of the two entries out.
    #[error("apiTokens[{second}]: the same token as apiTokens[{first}]")]
    DuplicateToken {
        /// Where it stands first, from 0.
        first: usize,
        /// Where it stands again, from 0.
        second: usize,
    },
    /// Two tokens have one label. Remedy: name them apart.
    #[error("apiTokens[{second}]: the label `{label}` is already that of apiTokens[{first}]")]
    DuplicateLabel {
        /// The label.
        label: Box<str>,
        /// Where it stands first, from 0.
        first: usize,
        /// Where it stands again, from 0.
        second: usize,
    },
    /// A number is out of range. Remedy: write at most `most`.
    #[error("{field}: expected at most {most}, found {found}")]
    TooLarge {
        /// Which field.
        field: Field,
        /// The number written.
        found: u64,
        /// The highest that is accepted.
        most: u32,
    },
    /// Failover is on and no token could ever return. Remedy: set one of the two fields.
    #[error(
        "failover: neither `healthCheckModel` nor a positive `cooldownDuration` is set, so a token that is taken \
         out could never return"
    )]
    NoRecovery,
    /// A status pattern is not a regular expression. Remedy: mend it.
    #[error("{field}[{}]: {fault}", fault.index)]
    Pattern {
        /// Which list.
        field: Field,
        /// Which pattern of it, where, and what is wrong.
        fault: PatternError,
    },
}

/// [`Failover`] as a log writes it: Higress's names, with the patterns resolved.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct FailoverFields {
    failure_threshold: NonZeroU32,
    success_threshold: NonZeroU32,
    health_check_interval: Duration,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    health_check_timeout: Option<Duration>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    health_check_model: Option<Box<str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cooldown_duration: Option<Duration>,
    failover_on_status: StatusSet,
}

impl From<Failover> for FailoverFields {
    fn from(failover: Failover) -> Self {
        let check = failover.health_check().cloned();
        Self {
            failure_threshold: failover.failure_threshold,
            success_threshold: failover.success_threshold,
            health_check_interval: failover.health_check_interval,
            health_check_timeout: check.as_ref().map(|check| check.timeout),
            health_check_model: check.map(|check| check.model),
            cooldown_duration: failover.cooldown(),
            failover_on_status: failover.on_status,
        }
    }
}

impl TryFrom<FailoverFields> for Failover {
    type Error = &'static str;

    fn try_from(fields: FailoverFields) -> Result<Self, &'static str> {
        let durations =
            [Some(fields.health_check_interval), fields.health_check_timeout, fields.cooldown_duration];
        if durations.contains(&Some(Duration::ZERO)) {
            return Err("a duration is at least 1");
        }
        let health_check = match (fields.health_check_model, fields.health_check_timeout) {
            (Some(model), Some(timeout)) if !model.is_empty() => Some(HealthCheck { model, timeout }),
            (None, None) => None,
            _ => return Err("`healthCheckModel` and `healthCheckTimeout` go together"),
        };
        let recovery = Recovery::new(fields.cooldown_duration.unwrap_or_default(), health_check)
            .ok_or("there is neither a `healthCheckModel` nor a positive `cooldownDuration`")?;
        Ok(Self {
            failure_threshold: fields.failure_threshold,
            success_threshold: fields.success_threshold,
            health_check_interval: fields.health_check_interval,
            recovery,
            on_status: fields.failover_on_status,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;
    use alloc::vec;

    fn tokens(labels: &[&str]) -> Vec<Token> {
        let fingerprint = |label: &str| Fingerprint::new(label.bytes().map(u64::from).sum());
        labels.iter().map(|label| Token { label: (*label).into(), fingerprint: fingerprint(label) }).collect()
    }

    fn enabled(change: impl FnOnce(&mut FailoverSettings)) -> Settings {
        let mut failover =
            FailoverSettings { enabled: true, cooldown_duration: 100, ..FailoverSettings::default() };
        change(&mut failover);
        Settings { failover, ..Settings::default() }
    }

    #[track_caller]
    fn check_refused(labels: &[&str], settings: &Settings, expect: &[&str]) {
        let errors = Config::parse(tokens(labels), settings).expect_err("a wrong block");
        assert_eq!(errors.iter().map(ToString::to_string).collect::<Vec<_>>(), expect);
    }

    #[track_caller]
    fn check_accepted(settings: &Settings) -> Config {
        Config::parse(tokens(&["a", "b"]), settings).expect("a right block")
    }

    #[test]
    fn nothing_written_means_the_defaults() {
        let config = check_accepted(&enabled(|_| {}));
        let failover = config.policy().failover().expect("failover is on");
        assert_eq!(failover.failure_threshold().get(), 3);
        assert_eq!(failover.success_threshold().get(), 1);
        assert_eq!(failover.health_check_interval(), Duration::from_millis(5_000));
        assert_eq!(failover.health_check(), None);
        assert_eq!(failover.on_status().to_string(), "400-599");
        assert_eq!(config.policy().on_reload(), OnReload::Keep);
        assert_eq!(config.policy().retry(), None);

        let config = check_accepted(&Settings::default());
        assert_eq!(config.policy().failover(), None, "failover is off unless it is switched on");
    }

    #[test]
    fn a_health_check_times_out_after_five_seconds_unless_told_otherwise() {
        let config = check_accepted(&enabled(|failover| failover.health_check_model = "m".into()));
        let check = config.policy().failover().and_then(Failover::health_check).expect("a health check");
        assert_eq!((&*check.model, check.timeout.as_millis()), ("m", 5_000));
    }

    #[test]
    fn every_wrong_field_is_named() {
        check_refused(&[], &enabled(|_| {}), &["apiTokens: expected at least one token, found none"]);
        check_refused(&["a", ""], &enabled(|_| {}), &["apiTokens[1]: expected a token, found nothing"]);
        check_refused(&["a", "b", "a"], &enabled(|_| {}), &["apiTokens[2]: the same token as apiTokens[0]"]);
        check_refused(
            &["a", "a"],
            &enabled(|failover| {
                failover.failure_threshold = 1 << 32;
                failover.cooldown_duration = 0;
                failover.failover_on_status = vec!["429".into(), "4[".into()];
            }),
            &[
                "apiTokens[1]: the same token as apiTokens[0]",
                "failover.failureThreshold: expected at most 4294967295, found 4294967296",
                "failover: neither `healthCheckModel` nor a positive `cooldownDuration` is set, so a token that \
                 is taken out could never return",
                "failover.failoverOnStatus[1]: unclosed character class (character 2 of `4[`)",
            ],
        );
    }

    #[test]
    fn one_label_for_two_tokens_is_refused() {
        let twice = vec![
            Token { label: "a".into(), fingerprint: Fingerprint::new(1) },
            Token { label: "a".into(), fingerprint: Fingerprint::new(2) },
        ];
        let errors = Config::parse(twice, &Settings::default()).expect_err("one label twice");
        assert_eq!(errors[0].to_string(), "apiTokens[1]: the label `a` is already that of apiTokens[0]");
    }

    #[test]
    fn a_retry_needs_a_matching_status_a_retry_left_and_time_left() {
        let retry_on_failure = RetrySettings { enabled: true, max_retries: 2, ..RetrySettings::default() };
        let config = check_accepted(&Settings { retry_on_failure, ..Settings::default() });
        let retry = config.policy().retry().expect("retries are on");
        let (began, status) = (Instant::from_millis(7), |code| Status::new(code).expect("a status"));
        let at = |millis| began + Duration::from_millis(millis);
        assert!(retry.allows(status(503), 1, began, at(29_999)));
        assert!(!retry.allows(status(503), 2, began, began), "both retries are used up");
        assert!(!retry.allows(status(503), 0, began, at(30_000)), "the time is used up");
        assert!(!retry.allows(status(302), 0, began, began), "the status does not match");
        assert_eq!(retry.left(began, at(29_999)), Duration::from_millis(1));
        assert_eq!(retry.left(began, at(70_000)), Duration::ZERO);
    }
}
