//! Several commands in one append: as if each had been proposed on its own, whatever comes between.

use std::collections::VecDeque;

use firedrill_failover::{
    Append, Appended, Attempt, Command, Config, Duration, FailoverSettings, Fingerprint, Instant, Log as _,
    MOST_TOGETHER, MemoryLog, Pool, Profile, Random, Refused, Settings, Status, Token, Worker, WorkerId,
};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

const UPTIME: Duration = Duration::from_millis(5_000);
const NAMES: [&str; 4] = ["a", "b", "c", "d"];

/// Something to be done, in names.
#[derive(Clone, Debug)]
enum Order {
    Outcome(&'static str, u16),
    Tick,
    Answer(&'static str, u64, u16),
    Load(usize, u64),
    Operate(&'static str, firedrill_failover::Order),
}

fn config(tokens: usize, failure_threshold: u64, profile: Profile) -> Config {
    let failover = FailoverSettings {
        enabled: true,
        failure_threshold,
        success_threshold: 2,
        cooldown_duration: 1_000,
        health_check_model: "m".into(),
        ..FailoverSettings::default()
    };
    let token = |name: &&str| Token {
        label: (*name).into(),
        fingerprint: Fingerprint::new(u64::from(name.as_bytes()[0])),
    };
    let tokens = NAMES[..tokens].iter().map(token).collect();
    Config::parse(tokens, &Settings { profile, failover, ..Settings::default() }).expect("good rules")
}

fn command(order: &Order, profile: Profile, pool: &Pool) -> Option<Command> {
    let status = |code| Status::new(code).expect("a status");
    Some(match *order {
        Order::Outcome(name, code) => {
            Command::Outcome { token: pool.find(name)?, status: status(code), attempt: Attempt::First }
        }
        Order::Tick => Command::Tick,
        Order::Answer(name, probe, code) => {
            Command::ProbeAnswered { token: pool.find(name)?, probe, answer: status(code) }
        }
        Order::Operate(name, order) => Command::Operate { token: pool.find(name)?, order },
        Order::Load(tokens, threshold) => Command::Reconfigure(config(tokens, threshold, profile)),
    })
}

fn order(load: u32) -> impl Strategy<Value = Order> {
    let name = || select(&NAMES[..3]);
    let operated = {
        use firedrill_failover::Order::{PutBack, Reset, TakeOut};
        (name(), select(&[TakeOut, PutBack, Reset][..]))
    };
    prop_oneof![
        20 => (name(), select(&[200_u16, 302, 429, 429, 500][..])).prop_map(|(name, code)| Order::Outcome(name, code)),
        4 => Just(Order::Tick),
        6 => (name(), 1..6_u64, select(&[200_u16, 200, 500][..]))
            .prop_map(|(name, probe, code)| Order::Answer(name, probe, code)),
        3 => operated.prop_map(|(name, order)| Order::Operate(name, order)),
        load => (2..=4_usize, 1..4_u64).prop_map(|(tokens, threshold)| Order::Load(tokens, threshold)),
    ]
}

/// What a pool comes to, its version and the ids of its tokens apart.
fn shown(pool: &Pool) -> String {
    let tokens: Vec<_> = pool.tokens().map(|(_, token)| token).collect();
    let deadline = pool.next_deadline(WorkerId::new(1));
    let mut random = Random::new(1, 1);
    let drawn: Vec<_> = (0..8)
        .map(|_| pool.select(&mut random))
        .map(|drawn| (pool.token(drawn.token).map(|token| token.label.to_owned()), drawn.fallback))
        .collect();
    format!("{tokens:?} {:?} {:?} {deadline:?} {drawn:?}", pool.policy(), pool.lease())
}

/// The log, one worker that is to propose, and one that gets in its way.
struct Pair {
    log: MemoryLog,
    one: Worker,
    two: Worker,
    profile: Profile,
}

impl Pair {
    fn new(threshold: u64, profile: Profile) -> Self {
        let config = config(3, threshold, profile);
        let mut log = MemoryLog::new();
        let [mut one, mut two] = [1, 2].map(|id| Worker::new(WorkerId::new(id), Instant::ZERO, &config));
        for worker in [&mut one, &mut two] {
            let Ok(_) = worker.perform(&mut log, Duration::ZERO, Command::Join(config.clone()));
        }
        let Ok(newer) = log.read(one.head());
        if !newer.is_empty() {
            one.catch_up(&newer);
        }
        Self { log, one, two, profile }
    }

    fn commands(&self, orders: &[Order]) -> VecDeque<Command> {
        orders.iter().filter_map(|order| command(order, self.profile, self.one.pool())).collect()
    }

    /// The other worker does this, having heard everything.
    fn between(&mut self, order: &Order) {
        let Ok(newer) = self.log.read(self.two.head());
        self.two.catch_up(&newer);
        if let Some(command) = command(order, self.profile, self.two.pool()) {
            let Ok(_) = self.two.perform(&mut self.log, UPTIME, command);
        }
    }

    /// Sends what was proposed until it is settled; `between` gets in the way. Gives how many appends were accepted.
    fn settle(&mut self, proposed: Option<Append>, between: &mut impl Iterator<Item = Order>) -> usize {
        let mut next = proposed;
        while let Some(append) = next.take() {
            // Refused as long as there is anything to come between.
            let version = self.log.version();
            while self.log.version() == version
                && let Some(order) = between.next()
            {
                self.between(&order);
            }
            let Ok(answer) = self.log.append(&append);
            match answer {
                Appended::Accepted => {
                    self.one.accepted();
                    return 1;
                }
                Appended::Refused(newer) => {
                    if let Refused::Again(again) = self.one.refused(&newer) {
                        next = Some(again);
                    }
                }
            }
        }
        0
    }

    /// The log, folded with every append questioned.
    fn folded(&self) -> Result<Pool, String> {
        let mut pool = Pool::new(&config(3, 1, self.profile));
        for entry in self.log.entries() {
            pool.try_apply(entry)
                .map_err(|(event, why)| format!("{}, event {event}: {why}", entry.version))?;
        }
        Ok(pool)
    }
}

/// All that one propose_together after the other makes of `orders`, and all that each on its own makes. What gets in the
/// way does so before the first append of either is sent.
fn compare(threshold: u64, profile: Profile, orders: &[Order], between: &[Order]) -> Result<(), String> {
    let mut together = Pair::new(threshold, profile);
    let mut waiting = together.commands(orders);
    let loads = orders.iter().filter(|order| matches!(order, Order::Load(..))).count();
    let (mut appends, mut in_the_way) = (0, between.iter().cloned());
    while !waiting.is_empty() {
        let proposed = together.one.propose_together(UPTIME, &mut waiting);
        appends += together.settle(proposed, &mut in_the_way);
    }
    if appends > 2 * loads + 1 {
        return Err(format!("{appends} appends with {loads} configurations"));
    }
    let mut alone = Pair::new(threshold, profile);
    let mut in_the_way = between.iter().cloned();
    for command in alone.commands(orders) {
        let proposed = alone.one.propose(UPTIME, command);
        alone.settle(proposed, &mut in_the_way);
    }
    let (left, right) = (shown(&together.folded()?), shown(&alone.folded()?));
    if left != right || left != shown(together.one.pool()) {
        return Err(format!("together {left}\n   alone {right}"));
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn commands_together_do_what_they_do_alone(
        orders in vec(order(1), 1..25),
        threshold in 1..4_u64,
        higress: bool,
    ) {
        let profile = if higress { Profile::Higress } else { Profile::Standard };
        compare(threshold, profile, &orders, &[]).map_err(TestCaseError::fail)?;
    }

    /// The first of them is refused until the other worker is done; so the first is one that is proposed.
    #[test]
    fn commands_together_do_what_they_do_alone_whatever_comes_between(
        orders in vec(order(0), 1..25),
        between in vec(order(1), 1..6),
        threshold in 1..4_u64,
        higress: bool,
    ) {
        let profile = if higress { Profile::Higress } else { Profile::Standard };
        let orders: Vec<Order> = [Order::Outcome("c", 429)].into_iter().chain(orders).collect();
        compare(threshold, profile, &orders, &between).map_err(TestCaseError::fail)?;
    }
}

fn failures(pair: &Pair, number: usize) -> VecDeque<Command> {
    pair.commands(&vec![Order::Outcome("a", 429); number])
}

#[test]
fn what_changes_nothing_only_after_others_of_its_append_is_not_lost() {
    let mut pair = Pair::new(2, Profile::Standard);
    pair.between(&Order::Outcome("a", 429));
    let Ok(newer) = pair.log.read(pair.one.head());
    pair.one.catch_up(&newer);
    // The first takes the token out, after which the second changes nothing; but a success comes first.
    let mut waiting = failures(&pair, 2);
    let proposed = pair.one.propose_together(UPTIME, &mut waiting);
    assert_eq!(pair.settle(proposed, &mut [Order::Outcome("a", 200)].into_iter()), 1);
    assert_eq!(pair.one.pool().available_len(), 2, "both failures counted");
}

#[test]
fn as_many_as_may_go_together_go_and_no_more() {
    let mut pair = Pair::new(1_000_000, Profile::Standard);
    let mut waiting = failures(&pair, MOST_TOGETHER + 1);
    let append = pair.one.propose_together(UPTIME, &mut waiting).expect("failures are news");
    assert_eq!((append.events.len(), waiting.len()), (MOST_TOGETHER, 1));
    assert_eq!(pair.settle(Some(append), &mut [].into_iter()), 1);
    let append = pair.one.propose_together(UPTIME, &mut waiting).expect("a failure is news");
    assert_eq!((append.events.len(), waiting.len()), (1, 0));
}

#[test]
fn a_configuration_goes_alone_and_in_its_place() {
    let mut pair = Pair::new(9, Profile::Standard);
    let orders = [
        Order::Outcome("a", 429),
        Order::Load(4, 9),
        Order::Load(3, 9),
        Order::Outcome("a", 429),
        Order::Tick,
    ];
    let mut waiting = pair.commands(&orders);
    let mut left = Vec::new();
    while let Some(append) = pair.one.propose_together(UPTIME, &mut waiting) {
        left.push((append.events.len(), waiting.len()));
        assert_eq!(pair.settle(Some(append), &mut [].into_iter()), 1);
    }
    assert_eq!(left, [(1, 4), (1, 3), (1, 2), (1, 0)]);
}

#[test]
fn what_changes_nothing_is_taken_off_and_the_rest_is_found() {
    let mut pair = Pair::new(9, Profile::Standard);
    let idle = vec![Order::Outcome("a", 200); MOST_TOGETHER + 5];
    let mut waiting = pair.commands(&idle);
    waiting.extend(failures(&pair, 1));
    let append = pair.one.propose_together(UPTIME, &mut waiting).expect("a failure is news");
    assert_eq!((append.events.len(), waiting.len()), (1, 0));
    pair.settle(Some(append), &mut [].into_iter());
    let mut waiting = pair.commands(&[Order::Load(3, 9), Order::Tick]);
    assert_eq!(
        pair.one.propose_together(UPTIME, &mut waiting),
        None,
        "and a configuration in force is one of them"
    );
    assert!(waiting.is_empty() && !pair.one.is_waiting());
}
