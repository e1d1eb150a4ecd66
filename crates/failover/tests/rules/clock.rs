//! A worker's time. Real time is what this file keeps; a worker is told what the wall clock shows when it is made, and
//! from then on what its own steady clock shows.
//!
//! The worlds at the end are random, and are also peopled with [`Wrong`] workers, which differ from the engine's in their
//! clock alone: each way to be wrong must be noticed.

use std::collections::BTreeMap;

use firedrill_failover::{
    Append, Appended, Attempt, Command, Config, Duration, Entry, Event, Head, Instant, Log as _, MemoryLog,
    Pool, Random, Worker, WorkerId,
};

use crate::script::{check, config, instant, lists, status};

/// What a right wall clock shows at the start; far from zero, so that it can be set back by hours.
const EPOCH: u64 = 1_000_000_000;
const COOLDOWN: u64 = 400;
/// Not a part of the cooldown.
const TICK: u64 = 70;

fn rules() -> Config {
    config(&format!("a b c; failureThreshold 1; cooldownDuration {COOLDOWN}"))
}

fn answer(pool: &Pool, label: &str, code: u16) -> Command {
    let token = pool.find(label).expect("a token");
    Command::Outcome { token, status: status(code), attempt: Attempt::First }
}

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

#[test]
fn a_tick_is_held_against_the_time_of_the_removal() {
    check(
        "a b; failureThreshold 1; cooldownDuration 100",
        "@5   a 429 => b | a@5
         @104 tick  => nothing
         @105 tick  => b a |",
    );
}

/// One worker that its wall clock said `wall` to, and that has joined.
fn alone(wall: u64) -> (MemoryLog, Worker) {
    let config = rules();
    let (mut log, mut worker) = (MemoryLog::new(), Worker::new(WorkerId::new(1), instant(wall), &config));
    worker.perform(&mut log, Duration::ZERO, Command::Join(config)).expect("memory");
    (log, worker)
}

#[test]
fn an_append_is_as_late_as_the_uptime_says() {
    let (mut log, mut worker) = alone(EPOCH);
    for uptime in [0, 1, 77, 78, 100_000] {
        for code in [429, 200] {
            let command = answer(worker.pool(), "a", code);
            let command = if worker.pool().available_len() == 3 { command } else { Command::Tick };
            if let Some(entry) = worker.perform(&mut log, millis(uptime), command).expect("memory") {
                assert_eq!(entry.at, instant(EPOCH + uptime));
            }
        }
        assert_eq!(worker.time(millis(uptime)), instant(EPOCH + uptime));
    }
}

#[test]
fn asking_for_the_time_moves_no_clock() {
    let (mut log, mut worker) = alone(EPOCH);
    assert_eq!(worker.time(millis(9_999)), instant(EPOCH + 9_999));
    assert_eq!(worker.time(millis(10)), instant(EPOCH + 10));
    let command = answer(worker.pool(), "a", 429);
    let entry = worker.perform(&mut log, millis(10), command).expect("memory").expect("a failure is news");
    assert_eq!(entry.at, instant(EPOCH + 10));
}

/// Threads bring their readings out of order, by random ages, over and over.
#[test]
fn readings_out_of_order_use_the_highest() {
    for seed in 0..50 {
        let mut random = Random::new(seed, 0);
        let (mut log, mut worker) = alone(EPOCH);
        let (mut highest, mut out_since) = (0, None);
        for now in (1..3_000_u64).step_by(7) {
            let reading = now.saturating_sub(u64::from(random.below(200)));
            highest = highest.max(reading);
            assert_eq!(worker.time(millis(reading)), instant(EPOCH + highest));
            let command = if random.below(2) == 0 { Command::Tick } else { answer(worker.pool(), "a", 429) };
            let entry = worker.perform(&mut log, millis(reading), command).expect("memory");
            for event in entry.iter().flat_map(|entry| &entry.events) {
                match event {
                    Event::Removed { .. } => out_since = Some(highest),
                    _ => assert!(out_since.take().is_some_and(|since| highest >= since + COOLDOWN)),
                }
            }
            assert!(out_since.is_none_or(|since| now < since + COOLDOWN + 600), "it never returns");
            assert!(entry.is_none_or(|entry| entry.at == instant(EPOCH + highest)));
        }
    }
}

/// Two threads read the clock, and the later reading reaches the worker first, by a millisecond, over and over.
#[test]
fn readings_that_take_turns_do_not_add_up() {
    let (mut log, mut worker) = alone(EPOCH);
    let command = answer(worker.pool(), "a", 429);
    worker.perform(&mut log, Duration::ZERO, command).expect("memory");
    for now in 1..COOLDOWN {
        for reading in [now, now - 1] {
            let command = answer(worker.pool(), "b", 200);
            worker.perform(&mut log, millis(reading), command).expect("memory");
        }
    }
    let tick = |worker: &mut Worker, log: &mut MemoryLog, uptime| {
        worker.perform(log, millis(uptime), Command::Tick).expect("memory")
    };
    assert_eq!(tick(&mut worker, &mut log, COOLDOWN - 1), None);
    assert!(tick(&mut worker, &mut log, COOLDOWN).is_some());
}

/// What the one appends tells the other no time that it does not know of already.
#[test]
fn hearing_of_an_append_does_not_make_time_pass_twice() {
    check(
        "a b c; failureThreshold 1; cooldownDuration 1000",
        "@0    w2 join
         @500  a 429    => b c | a@500
         @600  w2 b 429 => c | a@500 b@600
         @1499 w2 tick  => nothing
         @1499 tick     => nothing
         @1500 tick     => c a | b@600",
    );
}

/// It joins, does nothing for long, hears of what the others did meanwhile, and is right when it does something.
#[test]
fn an_idle_worker_keeps_the_time() {
    check(
        "a b c; failureThreshold 1; cooldownDuration 1000",
        "@0     w2 join
         @90000 a 429    => b c | a@90000
         @90500 w2 b 200 => nothing
         @90600 b 429    => c | a@90000 b@90600
         @90999 w2 tick  => nothing
         @91000 w2 tick  => c a | b@90600
         @91599 w2 tick  => nothing
         @91600 w2 tick  => c a b |",
    );
}

/// It reads its clock, is suspended, and goes on with the old reading: refused, it hears of what happened meanwhile.
#[test]
fn a_suspended_worker_takes_what_it_missed_for_the_time_and_no_more() {
    let (mut log, mut one) = alone(EPOCH);
    let mut two = Worker::new(WorkerId::new(2), instant(EPOCH), &rules());
    // Also its joining is suspended: it was proposed at 0 and is sent at 300.
    let join = two.propose(Duration::ZERO, Command::Join(config("a b c d; off"))).expect("news");
    let command = answer(one.pool(), "a", 429);
    one.perform(&mut log, millis(300), command).expect("memory");
    let Ok(Appended::Refused(newer)) = log.append(&join) else { panic!("it has not heard of anything") };
    two.refused(&newer);
    let entry = two.resume(&mut log).expect("memory").expect("another configuration is news");
    assert_eq!(entry.at, instant(EPOCH + 300), "never before what was heard");
    for uptime in [310, 400, 5_000] {
        assert_eq!(two.time(millis(uptime)), instant(EPOCH + uptime), "and not faster from then on");
    }

    // A command of 400 is decided again at 900.
    let append = two.propose(millis(400), Command::Reconfigure(rules())).expect("news");
    one.catch_up(&log.read(one.head()).expect("memory"));
    one.perform(&mut log, millis(900), Command::Reconfigure(config("a b; off"))).expect("memory");
    let Ok(Appended::Refused(newer)) = log.append(&append) else { panic!("it has not heard of anything") };
    two.refused(&newer);
    let entry = two.resume(&mut log).expect("memory").expect("news");
    assert_eq!(entry.at, instant(EPOCH + 900));
    for uptime in [500, 900, 901, 5_000] {
        assert_eq!(two.time(millis(uptime)), instant(EPOCH + uptime.max(900)));
    }
}

/// The very first reading after joining may be as old as any.
#[test]
fn a_first_reading_that_is_old_does_not_make_time_run_fast() {
    let (mut log, mut one) = alone(EPOCH);
    let config = rules();
    let mut two = Worker::new(WorkerId::new(2), instant(EPOCH), &config);
    two.perform(&mut log, Duration::ZERO, Command::Join(config)).expect("memory");
    let command = answer(one.pool(), "a", 429);
    one.perform(&mut log, millis(350), command).expect("memory");
    // One thread read 10, another caught up, and then the first one comes on.
    two.catch_up(&log.read(two.head()).expect("memory"));
    let command = answer(two.pool(), "b", 200);
    two.perform(&mut log, millis(10), command).expect("memory");
    let tick = two.perform(&mut log, millis(411), Command::Tick).expect("memory");
    assert_eq!(tick, None, "61 ms of {COOLDOWN} have passed");
}

#[test]
fn workers_that_take_turns_keep_to_one_time() {
    let config = config("a b c; failureThreshold 9; cooldownDuration 1000");
    let mut log = MemoryLog::new();
    let mut workers = [1, 2].map(|number| Worker::new(WorkerId::new(number), Instant::ZERO, &config));
    for worker in &mut workers {
        worker.perform(&mut log, Duration::ZERO, Command::Join(config.clone())).expect("memory");
    }
    for turn in 1..=20_u16 {
        let worker = &mut workers[usize::from(turn % 2)];
        worker.catch_up(&log.read(worker.head()).expect("memory"));
        let command = answer(worker.pool(), "a", if turn % 2 == 0 { 200 } else { 429 });
        let uptime = millis(u64::from(turn) * 10);
        let entry = worker.perform(&mut log, uptime, command).expect("memory").expect("something happened");
        assert_eq!(entry.at.since(Instant::ZERO), uptime, "both clocks are right, and so is the log's time");
    }
}

/// A worker, as far as this file goes: the engine's, or one that is wrong.
trait Party {
    fn new(number: u64, wall: u64, config: &Config) -> Self;
    fn pool(&self) -> &Pool;
    /// The log's time as it reads it, if its steady clock says `uptime` and the wall clock `wall`.
    fn time(&self, uptime: u64, wall: u64) -> u64;
    fn hear(&mut self, log: &MemoryLog);
    /// Decides a command.
    fn propose(&mut self, uptime: u64, wall: u64, command: Command);
    /// Sends what was decided, if anything was, until that is settled.
    fn send(&mut self, log: &mut MemoryLog) -> Option<Entry>;

    fn perform(&mut self, log: &mut MemoryLog, uptime: u64, wall: u64, command: Command) -> Option<Entry> {
        self.propose(uptime, wall, command);
        self.send(log)
    }
}

impl Party for Worker {
    fn new(number: u64, wall: u64, config: &Config) -> Self {
        Self::new(WorkerId::new(number), instant(wall), config)
    }

    fn pool(&self) -> &Pool {
        self.pool()
    }

    fn time(&self, uptime: u64, _: u64) -> u64 {
        self.time(millis(uptime)).as_millis()
    }

    fn hear(&mut self, log: &MemoryLog) {
        self.catch_up(&log.read(self.head()).expect("memory"));
    }

    fn propose(&mut self, uptime: u64, _: u64, command: Command) {
        self.propose(millis(uptime), command);
    }

    fn send(&mut self, log: &mut MemoryLog) -> Option<Entry> {
        self.resume(log).expect("memory")
    }
}

/// What is wrong with a clock.
const NOTHING: u8 = 0;
const READS_THE_WALL: u8 = 1;
const ADDS_ON_HEARING: u8 = 2;
const MOVES_UP_EVERY_TIME: u8 = 3;
const ADDS_UP_READINGS: u8 = 4;
const NEVER_MOVES_UP: u8 = 5;
const KEEPS_TO_WHAT_IT_HEARD: u8 = 6;

/// A worker with a clock of its own, which has the fault `FAULT`.
#[derive(Clone)]
struct Wrong<const FAULT: u8> {
    id: WorkerId,
    pool: Pool,
    start: u64,
    uptime: u64,
    latest: u64,
    heard: Option<u64>,
    moved_up: bool,
    in_flight: Option<Command>,
}

impl<const FAULT: u8> Wrong<FAULT> {
    fn observe(&mut self, uptime: u64, wall: u64) {
        match FAULT {
            READS_THE_WALL => self.start = wall - uptime,
            ADDS_UP_READINGS => self.uptime += uptime.abs_diff(self.latest),
            _ => {}
        }
        self.latest = uptime;
        self.uptime = if FAULT == READS_THE_WALL { uptime } else { self.uptime.max(uptime) };
        let moves_up = FAULT == MOVES_UP_EVERY_TIME || !self.moved_up && FAULT != NEVER_MOVES_UP;
        if let Some(heard) = self.heard.filter(|_| moves_up) {
            self.start += heard.saturating_sub(self.start + self.uptime);
            self.moved_up = true;
        }
    }

    fn reading(&self) -> u64 {
        match (FAULT, self.heard) {
            (KEEPS_TO_WHAT_IT_HEARD, Some(heard)) => heard + 1,
            (_, heard) => (self.start + self.uptime).max(heard.unwrap_or(0)),
        }
    }

    fn follow(&mut self, entry: &Entry) {
        self.pool.apply(entry);
        let at = entry.at.as_millis();
        if FAULT == ADDS_ON_HEARING {
            self.start += at.saturating_sub(self.reading());
        }
        self.heard = self.heard.max(Some(at));
    }
}

impl<const FAULT: u8> Party for Wrong<FAULT> {
    fn new(number: u64, wall: u64, config: &Config) -> Self {
        Self {
            id: WorkerId::new(number),
            pool: Pool::new(config),
            start: wall,
            uptime: 0,
            latest: 0,
            heard: None,
            moved_up: false,
            in_flight: None,
        }
    }

    fn pool(&self) -> &Pool {
        &self.pool
    }

    fn time(&self, uptime: u64, wall: u64) -> u64 {
        let mut clock = self.clone();
        clock.observe(uptime, wall);
        clock.reading()
    }

    fn hear(&mut self, log: &MemoryLog) {
        for entry in log.read(head(&self.pool, log)).expect("memory").entries {
            self.follow(&entry);
        }
    }

    fn propose(&mut self, uptime: u64, wall: u64, command: Command) {
        self.observe(uptime, wall);
        self.in_flight = Some(command);
    }

    fn send(&mut self, log: &mut MemoryLog) -> Option<Entry> {
        let command = self.in_flight.take()?;
        loop {
            let (at, expected) = (instant(self.reading()), head(&self.pool, log));
            let events = self.pool.decide(self.id, at, &command);
            if events.is_empty() && expected.version == log.version() {
                return None;
            }
            let append = Append { expected, at, by: self.id, proposal: 1, events: events.into() };
            match log.append(&append) {
                Ok(Appended::Refused(_)) => self.hear(log),
                Ok(Appended::Accepted) => {
                    let entry = append.into_entry();
                    self.follow(&entry);
                    return Some(entry);
                }
            }
        }
    }
}

/// A worker that was made after the wall clock was set, in a log that another worker left behind.
struct Restart {
    /// When it was made, in real time, after what was removed at 100.
    made: u64,
    /// What its wall clock is off by.
    off: i64,
    /// How long after it joined it ticks for the first time.
    first: u64,
}

impl Restart {
    /// When, in real time, a tick brings back what was removed at 100; `None` if none does within a minute.
    fn back<P: Party>(&self) -> Option<u64> {
        let (config, mut log) = (rules(), MemoryLog::new());
        let mut gone = P::new(1, EPOCH, &config);
        gone.perform(&mut log, 0, EPOCH, Command::Join(config.clone()));
        let command = answer(gone.pool(), "a", 429);
        gone.perform(&mut log, 100, EPOCH + 100, command);

        let wall = (EPOCH + self.made).checked_add_signed(self.off).expect("after the epoch");
        let mut worker = P::new(2, wall, &config);
        worker.perform(&mut log, 0, wall, Command::Join(config));
        let mut ticks = (self.first..60_000).step_by(usize::try_from(TICK).expect("a short time"));
        let back = ticks.find(|uptime| {
            let entry = worker.perform(&mut log, *uptime, wall + uptime, Command::Tick);
            entry.is_some_and(|entry| matches!(entry.events[..], [Event::Restored { .. }]))
        });
        back.map(|uptime| self.made + uptime)
    }

    /// What is wrong with when that was.
    fn complaint<P: Party>(&self) -> Option<String> {
        let first = self.made + self.first;
        // What the worker should show at its first tick: it is behind, but not behind the log.
        let shown = first.checked_add_signed(self.off).unwrap_or(0).max(100);
        let due = first + (100 + COOLDOWN).saturating_sub(shown);
        let back = self.back::<P>();
        let Self { made, off, first } = self;
        let restart = format!("made at {made}, {off} off, first tick {first} later: back at {back:?}");
        let back = back.unwrap_or(u64::MAX);
        if back < due {
            return Some(format!("{restart}, before {due}"));
        }
        if back >= due + TICK {
            return Some(format!("{restart}, more than a tick after {due}"));
        }
        let bound = made + first + COOLDOWN + TICK;
        (*off <= 0 && !(100 + COOLDOWN..=bound.max(100 + COOLDOWN + TICK)).contains(&back))
            .then(|| format!("{restart}, not from {} to {bound}", 100 + COOLDOWN))
    }

    fn all() -> impl Iterator<Item = Self> {
        let offs = [0, -1, -69, -70, -100, -200, -201, -399, -400, -3_600_000, -900_000_000];
        let forward = [1, 70, 200, 399, 3_600_000];
        let mades = [100, 101, 250, 300, 499, 500, 501, 5_000];
        let restarts = offs.into_iter().chain(forward).flat_map(move |off| mades.map(|made| (made, off)));
        restarts.flat_map(|(made, off)| [0, 1, TICK - 1, TICK].map(|first| Self { made, off, first }))
    }
}

/// By the log's time it waits its whole cooldown, and in real time no longer than that and a tick, from the first command
/// after it joined. If the wall clock was set forward it waits less, by what that is off.
#[test]
fn a_wall_clock_that_was_set_before_a_restart_loses_no_cooldown() {
    for restart in Restart::all() {
        assert_eq!(restart.complaint::<Worker>(), None);
        assert_eq!(restart.complaint::<Wrong<NOTHING>>(), None);
    }
    assert!(Restart::all().any(|restart| restart.complaint::<Wrong<NEVER_MOVES_UP>>().is_some()));
}

/// How the workers of a world are.
#[derive(Copy, Clone, Default)]
struct Nature {
    /// The wall clocks that they are made by differ by up to this.
    apart: u64,
    /// The wall clocks are set while they run.
    set: bool,
}

/// What went wrong in a world, in milliseconds; not above zero if nothing did.
#[derive(Debug)]
struct Worst {
    /// A token was back before its cooldown was over by this.
    early: i64,
    /// A token was back later than its cooldown and a tick by this.
    late: i64,
    /// The time of a worker, or of an append, was ahead of every right one by this.
    ahead: i64,
    /// The time of a worker was behind every right one by this.
    behind: i64,
}

impl Worst {
    fn is_fine(&self) -> bool {
        [self.early, self.late, self.ahead, self.behind].into_iter().all(|worst| worst <= 0)
    }
}

struct Member<P> {
    party: P,
    /// When it is made, in real time.
    made: u64,
    /// What the wall clock is off by when it is made, and now.
    anchor: u64,
    set: i64,
    /// What it is in the middle of: when it goes on, what the reading was that it took, and what it does unless that is
    /// proposed already.
    suspended: Option<(u64, u64, Option<Command>)>,
    /// Whether it has read its clock since it joined.
    has_read: bool,
}

struct World<P> {
    now: u64,
    log: MemoryLog,
    members: Vec<Member<P>>,
    /// For whom is out: when that was told, and when it was appended.
    out: BTreeMap<firedrill_failover::TokenId, (u64, u64)>,
    worst: Worst,
}

/// When they come to rest.
const END: u64 = 2_500;
/// The longest that one is suspended.
const SUSPENDED: u64 = 700;

/// One to five workers for some seconds. Worker 1 is there all the time and ticks; the others come when they come, and
/// fail, succeed, tick, hear of things or do nothing, with readings that are new, old, or from before they were suspended.
fn world<P: Party>(seed: u64, config: &Config, nature: Nature) -> (Worst, MemoryLog) {
    let (mut random, mut walls) = (Random::new(seed, 0), Random::new(seed, 1));
    let mut below = |most: u64| u64::from(random.below(u32::try_from(most).expect("a small number")));
    let worst = Worst { early: i64::MIN, late: i64::MIN, ahead: i64::MIN, behind: i64::MIN };
    let mut world = World { now: 0, log: MemoryLog::new(), members: Vec::new(), out: BTreeMap::new(), worst };
    for number in 1..=below(5) + 1 {
        let made = if number == 1 { 0 } else { below(1_000) };
        let anchor = below(nature.apart + 1);
        let party = P::new(number, EPOCH + made + anchor, config);
        world.members.push(Member { party, made, anchor, set: 0, suspended: None, has_read: false });
    }
    while world.now <= END + SUSPENDED + COOLDOWN + 3 * TICK + nature.apart {
        for place in 0..world.members.len() {
            if nature.set && walls.below(200) == 0 {
                world.members[place].set = i64::from(walls.below(10_000)) - 5_000;
            }
            world.turn(place, &mut below, config);
        }
        world.judge(nature);
        world.now += 1;
    }
    if !world.out.is_empty() {
        world.worst.late = i64::MAX;
    }
    (world.worst, world.log)
}

impl<P: Party> World<P> {
    fn turn(&mut self, place: usize, below: &mut impl FnMut(u64) -> u64, config: &Config) {
        let now = self.now;
        let Some(reading) = now.checked_sub(self.members[place].made) else { return };
        if let Some((until, reading, command)) = self.members[place].suspended.take() {
            if now < until {
                self.members[place].suspended = Some((until, reading, command));
                return;
            }
            if let Some(command) = command {
                self.propose(place, reading, command);
            }
            self.send(place, reading);
            return;
        }
        if reading == 0 {
            self.propose(place, reading, Command::Join(config.clone()));
            if place > 0 && below(3) == 0 {
                self.members[place].suspended = Some((now + below(SUSPENDED), reading, None));
            } else {
                self.send(place, reading);
            }
            return;
        }
        if place == 0 && now.is_multiple_of(TICK) {
            self.members[0].party.hear(&self.log);
            self.propose(0, reading, Command::Tick);
            self.send(0, reading);
        }
        // At the end they come to rest, and so does each for half of its life or more: it is idle.
        if now > END || !(now / 500).is_multiple_of(place as u64 + 1) || below(30) != 0 {
            return;
        }
        let command = match below(8) {
            0 => return self.members[place].party.hear(&self.log),
            1..4 => Command::Tick,
            code @ 4.. => {
                let label = ["a", "b", "c"][usize::try_from(below(3)).expect("a place")];
                answer(self.members[place].party.pool(), label, if code == 4 { 200 } else { 429 })
            }
        };
        match below(6) {
            // It reads its clock and is suspended, before or after it proposes.
            0 if place > 0 => {
                self.members[place].suspended = Some((now + below(SUSPENDED), reading, Some(command)));
            }
            1 if place > 0 => {
                self.propose(place, reading, command);
                self.members[place].suspended = Some((now + below(SUSPENDED), reading, None));
            }
            // Another of its threads has an older reading.
            2 if self.members[place].has_read => {
                let reading = reading.saturating_sub(below(100));
                self.propose(place, reading, command);
                self.send(place, reading);
            }
            _ => {
                self.propose(place, reading, command);
                self.send(place, reading);
            }
        }
    }

    fn propose(&mut self, place: usize, reading: u64, command: Command) {
        let member = &mut self.members[place];
        // A reading that was taken before joining is none of after it.
        member.has_read |= !matches!(command, Command::Join(_));
        let wall = member.wall(reading);
        member.party.propose(reading, wall, command);
    }

    fn send(&mut self, place: usize, reading: u64) {
        let Some(entry) = self.members[place].party.send(&mut self.log) else { return };
        let (told, now) = (self.members[place].made + reading, self.now);
        for event in &entry.events {
            match *event {
                Event::Removed { token, .. } => drop(self.out.insert(token, (told, now))),
                Event::Restored { token, .. } => {
                    let (told, appended) = self.out.remove(&token).expect("who returns was out");
                    let waited = |since: u64| i64::try_from(now - since).expect("a short time");
                    let cooldown = i64::try_from(COOLDOWN).expect("a short time");
                    let tick = i64::try_from(TICK).expect("a short time");
                    self.worst.early = self.worst.early.max(cooldown - waited(told));
                    self.worst.late = self.worst.late.max(waited(appended) - cooldown - tick);
                }
                _ => {}
            }
        }
    }

    /// Holds what every worker takes for the time, and the latest append, against real time.
    fn judge(&mut self, nature: Nature) {
        let behind_by =
            |right: u64, found: u64| i64::try_from(right).expect("ms") - i64::try_from(found).expect("ms");
        let right = EPOCH + self.now;
        for member in self.members.iter().filter(|member| member.made <= self.now) {
            let uptime = self.now - member.made;
            let found = member.party.time(uptime, member.wall(uptime));
            self.worst.ahead = self.worst.ahead.max(behind_by(found, right + nature.apart));
            self.worst.behind = self.worst.behind.max(behind_by(right, found));
        }
        if let Some(entry) = self.log.entries().last() {
            self.worst.ahead = self.worst.ahead.max(behind_by(entry.at.as_millis(), right + nature.apart));
        }
    }
}

impl<P> Member<P> {
    fn wall(&self, uptime: u64) -> u64 {
        (EPOCH + self.made + uptime + self.anchor).checked_add_signed(self.set).expect("after the epoch")
    }
}

const SEEDS: u64 = 60;

#[test]
fn with_clocks_that_agree_the_logs_time_is_real_time_and_every_cooldown_is_kept_to_a_tick() {
    let (config, nature) = (rules(), Nature::default());
    let mut returns = 0;
    for seed in 0..SEEDS {
        let (worst, log) = world::<Worker>(seed, &config, nature);
        assert!(worst.is_fine(), "seed {seed}: {worst:?}");
        let restored = |event: &&Event| matches!(event, Event::Restored { .. });
        returns += log.entries().iter().flat_map(|entry| &entry.events).filter(restored).count();
        let (control, _) = world::<Wrong<NOTHING>>(seed, &config, nature);
        assert!(control.is_fine(), "seed {seed}: {control:?}");
    }
    assert!(returns > 200, "{returns} returns");
}

#[test]
fn a_wall_clock_that_is_set_while_workers_run_changes_nothing() {
    let config = rules();
    let log = |seed, set| world::<Worker>(seed, &config, Nature { set, apart: 0 }).1;
    let wrong = |seed| world::<Wrong<READS_THE_WALL>>(seed, &config, Nature { set: true, apart: 0 }).0;
    for seed in 0..10 {
        assert_eq!(log(seed, true), log(seed, false));
    }
    assert!((0..10).any(|seed| !wrong(seed).is_fine()));
}

#[test]
fn wall_clocks_that_differ_when_workers_are_made_cost_no_more_than_that() {
    let config = rules();
    let (mut early, mut late) = (i64::MIN, i64::MIN);
    for apart in [1, 50, 300] {
        let bound = i64::try_from(apart).expect("a short time");
        for seed in 0..SEEDS / 2 {
            let (worst, _) = world::<Worker>(seed, &config, Nature { apart, set: false });
            assert!(worst.early <= bound && worst.late <= bound, "seed {seed}, {apart} ms apart: {worst:?}");
            assert!(worst.ahead <= 0 && worst.behind <= 0, "seed {seed}, {apart} ms apart: {worst:?}");
            (early, late) = (early.max(worst.early), late.max(worst.late));
        }
    }
    assert!(early > 50 && late > 50, "it costs something both ways: {early} ms early, {late} ms late");
}

/// Whether some world notices that clocks are wrong.
fn noticed<P: Party>() -> bool {
    let config = rules();
    (0..SEEDS).any(|seed| !world::<P>(seed, &config, Nature::default()).0.is_fine())
}

#[test]
fn every_wrong_clock_is_noticed() {
    assert!(noticed::<Wrong<ADDS_ON_HEARING>>());
    assert!(noticed::<Wrong<MOVES_UP_EVERY_TIME>>());
    assert!(noticed::<Wrong<ADDS_UP_READINGS>>());
    assert!(noticed::<Wrong<KEEPS_TO_WHAT_IT_HEARD>>());
}

/// Two workers, `apart` ms apart: the one removes a token and the other brings it back.
#[test]
fn two_workers_apart_are_off_by_that_and_in_that_direction() {
    for (apart, waited) in [(0_i64, COOLDOWN), (100, COOLDOWN - 100), (-100, COOLDOWN + 100)] {
        let (config, mut log) = (rules(), MemoryLog::new());
        let wall = EPOCH.checked_add_signed(apart).expect("after the epoch");
        let mut one = Worker::new(WorkerId::new(1), instant(EPOCH), &config);
        let mut two = Worker::new(WorkerId::new(2), instant(wall), &config);
        // The second is made at the same moment and joins when the log has not gone beyond its clock.
        one.perform(&mut log, Duration::ZERO, Command::Join(config.clone())).expect("memory");
        two.perform(&mut log, millis(200), Command::Join(config)).expect("memory");
        two.perform(&mut log, millis(200), Command::Tick).expect("memory");
        let command = answer(one.pool(), "a", 429);
        one.perform(&mut log, millis(1_000), command).expect("memory");
        two.catch_up(&log.read(two.head()).expect("memory"));
        for uptime in [1_000, 1_000 + waited - 1] {
            assert_eq!(two.perform(&mut log, millis(uptime), Command::Tick), Ok(None), "{apart} ms apart");
        }
        two.perform(&mut log, millis(1_000 + waited), Command::Tick).expect("memory");
        assert_eq!(lists(two.pool()), "b c a |", "{apart} ms apart");
    }
}

/// The append of `log` that `pool` is at.
fn head(pool: &Pool, log: &MemoryLog) -> Head {
    let heard = log.entries().iter().rfind(|entry| entry.version == pool.version());
    heard.map_or(Head::EMPTY, Entry::head)
}
