//! Worlds as words: rules that differ from [`Setting::new`], a colon, and programs with `|` between them.

use core::fmt;
use core::str::FromStr;

use super::{Misread, Part};
use crate::command::{Command, Order, Token};
use crate::property::Property;
use crate::setting::{Profile, Setting};

/// More workers, or commands of one, than this are a slip of the finger.
const MOST: usize = 100;
/// Times are at most this many milliseconds.
const LATEST: u64 = 1_000_000_000_000;
/// Clocks are ahead or behind by at most this many milliseconds.
const FARTHEST: u64 = 1_000_000;
/// Counts and thresholds are at most this.
const HIGHEST: u64 = 1_000;

const RULES: &str = "rules are tokens, failure-threshold, success-threshold, cooldown, health-check, profile, \
                     reload-resets, moments, ahead, lost-replies, deaths, set-back, away, forgets and watch";
const COMMANDS: &str = "commands are `a429` (an answer for token a), `select`, `tick`, `probe-a200`, `reload-ab`, \
                        `start`, and by hand `out-a`, `in-a` and `reset-a`";

impl FromStr for Setting {
    type Err = Misread;

    fn from_str(text: &str) -> Result<Self, Misread> {
        let whole = Part { text, at: 0 };
        let Some((rules, programs)) = whole.cut(':') else {
            let hint =
                "a world is its rules, a colon and a program for each worker: `tokens=ab: a429 tick | b429`";
            return Err(whole.misread("a colon after the rules", hint));
        };
        let mut setting = Setting::new(1, Vec::new());
        let mut given = Vec::new();
        for word in rules.words() {
            let (key, value) = word.cut('=').map_or((word, None), |(key, value)| (key, Some(value)));
            if given.contains(&key.text) {
                return Err(key.wrong(format!("`{}` is given twice", key.text), "leave one out"));
            }
            given.push(key.text);
            rule(&mut setting, word, key, value)?;
        }
        if setting.cooldown == 0 && !setting.health_check {
            return Err(rules.wrong(
                "expected a cooldown or `health-check`, found neither".into(),
                "without them no token ever comes back",
            ));
        }
        for program in programs.split(|c| c == '|') {
            let commands: Vec<Command> = program.words().map(command).collect::<Result<_, _>>()?;
            if commands.len() > MOST || setting.programs.len() == MOST {
                return Err(program.wrong(format!("more than {MOST} of them"), "make the world smaller"));
            }
            setting.programs.push(commands);
        }
        Ok(setting)
    }
}

fn rule(
    setting: &mut Setting,
    word: Part<'_>,
    key: Part<'_>,
    value: Option<Part<'_>>,
) -> Result<(), Misread> {
    let count = |value: Part<'_>, least| {
        value.number(least, HIGHEST).map(|number| u32::try_from(number).unwrap_or(u32::MAX))
    };
    match (key.text, value) {
        ("health-check", None) => setting.health_check = true,
        ("reload-resets", None) => setting.reload_resets = true,
        ("tokens", Some(value)) => setting.tokens = tokens(value)?,
        ("failure-threshold", Some(value)) => setting.failure_threshold = count(value, 1)?,
        ("success-threshold", Some(value)) => setting.success_threshold = count(value, 1)?,
        ("cooldown", Some(value)) => setting.cooldown = value.number(0, LATEST)?,
        ("profile", Some(value)) => {
            setting.profile = match value.text {
                "standard" => Profile::Standard,
                "higress" => Profile::Higress,
                _ => return Err(value.misread("a profile", "profiles are `standard` and `higress`")),
            };
        }
        ("moments", Some(value)) => {
            for item in value.items() {
                let moment = item.number(1, LATEST)?;
                if setting.moments.last().is_some_and(|last| moment <= *last) {
                    return Err(
                        item.misread("a later moment", "moments are milliseconds, ascending: `50,100`")
                    );
                }
                setting.moments.push(moment);
            }
        }
        ("ahead", Some(value)) => setting.ahead = value.items().map(ahead).collect::<Result<_, _>>()?,
        ("lost-replies", Some(value)) => setting.faults.lost_replies = count(value, 0)?,
        ("deaths", Some(value)) => setting.faults.deaths = count(value, 0)?,
        ("away", Some(value)) => setting.faults.away = count(value, 0)?,
        ("forgets", Some(value)) => setting.faults.forgets = count(value, 0)?,
        // The world begins late enough for a clock that is behind by this.
        ("set-back", Some(value)) => {
            setting.faults.set_back = u32::try_from(value.number(0, 100)?).unwrap_or(0);
        }
        ("watch", Some(value)) => setting.watch = value.items().map(property).collect::<Result<_, _>>()?,
        _ => return Err(word.misread("a rule", RULES)),
    }
    Ok(())
}

fn ahead(item: Part<'_>) -> Result<i64, Misread> {
    let (sign, digits) = item.after("-").map_or((1, item), |digits| (-1, digits));
    let number = digits.number(0, FARTHEST)?;
    Ok(sign * i64::try_from(number).unwrap_or_default())
}

fn property(item: Part<'_>) -> Result<Property, Misread> {
    let found = Property::ALL.into_iter().find(|property| property.name() == item.text);
    let names = || Property::ALL.map(Property::name).join(", ");
    found.ok_or_else(|| item.misread("a property", format!("properties are {}", names())))
}

fn tokens(part: Part<'_>) -> Result<Vec<Token>, Misread> {
    let mut tokens = Vec::new();
    for letter in part.text.bytes() {
        match letter.checked_sub(b'a').map(Token) {
            Some(token) if letter <= b'z' && !tokens.contains(&token) => tokens.push(token),
            _ => tokens.clear(),
        }
        if tokens.is_empty() {
            break;
        }
    }
    if tokens.is_empty() {
        return Err(part.misread("tokens", "tokens are letters from a to z, each once: `ab`"));
    }
    Ok(tokens)
}

fn command(word: Part<'_>) -> Result<Command, Misread> {
    let answer = |part: Part<'_>| {
        let token = part.text.get(..1).map(|letter| tokens(Part { text: letter, at: part.at }))?.ok()?;
        let status = part.text.get(1..).map(|text| Part { text, at: part.at + 1 }.number(100, 599))?.ok()?;
        Some((*token.first()?, u16::try_from(status).ok()?))
    };
    match word.text {
        "select" => return Ok(Command::Select),
        "tick" => return Ok(Command::Tick),
        "start" => return Ok(Command::Start),
        _ => {}
    }
    if let Some(loaded) = word.after("reload-") {
        return tokens(loaded).map(Command::Reconfigure);
    }
    for order in Order::ALL {
        if let Some(named) = word.after(order.name()).and_then(|rest| rest.after("-")) {
            let named = tokens(named)?;
            return match named[..] {
                [token] => Ok(Command::Operate(token, order)),
                _ => Err(word.misread("a command", COMMANDS)),
            };
        }
    }
    let command = match word.after("probe-") {
        Some(answered) => answer(answered).map(|(token, status)| Command::ProbeAnswered(token, status)),
        None => answer(word).map(|(token, status)| Command::Outcome(token, status)),
    };
    command.ok_or_else(|| word.misread("a command", COMMANDS))
}

/// The world as words, read again by [`Setting::from_str`].
impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let default = Setting::new(1, Vec::new());
        write!(f, "tokens={}", letters(&self.tokens))?;
        let numbers = [
            ("failure-threshold", self.failure_threshold.into(), default.failure_threshold.into()),
            ("success-threshold", self.success_threshold.into(), default.success_threshold.into()),
            ("cooldown", self.cooldown, default.cooldown),
            ("lost-replies", self.faults.lost_replies.into(), 0),
            ("deaths", self.faults.deaths.into(), 0),
            ("set-back", self.faults.set_back.into(), 0),
            ("away", self.faults.away.into(), 0),
            ("forgets", self.faults.forgets.into(), 0),
        ];
        for (key, number, default) in numbers {
            if number != default {
                write!(f, " {key}={number}")?;
            }
        }
        let flags = [("health-check", self.health_check), ("reload-resets", self.reload_resets)];
        for (flag, _) in flags.into_iter().filter(|(_, set)| *set) {
            write!(f, " {flag}")?;
        }
        if self.profile == Profile::Higress {
            f.write_str(" profile=higress")?;
        }
        list(f, "moments", &self.moments)?;
        list(f, "ahead", &self.ahead)?;
        if self.watch != default.watch {
            list(f, "watch", &self.watch.iter().map(|property| property.name()).collect::<Vec<_>>())?;
        }
        for (worker, program) in self.programs.iter().enumerate() {
            f.write_str(if worker == 0 { ":" } else { " |" })?;
            program.iter().try_for_each(|command| write!(f, " {}", Word(command)))?;
        }
        Ok(())
    }
}

fn list<T: fmt::Display>(f: &mut fmt::Formatter<'_>, key: &str, items: &[T]) -> fmt::Result {
    let items: Vec<String> = items.iter().map(T::to_string).collect();
    if items.is_empty() { Ok(()) } else { write!(f, " {key}={}", items.join(",")) }
}

fn letters(tokens: &[Token]) -> String {
    tokens.iter().map(Token::to_string).collect()
}

/// A command as a word of a program.
struct Word<'a>(&'a Command);

impl fmt::Display for Word<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Command::Outcome(token, status) => write!(f, "{token}{status}"),
            Command::Select => f.write_str("select"),
            Command::Tick => f.write_str("tick"),
            Command::ProbeAnswered(token, status) => write!(f, "probe-{token}{status}"),
            Command::Reconfigure(tokens) => write!(f, "reload-{}", letters(tokens)),
            Command::Operate(token, order) => write!(f, "{}-{token}", order.name()),
            Command::Start => f.write_str("start"),
        }
    }
}
