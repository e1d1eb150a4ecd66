//! What the engine does not have within reach. Its sources say it, and its dependencies bear it out; `no-std/` is the
//! proof by the compiler.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

fn folder() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every source of the engine: its path and its text up to the tests in it.
fn sources() -> Vec<(PathBuf, String)> {
    let mut folders = vec![folder().join("src")];
    let mut sources = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder of sources") {
            let path = entry.expect("an entry of it").path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let text = std::fs::read_to_string(&path).expect("a source is text");
                sources.push((path, text));
            }
        }
    }
    assert!(sources.len() >= 10, "the sources were found");
    sources
}

/// The lines of a source that are compiled into the engine: no comments, and nothing from the tests at its end on.
fn code(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let ends = text.find("#[cfg(test)]\nmod tests").unwrap_or(text.len());
    let lines = text[..ends].lines().enumerate();
    lines.map(|(number, line)| (number + 1, line.trim())).filter(|(_, line)| !line.starts_with("//"))
}

#[test]
fn no_source_names_the_standard_library() {
    let mut previous = "";
    for (path, text) in &sources() {
        for (number, line) in code(text) {
            let only_in_tests = line == "extern crate std;" && previous == "#[cfg(test)]";
            let named = line.contains("std::") || line.contains("extern crate std");
            assert!(!named || only_in_tests, "{}:{number}: {line}", path.display());
            previous = line;
        }
    }
}

#[test]
fn no_source_has_what_the_engine_does_without() {
    for (path, text) in &sources() {
        for (number, line) in code(text) {
            for word in ["unsafe", "f32", "f64", "HashMap", "HashSet", "SystemTime", "static mut", "Regex"] {
                let forbidden = line == "#![forbid(unsafe_code)]";
                assert!(forbidden || !line.contains(word), "{}:{number}: `{word}` in {line}", path.display());
            }
        }
    }
}

#[test]
fn the_crate_says_so_itself() {
    let root = std::fs::read_to_string(folder().join("src/lib.rs")).expect("the root of the crate");
    for attribute in ["#![no_std]", "#![forbid(unsafe_code)]"] {
        assert!(root.lines().any(|line| line == attribute), "{attribute} stands in lib.rs");
    }
}

/// `cargo tree` of this package, one line a crate: `name vX features`.
fn tree(edges: &str) -> BTreeSet<String> {
    let cargo = Command::new(env!("CARGO"))
        .args(["tree", "--offline", "--package", "firedrill-failover", "--no-default-features"])
        .args(["--prefix", "none", "--no-dedupe", "--format", "{p} {f}", "--edges", edges])
        .current_dir(folder())
        .output()
        .expect("cargo runs");
    assert!(cargo.status.success(), "{}", String::from_utf8_lossy(&cargo.stderr));
    let tree = String::from_utf8(cargo.stdout).expect("text");
    tree.lines().filter(|line| !line.is_empty()).map(String::from).collect()
}

#[test]
fn what_is_linked_is_on_the_list() {
    let known = BTreeSet::from([
        "firedrill-failover",
        "cfg-if",
        "crc32fast",
        "itoa",
        "memchr",
        "regex-automata",
        "regex-syntax",
        "serde",
        "serde_core",
        "serde_json",
        "thiserror",
        "zmij",
    ]);
    let linked = tree("normal,no-proc-macro");
    let found: BTreeSet<&str> = linked.iter().filter_map(|line| line.split(' ').next()).collect();
    let strangers: Vec<&&str> = found.difference(&known).collect();
    assert!(strangers.is_empty(), "these are not on the list of what the engine may use: {strangers:?}");
    assert!(found.contains("serde_json"), "the tree was read: {found:?}");
}

#[test]
fn nothing_that_is_linked_asks_for_the_standard_library() {
    for line in tree("normal,no-proc-macro") {
        let features = line.rsplit(' ').next().expect("features");
        assert!(!features.split(',').any(|feature| feature == "std"), "{line}");
    }
}
