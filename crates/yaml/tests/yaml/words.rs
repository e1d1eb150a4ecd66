//! Which words are near each other.

use firedrill_yaml::closest;

const KEYS: [&str; 11] = [
    "failureThreshold",
    "successThreshold",
    "healthCheckInterval",
    "healthCheckTimeout",
    "healthCheckModel",
    "cooldownDuration",
    "failoverOnStatus",
    "enabled",
    "tick",
    "advance",
    "for",
];

#[track_caller]
fn check(word: &str, expected: Option<&str>) {
    assert_eq!(closest(word, KEYS), expected, "{word}");
}

#[test]
fn slips_find_the_word_that_was_meant() {
    check("failureTreshold", Some("failureThreshold"));
    check("successTreshold", Some("successThreshold"));
    check("cooldown", Some("cooldownDuration"));
    check("cooldownDurationMs", Some("cooldownDuration"));
    check("failover_on_status", Some("failoverOnStatus"));
    check("FAILOVERONSTATUS", Some("failoverOnStatus"));
    check("health-check-model", Some("healthCheckModel"));
    check("healthCheckTimout", Some("healthCheckTimeout"));
    check("tik", Some("tick"));
    check("tikc", Some("tick"));
    check("advnace", Some("advance"));
    check("enable", Some("enabled"));
    check("fro", Some("for"));
}

#[test]
fn unrelated_words_find_nothing() {
    check("colour", None);
    check("model", None);
    check("x", None);
    check("", None);
    check("fo0bar", None);
    check(&"failure".repeat(100), None);
}
