//! The counts as a page for Prometheus: few series, whatever is asked for. Labels are a token's label and a class of statuses;
//! never a path, a model or a client.

use std::fmt;
use std::sync::{Arc, PoisonError};

use firedrill_store::{Reach, Shell};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, NoLabelSet, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Registry;

use super::times::Times;
use super::{Metrics, Relaxed};
use crate::flight::Flight;

/// What the page is told to be.
pub(crate) const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The page, as `shell` stands just now.
pub(crate) fn page(
    metrics: &Arc<Metrics>,
    shell: &Shell,
    flight: &Arc<Flight>,
) -> Result<String, fmt::Error> {
    let mut registry = Registry::with_prefix("firedrill");
    let source = Page { metrics: Arc::clone(metrics), shell: shell.clone(), flight: Arc::clone(flight) };
    registry.register_collector(Box::new(source));
    let mut page = String::new();
    text::encode(&mut page, &registry)?;
    Ok(page)
}

#[derive(Debug)]
struct Page {
    metrics: Arc<Metrics>,
    shell: Shell,
    flight: Arc<Flight>,
}

type Labels = Vec<(&'static str, String)>;

fn series<const N: usize>(labels: [(&'static str, &str); N]) -> Labels {
    labels.into_iter().map(|(key, value)| (key, value.to_owned())).collect()
}

struct Writer<'a>(DescriptorEncoder<'a>);

impl Writer<'_> {
    fn counters(&mut self, name: &str, help: &str, counts: Vec<(Labels, u64)>) -> fmt::Result {
        let mut encoder = self.0.encode_descriptor(name, help, None, MetricType::Counter)?;
        for (labels, count) in counts {
            encoder.encode_family(&labels)?.encode_counter::<NoLabelSet, u64, u64>(&count, None)?;
        }
        Ok(())
    }

    fn counter(&mut self, name: &str, help: &str, count: u64) -> fmt::Result {
        let mut encoder = self.0.encode_descriptor(name, help, None, MetricType::Counter)?;
        encoder.encode_counter::<NoLabelSet, u64, u64>(&count, None)
    }

    fn gauges(&mut self, name: &str, help: &str, gauges: Vec<(Labels, u64)>) -> fmt::Result {
        let mut encoder = self.0.encode_descriptor(name, help, None, MetricType::Gauge)?;
        for (labels, gauge) in gauges {
            encoder.encode_family(&labels)?.encode_gauge(&gauge)?;
        }
        Ok(())
    }

    fn gauge(&mut self, name: &str, help: &str, gauge: u64) -> fmt::Result {
        self.0.encode_descriptor(name, help, None, MetricType::Gauge)?.encode_gauge(&gauge)
    }

    fn times(&mut self, name: &str, help: &str, times: &Times) -> fmt::Result {
        let (sum, count, buckets) = times.read();
        let mut encoder = self.0.encode_descriptor(name, help, None, MetricType::Histogram)?;
        encoder.encode_histogram::<NoLabelSet>(sum, count, &buckets, None)
    }
}

impl Collector for Page {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut writer = Writer(encoder);
        self.requests(&mut writer)?;
        self.tokens(&mut writer)?;
        self.log(&mut writer)
    }
}

impl Page {
    fn requests(&self, writer: &mut Writer<'_>) -> fmt::Result {
        let Metrics { classes: [upstream, own], .. } = &*self.metrics;
        let metrics = &*self.metrics;
        writer.counter("requests", "Requests whose head was read", metrics.requests())?;
        let of = |by: &'static str, classes: &super::Classes| {
            classes
                .counts()
                .map(|(class, count)| (series([("by", by), ("status", class)]), count))
                .collect::<Vec<_>>()
        };
        let answers = of("upstream", upstream).into_iter().chain(of("gateway", own)).collect();
        writer.counters("answers", "Answers to clients, by who gave them and their status", answers)?;
        writer.counter("aborts", "Requests whose client went away before the answer", metrics.aborts())?;
        writer.counter("retries", "Attempts after the first of a request", metrics.retries())?;
        let help = "Attempts with an unavailable token, because none was available";
        writer.counter("fallbacks", help, metrics.fallbacks.load(Relaxed))?;
        let help = "Attempts and probes sent again, for upstream had just closed their connection";
        writer.counter("sent_again", help, metrics.sent_again.load(Relaxed))?;
        writer.times(
            "request_seconds",
            "From a request's head to the head of its answer",
            &metrics.request_times,
        )?;
        writer.times(
            "attempt_seconds",
            "From sending an attempt to the head of its answer",
            &metrics.attempt_times,
        )?;
        let flight = self.flight.now();
        writer.gauge("requests_open", "Requests that are being answered", flight.requests as u64)?;
        let (connected, gone) = (metrics.connections.load(Relaxed), metrics.disconnections.load(Relaxed));
        writer.gauge("connections_open", "Connections of clients", connected.saturating_sub(gone))?;
        writer.counter("connections", "Connections of clients, all in all", connected)?;
        let help = "Connections that there was no room for";
        writer.counter("connections_refused", help, metrics.turned_away.load(Relaxed))
    }

    fn tokens(&self, writer: &mut Writer<'_>) -> fmt::Result {
        let known = self.metrics.tokens.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let attempts = known.iter().flat_map(|(label, counts)| {
            let of = |(outcome, count)| (series([("token", label), ("outcome", outcome)]), count);
            counts.came.counts().map(of)
        });
        let help = "Attempts with a token, by what came of them";
        writer.counters("attempts", help, attempts.collect())?;
        let broken = known.iter().flat_map(|(label, counts)| {
            let of = |(outcome, count): (&str, &std::sync::atomic::AtomicU64)| {
                (series([("token", label), ("outcome", outcome)]), count.load(Relaxed))
            };
            ["timeout", "reset"].into_iter().zip(&counts.broke_off).map(of)
        });
        let help = "Answers that had begun well and broke off";
        writer.counters("answers_broken", help, broken.filter(|(_, count)| *count > 0).collect())?;
        let (available, failures) = self.shell.look(|pool| {
            let of = |value: fn(&firedrill_failover::TokenState<'_>) -> u64| {
                let mut all: Vec<_> = pool
                    .tokens()
                    .map(|(_, token)| (series([("token", token.label)]), value(&token)))
                    .collect();
                all.sort_unstable();
                all
            };
            (of(|token| token.unavailable_since.is_none().into()), of(|token| token.failures.into()))
        });
        writer.gauges("token_available", "1 if the token is available, 0 if it is not", available)?;
        writer.gauges("token_failures", "Consecutive failures counted of the token", failures)?;
        writer.counter("probes", "Probes that were sent", self.metrics.probes_sent.load(Relaxed))?;
        let answers = self.metrics.probes.counts();
        let answers = answers.map(|(class, count)| (series([("outcome", class)]), count)).collect();
        writer.counters("probe_answers", "Probes, by what came of them", answers)
    }

    fn log(&self, writer: &mut Writer<'_>) -> fmt::Result {
        let standing = self.shell.standing();
        let reachable = u64::from(standing.reach == Reach::Connected);
        writer.gauge("log_reachable", "1 if the store of the log answers, 0 if not", reachable)?;
        writer.gauge(
            "log_version",
            "The version of the log that was heard",
            standing.head.version.appends(),
        )?;
        writer.gauge("log_waiting", "Commands that are to enter the log", standing.waiting as u64)?;
        writer.counter("log_appends", "Appends of this gateway that the log took", standing.appends)?;
        writer.counter("log_conflicts", "Appends that were refused and decided again", standing.conflicts)?;
        writer.counter("log_outages", "How often the store of the log was away", standing.outages)?;
        let loading = self.metrics.loading();
        let reloads = vec![
            (series([("result", "loaded")]), loading.reloads),
            (series([("result", "refused")]), loading.refusals),
        ];
        writer.counters("config_reloads", "How often the configuration was read again", reloads)?;
        let good = u64::from(loading.refused.is_none());
        writer.gauge("config_good", "0 if the configuration was refused when it was last read", good)
    }
}
