//! The engine's state as the model tells its own, for comparing the two.

use firedrill_failover::{Pool, TokenId};

/// The engine's state in the words of `Model::shown`.
pub(crate) fn shown(pool: &Pool) -> String {
    let show = |id: TokenId| {
        let token = pool.token(id).expect("a listed token is configured");
        let since = token.unavailable_since.map_or("-".into(), |since| since.as_millis().to_string());
        format!("{} {} {} {since}", token.label, token.failures, token.successes)
    };
    let available: Vec<String> = pool.available().map(show).collect();
    let unavailable: Vec<String> = pool.unavailable().map(show).collect();
    format!("[{}] [{}]", available.join(", "), unavailable.join(", "))
}
