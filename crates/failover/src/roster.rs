//! Who is available and who is not, in order. The one data structure of a pool.
//!
//! Every question and every change is O(1) whatever the size of the pool. Two structures share the slots:
//! - a **seating**: one array of all tokens whose first `split` seats are the available ones. A uniform draw is one
//!   look-up, and a token moves between the lists by changing seats at the border.
//! - two **chains** through the slots, for the order in which tokens became available or left.
//!
//! **Architecture invariant:** a token is in exactly one list, because the seating is one array with one border.
//! There is no second record that could disagree.

mod parts;

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::config::Token;
use crate::fingerprint::Fingerprint;
use crate::time::Instant;

pub(crate) use parts::{Held, Parts};

/// A token of a pool, while it is configured. A token that was dropped and comes back has another id, so that an
/// answer still in flight for it cannot be mistaken.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TokenId {
    slot: u32,
    generation: u32,
}

/// The generation of the first tokens of a log that was founded; [`Roster::new`] of before has another.
pub(crate) const FOUNDED: u32 = 1;

/// The end of a chain.
const NONE: u32 = u32::MAX;

/// What is known of one token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Slot {
    pub(crate) failures: u32,
    pub(crate) successes: u32,
    /// When it left; zero while it is available.
    pub(crate) since: Instant,
    /// The probe that is out for it.
    pub(crate) probe: Option<Probe>,
    generation: u32,
    seat: u32,
    previous: u32,
    next: u32,
}

/// A probe that was sent and not yet answered.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) struct Probe {
    pub(crate) number: u64,
    pub(crate) sent: Instant,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Chain {
    first: u32,
    last: u32,
}

impl Chain {
    const EMPTY: Self = Self { first: NONE, last: NONE };
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Roster {
    slots: Vec<Slot>,
    /// The token in each slot; apart from the slots, which are kept small for the fold, and shared by the clones of a pool.
    tokens: Arc<Vec<Token>>,
    seats: Vec<u32>,
    split: u32,
    available: Chain,
    unavailable: Chain,
    vacant: Vec<u32>,
    first_generation: u32,
}

impl Roster {
    /// A roster of `tokens`, all available. Ids of rosters with different `first_generation`s never coincide.
    pub(crate) fn new(tokens: &[Token], first_generation: u32) -> Self {
        let mut roster = Self {
            slots: Vec::with_capacity(tokens.len()),
            tokens: Arc::new(Vec::with_capacity(tokens.len())),
            seats: Vec::with_capacity(tokens.len()),
            split: 0,
            available: Chain::EMPTY,
            unavailable: Chain::EMPTY,
            vacant: Vec::new(),
            first_generation,
        };
        for token in tokens {
            roster.insert(token);
        }
        roster
    }

    /// Number of tokens.
    pub(crate) fn len(&self) -> u32 {
        index(self.seats.len())
    }

    /// Number of available tokens. They have the seats from 0 up to this.
    pub(crate) fn available_len(&self) -> u32 {
        self.split
    }

    /// The token in `seat`, below [`Roster::len`].
    pub(crate) fn seated(&self, seat: u32) -> TokenId {
        self.id(self.seats[seat as usize])
    }

    /// The seat of a token, if it is configured.
    pub(crate) fn seat_of(&self, id: TokenId) -> Option<u32> {
        self.slot(id).map(|slot| slot.seat)
    }

    pub(crate) fn slot(&self, id: TokenId) -> Option<&Slot> {
        self.slots.get(id.slot as usize).filter(|slot| slot.generation == id.generation && slot.seat != NONE)
    }

    pub(crate) fn token(&self, id: TokenId) -> Option<&Token> {
        self.slot(id).map(|_| &self.tokens[id.slot as usize])
    }

    pub(crate) fn is_available(&self, slot: &Slot) -> bool {
        slot.seat < self.split
    }

    pub(crate) fn available(&self) -> impl Iterator<Item = (TokenId, &Slot)> {
        self.chain(&self.available)
    }

    /// In the order in which they left.
    pub(crate) fn unavailable(&self) -> impl Iterator<Item = (TokenId, &Slot)> {
        self.chain(&self.unavailable)
    }

    /// The slot of a token that an event of this pool's log names.
    ///
    /// # Panics
    /// If the token is not configured: then the event is not of this log.
    pub(crate) fn slot_mut(&mut self, id: TokenId) -> &mut Slot {
        let slot = self.slots.get_mut(id.slot as usize);
        let slot = slot.filter(|slot| slot.generation == id.generation && slot.seat != NONE);
        slot.expect("broken invariant: an event of the log names a token that is not configured")
    }

    /// Moves an available token to the end of the unavailable ones.
    pub(crate) fn take_out(&mut self, id: TokenId) {
        let seat = self.slot_mut(id).seat;
        assert!(
            seat < self.split,
            "broken invariant: an event of the log removes a token that is out already"
        );
        self.unlink(id.slot);
        self.split -= 1;
        self.swap_seats(seat, self.split);
        self.link_last(id.slot);
    }

    /// Moves an unavailable token to the end of the available ones.
    pub(crate) fn bring_back(&mut self, id: TokenId) {
        let seat = self.slot_mut(id).seat;
        assert!(seat >= self.split, "broken invariant: an event of the log restores a token that is not out");
        self.unlink(id.slot);
        self.swap_seats(seat, self.split);
        self.split += 1;
        self.link_last(id.slot);
    }

    /// Replaces the tokens by `tokens`. Who stays, by fingerprint, keeps id, state and place; who is new comes last
    /// and is available; who goes is forgotten.
    pub(crate) fn replace(&mut self, tokens: &[Token]) {
        let wanted: BTreeSet<Fingerprint> = tokens.iter().map(|token| token.fingerprint).collect();
        let mut present: BTreeMap<Fingerprint, u32> =
            self.seats.iter().map(|&slot| (self.tokens[slot as usize].fingerprint, slot)).collect();
        present.retain(|fingerprint, slot| {
            let stays = wanted.contains(fingerprint);
            if !stays {
                self.remove(*slot);
            }
            stays
        });
        for token in tokens {
            match present.get(&token.fingerprint) {
                Some(&slot) => self.put(slot, token.clone()),
                None => self.insert(token),
            }
        }
    }

    /// Makes every token available with nothing counted, in the order of `tokens`, which are all here. Ids stay.
    pub(crate) fn reset(&mut self, tokens: &[Token]) {
        let order: BTreeMap<Fingerprint, usize> =
            tokens.iter().enumerate().map(|(at, token)| (token.fingerprint, at)).collect();
        let mut seats = core::mem::take(&mut self.seats);
        seats.sort_by_key(|&slot| order.get(&self.tokens[slot as usize].fingerprint));
        (self.available, self.unavailable, self.split) = (Chain::EMPTY, Chain::EMPTY, 0);
        for slot in seats {
            let generation = self.slots[slot as usize].generation;
            self.seat(slot, generation);
        }
    }

    fn id(&self, slot: u32) -> TokenId {
        TokenId { slot, generation: self.slots[slot as usize].generation }
    }

    fn chain(&self, chain: &Chain) -> impl Iterator<Item = (TokenId, &Slot)> {
        let mut at = chain.first;
        core::iter::from_fn(move || {
            let slot = self.slots.get(at as usize)?;
            let id = TokenId { slot: at, generation: slot.generation };
            at = slot.next;
            Some((id, slot))
        })
    }

    fn insert(&mut self, token: &Token) {
        if let Some(slot) = self.vacant.pop() {
            let generation = self.slots[slot as usize].generation.wrapping_add(1);
            self.put(slot, token.clone());
            self.seat(slot, generation);
        } else {
            let slot = index(self.slots.len());
            self.slots.push(Slot::new(self.first_generation));
            Arc::make_mut(&mut self.tokens).push(token.clone());
            self.seat(slot, self.first_generation);
        }
    }

    /// Gives `slot`, which has no seat, a fresh state and the last available seat.
    fn seat(&mut self, slot: u32, generation: u32) {
        let seat = self.len();
        self.seats.push(slot);
        self.slots[slot as usize] = Slot { seat, ..Slot::new(generation) };
        self.swap_seats(seat, self.split);
        self.split += 1;
        self.link_last(slot);
    }

    fn remove(&mut self, slot: u32) {
        self.unlink(slot);
        let mut seat = self.slots[slot as usize].seat;
        if seat < self.split {
            self.split -= 1;
            self.swap_seats(seat, self.split);
            seat = self.split;
        }
        self.swap_seats(seat, self.len() - 1);
        self.seats.pop();
        self.slots[slot as usize] = Slot::new(self.slots[slot as usize].generation);
        self.put(slot, nobody());
        self.vacant.push(slot);
    }

    fn put(&mut self, slot: u32, token: Token) {
        Arc::make_mut(&mut self.tokens)[slot as usize] = token;
    }

    fn swap_seats(&mut self, a: u32, b: u32) {
        self.seats.swap(a as usize, b as usize);
        for seat in [a, b] {
            self.slots[self.seats[seat as usize] as usize].seat = seat;
        }
    }

    /// The chain that a slot's seat says it is in.
    fn chain_of(&mut self, slot: u32) -> &mut Chain {
        if self.slots[slot as usize].seat < self.split { &mut self.available } else { &mut self.unavailable }
    }

    fn link_last(&mut self, slot: u32) {
        let chain = self.chain_of(slot);
        let previous = core::mem::replace(&mut chain.last, slot);
        match self.slots.get_mut(previous as usize) {
            Some(before) => before.next = slot,
            None => self.chain_of(slot).first = slot,
        }
        let slot = &mut self.slots[slot as usize];
        (slot.previous, slot.next) = (previous, NONE);
    }

    fn unlink(&mut self, slot: u32) {
        let Slot { previous, next, .. } = self.slots[slot as usize];
        match self.slots.get_mut(previous as usize) {
            Some(before) => before.next = next,
            None => self.chain_of(slot).first = next,
        }
        match self.slots.get_mut(next as usize) {
            Some(after) => after.previous = previous,
            None => self.chain_of(slot).last = previous,
        }
    }
}

impl Slot {
    fn new(generation: u32) -> Self {
        Self {
            failures: 0,
            successes: 0,
            since: Instant::ZERO,
            probe: None,
            generation,
            seat: NONE,
            previous: NONE,
            next: NONE,
        }
    }
}

/// What stands in a vacant slot.
fn nobody() -> Token {
    Token { label: "".into(), fingerprint: Fingerprint::new(0) }
}

fn index(len: usize) -> u32 {
    u32::try_from(len).expect("broken invariant: a pool has fewer than four thousand million tokens")
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::String;

    fn token(name: char) -> Token {
        Token { label: String::from(name).into(), fingerprint: Fingerprint::new(u64::from(name)) }
    }

    fn tokens(names: &str) -> Vec<Token> {
        names.chars().map(token).collect()
    }

    /// Lists as text, `available|unavailable`, after checking that seats and chains agree.
    fn show(roster: &Roster) -> String {
        let mut seated: Vec<_> = (0..roster.len()).map(|seat| roster.seated(seat)).collect();
        let border = roster.available_len() as usize;
        let name = |id| &*roster.token(id).expect("seated").label;
        let available: Vec<_> = roster.available().map(|(id, _)| id).collect();
        let unavailable: Vec<_> = roster.unavailable().map(|(id, _)| id).collect();
        for (chain, seats) in [(&available, 0..border), (&unavailable, border..seated.len())] {
            let seats = &mut seated[seats];
            seats.sort();
            let mut chain = chain.clone();
            chain.sort();
            assert_eq!(chain, *seats, "chain and seats hold the same tokens");
        }
        let text = |ids: &[TokenId]| ids.iter().map(|id| name(*id)).collect::<String>();
        alloc::format!("{}|{}", text(&available), text(&unavailable))
    }

    fn find(roster: &Roster, name: char) -> TokenId {
        (0..roster.len())
            .map(|seat| roster.seated(seat))
            .find(|id| roster.token(*id) == Some(&token(name)))
            .expect("a token of the roster")
    }

    #[test]
    fn tokens_leave_and_return_at_the_end() {
        let mut roster = Roster::new(&tokens("abcd"), 0);
        assert_eq!(show(&roster), "abcd|");
        for (name, expect) in [('c', "abd|c"), ('a', "bd|ca"), ('d', "b|cad"), ('b', "|cadb")] {
            roster.take_out(find(&roster, name));
            assert_eq!(show(&roster), expect);
        }
        for (name, expect) in [('a', "a|cdb"), ('b', "ab|cd"), ('c', "abc|d"), ('d', "abcd|")] {
            roster.bring_back(find(&roster, name));
            assert_eq!(show(&roster), expect);
        }
    }

    #[test]
    fn who_stays_keeps_place_and_id_and_who_goes_is_forgotten() {
        let mut roster = Roster::new(&tokens("abcd"), 0);
        let (a, b, c) = (find(&roster, 'a'), find(&roster, 'b'), find(&roster, 'c'));
        roster.take_out(b);
        roster.take_out(c);
        roster.slot_mut(a).failures = 2;
        roster.replace(&tokens("ecba"));
        assert_eq!(show(&roster), "ae|bc");
        assert_eq!(find(&roster, 'c'), c);
        assert_eq!(roster.slot(a).map(|slot| slot.failures), Some(2));

        roster.replace(&tokens("abe"));
        assert_eq!(show(&roster), "ae|b");
        assert_eq!(roster.slot(c), None);
        roster.replace(&tokens("abec"));
        assert_eq!(show(&roster), "aec|b");
        assert_eq!(roster.slot(c), None, "an old id does not name the token that came back");

        roster.reset(&tokens("ceba"));
        assert_eq!(show(&roster), "ceba|");
        assert_eq!(roster.slot(a).map(|slot| slot.failures), Some(0), "the id stays and the count goes");
    }
}
