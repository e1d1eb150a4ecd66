//! Which error of a vendor's a plan means: by its name, by why it was refused, or by its status alone.

use std::borrow::Cow;

use firedrill_failover::Duration;

use crate::behaviour::{Plan, Refusal};
use crate::quota::{Standing, Unit};

/// An error that a vendor has. Each vendor has a list of them; the first with a status is what that status means by
/// itself.
#[derive(Copy, Clone, Debug)]
pub(super) struct Known {
    /// What a script calls it by.
    pub(super) name: &'static str,
    /// The status that it comes with.
    pub(super) status: u16,
    /// The coarser of the vendor's two words, such as `type`.
    pub(super) kind: &'static str,
    /// The finer one, such as `code`.
    pub(super) code: Option<&'static str>,
    /// What it says.
    pub(super) message: &'static str,
}

/// An error as it will be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Failure {
    /// The status it means, whatever the reply's own is.
    pub(super) status: u16,
    /// What a script calls it by.
    pub(super) name: Cow<'static, str>,
    /// Whether the vendor's list has the name.
    pub(super) is_known: bool,
    pub(super) kind: &'static str,
    pub(super) code: Option<Cow<'static, str>>,
    pub(super) message: Cow<'static, str>,
    /// Which limit it is about.
    pub(super) limit: Limit,
    /// When to come back.
    pub(super) retry_after: Option<Duration>,
    /// Whether that was written for this answer, so that it is told even where the vendor tells nothing.
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

/// An entry of a list.
pub(super) const fn known(
    name: &'static str,
    status: u16,
    kind: &'static str,
    code: Option<&'static str>,
    message: &'static str,
) -> Known {
    Known { name, status, kind, code, message }
}

/// The error of `list` that `plan` means. `overloaded` is the status of what a plan means that has neither a name that is
/// known nor a status that is an error.
pub(super) fn choose(list: &'static [Known], overloaded: u16, plan: &Plan) -> Failure {
    let answer = &plan.answer;
    let name = answer.error.as_deref();
    let named = name.and_then(|name| list.iter().find(|known| known.name == name));
    let written = Some(answer.status.code()).filter(|status| !(200..300).contains(status));
    let status = written.or(named.map(|named| named.status)).unwrap_or(overloaded);
    let chosen = named.unwrap_or_else(|| of_status(list, status));
    let unknown = name.filter(|_| named.is_none()).map(|name| Cow::Owned(name.to_owned()));
    Failure {
        status,
        name: unknown.clone().unwrap_or(Cow::Borrowed(chosen.name)),
        is_known: unknown.is_none(),
        kind: chosen.kind,
        code: unknown.or(chosen.code.map(Cow::Borrowed)),
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
fn of_status(list: &'static [Known], status: u16) -> &'static Known {
    let first = |status| list.iter().find(|known| known.status == status);
    let general = if status < 500 { 400 } else { 500 };
    first(status).or_else(|| first(general)).expect("broken invariant: every dialect has a 400 and a 500")
}

/// Of several quotas of a unit, the one that headers tell: of which the least remains, and then which is back last.
pub(super) fn tightest(quotas: &[Standing], unit: Unit) -> Option<&Standing> {
    let quotas = quotas.iter().filter(|standing| standing.unit == unit);
    quotas.min_by_key(|standing| (standing.remaining, std::cmp::Reverse(standing.reset)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quota::Standing;

    #[test]
    fn headers_tell_of_the_quota_of_which_the_least_remains_and_then_of_the_one_that_is_back_last() {
        let standing = |unit, remaining, seconds| Standing {
            unit,
            per: Duration::from_secs(60),
            limit: 9,
            remaining,
            reset: Duration::from_secs(seconds),
        };
        let quotas = [
            standing(Unit::LlmTokens, 0, 9),
            standing(Unit::Requests, 2, 9),
            standing(Unit::Requests, 1, 1),
            standing(Unit::Requests, 1, 3),
        ];
        assert_eq!(tightest(&quotas, Unit::Requests), Some(&quotas[3]));
        assert_eq!(tightest(&quotas[..1], Unit::Requests), None);
    }
}
