//! The checker of what everyone can see: it watches the shared state from step to step, under any protocol, and keeps
//! its own notes of who failed, left and returned when.

use std::collections::BTreeMap;

use crate::command::{Command, Token};
use crate::key::Key;
use crate::property::{Property, Violation};
use crate::protocol::Fact;
use crate::setting::Setting;
use crate::view::View;

/// What a bystander remembers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Witness {
    configured: Vec<Token>,
    /// When the command began that took the token out.
    left: BTreeMap<Token, u64>,
    /// How many failures may have been counted since the token was last back.
    failed: BTreeMap<Token, u32>,
}

/// A step that was taken, as a bystander sees it.
pub(crate) struct Taken<'a> {
    pub(crate) before: &'a View,
    pub(crate) after: &'a View,
    /// The command of the worker whose step it was, and when it began.
    pub(crate) command: Option<(&'a Command, u64)>,
    /// Whether the step was the first of that command.
    pub(crate) begun: bool,
    /// Every command that is at work, this one included if it is not done.
    pub(crate) at_work: &'a [&'a Command],
    pub(crate) facts: &'a [Fact],
    pub(crate) now: u64,
    /// By how many milliseconds any two clocks disagree at most.
    pub(crate) disagreement: u64,
}

/// Whether something that was known of the tokens is known no longer.
fn forgets(before: &View, after: &View) -> bool {
    let returned = before.unavailable.iter().any(|token| !after.unavailable.contains(token));
    let uncounted = before.failures.iter().any(|(token, failures)| after.failures_of(*token) < *failures);
    returned || uncounted
}

/// Every token of `configured` is in exactly one list, and nothing else is in any.
fn lists(configured: &[Token], view: &View, wrong: &mut Vec<Violation>) {
    for token in configured {
        let listings = view.listings(*token);
        if listings != 1 {
            let seen = if listings == 0 {
                format!("{token} is in neither list: {view}")
            } else {
                format!("{token} is listed {listings} times: {view}")
            };
            wrong.push(Violation::new(Property::OneList, seen));
        }
    }
    for token in view.available.iter().chain(&view.unavailable) {
        if !configured.contains(token) {
            let seen = format!("{token} is not configured: {view}");
            wrong.push(Violation::new(Property::DroppedStaysOut, seen));
        }
    }
}

impl Witness {
    pub(crate) fn new(setting: &Setting) -> Self {
        Self { configured: setting.tokens.clone(), left: BTreeMap::new(), failed: BTreeMap::new() }
    }

    /// The tokens of the configuration that is in force.
    pub(crate) fn configured(&self) -> &[Token] {
        &self.configured
    }

    pub(crate) fn key(&self, key: &mut Key) {
        key.add_tokens(&self.configured);
        key.add_len(self.left.len());
        for (token, left) in &self.left {
            key.add(token.0.into());
            key.add(*left);
        }
        key.add_len(self.failed.len());
        for (token, failed) in &self.failed {
            key.add(token.0.into());
            key.add((*failed).into());
        }
    }

    /// Looks at a log with another history: what was before says nothing of it.
    pub(crate) fn look_anew(&mut self, setting: &Setting, view: &View, configured: Option<&Vec<Token>>) {
        self.left.clear();
        // Whatever was counted may be counted again.
        for token in view.available.iter().chain(&view.unavailable) {
            self.failed.insert(*token, setting.failure_threshold);
        }
        match configured {
            Some(configured) => self.configured.clone_from(configured),
            None => {
                self.configured = view.available.iter().chain(&view.unavailable).copied().collect();
            }
        }
    }

    /// Watches a step, and says everything that is wrong with it.
    pub(crate) fn watch(&mut self, setting: &Setting, taken: &Taken<'_>) -> Vec<Violation> {
        let mut wrong = Vec::new();
        let in_force = self.configured == setting.tokens;
        for fact in taken.facts {
            match fact {
                Fact::Configured(tokens) => self.configured.clone_from(tokens),
                Fact::Drew(None) => {
                    wrong.push(Violation::new(Property::DrawsSomething, "a selection drew nothing"));
                }
                Fact::Serves { configured, view } => lists(configured, view, &mut wrong),
                _ => {}
            }
        }
        self.count(setting, taken);
        if taken.before != taken.after {
            lists(&self.configured, taken.after, &mut wrong);
            self.comings_and_goings(setting, taken, &mut wrong);
            let starts = matches!(taken.command, Some((Command::Start, _)));
            if in_force && starts && forgets(taken.before, taken.after) {
                let seen = format!("{}, and before the step {}", taken.after, taken.before);
                wrong.push(Violation::new(Property::StartKeeps, seen));
            }
        }
        if taken.at_work.is_empty() {
            for token in &taken.after.available {
                let failures = taken.after.failures_of(*token);
                if failures >= setting.failure_threshold {
                    let threshold = setting.failure_threshold;
                    let seen = format!("{token} is available with {failures} failures of {threshold}");
                    wrong.push(Violation::new(Property::ThresholdHolds, seen));
                }
            }
        }
        wrong
    }

    fn count(&mut self, setting: &Setting, taken: &Taken<'_>) {
        if let Some((&Command::Outcome(token, _), _)) = taken.command
            && taken.begun
            && taken.command.is_some_and(|(command, _)| command.fails(token, setting))
        {
            // More than the threshold are as good as the threshold.
            let failed = self.failed.entry(token).or_default();
            *failed = (*failed + 1).min(setting.failure_threshold);
        }
    }

    fn comings_and_goings(&mut self, setting: &Setting, taken: &Taken<'_>, wrong: &mut Vec<Violation>) {
        let Some((command, began)) = taken.command else { return };
        let (before, after) = (&taken.before.available, &taken.after.available);
        for token in before.iter().filter(|token| !after.contains(token)) {
            self.left.insert(*token, began);
            let failed = self.failed.get(token).copied().unwrap_or_default();
            if command.fails(*token, setting) && failed < setting.failure_threshold {
                let threshold = setting.failure_threshold;
                let seen =
                    format!("{token} was taken out by failure {failed} of {threshold} since its return");
                wrong.push(Violation::new(Property::RemovalEarned, seen));
            }
        }
        for token in after.iter().filter(|token| !before.contains(token)) {
            // A failure that is on its way now may be taken together with any that were before it.
            let on_its_way = taken.at_work.iter().any(|command| command.fails(*token, setting));
            self.failed.insert(*token, if on_its_way { setting.failure_threshold } else { 0 });
            if let Some(left) = self.left.remove(token) {
                let out = taken.now.saturating_sub(left);
                if *command == Command::Tick && out + taken.disagreement < setting.cooldown {
                    let cooldown = setting.cooldown;
                    let seen = format!("{token} is back after {out} ms of a cooldown of {cooldown} ms");
                    wrong.push(Violation::new(Property::CooldownHolds, seen));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_worker_serves_from_alone_is_watched() {
        let (a, b) = (Token(0), Token(1));
        let setting = Setting::new(2, Vec::new());
        let check = |available: &[Token], unavailable: &[Token], expect: Option<Property>| {
            let view =
                View { available: available.into(), unavailable: unavailable.into(), ..View::default() };
            let nothing = View::default();
            let facts = [Fact::Serves { configured: vec![a, b], view }];
            let wrong = Witness::new(&setting).watch(
                &setting,
                &Taken {
                    before: &nothing,
                    after: &nothing,
                    command: None,
                    begun: false,
                    at_work: &[],
                    facts: &facts,
                    now: 0,
                    disagreement: 0,
                },
            );
            assert_eq!(wrong.first().map(|violation| violation.property), expect);
        };
        check(&[a], &[b], None);
        check(&[a], &[], Some(Property::OneList));
        check(&[a, b], &[a], Some(Property::OneList));
        check(&[a, Token(2)], &[b], Some(Property::DroppedStaysOut));
    }
}
