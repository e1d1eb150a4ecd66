//! The state of a pool: the fold of its log.
//!
//! Its methods come in four families. **Reads** tell what is so; [`Pool::select`] is one of them. **Commands**
//! (in `decide.rs`) tell what should happen and change nothing. **[`Pool::apply`]** makes it so. And
//! **[`Pool::next_deadline`]** tells when a tick is worth its while. A caller decides, appends what was decided to
//! the log, and applies it when the log has accepted it; [`crate::Worker`] does that dance.
//!
//! **Architecture invariant:** `apply` is the only way state changes, and it asks no rule: whether an event is
//! right was settled when it was decided, or by [`Pool::try_apply`] for a log from elsewhere.

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::ops::Range;

use crate::config::{Config, Policy, Profile, Token};
use crate::event::{Configured, Entry, Event, RestoredBy, Version, WorkerId};
use crate::fingerprint::Fingerprint;
use crate::random::Random;
use crate::roster::{BEFORE_JOINING, Probe, Roster, Slot, TokenId};
use crate::selection::{NotSelectable, Selection};
use crate::time::{Duration, Instant};

/// The tokens of one provider and all that is known of them.
#[derive(Clone, Debug)]
pub struct Pool {
    pub(crate) policy: Policy,
    pub(crate) roster: Roster,
    pub(crate) lease: Option<Lease>,
    /// The number that the next probe gets.
    pub(crate) next_probe: u64,
    /// Answers to probes before this one are forgotten.
    pub(crate) first_probe: u64,
    /// How many tokens have a probe out.
    pub(crate) probes_out: u32,
    /// The probes in the order in which they were sent. Those that are out no longer are dropped when they come first,
    /// so the first is the one that has been out longest.
    pub(crate) probes: VecDeque<(TokenId, Probe)>,
    pub(crate) version: Version,
    pub(crate) clock: Instant,
}

/// Two pools are equal if they have one future. The order of the probes that are out follows from their numbers, which the
/// slots know.
impl PartialEq for Pool {
    fn eq(&self, other: &Self) -> bool {
        let Self { policy, roster, lease, next_probe, first_probe, probes_out, probes: _, version, clock } =
            self;
        (policy, roster, lease, next_probe) == (&other.policy, &other.roster, &other.lease, &other.next_probe)
            && (first_probe, probes_out) == (&other.first_probe, &other.probes_out)
            && (version, clock) == (&other.version, &other.clock)
    }
}

impl Eq for Pool {}

/// The right to send probes, held by one worker.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// Who holds it.
    pub holder: WorkerId,
    /// Up to when, exclusive.
    pub until: Instant,
}

impl Lease {
    /// How long a lease lasts from when it was taken.
    pub const DURATION: Duration = Duration::from_secs(60);
    /// A holder takes it again once it has less than this left.
    pub const RENEWAL: Duration = Duration::from_secs(30);
}

/// What is known of one token.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct TokenState<'a> {
    /// What people call it.
    pub label: &'a str,
    /// What tells it from others.
    pub fingerprint: Fingerprint,
    /// Consecutive failures counted.
    pub failures: u32,
    /// Probe successes counted.
    pub successes: u32,
    /// Since when it is unavailable; `None` if it is available.
    pub unavailable_since: Option<Instant>,
}

impl Pool {
    /// The pool of a configuration before anything has happened, at [`Version::EMPTY`]. A worker serves from it until
    /// it has joined the log.
    pub fn new(config: &Config) -> Self {
        Self {
            policy: config.policy().clone(),
            roster: Roster::new(config.tokens(), BEFORE_JOINING),
            lease: None,
            next_probe: 1,
            first_probe: 1,
            probes_out: 0,
            probes: VecDeque::new(),
            version: Version::EMPTY,
            clock: Instant::ZERO,
        }
    }

    /// The version of the log that this is the fold of.
    pub fn version(&self) -> Version {
        self.version
    }

    /// When the last append was decided.
    pub fn clock(&self) -> Instant {
        self.clock
    }

    /// The rules it runs under.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// The lease, also one that has run out.
    pub fn lease(&self) -> Option<Lease> {
        self.lease
    }

    /// How many tokens there are; at least one.
    pub fn len(&self) -> usize {
        self.roster.len() as usize
    }

    /// Always false: a pool has at least one token.
    pub fn is_empty(&self) -> bool {
        self.roster.len() == 0
    }

    /// How many tokens are available.
    pub fn available_len(&self) -> usize {
        self.roster.available_len() as usize
    }

    /// The available tokens, in the order in which they became available.
    pub fn available(&self) -> impl Iterator<Item = TokenId> {
        self.roster.available().map(|(id, _)| id)
    }

    /// The unavailable tokens, in the order in which they left.
    pub fn unavailable(&self) -> impl Iterator<Item = TokenId> {
        self.roster.unavailable().map(|(id, _)| id)
    }

    /// What is known of a token; `None` if it is not configured (any more). O(1).
    pub fn token(&self, id: TokenId) -> Option<TokenState<'_>> {
        let slot = self.roster.slot(id)?;
        let Token { label, fingerprint } = self.roster.token(id)?;
        Some(TokenState {
            label,
            fingerprint: *fingerprint,
            failures: slot.failures,
            successes: slot.successes,
            unavailable_since: (!self.roster.is_available(slot)).then_some(slot.since),
        })
    }

    /// The token with this label. O(n).
    pub fn find(&self, label: &str) -> Option<TokenId> {
        self.tokens().find(|(_, token)| token.label == label).map(|(id, _)| id)
    }

    /// The token with this fingerprint. O(n).
    pub fn find_fingerprint(&self, fingerprint: Fingerprint) -> Option<TokenId> {
        self.tokens().find(|(_, token)| token.fingerprint == fingerprint).map(|(id, _)| id)
    }

    /// Every token: the available ones, then the unavailable ones.
    pub fn tokens(&self) -> impl Iterator<Item = (TokenId, TokenState<'_>)> {
        self.available().chain(self.unavailable()).filter_map(|id| Some((id, self.token(id)?)))
    }

    /// Draws a token for a request: uniformly among the available; if there is none, uniformly among the unavailable,
    /// marked as a fallback; with failover off, uniformly among all. O(1), no allocation.
    ///
    /// ```
    /// use firedrill_failover::{Config, Fingerprint, Pool, Random, Settings, Token};
    /// let token = Token { label: "only".into(), fingerprint: Fingerprint::new(1) };
    /// let pool = Pool::new(&Config::parse(vec![token], &Settings::default()).unwrap());
    /// let drawn = pool.select(&mut Random::new(1, 0));
    /// assert_eq!(pool.token(drawn.token).unwrap().label, "only");
    /// ```
    pub fn select(&self, random: &mut Random) -> Selection {
        let (seats, fallback) = self.candidates();
        Selection { token: self.roster.seated(random.below(seats)), fallback }
    }

    /// Draws a token for a retry, as [`Pool::select`] does, but none that was tried before: a fallback is drawn when
    /// every available token was tried. `None` if there is no other token to try. O(n log n) in `tried`.
    pub fn select_another(&self, random: &mut Random, tried: &[TokenId]) -> Option<Selection> {
        let (first, fallback) = self.candidates();
        self.draw(random, 0..first, tried).map(|token| Selection { token, fallback }).or_else(|| {
            let rest = first..self.roster.len();
            self.draw(random, rest, tried).map(|token| Selection { token, fallback: true })
        })
    }

    /// This token as it can be drawn now, by [`Pool::select`] or, if others were tried, by [`Pool::select_another`].
    /// O(n log n) in `tried`.
    ///
    /// # Errors
    /// Why it cannot be drawn.
    pub fn selectable(&self, token: TokenId, tried: &[TokenId]) -> Result<Selection, NotSelectable> {
        let (first, fallback) = self.candidates();
        let seat = self.roster.seat_of(token).ok_or(NotSelectable::NotConfigured)?;
        if tried.contains(&token) {
            return Err(NotSelectable::Tried);
        }
        if seat < first {
            return Ok(Selection { token, fallback });
        }
        if self.passed(0..first, tried).len() < first as usize {
            return Err(NotSelectable::Unavailable);
        }
        Ok(Selection { token, fallback: true })
    }

    /// The token with this label as it can be drawn now, as [`Pool::selectable`] says. O(n), and O(n log n) in `tried`.
    ///
    /// # Errors
    /// Why it cannot be drawn.
    pub fn select_this(&self, label: &str, tried: &[TokenId]) -> Result<Selection, NotSelectable> {
        self.selectable(self.find(label).ok_or(NotSelectable::NotConfigured)?, tried)
    }

    /// How many seats, from the first, may be drawn, and whether what is drawn is a fallback.
    fn candidates(&self) -> (u32, bool) {
        let available = self.roster.available_len();
        if self.policy.failover.is_none() {
            (self.roster.len(), false)
        } else if available > 0 {
            (available, false)
        } else {
            (self.roster.len(), true)
        }
    }

    /// The seats among `seats` of the tokens that were tried, ascending.
    fn passed(&self, seats: Range<u32>, tried: &[TokenId]) -> Vec<u32> {
        let seat = |id: &TokenId| self.roster.seat_of(*id).filter(|seat| seats.contains(seat));
        let mut passed: Vec<u32> = tried.iter().filter_map(seat).collect();
        passed.sort_unstable();
        passed.dedup();
        passed
    }

    fn draw(&self, random: &mut Random, seats: Range<u32>, tried: &[TokenId]) -> Option<TokenId> {
        let passed = self.passed(seats.clone(), tried);
        let left = (seats.end - seats.start).checked_sub(u32::try_from(passed.len()).ok()?)?;
        if left == 0 {
            return None;
        }
        // The draw counts seats that were not tried; each tried one at or before it pushes it one further.
        let mut seat = seats.start + random.below(left);
        for tried in passed {
            seat += u32::from(tried <= seat);
        }
        Some(self.roster.seated(seat))
    }

    /// When, at the earliest, a tick of `worker` would change anything, if nothing else happens before. A moment that
    /// has passed means the next tick; `None` means that no tick would ever. O(1).
    pub fn next_deadline(&self, worker: WorkerId) -> Option<Instant> {
        let failover = self.policy.failover()?;
        let (_, first) = self.roster.unavailable().next()?;
        let cooldown = failover.cooldown().map(|cooldown| first.since + cooldown);
        let probe = failover.health_check().and_then(|check| {
            let all_out = self.probes_out == self.roster.len() - self.roster.available_len();
            let again = self.policy.profile() == Profile::Higress || !all_out;
            let sendable = if again { self.clock } else { self.oldest_probe()? + check.timeout };
            let free =
                self.lease.filter(|lease| lease.holder != worker).map_or(Instant::ZERO, |lease| lease.until);
            Some(sendable.max(free))
        });
        match (cooldown, probe) {
            (Some(cooldown), Some(probe)) => Some(cooldown.min(probe)),
            (either, None) | (None, either) => either,
        }
    }

    /// Folds one append into the state.
    ///
    /// # Panics
    /// If the entry is not the next one of the log that this pool is the fold of: a broken invariant. Entries from
    /// outside go through [`Pool::try_apply`].
    pub fn apply(&mut self, entry: &Entry) {
        assert!(
            entry.version == self.version.next(),
            "broken invariant: version {} was applied to a fold of version {}",
            entry.version,
            self.version
        );
        self.apply_as(entry);
    }

    /// As [`Pool::apply`], whatever version the entry has.
    pub(crate) fn apply_as(&mut self, entry: &Entry) {
        self.open(entry);
        for event in &entry.events {
            self.apply_event(entry, event);
        }
    }

    /// Makes `entry` the append whose events are applied next.
    pub(crate) fn open(&mut self, entry: &Entry) {
        self.move_on(entry.version, entry.at);
    }

    pub(crate) fn move_on(&mut self, version: Version, at: Instant) {
        self.version = version;
        self.clock = self.clock.max(at);
    }

    pub(crate) fn apply_event(&mut self, entry: &Entry, event: &Event) {
        match *event {
            Event::Configured(ref configured) => self.configure(generation(entry), configured),
            Event::Failed { token, failures, .. } => self.roster.slot_mut(token).failures = failures,
            Event::Removed { token, .. } | Event::TakenOut { token } => {
                self.roster.take_out(token);
                let slot = self.roster.slot_mut(token);
                (slot.failures, slot.since) = (0, self.clock);
            }
            Event::NoneAvailable => {}
            Event::Succeeded { token } | Event::Reset { token } => self.roster.slot_mut(token).failures = 0,
            Event::Restored { token, by } => {
                self.answered(token, None);
                self.roster.bring_back(token);
                let slot = self.roster.slot_mut(token);
                (slot.failures, slot.since) = (0, Instant::ZERO);
                // The reference leaves the successes behind when the cooldown wins the race.
                if self.policy.profile == Profile::Standard || by != RestoredBy::Cooldown {
                    slot.successes = 0;
                }
            }
            Event::LeaseTaken { until } => self.lease = Some(Lease { holder: entry.by, until }),
            Event::ProbeSent { token, probe } => {
                let slot = self.roster.slot_mut(token);
                let sent = Probe { number: probe, sent: self.clock };
                if slot.probe.replace(sent).is_none() {
                    self.probes_out += 1;
                }
                self.probes.push_back((token, sent));
                self.drop_answered_probes();
                self.next_probe = probe + 1;
            }
            Event::ProbePassed { token, probe, successes }
            | Event::ProbeFailed { token, probe, successes, .. } => {
                self.answered(token, Some(probe));
                self.roster.slot_mut(token).successes = successes;
            }
        }
    }

    /// The probe that is out for `token`, if it is number `probe` (or whichever it is), is out no longer.
    fn answered(&mut self, token: TokenId, probe: Option<u64>) {
        let slot = self.roster.slot_mut(token);
        if slot.probe.take_if(|out| probe.is_none_or(|number| number == out.number)).is_some() {
            self.probes_out -= 1;
            self.drop_answered_probes();
        }
    }

    /// Amortised O(1): a probe is sent once and dropped once.
    fn drop_answered_probes(&mut self) {
        let is_out = |&(token, probe): &(TokenId, Probe)| {
            self.roster.slot(token).is_some_and(|slot| slot.probe == Some(probe))
        };
        while self.probes.front().is_some_and(|first| !is_out(first)) {
            self.probes.pop_front();
        }
    }

    /// When the probe that has been out longest was sent; `None` if none is out.
    pub(crate) fn oldest_probe(&self) -> Option<Instant> {
        self.probes.front().map(|(_, probe)| probe.sent)
    }

    fn configure(&mut self, generation: u32, Configured { config, reset }: &Configured) {
        self.policy = config.policy().clone();
        if self.version == Version::EMPTY.next() {
            // The founding of the log: ids of the time before are good no longer.
            self.roster = Roster::new(config.tokens(), generation);
            return;
        }
        self.roster.replace(config.tokens(), generation);
        if *reset {
            self.roster.reset(config.tokens());
            self.lease = None;
            self.first_probe = self.next_probe;
        }
        let out = self.roster.unavailable().filter(|(_, slot)| slot.probe.is_some()).count();
        self.probes_out = u32::try_from(out).unwrap_or(u32::MAX);
        self.drop_answered_probes();
    }

    /// The slot of a token that is configured and available.
    pub(crate) fn available_slot(&self, token: TokenId) -> Option<&Slot> {
        self.roster.slot(token).filter(|slot| self.roster.is_available(slot))
    }
}

/// The generation of the tokens that `entry` brings. It tells them from those of any other append, also of another log
/// with the same versions, so that no id is taken for another's. Never [`BEFORE_JOINING`].
#[expect(clippy::cast_possible_truncation, reason = "a hash is cut on purpose")]
fn generation(entry: &Entry) -> u32 {
    let name = [entry.version.appends(), entry.at.as_millis(), entry.by.number(), entry.proposal];
    let mixed = name.into_iter().fold(0_u64, |mixed, part| {
        let mixed = (mixed ^ part).wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        mixed ^ (mixed >> 32)
    });
    (mixed as u32).max(BEFORE_JOINING + 1)
}
