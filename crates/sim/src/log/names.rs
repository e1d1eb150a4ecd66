//! Between the engine's terms and the names of a world: configurations in, views and events out. No rule is here.

use firedrill_failover::{
    Config, Event, FailoverSettings, Fingerprint, OnReload, Pool, Profile, RestoredBy, Settings,
    Token as Configured, TokenId,
};

use crate::command::Token;
use crate::protocol::Deed;
use crate::setting::{self, Setting};
use crate::view::View;

/// A configuration with these tokens and the rules of `setting`.
pub(super) fn config(setting: &Setting, tokens: &[Token]) -> Config {
    let failover = FailoverSettings {
        enabled: true,
        failure_threshold: setting.failure_threshold.into(),
        success_threshold: setting.success_threshold.into(),
        cooldown_duration: setting.cooldown,
        on_reload: Some(if setting.reload_resets { OnReload::Reset } else { OnReload::Keep }),
        health_check_model: if setting.health_check { "probe".into() } else { String::new() },
        ..FailoverSettings::default()
    };
    let token = |token: &Token| Configured {
        label: token.to_string().into(),
        fingerprint: Fingerprint::new(u64::from(token.0) + 1),
    };
    let profile = match setting.profile {
        setting::Profile::Standard => Profile::Standard,
        setting::Profile::Higress => Profile::Higress,
    };
    let settings = Settings { profile, failover, ..Settings::default() };
    Config::parse(tokens.iter().map(token).collect(), &settings)
        .expect("broken invariant: a world has tokens, and a cooldown or a health check")
}

fn token(label: &str) -> Option<Token> {
    label.bytes().next()?.checked_sub(b'a').map(Token)
}

pub(super) fn named(pool: &Pool, id: TokenId) -> Option<Token> {
    token(pool.token(id)?.label)
}

pub(super) fn tokens_of(config: &Config) -> Vec<Token> {
    config.tokens().iter().filter_map(|configured| token(&configured.label)).collect()
}

/// The tokens of a pool, whatever list they are in.
pub(super) fn tokens_in(pool: &Pool) -> Vec<Token> {
    pool.tokens().filter_map(|(id, _)| named(pool, id)).collect()
}

pub(super) fn view(pool: &Pool) -> View {
    let mut view = View {
        available: pool.available().filter_map(|id| named(pool, id)).collect(),
        unavailable: pool.unavailable().filter_map(|id| named(pool, id)).collect(),
        ..View::default()
    };
    for (_, state) in pool.tokens() {
        let Some(token) = token(state.label) else { continue };
        if state.failures > 0 {
            view.failures.insert(token, state.failures);
        }
        if state.successes > 0 {
            view.successes.insert(token, state.successes);
        }
        if let Some(since) = state.unavailable_since {
            view.since.insert(token, since.as_millis());
        }
    }
    view
}

pub(super) fn names(events: &[Event]) -> String {
    events.iter().map(Event::name).collect::<Vec<_>>().join(", ")
}

/// An event in names; `None` if its token is not configured, which no good log says.
pub(super) fn deed(pool: &Pool, event: &Event) -> Option<Deed> {
    Some(match *event {
        Event::Configured(ref configured) => {
            Deed::Configured(tokens_of(&configured.config), configured.reset)
        }
        Event::Failed { token, failures, .. } => Deed::Failed(named(pool, token)?, failures),
        Event::Removed { token, failures, .. } => Deed::Removed(named(pool, token)?, failures),
        Event::TakenOut { token } => Deed::TakenOut(named(pool, token)?),
        Event::Reset { token } => Deed::Reset(named(pool, token)?),
        Event::Restored { token, by: RestoredBy::Operator } => Deed::PutBack(named(pool, token)?),
        Event::NoneAvailable => Deed::NoneAvailable,
        Event::Succeeded { token } => Deed::Succeeded(named(pool, token)?),
        Event::Restored { token, by: RestoredBy::Cooldown } => Deed::CooledDown(named(pool, token)?),
        Event::Restored { token, by: RestoredBy::HealthCheck { probe } } => {
            Deed::Healthy(named(pool, token)?, probe)
        }
        Event::LeaseTaken { until } => Deed::LeaseTaken(until.as_millis()),
        Event::ProbeSent { token, probe } => Deed::ProbeSent(named(pool, token)?, probe),
        Event::ProbePassed { token, probe, successes } => {
            Deed::ProbePassed(named(pool, token)?, probe, successes)
        }
        Event::ProbeFailed { token, probe, successes, .. } => {
            Deed::ProbeFailed(named(pool, token)?, probe, successes)
        }
    })
}
