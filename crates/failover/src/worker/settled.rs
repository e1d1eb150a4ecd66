//! The commands of a worker that were settled last, in case the log that holds them is lost.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use crate::decide::Command;

/// So many commands are remembered, and the rest of the append that the oldest of them is of.
const REMEMBERED: usize = 1024;

/// Accepted proposals with their commands, oldest first.
#[derive(Clone, Debug, Default)]
pub(super) struct Settled {
    proposals: VecDeque<(u64, Vec<Command>)>,
    commands: usize,
}

impl Settled {
    /// `proposal` was accepted with these commands.
    pub(super) fn add(&mut self, proposal: u64, commands: Vec<Command>) {
        self.commands += commands.len();
        self.proposals.push_back((proposal, commands));
        while let Some((_, oldest)) = self.proposals.front()
            && self.commands - oldest.len() >= REMEMBERED
        {
            self.commands -= oldest.len();
            self.proposals.pop_front();
        }
    }

    /// The commands of the proposals after `proposal`, oldest first. They are settled no longer.
    pub(super) fn take_after(&mut self, proposal: u64) -> Vec<Command> {
        let place = self.proposals.partition_point(|(number, _)| *number <= proposal);
        let lost: Vec<Command> = self.proposals.drain(place..).flat_map(|(_, commands)| commands).collect();
        self.commands -= lost.len();
        lost
    }
}
