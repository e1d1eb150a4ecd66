//! What takes effect at a start only: how it is known that it changed.

use std::fmt::Debug;

use firedrill_failover::Fingerprint;

use super::{LogFormat, StoreSetting};
use crate::secret::Secret;
use crate::settings::Settings;

/// What takes effect at a start only, each with what stands for its value.
pub(super) fn fixed(
    settings: &Settings,
    name: &str,
    store: &StoreSetting,
    log: LogFormat,
) -> Vec<(&'static str, Fingerprint)> {
    let of = |value: &dyn Debug| firedrill_block::fingerprint(&format!("{value:?}"));
    let secret = |secret: Option<&Secret>| secret.map(|secret| firedrill_block::fingerprint(secret.expose()));
    let url = match store {
        StoreSetting::Redis { url, .. } => Some(url),
        _ => None,
    };
    vec![
        ("pool", of(&name)),
        ("type", of(&settings.vendor)),
        ("upstream", of(&settings.upstream)),
        ("upstreamCa", of(&settings.roots.0)),
        ("listen", of(&settings.listen)),
        ("admin", of(&(settings.admin, secret(settings.admin_token.as_ref())))),
        ("store", of(&(store, secret(url)))),
        ("limits", of(&settings.limits)),
        ("log", of(&log)),
    ]
}
