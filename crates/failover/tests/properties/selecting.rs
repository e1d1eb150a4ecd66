//! How evenly tokens are drawn, by counting the draws of many seeds. The seeds are fixed, so the counts are exact.

use firedrill_failover::{
    Attempt, Command, Config, Entry, FailoverSettings, Fingerprint, Instant, Pool, Random, Settings, Status,
    Token, TokenId, WorkerId,
};

/// A pool of `tokens` tokens, the first `out` of which have failed.
fn pool(tokens: u64, out: usize) -> Pool {
    let failover = FailoverSettings {
        enabled: true,
        failure_threshold: 1,
        cooldown_duration: 100,
        ..FailoverSettings::default()
    };
    let token =
        |bits: u64| Token { label: format!("token-{bits}").into(), fingerprint: Fingerprint::new(bits) };
    let settings = Settings { failover, ..Settings::default() };
    let config = Config::parse((0..tokens).map(token).collect(), &settings).expect("good rules");
    let mut pool = Pool::new(&config);
    perform(&mut pool, &Command::Join(config));
    let failing: Vec<TokenId> = pool.available().take(out).collect();
    let status = Status::new(429).expect("a status");
    for token in failing {
        perform(&mut pool, &Command::Outcome { token, status, attempt: Attempt::First });
    }
    pool
}

fn perform(pool: &mut Pool, command: &Command) {
    let (by, at) = (WorkerId::new(1), Instant::ZERO);
    let events = pool.decide(by, at, command);
    pool.apply(&Entry { version: pool.version().next(), at, by, proposal: 1, events: events.into() });
}

/// Draws once with each of many seeds and counts. Of `n` even draws to `k` tokens, a count is further than five
/// standard deviations from `n / k` less than once in a million.
#[track_caller]
fn even(candidates: &[TokenId], draw: impl Fn(&mut Random) -> TokenId) {
    const DRAWS: u64 = 10_000;
    let mut counts = vec![0_u64; candidates.len()];
    for seed in 0..DRAWS {
        let drawn = draw(&mut Random::new(seed, 1));
        let place = candidates.iter().position(|id| *id == drawn);
        counts[place.expect("what is drawn is a candidate")] += 1;
    }
    let expect = DRAWS / candidates.len() as u64;
    for count in counts {
        let off = count.abs_diff(expect);
        assert!(off * off <= 25 * expect, "{count} draws instead of {expect}");
    }
}

#[test]
fn draws_are_even_among_the_available_and_never_outside() {
    for (tokens, out) in [(1, 0), (2, 0), (3, 1), (7, 0), (7, 3), (10, 9), (64, 13)] {
        let pool = pool(tokens, out);
        let available: Vec<TokenId> = pool.available().collect();
        even(&available, |random| pool.select(random).token);
    }
}

#[test]
fn fallbacks_are_even_among_the_unavailable() {
    for tokens in [1, 2, 3, 7, 20] {
        let pool = pool(tokens, 20);
        let unavailable: Vec<TokenId> = pool.unavailable().collect();
        even(&unavailable, |random| {
            let drawn = pool.select(random);
            assert!(drawn.fallback);
            drawn.token
        });
    }
}

#[test]
fn another_is_even_among_those_not_tried() {
    let pool = pool(9, 3);
    let available: Vec<TokenId> = pool.available().collect();
    let (tried, rest) = available.split_at(2);
    even(rest, |random| pool.select_another(random, tried).expect("four are left").token);
    let unavailable: Vec<TokenId> = pool.unavailable().collect();
    let tried: Vec<TokenId> = available.iter().chain(&unavailable[1..2]).copied().collect();
    let rest = [unavailable[0], unavailable[2]];
    even(&rest, |random| pool.select_another(random, &tried).expect("two are left").token);
}
