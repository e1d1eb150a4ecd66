//! `firedrill mock`: serves mock providers until Ctrl-C.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::ValueEnum;
use firedrill_clock::{Clock, Real, Virtual};
use firedrill_provider::{MockFile, Served, Server, Settings};
use firedrill_yaml::{Problem, Source};
use serde_json::Value;

use crate::args::TEMPLATE;
use crate::exit::{Ended, Error};
use crate::interrupt::Interrupt;
use crate::lines::plural;
use crate::out::Out;
use crate::text::{columns, pad};

/// Serve mock providers that fail on cue
#[derive(Debug, clap::Args)]
#[command(help_template = TEMPLATE, before_help = "\
A mock file says what providers there are and how they fail: which tokens get \
429, when there is an outage, what the quotas are. Point a gateway at the port \
and rehearse. Standard output has one line of JSON with both addresses, for \
scripts. Ctrl-C stops it: once to let answers end first, twice to stop at once.

  # mock.yaml
  type: openai
  upstream:
    sk-a: [429, 429, 200]
    quotas: [{ requests: 60, per: 1m }]
    outages: [{ from: 30s, for: 10s, status: 503 }]")]
#[command(after_help = "\
Examples:
  firedrill mock mock.yaml
  curl localhost:4141/v1/chat/completions -H 'authorization: Bearer sk-a' \\
    -d '{\"model\":\"gpt-4o\",\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"}]}'
  curl localhost:4142/journal              what was asked, and how it ended
  curl localhost:4142/upstream/openai -T - <<< 'default: 503'
  firedrill mock mock.yaml --clock virtual --port 0 --control-port 0
  curl localhost:4142/clock -d '{\"advance\":\"10s\"}'")]
pub(crate) struct Args {
    /// Mock files; the providers of all are served
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,

    /// Port of the providers; 0 takes any that is free (default: 4141)
    #[arg(long, value_name = "PORT", default_value_t = 4141, hide_default_value = true)]
    port: u16,

    /// Port of the control API; 0 takes any that is free (default: 4142)
    #[arg(long, value_name = "PORT", default_value_t = 4142, hide_default_value = true)]
    control_port: u16,

    /// Address of the providers (default: 127.0.0.1)
    #[arg(long, value_name = "IP", default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST), hide_default_value = true)]
    listen: IpAddr,

    /// Address of the control API (default: 127.0.0.1); who reaches it rules
    #[arg(long, value_name = "IP", default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST), hide_default_value = true)]
    control_listen: IpAddr,

    /// Time: real (default), or virtual, which the control API moves
    #[arg(long, default_value = "real", hide_possible_values = true, hide_default_value = true)]
    clock: ClockWord,

    /// What chance derives from (default: the `seed` of the file, or 0)
    #[arg(long)]
    seed: Option<u64>,

    /// Print the line of JSON only
    #[arg(long, short)]
    quiet: bool,
}

#[derive(Copy, Clone, Debug, PartialEq, Eq, ValueEnum)]
enum ClockWord {
    Real,
    Virtual,
}

pub(crate) fn mock(args: &Args, out: &mut Out) -> Result<Ended, Error> {
    let Some(file) = read(args, out)? else { return Ok(Ended::CouldNotRun) };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Problem::new(format!("cannot start: {error}")))?;
    runtime.block_on(serve(args, file, out))
}

/// The providers of all files. `None` if something is wrong with them, which was told.
fn read(args: &Args, out: &mut Out) -> Result<Option<MockFile>, Problem> {
    let mut files = Vec::new();
    for path in &args.files {
        let source = Source::read(path)?;
        let told = match MockFile::parse(&source) {
            Ok(file) => {
                let warnings = file.warnings.clone();
                files.push(file);
                warnings
            }
            Err(problems) => problems,
        };
        for problem in told
            .iter()
            .filter(|problem| !args.quiet || problem.severity() > firedrill_yaml::Severity::Warning)
        {
            let text = problem.render(Some(&source), out.color_of_problems());
            out.complain(&format!("{text}\n"));
        }
    }
    if files.len() < args.files.len() {
        return Ok(None);
    }
    MockFile::join(files).map(Some)
}

async fn serve(args: &Args, file: MockFile, out: &mut Out) -> Result<Ended, Error> {
    let clock: Arc<dyn Clock> = match args.clock {
        ClockWord::Real => Arc::new(Real::start()),
        ClockWord::Virtual => Arc::new(Virtual::default()),
    };
    let settings = Settings {
        address: SocketAddr::new(args.listen, args.port),
        control: SocketAddr::new(args.control_listen, args.control_port),
        seed: args.seed,
        clock,
        ..Settings::local()
    };
    let interrupt = Interrupt::listen();
    let server = Server::start(file, settings).map_err(|error| {
        let hint =
            "choose another with `--port`, `--control-port` or `port` in the mock file; 0 takes any that is free";
        Problem::new(error.to_string()).hint(hint)
    })?;
    out.line(addresses(&server));
    out.show();
    if !args.quiet {
        out.complain(&table(&server));
    }
    while !interrupt.heard() {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    server.stop().await;
    Ok(Ended::Interrupted)
}

/// Where everything is, for scripts.
fn addresses(server: &Server) -> String {
    let mock = server.address().map_or_else(|| "null".to_owned(), |address| format!(r#""http://{address}""#));
    // By hand, for JSON of serde's has no order of ours.
    let providers = server.served().map(|it| format!("{}:{}", Value::from(it.name), Value::from(it.url)));
    let providers = providers.collect::<Vec<_>>().join(",");
    format!(r#"{{"mock":{mock},"control":"http://{}","providers":{{{providers}}}}}"#, server.control())
}

/// What is served where, for people.
fn table(server: &Server) -> String {
    let served: Vec<Served<'_>> = server.served().collect();
    let shared = server.address().map_or_else(String::new, |address| format!(" at http://{address}"));
    let mut lines = vec![format!("serving {}{shared}", plural(served.len(), "provider"))];
    let width = |of: fn(&Served<'_>) -> usize| served.iter().map(of).max().unwrap_or(0);
    let (names, dialects) = (width(|it| columns(it.name)), width(|it| columns(it.dialect.word())));
    for Served { name, dialect, route, address, .. } in &served {
        let own = address.map_or_else(String::new, |address| format!(" at http://{address}"));
        lines.push(format!("  {}  {}  {route}{own}", pad(name, names), pad(dialect.word(), dialects)));
    }
    let control = server.control();
    lines.push(format!("control API at http://{control}: /state /journal /counts /openapi.json"));
    lines.join("\n")
}
