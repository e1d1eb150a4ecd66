//! What of a scenario a stranger can be asked, before it is asked anything.

use firedrill_block::fingerprint;
use firedrill_provider::{Fault, Latency, Pace, Script, Upstream};

use super::chance;
use crate::scenario::{Action, Expectation, Scenario, Step, StepKind};

/// Why `action` cannot be asked of a stranger, if it cannot.
pub(super) fn cannot_ask(scenario: &Scenario, action: &Action) -> Option<&'static str> {
    let reason = match action {
        Action::Request { worker: 2.., .. } => "which worker serves a request is for the gateway to say",
        Action::Request { draws, .. } if !draws.is_empty() && scenario.config.tokens().len() > 1 => {
            "which token is drawn is for the gateway to say"
        }
        Action::Request { stream: true, .. } => "how a stream is asked for is for its users to say",
        Action::Advance(_) if !scenario.ticks_fall_due => "its timers cannot be held while time passes",
        Action::Advance(_) if scenario.answers_probes => {
            "its probes cannot be held until a step answers them"
        }
        Action::Request { .. } | Action::Advance(_) => return None,
        Action::Outcome { .. } => "no outcome can be reported to it but by an answer of the provider",
        Action::Probe { .. } => "its probes are answered by the upstream alone",
        Action::Tick { .. } => "its timers are its own",
        Action::ClockBack(_) => "its clock cannot be set",
        Action::Reconfigure { .. } => "it cannot be reconfigured from outside",
        Action::Stop { .. } | Action::Start { .. } => {
            "its workers cannot be stopped and started from outside"
        }
    };
    Some(reason)
}

/// Why there is no use in asking anything of `scenario`, if there is none.
pub(super) fn of_no_use(scenario: &Scenario) -> Option<String> {
    if scenario.config.tokens().iter().any(|token| fingerprint(&token.label) != token.fingerprint) {
        let reason = "a token that looks like a real key has another name here than the gateway sends";
        return Some(reason.to_owned());
    }
    // What comes after the first that cannot be asked is skipped, and what cannot be seen is not judged.
    let mut askable = scenario.clone();
    let asked = |step: &Step| actions(step).into_iter().all(|action| cannot_ask(scenario, action).is_none());
    let end = askable.steps.iter().position(|step| !asked(step));
    askable.steps.truncate(end.unwrap_or(askable.steps.len()));
    askable.steps.retain_mut(|step| match &mut step.kind {
        StepKind::Expect(expect) => is_seen(expect),
        StepKind::Always(_) => false,
        StepKind::Act { expect, .. } => {
            *expect = seen(expect.take());
            true
        }
        StepKind::Concurrently(items) => {
            for (_, expect) in items {
                *expect = seen(expect.take());
            }
            true
        }
    });
    let expects = |step: &Step| match &step.kind {
        StepKind::Act { expect, .. } => expect.is_some(),
        StepKind::Concurrently(items) => items.iter().any(|(_, expect)| expect.is_some()),
        StepKind::Expect(_) => true,
        StepKind::Always(_) => false,
    };
    let asks = askable.steps.iter().any(|step| !actions(step).is_empty());
    if !asks || !askable.steps.iter().any(expects) {
        return Some("nothing that it expects can be seen from outside".to_owned());
    }
    let (seed, failure) = chance::against(&askable)?;
    let at = failure.problem.place().map_or_else(String::new, |place| format!(" at line {}", place.line));
    Some(format!("whether it holds is for chance to say: on the engine it fails{at} with `--seed {seed}`"))
}

/// Whether a request may take time because the provider does.
pub(super) fn takes_time(upstream: &Upstream) -> bool {
    let scripts = upstream.tokens.iter().map(|(_, script)| script).chain([&upstream.default]);
    let answers: Vec<_> = scripts.flat_map(Script::answers).collect();
    let faults = answers.iter().map(|answer| &answer.fault);
    let faults = faults.chain(upstream.outages.iter().map(|outage| &outage.fault));
    let mut faults = faults.chain(upstream.errors.iter().map(|errors| &errors.fault));
    upstream.latency != Latency::default()
        || upstream.pace != Pace::default()
        || answers.iter().any(|answer| answer.latency.is_some())
        || faults.any(|fault| {
            matches!(fault, Some(Fault::Stall | Fault::StallAfter(_) | Fault::Drip(_) | Fault::Endless))
        })
}

fn actions(step: &Step) -> Vec<&Action> {
    match &step.kind {
        StepKind::Act { action, .. } => vec![action],
        StepKind::Concurrently(items) => items.iter().map(|(action, _)| action).collect(),
        StepKind::Expect(_) | StepKind::Always(_) => Vec::new(),
    }
}

fn seen(expect: Option<Expectation>) -> Option<Expectation> {
    let mut expect = expect?;
    is_seen(&mut expect).then_some(expect)
}

/// Leaves in `expect` what can be seen from outside. False if nothing is left.
fn is_seen(expect: &mut Expectation) -> bool {
    (expect.available, expect.unavailable, expect.unavailable_since) = (None, None, None);
    (expect.failure_counts, expect.success_counts) = (None, None);
    (expect.fallback, expect.events) = (None, None);
    !expect.keys_of_the_step().is_empty()
}
