//! The scripts with one guard broken at a time, which must be noticed.

use crate::scripts::{Scripts, check};
use crate::server::{Options, Server};

#[test]
fn every_broken_guard_of_a_script_is_noticed() {
    let Some(server) = Server::start(Options::default()) else { return };
    let mut connection = server.connection();
    let unnoticed = BROKEN
        .iter()
        .filter(|(find, replace)| check(&mut connection, &Scripts::broken(find, replace)).is_ok());
    assert_eq!(unnoticed.collect::<Vec<_>>(), [] as [&(&str, &str); 0], "nothing noticed these");
    println!("{} broken guards, all noticed", BROKEN.len());
}

/// What is changed in the scripts, and into what.
const BROKEN: [(&str, &str); 45] = [
    // The head.
    ("if newest then return", "if false then return"),
    ("  return snapshot()\nend", "  return '0', '0-0'\nend"),
    ("'XREVRANGE', KEYS[1], '+', '-'", "'XRANGE', KEYS[1], '-', '+'"),
    ("found[2] or '0-0'", "found[2] or ''"),
    // What is newer.
    ("if tonumber(at) < tonumber(version) then return {'behind', at, by} end", ""),
    ("tonumber(at) < tonumber(version)", "tonumber(at) <= tonumber(version)"),
    ("tonumber(at) < tonumber(version)", "at < version"),
    ("(entry and field(entry, 'n') == name)", "entry"),
    ("(entry and field(entry, 'n') == name)", "false"),
    ("(version == old and name == old_name)", "version == old"),
    ("(version == old and name == old_name)", "name == old_name"),
    ("(version == old and name == old_name)", "false"),
    ("if old == '0' then return {'beginning', at, by, entries_after('0', most, bytes)} end", ""),
    ("entries_after('0', most, bytes)", "entries_after(version, most, bytes)"),
    ("entries_after(old, most, bytes)", "entries_after(version, most, bytes)"),
    (
        "{'here', at, by, entries_after(version, most, bytes)}",
        "{'here', at, by, entries_after('0', most, bytes)}",
    ),
    // How much is told.
    ("'(' .. after", "after"),
    ("#some < asked", "true"),
    ("#some < asked", "#some < 40"),
    ("or #all >= most", ""),
    ("math.min(32, most - #all)", "32"),
    ("if bytes <= 0 then return all end", ""),
    ("if bytes <= 0", "if bytes < 0"),
    // Appending.
    ("at == ARGV[1] and by == ARGV[2] then\n  redis.call('XADD'", "at == ARGV[1] then\n  redis.call('XADD'"),
    ("at == ARGV[1] and by == ARGV[2] then\n  redis.call('XADD'", "by == ARGV[2] then\n  redis.call('XADD'"),
    ("at == ARGV[1] and by == ARGV[2] then\n  redis.call('XADD'", "true then\n  redis.call('XADD'"),
    ("ARGV[3] .. '-0', 'n'", "'*', 'n'"),
    ("'p', ARGV[2]", "'p', ARGV[4]"),
    ("field(next, 'n') == ARGV[4] and ", ""),
    ("field(next, 'p') == ARGV[2] and ", ""),
    (" and field(next, 'e') == ARGV[5] then", " then"),
    ("if next and field(next, 'n')", "if false and field(next, 'n')"),
    // Compacting.
    ("if tonumber(ARGV[1]) <= tonumber(old) then return {'old'} end", ""),
    ("tonumber(ARGV[1]) <= tonumber(old)", "tonumber(ARGV[1]) < tonumber(old)"),
    ("if not entry or field(entry, 'n') ~= ARGV[2] then return {'foreign'} end", ""),
    ("not entry or field(entry, 'n') ~= ARGV[2]", "not entry"),
    ("redis.call('XTRIM', KEYS[1], 'MINID', ARGV[4])", ""),
    ("'MINID', ARGV[4]", "'MINID', ARGV[1]"),
    // Founding anew.
    ("at == ARGV[1] and by == ARGV[2] then\n  redis.call('HSET'", "at == ARGV[1] then\n  redis.call('HSET'"),
    ("at == ARGV[1] and by == ARGV[2] then\n  redis.call('HSET'", "by == ARGV[2] then\n  redis.call('HSET'"),
    ("at == ARGV[1] and by == ARGV[2] then\n  redis.call('HSET'", "true then\n  redis.call('HSET'"),
    ("redis.call('DEL', KEYS[1])", ""),
    ("old == ARGV[3] and old_name == ARGV[4]", "old == ARGV[3]"),
    ("old == ARGV[3] and old_name == ARGV[4]", "old_name == ARGV[4]"),
    ("if old == ARGV[3] and old_name == ARGV[4] then return {'accepted'} end", ""),
];
