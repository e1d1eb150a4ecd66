//! What two providers of a mock cannot have in common.

use firedrill_yaml::{Place, Problem, quoted};

use crate::fault::Fault;
use crate::server::file::Specified;
use crate::upstream::Upstream;

/// Why two providers cannot be served together.
pub(crate) struct Clash {
    message: String,
    /// What the first one has to do with it.
    first: &'static str,
    hint: String,
}

impl Clash {
    /// What is wrong with `provider` beside one that stands `before` it, and which that is.
    pub(crate) fn of(provider: &Specified, before: &[Specified]) -> Option<(Self, usize)> {
        let name = quoted(&provider.name);
        if let Some(other) = before.iter().position(|other| other.name == provider.name) {
            let clash = Self {
                message: format!("two providers are called {name}"),
                first: "the first is here",
                hint: "give one a `name` of its own".to_owned(),
            };
            return Some((clash, other));
        }
        let asked = provider.port.filter(|port| *port != 0);
        if let Some(port) = asked
            && let Some(other) = before.iter().position(|other| other.port == asked)
        {
            let clash = Self {
                message: format!("two providers ask for port {port}"),
                first: "the first is here",
                hint: "give each one of its own; 0 takes any that is free".to_owned(),
            };
            return Some((clash, other));
        }
        let is_met = |other: &Specified| {
            provider.port.is_none() && other.port.is_none() && other.route == provider.route
        };
        let other = before.iter().position(is_met)?;
        let clash = Self {
            message: format!("every request for {name} is for {} already", quoted(&before[other].name)),
            first: "this one gets them",
            hint: format!("give it a `path` of its own, for example `path: /{}`", provider.name),
        };
        Some((clash, other))
    }

    /// As a problem of providers that stand in one file.
    pub(crate) fn at(self, place: Place, first: Place) -> Problem {
        Problem::new(self.message).at(place).also(first, self.first).hint(self.hint)
    }

    /// As a problem of providers that stand in several files.
    pub(crate) fn between_files(self) -> Problem {
        Problem::new(self.message).hint(self.hint)
    }
}

/// What is wrong with a provider that closes a port which others have too.
pub(crate) fn cannot_refuse(name: &str) -> Problem {
    let message = format!("{} shares its port, so it cannot refuse connections", quoted(name));
    Problem::new(message).hint("nobody would listen for the others: give it one of its own, `port: 0`")
}

/// Whether there is a time at which nobody listens.
pub(crate) fn refuses(upstream: &Upstream) -> bool {
    upstream.outages.iter().any(|outage| outage.fault == Some(Fault::Refused))
}

/// The first of `providers` that refuses connections although it shares its port.
pub(crate) fn refuses_for_others(providers: &[Specified]) -> Option<usize> {
    let shares = |provider: &Specified| provider.port.is_none();
    if providers.iter().filter(|provider| shares(provider)).count() < 2 {
        return None;
    }
    providers.iter().position(|provider| shares(provider) && refuses(&provider.upstream))
}
