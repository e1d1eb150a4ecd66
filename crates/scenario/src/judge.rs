//! Compares what was expected with what was found.

use std::collections::BTreeMap;
use std::fmt::Display;

use firedrill_failover::Status;

use crate::scenario::{Expectation, Probes, TokenList};
use crate::target::{Effect, PoolState};

/// One thing that is not as expected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// The key of the expectation.
    pub what: &'static str,
    /// What was expected, as a scenario would write it.
    pub expected: String,
    /// What was found, likewise.
    pub found: String,
}

/// Everything that `expect` says and `effect` or `state` contradicts. What is asked of the pool is left out if there is
/// no `state`.
pub(crate) fn judge(expect: &Expectation, effect: &Effect, state: Option<&PoolState>) -> Vec<Mismatch> {
    let mut judge = Judge(Vec::new());
    if let Some(state) = state {
        judge.tokens("available", expect.available.as_ref(), &state.available);
        judge.tokens("unavailable", expect.unavailable.as_ref(), &state.unavailable);
        judge.map("failureCounts", expect.failure_counts.as_ref(), &state.failure_counts);
        judge.map("successCounts", expect.success_counts.as_ref(), &state.success_counts);
        judge.map("unavailableSince", expect.unavailable_since.as_ref(), &state.unavailable_since);
    }
    judge.status(expect.status, effect);
    let drawn: Vec<String> = effect.draws.iter().map(|(label, _)| label.clone()).collect();
    judge.list("drawn", expect.drawn.as_deref(), &drawn);
    let fallbacks: Vec<bool> = effect.draws.iter().map(|(_, fallback)| *fallback).collect();
    judge.each("fallback", expect.fallback.as_ref(), &fallbacks, "nothing drawn");
    judge.each("broken", expect.broken.as_ref(), &effect.broken, "no answer");
    match &expect.probes {
        Some(Probes::Count(count)) => judge.compare("probes", count, &(effect.probes.len() as u64)),
        Some(Probes::Tokens(tokens)) => judge.list("probes", Some(tokens), &effect.probes),
        None => {}
    }
    if let Some((expected, found)) = expect.calls.as_ref().and_then(|calls| calls.contradicted_by(effect)) {
        judge.differs("calls", expected, found);
    }
    judge.list("events", expect.events.as_deref(), &effect.events);
    judge.0
}

struct Judge(Vec<Mismatch>);

impl Judge {
    fn differs(&mut self, what: &'static str, expected: String, found: String) {
        self.0.push(Mismatch { what, expected, found });
    }

    fn compare<T: PartialEq + Display>(&mut self, what: &'static str, expected: &T, found: &T) {
        if expected != found {
            self.differs(what, expected.to_string(), found.to_string());
        }
    }

    fn list(&mut self, what: &'static str, expected: Option<&[String]>, found: &[String]) {
        if let Some(expected) = expected.filter(|expected| *expected != found) {
            self.differs(what, list(expected), list(found));
        }
    }

    fn tokens(&mut self, what: &'static str, expected: Option<&TokenList>, found: &[String]) {
        let Some(expected) = expected else { return };
        if expected.ordered {
            return self.list(what, Some(&expected.labels), found);
        }
        let sorted = |labels: &[String]| {
            let mut labels = labels.to_vec();
            labels.sort();
            labels
        };
        let (wanted, found) = (sorted(&expected.labels), sorted(found));
        if wanted != found {
            self.differs(what, format!("{} in any order", list(&wanted)), list(&found));
        }
    }

    fn map<T: PartialEq + Display + Default>(
        &mut self,
        what: &'static str,
        expected: Option<&BTreeMap<String, T>>,
        found: &BTreeMap<String, T>,
    ) {
        // A count of nothing is as good as none.
        let counted = |map: &BTreeMap<String, T>| {
            let counted =
                map.iter().filter(|(_, value)| what == "unavailableSince" || **value != T::default());
            counted.map(|(label, value)| format!("{label}: {value}")).collect::<Vec<_>>()
        };
        let Some(expected) = expected.map(counted) else { return };
        let found = counted(found);
        if expected != found {
            self.differs(what, format!("{{{}}}", expected.join(", ")), format!("{{{}}}", found.join(", ")));
        }
    }

    fn status(&mut self, expected: Option<Status>, effect: &Effect) {
        let Some(expected) = expected else { return };
        let found = &effect.statuses;
        let each = !found.is_empty() && found.iter().all(|status| *status == expected);
        if !each || !effect.unanswered.is_empty() {
            let found: Vec<String> =
                found.iter().map(Status::to_string).chain(effect.unanswered.iter().cloned()).collect();
            self.differs("status", expected.to_string(), one_or_list(&found, "no answer"));
        }
    }

    /// There is at least one, and every one is as expected.
    fn each<T: PartialEq + Display>(
        &mut self,
        what: &'static str,
        expected: Option<&T>,
        found: &[T],
        none: &str,
    ) {
        let Some(expected) = expected else { return };
        if found.is_empty() || found.iter().any(|found| found != expected) {
            let found: Vec<String> = found.iter().map(T::to_string).collect();
            self.differs(what, expected.to_string(), one_or_list(&found, none));
        }
    }
}

fn list(items: &[String]) -> String {
    format!("[{}]", items.join(", "))
}

fn one_or_list(items: &[String], none: &str) -> String {
    match items {
        [] => none.to_owned(),
        [one] => one.clone(),
        more => list(more),
    }
}

/// What is wider than this stands on a line of its own.
const COLUMN: usize = 30;

impl Mismatch {
    /// The mismatches with expected and found side by side; long ones one above the other. For 80 columns.
    pub fn table(mismatches: &[Self]) -> String {
        let width = |text: fn(&Self) -> &str| {
            mismatches.iter().map(|row| text(row).chars().count()).max().unwrap_or(0)
        };
        let what = width(|row| row.what);
        let expected = width(|row| &row.expected);
        let found = width(|row| &row.found);
        if expected > COLUMN || found > COLUMN {
            let rows = mismatches.iter().map(|row| {
                let Self { what: name, expected, found } = row;
                format!("  {name:<what$}  expected  {expected}\n  {:<what$}  found     {found}", "")
            });
            return rows.collect::<Vec<_>>().join("\n");
        }
        let expected = expected.max("expected".len());
        let head = format!("  {:<what$}  {:<expected$}  found", "", "expected");
        let rows = mismatches.iter().map(|row| {
            let Self { what: name, expected: wanted, found } = row;
            format!("  {name:<what$}  {wanted:<expected$}  {found}")
        });
        std::iter::once(head).chain(rows).collect::<Vec<_>>().join("\n")
    }
}
