//! Our own protocol over a log that accepts whatever arrives: every checker of logs finds something, so that none of them is
//! blind.

use firedrill_sim::explore::exhaust;
use firedrill_sim::{Property, Setting, log};

/// The careless log breaks `property` in some schedule of `world`, and ours in none.
#[track_caller]
fn check(property: Property, world: &str) {
    let setting: Setting = world.parse().expect("a world");
    let watched = Setting { watch: vec![property], ..setting.clone() };
    let found =
        exhaust::<log::Careless>(&watched).found.unwrap_or_else(|| panic!("nothing breaks `{property}`"));
    assert_eq!(found.violation.property, property);
    assert_eq!(exhaust::<log::Shared>(&setting).found, None, "ours holds");
}

#[test]
fn every_checker_of_logs_finds_something() {
    check(Property::NothingStale, "tokens=a: a429 | a429");
    check(Property::Sequential, "tokens=a failure-threshold=2: a429 | a429");
    check(Property::FoldsTheLog, "tokens=ab failure-threshold=2: a429 | b429");
    check(Property::OneProber, "tokens=a cooldown=0 health-check: a429 tick | tick");
    check(Property::CountedOnce, "tokens=a failure-threshold=3 lost-replies=1: a429");
    check(Property::FoundedOnce, "tokens=a failure-threshold=3 forgets=1: a429 | tick");
    check(Property::ReportsKept, "tokens=a failure-threshold=3 forgets=1: a429 | a429");
}
