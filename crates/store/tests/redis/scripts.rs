//! The scripts on a real server, asked by nothing but commands.

use std::fmt::Write;

use redis::{Connection, Script, Value};

use crate::server::{Options, Server};

const COMMON: &str = include_str!("../../src/redis/lua/log.lua");

/// The texts of the scripts.
#[derive(Clone)]
pub(crate) struct Scripts {
    newer: String,
    append: String,
    compact: String,
    found: String,
}

impl Scripts {
    fn real() -> Self {
        let whole = |text: &str| format!("{COMMON}{text}");
        Self {
            newer: whole(include_str!("../../src/redis/lua/newer.lua")),
            append: whole(include_str!("../../src/redis/lua/append.lua")),
            compact: whole(include_str!("../../src/redis/lua/compact.lua")),
            found: whole(include_str!("../../src/redis/lua/found.lua")),
        }
    }

    /// The same with `find` replaced, in every script that has it.
    pub(crate) fn broken(find: &str, replace: &str) -> Self {
        let Self { newer, append, compact, found } = Self::real();
        let texts = [newer, append, compact, found];
        assert!(texts.iter().any(|text| text.contains(find)), "no script has `{find}`");
        let [newer, append, compact, found] = texts.map(|text| text.replace(find, replace));
        Self { newer, append, compact, found }
    }
}

/// One log on the server.
struct Log<'a> {
    server: &'a mut Connection,
    scripts: &'a Scripts,
    keys: [&'static str; 2],
}

type Head = (u64, &'static str);
const EMPTY: Head = (0, "0-0");

impl<'a> Log<'a> {
    /// An empty one.
    fn new(server: &'a mut Connection, scripts: &'a Scripts) -> Self {
        let mut log = Self { server, scripts, keys: ["log", "snapshot"] };
        log.wipe();
        log
    }

    /// One with `entries` appends: version n is `1-n`, with the line `line n`.
    fn of(server: &'a mut Connection, scripts: &'a Scripts, entries: u64) -> Result<Self, String> {
        let mut log = Self::new(server, scripts);
        for version in 1..=entries {
            let before = if version == 1 { EMPTY } else { (version - 1, name(version - 1)) };
            log.append(before, name(version), &format!("line {version}"), "accepted")?;
        }
        Ok(log)
    }

    fn wipe(&mut self) {
        redis::cmd("FLUSHALL").exec(self.server).expect("flushes");
    }

    fn append(&mut self, expected: Head, name: &str, line: &str, expect: &str) -> Result<(), String> {
        let script = Script::new(&self.scripts.append);
        let mut call = script.key(&self.keys);
        call.arg(expected.0).arg(expected.1).arg(expected.0 + 1).arg(name).arg(line).arg(100).arg(10_000);
        let answer = call.invoke(self.server);
        same(&format!("append of {name} on {expected:?}"), answer, expect)
    }

    fn newer(&mut self, after: Head, most: u64, bytes: u64, expect: &str) -> Result<(), String> {
        let script = Script::new(&self.scripts.newer);
        let mut call = script.key(&self.keys);
        call.arg(after.0).arg(after.1).arg(most).arg(bytes);
        let answer = call.invoke(self.server);
        same(&format!("newer than {after:?}"), answer, expect)
    }

    fn compact(&mut self, at: Head, stays: u64, expect: &str) -> Result<(), String> {
        let script = Script::new(&self.scripts.compact);
        let mut call = script.key(&self.keys);
        call.arg(at.0).arg(at.1).arg(format!("fold {}", at.0)).arg(format!("{stays}-0"));
        let answer = call.invoke(self.server);
        same(&format!("compact at {at:?}"), answer, expect)
    }

    fn found(&mut self, over: Head, at: Head, line: &str, expect: &str) -> Result<(), String> {
        let script = Script::new(&self.scripts.found);
        let mut call = script.key(&self.keys);
        call.arg(over.0).arg(over.1).arg(at.0).arg(at.1).arg(line);
        let answer = call.invoke(self.server);
        same(&format!("found {at:?} over {over:?}"), answer, expect)
    }

    /// Everything that is kept, as the server tells it without a script.
    fn is(&mut self, expect: &str) -> Result<(), String> {
        let stream = redis::cmd("XRANGE").arg(self.keys[0]).arg("-").arg("+").query(self.server);
        let snapshot = redis::cmd("HMGET").arg(self.keys[1]).arg(&["v", "n", "e"]).query(self.server);
        let both = stream.and_then(|stream| Ok(Value::Array(vec![snapshot?, stream])));
        same("what is kept", both, expect)
    }
}

#[track_caller]
fn same(what: &str, answer: redis::RedisResult<Value>, expect: &str) -> Result<(), String> {
    let mut found = String::new();
    match answer {
        Ok(value) => show(&value, &mut found),
        Err(error) => found = error.to_string(),
    }
    let at = std::panic::Location::caller();
    if found == expect { Ok(()) } else { Err(format!("{at}: {what}: `{found}`, expected `{expect}`")) }
}

/// Words, and lists in brackets.
fn show(value: &Value, out: &mut String) {
    match value {
        Value::BulkString(bytes) => out.push_str(&String::from_utf8_lossy(bytes)),
        Value::Array(values) => {
            for (index, value) in values.iter().enumerate() {
                let list = matches!(value, Value::Array(_));
                out.push_str(if index > 0 { " " } else { "" });
                out.push_str(if list { "[" } else { "" });
                show(value, out);
                out.push_str(if list { "]" } else { "" });
            }
        }
        Value::Nil => out.push('-'),
        other => write!(out, "{other:?}").expect("writes"),
    }
}

fn name(version: u64) -> &'static str {
    ["0-0", "1-1", "1-2", "1-3", "1-4", "1-5", "1-6"][usize::try_from(version).expect("few")]
}

fn at(version: u64) -> Head {
    (version, name(version))
}

fn appended(log: &mut Log<'_>) -> Result<(), String> {
    log.newer(EMPTY, 9, 999, "here 0 0-0 []")?;
    log.append(EMPTY, "7-1", "first", "accepted")?;
    log.append((1, "7-1"), "8-1", "second", "accepted")?;
    log.is("[- - -] [[1-0 [n 7-1 p 0-0 e first]] [2-0 [n 8-1 p 7-1 e second]]]")
}

fn refused(log: &mut Log<'_>) -> Result<(), String> {
    let newest = "[3-0 [n 1-3 p 1-2 e line 3]]";
    log.append(at(2), "9-1", "stale", &format!("here 3 1-3 [{newest}]"))?;
    let two = format!("[2-0 [n 1-2 p 1-1 e line 2]] {newest}");
    log.append(at(1), "9-1", "stale", &format!("here 3 1-3 [{two}]"))?;
    let all = format!("[1-0 [n 1-1 p 0-0 e line 1]] {two}");
    log.append(EMPTY, "9-1", "stale", &format!("here 3 1-3 [{all}]"))?;
    // The newest version, and a version in between, but of another history.
    log.append((3, "9-9"), "9-1", "other", &format!("beginning 3 1-3 [{all}]"))?;
    log.append((1, "9-9"), "9-1", "other", &format!("beginning 3 1-3 [{all}]"))?;
    log.append((2, name(3)), "9-1", "other", &format!("beginning 3 1-3 [{all}]"))?;
    log.is(&format!("[- - -] [{all}]"))
}

fn again(log: &mut Log<'_>) -> Result<(), String> {
    log.append(at(2), name(3), "line 3", "accepted")?;
    log.append(at(0), name(1), "line 1", "accepted")?;
    let newest = "[3-0 [n 1-3 p 1-2 e line 3]]";
    log.append(at(2), name(3), "another line", &format!("here 3 1-3 [{newest}]"))?;
    log.append(at(2), "9-3", "line 3", &format!("here 3 1-3 [{newest}]"))?;
    let all = format!("[1-0 [n 1-1 p 0-0 e line 1]] [2-0 [n 1-2 p 1-1 e line 2]] {newest}");
    log.append((2, "9-9"), name(3), "line 3", &format!("beginning 3 1-3 [{all}]"))?;
    log.is(&format!("[- - -] [{all}]"))
}

fn behind(log: &mut Log<'_>) -> Result<(), String> {
    log.append(at(4), name(5), "line 5", "behind 3 1-3")?;
    log.newer(at(4), 9, 999, "behind 3 1-3")?;
    log.newer((10, "1-1"), 9, 999, "behind 3 1-3")?;
    log.newer(at(3), 9, 999, "here 3 1-3 []")?;
    log.wipe();
    log.append(at(3), name(4), "line 4", "behind 0 0-0")?;
    log.is("[- - -] []")
}

fn bounded(log: &mut Log<'_>) -> Result<(), String> {
    let [one, two, three] = [1, 2, 3].map(|n| format!("[{n}-0 [n 1-{n} p {} e line {n}]]", name(n - 1)));
    log.newer(at(0), 2, 999, &format!("here 5 1-5 [{one} {two}]"))?;
    log.newer(at(2), 1, 999, &format!("here 5 1-5 [{three}]"))?;
    // A line has six bytes. The one that fills them is told, so that every answer gets on.
    log.newer(at(0), 9, 1, &format!("here 5 1-5 [{one}]"))?;
    log.newer(at(0), 9, 12, &format!("here 5 1-5 [{one} {two}]"))?;
    log.newer(at(0), 9, 13, &format!("here 5 1-5 [{one} {two} {three}]"))?;
    log.newer((5, "9-9"), 1, 999, &format!("beginning 5 1-5 [{one}]"))?;
    log.compact(at(2), 1, "compacted")?;
    log.newer(at(0), 1, 999, &format!("snapshot 5 1-5 [{three}] 2 1-2 fold 2"))?;
    log.newer((5, "9-9"), 9, 1, &format!("snapshot 5 1-5 [{three}] 2 1-2 fold 2"))
}

fn in_pieces(log: &mut Log<'_>) -> Result<(), String> {
    // More than the script takes at once.
    for version in 6..=70 {
        let add = redis::cmd("XADD")
            .arg(log.keys[0])
            .arg(format!("{version}-0"))
            .arg(&["n", "1-6", "e", "x"])
            .exec(log.server);
        add.map_err(|error| error.to_string())?;
    }
    for (after, most, expect) in [(0, 100, 70), (5, 100, 65), (0, 64, 64), (0, 33, 33), (6, 64, 64)] {
        let script = Script::new(&log.scripts.newer);
        let mut call = script.key(&log.keys);
        call.arg(after).arg(name(after)).arg(most).arg(10_000);
        let answer: Value = call.invoke(log.server).map_err(|error| error.to_string())?;
        let Value::Array(parts) = answer else { return Err("no answer".to_owned()) };
        let Some(Value::Array(entries)) = parts.get(3) else { return Err("no entries".to_owned()) };
        if entries.len() != expect {
            return Err(format!("{} entries after {after}, at most {most}, not {expect}", entries.len()));
        }
    }
    Ok(())
}

fn compacted(log: &mut Log<'_>) -> Result<(), String> {
    let [two, three, four, five] =
        [2, 3, 4, 5].map(|n| format!("[{n}-0 [n 1-{n} p 1-{} e line {n}]]", n - 1));
    log.compact((6, "1-6"), 5, "foreign")?;
    log.compact((3, "9-9"), 3, "foreign")?;
    log.compact(at(3), 3, "compacted")?;
    log.is(&format!("[3 1-3 fold 3] [{three} {four} {five}]"))?;
    log.compact(at(3), 5, "old")?;
    log.compact(at(2), 5, "old")?;
    log.is(&format!("[3 1-3 fold 3] [{three} {four} {five}]"))?;
    // Who has heard what is kept goes on from there, everyone else from the snapshot.
    log.newer(at(4), 9, 999, &format!("here 5 1-5 [{five}]"))?;
    log.newer(at(3), 9, 999, &format!("here 5 1-5 [{four} {five}]"))?;
    let from_snapshot = format!("snapshot 5 1-5 [{four} {five}] 3 1-3 fold 3");
    log.newer(at(2), 9, 999, &from_snapshot)?;
    log.newer(EMPTY, 9, 999, &from_snapshot)?;
    log.newer((5, "9-9"), 9, 999, &from_snapshot)?;
    log.newer((4, name(3)), 9, 999, &from_snapshot)?;
    log.append(at(1), name(2), "line 2", &from_snapshot)?;
    assert!(!from_snapshot.contains(&two));
    log.compact(at(5), 6, "compacted")?;
    log.is("[5 1-5 fold 5] []")?;
    log.newer(at(5), 9, 999, "here 5 1-5 []")?;
    log.newer(at(4), 9, 999, "snapshot 5 1-5 [] 5 1-5 fold 5")?;
    log.newer(at(6), 9, 999, "behind 5 1-5")?;
    log.append((5, "9-9"), "9-1", "other", "snapshot 5 1-5 [] 5 1-5 fold 5")?;
    log.append(at(5), name(6), "line 6", "accepted")?;
    log.append(at(5), name(6), "line 6", "accepted")?;
    log.is("[5 1-5 fold 5] [[6-0 [n 1-6 p 1-5 e line 6]]]")
}

fn founded(log: &mut Log<'_>) -> Result<(), String> {
    let all = "[1-0 [n 1-1 p 0-0 e line 1]] [2-0 [n 1-2 p 1-1 e line 2]] [3-0 [n 1-3 p 1-2 e line 3]]";
    let new = (20, "4-7");
    for over in [at(2), (3, "9-9"), (2, name(3)), EMPTY, (4, "1-4")] {
        log.found(over, new, "whole", "refused")?;
    }
    log.is(&format!("[- - -] [{all}]"))?;
    log.found(at(3), new, "whole", "accepted")?;
    log.is("[20 4-7 whole] []")?;
    log.found(at(3), new, "whole", "accepted")?;
    log.newer(at(3), 9, 999, "snapshot 20 4-7 [] 20 4-7 whole")?;
    log.newer((20, "9-9"), 9, 999, "snapshot 20 4-7 [] 20 4-7 whole")?;
    log.append(at(3), "9-1", "stale", "snapshot 20 4-7 [] 20 4-7 whole")?;
    log.append(new, "9-1", "next", "accepted")?;
    let next = "[21-0 [n 9-1 p 4-7 e next]]";
    log.found(at(3), new, "whole", "accepted")?;
    log.found(new, (20, "5-5"), "other", "refused")?;
    log.found(new, (22, "4-7"), "other", "refused")?;
    log.is(&format!("[20 4-7 whole] [{next}]"))?;
    log.wipe();
    log.found(at(3), new, "whole", "refused")?;
    log.is("[- - -] []")?;
    log.found(EMPTY, new, "whole", "accepted")?;
    log.is("[20 4-7 whole] []")
}

type Check = fn(&mut Log<'_>) -> Result<(), String>;

/// Every check, and how many appends its log has before it.
const CHECKS: [(u64, Check); 8] = [
    (0, appended),
    (3, refused),
    (3, again),
    (3, behind),
    (5, bounded),
    (5, in_pieces),
    (5, compacted),
    (3, founded),
];

/// Every check, of these scripts.
pub(crate) fn check(server: &mut Connection, scripts: &Scripts) -> Result<(), String> {
    for (entries, check) in CHECKS {
        check(&mut Log::of(server, scripts, entries)?)?;
    }
    Ok(())
}

#[test]
fn every_script_does_what_it_says() {
    let Some(server) = Server::start(Options::default()) else { return };
    check(&mut server.connection(), &Scripts::real()).unwrap_or_else(|wrong| panic!("{wrong}"));
}
