//! Which error of a vendor's a plan means: by its name, by why it was refused, or by its status alone.

use std::borrow::Cow;

use firedrill_failover::Duration;

use crate::behaviour::{Plan, Refusal};
use crate::quota::Unit;

/// An error that a vendor has. Each vendor has a list of them; the first with a status is what that status means by
/// itself.
#[derive(Copy, Clone, Debug)]
pub(super) struct Known {
    /// What a script calls it by.
    pub(super) name: &'static str,
    /// The status that it comes with.
    pub(super) status: u16,
    /// Its `type`, or whatever is the coarser of the vendor's two words.
    pub(super) kind: &'static str,
    /// Its `code`, or whatever is the finer one.
    pub(super) code: Option<&'static str>,
    /// What it says.
    pub(super) message: &'static str,
}

/// An error as it will be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Failure {
    /// The status it means, whatever the reply's own is.
    pub(super) status: u16,
    pub(super) name: Cow<'static, str>,
    pub(super) kind: &'static str,
    pub(super) code: Option<Cow<'static, str>>,
    pub(super) message: Cow<'static, str>,
    /// Which limit it is about.
    pub(super) limit: Limit,
    /// When to come back.
    pub(super) retry_after: Option<Duration>,
    /// Whether the script itself said when, so that it is told even where the vendor does not.
    pub(super) insists: bool,
}

/// What there was too much of.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) enum Limit {
    /// Of a quota.
    Quota { unit: Unit, per: Duration, most: u64 },
    /// Of requests at the same time.
    Concurrent,
    /// Nobody said.
    Unsaid,
}

impl Limit {
    /// Whether it is of LLM tokens.
    pub(super) fn is_of_llm_tokens(self) -> bool {
        matches!(self, Self::Quota { unit: Unit::LlmTokens, .. })
    }

    /// Whether it is for a day or longer.
    pub(super) fn is_daily(self) -> bool {
        matches!(self, Self::Quota { per, .. } if per.as_millis() >= 24 * 60 * 60 * 1000)
    }
}

/// The error of `known` that `plan` means. `overloaded` is what a plan means that has neither a name nor a status that is
/// an error.
pub(super) fn choose(known: &'static [Known], overloaded: u16, plan: &Plan) -> Failure {
    let answer = &plan.answer;
    let name = answer.error.as_deref();
    let named = name.and_then(|name| known.iter().find(|known| known.name == name));
    let written = Some(answer.status.code()).filter(|status| !(200..300).contains(status));
    let status = written.or(named.map(|named| named.status)).unwrap_or(overloaded);
    let chosen = named.unwrap_or_else(|| of_status(known, status));
    let code = match (name, named) {
        (Some(name), None) => Some(Cow::Owned(name.to_owned())),
        _ => chosen.code.map(Cow::Borrowed),
    };
    Failure {
        status,
        name: name.map_or(Cow::Borrowed(chosen.name), |name| Cow::Owned(name.to_owned())),
        kind: chosen.kind,
        code,
        message: chosen.message.into(),
        limit: match plan.refusal {
            Some(Refusal::Quota { unit, per, limit }) => Limit::Quota { unit, per, most: limit },
            Some(Refusal::Concurrent) => Limit::Concurrent,
            _ => Limit::Unsaid,
        },
        retry_after: answer.retry_after,
        insists: !matches!(plan.refusal, Some(Refusal::Quota { .. })),
    }
}

/// What a status means by itself: the first error that has it, or else the most general of its class.
fn of_status(known: &'static [Known], status: u16) -> &'static Known {
    let first = |status| known.iter().find(|known| known.status == status);
    let general = if status < 500 { 400 } else { 500 };
    first(status).or_else(|| first(general)).expect("broken invariant: every dialect has a 400 and a 500")
}
