//! What a gateway makes of the answer to a call, be it to a request or to a probe: what it reports and when, and what its client
//! gets. On the engine alone there are no sockets, so this says it from what the provider means to do.
//!
//! A gateway knows what to report once it has the headers, if they say failure or are to be retried, and once it has the whole body,
//! if they say success. A body that it does not keep up with is none of its business: it passes it on.

use firedrill_failover::{Duration, Instant, Policy, Status};
use firedrill_provider::{After, Fault, Plan, WELL};

use crate::question::Piece;

/// How long a gateway waits.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Patience {
    /// For the headers.
    pub(crate) headers: Duration,
    /// For the next piece of a body.
    pub(crate) piece: Duration,
}

/// An answer that comes to an end.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    /// What is reported.
    pub(crate) status: Status,
    /// When that is known.
    pub(crate) known: Instant,
    /// The status of the headers, if they came.
    headers: Option<Status>,
    /// Whether the body broke off.
    pub(crate) broken: bool,
    /// When its last byte came.
    pub(crate) over: Instant,
}

impl Answer {
    /// The answer to a call at `now`, which the provider means to answer by `plan` and, if that is a stream, in `pieces`; `None`
    /// if its body never ends. `passes_on` tells by the status of the headers, and when they come, whether the body is waited for.
    pub(crate) fn new(
        plan: &Plan,
        pieces: &[Piece],
        patience: Patience,
        now: Instant,
        passes_on: impl FnOnce(Status, Instant) -> bool,
    ) -> Option<Self> {
        let fault = plan.answer.fault.as_ref();
        if fault == Some(&Fault::Stall) || plan.wait >= patience.headers {
            return Some(Self::without_headers(Status::TIMEOUT, now + patience.headers));
        }
        let at = now + plan.wait;
        let (lasts, stalls) = played(pieces, fault, patience.piece);
        let end = at + lasts;
        let breaks = match fault {
            Some(Fault::Endless) => return None,
            Some(Fault::Refused) => return Some(Self::without_headers(Status::CONNECT, now)),
            Some(Fault::Reset) => return Some(Self::without_headers(Status::RESET, at)),
            Some(Fault::ResetAfterHeaders | Fault::Cut(_) | Fault::MalformedChunk | Fault::WrongLength) => {
                Some((Status::RESET, end))
            }
            Some(Fault::StallAfter(_)) => Some((Status::TIMEOUT, end + patience.piece)),
            Some(Fault::Drip(drip)) if drip.every.0 >= patience.piece => {
                Some((Status::TIMEOUT, end + patience.piece))
            }
            Some(Fault::Stall | Fault::Drip(_) | Fault::InvalidJson | Fault::ErrorEvent) | None => None,
        };
        // Of what is told within the answer the headers say nothing.
        let status = if fault == Some(&Fault::ErrorEvent) { WELL } else { plan.answer.status };
        let whole = Self { status, known: at, headers: Some(status), broken: false, over: at };
        let breaks = if stalls { Some((Status::TIMEOUT, end + patience.piece)) } else { breaks };
        Some(match (breaks, passes_on(status, at)) {
            (Some((named, over)), true) => Self { status: named, known: over, broken: true, over, ..whole },
            (Some((_, over)), false) => Self { broken: true, over, ..whole },
            (None, true) => Self { known: end, over: end, ..whole },
            (None, false) => Self { over: end, ..whole },
        })
    }

    /// That nobody listens.
    pub(crate) fn refused(now: Instant) -> Self {
        Self::without_headers(Status::CONNECT, now)
    }

    fn without_headers(status: Status, at: Instant) -> Self {
        Self { status, known: at, headers: None, broken: false, over: at }
    }

    /// What a probe that may take `most` reports of its answer, and when. A probe waits for the whole body.
    pub(crate) fn of_probe(plan: &Plan, policy: &Policy, most: Duration, now: Instant) -> (Status, Instant) {
        let late = (Status::TIMEOUT, now + most);
        let patience = Patience { headers: most, piece: most };
        let answer = Self::new(plan, &[], patience, now, |status, _| policy.is_success(status));
        answer.map_or(late, |answer| if answer.known < late.1 { (answer.status, answer.known) } else { late })
    }

    /// The status that the client gets, if nothing is tried after this.
    pub(crate) fn client(&self) -> Status {
        let answered =
            Status::new(self.status.code()).expect("broken invariant: a client is answered a status");
        self.headers.unwrap_or(answered)
    }

    /// Whether a byte of it has gone to the client when it is known what is reported, so that nothing may be tried after it.
    pub(crate) fn is_passed_on(&self) -> bool {
        self.headers.is_some_and(|headers| headers != self.status)
    }
}

/// How long a stream of `pieces` goes on until `fault` stops it, it ends, or it stalls for as long as `most`; and whether it
/// stalls.
fn played(pieces: &[Piece], fault: Option<&Fault>, most: Duration) -> (Duration, bool) {
    let all: u64 = pieces.iter().map(|(_, bytes)| bytes).sum();
    let stop = match fault {
        Some(Fault::ResetAfterHeaders) => 0,
        Some(Fault::MalformedChunk) => all / 2,
        // In the middle, even if it is asked for past the end.
        Some(Fault::Cut(After::Bytes(bytes)) | Fault::StallAfter(After::Bytes(bytes))) => {
            bytes.0.min(all.saturating_sub(1))
        }
        Some(Fault::Cut(After::Events(events)) | Fault::StallAfter(After::Events(events))) => {
            let events = usize::try_from(events.0).unwrap_or(usize::MAX).min(pieces.len());
            let bytes: u64 = pieces[..events].iter().map(|(_, bytes)| bytes).sum();
            bytes.min(all.saturating_sub(1))
        }
        _ => u64::MAX,
    };
    let (mut lasts, mut sent) = (Duration::ZERO, 0);
    for (wait, bytes) in pieces {
        if sent >= stop {
            break;
        }
        if *wait >= most {
            return (lasts, true);
        }
        lasts = Duration::from_millis(lasts.as_millis().saturating_add(wait.as_millis()));
        sent += bytes;
    }
    (lasts, false)
}

#[cfg(test)]
mod tests {
    use super::*;
    use firedrill_failover::{Config, Fingerprint, Settings, Token};
    use firedrill_provider::{Ask, Behaviour, Upstream};
    use firedrill_yaml::Source;

    const PATIENCE: Patience =
        Patience { headers: Duration::from_millis(300), piece: Duration::from_millis(500) };

    fn plan(script: &str) -> (Plan, Config) {
        let upstream: Upstream =
            Source::new("f", &*format!("default: {script}")).parse("an upstream").expect("a good one");
        let token = Token { label: "a".into(), fingerprint: Fingerprint::new(1) };
        let config = Config::parse(vec![token], &Settings::default()).expect("one token");
        let mut behaviour = Behaviour::new(upstream.into(), 0);
        (behaviour.call(Instant::from_millis(1_000), Ask { token: "a", llm_tokens: 1 }), config)
    }

    /// `expect` is what is reported, when, and what the client gets until when; times from sending.
    #[track_caller]
    fn check(script: &str, expect: &str) {
        let (plan, config) = plan(script);
        let now = Instant::from_millis(1_000);
        let since = |at: Instant| at.since(now);
        let answer = Answer::new(&plan, &[], PATIENCE, now, |status, _| config.policy().is_success(status));
        let answer = answer.map(|answer| {
            let Answer { status, known, broken, over, .. } = answer;
            let broken = if broken { " broken" } else { "" };
            let passed = if answer.is_passed_on() { ", passed on" } else { "" };
            format!("{status} at {}, {}{broken} until {}{passed}", since(known), answer.client(), since(over))
        });
        assert_eq!(answer.unwrap_or_else(|| "never".to_owned()), expect, "{script}");
    }

    #[track_caller]
    fn check_probe(script: &str, expect: &str) {
        let (plan, config) = plan(script);
        let now = Instant::from_millis(1_000);
        let (status, at) = Answer::of_probe(&plan, config.policy(), Duration::from_millis(300), now);
        assert_eq!(format!("{status} at {}", at.since(now)), expect, "{script}");
    }

    #[test]
    fn an_answer_is_known_by_its_headers_or_its_end() {
        check("200", "200 at 0ms, 200 until 0ms");
        check("{ status: 200, latency: 299ms }", "200 at 299ms, 200 until 299ms");
        check("{ status: 429, latency: 20ms, fault: errorEvent }", "200 at 20ms, 200 until 20ms");
        check("{ status: 200, fault: invalidJson }", "200 at 0ms, 200 until 0ms");
        check("{ status: 200, fault: { drip: { bytes: 1, every: 499ms } } }", "200 at 0ms, 200 until 0ms");
        check("{ status: 200, fault: endless }", "never");
    }

    #[test]
    fn what_goes_wrong_before_the_headers_is_answered_by_the_gateway() {
        check("{ status: 200, fault: reset, latency: 20ms }", "reset at 20ms, 503 until 20ms");
        check("{ status: 200, latency: 300ms }", "timeout at 300ms, 504 until 300ms");
        check("{ status: 200, fault: stall, latency: 20ms }", "timeout at 300ms, 504 until 300ms");
        check("{ status: 200, fault: reset, latency: 301ms }", "timeout at 300ms, 504 until 300ms");
        let refused = Answer::refused(Instant::ZERO);
        assert_eq!((refused.status, refused.client().code(), refused.broken), (Status::CONNECT, 503, false));
    }

    #[test]
    fn a_body_that_breaks_off_turns_a_success_and_nothing_else() {
        for fault in ["resetAfterHeaders", "{ cut: { bytes: 9 } }", "malformedChunk", "wrongLength"] {
            check(
                &format!("{{ status: 200, latency: 20ms, fault: {fault} }}"),
                "reset at 20ms, 200 broken until 20ms, passed on",
            );
            check(
                &format!("{{ status: 503, latency: 20ms, fault: {fault} }}"),
                "503 at 20ms, 503 broken until 20ms",
            );
        }
        let expect = "timeout at 520ms, 200 broken until 520ms, passed on";
        check("{ status: 200, latency: 20ms, fault: { stallAfter: { bytes: 9 } } }", expect);
        check("{ status: 200, latency: 20ms, fault: { drip: { bytes: 1, every: 500ms } } }", expect);
        let expect = "302 at 20ms, 302 broken until 520ms";
        check("{ status: 302, latency: 20ms, fault: { stallAfter: { bytes: 9 } } }", expect);
    }

    #[test]
    fn a_probe_has_so_long_for_all_of_its_answer() {
        check_probe("200", "200 at 0ms");
        check_probe("{ status: 200, latency: 299ms }", "200 at 299ms");
        check_probe("{ status: 200, latency: 300ms }", "timeout at 300ms");
        check_probe("{ status: 200, fault: stall }", "timeout at 300ms");
        check_probe(
            "{ status: 200, latency: 20ms, fault: { stallAfter: { bytes: 9 } } }",
            "timeout at 300ms",
        );
        check_probe("{ status: 503, latency: 20ms, fault: { stallAfter: { bytes: 9 } } }", "503 at 20ms");
        check_probe("{ status: 200, latency: 20ms, fault: wrongLength }", "reset at 20ms");
        check_probe("{ status: 200, fault: endless }", "timeout at 300ms");
    }
}
