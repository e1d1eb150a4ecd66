//! Files that were cut and changed: at every byte, by every bit.

use std::fs;
use std::path::{Path, PathBuf};

use firedrill_failover::wire::{Line, Reader};
use firedrill_failover::{Entry, Fingerprint, Head};
use firedrill_store::{FileStore, Fsync, Opened, Store, StoreError};
use firedrill_yaml::Damage;
use tempfile::TempDir;

use crate::block_on::block_on;
use crate::workers::{failure, joined, perform, proposal};

const POOL: Fingerprint = Fingerprint::new(0xf1_7e);

/// A log of a few appends: its file's bytes and its entries.
fn small_log(folder: &TempDir) -> (PathBuf, Vec<u8>, Vec<Entry>) {
    let path = folder.path().join("small.jsonl");
    let store = open(&path).expect("opens").store;
    let mut worker = joined(&store, 1).expect("joins");
    for _ in 0..3 {
        let command = failure(worker.pool());
        perform(&store, &mut worker, command).expect("appends");
    }
    let entries = entries(&store);
    drop(store);
    let bytes = fs::read(&path).expect("reads");
    (path, bytes, entries)
}

fn open(path: &Path) -> Result<Opened, StoreError> {
    FileStore::open(path, POOL, Fsync::Never)
}

fn entries(store: &FileStore) -> Vec<Entry> {
    block_on(store.read(Head::EMPTY)).expect("reads").entries
}

#[track_caller]
fn damage(opened: Result<Opened, StoreError>) -> Damage {
    match opened {
        Err(StoreError::Damaged(damage)) => *damage,
        other => panic!("expected damage, found {other:?}"),
    }
}

#[test]
fn a_file_cut_at_any_byte_opens_with_all_that_is_whole_and_goes_on() {
    let folder = tempfile::tempdir().expect("a folder");
    let (path, bytes, log) = small_log(&folder);
    for cut in 0..=bytes.len() {
        fs::write(&path, &bytes[..cut]).expect("writes");
        let Opened { store, torn } = open(&path).expect("a cut file opens");
        let ends = line_ends(&bytes[..cut]);
        let lacks_only_its_end = bytes.get(cut) == Some(&b'\n') && ends > 0;
        let whole = ends.saturating_sub(1) + usize::from(lacks_only_its_end);
        assert_eq!(entries(&store), log[..whole], "cut at {cut}");
        let mid_line = cut > 0 && bytes[cut - 1] != b'\n' && !lacks_only_its_end;
        assert_eq!(torn.is_some(), mid_line, "cut at {cut}: {torn:?}");
        if let Some(torn) = torn {
            let place = torn.problem.place().expect("a place");
            assert_eq!(place.line, ends + 1, "cut at {cut}");
        }
        let kept: Vec<&[u8]> = bytes.split_inclusive(|byte| *byte == b'\n').take(whole + 1).collect();
        assert_eq!(fs::read(&path).expect("reads"), kept.concat(), "cut at {cut}: what is torn is taken off");
        // It goes on as if nothing had been, and is a good log in the end.
        let mut worker = joined(&store, 2).expect("joins");
        let command = failure(worker.pool());
        perform(&store, &mut worker, command).expect("appends");
        let after = entries(&store);
        drop(store);
        let again = open(&path).expect("opens again");
        assert!(again.torn.is_none(), "cut at {cut}: {:?}", again.torn);
        assert_eq!(entries(&again.store), after, "cut at {cut}");
    }
}

#[test]
fn any_flipped_bit_is_refused_at_its_line_or_costs_a_last_line_without_an_end() {
    let folder = tempfile::tempdir().expect("a folder");
    let (_, bytes, log) = small_log(&folder);
    let (bytes, log, folder) = (&bytes, &log, folder.path());
    std::thread::scope(|scope| {
        for bit in 0..8 {
            scope.spawn(move || (0..bytes.len()).for_each(|at| flipped(folder, bytes, log, at, bit)));
        }
    });
}

#[track_caller]
fn flipped(folder: &Path, bytes: &[u8], log: &[Entry], at: usize, bit: u32) {
    let path = folder.join(format!("{bit}.jsonl"));
    let mut changed = bytes.to_vec();
    changed[at] ^= 1 << bit;
    fs::write(&path, &changed).expect("writes");
    if at == bytes.len() - 1 {
        let Opened { store, torn } = open(&path).expect("a last line without an end is dropped");
        assert!(torn.is_some());
        assert_eq!(entries(&store), log[..log.len() - 1]);
        return;
    }
    let damage = damage(open(&path));
    let place = damage.problem.place().expect("a place");
    assert_eq!(place.line, 1 + line_ends(&bytes[..at]), "bit {bit} of byte {at}: {damage}");
    assert!(place.column >= 1 && damage.render(false).contains(".jsonl"));
    assert_eq!(fs::read(&path).expect("reads"), changed, "a file that is refused is left as it is");
}

fn line_ends(bytes: &[u8]) -> usize {
    bytes.split(|byte| *byte == b'\n').count() - 1
}

#[test]
fn lines_that_are_missing_doubled_or_swapped_are_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let (path, bytes, _) = small_log(&folder);
    let lines: Vec<&[u8]> = bytes.split_inclusive(|byte| *byte == b'\n').collect();
    let [header, founding, first, second, third] = lines[..] else { panic!("five lines") };
    for (changed, line) in [
        (vec![header, founding, second, third], 3),
        (vec![header, founding, first, first, second], 4),
        (vec![header, founding, second, first, third], 3),
        (vec![header, first], 2),
        (vec![founding, first], 1),
        (vec![header, header], 2),
        (vec![header, b"\n", founding], 2),
        // With a check and without an end: no tear, for a tear leaves no whole line that does not follow.
        (vec![header, founding, &second[..second.len() - 1]], 3),
    ] {
        fs::write(&path, changed.concat()).expect("writes");
        let damage = damage(open(&path));
        assert_eq!(damage.problem.place().map(|place| place.line), Some(line), "{damage}");
    }
}

#[test]
fn what_is_wrong_is_told_with_its_place() {
    let folder = tempfile::tempdir().expect("a folder");
    let (path, bytes, _) = small_log(&folder);
    let text = String::from_utf8(bytes).expect("a log is text");
    let check = |changed: String, expect: &str| {
        fs::write(&path, changed).expect("writes");
        let found = damage(open(&path)).to_string();
        let found = found.rsplit_once("small.jsonl").map_or(found.as_str(), |(_, told)| told);
        assert_eq!(found, expect);
    };
    check(
        text.replacen("503", "504", 1),
        ":3:118: this line is not what was written: its `check` is wrong or missing (everything up to version 1 \
         is whole)",
    );
    check(
        text.replace("000000000000f17e", "000000000000f17f"),
        ":1:55: this line is not what was written: its `check` is wrong or missing (nothing is before it)",
    );
    check(
        "a letter to somebody".to_owned(),
        ":1:1: expected the header of a log, such as `{\"firedrill_log\":1,\"pool\":\"…\"}` (nothing is before it)",
    );
    let unchecked = "{\"firedrill_log\":1,\"pool\":\"000000000000f17e\"}\n";
    check(unchecked.to_owned(), ":1:1: expected a log with a `check` in every line (nothing is before it)");
    let bare: Vec<&str> = text
        .lines()
        .enumerate()
        .map(|(line, all)| if line == 2 { without_check(all) } else { all })
        .collect();
    check(
        bare.join("\n").replace("}]\n", "}]}\n"),
        ":3:109: this line is not what was written: its `check` is wrong or missing (everything up to version 1 \
         is whole)",
    );
    fs::write(&path, &text).expect("writes");
    let other = damage(FileStore::open(&path, Fingerprint::new(1), Fsync::Never)).to_string();
    let expect = ":1:1: expected the log of the pool 0000000000000001, found that of the pool 000000000000f17e \
                  (nothing is before it)";
    assert!(other.ends_with(expect), "{other}");
}

/// A line up to its check, without the brace at its end.
fn without_check(line: &str) -> &str {
    line.split(",\"check\"").next().unwrap_or(line)
}

#[test]
fn a_log_in_a_file_is_one_that_replay_reads() {
    let folder = tempfile::tempdir().expect("a folder");
    let (_, bytes, log) = small_log(&folder);
    let mut reader = Reader::new();
    let text = String::from_utf8(bytes).expect("a log is text");
    let read: Vec<Entry> = text
        .lines()
        .filter_map(|line| match reader.read(line).expect("a good line") {
            Line::Append(entry) => Some(entry),
            Line::Header | Line::Snapshot => None,
        })
        .collect();
    assert_eq!(read, log);
    assert_eq!(reader.fingerprint(), Some(POOL));
}

#[test]
fn one_store_at_a_time_writes_a_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let (path, _, log) = small_log(&folder);
    let first = open(&path).expect("opens");
    let second = open(&path).expect_err("it is in use");
    let expect = format!("`{}` is in use: a log in a file has one process that writes it", path.display());
    assert_eq!(second.to_string(), expect);
    drop(first);
    assert_eq!(entries(&open(&path).expect("opens").store), log);
}

#[test]
fn a_file_of_somebody_else_is_refused_and_left_as_it_is() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("theirs");
    let theirs: [&[u8]; 5] = [
        b"a letter",
        b"{\"half\": [1, 2",
        b"\xff\xd8\xff\xe0",
        b"\n",
        b"{\"firedrill_log\":1,\"pool\":\"00000",
    ];
    for bytes in theirs {
        let bytes = [bytes, b"1"].concat();
        fs::write(&path, &bytes).expect("writes");
        let damage = damage(open(&path));
        assert_eq!(damage.problem.place().map(|place| place.line), Some(1), "{damage}");
        assert_eq!(fs::read(&path).expect("reads"), bytes);
    }
}

#[test]
fn what_is_no_file_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let refused = open(folder.path()).expect_err("it is a folder").to_string();
    assert!(refused.starts_with("cannot open `"), "{refused}");
    if cfg!(target_os = "linux") {
        let refused = open(Path::new("/dev/zero")).expect_err("it has no end").to_string();
        assert_eq!(refused, "cannot keep a log in `/dev/zero`: it is no regular file");
    }
}

#[test]
fn an_append_that_was_accepted_before_the_store_was_opened_again_is_known() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("log.jsonl");
    let store = open(&path).expect("opens").store;
    let worker = joined(&store, 1).expect("joins");
    let sent = proposal(&worker);
    block_on(store.append(&sent)).expect("appends");
    drop(store);
    let store = open(&path).expect("opens").store;
    let answer = block_on(store.append(&sent)).expect("answers");
    assert_eq!(answer, firedrill_failover::Appended::Accepted);
    assert_eq!(entries(&store).len(), 2);
}
