//! A roster taken apart, to be written down, and put together again from parts that may be wrong.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::{Chain, FOUNDED, NONE, Probe, Roster, Slot, nobody};
use crate::config::Token;
use crate::time::Instant;

/// What a roster is made of, to be written down and made again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Parts {
    /// What stands in each slot, and the generation of whoever stands there or stood there last.
    pub(crate) slots: Vec<(u32, Option<(Token, Held)>)>,
    /// The slots in the order of the seats.
    pub(crate) seats: Vec<u32>,
    /// The slots of the available tokens, in the order in which they became available.
    pub(crate) available: Vec<u32>,
    /// The slots of the unavailable tokens, in the order in which they left.
    pub(crate) unavailable: Vec<u32>,
    /// The vacant slots; the last is taken first.
    pub(crate) vacant: Vec<u32>,
}

/// What is counted for a token.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) struct Held {
    pub(crate) failures: u32,
    pub(crate) successes: u32,
    pub(crate) since: Instant,
    pub(crate) probe: Option<Probe>,
}

impl Roster {
    pub(crate) fn parts(&self) -> Parts {
        let slots = self.slots.iter().zip(&*self.tokens).map(|(slot, token)| {
            let Slot { failures, successes, since, probe, .. } = *slot;
            let held = Held { failures, successes, since, probe };
            (slot.generation, (slot.seat != NONE).then(|| (token.clone(), held)))
        });
        let slots_of = |chain: &Chain| self.chain(chain).map(|(id, _)| id.slot).collect();
        Parts {
            slots: slots.collect(),
            seats: self.seats.clone(),
            available: slots_of(&self.available),
            unavailable: slots_of(&self.unavailable),
            vacant: self.vacant.clone(),
        }
    }

    /// The roster that these are the parts of; `None` if they are not those of any.
    pub(crate) fn of(parts: &Parts) -> Option<Self> {
        let Parts { slots, seats, available, unavailable, vacant } = parts;
        let mut roster = Self {
            slots: slots.iter().map(|(generation, _)| Slot::new(*generation)).collect(),
            tokens: Arc::new(
                slots
                    .iter()
                    .map(|(_, here)| here.as_ref().map_or_else(nobody, |(token, _)| token.clone()))
                    .collect(),
            ),
            seats: seats.clone(),
            split: u32::try_from(available.len()).ok()?,
            available: Chain::EMPTY,
            unavailable: Chain::EMPTY,
            vacant: vacant.clone(),
            first_generation: FOUNDED,
        };
        let mut seat_of: BTreeMap<u32, u32> = BTreeMap::new();
        for (seat, slot) in seats.iter().enumerate() {
            seat_of.insert(*slot, u32::try_from(seat).ok()?);
        }
        let mut left = seat_of.len();
        if left != seats.len() || left != available.len() + unavailable.len() {
            return None;
        }
        for (at, slot) in available.iter().chain(unavailable).enumerate() {
            let (_, here) = slots.get(*slot as usize)?;
            let (_, Held { failures, successes, since, probe }) = *here.as_ref()?;
            let seat = *seat_of.get(slot)?;
            let place = &mut roster.slots[*slot as usize];
            let again = place.seat != NONE;
            let wrong_side = (seat < roster.split) != (at < available.len());
            let on_leave = seat >= roster.split;
            let wrong_state = if on_leave { failures > 0 } else { since != Instant::ZERO || probe.is_some() };
            if again || wrong_side || wrong_state {
                return None;
            }
            *place = Slot { failures, successes, since, probe, seat, ..Slot::new(place.generation) };
            roster.link_last(*slot);
            left -= 1;
        }
        let mut empty: BTreeSet<u32> = BTreeSet::new();
        for slot in vacant {
            let (_, here) = slots.get(*slot as usize)?;
            if here.is_some() || !empty.insert(*slot) {
                return None;
            }
        }
        (left == 0 && seats.len() + empty.len() == slots.len()).then_some(roster)
    }
}
