//! Quotas: fixed windows at their borders, and buckets against the crate `governor`, which counts them its own way.

use std::num::NonZeroU32;

use firedrill_failover::{Duration, Instant};
use firedrill_provider::{Meter, Owner, Quota, Unit, Window};
use governor::clock::FakeRelativeClock;
use governor::{Quota as Opinion, RateLimiter};
use proptest::prelude::*;

fn quota(most: u64, per: u64, window: Window) -> Quota {
    Quota { unit: Unit::Requests, most, per: Duration::from_millis(per), owner: Owner::Token, window }
}

fn at(millis: u64) -> Instant {
    Instant::from_millis(millis)
}

/// How long until `cost` can be had, in milliseconds; it is taken if it can be had now.
fn ask(meter: &mut Meter, now: u64, cost: u64) -> Option<u64> {
    let wait = meter.wait(at(now), cost)?.as_millis();
    if wait == 0 {
        meter.take(at(now), cost);
    }
    Some(wait)
}

fn told(meter: &mut Meter, now: u64) -> (u64, u64) {
    let standing = meter.standing(at(now));
    (standing.remaining, standing.reset.as_millis())
}

#[test]
fn a_fixed_window_is_whole_again_at_every_multiple_of_its_length() {
    let mut meter = Meter::new(quota(3, 1_000, Window::Fixed), at(0));
    assert_eq!(told(&mut meter, 0), (3, 0));
    assert_eq!(ask(&mut meter, 100, 2), Some(0));
    assert_eq!(told(&mut meter, 400), (1, 600));
    assert_eq!(ask(&mut meter, 400, 2), Some(600), "two are not there");
    assert_eq!(ask(&mut meter, 999, 1), Some(0));
    assert_eq!(ask(&mut meter, 999, 1), Some(1));
    assert_eq!(told(&mut meter, 999), (0, 1));
    assert_eq!(told(&mut meter, 1_000), (3, 0));
    assert_eq!(ask(&mut meter, 1_000, 3), Some(0));
    assert_eq!(ask(&mut meter, 1_000, 1), Some(1_000));
    assert_eq!(told(&mut meter, 86_400_000), (3, 0), "a day later");
    assert_eq!(ask(&mut meter, 86_400_000, 4), None, "four are never there");
}

#[test]
fn a_bucket_fills_continuously_and_says_so() {
    let mut meter = Meter::new(quota(60, 60_000, Window::Bucket { burst: 5 }), at(0));
    assert_eq!(ask(&mut meter, 0, 5), Some(0));
    assert_eq!(told(&mut meter, 0), (0, 5_000));
    assert_eq!(ask(&mut meter, 999, 1), Some(1));
    assert_eq!(told(&mut meter, 1_000), (1, 4_000));
    assert_eq!(ask(&mut meter, 1_000, 1), Some(0));
    assert_eq!(ask(&mut meter, 1_000, 2), Some(2_000));
    assert_eq!(told(&mut meter, 6_000), (5, 0));
    assert_eq!(told(&mut meter, 600_000), (5, 0), "never more than it holds");
    // Seven in three milliseconds do not come in whole milliseconds, and none is lost in a long time.
    let mut odd = Meter::new(quota(7, 3, Window::Bucket { burst: 7 }), at(0));
    let had: u64 = (0..=3_000_000).filter(|now| ask(&mut odd, *now, 2) == Some(0)).count() as u64 * 2;
    assert!(had.abs_diff(6_000_000 + 2) <= 2, "two a millisecond are below the rate: {had}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, ..ProptestConfig::default() })]

    #[test]
    fn a_bucket_admits_what_governor_admits(
        most in 1_u64..50,
        interval in 1_u64..200,
        burst in 1_u32..60,
        asks in prop::collection::vec((0_u64..400, 1_u32..8), 1..80),
    ) {
        // governor counts in nanoseconds a unit: so many that both can say it exactly.
        let per = most * interval;
        let mut meter = Meter::new(quota(most, per, Window::Bucket { burst: u64::from(burst) }), at(0));
        let burst = NonZeroU32::new(burst).expect("at least 1");
        let period = std::time::Duration::from_millis(interval);
        let opinion = Opinion::with_period(period).expect("not zero").allow_burst(burst);
        let clock = FakeRelativeClock::default();
        let limiter = RateLimiter::direct_with_clock(opinion, clock.clone());
        let mut now = 0;
        for (pause, cost) in asks {
            now += pause;
            clock.advance(std::time::Duration::from_millis(pause));
            let expect = match limiter.check_n(NonZeroU32::new(cost).expect("at least 1")) {
                Err(_) => None,
                Ok(answer) => Some(answer.is_ok()),
            };
            let found = ask(&mut meter, now, u64::from(cost)).map(|wait| wait == 0);
            prop_assert_eq!(found, expect, "at {} ms, {} units", now, cost);
        }
    }

    /// What a meter says of waiting comes true, to the millisecond, for both windows.
    #[test]
    fn a_wait_is_neither_too_short_nor_too_long(
        most in 1_u64..40,
        per in 1_u64..5_000,
        burst in prop::option::of(1_u64..40),
        asks in prop::collection::vec((0_u64..700, 1_u64..6), 1..40),
    ) {
        let window = burst.map_or(Window::Fixed, |burst| Window::Bucket { burst });
        let mut meter = Meter::new(quota(most, per, window), at(0));
        let mut now = 0;
        for (pause, cost) in asks {
            now += pause;
            let Some(wait) = ask(&mut meter, now, cost) else { continue };
            if wait > 0 {
                let mut soon = meter.clone();
                prop_assert!(soon.wait(at(now + wait - 1), cost).is_none_or(|left| left > Duration::ZERO));
                prop_assert_eq!(meter.wait(at(now + wait), cost), Some(Duration::ZERO));
            }
            let standing = meter.standing(at(now.max(now + wait)));
            prop_assert!(standing.remaining <= burst.unwrap_or(most));
            let mut later = meter.clone();
            let whole = later.standing(at(now + wait) + standing.reset);
            prop_assert_eq!((whole.remaining, whole.reset), (burst.unwrap_or(most), Duration::ZERO));
            now += wait;
        }
    }
}
