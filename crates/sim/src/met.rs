//! What must be met somewhere, or an exploration proves nothing: the `sometimes` beside the `always` and `eventually` of
//! [`crate::Property`].

use core::fmt;

use crate::protocol::{Deed, Fact};

/// Something that makes a schedule worth exploring.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Occasion {
    /// An append, or the write of a key, was refused.
    Conflict,
    /// A worker took the lease after another.
    LeaseChanged,
    /// A worker woke up with an append that it had decided under a lease that another has taken meanwhile.
    Overslept,
    /// A request drew a fallback.
    Fallback,
    /// A token came back.
    Return,
    /// A reply arrived after later appends.
    LateReply,
    /// A reply was lost.
    LostReply,
    /// An append whose reply was lost was found in the log.
    FoundInLog,
    /// A worker died.
    Death,
    /// A worker started on a clock that had been set back.
    SetBack,
    /// A worker decided alone while the store was away.
    Alone,
    /// The store forgot.
    Forgotten,
    /// The log was founded anew.
    FoundedAnew,
    /// A command was proposed again that had waited or was lost.
    Again,
}

impl Occasion {
    /// Every one, in the order in which they are told.
    pub const ALL: [Self; 14] = [
        Self::Conflict,
        Self::LeaseChanged,
        Self::Overslept,
        Self::Fallback,
        Self::Return,
        Self::LateReply,
        Self::LostReply,
        Self::FoundInLog,
        Self::Death,
        Self::SetBack,
        Self::Alone,
        Self::Forgotten,
        Self::FoundedAnew,
        Self::Again,
    ];

    /// Whether only workers that share a log can meet it.
    pub fn is_of_logs(self) -> bool {
        !matches!(self, Self::Conflict | Self::Fallback | Self::Death | Self::SetBack)
    }

    /// Its name in a document: `leaseChanged`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Conflict => "conflict",
            Self::LeaseChanged => "leaseChanged",
            Self::Overslept => "overslept",
            Self::Fallback => "fallback",
            Self::Return => "return",
            Self::LateReply => "lateReply",
            Self::LostReply => "lostReply",
            Self::FoundInLog => "foundInLog",
            Self::Death => "death",
            Self::SetBack => "setBack",
            Self::Alone => "alone",
            Self::Forgotten => "forgotten",
            Self::FoundedAnew => "foundedAnew",
            Self::Again => "again",
        }
    }
}

/// What it is, with its article.
impl fmt::Display for Occasion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Conflict => "a conflict",
            Self::LeaseChanged => "a lease that changes hands",
            Self::Overslept => "a worker that sleeps through its lease",
            Self::Fallback => "a fallback",
            Self::Return => "a token that comes back",
            Self::LateReply => "a reply after later appends",
            Self::LostReply => "a reply that is lost",
            Self::FoundInLog => "an append found in the log after its reply was lost",
            Self::Death => "a worker that dies",
            Self::SetBack => "a start on a clock that was set back",
            Self::Alone => "a worker that decides alone while the store is away",
            Self::Forgotten => "a store that forgets",
            Self::FoundedAnew => "a log that is founded anew",
            Self::Again => "a command that is proposed again",
        })
    }
}

/// How often each [`Occasion`] was met.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub struct Sometimes([u64; Occasion::ALL.len()]);

impl Sometimes {
    /// How often `occasion` was met.
    pub fn count(&self, occasion: Occasion) -> u64 {
        self.0[occasion as usize]
    }

    /// What was never met.
    pub fn never(&self) -> Vec<Occasion> {
        Occasion::ALL.into_iter().filter(|occasion| self.count(*occasion) == 0).collect()
    }

    /// Adds what was met elsewhere.
    pub fn add(&mut self, other: &Self) {
        for (times, more) in self.0.iter_mut().zip(other.0) {
            *times += more;
        }
    }

    pub(crate) fn meet(&mut self, occasion: Occasion) {
        self.0[occasion as usize] += 1;
    }

    /// Hears a fact, `lease` being who held the lease before it, and up to when.
    pub(crate) fn hear(&mut self, fact: &Fact, lease: Option<(u64, u64)>) {
        match fact {
            Fact::Met(occasion) => self.meet(*occasion),
            Fact::Appended { by, deeds, .. } => {
                for deed in deeds {
                    match deed {
                        Deed::LeaseTaken(_) if lease.is_some_and(|(holder, _)| holder != *by) => {
                            self.meet(Occasion::LeaseChanged);
                        }
                        Deed::CooledDown(_) | Deed::Healthy(..) | Deed::PutBack(_) => {
                            self.meet(Occasion::Return);
                        }
                        _ => {}
                    }
                }
            }
            Fact::Forgotten { .. } => self.meet(Occasion::Forgotten),
            _ => {}
        }
    }
}

/// How often each was met, one line: `conflict 3, leaseChanged 0, …`.
impl fmt::Display for Sometimes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = Occasion::ALL.map(|occasion| format!("{} {}", occasion.name(), self.count(occasion)));
        f.write_str(&counts.join(", "))
    }
}
