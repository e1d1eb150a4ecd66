//! The mock file: which providers there are, by which path, with which tokens, and what they will do.

use std::path::Path;

use firedrill_yaml::{Entries, Place, Problem, Source, Spanned, Whole, looks_secret, quoted};

use crate::dialect::Dialect;
use crate::server::clash::{Clash, cannot_refuse, refuses_for_others};
use crate::server::tokens::{Tokens, labelled};
use crate::server::written::{Written, WrittenProvider};
use crate::upstream::{Upstream, WORDS};

/// What a well answer says if the file does not.
pub(crate) use crate::exchange::TEXT;

/// More providers than any gateway has.
const MOST_PROVIDERS: usize = 1_000;

/// A mock file that can be served.
#[derive(Debug)]
pub struct MockFile {
    pub(crate) providers: Vec<Specified>,
    /// What is worth a look.
    pub warnings: Vec<Problem>,
}

/// A provider as it is specified.
#[derive(Debug)]
pub(crate) struct Specified {
    /// What chance derives from, unless something else is asked for.
    pub(crate) seed: u64,
    pub(crate) name: String,
    pub(crate) dialect: Dialect,
    /// The port of its own that it asks for, 0 for any that is free. Without one it shares a port with others.
    pub(crate) port: Option<u16>,
    pub(crate) route: Route,
    pub(crate) text: String,
    pub(crate) upstream: Upstream,
    pub(crate) tokens: Tokens,
    /// What every request costs in LLM tokens, whatever it says.
    pub(crate) cost: Option<u64>,
}

/// Which requests are for a provider.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Route {
    /// The host that they ask for, in lower case and without its port; any if there is none.
    pub(crate) host: Option<String>,
    /// What their paths begin with: empty, or `/openai`.
    pub(crate) path: String,
}

impl MockFile {
    /// Reads a mock file. Tokens that stand in the environment or in a file of their own are looked up; a path is relative to
    /// the mock file.
    ///
    /// # Errors
    /// Everything that is wrong with it, each with its place; at least one problem.
    pub fn parse(source: &Source) -> Result<Self, Vec<Problem>> {
        let written: Written = source.parse("a mock file").map_err(|problem| vec![problem])?;
        let mut checker = Checker {
            source,
            seed: written.seed.map_or(0, u64::from),
            errors: Vec::new(),
            warnings: Vec::new(),
        };
        let providers = checker.providers(written);
        let in_file = |problem: Problem| problem.in_file(source.name());
        if checker.errors.is_empty() {
            let warnings = checker.warnings.into_iter().map(in_file).collect();
            return Ok(Self { providers, warnings });
        }
        checker.errors.sort_by_key(Problem::place);
        Err(checker.errors.into_iter().map(in_file).collect())
    }

    /// The providers of all `files`; those without a port of their own share one.
    ///
    /// # Errors
    /// If two of them have one name, ask for one port or get the same requests, or one would close a port that it shares.
    pub fn join(files: Vec<Self>) -> Result<Self, Problem> {
        let mut joined = Self { providers: Vec::new(), warnings: Vec::new() };
        for file in files {
            joined.providers.extend(file.providers);
            joined.warnings.extend(file.warnings);
        }
        let providers = &joined.providers;
        for (at, provider) in providers.iter().enumerate() {
            if let Some((clash, _)) = Clash::of(provider, &providers[..at]) {
                return Err(clash.between_files());
            }
        }
        match refuses_for_others(providers) {
            Some(at) => Err(cannot_refuse(&providers[at].name)),
            None => Ok(joined),
        }
    }
}

impl std::fmt::Display for Route {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(host) = &self.host {
            write!(f, "{host}")?;
        }
        write!(f, "{}/", self.path)
    }
}

impl Route {
    /// What of `path` is the provider's own, if the request is for it.
    pub(crate) fn rest<'a>(&self, host: &str, path: &'a str) -> Option<&'a str> {
        if self.host.as_deref().is_some_and(|own| !own.eq_ignore_ascii_case(host)) {
            return None;
        }
        let rest = path.strip_prefix(&*self.path)?;
        match rest {
            "" => Some("/"),
            _ => rest.starts_with('/').then_some(rest),
        }
    }
}

struct Checker<'a> {
    source: &'a Source,
    seed: u64,
    errors: Vec<Problem>,
    warnings: Vec<Problem>,
}

impl Checker<'_> {
    fn providers(&mut self, written: Written) -> Vec<Specified> {
        let Written { seed: _, providers, name, dialect, port, path, host, tokens, upstream, answer } =
            written;
        let Some(providers) = providers else {
            let start = Place { line: 1, column: 1, start: 0, end: 0 };
            let Some(dialect) = dialect else {
                let hint =
                    format!("say what the provider speaks, for example `type: {}`", Dialect::ALL[0].word());
                self.errors.push(Problem::new("missing key `type`").at(start).hint(hint));
                return Vec::new();
            };
            let upstream = upstream.unwrap_or_default();
            let only = WrittenProvider { name, dialect, port, path, host, tokens, upstream, answer };
            return self.provider(only).into_iter().collect();
        };
        let places = [
            name.map(|name| name.place),
            dialect.map(|dialect| dialect.place),
            port.map(|port| port.place),
            path.map(|path| path.place),
            host.map(|host| host.place),
            tokens.map(|tokens| tokens.place),
            answer.map(|answer| answer.place),
            upstream.map(|_| providers.place),
        ];
        if let Some(place) = places.into_iter().flatten().next() {
            let hint = "put the keys of a provider under `providers`, or leave `providers` out";
            self.errors.push(Problem::new("a provider stands beside `providers`").at(place).hint(hint));
        }
        if providers.is_empty() {
            let problem = Problem::new("expected at least one provider, found none").at(providers.place);
            self.errors.push(problem.hint("`providers: [{ type: openai }]` is the least"));
        }
        if providers.len() > MOST_PROVIDERS {
            let message = format!("expected at most {MOST_PROVIDERS} providers, found {}", providers.len());
            self.errors.push(Problem::new(message).at(providers.place));
            return Vec::new();
        }
        let (mut known, mut places): (Vec<Specified>, Vec<(Place, Place)>) = (Vec::new(), Vec::new());
        for Spanned { value: provider, place } in providers.value {
            let kind = provider.dialect.place;
            let Some(specified) = self.provider(provider) else { continue };
            if let Some((clash, other)) = Clash::of(&specified, &known) {
                self.errors.push(clash.at(kind, places[other].1));
            }
            known.push(specified);
            places.push((place, kind));
        }
        if let Some(at) = refuses_for_others(&known) {
            self.errors.push(cannot_refuse(&known[at].name).at(places[at].0));
        }
        known
    }

    fn provider(&mut self, written: WrittenProvider) -> Option<Specified> {
        let dialect = written.dialect.value;
        let name = written.name.map_or_else(|| dialect.word().to_owned(), |name| self.name(&name));
        let route = Route {
            host: written.host.map(|host| self.host(&host)),
            path: written.path.map(|path| self.path(&path)).unwrap_or_default(),
        };
        let port = written.port.map(|port| self.port(&port));
        let mut tokens = match written.tokens {
            Some(tokens) => self.tokens(&tokens),
            None => Tokens::open(),
        };
        self.warn_of_keys(&written.upstream);
        let upstream =
            labelled(written.upstream, &mut tokens).map_err(|problems| self.errors.extend(problems)).ok()?;
        let text = written.answer.map_or_else(|| TEXT.to_owned(), |answer| answer.value);
        Some(Specified { seed: self.seed, name, dialect, port, route, text, upstream, tokens, cost: None })
    }

    fn port(&mut self, port: &Spanned<Whole>) -> u16 {
        u16::try_from(u64::from(port.value)).unwrap_or_else(|_| {
            let message = format!("expected a port from 0 to 65535, found `{}`", port.value);
            self.errors.push(Problem::new(message).at(port.place).hint("0 takes any that is free"));
            0
        })
    }

    fn name(&mut self, name: &Spanned<String>) -> String {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if name.is_empty() || name.len() > 64 || !name.chars().all(plain) || looks_secret(name) {
            let message = format!("expected a name for the provider, found {}", quoted(name));
            let hint = "up to 64 letters, digits, `-`, `_` and `.`";
            self.errors.push(Problem::new(message).at(name.place).hint(hint));
        }
        name.value.clone()
    }

    fn path(&mut self, path: &Spanned<String>) -> String {
        let trimmed = path.trim_end_matches('/');
        let plain = |c: char| c.is_ascii_graphic() && !matches!(c, '?' | '#' | '%');
        if !(trimmed.is_empty() || trimmed.starts_with('/'))
            || !path.chars().all(plain)
            || trimmed.contains("//")
        {
            let message = format!("expected what paths begin with, found {}", quoted(path));
            self.errors.push(Problem::new(message).at(path.place).hint("for example `/openai`"));
        }
        trimmed.to_owned()
    }

    fn host(&mut self, host: &Spanned<String>) -> String {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.');
        if host.is_empty() || !host.chars().all(plain) {
            let message = format!("expected the name of a host, found {}", quoted(host));
            self.errors.push(
                Problem::new(message).at(host.place).hint("for example `api.openai.local`, without a port"),
            );
        }
        host.to_ascii_lowercase()
    }

    fn tokens(&mut self, written: &Spanned<Entries<String, Spanned<String>>>) -> Tokens {
        let mut tokens = Tokens::default();
        if written.is_empty() {
            let problem = Problem::new("expected at least one token, found none").at(written.place);
            self.errors.push(problem.hint("leave `tokens` out, and any token is good"));
        }
        let mut labels: Vec<&Spanned<String>> = Vec::new();
        for (name, label) in &written.value {
            if let Some(first) = labels.iter().find(|first| first.value == label.value) {
                let problem =
                    Problem::new(format!("two tokens are labelled {}", quoted(label))).at(label.place);
                self.errors.push(
                    problem.also(first.place, "the first is here").hint("give each a label of its own"),
                );
            }
            if label.trim().is_empty()
                || label.contains(char::is_control)
                || label.len() > 128
                || looks_secret(label)
            {
                let problem = Problem::new("expected a label that can be shown").at(label.place);
                self.errors.push(problem.hint("any short name will do, such as `first`"));
            }
            if WORDS.contains(&label.as_str()) {
                let message = format!("the label {} is the name of a key of `upstream`", quoted(label));
                self.errors.push(Problem::new(message).at(label.place).hint("call it something else"));
            }
            labels.push(label);
            if let Some(secret) = self.secret(name) {
                tokens.know(&secret, label);
                tokens.call(name, label);
            }
        }
        tokens
    }

    /// The token itself, wherever it is kept.
    fn secret(&mut self, name: &Spanned<String>) -> Option<String> {
        let mut wrong = |message: String, hint: &str| {
            self.errors.push(Problem::new(message).at(name.place).hint(hint));
            None
        };
        let secret = if let Some(variable) = name.strip_prefix("env:") {
            let Ok(secret) = std::env::var(variable) else {
                let hint = "set it, or write the token itself if it is made up";
                return wrong(format!("the environment has no {}", quoted(variable)), hint);
            };
            secret
        } else if let Some(path) = name.strip_prefix("file:") {
            let folder = Path::new(self.source.name()).parent().unwrap_or(Path::new(""));
            match std::fs::read_to_string(folder.join(path)) {
                Ok(secret) => secret,
                Err(error) => {
                    return wrong(
                        format!("cannot read {}: {error}", quoted(path)),
                        "the path is relative to the mock file",
                    );
                }
            }
        } else {
            if looks_secret(name) {
                let message = "this token looks like a real key, and a mock file is no place for one";
                let hint = "write `env:NAME` or `file:PATH`; for a mock any made-up name will do";
                self.warnings.push(Problem::warning(message).at(name.place).hint(hint));
            }
            name.value.clone()
        };
        let secret = secret.trim();
        if secret.is_empty() || secret.contains(char::is_control) {
            return wrong(
                "expected a token, found none, or one that no header can have".to_owned(),
                "one line of text",
            );
        }
        Some(secret.to_owned())
    }

    fn warn_of_keys(&mut self, upstream: &Upstream) {
        let members = upstream.domains.iter().flat_map(|(_, tokens)| tokens);
        for name in upstream.tokens.iter().map(|(name, _)| name).chain(members) {
            if looks_secret(name) {
                let message = "this token looks like a real key, and a mock file is no place for one";
                self.warnings
                    .push(Problem::warning(message).at(name.place).hint("any name will do, such as `sk-a`"));
            }
        }
    }
}
