//! Which token a request draws. How even the draw is, is counted in `properties`.

use std::collections::{BTreeMap, BTreeSet};

use firedrill_failover::{
    Attempt, Command, Duration, Instant, MemoryLog, NotSelectable, Pool, Random, Selection, TokenId, Worker,
    WorkerId,
};

use crate::script::{config, lists, status};

/// A worker and its log after the tokens of `failed` have failed once, in this order.
fn worker_after(rules: &str, failed: &[&str]) -> (MemoryLog, Worker) {
    let config = config(rules);
    let mut worker = Worker::new(WorkerId::new(1), Instant::ZERO, &config);
    let mut log = MemoryLog::new();
    worker.perform(&mut log, Duration::ZERO, Command::Join(config)).expect("memory");
    for label in failed {
        let token = worker.pool().find(label).expect("a token");
        let outcome = Command::Outcome { token, status: status(429), attempt: Attempt::First };
        worker.perform(&mut log, Duration::ZERO, outcome).expect("memory");
    }
    (log, worker)
}

fn pool(rules: &str, failed: &[&str]) -> Pool {
    worker_after(rules, failed).1.pool().clone()
}

/// What is ever drawn, `*` for a fallback.
fn drawn(pool: &Pool) -> String {
    let mut random = Random::new(7, 0);
    let label = |id| pool.token(id).expect("what is drawn is configured").label;
    let draws = (0..500).map(|_| pool.select(&mut random));
    let seen: BTreeSet<String> = draws
        .map(|drawn| format!("{}{}", label(drawn.token), if drawn.fallback { "*" } else { "" }))
        .collect();
    for (id, token) in pool.tokens() {
        let name = pool
            .selectable(id, &[])
            .ok()
            .map(|drawn| format!("{}{}", token.label, if drawn.fallback { "*" } else { "" }));
        let found = seen.iter().find(|name| name.trim_end_matches('*') == token.label);
        assert_eq!(name.as_ref(), found, "`selectable` says what `select` does");
    }
    seen.into_iter().collect::<Vec<_>>().join(" ")
}

#[track_caller]
fn check(rules: &str, failed: &[&str], expect: &str) {
    let pool = pool(rules, failed);
    assert_eq!(drawn(&pool), expect, "{}", lists(&pool));
}

const RULES: &str = "a b c; failureThreshold 1; cooldownDuration 100";

#[test]
fn only_available_tokens_are_drawn() {
    check(RULES, &[], "a b c");
    check(RULES, &["b"], "a c");
    check(RULES, &["b", "a"], "c");
}

#[test]
fn with_everything_unavailable_every_token_is_a_fallback() {
    check(RULES, &["b", "a", "c"], "a* b* c*");
    check("a; failureThreshold 1; cooldownDuration 100", &["a"], "a*");
}

#[test]
fn with_failover_off_every_token_is_drawn_and_none_as_a_fallback() {
    check("a b c; off", &["a", "b", "c"], "a b c");
    // Also those that were out when it was switched off.
    let (mut log, mut worker) = worker_after(RULES, &["a", "b", "c"]);
    assert_eq!(drawn(worker.pool()), "a* b* c*");
    let off = Command::Reconfigure(config("a b c; off"));
    worker.perform(&mut log, Duration::ZERO, off).expect("memory");
    assert_eq!(drawn(worker.pool()), "a b c");
}

#[test]
fn who_returned_is_drawn_again() {
    let (mut log, mut worker) = worker_after(RULES, &["a"]);
    assert_eq!(drawn(worker.pool()), "b c");
    worker.perform(&mut log, Duration::from_millis(100), Command::Tick).expect("memory");
    assert_eq!(drawn(worker.pool()), "a b c");
}

const FOUR: &str = "a b c d; failureThreshold 1; cooldownDuration 100";

/// For every set of tried tokens: what another draw may give, by hand.
#[test]
fn another_is_never_one_that_was_tried() {
    let mut off = worker_after(FOUR, &["b", "d"]);
    let switched = Command::Reconfigure(config("a b c d; off"));
    off.1.perform(&mut off.0, Duration::ZERO, switched).expect("memory");
    let failed = [&[][..], &["b"], &["b", "d"], &["d", "a", "b"], &["a", "b", "c", "d"]];
    for pool in failed.map(|failed| pool(FOUR, failed)).iter().chain([off.1.pool()]) {
        let ids: Vec<TokenId> = pool.tokens().map(|(id, _)| id).collect();
        for mask in 0..16_usize {
            let tried: Vec<TokenId> =
                (0..4).filter(|bit| mask & (1 << bit) != 0).map(|bit| ids[bit]).collect();
            another(pool, &tried);
            let twice: Vec<TokenId> = tried.iter().chain(&tried).copied().collect();
            another(pool, &twice);
            let with_one_that_went: Vec<TokenId> = tried.iter().copied().chain([stranger()]).collect();
            another(pool, &with_one_that_went);
        }
    }
}

/// What may be drawn is what was not tried of the first of these that is not used up: the available, the others.
/// [`Pool::select_another`] draws all of it and nothing else, and [`Pool::selectable`] tells it exactly.
#[track_caller]
fn another(pool: &Pool, tried: &[TokenId]) {
    let untried = |id: &TokenId| !tried.contains(id);
    let off = pool.policy().failover().is_none();
    let (mut expect, fallback) = match pool.available().filter(untried).collect::<BTreeSet<TokenId>>() {
        available if available.is_empty() => (BTreeSet::new(), !off),
        available => (available, false),
    };
    if off || fallback {
        expect.extend(pool.unavailable().filter(untried));
    }
    let mut random = Random::new(3, 9);
    let mut seen: BTreeMap<TokenId, Selection> = BTreeMap::new();
    for _ in 0..200 {
        let drawn = pool.select_another(&mut random, tried);
        assert_eq!(drawn.is_none(), expect.is_empty(), "nothing is drawn only if everything was tried");
        let Some(drawn) = drawn else { break };
        assert_eq!(drawn.fallback, fallback);
        seen.insert(drawn.token, drawn);
    }
    assert_eq!(seen.keys().copied().collect::<BTreeSet<_>>(), expect, "each is drawn at some time");
    for token in pool.tokens().map(|(id, _)| id).chain([stranger()]) {
        let selectable = pool.selectable(token, tried);
        assert_eq!(selectable.ok(), seen.get(&token).copied(), "`selectable` agrees");
        let why = match (pool.token(token), tried.contains(&token)) {
            (None, _) => NotSelectable::NotConfigured,
            (Some(_), true) => NotSelectable::Tried,
            (Some(_), false) => NotSelectable::Unavailable,
        };
        assert!(selectable.is_ok() || selectable == Err(why), "{selectable:?}");
    }
}

/// The id of a token that is configured in no pool here.
fn stranger() -> TokenId {
    Pool::new(&config("x y z; off")).find("x").expect("a token")
}

#[test]
fn a_fallback_can_be_drawn_once_every_available_token_was_tried() {
    let pool = pool(RULES, &["b"]);
    let [a, b, c] = ["a", "b", "c"].map(|label| pool.find(label).expect("a token"));
    let selectable = |token, tried: &[TokenId]| pool.selectable(token, tried).map(|drawn| drawn.fallback);
    assert_eq!(selectable(a, &[]), Ok(false));
    assert_eq!(selectable(b, &[]), Err(NotSelectable::Unavailable), "two are available");
    assert_eq!(selectable(b, &[a]), Err(NotSelectable::Unavailable), "one is available and was not tried");
    assert_eq!(selectable(b, &[c, a, c]), Ok(true));
    assert_eq!(selectable(b, &[c, a, b]), Err(NotSelectable::Tried), "it was tried itself");
    assert_eq!(selectable(a, &[c]), Ok(false));
    assert_eq!(selectable(a, &[a]), Err(NotSelectable::Tried));
    assert_eq!(pool.select_this("a", &[c]).map(|drawn| drawn.token), Ok(a));
    assert_eq!(pool.select_this("x", &[]), Err(NotSelectable::NotConfigured));
}

#[test]
fn with_failover_off_another_is_any_that_was_not_tried() {
    let pool = pool("a b; off", &[]);
    let ids: Vec<TokenId> = pool.tokens().map(|(id, _)| id).collect();
    let mut random = Random::new(1, 1);
    let drawn = pool.select_another(&mut random, &ids[..1]).expect("one is left");
    assert_eq!((drawn.token, drawn.fallback), (ids[1], false));
    assert_eq!(pool.select_another(&mut random, &ids), None);
}

#[test]
fn tried_tokens_that_went_since_are_not_in_the_way() {
    let before = pool(RULES, &[]);
    let mut random = Random::new(1, 1);
    for _ in 0..50 {
        assert!(before.select_another(&mut random, &[stranger()]).is_some());
    }
}

#[test]
fn one_seed_draws_the_same_tokens() {
    let pool = pool(RULES, &["b"]);
    let draws = |seed| {
        let mut random = Random::new(seed, 4);
        (0..64).map(|_| pool.select(&mut random).token).collect::<Vec<TokenId>>()
    };
    assert_eq!(draws(11), draws(11));
    assert_ne!(draws(11), draws(12));
}
