//! Schedules as words: a step is the number of a worker and a letter, `c` for the clock, or what befalls the store.

use core::fmt;
use core::str::FromStr;

use super::{Misread, Part};
use crate::protocol::Move;
use crate::world::Step;

/// What a step may be, for those who wrote another.
const STEPS: &str = "`1b` worker 1 begins its next command, `1g` goes on, `1r` reads, `1l` loses a reply, `1a` takes up \
                     again, `1d` dies, `1s` has its clock set back; `c` the clock goes on, `away`, `back`, `cut` and \
                     `wipe` befall the store";

/// The steps of a schedule, in words between blanks.
pub fn schedule_words(schedule: &[Step]) -> String {
    schedule.iter().map(Step::to_string).collect::<Vec<_>>().join(" ")
}

/// Reads what [`schedule_words`] wrote.
///
/// # Errors
/// If a word is no step.
pub fn parse_schedule(text: &str) -> Result<Vec<Step>, Misread> {
    Part { text, at: 0 }.words().map(step).collect()
}

fn step(word: Part<'_>) -> Result<Step, Misread> {
    let misread = || word.misread("a step", STEPS);
    match word.text {
        "c" => return Ok(Step::Clock),
        "away" => return Ok(Step::Away(true)),
        "back" => return Ok(Step::Away(false)),
        "cut" => return Ok(Step::Forgets(false)),
        "wipe" => return Ok(Step::Forgets(true)),
        _ => {}
    }
    let letter = word.text.chars().last().ok_or_else(misread)?;
    let digits = &word.text[..word.text.len() - letter.len_utf8()];
    let worker: usize = digits.parse().map_err(|_| misread())?;
    // A sign is no digit, and workers are counted from 1.
    let worker = worker.checked_sub(1).filter(|_| !digits.starts_with('+')).ok_or_else(misread)?;
    Ok(match letter {
        'b' => Step::Worker(worker, Move::Begin),
        'g' => Step::Worker(worker, Move::GoOn),
        'a' => Step::Worker(worker, Move::Again),
        'r' => Step::Worker(worker, Move::Read),
        'l' => Step::Worker(worker, Move::Lose),
        'd' => Step::Dies(worker),
        's' => Step::SetBack(worker),
        _ => return Err(misread()),
    })
}

impl FromStr for Step {
    type Err = Misread;

    fn from_str(text: &str) -> Result<Self, Misread> {
        step(Part { text, at: 0 })
    }
}

/// A step on its own, as a schedule has it: `1g`.
impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (worker, letter) = match *self {
            Self::Clock => return f.write_str("c"),
            Self::Away(true) => return f.write_str("away"),
            Self::Away(false) => return f.write_str("back"),
            Self::Forgets(false) => return f.write_str("cut"),
            Self::Forgets(true) => return f.write_str("wipe"),
            Self::Worker(worker, Move::Begin) => (worker, 'b'),
            Self::Worker(worker, Move::GoOn) => (worker, 'g'),
            Self::Worker(worker, Move::Again) => (worker, 'a'),
            Self::Worker(worker, Move::Read) => (worker, 'r'),
            Self::Worker(worker, Move::Lose) => (worker, 'l'),
            Self::Dies(worker) => (worker, 'd'),
            Self::SetBack(worker) => (worker, 's'),
        };
        write!(f, "{}{letter}", worker + 1)
    }
}
