//! The file of a gateway: everything it is started with, read and checked, and every error with its place.

mod kept;
mod kinds;
mod written;

use std::fmt::Debug;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration as Time;

use firedrill_block::{ProviderBlock, Span};
use firedrill_failover::{Config, Duration, Fingerprint, Profile, Token};
use firedrill_line::Limits;
use firedrill_store::{Fsync, RedisOptions};
use firedrill_yaml::{Place, Problem, Source, Spanned, Whole, closest, looks_secret, quoted};

use crate::secret::{Secret, Secrets};
use crate::settings::{Roots, Route, Settings};
use kept::{Keeper, masked};
use kinds::{HARMLESS, KINDS, Kind, PLACES};
use written::{AdminFile, FsyncWord, LimitsFile, StoreFile, Written, is_a_key};
pub use written::{LogFormat, gateway_schema};

/// Where clients ask unless the file says something else.
const LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8080);
/// Where the state is told unless the file says something else.
const ADMIN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8081);

/// A file of a gateway that can be run.
#[derive(Debug)]
pub struct GatewayFile {
    /// What the gateway is started with.
    pub settings: Settings,
    /// What the pool is called.
    pub name: String,
    /// Which log is the pool's.
    pub pool: Fingerprint,
    /// Where the log is kept.
    pub store: StoreSetting,
    /// How log lines are printed.
    pub log: LogFormat,
    /// Files that tokens were read from, to be looked at for changes.
    pub files: Vec<PathBuf>,
    /// What is worth a look.
    pub warnings: Vec<Problem>,
    /// The file as it may be shown.
    pub shown: Source,
    fixed: Vec<(&'static str, Fingerprint)>,
}

/// Where a gateway's log is kept.
#[derive(Clone, Debug)]
pub enum StoreSetting {
    /// In memory.
    Memory,
    /// In a file.
    File {
        /// Which.
        path: PathBuf,
        /// When an append reaches the disk.
        fsync: Fsync,
    },
    /// On a Redis or Valkey server.
    Redis {
        /// Where it is. It may hold a password.
        url: Secret,
        /// What the URL does not say.
        options: RedisOptions,
    },
}

/// A file that no gateway can be run with. It shows no secret.
#[derive(Debug)]
pub struct Unusable {
    /// What is wrong with it; at least one problem.
    pub problems: Vec<Problem>,
    /// The file as it may be shown.
    pub shown: Source,
    /// Files that were looked at for tokens, whether they are there or not.
    pub files: Vec<PathBuf>,
}

impl Unusable {
    /// Every problem with the lines it is about, coloured if `color`.
    pub fn render(&self, color: bool) -> String {
        let rendered = self.problems.iter().map(|problem| problem.render(Some(&self.shown), color));
        rendered.collect::<Vec<_>>().join("\n\n")
    }
}

impl GatewayFile {
    /// Reads a gateway's file, and the environment and the files that its tokens are kept in; a path is relative to the file.
    ///
    /// # Errors
    /// Everything that is wrong with it, each with its place.
    pub fn parse(source: &Source) -> Result<Self, Unusable> {
        let written: Written = source.parse("the file of a gateway").map_err(|problem| Unusable {
            problems: vec![problem],
            shown: source.clone(),
            files: Vec::new(),
        })?;
        let mut checker = Checker { keeper: Keeper::of(source), errors: Vec::new(), warnings: Vec::new() };
        let file = checker.file(written, source);
        let Checker { keeper, mut errors, warnings } = checker;
        let shown = masked(source, &keeper.hidden);
        let in_file = |problem: Problem| problem.in_file(source.name());
        let files = keeper.files;
        match file.filter(|_| errors.is_empty()) {
            Some(file) => {
                let warnings = warnings.into_iter().map(in_file).collect();
                Ok(Self { files, warnings, shown, ..file })
            }
            None => {
                errors.sort_by_key(Problem::place);
                Err(Unusable { problems: errors.into_iter().map(in_file).collect(), shown, files })
            }
        }
    }

    /// The keys that say something else in `other` and take effect at a start only.
    pub fn differs_at_start<'a>(&'a self, other: &'a Self) -> impl Iterator<Item = &'static str> + 'a {
        let differs = self.fixed.iter().filter(|fixed| !other.fixed.contains(fixed));
        differs.map(|(key, _)| *key)
    }
}

struct Checker {
    keeper: Keeper,
    errors: Vec<Problem>,
    warnings: Vec<Problem>,
}

impl Checker {
    /// `None` if something is wrong that nothing can be put in place of.
    fn file(&mut self, written: Written, source: &Source) -> Option<GatewayFile> {
        let Written { provider, profile, pool, upstream, upstream_ca, listen, admin, store, limits, log } =
            written;
        let listen_place = listen.as_ref().map_or(Place::UNKNOWN, |listen| listen.place);
        let listen = self.address(listen, LISTEN, "8080");
        let (admin, admin_token) = self.admin(admin.map(Spanned::into_value).unwrap_or_default());
        if admin == Some(listen) && listen.port() != 0 {
            let problem = Problem::new("clients and the admin cannot share an address").at(listen_place);
            self.errors.push(problem.hint("give `admin` a `listen` of its own"));
        }
        let store = self.store(store.map(Spanned::into_value).unwrap_or_default());
        let limits = self.limits(limits.unwrap_or_default());
        let roots = upstream_ca.and_then(|path| self.roots(&path)).unwrap_or_default();
        let Some(block) = provider else {
            let start = Place { line: 1, column: 1, start: 0, end: 0 };
            let hint = "`provider: { type: openai, apiTokens: [env:OPENAI_KEY] }` is the least";
            self.errors.push(Problem::new("missing key `provider`").at(start).hint(hint));
            return None;
        };
        self.ignored(&block);
        let kind = self.kind(&block);
        let route = self.route(&block, kind, upstream.as_ref());
        let profile = profile.map_or(Profile::Standard, Profile::from);
        let (pool_config, secrets) = self.pool(&block, profile);
        let (kind, route) = (kind?, route?);
        let name = pool.map_or_else(|| format!("{} at {route}", kind.word), |name| self.name(&name));
        let timeout = block.timeout.as_ref().map_or(0, |timeout| timeout.value.0);
        let timeout = if timeout == 0 { Settings::TIMEOUT } else { Duration::from_millis(timeout) };
        let settings = Settings {
            listen,
            admin,
            admin_token,
            timeout,
            limits,
            roots,
            ..Settings::new(route, kind.vendor, pool_config?, secrets)
        };
        let fixed = fixed(&settings, &name, &store, log.unwrap_or_default());
        Some(GatewayFile {
            settings,
            pool: firedrill_block::fingerprint(&name),
            name,
            store,
            log: log.unwrap_or_default(),
            files: Vec::new(),
            warnings: Vec::new(),
            shown: source.clone(),
            fixed,
        })
    }

    fn error(&mut self, place: Place, message: impl AsRef<str>, hint: &str) {
        self.errors.push(Problem::new(message).at(place).hint(hint));
    }

    /// An address to listen at.
    fn address(&mut self, written: Option<Spanned<String>>, default: SocketAddr, port: &str) -> SocketAddr {
        let Some(written) = written else { return default };
        written.parse().unwrap_or_else(|_| {
            let hint = format!("write `127.0.0.1:{port}`, or `0.0.0.0:{port}` for every network");
            let message = format!("expected an address with its port, found {}", quoted(&written));
            self.error(written.place, message, &hint);
            default
        })
    }

    fn admin(&mut self, written: AdminFile) -> (Option<SocketAddr>, Option<Secret>) {
        if written.none {
            return (None, None);
        }
        let place = written.listen.as_ref().map_or(Place::UNKNOWN, |listen| listen.place);
        let address = self.address(written.listen, ADMIN, "8081");
        let token = written.token.map(|token| (token.place, self.keeper.find(&token)));
        let token = match token {
            None if !address.ip().is_loopback() => {
                let hint = "add `token: env:NAME` beside `listen`, or listen at `127.0.0.1:8081`";
                self.error(
                    place,
                    "whoever reaches this address could take tokens out, and no token guards it",
                    hint,
                );
                None
            }
            None => None,
            Some((_, Ok(found))) if is_sendable(&found.secret) => Some(found.secret),
            Some((place, Ok(_))) => {
                self.error(
                    place,
                    "expected a token that a header can hold",
                    "letters, digits and signs of ASCII, without blanks",
                );
                None
            }
            Some((_, Err(problem))) => {
                self.errors.push(problem);
                None
            }
        };
        (Some(address), token)
    }

    fn store(&mut self, written: StoreFile) -> StoreSetting {
        let StoreFile { file, fsync, redis, prefix, certificates } = written;
        let beside = |key: &Option<Spanned<String>>| key.as_ref().map(|key| key.place);
        let alone = match (&file, &redis) {
            (Some(_), Some(redis)) => {
                Some((redis.place, "expected one place for the log, found a file and a server"))
            }
            (_, None) => beside(&prefix)
                .or(beside(&certificates))
                .map(|place| (place, "this has no effect without `redis`")),
            (None, Some(_)) => fsync.as_ref().map(|fsync| (fsync.place, "this has no effect without `file`")),
        };
        let alone = alone.or_else(|| {
            let fsync = fsync.as_ref().filter(|_| file.is_none())?;
            Some((fsync.place, "this has no effect without `file`"))
        });
        if let Some((place, message)) = alone {
            self.error(place, message, "write `{ file: pool.jsonl, fsync: always }` or `{ redis: env:REDIS_URL, prefix: firedrill }`");
        }
        if let Some(file) = file {
            let fsync = match fsync.map(Spanned::into_value) {
                None | Some(FsyncWord::Always) => Fsync::Always,
                Some(FsyncWord::Never) => Fsync::Never,
                Some(FsyncWord::Within(Span(time))) => Fsync::Within(real(time)),
            };
            return StoreSetting::File { path: self.keeper.path(&file), fsync };
        }
        let Some(redis) = redis else { return StoreSetting::Memory };
        let found = match self.keeper.find(&redis) {
            Ok(found) => found,
            Err(problem) => {
                self.errors.push(problem);
                return StoreSetting::Memory;
            }
        };
        if !["redis://", "rediss://", "redis+unix://"]
            .iter()
            .any(|scheme| found.secret.expose().starts_with(scheme))
        {
            let hint = "write it as `redis://host:6379`, or say where it is kept: `env:REDIS_URL`";
            self.error(redis.place, "expected the URL of a Redis or Valkey server", hint);
        }
        let mut options = RedisOptions::default();
        if let Some(prefix) = prefix {
            if prefix.is_empty() || prefix.contains(|c: char| !c.is_ascii_graphic() || matches!(c, '{' | '}'))
            {
                self.error(
                    prefix.place,
                    "expected what keys begin with",
                    "letters, digits and signs, without braces",
                );
            }
            options.prefix = prefix.value;
        }
        options.certificates = certificates.map(|path| self.keeper.path(&path));
        StoreSetting::Redis { url: found.secret, options }
    }

    fn limits(&mut self, written: LimitsFile) -> Limits {
        let default = Limits::default();
        let LimitsFile {
            connections,
            head_bytes,
            body_bytes,
            head_time,
            body_time,
            idle_time,
            write_time,
            grace,
        } = written;
        Limits {
            connections: self.count(connections, default.connections),
            head_bytes: self.count(head_bytes, default.head_bytes),
            body_bytes: self.count(body_bytes, default.body_bytes),
            head_time: self.time(head_time, default.head_time),
            body_time: self.time(body_time, default.body_time),
            idle_time: self.time(idle_time, default.idle_time),
            write_time: self.time(write_time, default.write_time),
            grace: grace.map_or(default.grace, |grace| real(grace.value.0)),
        }
    }

    fn count(&mut self, written: Option<Spanned<Whole>>, default: usize) -> usize {
        let Some(Spanned { value: Whole(number), place }) = written else { return default };
        let number = usize::try_from(number).ok().filter(|number| (1..1 << 40).contains(number));
        number.unwrap_or_else(|| {
            self.error(
                place,
                "expected a number from 1 to 1099511627775",
                "leave it out for what is good for most",
            );
            default
        })
    }

    fn time(&mut self, written: Option<Spanned<Span>>, default: Time) -> Time {
        let Some(Spanned { value: Span(time), place }) = written else { return default };
        if time == Duration::ZERO {
            self.error(
                place,
                "expected a length of time above zero",
                "leave it out for what is good for most",
            );
        }
        real(time)
    }

    fn roots(&mut self, path: &Spanned<String>) -> Option<Roots> {
        let hint = "a PEM file; the path is relative to this file";
        let read = std::fs::read(self.keeper.path(path))
            .map_err(|error| format!("cannot read {}: {error}", quoted(path)));
        match read.and_then(|pem| Roots::from_pem(&pem)) {
            Ok(roots) => Some(roots),
            Err(message) => {
                self.error(path.place, message, hint);
                None
            }
        }
    }

    /// Says which keys of the block have no effect here.
    fn ignored(&mut self, block: &ProviderBlock) {
        for key in &block.ignored {
            let word = key.as_str();
            if is_a_key(word) {
                let message = format!("{} has no effect in a provider block", quoted(word));
                self.error(key.place, message, "it belongs beside `provider`: indent it less");
            } else if !HARMLESS.contains(&word) && !PLACES.contains(&word) {
                let message = format!("{} has no effect here", quoted(word));
                let hint = "requests and answers go through as they are";
                self.warnings.push(Problem::warning(message).at(key.place).hint(hint));
            }
        }
    }

    fn kind(&mut self, block: &Spanned<ProviderBlock>) -> Option<Kind> {
        let Some(written) = &block.kind else {
            let hint = "say whose API it is, for example `type: openai`";
            self.errors.push(Problem::new("missing key `type`").at(block.place).hint(hint));
            return None;
        };
        let known = KINDS.iter().find(|kind| kind.word == written.as_str());
        if known.is_none() {
            let near = closest(written, KINDS.iter().map(|kind| kind.word));
            let hint = near.map_or_else(
                || {
                    "`generic` is for any that takes `authorization: Bearer`; it needs an `upstream`"
                        .to_owned()
                },
                |near| format!("did you mean `{near}`?"),
            );
            self.error(written.place, format!("unknown type {}", quoted(written)), &hint);
        }
        known.copied()
    }

    fn route(
        &mut self,
        block: &Spanned<ProviderBlock>,
        kind: Option<Kind>,
        written: Option<&Spanned<String>>,
    ) -> Option<Route> {
        if let Some(written) = written {
            return match written.parse() {
                Ok(route) => Some(route),
                Err(error) => {
                    // What stands before it may be a password.
                    if written.contains('@') {
                        self.keeper.hidden.push(written.place);
                    }
                    self.error(written.place, error.to_string(), "for example `https://api.openai.com`");
                    None
                }
            };
        }
        if let Some(key) = block.ignored.iter().find(|key| PLACES.contains(&key.as_str())) {
            let message = format!("{} says where requests go, and is not read here", quoted(key));
            let hint = "write the beginning of that URL as `upstream` beside `provider`; a request's own path follows it";
            self.error(key.place, message, hint);
            return None;
        }
        let kind = kind?;
        let Some(upstream) = kind.upstream else {
            let place = block.kind.as_ref().map_or(block.place, |written| written.place);
            let message = format!("`{}` has no API that is the same for all", kind.word);
            self.error(place, message, "say where it is: `upstream: https://…` beside `provider`");
            return None;
        };
        Some(upstream.parse().expect("broken invariant: a vendor's own API is a route"))
    }

    /// The tokens with what is sent for each, and the rules for them.
    fn pool(&mut self, block: &Spanned<ProviderBlock>, profile: Profile) -> (Option<Config>, Secrets) {
        let mut secrets = Secrets::new();
        let mut tokens: Vec<Token> = Vec::new();
        for (at, written) in block.api_tokens.iter().flat_map(|tokens| tokens.iter()).enumerate() {
            let token = self.keeper.find(written).and_then(|found| {
                let token = found.secret.expose();
                let label = found.name.filter(|name| !looks_secret(name));
                let label =
                    label.unwrap_or_else(|| firedrill_block::label(firedrill_block::fingerprint(token)));
                // Two files of one name in two folders are two tokens.
                let taken = tokens.iter().any(|known| *known.label == *label);
                let label = if taken { written.value.clone() } else { label };
                let kept = secrets.keep(&label, found.secret);
                kept.map_err(|error| {
                    let message = format!("expected a token that a header can hold, found {}", error.found);
                    Problem::new(message).at(written.place).hint("one line, without blanks or quotes")
                })
            });
            // In place of what is wrong, so that whatever else is wrong is told too.
            let nobody = Token { label: format!("{at}").into(), fingerprint: Fingerprint::new(at as u64) };
            tokens.push(token.unwrap_or_else(|problem| {
                self.errors.push(problem);
                nobody
            }));
        }
        let mut tokens = tokens.into_iter();
        let next = |_: &str| tokens.next().expect("broken invariant: each token is asked for once, in order");
        let parsed = firedrill_block::parse(block, profile, next);
        (parsed.map_err(|problems| self.errors.extend(problems)).ok(), secrets)
    }

    fn name(&mut self, name: &Spanned<String>) -> String {
        if name.trim().is_empty() || name.len() > 128 || name.contains(char::is_control) || looks_secret(name)
        {
            self.error(
                name.place,
                "expected a name for the pool",
                "up to 128 letters and digits, such as `openai-prod`",
            );
        }
        name.value.clone()
    }
}

/// Whether a header can hold it.
fn is_sendable(secret: &Secret) -> bool {
    !secret.expose().is_empty() && secret.expose().bytes().all(|byte| byte.is_ascii_graphic())
}

fn real(time: Duration) -> Time {
    Time::from_millis(time.as_millis())
}

/// What takes effect at a start only, each with what stands for its value.
fn fixed(
    settings: &Settings,
    name: &str,
    store: &StoreSetting,
    log: LogFormat,
) -> Vec<(&'static str, Fingerprint)> {
    let of = |value: &dyn Debug| firedrill_block::fingerprint(&format!("{value:?}"));
    let secret = |secret: Option<&Secret>| secret.map(|secret| firedrill_block::fingerprint(secret.expose()));
    let url = match store {
        StoreSetting::Redis { url, .. } => Some(url),
        _ => None,
    };
    vec![
        ("pool", of(&name)),
        ("type", of(&settings.vendor)),
        ("timeout", of(&settings.timeout)),
        ("upstream", of(&settings.upstream)),
        ("upstreamCa", of(&settings.roots.0)),
        ("listen", of(&settings.listen)),
        ("admin", of(&(settings.admin, secret(settings.admin_token.as_ref())))),
        ("store", of(&(store, secret(url)))),
        ("limits", of(&settings.limits)),
        ("log", of(&log)),
    ]
}
