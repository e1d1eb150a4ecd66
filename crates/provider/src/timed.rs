//! The same behaviour with other times: a rehearsal against a gateway whose cooldowns are shorter lasts as much shorter.

use firedrill_failover::Duration;

use crate::fault::{Drip, Fault};
use crate::latency::Latency;
use crate::quota::Quota;
use crate::script::Answer;
use crate::upstream::{Errors, Outage, Pace, Upstream};
use firedrill_block::Span;

impl Upstream {
    /// The same with each length of time as `time` says; one that is longer than none should stay so.
    ///
    /// ```
    /// use firedrill_failover::Duration;
    /// use firedrill_provider::Upstream;
    /// use firedrill_yaml::Source;
    ///
    /// let read = |text| Source::new("upstream", text).parse::<Upstream>("what the provider will do").unwrap();
    /// let tenth = |time: Duration| Duration::from_millis(time.as_millis() / 10);
    /// assert_eq!(read("default: { status: 503, for: 10s }").timed(&tenth), read("default: { status: 503, for: 1s }"));
    /// ```
    #[must_use]
    pub fn timed(&self, time: &dyn Fn(Duration) -> Duration) -> Self {
        let Self { tokens, default, domains, quotas, concurrent, outages, errors, latency, pace } = self;
        let fault = |fault: &Option<Fault>| fault.as_ref().map(|fault| fault.timed(time));
        Self {
            tokens: tokens.iter().map(|(name, script)| (name.clone(), script.timed(time))).collect(),
            default: default.timed(time),
            domains: domains.clone(),
            quotas: quotas.iter().map(|quota| Quota { per: time(quota.per), ..*quota }).collect(),
            concurrent: concurrent.clone(),
            outages: outages
                .iter()
                .map(|outage| Outage {
                    from: time(outage.from),
                    lasts: time(outage.lasts),
                    status: outage.status,
                    fault: fault(&outage.fault),
                })
                .collect(),
            errors: errors
                .iter()
                .map(|errors| Errors {
                    rate: errors.rate,
                    status: errors.status,
                    fault: fault(&errors.fault),
                })
                .collect(),
            latency: latency.timed(time),
            pace: Pace { first: pace.first.timed(time), between: pace.between.timed(time) },
        }
    }
}

impl Answer {
    pub(crate) fn timed(&self, time: &dyn Fn(Duration) -> Duration) -> Self {
        Self {
            status: self.status,
            error: self.error.clone(),
            retry_after: self.retry_after.map(time),
            fault: self.fault.as_ref().map(|fault| fault.timed(time)),
            latency: self.latency.as_ref().map(|latency| latency.timed(time)),
        }
    }
}

impl Latency {
    fn timed(&self, time: &dyn Fn(Duration) -> Duration) -> Self {
        match self {
            Self::Fixed(wait) => Self::Fixed(time(*wait)),
            Self::Uniform(from, to) => Self::Uniform(time(*from), time(*to)),
            Self::LogNormal { median, p99 } => Self::LogNormal { median: time(*median), p99: time(*p99) },
            Self::Recorded(waits) => Self::Recorded(waits.iter().map(|wait| time(*wait)).collect()),
        }
    }
}

impl Fault {
    fn timed(&self, time: &dyn Fn(Duration) -> Duration) -> Self {
        match self {
            Self::Drip(Drip { bytes, every }) => {
                Self::Drip(Drip { bytes: *bytes, every: Span(time(every.0)) })
            }
            other => other.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use firedrill_yaml::Source;

    #[test]
    fn every_time_is_another_and_nothing_else() {
        let text = |s: u64| {
            format!(
                "{{ sk-a: [{{ status: 429, times: 2, retryAfter: {s}s }}, {{ fault: {{ drip: {{ bytes: 4, every: {s}s }} }} }}],
                   default: {{ repeat: [{{ status: 503, for: {s}s, latency: {s}s }}, 200], for: {s}s, then: 201 }},
                   domains: {{ org: [sk-a, sk-b] }},
                   quotas: [{{ requests: 7, per: {s}s }}, {{ concurrent: 4 }}, {{ llmTokens: 9, per: {s}s, window: bucket, burst: 3 }}],
                   outages: [{{ from: {s}s, for: {s}s, fault: reset }}],
                   errors: [{{ rate: 1%, status: 500, fault: {{ drip: {{ bytes: 1, every: {s}s }} }} }}],
                   latency: {{ from: {s}s, to: {s}s }},
                   pace: {{ first: {{ median: {s}s, p99: {s}s }}, between: [{s}s, {s}s] }} }}"
            )
        };
        let read =
            |text: String| -> Upstream { Source::new("f", text).parse("an upstream").expect("a good one") };
        let tenth = |time: Duration| Duration::from_millis(time.as_millis() / 10);
        // Places are of the text, so both are read from texts of one length.
        assert_eq!(read(text(90)).timed(&tenth), read(text(9).replace("9s", "9s ")).timed(&|time| time));
    }
}
