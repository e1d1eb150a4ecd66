//! The model of a provider: who refuses first, who shares what, and what chance may depend on.

use std::sync::Arc;

use firedrill_failover::{Duration, Instant};
use firedrill_provider::{Ask, Behaviour, Fault, Plan, Refusal, Unit, Upstream};
use firedrill_yaml::Source;

fn provider(upstream: &str, seed: u64) -> Behaviour {
    let upstream: Upstream = Source::new("upstream", upstream).parse("an upstream").expect("a good block");
    Behaviour::new(Arc::new(upstream), seed)
}

fn call(provider: &mut Behaviour, at: u64, token: &str) -> Plan {
    provider.call(Instant::from_millis(at), Ask { token, llm_tokens: 10 })
}

/// The status of a call that is over at once.
fn status(provider: &mut Behaviour, at: u64, token: &str) -> u16 {
    let Plan { answer, ticket, .. } = call(provider, at, token);
    provider.ended(ticket);
    answer.status.code()
}

#[test]
fn tokens_of_a_domain_share_its_quota_and_others_do_not() {
    let upstream = "
        domains: { org: [sk-a, sk-b] }
        quotas: [{ requests: 3, per: 1m, by: domain }]
    ";
    let mut provider = provider(upstream, 0);
    let calls = ["sk-a", "sk-b", "sk-a", "sk-b", "sk-c", "sk-c", "sk-c", "sk-c"];
    let answers = calls.map(|token| status(&mut provider, 0, token));
    assert_eq!(answers, [200, 200, 200, 429, 200, 200, 200, 429], "a token of no domain has its own");
    assert_eq!(status(&mut provider, 59_999, "sk-a"), 429);
    assert_eq!(status(&mut provider, 60_000, "sk-b"), 200);
}

#[test]
fn a_refusal_by_quota_says_which_and_when_to_come_back() {
    let upstream = "
        quotas:
          - { requests: 2, per: 1m }
          - { llmTokens: 15, per: 1h }
    ";
    let mut provider = provider(upstream, 0);
    let first = call(&mut provider, 1_000, "sk-a");
    let left: Vec<_> = first.quotas.iter().map(|left| (left.remaining, left.reset.as_millis())).collect();
    assert_eq!(left, [(1, 59_000), (5, 3_599_000)]);
    provider.ended(first.ticket);
    let second = call(&mut provider, 2_000, "sk-a");
    let per = Duration::from_secs(3_600);
    assert_eq!(second.refusal, Some(Refusal::Quota { unit: Unit::LlmTokens, per, limit: 15 }));
    assert_eq!(second.answer.retry_after, Some(Duration::from_secs(3_598)));
    assert_eq!(second.quotas[0].remaining, 1, "what one quota refuses no other counts");
    provider.ended(second.ticket);
    let huge = provider.call(Instant::from_millis(3_000), Ask { token: "sk-b", llm_tokens: 16 });
    assert_eq!((huge.answer.status.code(), huge.answer.retry_after), (429, None), "it can never be had");
    provider.ended(huge.ticket);
}

#[test]
fn what_a_quota_refuses_moves_no_script_on_and_uses_no_other_quota() {
    let upstream = "
        sk-a: [500, 503, 200]
        quotas: [{ requests: 1, per: 1s }, { requests: 5, per: 1m }]
    ";
    let mut provider = provider(upstream, 0);
    let answers = [0, 1, 2, 1_000, 1_001, 2_000].map(|at| status(&mut provider, at, "sk-a"));
    assert_eq!(answers, [500, 429, 429, 503, 429, 200]);
    assert_eq!(provider.quotas(Instant::from_millis(2_001), "sk-a")[1].remaining, 2);
}

#[test]
fn requests_at_the_same_time_are_limited_until_they_end() {
    let upstream = "
        domains: { org: [sk-a, sk-b] }
        quotas: [{ concurrent: 2, by: domain }, { concurrent: 1 }]
    ";
    let mut provider = provider(upstream, 0);
    let one = call(&mut provider, 0, "sk-a");
    let again = call(&mut provider, 0, "sk-a");
    assert_eq!(again.refusal, Some(Refusal::Concurrent), "one of its own");
    provider.ended(again.ticket);
    let two = call(&mut provider, 0, "sk-b");
    assert_eq!(two.refusal, None);
    assert_eq!(status(&mut provider, 0, "sk-b"), 429);
    provider.ended(one.ticket);
    assert_eq!(status(&mut provider, 0, "sk-a"), 200);
    provider.ended(two.ticket);
    assert_eq!(status(&mut provider, 0, "sk-b"), 200);
}

#[test]
fn the_first_that_refuses_answers_and_the_rest_is_not_asked() {
    let upstream = "
        outages: [{ from: 10s, for: 5s, status: 502 }]
        quotas: [{ requests: 1, per: 20s }]
        sk-a: [401, 403]
    ";
    let mut provider = provider(upstream, 0);
    assert_eq!(status(&mut provider, 9_999, "sk-a"), 401);
    assert_eq!(status(&mut provider, 9_999, "sk-a"), 429, "the quota is used up");
    assert_eq!(status(&mut provider, 10_000, "sk-a"), 502, "nothing works");
    assert_eq!(status(&mut provider, 14_999, "sk-b"), 502);
    assert_eq!(status(&mut provider, 15_000, "sk-a"), 429);
    assert_eq!(status(&mut provider, 20_000, "sk-a"), 403, "the script has not moved on meanwhile");
}

#[test]
fn chance_is_as_rare_as_it_says_and_depends_on_nobody_else() {
    let upstream = "errors: [{ rate: 1%, status: 500 }, { rate: 0.5%, fault: reset }]";
    let mut alone = provider(upstream, 7);
    let fate: Vec<Plan> = (0..20_000).map(|at| call(&mut alone, at, "sk-a")).collect();
    let failed = fate.iter().filter(|plan| plan.answer.fault.is_none() && plan.refusal.is_some()).count();
    let reset = fate.iter().filter(|plan| plan.answer.fault == Some(Fault::Reset)).count();
    assert!((160..=240).contains(&failed) && (70..=130).contains(&reset), "{failed} failed, {reset} reset");
    let mut among = provider(upstream, 7);
    for (at, expect) in (0..).zip(&fate) {
        let other = call(&mut among, at, "sk-b");
        assert_eq!(call(&mut among, at, "sk-a").answer, expect.answer, "call {at}");
        among.ended(other.ticket);
    }
    let other_seed: Vec<Plan> = {
        let mut other = provider(upstream, 8);
        (0..20_000).map(|at| call(&mut other, at, "sk-a")).collect()
    };
    assert!(fate.iter().zip(&other_seed).any(|(one, other)| one.answer != other.answer));
}

#[test]
fn a_block_that_cannot_be_meant_is_refused_with_its_place() {
    for (upstream, expect) in [
        ("sk-a: 200\nsk-a: 429", "f:2:1: `sk-a` is given twice"),
        ("quotas: [{ requests: 1 }]", "f:1:10: missing key `per` (say in what time, for example `per: 1m`)"),
        (
            "quotas: [{ per: 1m }]",
            "f:1:10: expected one of `requests`, `llmTokens` and `concurrent` (for example `{ requests: 60, per: 1m }` \
             or `{ concurrent: 4 }`)",
        ),
        (
            "quotas: [{ requests: 0, per: 1m }]",
            "f:1:22: expected at least 1, found `0` (a token that is never answered has a script: `sk-a: 429`)",
        ),
        ("quotas: [{ requests: 1, per: 0s }]", "f:1:30: expected a time, found none (for example `1m`)"),
        (
            "quotas: [{ concurrent: 1, per: 1m }]",
            "f:1:32: `concurrent` has no time (it counts those that are being answered: `{ concurrent: 4 }`)",
        ),
        (
            "quotas: [{ requests: 1, per: 1m, burst: 2 }]",
            "f:1:41: a fixed window has no `burst` (write `window: bucket`)",
        ),
        ("domains: { x: [sk-a], y: [sk-a] }", "f:1:27: `sk-a` is in `x` already (a token is in one domain)"),
        ("errors: [{ rate: 1 }]", "f:1:18: expected a share with its sign, found `1` (did you mean `1%`?)"),
        ("errors: [{ rate: 101% }]", "f:1:18: expected a share, found `101%` (`100%` is all of it)"),
        (
            "errors: [{ rate: 1%, fault: refused }]",
            "f:1:29: one request cannot be refused a connection (a connection is refused before there is a request: \
             write it under `outages`)",
        ),
    ] {
        let problem = Source::new("f", upstream).parse::<Upstream>("an upstream").expect_err("a bad block");
        assert_eq!(problem.to_string(), expect, "{upstream}");
    }
}
