//! What may lie at a path.

use std::fs;

use firedrill_yaml::Source;

/// Reads a file with these bytes; a problem is told without the path.
fn read(bytes: &[u8]) -> Result<String, String> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a.yaml");
    fs::write(&path, bytes).expect("a file");
    let name = path.display().to_string();
    Source::read(&path)
        .map(|source| source.text().to_owned())
        .map_err(|problem| problem.to_string().replace(&name, "a.yaml"))
}

#[test]
fn text_is_read_without_its_byte_order_mark() {
    assert_eq!(read("\u{feff}é: 1\n".as_bytes()).as_deref(), Ok("é: 1\n"));
}

#[test]
fn what_is_no_text_is_refused_with_its_place() {
    assert_eq!(
        read(b"a: 1\nb: \xc3\xa9\xff\n"),
        Err("a.yaml:2:5: expected UTF-8 text, found the byte 0xff (save the file as UTF-8)".to_owned())
    );
    assert_eq!(read(b"a: \0\n"), Err("a.yaml:1:4: expected text, found a NUL byte".to_owned()));
}

#[test]
fn what_is_too_large_is_refused() {
    let limit = usize::try_from(Source::LIMIT).expect("it fits");
    assert!(read(&vec![b'#'; limit]).is_ok());
    let refused = Err("a.yaml: the file is larger than 1 MiB (split it into several files)".to_owned());
    assert_eq!(read(&vec![b'#'; limit + 1]), refused);
    let problem = Source::new("a", "#".repeat(limit + 1)).parse::<()>("a file").expect_err("too large");
    assert_eq!(problem.message(), "the file is larger than 1 MiB");
}

#[cfg(target_os = "linux")]
#[test]
fn an_endless_file_is_refused_all_the_same() {
    let problem = Source::read(std::path::Path::new("/dev/zero")).expect_err("it has no end");
    assert_eq!(problem.message(), "the file is larger than 1 MiB");
}

#[test]
fn what_is_not_there_is_said_plainly() {
    let folder = tempfile::tempdir().expect("a folder");
    let message = |name| Source::read(&folder.path().join(name)).expect_err(name).message().to_owned();
    assert_eq!(message("none.yaml"), "no such file");
    assert_eq!(message(""), "expected a file, found a directory");
}

#[test]
fn printing_a_source_for_debugging_shows_no_text() {
    assert_eq!(format!("{:?}", Source::new("a.yaml", "secret")), "Source { name: \"a.yaml\", .. }");
}
