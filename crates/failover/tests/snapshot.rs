//! A snapshot at the beginning of a log: its line as ever, and every way in which a line is none.

use firedrill_failover::wire::{self, Line, Reader, WireFault};
use firedrill_failover::{
    Attempt, Command, Config, Duration, FailoverSettings, Fingerprint, Fold, Instant, MemoryLog, Pool,
    Settings, Status, Token, Worker, WorkerId,
};

const HEADER: &str = r#"{"firedrill_log":1,"pool":"000000000000feed"}"#;

/// Of three tokens `a` is available with a failure counted, `b` is out with a probe on its way, and `c` has left.
const GOOD: &str = r#"{"snapshot":8,"at":10,"by":7,"proposal":8,"policy":{"profile":"standard","onReload":"keep","failover":{"failureThreshold":2,"successThreshold":2,"healthCheckInterval":5000,"healthCheckTimeout":50,"healthCheckModel":"m","cooldownDuration":1000,"failoverOnStatus":"429"}},"slots":[{"generation":284970480,"token":{"label":"a","fingerprint":"0000000000000001"},"failures":1},{"generation":284970480,"token":{"label":"b","fingerprint":"0000000000000002"},"since":3,"probe":[1,10]},{"generation":284970480}],"seats":[0,1],"available":[0],"unavailable":[1],"vacant":[2],"lease":{"holder":7,"until":60010},"first_probe":1,"next_probe":2,"proposals":[[7,8,8]]}"#;

fn config(labels: &[&str]) -> Config {
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
    Config::parse(tokens, &Settings { failover, ..Settings::default() }).expect("good rules")
}

fn example() -> Fold {
    let config = config(&["a", "b", "c"]);
    let (mut worker, mut log) = (Worker::new(WorkerId::new(7), Instant::ZERO, &config), MemoryLog::new());
    let mut perform = |worker: &mut Worker, at, command| {
        worker.perform(&mut log, Duration::from_millis(at), command).expect("memory");
    };
    perform(&mut worker, 0, Command::Join(config));
    let [a, b] = ["a", "b"].map(|label| worker.pool().find(label).expect("a token"));
    let failed = |token| Command::Outcome {
        token,
        status: Status::new(429).expect("a status"),
        attempt: Attempt::First,
    };
    for (at, command) in [
        (1, failed(a)),
        (2, failed(b)),
        (3, failed(b)),
        (4, Command::Reconfigure(self::config(&["a", "b"]))),
        (10, Command::Tick),
    ] {
        perform(&mut worker, at, command);
    }
    // And once more, for two versions that leave nothing but their number.
    perform(
        &mut worker,
        10,
        Command::Outcome { token: a, status: Status::new(200).expect("a status"), attempt: Attempt::First },
    );
    perform(&mut worker, 10, failed(a));
    worker.fold().clone()
}

fn read(line: &str) -> Result<Reader, String> {
    let mut reader = Reader::new();
    reader.read(HEADER).map_err(|error| error.to_string())?;
    match reader.read(line) {
        Ok(Line::Snapshot) => Ok(reader),
        Ok(other) => Err(format!("{other:?}")),
        Err(error) => Err(error.to_string()),
    }
}

#[test]
fn a_snapshot_is_written_as_ever() {
    let fold = example();
    assert_eq!(wire::snapshot_line(&fold), GOOD);
    assert_eq!(read(GOOD).expect("a good snapshot").fold(), Some(&fold));
}

/// What is said of the good line with `from` replaced by `to`.
#[track_caller]
fn refused(from: &str, to: &str, message: &str) {
    let bad = GOOD.replacen(from, to, 1);
    assert_ne!(bad, GOOD, "{from}");
    match read(&bad) {
        Ok(_) => panic!("{to} was accepted"),
        Err(said) => assert_eq!(said, message, "{to}"),
    }
}

#[test]
fn what_no_log_leads_to_is_refused() {
    let lists = "this snapshot is of no log: a token is in neither list or in both";
    let probes = "this snapshot is of no log: its probes are not numbered as they were sent";
    let proposals = "this snapshot is of no log: its proposals are not those of a log";
    let after = "this snapshot is of no log: something happened after it";
    let large = "this snapshot is of no log: more happened than can happen";
    let vacant = "this snapshot is of no log: something is counted for a vacant slot";
    let slot_b = r#"{"generation":284970480,"token":{"label":"b","fingerprint":"0000000000000002"}"#;
    for (from, to, message) in [
        (r#""available":[0]"#, r#""available":[0,1]"#, lists),
        (r#""unavailable":[1]"#, r#""unavailable":[]"#, lists),
        (r#""unavailable":[1]"#, r#""unavailable":[0]"#, lists),
        (r#""unavailable":[1]"#, r#""unavailable":[1,1]"#, lists),
        (r#""seats":[0,1]"#, r#""seats":[1,0]"#, lists),
        (r#""seats":[0,1]"#, r#""seats":[0,0]"#, lists),
        (r#""seats":[0,1]"#, r#""seats":[0]"#, lists),
        (r#""seats":[0,1]"#, r#""seats":[0,9]"#, lists),
        (r#""seats":[0,1],"available":[0]"#, r#""seats":[0,4294967295],"available":[4294967295]"#, lists),
        (r#""available":[0]"#, r#""available":[9]"#, lists),
        (r#""available":[0]"#, r#""available":[2]"#, lists),
        (r#""vacant":[2]"#, r#""vacant":[]"#, lists),
        (r#""vacant":[2]"#, r#""vacant":[2,2]"#, lists),
        (r#""vacant":[2]"#, r#""vacant":[1]"#, lists),
        (r#""vacant":[2]"#, r#""vacant":[3]"#, lists),
        // Who is out has no failures, and who is in has not left.
        (r#""since":3,"#, r#""failures":1,"since":3,"#, lists),
        (r#""failures":1}"#, r#""failures":1,"since":3}"#, lists),
        (r#""failures":1}"#, r#""failures":1,"probe":[1,10]}"#, probes),
        (r#"{"generation":284970480}"#, r#"{"generation":284970480,"failures":1}"#, vacant),
        (r#"{"generation":284970480}"#, r#"{"generation":284970480,"probe":[1,10]}"#, vacant),
        (
            r#"{"generation":284970480}"#,
            r#"{"generation":0}"#,
            "this snapshot is of no log: a token is of before a log",
        ),
        (
            r#""failures":1}"#,
            r#""failures":1,"successes":1}"#,
            "this snapshot is of no log: probes are counted for an available token",
        ),
        (
            slot_b,
            &slot_b.replace(r#""b""#, r#""a""#),
            "apiTokens[1]: the label `a` is already that of apiTokens[0]",
        ),
        (slot_b, &slot_b.replace("02", "01"), "apiTokens[1]: the same token as apiTokens[0]"),
        (r#""probe":[1,10]"#, r#""probe":[2,10]"#, probes),
        (r#""probe":[1,10]"#, r#""probe":[0,10]"#, probes),
        (r#""first_probe":1"#, r#""first_probe":0"#, probes),
        (r#""first_probe":1"#, r#""first_probe":2"#, probes),
        (r#""next_probe":2"#, r#""next_probe":1"#, probes),
        (r#""next_probe":2"#, r#""next_probe":18446744073709551615"#, large),
        (r#""snapshot":8"#, r#""snapshot":18446744073709551615"#, large),
        (r#""at":10"#, r#""at":18446744073709551615"#, large),
        (r#""probe":[1,10]"#, r#""probe":[1,11]"#, after),
        (r#""since":3"#, r#""since":11"#, after),
        (
            r#""probe":[1,10]"#,
            r#""probe":[1,2]"#,
            "this snapshot is of no log: a token was probed before it left",
        ),
        (r#""until":60010"#, r#""until":60011"#, "this snapshot is of no log: its lease lasts too long"),
        (r#""snapshot":8"#, r#""snapshot":0"#, "this snapshot is of no log: it is of an empty log"),
        (r#""snapshot":8"#, r#""snapshot":7"#, proposals),
        (r#""proposal":8"#, r#""proposal":7"#, proposals),
        (r#""by":7"#, r#""by":8"#, proposals),
        ("[[7,8,8]]", "[]", proposals),
        ("[[7,8,8]]", "[[7,8,8],[7,8,8]]", proposals),
        ("[[7,8,8]]", "[[7,8,8],[8,1,9]]", proposals),
        ("[[7,8,8]]", "[[7,8,8],[8,1,8]]", proposals),
        ("[[7,8,8]]", "[[7,8,8],[8,1,0]]", proposals),
    ] {
        refused(from, to, message);
    }
    let left_in_order = GOOD
        .replace(r#""failures":1}"#, r#""since":4}"#)
        .replace(r#""available":[0],"unavailable":[1]"#, r#""available":[],"unavailable":[0,1]"#);
    assert_eq!(
        read(&left_in_order).map(drop),
        Err("this snapshot is of no log: its unavailable tokens are not in the order in which they left"
            .into())
    );
    read(&left_in_order.replace("[0,1],\"vacant", "[1,0],\"vacant")).expect("the order in which they left");
}

#[test]
fn what_a_log_can_lead_to_is_accepted() {
    for (from, to) in [
        // A threshold that was lowered below what was counted.
        (r#""failures":1}"#, r#""failures":4294967295}"#),
        (r#""since":3,"#, r#""successes":5,"since":3,"#),
        // Failover was switched off while a token was out.
        (&GOOD[GOOD.find(r#","failover""#).expect("rules")..GOOD.find(r#"},"slots""#).expect("slots")], ""),
        // The lease of a worker that has been forgotten since.
        (r#""holder":7"#, r#""holder":99"#),
        (r#""until":60010"#, r#""until":1"#),
    ] {
        let line = GOOD.replacen(from, to, 1);
        assert_ne!(line, GOOD);
        read(&line).unwrap_or_else(|error| panic!("{error} in {line}"));
    }
}

#[test]
fn a_snapshot_stands_directly_after_the_header() {
    let append = r#"{"version":9,"at":11,"by":7,"proposal":9,"events":[{"succeeded":{"token":"a"}}]}"#;
    let said = |lines: &[&str]| {
        let mut reader = Reader::new();
        lines.iter().find_map(|line| reader.read(line).err()).map(|error| error.to_string())
    };
    assert_eq!(said(&[HEADER, GOOD, append]), None);
    let misplaced = Some("this snapshot is of no log: it stands after appends, or twice".to_owned());
    assert_eq!(said(&[HEADER, GOOD, GOOD]), misplaced);
    assert_eq!(said(&[HEADER, GOOD, append, GOOD]), misplaced);
    let no_header = r#"expected the header of a log, such as `{"firedrill_log":1,"pool":"…"}`"#;
    assert_eq!(said(&[GOOD]), Some(no_header.to_owned()));
}

#[test]
fn a_snapshot_is_known_in_whatever_order_its_keys_stand() {
    let space = GOOD.replacen("{\"snapshot\"", "{ \"snapshot\"", 1);
    assert_eq!(read(&space).expect("white space").fold(), Some(&example()));
    let order = GOOD.replacen(r#"{"snapshot":8,"at":10"#, r#"{"at":10,"snapshot":8"#, 1);
    assert_eq!(read(&order).expect("another order").fold(), Some(&example()));
    assert!(
        read(&GOOD.replacen(r#""at":10"#, r#""at":10,"at":10"#, 1)).expect_err("twice").contains("duplicate")
    );
}

#[test]
fn a_snapshot_is_checked_like_every_line() {
    let read = |line: &str| {
        let mut reader = Reader::new();
        reader.read(&wire::with_check(HEADER)).expect("a header");
        reader.read(line).map_err(|error| error.fault)
    };
    let good = wire::with_check(GOOD);
    assert_eq!(read(&good), Ok(Line::Snapshot));
    assert_eq!(read(GOOD), Err(WireFault::Check), "it has none");
    assert_eq!(read(&good.replacen("\"since\":3", "\"since\":2", 1)), Err(WireFault::Check));
    for cut in 1..good.len() {
        assert!(read(&good[..cut]).is_err_and(|fault| fault == WireFault::Torn), "cut at {cut}");
    }
}

#[test]
fn a_snapshot_of_many_tokens_is_a_line() {
    let labels: Vec<String> = (90_000..100_000).map(|number| format!("token-{number}")).collect();
    let config = config(&labels.iter().map(String::as_str).collect::<Vec<_>>());
    let (mut worker, mut log) = (Worker::new(WorkerId::new(7), Instant::ZERO, &config), MemoryLog::new());
    let empty = Pool::new(&config);
    let joined = worker.perform(&mut log, Duration::ZERO, Command::Join(config)).expect("memory");
    let configured = wire::line(&empty, &joined.expect("it founds the log")).len();
    // All out, each with a probe on its way: nothing takes more room.
    let failed = |token| Command::Outcome {
        token,
        status: Status::new(429).expect("a status"),
        attempt: Attempt::First,
    };
    let mut waiting: std::collections::VecDeque<Command> =
        worker.pool().available().flat_map(|token| [failed(token), failed(token)]).collect();
    let late = Duration::from_millis(1_700_000_000_000);
    while worker.propose_together(late, &mut waiting).is_some() {
        worker.accepted();
    }
    worker.propose(late, Command::Tick).expect("probes");
    worker.accepted();
    let line = wire::snapshot_line(worker.fold());
    assert_eq!(read(&line).expect("a good snapshot").fold(), Some(worker.fold()));
    assert!(
        line.len() * 10 < wire::LONGEST_LINE,
        "a hundred thousand fit: {} bytes of ten thousand",
        line.len()
    );
    // Whatever is configured by an append fits: labels are as long in both, and these are short.
    let times = wire::LONGEST_SNAPSHOT / wire::LONGEST_LINE;
    assert!(line.len() < configured * times, "{} bytes, {configured} configured", line.len());
}
