//! Whether a gateway is as a scenario needs it, before the scenario begins: it can be reached, it asks the mock provider, it has
//! the scenario's tokens, and all of them are available.
//!
//! While the provider is well, the gateway is asked until it has drawn every token. That also starts every count of failures anew.

use std::collections::BTreeSet;

use firedrill_failover::Duration;
use firedrill_provider::{Dialect, Entry, Upstream};
use firedrill_yaml::{Problem, presentable};

use super::ask::Seen;
use super::stranger::Stranger;
use crate::scenario::Scenario;
use crate::target::Refusal;

/// By chance alone one of ten tokens is left out by so many requests for each in one of a million roll calls.
const REQUESTS_A_TOKEN: usize = 16;

impl Stranger {
    /// Makes sure that the gateway is ready. Gives what is to be said of tokens that it does not draw.
    pub(super) fn make_ready(
        &mut self,
        scenario: &Scenario,
        tokens: &BTreeSet<String>,
    ) -> Result<Vec<String>, Refusal> {
        self.speaks_as(scenario)?;
        self.play(&Upstream::default(), tokens, 0)?;
        if self.unrest > Duration::ZERO {
            self.wait("tokens cool down", self.clock.now() + self.unrest)?;
            self.unrest = Duration::ZERO;
        }
        let mut missing = self.roll_call(tokens)?;
        if !missing.is_subset(&self.absent) {
            // They may be out since before we came.
            self.wait("tokens cool down", self.clock.now() + self.recovery(scenario))?;
            missing = self.roll_call(tokens)?;
        }
        self.absent.extend(missing.iter().cloned());
        let note = |label| {
            format!("{label} was not drawn while all was well: the gateway lacks it, or holds it back")
        };
        Ok(missing.iter().map(note).collect())
    }

    /// The mock provider speaks one dialect for all scenarios.
    fn speaks_as(&self, scenario: &Scenario) -> Result<(), Refusal> {
        let Some(Ok(dialect)) = scenario.kind.as_deref().map(str::parse::<Dialect>) else { return Ok(()) };
        if dialect == self.settings.dialect {
            return Ok(());
        }
        let (wanted, spoken) = (dialect.word(), self.settings.dialect.word());
        let message =
            format!("the provider of the scenario is of the type `{wanted}`, and the mock speaks `{spoken}`");
        Err(Refusal::Unready(
            Problem::new(message).hint(format!("`--mock-type {wanted}` lets it speak that")),
        ))
    }

    /// The mock provider begins anew with another part.
    pub(super) fn play(
        &self,
        upstream: &Upstream,
        tokens: &BTreeSet<String>,
        seed: u64,
    ) -> Result<(), Refusal> {
        let upstream = upstream.timed(&|time| self.settings.scale.of(time));
        let played = self.until_done(self.player.play(upstream, tokens.iter().map(String::as_str), seed))?;
        played.map_err(|mut problems| Refusal::Unready(problems.swap_remove(0)))
    }

    /// Asks until every token was drawn. Gives those that were not.
    fn roll_call(&self, tokens: &BTreeSet<String>) -> Result<BTreeSet<String>, Refusal> {
        self.watch.waits("calls the roll");
        let (mut missing, mut number, mut well) = (tokens.clone(), 0, false);
        let (mut last, mut unread) = (None, None);
        for _ in 0..tokens.len() * REQUESTS_A_TOKEN {
            let seen = self.ask()?;
            well |= matches!(&seen, Seen::Answer(status, _) if (200..300).contains(&status.code()));
            if let Seen::NoConnection(why) = &seen {
                return Err(self.unreachable(why));
            }
            last = Some(seen);
            for entry in self.player.asked_after(number) {
                number = entry.number;
                if entry.token.is_empty() {
                    unread = Some(entry);
                } else {
                    known(&entry, tokens)?;
                    missing.remove(&*entry.token);
                }
            }
            // What goes wrong at the first request goes wrong at all: nobody waits for the rest.
            if missing.is_empty() || missing.len() == tokens.len() {
                break;
            }
        }
        self.watch.waits("");
        if missing.len() == tokens.len() {
            return Err(self.asks_nobody(last.as_ref(), unread.as_ref()));
        }
        if !well {
            let message =
                format!("the gateway answers {} although the provider is well", said(last.as_ref()));
            let hint = "what it wants of a client can be said with `--header`, `--model` and `--path`";
            return Err(Refusal::Unready(Problem::new(message).hint(hint)));
        }
        Ok(missing)
    }

    pub(super) fn unreachable(&self, why: &str) -> Refusal {
        let message = format!("the gateway at {} cannot be reached: {why}", self.settings.gateway);
        Refusal::Unready(Problem::new(message).hint("start it first, or mend `--target`"))
    }

    fn asks_nobody(&self, last: Option<&Seen>, unread: Option<&Entry>) -> Refusal {
        let mock = format!("http://{}", self.player.address());
        let Some(Entry { method, path, status, .. }) = unread else {
            let message = format!("the gateway answered {} and asked the mock provider nothing", said(last));
            return Refusal::Unready(Problem::new(message).hint(format!("its upstream should be {mock}")));
        };
        let message =
            format!("the gateway asked the mock provider for {method} {path}, which is a {status} there");
        let word = self.settings.dialect.word();
        let hint = format!("what it speaks is `{word}`: its clients mostly want {mock}/v1 as their base");
        Refusal::Unready(Problem::new(message).hint(hint))
    }
}

/// Whether the scenario has the token of a request to the provider.
///
/// # Errors
/// If not: then the gateway is configured for something else.
pub(super) fn known(entry: &Entry, tokens: &BTreeSet<String>) -> Result<(), Refusal> {
    if tokens.contains(&*entry.token) {
        return Ok(());
    }
    let message = format!("the gateway sent a token that the scenario does not have: {}", entry.token);
    let tokens: Vec<&str> = tokens.iter().map(String::as_str).collect();
    let hint = format!("configure it with those of the scenario: {}", tokens.join(", "));
    Err(Refusal::Unready(Problem::new(message).hint(hint)))
}

fn said(seen: Option<&Seen>) -> String {
    match seen {
        Some(Seen::Answer(status, text)) if status.code() >= 300 => {
            format!("{status} (`{}`)", presentable(text.trim()).replace('\n', " "))
        }
        Some(Seen::Answer(status, _)) => status.to_string(),
        Some(Seen::Broken(status, how)) => format!("{status}, {how}"),
        Some(Seen::Nothing(how) | Seen::NoConnection(how)) => format!("nothing ({how})"),
        None => "nothing".to_owned(),
    }
}
