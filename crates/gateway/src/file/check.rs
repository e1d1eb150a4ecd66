//! What a file of a gateway comes to, and everything that is wrong with it: the pool and the way upstream.

use firedrill_block::ProviderBlock;
use firedrill_failover::{Config, Fingerprint, Profile, Token};
use firedrill_yaml::{Place, Problem, Source, Spanned, closest, looks_secret, quoted};

use super::GatewayFile;
use super::fixed::fixed;
use super::kept::Keeper;
use super::kinds::{HARMLESS, KINDS, Kind, PLACES};
use super::server::LISTEN;
use super::written::{Written, is_a_key};
use crate::secret::Secrets;
use crate::settings::{Route, Settings};

pub(super) struct Checker {
    pub(super) keeper: Keeper,
    pub(super) errors: Vec<Problem>,
    pub(super) warnings: Vec<Problem>,
}

impl Checker {
    /// `None` if something is wrong that nothing can be put in place of.
    pub(super) fn file(&mut self, written: Written, source: &Source) -> Option<GatewayFile> {
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
        let limits = self.limits(&limits.unwrap_or_default());
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
        let settings = Settings {
            listen,
            admin,
            admin_token,
            timeout: block.timeout(),
            limits,
            roots,
            probe_path: kind.probe_path.map(Into::into),
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

    pub(super) fn error(&mut self, place: Place, message: impl AsRef<str>, hint: &str) {
        self.errors.push(Problem::new(message).at(place).hint(hint));
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
                    // What stands before the one may be a password, and behind the other a token.
                    if written.contains(['@', '?']) {
                        self.keeper.hidden.push(written.place);
                    }
                    self.error(written.place, error.to_string(), "for example `https://api.openai.com`");
                    None
                }
            };
        }
        if let Some(key) = block.ignored.iter().find(|key| PLACES.contains(&key.as_str())) {
            let message = format!("{} says where requests go, and is not read here", quoted(key));
            let hint = "say where as a URL: `upstream: https://…` beside `provider`; a request's own path follows it";
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
