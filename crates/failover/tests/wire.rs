//! The log as text, and every way in which a text is no log.

use firedrill_failover::wire::{self, Reader, WireError, WireFault};
use firedrill_failover::{
    Attempt, Command, Config, Contradiction, Duration, Entry, FailoverSettings, Fingerprint, Instant,
    MemoryLog, Order, Pool, Profile, Settings, Status, Token, Worker, WorkerId,
};
use proptest::prelude::*;

const POOL: Fingerprint = Fingerprint::new(0xfeed);

fn config(profile: Profile, labels: &[&str]) -> Config {
    let failover = FailoverSettings {
        enabled: true,
        failure_threshold: 2,
        success_threshold: 2,
        health_check_timeout: 50,
        health_check_model: "m".into(),
        cooldown_duration: 1_000,
        failover_on_status: vec!["429".into()],
        ..FailoverSettings::default()
    };
    let token =
        |(label, bits): (&&str, u64)| Token { label: (*label).into(), fingerprint: Fingerprint::new(bits) };
    let tokens = labels.iter().zip(1..).map(token).collect();
    Config::parse(tokens, &Settings { profile, failover, ..Settings::default() }).expect("good rules")
}

/// A log as it is written, with its header.
fn written(entries: &[Entry], config: &Config) -> Vec<String> {
    let mut pool = Pool::new(config);
    let mut lines = vec![wire::header(POOL)];
    for entry in entries {
        lines.push(wire::line(&pool, entry));
        pool.apply(entry);
    }
    lines
}

/// A log in which everything happens that can happen to two tokens.
fn example(profile: Profile, labels: [&str; 2]) -> Vec<String> {
    let config = config(profile, &labels);
    let (mut worker, mut log) = (Worker::new(WorkerId::new(7), Instant::ZERO, &config), MemoryLog::new());
    let mut perform = |worker: &mut Worker, at, command| {
        worker.perform(&mut log, Duration::from_millis(at), command).expect("memory");
    };
    perform(&mut worker, 0, Command::Join(config.clone()));
    let [a, b] = labels.map(|label| worker.pool().find(label).expect("a token"));
    let outcome = |token, code| {
        let status = Status::new(code).expect("a status");
        Command::Outcome { token, status, attempt: Attempt::First }
    };
    let answer = |token, probe, code| {
        let answer = Status::new(code).unwrap_or(Status::TIMEOUT);
        Command::ProbeAnswered { token, probe, answer }
    };
    let order = |token, order| Command::Operate { token, order };
    for (at, command) in [
        (1, outcome(a, 429)),
        (2, outcome(a, 200)),
        (3, outcome(a, 429)),
        (4, outcome(a, 429)),
        (5, outcome(b, 429)),
        (6, outcome(b, 429)),
        (10, Command::Tick),
        (11, answer(a, 1, 200)),
        (12, answer(b, 2, 500)),
        (70, Command::Tick),
        (71, answer(b, 4, 0)),
        (72, answer(a, 3, 200)),
        (2_000, Command::Tick),
        (2_001, outcome(a, 429)),
        (2_002, order(a, Order::Reset)),
        (2_003, order(a, Order::TakeOut)),
        (2_004, order(b, Order::TakeOut)),
        (2_005, order(a, Order::PutBack)),
    ] {
        perform(&mut worker, at, command);
    }
    perform(&mut worker, 2_006, Command::Reconfigure(self::config(profile, &[labels[1], "new"])));
    written(log.entries(), &config)
}

fn read_all<'a>(lines: impl IntoIterator<Item = &'a str>) -> Result<Reader, (usize, WireError)> {
    let mut reader = Reader::new();
    for (number, line) in lines.into_iter().enumerate() {
        reader.read(line).map_err(|error| (number + 1, error))?;
    }
    Ok(reader)
}

const HEADER: &str = r#"{"firedrill_log":1,"pool":"000000000000feed"}"#;

/// The founding of a log for two tokens; `$` stands for the profile.
const FOUNDING: &str = r#"{"version":1,"at":0,"by":7,"proposal":1,"events":[{"configured":{"reset":true,"tokens":[{"label":"a","fingerprint":"0000000000000001"},{"label":"b","fingerprint":"0000000000000002"}],"policy":{"profile":"standard","onReload":"keep","failover":{"failureThreshold":2,"successThreshold":2,"healthCheckInterval":5000,"healthCheckTimeout":50,"healthCheckModel":"m","cooldownDuration":1000,"failoverOnStatus":"429"}}}}]}"#;

fn founding(profile: Profile) -> String {
    match profile {
        Profile::Standard => FOUNDING.into(),
        Profile::Higress => FOUNDING.replace("standard", "higress").replace("keep", "reset"),
    }
}

#[test]
fn a_log_is_written_as_ever() {
    let config = config(Profile::Standard, &["a", "b"]);
    let (mut worker, mut log) = (Worker::new(WorkerId::new(7), Instant::ZERO, &config), MemoryLog::new());
    worker.perform(&mut log, Duration::ZERO, Command::Join(config.clone())).expect("memory");
    assert_eq!(written(log.entries(), &config), [HEADER, FOUNDING]);
    let rest = [
        r#"{"version":2,"at":1,"by":7,"proposal":2,"events":[{"failed":{"token":"a","status":429,"failures":1}}]}"#,
        r#"{"version":3,"at":2,"by":7,"proposal":3,"events":[{"succeeded":{"token":"a"}}]}"#,
        r#"{"version":4,"at":3,"by":7,"proposal":4,"events":[{"failed":{"token":"a","status":429,"failures":1}}]}"#,
        r#"{"version":5,"at":4,"by":7,"proposal":5,"events":[{"removed":{"token":"a","status":429,"failures":2}}]}"#,
        r#"{"version":6,"at":5,"by":7,"proposal":6,"events":[{"failed":{"token":"b","status":429,"failures":1}}]}"#,
        r#"{"version":7,"at":6,"by":7,"proposal":7,"events":[{"removed":{"token":"b","status":429,"failures":2}},"none_available"]}"#,
        r#"{"version":8,"at":10,"by":7,"proposal":8,"events":[{"lease_taken":{"until":60010}},{"probe_sent":{"token":"a","probe":1}},{"probe_sent":{"token":"b","probe":2}}]}"#,
        r#"{"version":9,"at":11,"by":7,"proposal":9,"events":[{"probe_passed":{"token":"a","probe":1,"successes":1}}]}"#,
        r#"{"version":10,"at":12,"by":7,"proposal":10,"events":[{"probe_failed":{"token":"b","probe":2,"answer":500,"successes":0}}]}"#,
        r#"{"version":11,"at":70,"by":7,"proposal":11,"events":[{"probe_sent":{"token":"a","probe":3}},{"probe_sent":{"token":"b","probe":4}}]}"#,
        r#"{"version":12,"at":71,"by":7,"proposal":12,"events":[{"probe_failed":{"token":"b","probe":4,"answer":"timeout","successes":0}}]}"#,
        r#"{"version":13,"at":72,"by":7,"proposal":13,"events":[{"restored":{"token":"a","by":{"health_check":{"probe":3}}}}]}"#,
        r#"{"version":14,"at":2000,"by":7,"proposal":14,"events":[{"restored":{"token":"b","by":"cooldown"}}]}"#,
    ];
    let lines = example(Profile::Standard, ["a", "b"]);
    assert_eq!(lines[2..15], rest);
}

#[test]
fn what_an_operator_did_stands_in_the_log_and_reads_as_a_sentence() {
    let lines = example(Profile::Standard, ["a", "b"]);
    let expect = [
        (
            r#"{"version":16,"at":2002,"by":7,"proposal":16,"events":[{"reset":{"token":"a"}}]}"#,
            "token a was reset by hand, its failure count is zero",
        ),
        (
            r#"{"version":17,"at":2003,"by":7,"proposal":17,"events":[{"taken_out":{"token":"a"}}]}"#,
            "failover: token a is unavailable now (taken out by hand)",
        ),
        (
            r#"{"version":18,"at":2004,"by":7,"proposal":18,"events":[{"taken_out":{"token":"b"}},"none_available"]}"#,
            "failover: token b is unavailable now (taken out by hand)",
        ),
        (
            r#"{"version":19,"at":2005,"by":7,"proposal":19,"events":[{"restored":{"token":"a","by":"operator"}}]}"#,
            "token a was put back by hand, restored",
        ),
    ];
    let mut reader = read_all(lines[..16].iter().map(String::as_str)).expect("what was written");
    for (line, (written, sentence)) in lines[16..20].iter().zip(expect) {
        assert_eq!(line, written);
        let before = reader.pool().expect("a fold").clone();
        let wire::Line::Append(entry) = reader.read(line).expect("a good line") else { panic!("an append") };
        assert_eq!(entry.events[0].sentence(&before, entry.at).to_string(), sentence);
        // What was so already does not happen again.
        let again = line.replace(
            &format!("\"version\":{}", entry.version),
            &format!("\"version\":{}", entry.version.next()),
        );
        let error = reader.clone().read(&again).expect_err("it is so already").fault;
        let expect = match &entry.events[0] {
            firedrill_failover::Event::TakenOut { .. } => Contradiction::AlreadyUnavailable,
            firedrill_failover::Event::Restored { .. } => Contradiction::AlreadyAvailable,
            _ => Contradiction::NothingToReset,
        };
        assert_eq!(error, WireFault::Contradiction(expect), "{again}");
    }
    let off = FOUNDING.replace(
        r#""failover":{"failureThreshold":2,"successThreshold":2,"healthCheckInterval":5000,"healthCheckTimeout":50,"healthCheckModel":"m","cooldownDuration":1000,"failoverOnStatus":"429"}"#,
        r#""failover":null"#,
    );
    let line = r#"{"version":2,"at":1,"by":7,"proposal":2,"events":[{"taken_out":{"token":"a"}}]}"#;
    let (_, error) = read_all([HEADER, &off, line]).expect_err("there is no failover");
    assert_eq!(error.fault, WireFault::Contradiction(Contradiction::NotConfigured));
}

#[test]
fn a_named_failure_stands_where_a_status_does() {
    let founding = FOUNDING.replace("\"failoverOnStatus\":\"429\"", "\"failoverOnStatus\":\"503,timeout\"");
    let lines = [
        r#"{"version":2,"at":1,"by":7,"proposal":2,"events":[{"failed":{"token":"a","status":"connect","failures":1}}]}"#,
        r#"{"version":3,"at":2,"by":7,"proposal":3,"events":[{"removed":{"token":"a","status":"timeout","failures":2}}]}"#,
        r#"{"version":4,"at":3,"by":7,"proposal":4,"events":[{"failed":{"token":"b","status":"reset","failures":1}}]}"#,
        r#"{"version":5,"at":4,"by":7,"proposal":5,"events":[{"lease_taken":{"until":60004}},{"probe_sent":{"token":"a","probe":1}}]}"#,
        r#"{"version":6,"at":5,"by":7,"proposal":6,"events":[{"probe_failed":{"token":"a","probe":1,"answer":"connect","successes":0}}]}"#,
    ];
    let mut reader = read_all([HEADER, &founding]).expect("a good start");
    let mut sentences = Vec::new();
    for line in lines {
        let before = reader.pool().expect("a fold").clone();
        let wire::Line::Append(entry) = reader.read(line).expect("a good line") else { panic!("an append") };
        assert_eq!(wire::line(&before, &entry), line);
        sentences.extend(entry.events.iter().map(|event| event.sentence(&before, entry.at).to_string()));
    }
    assert_eq!(
        sentences,
        [
            "token a failed with connect (1 of 2)",
            "failover: token a is unavailable now (timeout, failure 2 of 2)",
            "token b failed with reset (1 of 2)",
            "lease: this worker sends the probes until 1m0.004s",
            "probe 1 sent for token a",
            "probe 1 failed for token a (connect)",
        ]
    );
    let line = lines[0].replace("connect", "conect");
    let expected = "invalid value: string \"conect\", expected a status from 100 to 999, \"connect\", \"timeout\" or \"reset\"";
    refused(&[HEADER, &founding, &line], 3, column(&line, "conect\"") + 6, expected);
    let line = lines[0].replace("\"connect\"", "\"timeout\"");
    let reader = read_all([HEADER, FOUNDING, &line]).expect_err("only 429 counts there");
    assert_eq!(reader.1.fault, WireFault::Contradiction(Contradiction::NotAFailure(Status::TIMEOUT)));
}

#[test]
fn what_is_written_can_be_read_whatever_the_labels() {
    for labels in [
        ["a", "b"],
        ["\"", "\\"],
        ["\n", "\u{0}"],
        ["ключ", "🔑"],
        [" a", "a "],
        ["{\"a\":1}", "none_available"],
    ] {
        for profile in [Profile::Standard, Profile::Higress] {
            let lines = example(profile, labels);
            assert!(lines.iter().all(|line| !line.contains('\n')), "a line is one line");
            let reader = read_all(lines.iter().map(String::as_str)).expect("what was written");
            assert_eq!(reader.fingerprint(), Some(POOL));
            let pool = reader.pool().expect("a fold");
            assert!(pool.find(labels[1]).is_some() && pool.find("new").is_some());
        }
    }
}

/// Every start of the line with this number, from 0, is torn if it has at least `least` bytes, and the column is where it
/// ends.
#[track_caller]
fn torn(lines: &[String], number: usize, least: usize) {
    let line = &lines[number];
    for cut in least..line.len() {
        let mut reader = read_all(lines[..number].iter().map(String::as_str)).expect("what was written");
        let error = reader.read(&line[..cut]).expect_err("a part of a line is no line");
        assert_eq!(
            (error.fault, error.column),
            (WireFault::Torn, cut.max(1)),
            "{line} cut after {cut} bytes"
        );
    }
}

#[test]
fn a_line_that_was_cut_short_is_torn() {
    let lines = example(Profile::Standard, ["a", "b"]);
    (1..lines.len()).for_each(|number| torn(&lines, number, 0));
}

#[test]
fn a_header_that_was_cut_short_is_torn() {
    torn(&example(Profile::Standard, ["a", "b"]), 0, 1);
}

#[track_caller]
fn refused(lines: &[&str], number: usize, column: usize, message: &str) {
    let (found, error) = read_all(lines.iter().copied()).expect_err("a bad log");
    assert_eq!((found, error.to_string().as_str(), error.column), (number, message, column));
}

/// The byte column, from 1, at which `part` begins in `line`.
fn column(line: &str, part: &str) -> usize {
    line.find(part).expect("a part of the line") + 1
}

#[test]
fn a_first_line_that_is_no_header_is_refused() {
    let message = r#"expected the header of a log, such as `{"firedrill_log":1,"pool":"…"}`"#;
    for line in ["", "{}", "[]", "7", r#"{"pool":"000000000000feed"}"#, r#"{"firedrill_log":"1"}"#, FOUNDING]
    {
        refused(&[line], 1, 1, message);
    }
}

#[test]
fn a_header_of_another_format_is_refused_by_its_number() {
    for (line, number) in
        [(r#"{"firedrill_log":2,"shards":9}"#, 2), (r#"{"firedrill_log":0,"pool":"000000000000feed"}"#, 0)]
    {
        refused(&[line], 1, 1, &format!("expected a log of format 1, found format {number}"));
    }
}

#[test]
fn a_header_with_something_wrong_in_it_is_refused_at_its_place() {
    let (_, error) = read_all([r#"{"firedrill_log":1,"pool":"FEED"}"#]).expect_err("a bad header");
    assert!(error.to_string().contains("sixteen lower-case hexadecimal digits"), "{error}");
    let (_, error) =
        read_all([r#"{"firedrill_log":1,"pool":"000000000000feed","more":1}"#]).expect_err("one key more");
    assert!(error.to_string().contains("unknown field `more`"), "{error}");
}

#[test]
fn a_line_that_is_corrupted_in_the_middle_is_refused_at_its_place() {
    let good = r#"{"version":2,"at":1,"by":7,"proposal":2,"events":[{"failed":{"token":"a","status":429,"failures":1}}]}"#;
    read_all([HEADER, FOUNDING, good]).expect("a good log");
    for (from, to, place, message) in [
        ("failures", "failares", "failares\"", "unknown field `failares`"),
        ("\"failed\"", "\"fialed\"", "fialed\"", "unknown variant `fialed`"),
        ("429", "42", ",\"failures", "expected a status from 100 to 999, found 42"),
        ("\"by\":7", "\"by\":-7", ",\"proposal", "invalid value: integer `-7`"),
        ("\"at\":1", "\"at\":1.5", ",\"by", "invalid type: floating point `1.5`"),
        ("\"version\"", "\"virsion\"", "virsion\"", "unknown field `virsion`"),
    ] {
        let bad = good.replace(from, to);
        let (number, error) = read_all([HEADER, FOUNDING, &bad]).expect_err("a bad line");
        assert_eq!(number, 3);
        assert!(error.to_string().starts_with(message), "{error}, and not {message}");
        // The place is somewhere in what is wrong, not further than a few bytes after it.
        let place = column(&bad, place);
        assert!(
            error.column.abs_diff(place) <= to.len() + 3,
            "column {} and not {place} of {bad}",
            error.column
        );
    }
    refused(&[HEADER, FOUNDING, &format!("{good}x")], 3, good.len() + 1, "trailing characters");
}

#[test]
fn an_answer_that_is_neither_a_status_nor_a_named_failure_is_refused_in_plain_words() {
    let any = ", expected a status from 100 to 999, \"connect\", \"timeout\" or \"reset\"";
    for (answer, found) in [
        ("99", "expected a status from 100 to 999, found 99"),
        ("1000", "expected a status from 100 to 999, found 1000"),
        ("65736", "expected a status from 100 to 999, found 65736"),
        ("-1", "invalid type: integer `-1`"),
        ("200.5", "invalid type: floating point `200.5`"),
        ("null", "invalid type: null"),
        ("[]", "invalid type: sequence"),
        ("{}", "invalid type: map"),
        ("\"never\"", "invalid value: string \"never\""),
        ("\"Timeout\"", "invalid value: string \"Timeout\""),
        ("\"200\"", "invalid value: string \"200\""),
    ] {
        let bad = format!(
            r#"{{"version":2,"at":1,"by":7,"proposal":2,"events":[{{"probe_failed":{{"token":"a","probe":1,"answer":{answer},"successes":0}}}}]}}"#
        );
        let (number, error) = read_all([HEADER, FOUNDING, &bad]).expect_err("a bad answer");
        let rest = if found.starts_with("expected") { "" } else { any };
        assert_eq!((number, error.to_string()), (3, format!("{found}{rest}")));
        let place = column(&bad, answer);
        assert!((place..=place + answer.len()).contains(&error.column), "column {} of {bad}", error.column);
    }
}

#[test]
fn a_configuration_that_cannot_be_is_refused() {
    for (from, to, message) in [
        (r#""label":"b""#, r#""label":"a""#, "apiTokens[1]: the label `a` is already that of apiTokens[0]"),
        ("0000000000000002", "0000000000000001", "apiTokens[1]: the same token as apiTokens[0]"),
        (r#""label":"b""#, r#""label":"""#, "apiTokens[1]: expected a token, found nothing"),
    ] {
        let bad = FOUNDING.replace(from, to);
        refused(&[HEADER, &bad], 2, column(&bad, r#"{"configured""#), message);
    }
    for (from, to) in [
        (r#""failureThreshold":2"#, r#""failureThreshold":0"#),
        (r#""healthCheckInterval":5000"#, r#""healthCheckInterval":0"#),
        (r#","healthCheckTimeout":50"#, ""),
        (r#""healthCheckTimeout":50,"healthCheckModel":"m","cooldownDuration":1000,"#, ""),
        (r#""successThreshold":2"#, r#""successThreshold":0"#),
        (r#""healthCheckTimeout":50"#, r#""healthCheckTimeout":0"#),
        (r#""cooldownDuration":1000"#, r#""cooldownDuration":0"#),
        (r#""healthCheckModel":"m""#, r#""healthCheckModel":"""#),
        (r#""failoverOnStatus":"429"}"#, &retries(0, 30_000)),
        (r#""failoverOnStatus":"429""#, r#""failoverOnStatus":"430-429""#),
        (r#""failoverOnStatus":"429""#, r#""failoverOnStatus":"4.*""#),
    ] {
        let bad = FOUNDING.replace(from, to);
        assert_ne!(bad, FOUNDING);
        let (number, error) = read_all([HEADER, &bad]).expect_err("a bad configuration");
        assert!(number == 2 && matches!(error.fault, WireFault::Form(_)), "{to}: {error:?}");
    }
    let good = FOUNDING.replace(r#""failoverOnStatus":"429"}"#, &retries(1, 1));
    read_all([HEADER, &good]).expect("a configuration with retries");
}

#[test]
fn a_retry_timeout_of_zero_cannot_be() {
    let bad = FOUNDING.replace(r#""failoverOnStatus":"429"}"#, &retries(1, 0));
    let error = read_all([HEADER, &bad]).map(drop).expect_err("no retry would ever be in time");
    assert!(matches!(error, (2, WireError { fault: WireFault::Form(_), .. })), "{error:?}");
}

/// The end of the failover rules, with retry rules after them.
fn retries(most: u32, timeout: u64) -> String {
    format!(
        r#""failoverOnStatus":"429"}},"retryOnFailure":{{"maxRetries":{most},"retryTimeout":{timeout},"retryOnStatus":"429"}}"#
    )
}

#[test]
fn a_set_of_statuses_has_three_digits_each() {
    let with = |set: &str| {
        let founding =
            FOUNDING.replace(r#""failoverOnStatus":"429""#, &format!(r#""failoverOnStatus":"{set}""#));
        read_all([HEADER, &founding]).map(drop)
    };
    for good in [
        "",
        "429",
        "100",
        "999",
        "400-599",
        "429-429",
        "429,500-599",
        "500,400",
        "429,timeout",
        "reset,connect",
    ] {
        with(good).unwrap_or_else(|(_, error)| panic!("{good}: {error}"));
    }
    for bad in [
        "0429",
        "+42",
        "-42",
        "42",
        "4290",
        "099",
        "000",
        "4e2",
        "٤٢٩",
        " 429",
        "429 ",
        "429,",
        ",429",
        "429,,430",
        "429-",
        "-429",
        "400--599",
        "400-500-599",
        "0400-599",
        "400-0599",
        "400-+99",
        "4.*",
        "Timeout",
        "timeout-reset",
        "connect ",
    ] {
        let (number, error) = with(bad).expect_err("no set of statuses");
        let message = format!("expected statuses such as `204,400-599` or `429,timeout`, found `{bad}`");
        assert_eq!((number, error.to_string()), (2, message));
    }
}

/// `events` on a log in which, from version 2 on, `before` happened, an append each; the events of it are at 100, 200...
#[track_caller]
fn contradicts(profile: Profile, before: &[&str], events: &str, event: usize, expect: Contradiction) {
    let founding = founding(profile);
    let mut reader = read_all([HEADER, &founding]).expect("a good start");
    let line = |number: usize, events: &str| {
        let (version, at) = (number + 2, (number + 1) * 100);
        let events = lease_ends(events, at);
        format!(r#"{{"version":{version},"at":{at},"by":7,"proposal":{version},"events":[{events}]}}"#)
    };
    for (number, events) in before.iter().enumerate() {
        let line = line(number, events);
        reader.read(&line).unwrap_or_else(|error| panic!("{line}: {error}"));
    }
    let line = line(before.len(), events);
    let error = reader.read(&line).expect_err("a contradiction");
    assert_eq!(error.fault, WireFault::Contradiction(expect), "{events}");
    let events = &lease_ends(events, (before.len() + 1) * 100);
    let start = column(&line, events);
    let at = start
        + events
            .match_indices("{\"")
            .map(|(at, _)| at)
            .filter(|at| is_event(events, *at))
            .nth(event)
            .unwrap_or(0);
    assert_eq!(error.column, at, "the event's place in {line}");
}

/// Events at `at`, with the end of a lease that is taken then for `$`.
fn lease_ends(events: &str, at: usize) -> String {
    events.replace('$', &(at + 60_000).to_string())
}

/// Whether an event begins at `at` of a list of events: one that is nested stands after a colon.
fn is_event(events: &str, at: usize) -> bool {
    !events[..at].ends_with(':')
}

/// A configuration of one token, with failover off.
fn reconfigured(profile: &str, on_reload: &str, reset: bool) -> String {
    format!(
        r#"{{"configured":{{"reset":{reset},"tokens":[{{"label":"a","fingerprint":"0000000000000001"}}],"policy":{{"profile":"{profile}","onReload":"{on_reload}"}}}}}}"#
    )
}

#[test]
fn a_change_of_profile_resets_in_a_log_too() {
    for (profile, to) in [(Profile::Standard, "higress"), (Profile::Higress, "standard")] {
        for on_reload in ["keep", "reset"] {
            let events = reconfigured(to, on_reload, true);
            let line = format!(r#"{{"version":2,"at":1,"by":7,"proposal":2,"events":[{events}]}}"#);
            read_all([HEADER, &founding(profile), &line]).expect("it was reset");
        }
    }
}

const FAILED: &str = r#"{"failed":{"token":"a","status":429,"failures":1}}"#;
const REMOVED: &str = r#"{"removed":{"token":"a","status":429,"failures":2}}"#;
const PROBED: &str = r#"{"lease_taken":{"until":$}},{"probe_sent":{"token":"a","probe":1}}"#;
const COOLED: &str = r#"{"restored":{"token":"a","by":"cooldown"}}"#;

#[test]
#[expect(clippy::too_many_lines, reason = "it is a table")]
fn whatever_does_not_follow_is_a_contradiction() {
    use Contradiction as C;
    use Profile::{Higress, Standard};

    let status = |code| Status::new(code).expect("a status");
    let out = &[FAILED, REMOVED][..];
    let probed = &[FAILED, REMOVED, PROBED][..];
    let passed = r#"{"probe_passed":{"token":"a","probe":1,"successes":1}}"#;
    let failover_off = &*reconfigured("standard", "keep", false);
    let table: &[(Profile, &[&str], &str, usize, Contradiction)] = &[
        // A count that does not follow.
        (
            Standard,
            &[],
            r#"{"failed":{"token":"a","status":429,"failures":2}}"#,
            0,
            C::Count { expected: 1, found: 2 },
        ),
        (Standard, &[FAILED], FAILED, 0, C::Count { expected: 2, found: 1 }),
        (
            Standard,
            probed,
            r#"{"probe_passed":{"token":"a","probe":1,"successes":2}}"#,
            0,
            C::Count { expected: 1, found: 2 },
        ),
        (
            Standard,
            probed,
            r#"{"probe_failed":{"token":"a","probe":1,"answer":500,"successes":1}}"#,
            0,
            C::Count { expected: 0, found: 1 },
        ),
        // A threshold reached and nothing done, or the other way round.
        (
            Standard,
            &[FAILED],
            r#"{"failed":{"token":"a","status":429,"failures":2}}"#,
            0,
            C::Threshold { found: 2, threshold: 2 },
        ),
        (
            Standard,
            &[],
            r#"{"removed":{"token":"a","status":429,"failures":1}}"#,
            0,
            C::Threshold { found: 1, threshold: 2 },
        ),
        (
            Standard,
            probed,
            r#"{"restored":{"token":"a","by":{"health_check":{"probe":1}}}}"#,
            0,
            C::Threshold { found: 1, threshold: 2 },
        ),
        // The wrong list.
        (Standard, out, FAILED, 0, C::AlreadyUnavailable),
        (Standard, out, REMOVED, 0, C::AlreadyUnavailable),
        (Standard, out, r#"{"succeeded":{"token":"a"}}"#, 0, C::AlreadyUnavailable),
        (Standard, &[], COOLED, 0, C::AlreadyAvailable),
        (Standard, &[], PROBED, 1, C::AlreadyAvailable),
        (
            Higress,
            &[FAILED, REMOVED, PROBED, "\"none_available\""][..3],
            r#"{"restored":{"token":"b","by":"cooldown"}}"#,
            0,
            C::AlreadyAvailable,
        ),
        // What is no failure.
        (
            Standard,
            &[],
            r#"{"failed":{"token":"a","status":404,"failures":1}}"#,
            0,
            C::NotAFailure(status(404)),
        ),
        (
            Standard,
            &[],
            r#"{"failed":{"token":"a","status":200,"failures":1}}"#,
            0,
            C::NotAFailure(status(200)),
        ),
        (
            Standard,
            probed,
            r#"{"probe_failed":{"token":"a","probe":1,"answer":204,"successes":0}}"#,
            0,
            C::NotAFailure(status(204)),
        ),
        (Standard, &[], r#"{"succeeded":{"token":"a"}}"#, 0, C::NothingToReset),
        // Time.
        (Standard, out, COOLED, 0, C::TooEarly { due: Instant::from_millis(1_200) }),
        // Probes.
        (Standard, out, r#"{"probe_sent":{"token":"a","probe":1}}"#, 0, C::NoLease),
        (
            Standard,
            out,
            r#"{"lease_taken":{"until":$}},{"probe_sent":{"token":"a","probe":2}}"#,
            1,
            C::ProbeNumber { expected: 1, found: 2 },
        ),
        (
            Standard,
            &[FAILED, REMOVED],
            r#"{"lease_taken":{"until":$}},{"probe_sent":{"token":"a","probe":1}},{"probe_sent":{"token":"a","probe":2}}"#,
            2,
            C::ProbeOut(1),
        ),
        (Standard, out, passed, 0, C::NoSuchProbe(1)),
        (
            Standard,
            &[FAILED, REMOVED, PROBED, passed],
            r#"{"probe_passed":{"token":"a","probe":1,"successes":2}}"#,
            0,
            C::NoSuchProbe(1),
        ),
        (Higress, probed, r#"{"probe_passed":{"token":"a","probe":2,"successes":1}}"#, 0, C::NoSuchProbe(2)),
        // Leases: one that is taken at 300 ends at 60300.
        (Standard, out, r#"{"lease_taken":{"until":60299}}"#, 0, C::LeaseLength),
        (Standard, out, r#"{"lease_taken":{"until":60301}}"#, 0, C::LeaseLength),
        (Higress, out, r#"{"lease_taken":{"until":300}}"#, 0, C::LeaseLength),
        (Higress, probed, r#"{"lease_taken":{"until":60300}}"#, 0, C::LeaseLength),
        (Standard, &[failover_off], r#"{"lease_taken":{"until":$}}"#, 0, C::NotConfigured),
        // The configuration in force.
        (Standard, &[], &reconfigured("higress", "keep", false), 0, C::NotConfigured),
        (Standard, &[], &reconfigured("standard", "keep", true), 0, C::NotConfigured),
        (Standard, &[], &reconfigured("standard", "reset", false), 0, C::NotConfigured),
        (Higress, &[], &reconfigured("standard", "keep", false), 0, C::NotConfigured),
        (
            Standard,
            &[],
            &FOUNDING[FOUNDING.find("{\"configured\"").expect("an event")..FOUNDING.len() - 2],
            0,
            C::NotConfigured,
        ),
        (Standard, &[failover_off], FAILED, 0, C::NotConfigured),
        (Standard, &[failover_off], PROBED, 0, C::NotConfigured),
        // A warning that is none, and an append that says nothing.
        (Standard, &[], "\"none_available\"", 0, C::SomeAvailable(2)),
        (Standard, &[], "", 0, C::NoEvents),
    ];
    for (profile, before, events, event, expect) in table {
        if matches!(expect, C::NoEvents) {
            let line = r#"{"version":2,"at":1,"by":7,"proposal":2,"events":[]}"#;
            refused(&[HEADER, FOUNDING, line], 3, 1, "expected at least one event, found none");
            continue;
        }
        contradicts(*profile, before, events, *event, *expect);
    }
}

#[test]
fn versions_time_founding_and_leases_are_contradicted_too() {
    let failed = |version: u64, at: u64, by: u64| {
        format!(r#"{{"version":{version},"at":{at},"by":{by},"proposal":{version},"events":[{FAILED}]}}"#)
    };
    for version in [1, 3, 4] {
        let message = format!("expected version 2, found {version}");
        let line = failed(version, 0, 7);
        refused(&[HEADER, FOUNDING, &line], 3, column(&line, FAILED), &message);
    }
    let later = FOUNDING.replace("\"at\":0", "\"at\":1000");
    let line = failed(2, 999, 7);
    refused(&[HEADER, &later, &line], 3, column(&line, FAILED), "time goes backwards, from 1s to 999ms");
    read_all([HEADER, &later, &failed(2, 1_000, 7)]).expect("time may stand still");

    let line = r#"{"version":1,"at":0,"by":7,"proposal":1,"events":["none_available"]}"#;
    refused(
        &[HEADER, line],
        2,
        column(line, "\"none_available\""),
        "expected `configured` as the first event of the log",
    );

    let line = |version: u64, at: u64, by: u64, events: &str| {
        format!(r#"{{"version":{version},"at":{at},"by":{by},"proposal":{version},"events":[{events}]}}"#)
    };
    let lease = r#"{"lease_taken":{"until":60000}}"#;
    let held = line(2, 0, 7, lease);
    let other = line(3, 59_999, 8, r#"{"lease_taken":{"until":119999}}"#);
    refused(&[HEADER, FOUNDING, &held, &other], 4, column(&other, "{\"lease"), "the lease is worker 7's");
    let next = r#"{"lease_taken":{"until":120000}}"#;
    read_all([HEADER, FOUNDING, &held, &line(3, 60_000, 8, next)]).expect("a lease that has run out");
    let renewed = r#"{"lease_taken":{"until":60001}}"#;
    read_all([HEADER, FOUNDING, &held, &line(3, 1, 7, renewed)]).expect("the holder takes it again");
}

/// The name of the one in the log's text is not known: the text cannot be read that far, so it is no contradiction yet.
#[test]
fn a_token_that_is_not_configured_is_named() {
    let line = r#"{"version":2,"at":0,"by":7,"proposal":2,"events":[{"failed":{"token":"z","status":429,"failures":1}}]}"#;
    refused(&[HEADER, FOUNDING, line], 3, column(line, "{\"failed"), "the token `z` is not configured here");
}

/// Entries that were made and not read can name a token that is not there.
#[test]
fn an_entry_about_another_pools_token_is_a_contradiction() {
    let config = config(Profile::Standard, &["a", "b"]);
    let stranger = Pool::new(&config).find("a").expect("a token of a pool that never joined");
    let (mut worker, mut log) = (Worker::new(WorkerId::new(7), Instant::ZERO, &config), MemoryLog::new());
    let founding =
        worker.perform(&mut log, Duration::ZERO, Command::Join(config)).expect("memory").expect("news");
    let event = firedrill_failover::Event::Succeeded { token: stranger };
    let entry = Entry { version: founding.version.next(), events: [event].into(), ..founding };
    let mut pool = worker.pool().clone();
    assert_eq!(pool.try_apply(&entry), Err((0, Contradiction::UnknownToken)));
}

/// A log with some bytes changed, dropped, doubled or swapped.
fn mutated() -> impl Strategy<Value = Vec<String>> {
    let change = (any::<prop::sample::Index>(), any::<prop::sample::Index>(), 0..5_u8, any::<char>());
    (any::<bool>(), prop::collection::vec(change, 1..4)).prop_map(|(higress, changes)| {
        let profile = if higress { Profile::Higress } else { Profile::Standard };
        let mut lines = example(profile, ["a", "b"]);
        for (line, place, how, with) in changes {
            let line = line.index(lines.len());
            let mut text: Vec<char> = lines[line].chars().collect();
            let at = place.index(text.len().max(1)).min(text.len());
            match how {
                0 => drop((at < text.len()).then(|| text.remove(at))),
                1 => text.insert(at, with),
                2 => text.insert(at, ['0', '9', '"', '{', '-'][at % 5]),
                3 => text.truncate(at),
                _ => {
                    lines.swap(line, at % 3);
                    continue;
                }
            }
            lines[line] = text.into_iter().collect();
        }
        lines
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, rng_algorithm: prop::test_runner::RngAlgorithm::XorShift, ..ProptestConfig::default() })]

    /// Whatever a log says, reading it ends in a fold or in an error with a place in the line.
    #[test]
    fn no_mutation_of_a_log_panics(lines in mutated()) {
        if let Err((number, error)) = read_all(lines.iter().map(String::as_str)) {
            prop_assert!(error.column >= 1 && error.column <= lines[number - 1].len() + 1, "{error:?}");
            prop_assert!(!error.to_string().is_empty());
        }
    }

    #[test]
    fn no_text_panics(lines in prop::collection::vec(".{0,60}", 0..4)) {
        drop(read_all(lines.iter().map(String::as_str)));
        drop(read_all([HEADER].into_iter().chain(lines.iter().map(String::as_str))));
        drop(read_all([HEADER, FOUNDING].into_iter().chain(lines.iter().map(String::as_str))));
    }
}
