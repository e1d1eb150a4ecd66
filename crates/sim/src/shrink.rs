//! Making a world and a schedule that break a property shorter, for as long as the same property breaks.

use crate::explore::Found;
use crate::property::Property;
use crate::protocol::Protocol;
use crate::schedule;
use crate::setting::{Faults, Profile, Setting};
use crate::world::{Step, World};

/// A world that breaks a property, made as small as it gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shrunk {
    /// The world, with the commands that it takes.
    pub setting: Setting,
    /// The schedule, with the steps that it takes, and what breaks at its end.
    pub found: Found,
}

/// What must still break.
#[derive(Copy, Clone)]
struct Wanted {
    property: Property,
    /// By the schedule itself, and not by what comes after it.
    on_the_way: bool,
}

/// Leaves out commands, workers, rules and steps for as long as the same property breaks. What is left may still be longer than
/// [`crate::explore::fewest`] would find.
pub fn shrink<P: Protocol>(setting: &Setting, found: &Found) -> Shrunk {
    let mut world = World::<P>::new(setting);
    schedule::follow(&mut world, &found.schedule);
    let wanted = Wanted { property: found.violation.property, on_the_way: world.broken().is_some() };
    let mut least = Shrunk { setting: setting.clone(), found: found.clone() };
    loop {
        let before = least.clone();
        without_commands::<P>(&mut least, wanted);
        without_steps::<P>(&mut least, wanted);
        without_workers::<P>(&mut least, wanted);
        with_less::<P>(&mut least, wanted);
        if least == before {
            return least;
        }
    }
}

fn without_commands<P: Protocol>(least: &mut Shrunk, wanted: Wanted) {
    for worker in 0..least.setting.programs.len() {
        for place in (0..least.setting.programs[worker].len()).rev() {
            let mut setting = least.setting.clone();
            setting.programs[worker].remove(place);
            if let Some(found) = breaks::<P>(&setting, &least.found.schedule, wanted) {
                *least = Shrunk { setting, found };
            }
        }
    }
}

fn without_workers<P: Protocol>(least: &mut Shrunk, wanted: Wanted) {
    for worker in (0..least.setting.programs.len()).rev() {
        if least.setting.programs.len() == 1 {
            return;
        }
        let mut setting = least.setting.clone();
        setting.programs.remove(worker);
        if worker < setting.ahead.len() {
            setting.ahead.remove(worker);
        }
        let schedule: Vec<Step> =
            least.found.schedule.iter().filter_map(|step| step.without_worker(worker)).collect();
        if let Some(found) = breaks::<P>(&setting, &schedule, wanted) {
            *least = Shrunk { setting, found };
        }
    }
}

/// Takes from the world what the schedule does not need: tokens, rules, moments, faults.
fn with_less<P: Protocol>(least: &mut Shrunk, wanted: Wanted) {
    let cuts: [fn(&mut Setting); 14] = [
        |setting| {
            if setting.tokens.len() > 1 {
                setting.tokens.pop();
            }
        },
        |setting| {
            setting.moments.pop();
        },
        |setting| setting.ahead.clear(),
        |setting| setting.faults = Faults::default(),
        |setting| setting.faults.lost_replies = setting.faults.lost_replies.saturating_sub(1),
        |setting| setting.faults.deaths = setting.faults.deaths.saturating_sub(1),
        |setting| setting.faults.set_back = setting.faults.set_back.saturating_sub(1),
        |setting| setting.faults.away = setting.faults.away.saturating_sub(1),
        |setting| setting.faults.forgets = setting.faults.forgets.saturating_sub(1),
        |setting| setting.profile = Profile::Standard,
        |setting| setting.reload_resets = false,
        |setting| setting.success_threshold = 1,
        |setting| setting.cooldown = setting.cooldown.min(100),
        |setting| setting.health_check = setting.health_check && setting.cooldown == 0,
    ];
    for cut in cuts {
        loop {
            let mut setting = least.setting.clone();
            cut(&mut setting);
            if setting == least.setting {
                break;
            }
            let Some(found) = breaks::<P>(&setting, &least.found.schedule, wanted) else { break };
            *least = Shrunk { setting, found };
        }
    }
}

fn without_steps<P: Protocol>(least: &mut Shrunk, wanted: Wanted) {
    let Shrunk { setting, found } = least;
    schedule::without_steps(found, |shorter| breaks::<P>(setting, shorter, wanted));
}

/// Whether what is wanted breaks in what can be taken of `schedule`, or after it.
fn breaks<P: Protocol>(setting: &Setting, schedule: &[Step], wanted: Wanted) -> Option<Found> {
    let mut world = World::<P>::new(setting);
    let schedule = schedule::follow(&mut world, schedule);
    let violation = if wanted.on_the_way { world.broken().cloned() } else { world.settle() };
    let violation = violation.filter(|violation| violation.property == wanted.property)?;
    Some(Found { schedule, violation })
}
