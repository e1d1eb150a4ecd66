//! What scenarios are run against, as the command line says it: the engine, our gateway, or somebody else's.

use std::fs::File;
use std::io::Read;
use std::net::SocketAddr;
use std::str::FromStr;
use std::sync::Arc;

use clap::builder::NonEmptyStringValueParser;
use firedrill_clock::Real;
use firedrill_failover::Duration;
use firedrill_provider::Dialect;
use firedrill_scenario::{
    GatewayUrl, Header, Run, Scenario, Settings, Stranger, TimeScale, Watch, run_on_engine,
};
use firedrill_yaml::{Problem, closest, quoted};

use super::ahead::Ahead;
use super::progress::Progress;
use crate::args::span;
use crate::interrupt::Interrupt;
use crate::text::shell_word;

/// What a gateway is asked for, unless somebody says otherwise.
const PATH: &str = "/v1/chat/completions";
const MODEL: &str = "gpt-4o";
const TIMEOUT: Duration = Duration::from_secs(60);

/// A secret in a file of its own has at most so many bytes.
const MOST_SECRET: u64 = 64 << 10;

/// What scenarios are run against.
#[derive(Debug, clap::Args)]
pub(super) struct TargetArgs {
    /// Run against: engine (default), gateway (ours, over HTTP), or the URL of
    /// a gateway
    #[arg(long, value_name = "TARGET", default_value = "engine", hide_default_value = true)]
    target: Word,

    /// Where the mock provider listens, for the gateway to be pointed at
    #[arg(long, value_name = "IP:PORT", value_parser = address, help_heading = HEADING)]
    mock_listen: Option<SocketAddr>,

    /// What the mock provider speaks (default: openai)
    #[arg(long, value_name = "TYPE", help_heading = HEADING)]
    mock_type: Option<Dialect>,

    /// What is asked for (default: /v1/chat/completions)
    #[arg(long, value_name = "PATH", value_parser = path, help_heading = HEADING)]
    path: Option<String>,

    /// The model that is asked for (default: gpt-4o)
    #[arg(long, value_name = "NAME", value_parser = NonEmptyStringValueParser::new(), help_heading = HEADING)]
    model: Option<String>,

    /// A header of every request; repeat it for several. A secret in it is
    /// written as env:NAME or file:PATH
    #[arg(long = "header", value_name = "NAME: VALUE", help_heading = HEADING)]
    headers: Vec<String>,

    /// How long an answer may take (default: 60s)
    #[arg(long, value_name = "TIME", value_parser = some_time, help_heading = HEADING)]
    timeout: Option<Duration>,

    /// How much of a scenario's time really passes, for a gateway whose
    /// cooldowns are as much shorter (default: 1)
    #[arg(long, value_name = "SHARE", help_heading = HEADING)]
    time_scale: Option<TimeScale>,
}

const HEADING: &str = "A gateway at a URL";

/// The value of `--target`.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Word {
    Engine,
    Gateway,
    Url(GatewayUrl),
    /// A URL with a name and a password in it. What is wrong while the command line is read is shown as it was written.
    Named,
}

impl FromStr for Word {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "engine" => return Ok(Self::Engine),
            "gateway" => return Ok(Self::Gateway),
            _ => {}
        }
        if let Some(meant) = closest(text, ["engine", "gateway"]) {
            return Err(format!("unknown target {}, did you mean `{meant}`?", quoted(text)));
        }
        let authority = text.split_once("://").and_then(|(_, rest)| rest.split('/').next());
        if authority.is_some_and(|authority| authority.contains('@')) {
            return Ok(Self::Named);
        }
        text.parse().map(Self::Url)
    }
}

/// What `env:NAME` or `file:PATH` stands for.
fn secret(word: &str) -> Result<String, String> {
    if let Some(name) = word.strip_prefix("env:") {
        return std::env::var(name).map_err(|_| format!("the environment has no {}", quoted(name)));
    }
    let path = word.strip_prefix("file:").unwrap_or(word);
    let wrong = |why: &str| format!("cannot read {}: {why}", quoted(path));
    let mut read = String::new();
    File::open(path)
        .and_then(|file| file.take(MOST_SECRET + 1).read_to_string(&mut read))
        .map_err(|error| wrong(&error.to_string()))?;
    if read.len() as u64 > MOST_SECRET {
        return Err(wrong("it is larger than 64 KiB"));
    }
    Ok(read.trim().to_owned())
}

fn address(written: &str) -> Result<SocketAddr, String> {
    let wrong = |_| "expected an address with its port, such as `127.0.0.1:4141`".to_owned();
    written.parse().map_err(wrong)
}

fn some_time(written: &str) -> Result<Duration, String> {
    let positive = span(written).ok().filter(|time| *time > Duration::ZERO);
    positive.ok_or_else(|| "expected a length of time above zero with its unit, such as `60s`".to_owned())
}

fn path(written: &str) -> Result<String, String> {
    let good = written.starts_with('/') && written.bytes().all(|byte| byte.is_ascii_graphic());
    if good { Ok(written.to_owned()) } else { Err(format!("expected a path such as `{PATH}`")) }
}

/// What scenarios are run against, ready.
pub(super) enum Target {
    Engine,
    Gateway(Ahead),
    Stranger(Box<Stranger>),
}

impl Target {
    /// Runs `scenario`, which is the next of those that it was made ready for.
    pub(super) fn run(&mut self, scenario: &Scenario, seed: Option<u64>) -> Run {
        match self {
            Self::Engine => run_on_engine(scenario, seed),
            Self::Gateway(ahead) => ahead.next(),
            Self::Stranger(stranger) => stranger.run(scenario, seed.unwrap_or(scenario.seed)),
        }
    }
}

/// Tells what is waited for on the progress bar, and hears Ctrl-C.
struct Watching {
    interrupt: Interrupt,
    progress: Progress,
}

impl Watch for Watching {
    fn interrupted(&self) -> bool {
        self.interrupt.heard()
    }

    fn waits(&self, what: &str) {
        self.progress.begin(if what.is_empty() { "asks the gateway" } else { what });
    }
}

impl TargetArgs {
    /// Makes the target ready for `scenarios`, which for a gateway at a URL means that the mock provider listens.
    ///
    /// # Errors
    /// If something is said that this target cannot use, or is missing, or the port cannot be had.
    pub(super) fn ready(
        &self,
        scenarios: impl FnOnce() -> Vec<Arc<Scenario>>,
        seed: Option<u64>,
        interrupt: &Interrupt,
        progress: &Progress,
    ) -> Result<Target, Problem> {
        let gateway = match &self.target {
            Word::Url(url) => url,
            Word::Named => {
                let problem = Problem::new("expected a URL without a name and a password in `--target`");
                return Err(problem.hint("say them with `--header 'authorization: Basic env:NAME'`"));
            }
            other => {
                if let Some(option) = self.given().first() {
                    let message = format!("`--{option}` is for a gateway at a URL");
                    return Err(Problem::new(message).hint("name it: `--target http://127.0.0.1:8080`"));
                }
                return match other {
                    Word::Gateway => Ok(Target::Gateway(Ahead::begin(scenarios(), seed))),
                    _ => Ok(Target::Engine),
                };
            }
        };
        let Some(listen) = self.mock_listen else {
            let message = "a gateway at a URL needs `--mock-listen`";
            let hint = "say where its upstream is, for the mock provider to listen there: `--mock-listen 127.0.0.1:4141`";
            return Err(Problem::new(message).hint(hint));
        };
        // Not while the command line is read: what is wrong there is shown as it was written.
        let headers = self.headers.iter().map(|written| Header::read(written, secret).map_err(Problem::new));
        let headers = headers.collect::<Result<_, _>>()?;
        let settings = Settings {
            gateway: gateway.clone(),
            path: self.path.clone().unwrap_or_else(|| PATH.to_owned()),
            model: self.model.clone().unwrap_or_else(|| MODEL.to_owned()),
            headers,
            timeout: std::time::Duration::from_millis(self.timeout.unwrap_or(TIMEOUT).as_millis()),
            listen,
            dialect: self.mock_type.unwrap_or(Dialect::OpenAi),
            scale: self.time_scale.unwrap_or_default(),
        };
        let watching = Watching { interrupt: interrupt.clone(), progress: progress.clone() };
        let stranger = Stranger::meet(settings, Real::start(), watching);
        stranger.map(Box::new).map(Target::Stranger).map_err(|problem| {
            problem.hint("the port may be taken: choose another, and point the gateway at it")
        })
    }

    /// Whether it keeps a log that can be written down.
    pub(super) fn tells_its_log(&self) -> bool {
        !matches!(self.target, Word::Url(_) | Word::Named)
    }

    /// The options that only a gateway at a URL has use for.
    fn given(&self) -> Vec<&'static str> {
        let options = [
            ("mock-listen", self.mock_listen.is_some()),
            ("mock-type", self.mock_type.is_some()),
            ("path", self.path.is_some()),
            ("model", self.model.is_some()),
            ("header", !self.headers.is_empty()),
            ("timeout", self.timeout.is_some()),
            ("time-scale", self.time_scale.is_some()),
        ];
        options.into_iter().filter(|(_, given)| *given).map(|(option, _)| option).collect()
    }

    /// The options with which the same target is had again, with a blank before each; no secret is in them.
    pub(super) fn again(&self) -> String {
        let target = match &self.target {
            Word::Engine | Word::Named => return String::new(),
            Word::Gateway => "gateway".to_owned(),
            Word::Url(url) => url.to_string(),
        };
        let timeout = self.timeout.map(|timeout| timeout.to_string().replace(' ', ""));
        let options = [
            ("target", Some(target)),
            ("mock-listen", self.mock_listen.map(|address| address.to_string())),
            ("mock-type", self.mock_type.map(|dialect| dialect.word().to_owned())),
            ("path", self.path.clone()),
            ("model", self.model.clone()),
            ("timeout", timeout),
            ("time-scale", self.time_scale.map(|scale| scale.to_string())),
        ];
        let options = options.into_iter().filter_map(|(option, value)| Some((option, value?)));
        let headers = self.headers.iter().map(|written| ("header", written.clone()));
        let words =
            options.chain(headers).flat_map(|(option, value)| [format!(" --{option} "), shell_word(&value)]);
        words.collect()
    }
}
