//! What tells one state of several things at once from another.

use std::fmt::Write as _;

use firedrill_failover::{Append, Entry};
use firedrill_sim::Key;

use super::at_once::AtOnce;
use super::parts::{Actor, AtHand, Next, Reply, Task};

impl AtOnce {
    /// Tells everything that the future depends on, and that what is checked in the end depends on.
    ///
    /// The time is the same in all states, and so are a worker's uptime and, before it has decided anything, its clock;
    /// afterwards its clock follows from what it has heard. So a worker is told by its fold and by what it has to do. The
    /// numbers of proposals are left out: they tell a worker its own append, and nothing else depends on them.
    pub(super) fn told_apart(&self) -> Key {
        let mut key = Key::new();
        key.add_len(self.appended.len());
        key.add_key(self.folds[self.appended.len()].key);
        self.actors.iter().for_each(|actor| key.add_key(self.key_of(actor)));
        // One moment is all the time that passes. What the provider does to a token depends on that token's calls alone, but
        // where tokens share quotas also on the order of all.
        let mut calls: Vec<&str> = self.calls.iter().map(String::as_str).collect();
        if !self.provider.is_shared() {
            calls.sort_unstable();
        }
        // Telling a key does not fail, here and elsewhere.
        let _ = write!(key, "{calls:?}");
        if self.fixed.tells {
            let _ = write!(key, "{:?}", self.told);
        }
        key
    }

    fn key_of(&self, actor: &Actor) -> Key {
        let mut key = actor.key;
        if !actor.agrees {
            let heard = self.heard(&actor.worker);
            let _ = write!(key, "{:?}{:?}", actor.worker.pool(), self.appended.get(heard..));
        }
        key
    }

    /// Keeps what tells a worker from others after its step.
    pub(super) fn tell_actor(&mut self, place: usize) {
        let actor = &self.actors[place];
        let mut key = Key::new();
        // One that is done only hears the rest, and then knows what the log says, wherever it is now.
        if actor.at_hand.is_some() || actor.has_more() {
            let heard = self.heard(&actor.worker);
            key.add_len(heard);
            self.folds.get(heard).into_iter().for_each(|fold| key.add_key(fold.key));
        }
        key.add(actor.agrees.into());
        actor.tasks.iter().for_each(|task| self.tell_task(task, &mut key));
        match &actor.at_hand {
            Some(at_hand) => self.tell_at_hand(actor, at_hand, &mut key),
            None => key.add(0),
        }
        self.actor(place).key = key;
    }

    /// What was decided follows from the worker's fold and from the command, which the task tells.
    fn tell_at_hand(&self, actor: &Actor, at_hand: &AtHand, key: &mut Key) {
        let AtHand { task, append, reply } = at_hand;
        key.add_len(1 + task);
        if actor.tasks[*task].later {
            // Its command is not kept.
            let Append { expected: _, at, by: _, proposal: _, events } = append;
            let _ = write!(key, "{at:?}{events:?}");
        }
        match *reply {
            None => key.add(0),
            Some(Reply::Accepted) => key.add(1),
            Some(Reply::Refused(length)) => {
                key.add_len(2 + length);
                key.add_key(self.folds[length].key);
                let own = |entry: &Entry| entry.by == append.by && entry.proposal == append.proposal;
                key.add(self.appended[..length].iter().any(own).into());
            }
        }
    }

    fn tell_task(&self, task: &Task, key: &mut Key) {
        key.add(match task.next {
            None => 0,
            Some(Next::Command(_)) => 1,
            Some(Next::Retry) => 2,
        });
        // What was there at the beginning is told by its place.
        if let (Some(Next::Command(command)), true) = (&task.next, task.later) {
            let _ = write!(key, "{command:?}");
        }
        if let (Some(trip), true) = (&task.trip, self.fixed.retries) {
            let _ = write!(key, "{trip:?}{:?}", task.draws);
        }
    }
}
