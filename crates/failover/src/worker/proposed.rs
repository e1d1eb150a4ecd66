//! What a worker proposed, in case the log that holds it is lost.
//!
//! A worker's proposals are a tree, not a list: each goes into a log that has an earlier one of them as the last, and a log
//! that was founded anew may branch off before proposals that another log still had. So the last of them that a log has
//! tells all that it has. A command that was proposed again keeps its number, so that it is known under whichever name a
//! log has it.

use alloc::collections::{BTreeSet, VecDeque};
use alloc::vec;
use alloc::vec::Vec;

use crate::decide::Command;

/// So many commands are remembered, and the rest of the append that the oldest of them is of.
const REMEMBERED: usize = 1024;

/// So many proposals are remembered, however many commands they have: who founds the log anew may not have heard as many.
const PROPOSALS_REMEMBERED: usize = 64;

/// So many proposals that were refused are remembered.
const REFUSED_REMEMBERED: usize = 128;

/// A command, and the how-manieth of its worker it is.
#[derive(Clone, Debug)]
pub(super) struct Numbered {
    pub(super) number: u64,
    pub(super) command: Command,
}

/// A worker's proposals with their commands, oldest first.
#[derive(Clone, Debug, Default)]
pub(super) struct Proposed {
    proposals: VecDeque<Proposal>,
    /// Those that a log refused: another log may have had them, and who heard that log may found it anew.
    refused: VecDeque<Refused>,
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

#[derive(Clone, Debug)]
struct Refused {
    number: u64,
    after: u64,
    /// The numbers of its commands, which were proposed again or are done.
    commands: Vec<u64>,
}

impl Proposed {
    /// The number of a command; `None` if it had been lost and turned up in the log since.
    pub(super) fn number(&mut self, command: &Command) -> Option<u64> {
        // Equal commands may stand for each other.
        if let Some(place) = self.handed_out.iter().position(|(lost, _)| lost.command == *command) {
            let (lost, settled) = self.handed_out.remove(place);
            return (!settled).then_some(lost.number);
        }
        self.next_command += 1;
        Some(self.next_command)
    }

    /// `commands` are on their way as the worker's proposal `number`, its highest.
    pub(super) fn add(&mut self, number: u64, commands: Vec<Numbered>) {
        self.commands += commands.len().max(1);
        self.proposals.push_back(Proposal { number, after: self.last, commands });
        while let Some(oldest) = self.proposals.front().map(|oldest| oldest.commands.len().max(1))
            && self.commands - oldest >= REMEMBERED
            && self.proposals.len() > PROPOSALS_REMEMBERED
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
        let Some(Proposal { number, after, commands }) = self.proposals.pop_back() else { return Vec::new() };
        self.commands -= commands.len().max(1);
        let numbers = commands.iter().map(|command| command.number).collect();
        self.refused.push_back(Refused { number, after, commands: numbers });
        if self.refused.len() > REFUSED_REMEMBERED {
            self.refused.pop_front();
        }
        commands
    }

    /// A command changes nothing: it is done.
    pub(super) fn done(&mut self, number: u64) {
        if number < self.one_name_from {
            for proposal in &mut self.proposals {
                let before = proposal.commands.len().max(1);
                proposal.commands.retain(|other| other.number != number);
                self.commands -= before - proposal.commands.len().max(1);
            }
        }
    }

    /// The log is another one, which has `last` as this worker's last proposal: whatever it does not have is lost.
    pub(super) fn adopt(&mut self, last: u64) {
        let mut held: BTreeSet<u64> = BTreeSet::new();
        let mut at = last;
        let numbers = |proposal: &Proposal| proposal.commands.iter().map(|command| command.number).collect();
        let accepted = self.proposals.iter().map(|own| (own.number, own.after, numbers(own)));
        let refused = self.refused.iter().map(|own| (own.number, own.after, own.commands.clone()));
        let mut all: Vec<(u64, u64, Vec<u64>)> = accepted.chain(refused).collect();
        all.sort_unstable_by_key(|(number, ..)| *number);
        for (number, after, commands) in all.into_iter().rev() {
            if number <= at {
                held.extend(commands);
                at = after;
            }
        }
        for (command, settled) in &mut self.handed_out {
            *settled = held.contains(&command.number);
        }
        let mut known: BTreeSet<u64> = self.handed_out.iter().map(|(command, _)| command.number).collect();
        known.extend(&held);
        let proposed = self.proposals.iter().flat_map(|proposal| proposal.commands.iter().cloned());
        let mut open: Vec<Numbered> = self.lost.drain(..).chain(proposed).collect();
        open.sort_by_key(|command| command.number);
        open.retain(|command| known.insert(command.number));
        self.lost = open;
        self.last = last;
        self.one_name_from = self.next_command + 1;
    }

    /// The numbers of what was lost.
    pub(super) fn lost(&self) -> Vec<u64> {
        self.lost.iter().map(|lost| lost.number).collect()
    }

    /// Everything but the commands themselves.
    pub(super) fn numbers(&self) -> Vec<u64> {
        let mut numbers = vec![self.last, self.next_command, self.one_name_from];
        for proposal in &self.proposals {
            numbers.extend([proposal.number, proposal.after, proposal.commands.len() as u64]);
            numbers.extend(proposal.commands.iter().map(|command| command.number));
        }
        numbers.push(u64::MAX);
        for refused in &self.refused {
            numbers.extend([refused.number, refused.after, refused.commands.len() as u64]);
            numbers.extend(&refused.commands);
        }
        numbers.push(u64::MAX);
        numbers.extend(self.lost());
        numbers.push(u64::MAX);
        numbers.extend(self.handed_out.iter().flat_map(|(lost, settled)| [lost.number, (*settled).into()]));
        numbers
    }

    /// What was lost, oldest first, to be proposed again.
    pub(super) fn take_lost(&mut self) -> Vec<Command> {
        let commands = self.lost.iter().map(|lost| lost.command.clone()).collect();
        self.handed_out.extend(self.lost.drain(..).map(|lost| (lost, false)));
        commands
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbered(proposed: &mut Proposed, command: Command) -> Option<Numbered> {
        Some(Numbered { number: proposed.number(&command)?, command })
    }

    fn propose(proposed: &mut Proposed, number: u64, commands: &[Command]) {
        let commands = commands.iter().filter_map(|command| numbered(proposed, command.clone())).collect();
        proposed.add(number, commands);
        proposed.accepted(number);
    }

    #[test]
    fn what_was_lost_and_turns_up_again_is_not_proposed_again() {
        let mut proposed = Proposed::default();
        propose(&mut proposed, 1, &[Command::Tick]);
        propose(&mut proposed, 2, &[Command::Tick, Command::Tick]);
        // A worker that had heard the first only founds the log anew.
        proposed.adopt(1);
        assert_eq!(proposed.take_lost(), [Command::Tick, Command::Tick]);
        propose(&mut proposed, 3, &[Command::Tick]);
        // That log is lost as well, and one that had heard of both founds it.
        proposed.adopt(2);
        assert_eq!(proposed.take_lost(), []);
        assert!(
            proposed.number(&Command::Tick).is_none(),
            "the other is still to be proposed, and is in the log"
        );
        assert!(proposed.number(&Command::Tick).is_some(), "this one is new");
    }

    #[test]
    fn what_was_refused_and_turns_up_is_not_lost() {
        let mut proposed = Proposed::default();
        propose(&mut proposed, 1, &[Command::Tick]);
        let second = numbered(&mut proposed, Command::Tick).into_iter().collect();
        proposed.add(2, second);
        // The log was cut, so that it is refused; then one founds it anew that had heard it.
        let again = proposed.take_back();
        proposed.add(3, again);
        proposed.adopt(2);
        assert_eq!(proposed.take_lost(), []);
    }

    #[test]
    fn what_was_done_without_a_change_is_not_proposed_again() {
        let mut proposed = Proposed::default();
        propose(&mut proposed, 1, &[Command::Tick]);
        proposed.adopt(0);
        assert_eq!(proposed.take_lost(), [Command::Tick]);
        let again = proposed.number(&Command::Tick).expect("it is not in the log");
        proposed.done(again);
        proposed.adopt(0);
        assert_eq!(proposed.take_lost(), []);
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut proposed = Proposed::default();
        for number in 1..=3_000 {
            propose(&mut proposed, number, &[Command::Tick]);
        }
        proposed.add(3_001, vec![]);
        proposed.adopt(0);
        assert_eq!(proposed.take_lost().len(), REMEMBERED - 1, "and a proposal without a command");
        proposed.adopt(0);
        assert_eq!(proposed.take_lost(), [], "it is handed out once");
        let many = vec![Command::Tick; REMEMBERED];
        for number in 3_002..3_200 {
            propose(&mut proposed, number, &many);
        }
        proposed.adopt(0);
        assert_eq!(proposed.take_lost().len(), PROPOSALS_REMEMBERED * REMEMBERED);
    }
}
