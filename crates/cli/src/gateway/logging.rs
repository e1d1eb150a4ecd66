//! Where log lines go: to standard error, those of firedrill alone. What other crates would log may hold what must not be
//! seen.

use std::io;

use firedrill_gateway::LogFormat;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, fmt, registry};

/// From now on every log line of this process is printed.
pub(super) fn begin(format: LogFormat, quiet: bool, verbose: bool, color: bool) {
    let level = match (quiet, verbose) {
        (true, _) => LevelFilter::WARN,
        (_, true) => LevelFilter::DEBUG,
        _ => LevelFilter::INFO,
    };
    let ours = Targets::new().with_target("firedrill", level);
    let lines = fmt::layer().with_writer(io::stderr).with_target(false);
    let lines = match format {
        LogFormat::Pretty => lines.with_ansi(color).boxed(),
        LogFormat::Json => {
            lines.json().flatten_event(true).with_current_span(false).with_span_list(false).boxed()
        }
    };
    // Another one that the process has chosen before is as good.
    let _ = registry().with(lines.with_filter(ours)).try_init();
}
