//! Snapshots of random logs: what is written is read back, and what is changed in it is refused or does no harm.

use firedrill_failover::{
    Attempt, Command, Entry, Fold, Instant, Order, Random, Status, TokenId, WorkerId, wire,
};
use serde_json::Value;

/// A log as text, read: the fold after every line.
fn folds(log: &str) -> Vec<Option<Fold>> {
    let mut reader = wire::Reader::new();
    let read = |line: &str| {
        reader.read(line).map_err(|error| format!("{error} in {line}")).expect("a good log");
        reader.fold().cloned()
    };
    log.lines().map(read).collect()
}

/// A log that begins with the snapshot of any version goes on as the whole one does.
pub(crate) fn reads_back(log: &str) -> Result<(), String> {
    let lines: Vec<&str> = log.lines().collect();
    let folds = folds(log);
    for (at, fold) in folds.iter().enumerate() {
        let Some(fold) = fold else { continue };
        let line = wire::snapshot_line(fold);
        let mut reader = wire::Reader::new();
        reader.read(lines[0]).map_err(|error| error.to_string())?;
        let said = reader.read(&line).map_err(|error| format!("{error} in {line}"))?;
        if said != wire::Line::Snapshot || reader.fold() != Some(fold) || wire::snapshot_line(fold) != line {
            return Err(format!("what is read back is not what was written: {line}"));
        }
        let draws = |fold: &Fold| {
            let mut random = Random::new(7, at as u64);
            (0..8).map(|_| fold.pool().select(&mut random)).collect::<Vec<_>>()
        };
        if reader.fold().map(draws) != Some(draws(fold)) {
            return Err(format!("it draws otherwise: {line}"));
        }
        // Every few versions, for it reads the rest of the log.
        let rest = if at % 5 == 1 { &lines[at + 1..] } else { &[] };
        for (line, after) in rest.iter().zip(&folds[at + 1..]) {
            reader.read(line).map_err(|error| format!("{error} in {line}, after a snapshot"))?;
            if reader.fold() != after.as_ref() {
                return Err(format!("another fold from the snapshot of line {at} on, at {line}"));
            }
        }
    }
    Ok(())
}

/// Every number, element and key of a snapshot changed in some way: refused, or a fold that goes on without a panic. Gives
/// how many were accepted and how many refused.
pub(crate) fn hostile(log: &str) -> (u32, u32) {
    let header = log.lines().next().expect("a header");
    let folds = folds(log);
    let fold = folds.last().and_then(Option::as_ref).expect("a log that was founded");
    let good: Value = serde_json::from_str(&wire::snapshot_line(fold)).expect("JSON");
    let mut counts = (0, 0);
    let mut places = Vec::new();
    walk(&good, &mut Vec::new(), &mut places);
    for place in places {
        for change in 0..7 {
            let mut bad = good.clone();
            if !changed(&mut bad, &place, change) {
                continue;
            }
            let mut reader = wire::Reader::new();
            reader.read(header).expect("a header");
            match reader.read(&bad.to_string()) {
                Ok(_) => {
                    counts.0 += 1;
                    goes_on(reader.fold().expect("a fold").clone());
                }
                Err(error) => {
                    counts.1 += 1;
                    assert!(!error.to_string().is_empty());
                }
            }
        }
    }
    counts
}

/// Where a value stands: keys and indices, from the top.
type Place = Vec<Value>;

fn walk(value: &Value, here: &mut Place, places: &mut Vec<Place>) {
    places.push(here.clone());
    let parts: Vec<(Value, &Value)> = match value {
        Value::Array(parts) => (0_u64..).map(Value::from).zip(parts).collect(),
        Value::Object(parts) => parts.iter().map(|(key, part)| (Value::from(key.as_str()), part)).collect(),
        _ => Vec::new(),
    };
    for (key, part) in parts {
        here.push(key);
        walk(part, here, places);
        here.pop();
    }
}

/// Changes what stands at `place`, or takes it out, or doubles it; false if that cannot be done there.
fn changed(top: &mut Value, place: &Place, change: u32) -> bool {
    let Some((last, way)) = place.split_last() else { return false };
    let mut around = top;
    for key in way {
        around = match key {
            Value::String(key) => &mut around[key.as_str()],
            index => &mut around[usize::try_from(index.as_u64().expect("an index")).expect("small")],
        };
    }
    let number = match last {
        Value::String(key) => around[key.as_str()].as_u64(),
        index => around[usize::try_from(index.as_u64().expect("an index")).expect("small")].as_u64(),
    };
    let value = match (change, number) {
        (0, Some(number)) => number.wrapping_add(1),
        (1, Some(number)) => number.wrapping_sub(1),
        (2, Some(_)) => 0,
        (3, Some(_)) => u64::from(u32::MAX),
        (4, Some(_)) => u64::MAX,
        (5, _) => {
            match (around, last) {
                (Value::Object(parts), Value::String(key)) => drop(parts.remove(key)),
                (Value::Array(parts), index) => {
                    parts.remove(usize::try_from(index.as_u64().expect("an index")).expect("small"));
                }
                _ => return false,
            }
            return true;
        }
        (6, _) => {
            let (Value::Array(parts), Some(index)) = (around, last.as_u64()) else { return false };
            let twice = parts[usize::try_from(index).expect("small")].clone();
            parts.push(twice);
            return true;
        }
        _ => return false,
    };
    match last {
        Value::String(key) => around[key.as_str()] = value.into(),
        index => around[usize::try_from(index.as_u64().expect("an index")).expect("small")] = value.into(),
    }
    true
}

/// Fifty commands on what was accepted.
fn goes_on(mut fold: Fold) {
    let mut random = Random::new(3, 3);
    let mut at = fold.pool().clock();
    for _ in 0..50 {
        let tokens: Vec<TokenId> = fold.pool().tokens().map(|(id, _)| id).collect();
        let token = tokens[random.below(u32::try_from(tokens.len()).expect("few")) as usize];
        let code = [200, 429, 500][random.below(3) as usize];
        let status = Status::new(code).expect("a status");
        let command = match random.below(4) {
            0 => Command::Tick,
            1 => Command::Outcome { token, status, attempt: Attempt::First },
            2 => {
                let orders = [Order::TakeOut, Order::PutBack, Order::Reset];
                Command::Operate { token, order: orders[random.below(3) as usize] }
            }
            _ => {
                let probe = u64::from(random.below(9));
                Command::ProbeAnswered { token, probe, answer: status }
            }
        };
        at = at.max(Instant::from_millis(at.as_millis().saturating_add(u64::from(random.below(70_000)))));
        let by = WorkerId::new(u64::from(random.below(2)));
        let events = fold.pool().decide(by, at, &command);
        fold.pool().select(&mut random);
        fold.pool().next_deadline(by);
        if !events.is_empty() {
            let version = fold.head().version.next();
            let entry = Entry { version, at, by, proposal: 1, events: events.into() };
            fold.try_apply(&entry).expect("what was decided follows");
        }
    }
}
