//! What the workers of a world are told to do, in names that hold for every protocol.

use core::fmt;

use crate::setting::Setting;

/// A token of a world, by its place in the alphabet.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Token(pub u8);

impl Token {
    /// The first `count` tokens; at most 26.
    pub fn first(count: u8) -> Vec<Self> {
        (0..count.min(26)).map(Self).collect()
    }
}

/// Its label: `a`, `b`, `c`.
impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", char::from(b'a' + self.0 % 26))
    }
}

/// What an operator says of a token.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Order {
    /// It is to be unavailable.
    Out,
    /// It is to be available, without anything counted.
    In,
    /// If it is available, no failure of it is to be counted.
    Reset,
}

impl Order {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Out, Self::In, Self::Reset];

    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Out => "out",
            Self::In => "in",
            Self::Reset => "reset",
        }
    }
}

/// One command of a worker's program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// A request that used the token was answered with this status.
    Outcome(Token, u16),
    /// A request draws a token.
    Select,
    /// The time of a tick has come.
    Tick,
    /// The oldest probe that this worker has out for the token is answered with this status. If it has none, nothing.
    ProbeAnswered(Token, u16),
    /// A configuration with these tokens is loaded.
    Reconfigure(Vec<Token>),
    /// An operator says this of the token.
    Operate(Token, Order),
    /// The worker starts (again), with the configuration that the world began with.
    Start,
}

impl Command {
    /// Whether it is the failure of a request that used `token`, by the rules of `setting`.
    pub fn fails(&self, token: Token, setting: &Setting) -> bool {
        matches!(*self, Self::Outcome(used, status) if used == token && setting.fails(status))
    }
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Outcome(token, status) => write!(f, "{status} for {token}"),
            Self::Select => f.write_str("select"),
            Self::Tick => f.write_str("tick"),
            Self::ProbeAnswered(token, status) => write!(f, "probe of {token} answers {status}"),
            Self::Reconfigure(tokens) => {
                f.write_str("reconfigure to")?;
                tokens.iter().try_for_each(|token| write!(f, " {token}"))
            }
            Self::Operate(token, order) => write!(f, "{} {token} by hand", order.name()),
            Self::Start => f.write_str("start"),
        }
    }
}
