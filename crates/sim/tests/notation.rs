//! Worlds and schedules as words: they read as they were written, and what is no world says why.

use firedrill_failover::Random;
use firedrill_sim::random::run;
use firedrill_sim::shape::Shape;
use firedrill_sim::{Command, Misread, Order, Property, Setting, log, parse_schedule, schedule_words};

fn world(text: &str) -> Result<Setting, Misread> {
    text.parse()
}

#[test]
fn what_is_written_is_read_again() {
    for seed in 0..2_000 {
        let mut setting = Shape::default().draw(seed);
        if seed % 3 == 0 {
            setting.watch = vec![Property::OneList, Property::Recovers];
        }
        if seed % 5 == 0 {
            setting.programs[0].clear();
        }
        if seed % 7 == 0 {
            let by_hand = Order::ALL.map(|order| Command::Operate(setting.tokens[0], order));
            setting.programs[0].extend(by_hand);
        }
        let text = setting.to_string();
        assert_eq!(world(&text), Ok(setting.clone()), "{text}");
        let (schedule, _) = run::<log::Shared>(&setting, seed);
        let words = schedule_words(&schedule);
        assert_eq!(parse_schedule(&words), Ok(schedule), "{words}");
    }
}

#[test]
fn whatever_is_written_is_read_or_refused() {
    let mut random = Random::new(1, 0);
    for seed in 0..2_000 {
        let mut text: Vec<char> = Shape::default().draw(seed).to_string().chars().collect();
        for _ in 0..=random.below(3) {
            let place = random.below(u32::try_from(text.len()).expect("short")) as usize;
            match random.below(3) {
                0 => drop(text.remove(place)),
                1 => text[place] = ['é', ':', '|', '=', '0', 'z', ' ', ',', '-'][random.below(9) as usize],
                _ => text.truncate(place.max(1)),
            }
        }
        let text: String = text.into_iter().collect();
        match world(&text) {
            // Whatever was read can be run, and is written as a world again.
            Ok(setting) => {
                assert_eq!(world(&setting.to_string()), Ok(setting.clone()), "{text}");
                run::<log::Shared>(&setting, seed);
            }
            Err(misread) => assert!(text.get(misread.place.clone()).is_some(), "{text}: {misread}"),
        }
        let _ = parse_schedule(&text);
    }
}

#[track_caller]
fn check(text: &str, message: &str, found: &str) {
    let misread = world(text).expect_err("it is no world");
    assert_eq!((&*misread.message, &text[misread.place.clone()]), (message, found));
    assert!(!misread.hint.is_empty());
}

#[test]
fn what_is_no_world_says_why_and_where() {
    check("tokens=a", "expected a colon after the rules, found `tokens=a`", "tokens=a");
    check("token=a: tick", "expected a rule, found `token=a`", "token=a");
    check("tokens: tick", "expected a rule, found `tokens`", "tokens");
    check("tokens=aa: tick", "expected tokens, found `aa`", "aa");
    check("tokens=: tick", "expected tokens, found ``", "");
    check("tokens=a tokens=b: tick", "`tokens` is given twice", "tokens");
    check("cooldown=0: tick", "expected a cooldown or `health-check`, found neither", "cooldown=0");
    check("cooldown=1s: tick", "expected a whole number, found `1s`", "1s");
    check("failure-threshold=0: tick", "expected a whole number, found `0`", "0");
    check("moments=50,50: tick", "expected a later moment, found `50`", "50");
    check("ahead=+5: tick", "expected a whole number, found `+5`", "+5");
    check("profile=mine: tick", "expected a profile, found `mine`", "mine");
    check("watch=all: tick", "expected a property, found `all`", "all");
    check("tokens=a: tick | tock", "expected a command, found `tock`", "tock");
    check("tokens=a: a42", "expected a command, found `a42`", "a42");
    check("tokens=a: probe-200", "expected a command, found `probe-200`", "probe-200");
    check("tokens=ab: out-ab", "expected a command, found `out-ab`", "out-ab");
    check("tokens=ab: reset-", "expected tokens, found ``", "");
    check("tokens=a: reload-", "expected tokens, found ``", "");
    check(&format!("tokens=a:{}", " |".repeat(100)), "more than 100 of them", "");
}

#[test]
fn what_is_no_step_says_so() {
    for word in ["x", "1", "0b", "b", "1x", "+1b", "-1b", "1é", "18446744073709551616b"] {
        let text = format!("1b c {word}");
        let misread = parse_schedule(&text).expect_err(word);
        assert_eq!(misread.message, format!("expected a step, found `{word}`"));
        assert_eq!(&text[misread.place], word);
    }
}
