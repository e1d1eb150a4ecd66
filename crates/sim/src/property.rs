//! What must hold in every schedule, named by kind, and what is told when it does not.

use core::fmt;

/// Something that must hold.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Property {
    /// Always: every configured token is in exactly one list.
    OneList,
    /// Always: a selection draws a token.
    DrawsSomething,
    /// Always: when no command is at work, no token is available with as many failures as take it out.
    ThresholdHolds,
    /// Always: a start with the configuration in force forgets no count and no removal.
    StartKeeps,
    /// Always: no tick brings a token back before its cooldown.
    CooldownHolds,
    /// Always: a token that is taken out has failed `failureThreshold` times since it was last back.
    RemovalEarned,
    /// Always: a token that was dropped from the configuration is in no list.
    DroppedStaysOut,
    /// Always: no event was decided on a stale version.
    NothingStale,
    /// Always: the log is what a sequential model makes of the commands, in the log's order.
    Sequential,
    /// Always: the fold of a worker is what the log says at its version.
    FoldsTheLog,
    /// Always: in one lease only its holder probes, and no token twice at once.
    OneProber,
    /// Always: no command is in the log twice.
    CountedOnce,
    /// Always: after a loss the log is founded anew once.
    FoundedOnce,
    /// Eventually: when faults have stopped, every configured token is in exactly one list.
    NothingLost,
    /// Eventually: when faults have stopped, every fold is the same and every token is back.
    Recovers,
    /// Eventually: what a living worker appended, or kept while the store was away, is in the log or changes nothing there.
    ReportsKept,
}

impl Property {
    /// Every property.
    pub const ALL: [Self; 16] = [
        Self::OneList,
        Self::DrawsSomething,
        Self::ThresholdHolds,
        Self::StartKeeps,
        Self::CooldownHolds,
        Self::RemovalEarned,
        Self::DroppedStaysOut,
        Self::NothingStale,
        Self::Sequential,
        Self::FoldsTheLog,
        Self::OneProber,
        Self::CountedOnce,
        Self::FoundedOnce,
        Self::NothingLost,
        Self::Recovers,
        Self::ReportsKept,
    ];
}

impl Property {
    /// Its name on the command line: `one-list`.
    pub fn name(self) -> &'static str {
        match self {
            Self::OneList => "one-list",
            Self::DrawsSomething => "draws-something",
            Self::ThresholdHolds => "threshold-holds",
            Self::StartKeeps => "start-keeps",
            Self::CooldownHolds => "cooldown-holds",
            Self::RemovalEarned => "removal-earned",
            Self::DroppedStaysOut => "dropped-stays-out",
            Self::NothingStale => "nothing-stale",
            Self::Sequential => "sequential",
            Self::FoldsTheLog => "folds-the-log",
            Self::OneProber => "one-prober",
            Self::CountedOnce => "counted-once",
            Self::FoundedOnce => "founded-once",
            Self::NothingLost => "nothing-lost",
            Self::Recovers => "recovers",
            Self::ReportsKept => "reports-kept",
        }
    }
}

/// The property as a sentence, with its kind.
impl fmt::Display for Property {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OneList => "always: every configured token is in exactly one list",
            Self::DrawsSomething => "always: a selection draws a token",
            Self::ThresholdHolds => "always: no token stays available at its failure threshold",
            Self::StartKeeps => "always: a start keeps the state of the others",
            Self::CooldownHolds => "always: no tick brings a token back before its cooldown",
            Self::RemovalEarned => "always: a token is taken out by its failures since it was last back",
            Self::DroppedStaysOut => "always: a token that was dropped stays out",
            Self::NothingStale => "always: no event was decided on a stale version",
            Self::Sequential => "always: the log is what a sequential model makes of the same commands",
            Self::FoldsTheLog => "always: a fold is what the log says",
            Self::OneProber => "always: in one lease only its holder probes",
            Self::CountedOnce => "always: no command is counted twice",
            Self::FoundedOnce => "always: for one loss a log is founded anew once",
            Self::NothingLost => "eventually: no configured token is lost for good",
            Self::Recovers => "eventually: every fold is the same and every token is back",
            Self::ReportsKept => "eventually: no report of a living worker is lost",
        })
    }
}

/// A property that did not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Which.
    pub property: Property,
    /// What was seen instead.
    pub seen: String,
}

impl Violation {
    pub(crate) fn new(property: Property, seen: impl Into<String>) -> Self {
        Self { property, seen: seen.into() }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n  seen: {}", self.property, self.seen)
    }
}
