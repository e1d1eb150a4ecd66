//! What is summed up leads to what all of it leads to, in bounded memory, and nobody is told too early.

use firedrill_failover::{
    Attempt, Config, Duration, FailoverSettings, Fingerprint, Instant, MemoryLog, Order, Profile, Settings,
    Status, Token, TokenId, Worker, WorkerId,
};
use proptest::prelude::*;

use super::*;

const TOKENS: u64 = 3;
/// Tokens that fail once each, before a mark.
const MARKED: u64 = 4;

fn config(tokens: u64, threshold: u32, profile: Profile) -> Config {
    let token = |n| Token { label: format!("token-{n}").into(), fingerprint: Fingerprint::new(n) };
    let failover = FailoverSettings {
        enabled: true,
        failure_threshold: u64::from(threshold),
        cooldown_duration: 100,
        ..FailoverSettings::default()
    };
    let settings = Settings { profile, failover, ..Settings::default() };
    Config::parse((1..=tokens).map(token).collect(), &settings).expect("a good configuration")
}

fn token(pool: &Pool, n: u64) -> TokenId {
    pool.find_fingerprint(Fingerprint::new(n)).expect("a token")
}

fn outcome(pool: &Pool, n: u64, code: u16, attempt: Attempt) -> Waiting {
    let status = Status::new(code).expect("a status");
    Waiting::named(Command::Outcome { token: token(pool, n), status, attempt }, pool).expect("a token")
}

/// A worker with a log of its own.
struct Alone(Worker, MemoryLog);

impl Alone {
    fn joined(config: &Config) -> Self {
        let mut alone = Self(Worker::new(WorkerId::new(1), Instant::ZERO, config), MemoryLog::new());
        alone.perform(Command::Join(config.clone()));
        alone
    }

    fn perform(&mut self, command: Command) {
        self.0.perform(&mut self.1, Duration::ZERO, command).expect("a log in memory");
    }

    /// Every token's failures, and whether it is available.
    fn state(&self) -> Vec<(Fingerprint, u32, bool)> {
        let tokens = self.0.pool().tokens();
        let mut state: Vec<_> =
            tokens.map(|(_, is)| (is.fingerprint, is.failures, is.unavailable_since.is_none())).collect();
        state.sort_unstable();
        state
    }
}

#[derive(Clone, Debug)]
enum Step {
    Outcome(u64, u16, Attempt),
    Order(u64, Order),
    Tick,
    Mark,
    /// Takes so many at once.
    Take(usize),
}

fn outcomes() -> impl Strategy<Value = Step> {
    // 204 is a success of the one profile, and a failure of the other, whose `4.*` matches anywhere.
    let code = prop_oneof![4 => Just(503_u16), 2 => Just(200), 1 => Just(204), 1 => Just(301)];
    let attempt = prop_oneof![4 => Just(Attempt::First), 1 => Just(Attempt::Retry)];
    (1..=TOKENS, code, attempt).prop_map(|(token, code, attempt)| Step::Outcome(token, code, attempt))
}

fn orders() -> impl Strategy<Value = Step> {
    let order = prop_oneof![Just(Order::TakeOut), Just(Order::PutBack), Just(Order::Reset)];
    (1..=TOKENS, order).prop_map(|(token, order)| Step::Order(token, order))
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        20 => outcomes(),
        3 => orders(),
        1 => Just(Step::Tick),
        1 => Just(Step::Mark),
        2 => (1..6_usize).prop_map(Step::Take),
    ];
    prop::collection::vec(step, 0..120)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_summed_up_leads_to_what_all_of_it_leads_to(
        threshold in 1..=5_u32,
        higress: bool,
        most in 0..8_usize,
        before in prop::collection::vec(outcomes(), 0..12),
        steps in steps(),
    ) {
        let profile = if higress { Profile::Higress } else { Profile::Standard };
        let config = config(TOKENS + MARKED, threshold, profile);
        let mut all = Alone::joined(&config);
        for step in before {
            let Step::Outcome(n, code, attempt) = step else { continue };
            let command = outcome(all.0.pool(), n, code, attempt).command;
            all.perform(command);
        }
        let mut summed = Alone(all.0.clone(), all.1.clone());
        let mut backlog = Backlog::keeping(most);
        let mut marks = Vec::new();
        let end = [Step::Take(usize::MAX)];
        for step in steps.into_iter().chain(end) {
            match step {
                Step::Outcome(n, code, attempt) => {
                    let waiting = outcome(all.0.pool(), n, code, attempt);
                    all.perform(waiting.command.clone());
                    backlog.push(waiting, config.policy());
                }
                Step::Order(n, order) => {
                    let pool = all.0.pool();
                    let command = Command::Operate { token: token(pool, n), order };
                    let waiting = Waiting::named(command, pool).expect("a token");
                    all.perform(waiting.command.clone());
                    backlog.push(waiting, config.policy());
                }
                Step::Tick => {
                    backlog.push(Waiting { command: Command::Tick, fingerprint: None }, config.policy());
                }
                Step::Mark if (marks.len() as u64) < MARKED => {
                    let marked = TOKENS + 1 + marks.len() as u64;
                    let waiting = outcome(all.0.pool(), marked, 503, Attempt::First);
                    all.perform(waiting.command.clone());
                    backlog.push(waiting, config.policy());
                    let (done, told) = oneshot::channel();
                    backlog.mark(done);
                    marks.push((marked, told));
                }
                Step::Mark => {}
                Step::Take(most) => loop {
                    let batch = backlog.take(summed.0.pool(), most);
                    let nothing = batch.is_empty();
                    for command in batch.commands {
                        summed.perform(command);
                    }
                    for mark in batch.marks {
                        mark.send(()).expect("who asked is there");
                    }
                    for (marked, told) in &mut marks {
                        if told.try_recv().is_ok() {
                            let failed = |state: &[(Fingerprint, u32, bool)]| {
                                state.iter().any(|(is, failures, available)| {
                                    *is == Fingerprint::new(*marked) && (*failures > 0 || !available)
                                })
                            };
                            prop_assert!(failed(&summed.state()), "told too early");
                        }
                    }
                    if nothing || most != usize::MAX {
                        break;
                    }
                },
            }
            prop_assert_eq!(backlog.len(), backlog.waiting().count());
            prop_assert!(backlog.summed.len() <= 2, "without a configuration");
        }
        prop_assert_eq!(backlog.len(), 0);
        prop_assert_eq!(summed.state(), all.state());
        // Once told, a channel says that it is closed; before, that it is empty.
        for (_, told) in &mut marks {
            prop_assert_eq!(told.try_recv(), Err(oneshot::error::TryRecvError::Closed));
        }
    }
}

#[test]
fn a_million_outcomes_take_as_much_room_as_the_tokens() {
    let config = config(100, 50, Profile::Standard);
    let alone = Alone::joined(&config);
    let mut backlog = Backlog::new();
    let pool = alone.0.pool();
    let outcomes: Vec<_> =
        (1..=100).map(|id| [200, 503].map(|code| outcome(pool, id, code, Attempt::First))).collect();
    for n in 0..1_000_000_usize {
        backlog.push(outcomes[n % 100][usize::from(n % 7 > 0)].clone(), config.policy());
        if n % 50_000 == 0 {
            assert_eq!(backlog.len(), backlog.waiting().count());
            assert!(backlog.kept.len() <= VERBATIM);
            let kept: usize = backlog.summed.iter().map(|summed| summed.waiting().count()).sum();
            assert!(backlog.summed.len() <= 1 && kept <= 100 * 101);
        }
    }
    assert!(backlog.kept.len() == VERBATIM && backlog.summed.len() == 1);
}

/// Whoever fails all the time has the others wait for no longer than one round.
#[test]
fn what_is_summed_up_first_is_taken_first() {
    let config = config(2, 1_000, Profile::Standard);
    let alone = Alone::joined(&config);
    let pool = alone.0.pool();
    let mut backlog = Backlog::keeping(0);
    backlog.push(outcome(pool, 2, 503, Attempt::First), config.policy());
    let mut rounds = 0;
    loop {
        backlog.push(outcome(pool, 1, 503, Attempt::First), config.policy());
        let taken = backlog.take(pool, 1).commands;
        if taken
            .iter()
            .any(|command| matches!(command, Command::Outcome { token: is, .. } if *is == token(pool, 2)))
        {
            break;
        }
        rounds += 1;
        assert!(rounds < 10, "the second token starves");
    }
}

#[test]
fn a_configuration_keeps_its_place_and_of_many_the_newest_is_kept() {
    let (two, three) = (config(2, 2, Profile::Standard), config(3, 2, Profile::Standard));
    let mut alone = Alone::joined(&two);
    let ahead = Alone::joined(&three);
    let mut backlog = Backlog::keeping(1);
    backlog.push(Waiting { command: Command::Tick, fingerprint: None }, two.policy());
    for _ in 0..50 {
        backlog.push(outcome(alone.0.pool(), 1, 503, Attempt::First), two.policy());
        let reconfigure = Command::Reconfigure(three.clone());
        backlog.push(Waiting { command: reconfigure, fingerprint: None }, two.policy());
        assert_eq!(backlog.len(), backlog.waiting().count());
    }
    // The third token is in the configuration that waits, and in no log yet.
    backlog.push(outcome(ahead.0.pool(), 3, 503, Attempt::First), three.policy());
    assert!(backlog.summed.len() <= 3);
    let mut batches = Vec::new();
    loop {
        let batch = backlog.take(alone.0.pool(), usize::MAX);
        if batch.is_empty() {
            break;
        }
        batches.push(batch.commands.len());
        for command in batch.commands {
            alone.perform(command);
        }
    }
    assert_eq!(batches, [3, 1, 1], "a tick and two failures, the configuration alone, a failure");
    let state: Vec<_> =
        alone.state().into_iter().map(|(_, failures, available)| (failures, available)).collect();
    assert_eq!(state, [(0, false), (0, true), (1, true)]);
}

/// The log that is decided on in the end may give its ids to other tokens.
#[test]
fn a_failure_counts_for_its_token_whatever_the_ids_are() {
    let tokens = |order: [u64; 2]| {
        let one = config(2, 9, Profile::Standard);
        let tokens = order.map(|n| one.tokens()[usize::try_from(n).expect("small") - 1].clone());
        let failover = FailoverSettings {
            enabled: true,
            failure_threshold: 9,
            cooldown_duration: 100,
            ..FailoverSettings::default()
        };
        Config::parse(tokens.to_vec(), &Settings { failover, ..Settings::default() }).expect("good")
    };
    let here = Alone::joined(&tokens([1, 2]));
    let mut there = Alone::joined(&tokens([2, 1]));
    let unfounded = Worker::new(WorkerId::new(2), Instant::ZERO, &tokens([1, 2]));
    for most in [0, 10] {
        let mut backlog = Backlog::keeping(most);
        for pool in [here.0.pool(), unfounded.pool()] {
            backlog.push(outcome(pool, 1, 503, Attempt::First), pool.policy());
        }
        while let batch = backlog.take(there.0.pool(), usize::MAX)
            && !batch.is_empty()
        {
            for command in batch.commands {
                there.perform(command);
            }
        }
    }
    assert_eq!(there.state(), [(Fingerprint::new(1), 4, true), (Fingerprint::new(2), 0, true)]);
}
