//! What a worker proposed, in case the log that holds it is lost.
//!
//! A worker's proposals are a tree, not a list: each goes into a log that has an earlier one of them as the last, and a log
//! that was founded anew may branch off before proposals that another log still had. So the last of them that a log has
//! tells all that it has. A command that was proposed again keeps its number, so that it is known under whichever name a
//! log has it.

use alloc::collections::{BTreeSet, VecDeque};
use alloc::vec::Vec;

use crate::decide::Command;

/// So many commands are remembered, and the rest of the append that the oldest of them is of.
const REMEMBERED: usize = 1024;

/// A command, and the how-manieth of its worker it is.
#[derive(Clone, Debug)]
pub(super) struct Numbered {
    number: u64,
    pub(super) command: Command,
}

/// A worker's proposals with their commands, oldest first.
#[derive(Clone, Debug, Default)]
pub(super) struct Proposed {
    proposals: VecDeque<Proposal>,
    /// How many are remembered; a proposal without a command counts as one.
    commands: usize,
    /// The last proposal that the log has.
    last: u64,
    next_command: u64,
    /// Commands before this may stand in several proposals.
    one_name_from: u64,
    /// To be proposed again, and not yet handed out.
    lost: Vec<Numbered>,
    /// Handed out to be proposed again, and whether the log turned out to have it.
    handed_out: Vec<(Numbered, bool)>,
}

#[derive(Clone, Debug)]
struct Proposal {
    number: u64,
    /// The last proposal in the log that it was decided on.
    after: u64,
    commands: Vec<Numbered>,
}

impl Proposed {
    /// Numbers a command; `None` if it had been lost and turned up in the log since.
    pub(super) fn number(&mut self, command: Command) -> Option<Numbered> {
        // Equal commands may stand for each other.
        if let Some(place) = self.handed_out.iter().position(|(lost, _)| lost.command == command) {
            let (numbered, settled) = self.handed_out.remove(place);
            return (!settled).then_some(numbered);
        }
        self.next_command += 1;
        Some(Numbered { number: self.next_command, command })
    }

    /// `commands` are on their way as the worker's proposal `number`, its highest.
    pub(super) fn add(&mut self, number: u64, commands: Vec<Numbered>) {
        self.commands += commands.len().max(1);
        self.proposals.push_back(Proposal { number, after: self.last, commands });
        while let Some(oldest) = self.proposals.front().map(|oldest| oldest.commands.len().max(1))
            && self.commands - oldest >= REMEMBERED
        {
            self.commands -= oldest;
            self.proposals.pop_front();
        }
    }

    /// The log has `number`.
    pub(super) fn accepted(&mut self, number: u64) {
        self.last = number;
    }

    /// Takes back the newest proposal, which the log did not take.
    pub(super) fn take_back(&mut self) -> Vec<Numbered> {
        let newest = self.proposals.pop_back().map(|newest| newest.commands).unwrap_or_default();
        self.commands -= newest.len().max(1);
        newest
    }

    /// A command changes nothing: it is done.
    pub(super) fn done(&mut self, done: &Numbered) {
        if done.number < self.one_name_from {
            for proposal in &mut self.proposals {
                let before = proposal.commands.len().max(1);
                proposal.commands.retain(|other| other.number != done.number);
                self.commands -= before - proposal.commands.len().max(1);
            }
        }
    }

    /// The log is another one, which has `last` as this worker's last proposal: whatever it does not have is lost.
    pub(super) fn adopt(&mut self, last: u64) {
        let mut held: BTreeSet<u64> = BTreeSet::new();
        let mut at = last;
        for proposal in self.proposals.iter().rev() {
            if proposal.number <= at {
                held.extend(proposal.commands.iter().map(|command| command.number));
                at = proposal.after;
            }
        }
        for (command, settled) in &mut self.handed_out {
            *settled = held.contains(&command.number);
        }
        let mut known: BTreeSet<u64> = self.handed_out.iter().map(|(command, _)| command.number).collect();
        known.extend(&held);
        let proposed = self.proposals.iter().flat_map(|proposal| proposal.commands.iter().cloned());
        let mut lost: Vec<Numbered> = self.lost.drain(..).chain(proposed).collect();
        lost.sort_by_key(|command| command.number);
        lost.retain(|command| known.insert(command.number));
        self.lost = lost;
        self.last = last;
        self.one_name_from = self.next_command + 1;
    }

    /// What was lost, oldest first, to be proposed again.
    pub(super) fn take_lost(&mut self) -> Vec<Command> {
        let commands = self.lost.iter().map(|lost| lost.command.clone()).collect();
        self.handed_out.extend(self.lost.drain(..).map(|lost| (lost, false)));
        commands
    }
}
