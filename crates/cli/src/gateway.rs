//! `firedrill gateway`: serves a pool of tokens until it is asked to stop.

mod logging;
mod signals;

use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use firedrill_failover::WorkerId;
use firedrill_gateway::{Gateway, GatewayFile, LogFormat, Settings, StoreSetting, Watch};
use firedrill_store::{FileStore, MemoryStore, RedisStore, Store, StoreError};
use firedrill_yaml::{Problem, Source};

use crate::args::TEMPLATE;
use crate::exit::{Ended, Error};
use crate::lines::plural;
use crate::out::Out;
use crate::text::{one_line, shown};
use signals::{Signal, Signals};

/// Serve a pool of tokens, with failover
#[derive(Debug, clap::Args)]
#[command(help_template = TEMPLATE, before_help = "\
Point clients at it as at the provider itself: it draws a token for each \
request, takes out tokens that fail, and brings them back. The file holds the \
provider block of Higress as it is, and little else. Standard output has one \
line of JSON with the addresses, for scripts.

  # gateway.yaml
  provider:
    type: openai
    apiTokens: [env:OPENAI_KEY_1, env:OPENAI_KEY_2]
    failover: { enabled: true, failureThreshold: 3, cooldownDuration: 60000 }
    retryOnFailure: { enabled: true }

It reads the file again when it changes, and on SIGHUP; one that is wrong is \
refused, and the old one goes on. SIGTERM and Ctrl-C let answers end first, a \
second one stops at once.")]
#[command(after_help = "\
Examples:
  firedrill gateway gateway.yaml --check   say what is wrong with it
  firedrill gateway gateway.yaml
  curl localhost:8080/v1/chat/completions \\
    -d '{\"model\":\"gpt-4o\",\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"}]}'
  curl localhost:8081/state                who is available, and who is not
  curl localhost:8081/metrics              for Prometheus
  curl -N localhost:8081/events            what happens, as it happens
  curl -X POST -H 'content-type: application/json' \\
    localhost:8081/tokens/OPENAI_KEY_1/out take it out; `in` puts it back,
                                           `reset` takes its count to zero")]
pub(crate) struct Args {
    /// The gateway's file
    #[arg(value_name = "FILE")]
    file: PathBuf,

    /// Only read the file, and say what is wrong with it
    #[arg(long)]
    check: bool,

    /// Port of the clients, instead of the file's; 0 takes any that is free
    #[arg(long, value_name = "PORT")]
    port: Option<u16>,

    /// Port of the admin, instead of the file's; 0 takes any that is free
    #[arg(long, value_name = "PORT")]
    admin_port: Option<u16>,

    /// Log warnings only, and print the line of JSON only
    #[arg(long, short, conflicts_with = "verbose")]
    quiet: bool,

    /// Log every event, and every request
    #[arg(long, short)]
    verbose: bool,
}

pub(crate) fn gateway(args: &Args, out: &mut Out) -> Result<Ended, Error> {
    let source = Source::read(&args.file)?;
    let color = out.color_of_problems();
    let file = match GatewayFile::parse(&source) {
        Ok(file) => file,
        Err(unusable) => {
            out.complain(&format!("{}\n", unusable.render(color)));
            return Ok(Ended::CouldNotRun);
        }
    };
    drop(source);
    if args.admin_port.is_some() && file.settings.admin.is_none() {
        let problem = Problem::new("`--admin-port` has no effect: the file says `admin: none`");
        return Err(problem.hint("leave one of the two out").into());
    }
    // Who collects lines of JSON is told nothing else.
    let pretty = !args.quiet && (args.check || file.log == LogFormat::Pretty);
    if pretty {
        for warning in &file.warnings {
            out.complain(&format!("{}\n", warning.render(Some(&file.shown), color)));
        }
    }
    if args.check {
        if !args.quiet {
            out.line(format_args!("{} is good:", shown(&args.file)));
            out.text(&table(&file, &settings(args, &file)));
        }
        return Ok(Ended::Well);
    }
    logging::begin(file.log, args.quiet, args.verbose, color);
    if !pretty {
        for warning in &file.warnings {
            tracing::warn!("{}", warning.message());
        }
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Problem::new(format!("cannot start: {error}")))?;
    runtime.block_on(open(args, file, out))
}

/// What the file says, with the ports of the command line.
fn settings(args: &Args, file: &GatewayFile) -> Settings {
    let mut settings = file.settings.clone();
    if let Some(port) = args.port {
        settings.listen.set_port(port);
    }
    if let (Some(admin), Some(port)) = (&mut settings.admin, args.admin_port) {
        admin.set_port(port);
    }
    settings
}

/// Opens the store, and serves with it.
async fn open(args: &Args, file: GatewayFile, out: &mut Out) -> Result<Ended, Error> {
    match file.store.clone() {
        StoreSetting::Memory => serve(args, file, MemoryStore::new(), out).await,
        StoreSetting::File { path, fsync } => {
            let opened = FileStore::open(&path, file.pool, fsync).map_err(|error| unopened(&error))?;
            if let Some(torn) = &opened.torn {
                tracing::warn!("the last line of the log was cut short, and is left out: {}", torn.problem);
            }
            serve(args, file, opened.store, out).await
        }
        StoreSetting::Redis { url, options } => {
            let store =
                RedisStore::begin(url.expose(), file.pool, options).map_err(|error| unopened(&error))?;
            serve(args, file, store, out).await
        }
    }
}

fn unopened(error: &StoreError) -> Problem {
    let hint = "`store` says where the log is kept; `pool`, or without it the type and the upstream, says whose it is";
    Problem::new(error.to_string()).hint(hint)
}

async fn serve<S: Store + 'static>(
    args: &Args,
    file: GatewayFile,
    store: S,
    out: &mut Out,
) -> Result<Ended, Error> {
    let mut signals =
        Signals::listen().map_err(|error| Problem::new(format!("cannot hear signals: {error}")))?;
    let settings = settings(args, &file);
    let builder = Gateway::builder(settings.clone()).store(store).worker(worker()?);
    let gateway = builder.start().await.map_err(|error| {
        let hint = "choose others with `listen`, `--port` and `--admin-port`; 0 takes any that is free";
        Problem::new(error.to_string()).hint(hint)
    })?;
    let at = format!("http://{}", gateway.address());
    let admin = gateway.admin_address().map(|admin| format!("http://{admin}"));
    let quoted = admin.as_ref().map_or("null".to_owned(), |admin| format!("\"{admin}\""));
    out.line(format_args!(r#"{{"gateway":"{at}","admin":{quoted}}}"#));
    out.show();
    if !args.quiet && file.log == LogFormat::Pretty {
        let mut lines = format!("serving {}\n{}", one_line(&file.name), table(&file, &settings));
        lines = lines + "  clients   " + &at + "\n";
        if let Some(admin) = &admin {
            lines = lines + "  admin     " + admin + ": /state /events /metrics /healthz /readyz\n";
        }
        out.complain(&lines);
    }
    if file.log == LogFormat::Json {
        let (tokens, pool) = (settings.pool.tokens().len(), &*file.name);
        tracing::info!(gateway = at, admin, pool, tokens, "serving");
    }
    let mut watch = Watch::new(&args.file, file);
    let asked = loop {
        tokio::select! {
            signal = signals.next() => match signal {
                Signal::Reload => watch.reload(&gateway, now()),
                Signal::Stop(ended) => break ended,
            },
            () = watch.changed() => watch.reload(&gateway, now()),
        }
    };
    tracing::info!("stopping: answers that are being given may end first");
    let mut stopping = std::pin::pin!(gateway.stop());
    loop {
        tokio::select! {
            () = &mut stopping => return Ok(asked),
            signal = signals.next() => if let Signal::Stop(_) = signal {
                return Ok(Ended::Interrupted);
            },
        }
    }
}

/// Who this process is in the log: one that no other ever was. 48 random bits of the operating system, so that every reader
/// of JSON holds the number exactly, and a thousand starts clash once in half a billion logs.
fn worker() -> Result<WorkerId, Problem> {
    let random = getrandom::u64();
    let random = random.map_err(|error| Problem::new(format!("the system gives no random bits: {error}")))?;
    Ok(WorkerId::new((random >> 16).max(1)))
}

/// Milliseconds since the Unix epoch.
#[expect(clippy::disallowed_methods, reason = "the edge: when a file was read is told to people")]
fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// What is served, for people.
fn table(file: &GatewayFile, settings: &Settings) -> String {
    let tokens = settings.pool.tokens();
    let labels: Vec<String> = tokens.iter().take(8).map(|token| one_line(&token.label)).collect();
    let more = if tokens.len() > labels.len() { ", …" } else { "" };
    let policy = settings.pool.policy();
    let failover = policy.failover().map_or("off".to_owned(), |failover| {
        let threshold = failover.failure_threshold().get();
        let mut line = format!("out at {}", plural(threshold as usize, "failure"));
        if let Some(cooldown) = failover.cooldown() {
            line = format!("{line}, back after {cooldown}");
        }
        if let Some(check) = failover.health_check() {
            line = format!("{line}, probed with {}", one_line(&check.model));
        }
        line
    });
    let retries = if policy.retry().is_some() { "; another token is tried" } else { "" };
    let store = match &file.store {
        StoreSetting::Memory => "in memory".to_owned(),
        StoreSetting::File { path, .. } => format!("in {}", shown(path)),
        StoreSetting::Redis { options, .. } => {
            format!("in Redis, {}:{{{}}}", one_line(&options.prefix), file.pool)
        }
    };
    format!(
        "  upstream  {}\n  tokens    {}: {}{more}\n  failover  {failover}{retries}\n  log       {store}\n",
        settings.upstream,
        tokens.len(),
        labels.join(", "),
    )
}
