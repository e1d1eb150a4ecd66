//! A worker whose log is away: it decides alone, serves from that, and is right again when the log is back.

use firedrill_failover::{
    Appended, Attempt, Command, Config, Duration, FailoverSettings, Fingerprint, Instant, Log as _,
    MemoryLog, Order, Pool, Refused, Settings, Status, Token, TokenId, Worker, WorkerId,
};

fn config(names: &[&str]) -> Config {
    let failover = FailoverSettings {
        enabled: true,
        failure_threshold: 2,
        cooldown_duration: 1_000,
        health_check_model: "m".into(),
        ..FailoverSettings::default()
    };
    let token = |name: &&str| Token {
        label: (*name).into(),
        fingerprint: Fingerprint::new(u64::from(name.as_bytes()[0])),
    };
    let settings = Settings { failover, ..Settings::default() };
    Config::parse(names.iter().map(token).collect(), &settings).expect("good rules")
}

fn at(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn failed(token: TokenId) -> Command {
    Command::Outcome { token, status: Status::new(429).expect("a status"), attempt: Attempt::First }
}

fn find(pool: &Pool, name: &str) -> TokenId {
    pool.find(name).expect("a token")
}

/// Labels and failures of the available, and labels of the unavailable.
fn lists(pool: &Pool) -> String {
    let name = |id| pool.token(id).expect("listed");
    let available: Vec<_> =
        pool.available().map(name).map(|token| format!("{}:{}", token.label, token.failures)).collect();
    let unavailable: Vec<_> = pool.unavailable().map(name).map(|token| token.label).collect();
    format!("{} | {}", available.join(" "), unavailable.join(" "))
}

fn joined(log: &mut MemoryLog, number: u64, names: &[&str]) -> Worker {
    let config = config(names);
    let mut worker = Worker::new(WorkerId::new(number), Instant::ZERO, &config);
    let Ok(_) = worker.perform(log, at(0), Command::Join(config));
    worker
}

fn catch_up(worker: &mut Worker, log: &MemoryLog) {
    let Ok(newer) = log.read(worker.head());
    worker.catch_up(&newer);
}

#[test]
fn alone_it_takes_a_token_out_and_brings_it_back() {
    let mut log = MemoryLog::new();
    let mut worker = joined(&mut log, 1, &["a", "b"]);
    let a = find(worker.pool(), "a");
    let before = worker.fold().clone();
    assert!(worker.decide_alone(at(1), &failed(a)) && worker.decide_alone(at(2), &failed(a)));
    assert!(!worker.decide_alone(at(3), &failed(a)), "it is out already");
    assert_eq!((lists(worker.serving()), lists(worker.pool())), ("b:0 | a".into(), "a:0 b:0 | ".into()));
    assert!(!worker.decide_alone(at(1_001), &Command::Tick), "no probe is sent, and no lease taken");
    assert_eq!(worker.serving().lease(), None);
    assert!(worker.decide_alone(at(1_002), &Command::Tick));
    assert_eq!(lists(worker.serving()), "b:0 a:0 | ");
    assert_eq!(*worker.fold(), before, "what the log has said is as it was");
}

#[test]
fn with_the_next_answer_the_pool_to_serve_from_is_the_logs_again() {
    type Answer = fn(&mut Worker, &mut MemoryLog);
    let answers: [Answer; 3] = [
        |worker, log| catch_up(worker, log),
        |worker, log| {
            let Ok(reply) = log.append(worker.in_flight().expect("an append"));
            assert_eq!(reply, Appended::Accepted);
            worker.accepted();
        },
        |worker, log| {
            let mut other = joined(log, 2, &["a", "b"]);
            let b = find(other.pool(), "b");
            let Ok(_) = other.perform(log, at(0), failed(b));
            let Ok(Appended::Refused(newer)) = log.append(worker.in_flight().expect("an append")) else {
                panic!("a stale append was accepted");
            };
            assert!(matches!(worker.refused(&newer), Refused::Again(_)));
        },
    ];
    for (number, answer) in answers.into_iter().enumerate() {
        let mut log = MemoryLog::new();
        let mut worker = joined(&mut log, 1, &["a", "b"]);
        let a = find(worker.pool(), "a");
        if number > 0 {
            // What is in flight when the log goes away counts alone as well.
            worker.propose(at(0), failed(a)).expect("a failure is news");
        } else {
            assert!(worker.decide_alone(at(1), &failed(a)));
        }
        assert!(worker.decide_alone(at(1), &failed(a)));
        assert_eq!(lists(worker.serving()), "b:0 | a", "answer {number}");
        answer(&mut worker, &mut log);
        assert_eq!(worker.serving(), worker.pool(), "answer {number}");
    }
}

#[test]
fn what_was_decided_alone_is_decided_again_on_what_the_log_then_is() {
    let mut log = MemoryLog::new();
    let (mut one, mut two) = (joined(&mut log, 1, &["a", "b"]), joined(&mut log, 2, &["a", "b"]));
    let a = find(one.pool(), "a");
    assert!(one.decide_alone(at(1), &failed(a)));
    let Ok(_) = two.perform(&mut log, at(1), failed(a));
    let Ok(entry) = one.perform(&mut log, at(5), failed(a));
    assert!(entry.is_some());
    assert_eq!(lists(one.pool()), "b:0 | a", "the second failure that there was");
}

#[test]
fn a_worker_that_never_joined_fails_over_alone() {
    // The log names its tokens in another order, so that the ids of a worker alone would name others there.
    let mut log = MemoryLog::new();
    joined(&mut log, 2, &["b", "c", "a"]);
    let config = config(&["a", "b", "c"]);
    let mut worker = Worker::new(WorkerId::new(1), Instant::ZERO, &config);
    let before = find(worker.pool(), "a");
    assert!(
        worker.decide_alone(at(1), &Command::Join(config.clone())),
        "to be proposed when the log is back"
    );
    let alone = find(worker.serving(), "a");
    assert!(worker.decide_alone(at(1), &failed(alone)) && worker.decide_alone(at(2), &failed(alone)));
    assert_eq!(lists(worker.serving()), "b:0 c:0 | a");
    let Ok(_) = worker.perform(&mut log, at(3), Command::Join(config));
    assert_eq!(lists(worker.serving()), "b:0 c:0 a:0 | ");
    let Ok(_) = worker.perform(&mut log, at(3), failed(alone));
    assert_eq!(lists(worker.pool()), "b:0 c:0 a:1 | ", "the id of while it was alone is known");
    let Ok(nothing) = worker.perform(&mut log, at(3), failed(before));
    assert_eq!(nothing, None, "one of before is good no longer");
    worker.propose_together(at(4), &mut [failed(alone)].into()).expect("a failure is news");
    worker.accepted();
    assert_eq!(lists(worker.pool()), "b:0 c:0 | a", "and among others");
    let put_back = Command::Operate { token: alone, order: Order::PutBack };
    worker.propose(at(5), put_back).expect("it is out");
    worker.accepted();
    assert_eq!(lists(worker.pool()), "b:0 c:0 a:0 | ", "and to an operator");
}

#[test]
fn a_configuration_that_was_loaded_alone_names_no_token_of_the_log() {
    let mut log = MemoryLog::new();
    let (mut one, mut two) = (joined(&mut log, 1, &["a", "b"]), joined(&mut log, 2, &["a", "b"]));
    assert!(one.decide_alone(at(1), &Command::Reconfigure(config(&["a", "b", "c"]))));
    let c = find(one.serving(), "c");
    assert!(one.decide_alone(at(1), &failed(c)));
    let Ok(_) = two.perform(&mut log, at(1), Command::Reconfigure(config(&["a", "b", "d"])));
    catch_up(&mut one, &log);
    let Ok(nothing) = one.perform(&mut log, at(2), failed(c));
    assert_eq!((nothing, lists(one.pool()).as_str()), (None, "a:0 b:0 d:0 | "), "no failure of d");
    let Ok(_) = one.perform(&mut log, at(2), Command::Reconfigure(config(&["a", "b", "c"])));
    let Ok(_) = one.perform(&mut log, at(2), failed(c));
    assert_eq!(lists(one.pool()), "a:0 b:0 c:1 | ");
}

#[test]
fn an_id_of_a_log_that_is_gone_names_its_token_in_the_next_and_no_other() {
    let mut log = MemoryLog::new();
    let (mut one, mut two) = (joined(&mut log, 1, &["a"]), joined(&mut log, 2, &["a"]));
    // Two logs of one length that name different tokens in one slot.
    let mut other = log.clone();
    let Ok(_) = one.perform(&mut log, at(1), Command::Reconfigure(config(&["a", "b", "c"])));
    let Ok(_) = two.perform(&mut other, at(1), Command::Reconfigure(config(&["a", "c", "d"])));
    let [b, c] = ["b", "c"].map(|name| find(one.pool(), name));
    catch_up(&mut one, &other);
    assert_eq!(one.fold(), two.fold());
    for token in [b, c] {
        let Ok(_) = one.perform(&mut other, at(2), failed(token));
    }
    assert_eq!(lists(one.pool()), "a:0 c:1 d:0 | ");
    assert_eq!(one.take_lost(), [Command::Reconfigure(config(&["a", "b", "c"]))]);
}
