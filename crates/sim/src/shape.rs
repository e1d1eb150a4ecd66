//! Worlds drawn from a seed: what is fixed of them, and drawing the rest.

use firedrill_failover::Random;

use crate::command::{Command, Token};
use crate::met::Occasion;
use crate::setting::{Faults, Profile, Setting};

/// What the worlds that are drawn have in common. What is `None` is drawn for each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shape {
    /// How many workers; otherwise two to four.
    pub workers: Option<u8>,
    /// How many tokens; otherwise one to three.
    pub tokens: Option<u8>,
    /// How many commands each worker has; otherwise three to six.
    pub commands: Option<u8>,
    /// The kinds of faults that may happen.
    pub faults: Vec<Fault>,
}

/// A kind of fault.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// Replies are lost: up to three.
    LostReplies,
    /// A worker dies between two steps.
    Deaths,
    /// Clocks disagree by up to five seconds either way in half of the worlds, and up to two are set back.
    Clocks,
    /// The store is away for a while: up to twice.
    Away,
    /// The store forgets its last append or everything: up to twice.
    Forgets,
}

impl Fault {
    /// Every kind.
    pub const ALL: [Self; 5] = [Self::LostReplies, Self::Deaths, Self::Clocks, Self::Away, Self::Forgets];

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::LostReplies => "lost-replies",
            Self::Deaths => "deaths",
            Self::Clocks => "clocks",
            Self::Away => "away",
            Self::Forgets => "forgets",
        }
    }
}

/// Nothing is fixed and every fault may happen.
impl Default for Shape {
    fn default() -> Self {
        Self { workers: None, tokens: None, commands: None, faults: Fault::ALL.to_vec() }
    }
}

impl Shape {
    /// The world that `seed` draws.
    pub fn draw(&self, seed: u64) -> Setting {
        let random = &mut Random::new(seed, 0);
        let tokens = drawn(random, 1, 3, self.tokens);
        let workers = drawn(random, 2, 3, self.workers);
        let [lose, die, clocks, away, forgets] = Fault::ALL.map(|fault| self.faults.contains(&fault));
        let apart = random.below(2) == 0 && clocks;
        let profile = if random.below(4) == 0 { Profile::Higress } else { Profile::Standard };
        let reload_resets = random.below(4) == 0;
        // To the checkers a token that is dropped stays dropped, so a world has starts or a new configuration.
        let starts = random.below(2) == 0;
        let health_check = random.below(2) == 0;
        // In some worlds there is little but probes, or leases would hardly ever change hands.
        let probing = health_check && random.below(2) == 0;
        let mut programs: Vec<Vec<Command>> = Vec::new();
        for _ in 0..workers {
            let commands = drawn(random, 3, 4, self.commands);
            let mut next = || {
                if probing && random.below(2) == 0 { Command::Tick } else { command(random, tokens, starts) }
            };
            programs.push((0..commands).map(|_| next()).collect());
        }
        let cooldowns = if apart { [8_000, 20_000] } else { [100, 1_000] };
        let cooldown = cooldowns[random.below(2) as usize];
        let mut moments: Vec<u64> =
            [50, 100, 1_000, 5_000, 8_000, 20_000, 59_999, 60_000, 61_000].into_iter().collect();
        moments.retain(|moment| random.below(4) > 0 && (!probing || *moment > 50_000));
        let ahead = |_| i64::from(random.below(10_001)) - 5_000;
        let ahead = if apart { (0..workers).map(ahead).collect() } else { Vec::new() };
        let limit = |random: &mut Random, allowed: bool, below| if allowed { random.below(below) } else { 0 };
        Setting {
            failure_threshold: if probing { 1 } else { random.below(3) + 1 },
            success_threshold: random.below(2) + 1,
            cooldown: if probing || (health_check && random.below(2) == 0) { 0 } else { cooldown },
            health_check,
            profile,
            reload_resets,
            moments,
            ahead,
            faults: Faults {
                lost_replies: limit(random, lose, 4),
                deaths: limit(random, die, 2),
                // Only a start reads the wall clock.
                set_back: limit(random, clocks && starts, 3),
                away: limit(random, away, 6).saturating_sub(3),
                forgets: limit(random, forgets, 5).saturating_sub(2),
            },
            ..Setting::new(u8::try_from(tokens).unwrap_or(1), programs)
        }
    }

    /// What should be met in many of these worlds, or they prove nothing.
    pub fn must(&self) -> Vec<Occasion> {
        let several = self.workers != Some(1);
        let offers = |occasion: &Occasion| match occasion {
            Occasion::Conflict | Occasion::LeaseChanged | Occasion::Overslept | Occasion::LateReply => {
                several
            }
            Occasion::LostReply | Occasion::FoundInLog => self.faults.contains(&Fault::LostReplies),
            Occasion::Death => self.faults.contains(&Fault::Deaths),
            Occasion::SetBack => self.faults.contains(&Fault::Clocks),
            Occasion::Alone => self.faults.contains(&Fault::Away),
            Occasion::Forgotten | Occasion::FoundedAnew => self.faults.contains(&Fault::Forgets),
            Occasion::Again => self.faults.contains(&Fault::Away) || self.faults.contains(&Fault::Forgets),
            Occasion::Fallback | Occasion::Return => true,
        };
        Occasion::ALL.into_iter().filter(offers).collect()
    }
}

/// What must be met in one world if many of its schedules are gone through, or they prove nothing.
pub fn must(setting: &Setting) -> Vec<Occasion> {
    let fails = |program: &&Vec<Command>| {
        let fails_at_first =
            |token: &Token| program.first().is_some_and(|first| first.fails(*token, setting));
        setting.tokens.iter().any(fails_at_first)
    };
    // Two that begin with a failure may decide on one version.
    let race = setting.programs.iter().filter(fails).count() > 1;
    let works = setting.programs.iter().any(|program| !program.is_empty());
    let offers = [(Occasion::Conflict, race), (Occasion::Death, works && setting.faults.deaths > 0)];
    offers.into_iter().filter(|(_, offered)| *offered).map(|(occasion, _)| occasion).collect()
}

/// What is fixed, or one of `choices` numbers from `least`.
fn drawn(random: &mut Random, least: u32, choices: u32, fixed: Option<u8>) -> u32 {
    let drawn = random.below(choices) + least;
    fixed.map_or(drawn, u32::from)
}

fn command(random: &mut Random, tokens: u32, starts: bool) -> Command {
    let token = Token(u8::try_from(random.below(tokens)).unwrap_or_default());
    match random.below(24) {
        0..8 => Command::Outcome(token, 429),
        8 => Command::Outcome(token, 200),
        // The profiles differ in these.
        9 => Command::Outcome(token, [201, 204, 302][random.below(3) as usize]),
        10 | 11 => Command::Select,
        12..19 => Command::Tick,
        19 | 20 => Command::ProbeAnswered(token, 200),
        21 => Command::ProbeAnswered(token, [204, 503][random.below(2) as usize]),
        22 if starts => Command::Start,
        _ if starts && random.below(2) == 0 => Command::Start,
        // What was loaded before, or where nobody starts, a new one: the first token is dropped and another comes.
        _ => {
            let from = u32::from(!starts);
            let tokens = (from..from + tokens).filter_map(|place| u8::try_from(place).ok());
            Command::Reconfigure(tokens.map(Token).collect())
        }
    }
}
