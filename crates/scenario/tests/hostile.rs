//! Input that nobody means well: files too large or too deep, keys misspelt one by one, real API keys in the wrong
//! place, and good scenarios broken at random. Nothing panics, nothing takes long, and no key is ever shown.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::mpsc;

use firedrill_failover::Random;
use firedrill_scenario::{Replay, Scenario, Until, Verdict, run_on_engine};
use firedrill_yaml::{Problem, Source};

const SCENARIO: &str = "\
scenario: a rate-limited token comes back after its cooldown
description: from a night on call
tags: [cooldown]
provider:
  type: openai
  apiTokens: [sk-a, sk-b]
  failover:
    enabled: true
    failureThreshold: 1
    successThreshold: 1
    healthCheckInterval: 100
    healthCheckTimeout: 5000
    healthCheckModel: gpt-4o-mini
    cooldownDuration: 100
    failoverOnStatus: [\"429\"]
    onReload: keep
  retryOnFailure:
    enabled: true
    maxRetries: 1
    retryTimeout: 30000
    retryOnStatus: [\"503\"]
  timeout: 60000
profile: standard
seed: 7
workers: 2
ticks: auto
upstream:
  sk-a: { status: 429, times: 1, then: [200] }
  sk-b: { status: 200, for: 10s }
steps:
  - description: one request, one failure
    request: { worker: 1, draws: sk-a, times: 1, expect: { status: 429, drawn: sk-a, fallback: false, broken: false } }
  - expect: { worker: 1, available: [sk-b], unavailable: { anyOrder: [sk-a] } }
  - expect: { failureCounts: {}, successCounts: {}, unavailableSince: { sk-a: 0s } }
  - expect: { probes: 0, events: [removed sk-a] }
  - advance: 100ms
  - tick: { worker: 1, expect: {} }
  - clockBack: 1ms
  - outcome: { worker: 1, token: sk-b, status: 429, retry: false, times: 1, expect: { unavailable: [sk-b] } }
  - probe: { token: sk-b, status: timeout, expect: {} }
  - concurrently: [request, request]
  - reconfigure: { worker: 1, provider: { apiTokens: [sk-a] }, expect: {} }
  - stop: 2
  - always: every token is in exactly one list
";

fn parse(text: &str) -> Result<Scenario, Vec<Problem>> {
    Scenario::parse(&Source::new("drill.yaml", text))
}

/// `SCENARIO` with the one place where `from` stands replaced.
#[track_caller]
fn with(from: &str, to: &str) -> String {
    assert_eq!(SCENARIO.matches(from).count(), 1, "{from}");
    SCENARIO.replacen(from, to, 1)
}

/// What is wrong with `text`, in one line; the first, if it is several things.
#[track_caller]
fn first_problem(text: &str) -> String {
    parse(text).expect_err("nothing is wrong with it")[0].to_string()
}

#[track_caller]
fn check_refused(text: &str, expect: &str) {
    assert_eq!(first_problem(text), expect);
}

#[test]
fn the_scenario_to_break_is_whole() {
    parse(SCENARIO).expect("a good scenario");
}

/// A key where it stands, and how it may be misspelt.
const MISSPELT: [(&str, &str); 64] = [
    ("scenario: a", "scenari"),
    ("description: from", "descripton"),
    ("tags: [c", "tag"),
    ("provider:\n", "providers"),
    ("profile: s", "profil"),
    ("seed: 7", "seeds"),
    ("workers: 2", "worker"),
    ("ticks: a", "tick"),
    ("upstream:", "up_stream"),
    ("steps:", "step"),
    ("apiTokens: [sk-a, sk-b]", "api_tokens"),
    ("failover:", "failOver"),
    ("retryOnFailure:", "retry_on_failure"),
    ("enabled: true\n    fail", "enable"),
    ("failureThreshold:", "failure_threshold"),
    ("successThreshold:", "sucessThreshold"),
    ("healthCheckInterval:", "healthcheckInterval"),
    ("healthCheckTimeout:", "healthCheckTimeOut"),
    ("healthCheckModel:", "health-check-model"),
    ("cooldownDuration:", "coolDownDuration"),
    ("failoverOnStatus:", "failoverOnStatuses"),
    ("onReload:", "on_reload"),
    ("enabled: true\n    max", "Enabled"),
    ("maxRetries:", "maxRetrys"),
    ("retryTimeout:", "retryTimeOut"),
    ("retryOnStatus:", "retry_on_status"),
    ("timeout: 6", "timeOut"),
    ("status: 429, times: 1, then", "state"),
    ("times: 1, then", "time"),
    ("then: [", "the"),
    ("for: 10s", "fro"),
    ("description: one", "Description"),
    ("request: { worker: 1, d", "requests"),
    ("worker: 1, draws", "workers"),
    ("draws:", "draw"),
    ("times: 1, expect: { status", "time"),
    ("expect: { status", "expects"),
    ("status: 429, drawn", "Status"),
    ("drawn:", "drawns"),
    ("fallback:", "fall_back"),
    ("broken:", "broke"),
    ("worker: 1, avail", "workr"),
    ("available: [sk-b], un", "availabel"),
    ("unavailable: { any", "unavailible"),
    ("anyOrder:", "any_order"),
    ("failureCounts:", "failureCount"),
    ("successCounts:", "success_counts"),
    ("unavailableSince:", "unavailable_since"),
    ("probes: 0", "probe"),
    ("events: [", "event"),
    ("advance:", "advanced"),
    ("tick: { w", "Tick"),
    ("worker: 1, expect: {} }\n  - clock", "worker_"),
    ("clockBack:", "clock_back"),
    ("outcome:", "outcom"),
    ("token: sk-b, status: 429", "tokens"),
    ("status: 429, retry", "statuss"),
    ("retry: false", "retrys"),
    ("probe: {", "prob"),
    ("concurrently:", "concurently"),
    ("reconfigure:", "reconfig"),
    ("provider: { ", "Provider"),
    ("stop: 2", "stopp"),
    ("always:", "alway"),
];

#[test]
fn every_key_may_be_misspelt_and_the_right_one_is_named() {
    for (place, wrong) in MISSPELT {
        let (key, _) = place.split_once(':').expect("a key and what follows it");
        let text = with(place, &place.replacen(key, wrong, 1));
        let at = SCENARIO.find(place).expect("it stands there");
        let line = SCENARIO[..at].matches('\n').count() + 1;
        let column = at - SCENARIO[..at].rfind('\n').map_or(0, |newline| newline + 1) + 1;
        let expect = format!("drill.yaml:{line}:{column}: unknown key `{wrong}` (did you mean `{key}`?)");
        assert_eq!(first_problem(&text), expect);
    }
}

/// The keys of a Higress provider that have nothing to do with failover: none is mistaken for one that has.
const UNRELATED: &str = "id protocol modelMapping context contextCleanupCommands customSettings basePath \
    basePathHandling capabilities reasoningContentMode subProviders providerDomain providerBasePath \
    mergeConsecutiveMessages openaiCustomUrl moonshotFileId azureServiceUrl qwenFileIds qwenEnableSearch \
    qwenEnableCompatible qwenDomain ollamaServerHost ollamaServerPort hunyuanAuthId hunyuanAuthKey \
    minimaxApiType minimaxGroupId claudeVersion geminiApiVersion geminiSafetySetting geminiThinkingBudget \
    apiVersion cloudflareAccountId targetLang difyApiUrl botType inputVariable outputVariable \
    awsAccessKey awsSecretKey awsRegion bedrockAdditionalFields vertexProjectId vertexRegion vertexAuthKey \
    vertexAuthServiceName vertexTokenRefreshAhead responseJsonSchema tritonModelVersion tritonDomain \
    genericHost firstByteTimeout requestTimeout comment";

#[test]
fn what_has_nothing_to_do_with_failover_is_let_through() {
    for key in UNRELATED.split_whitespace() {
        let scenario = parse(&with("type: openai", &format!("{key}: [1, {{ a: b }}]"))).expect(key);
        assert_eq!(scenario.ignored[0].value, key);
    }
}

#[test]
fn what_belongs_elsewhere_is_no_surprise() {
    for (key, home) in [
        ("failureThreshold", "failover"),
        ("successThreshold", "failover"),
        ("healthCheckInterval", "failover"),
        ("healthCheckTimeout", "failover"),
        ("healthCheckModel", "failover"),
        ("cooldownDuration", "failover"),
        ("failoverOnStatus", "failover"),
        ("onReload", "failover"),
        ("maxRetries", "retryOnFailure"),
        ("retryTimeout", "retryOnFailure"),
        ("retryOnStatus", "retryOnFailure"),
    ] {
        check_refused(
            &with("type: openai", &format!("{key}: 3")),
            &format!("drill.yaml:5:3: `{key}` has no effect here (it belongs under `{home}`)"),
        );
    }
    for key in ["scenario", "provider", "profile", "seed", "workers", "ticks", "upstream", "steps"] {
        check_refused(
            &with("type: openai", &format!("{key}: 3")),
            &format!(
                "drill.yaml:5:3: `{key}` has no effect in a provider block (it belongs beside `provider`: \
                 indent it less)"
            ),
        );
    }
}

#[test]
fn nothing_written_is_as_good_as_absent() {
    for nothing in ["", "~", "null", "0"] {
        let text = with("failureThreshold: 1", &format!("failureThreshold: {nothing}"));
        let scenario = parse(&text).expect("0 or absent means the default");
        let failover = scenario.config.policy().failover().expect("failover is on");
        assert_eq!(failover.failure_threshold().get(), 3);
    }
}

#[test]
fn a_byte_order_mark_and_windows_line_ends_do_no_harm() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("bom.yaml");
    fs::write(&path, format!("\u{feff}{}", SCENARIO.replace('\n', "\r\n"))).expect("written");
    Scenario::parse(&Source::read(&path).expect("it can be read")).expect("a good scenario");
}

#[test]
fn a_file_of_50_megabytes_is_refused_unread() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("large.yaml");
    let mut text = SCENARIO.to_owned();
    while text.len() < 50 << 20 {
        text.push_str("# and so on, and so on, and so on, and so on, and so on, and so on\n");
    }
    fs::write(&path, &text).expect("written");
    let problem = Source::read(&path).expect_err("it is too large");
    let expect = format!("{}: the file is larger than 1 MiB (split it into several files)", path.display());
    assert_eq!(problem.to_string(), expect);
    let problem = parse(&text).expect_err("it is too large")[0].to_string();
    assert_eq!(problem, "drill.yaml: the file is larger than 1 MiB (split it into several files)");

    let mut replay = Replay::new("large.jsonl", text.as_bytes(), Until::End);
    let damage = replay.next_append().expect_err("it is no log");
    assert!(damage.problem.to_string().starts_with("large.jsonl:1:1: expected the header of a log"));
}

#[test]
fn what_is_not_there_and_what_is_no_file_is_said() {
    let folder = tempfile::tempdir().expect("a folder");
    let said = |path: &Path| Source::read(path).expect_err("no file").message().to_owned();
    assert_eq!(said(folder.path()), "expected a file, found a directory");
    assert_eq!(said(&folder.path().join("none.yaml")), "no such file");
}

#[test]
fn brackets_a_thousand_deep_are_refused() {
    for (open, close) in [("[", "]"), ("{ a: ", " }"), ("[{ then: ", " }]")] {
        let deep = format!("{}1{}", open.repeat(1_000), close.repeat(1_000));
        for place in ["type: openai", "seed: 7", "stop: 2"] {
            let (key, _) = place.split_once(':').expect("a key");
            let problem = first_problem(&with(place, &format!("{key}: {deep}")));
            let known = ["lists and maps stand", "expected ", "unknown key"];
            assert!(known.iter().any(|known| problem.contains(known)), "{problem}");
        }
        first_problem(&deep);
        first_problem(&open.repeat(100_000));
    }
    let mut then = "200".to_owned();
    for _ in 0..100 {
        then = format!("{{ status: 503, times: 1, then: {then} }}");
    }
    let problem = first_problem(&with("{ status: 200, for: 10s }", &then));
    assert!(problem.contains("lists and maps stand more than 32 deep in each other"), "{problem}");
}

#[test]
fn more_than_a_rehearsal_needs_is_refused() {
    let tokens = |count: usize| (0..count).map(|token| format!("t{token}")).collect::<Vec<_>>().join(", ");
    check_refused(
        &with("[sk-a, sk-b]", &format!("[{}, sk-a, sk-b]", tokens(999))),
        "drill.yaml:6:5905: expected at most 1000 tokens, found 1001",
    );
    let at_once = "request, ".repeat(1_000);
    check_refused(
        &with("[request, request]", &format!("[{at_once}request]")),
        "drill.yaml:41:5: expected at most 1000 steps, found 1001",
    );
    check_refused(
        &with("advance: 100ms", "advance: 87601h"),
        "drill.yaml:36:5: expected at most 87600h to pass in all, found 87601h",
    );
    let many: String = (0..200).map(|token| format!("sk-{token}, ")).collect::<Vec<_>>().concat();
    check_refused(
        &with("apiTokens: [sk-a, ", &format!("apiTokens: [{many}sk-a, "))
            .replace("maxRetries: 1", "maxRetries: 4000000000")
            .replace("times: 1, expect: { status", "times: 1000, expect: { status"),
        "drill.yaml:31:5: expected at most 100000 actions in all steps, found 202000 (lower `times` or \
         `maxRetries`, or split the scenario)",
    );
    let steps = "  - tick\n".repeat(10_000);
    let text = with("  - advance: 100ms\n", &steps)
        .replace("[sk-a, sk-b]", &format!("[{}, sk-a, sk-b]", tokens(254)));
    let problem = first_problem(&text);
    assert!(problem.contains("`always` would look at 5126144 tokens, at most 5000000 can be"), "{problem}");
}

#[test]
fn a_run_without_end_is_stopped() {
    let text = "
scenario: probes without end
provider:
  apiTokens: [sk-a, sk-b]
  failover: { enabled: true, failureThreshold: 1, healthCheckModel: m, healthCheckInterval: 1 }
upstream: { default: 503 }
steps:
  - request: { draws: sk-a }
  - advance: 1000h
";
    let scenario = parse(text).expect("a good scenario");
    let Verdict::Failed(failure) = run_on_engine(&scenario, None).verdict else { panic!("it passed") };
    let shown = failure.render(&scenario, false);
    assert!(shown.contains("the log has more than 100000 appends: advance less"), "{shown}");
    assert!(shown.lines().count() < 80, "{shown}");
}

#[test]
fn saying_it_again_costs_nothing() {
    let again = "  - always: every token is in exactly one list\n".repeat(3);
    let scenario = parse(&format!("{SCENARIO}{again}")).expect("a good scenario");
    let once = scenario.steps.iter().filter(|step| {
        matches!(&step.kind, firedrill_scenario::StepKind::Always(invariants) if !invariants.is_empty())
    });
    assert_eq!(once.count(), 1);
}

/// Made up, but by the rules of those who issue real ones.
const KEYS: [&str; 4] = [
    "sk-proj-Zk3vR8mQ1tXw6Yb0Lc9Nf4Hd7Js2Pg5Ua-Eo8Ti3Kr6Wq1Mx",
    "sk-ant-api03-Qw7Er4Ty1Ui8Op5As2Df9Gh6Jk3Lz0Xc-Vb4Nm1Qa8Ws5Ed2Rf9Tg6-AA",
    "AIzaSyB4k9Zq2Wx7Lm5Nv8Rt3Yp6Ud1Hf0Gs4Jc",
    "gsk_9fK2mX7pQ4wE1rT8yU5iO3aS6dF0gH2jK4lZ7xC9vB1n",
];

/// A mistake, with `KEY` where a key was pasted: on the line of the mistake and round it.
const LEAKS: [(&str, &str); 22] = [
    ("apiTokens: [sk-a, sk-b]", "apiTokens: [KEY, sk-a, sk-b, KEY]"),
    ("apiTokens: [sk-a, sk-b]", "apiTokens: [KEY, sk-a, sk-b, 12]"),
    ("apiTokens: [sk-a, sk-b]", "apiTokens: [KEY, sk-a, sk-b"),
    ("apiTokens: [sk-a, sk-b]", "apiTokens: [\"KEY, sk-a, sk-b]"),
    ("apiTokens: [sk-a, sk-b]", "apiTokens: KEY"),
    ("apiTokens: [sk-a, sk-b]", "apiTokens: [sk-a, sk-b, {KEY: KEY}]"),
    ("apiTokens: [sk-a, sk-b]", "apiTokens: [sk-a, sk-b, Bearer KEY, Bearer KEY]"),
    ("apiTokens: [sk-a, sk-b]", "apiTokens:KEY"),
    ("apiTokens: [sk-a, sk-b]", "KEY"),
    ("apiTokens: [sk-a, sk-b]", "apiToken: [KEY] # KEY"),
    ("apiTokens: [sk-a, sk-b]", "apiTokens: [*KEY, &KEY sk-a, !KEY sk-b]"),
    ("apiTokens: [sk-a, sk-b]", "apiTokens:\n\t- KEY\n\t- KEY"),
    ("type: openai", "type: openai # KEY\n  KEY: KEY\n  KEY: KEY"),
    ("draws: sk-a", "draws: KEY"),
    ("draws: sk-a", "KEY: sk-a"),
    ("failureThreshold: 1", "failureThreshold: KEY"),
    ("failoverOnStatus: [\"429\"]", "failoverOnStatus: [\"KEY(\"]"),
    ("  sk-a: { status: 429, times: 1, then: [200] }", "  KEY: [200]\n  sk-a: { status: 42 }"),
    ("[removed sk-a]", "[removed KEY, KEY, KEY sk-a]"),
    ("always: every", "always: KEY every"),
    ("stop: 2", "KEY: 2"),
    ("advance: 100ms", "advance: KEY"),
];

/// Every way to print a problem.
fn shown(problem: &Problem, source: &Source) -> String {
    let json = serde_json::to_string(problem).expect("it can be written");
    let mut text = format!("{problem}\n{problem:?}\n{json}\n");
    for rendered in
        [problem.render(Some(source), false), problem.render(Some(source), true), problem.render(None, false)]
    {
        text.push_str(&rendered);
        text.push('\n');
    }
    text
}

/// Twelve characters of `key` in a row that stand in `text`. The prefix tells whose key it is and is no secret.
fn leaked<'a>(text: &str, key: &'a str) -> Option<&'a str> {
    let prefix =
        ["sk-proj-", "sk-ant-api03-", "AIza", "gsk_"].into_iter().find(|prefix| key.starts_with(prefix));
    let secret = &key[prefix.map_or(0, str::len)..];
    (0..=secret.len() - 12).map(|at| &secret[at..at + 12]).find(|part| text.contains(part))
}

fn secret(key: &str) -> &str {
    let prefixes = ["sk-proj-", "sk-ant-api03-", "AIza", "gsk_"];
    prefixes.iter().find_map(|prefix| key.strip_prefix(prefix)).expect("a known prefix")
}

#[test]
fn no_mistake_shows_a_key() {
    for key in KEYS {
        for (from, to) in LEAKS {
            let text = with(from, &to.replace("KEY", key));
            let source = Source::new("drill.yaml", text.as_str());
            assert!(leaked(source.text(), key).is_some(), "the search finds what is there");
            let problems = Scenario::parse(&source).expect_err(to);
            for problem in &problems {
                let text = shown(problem, &source);
                assert_eq!(leaked(&text, key), None, "{to}:\n{text}");
            }
        }
    }
}

#[test]
fn the_search_for_keys_finds_one_that_is_shown() {
    for key in KEYS {
        let start = key.len() - secret(key).len();
        assert_eq!(leaked(&format!("unknown token `{key}`"), key), Some(&key[start..start + 12]));
        let half = &key[start + 3..start + 20];
        assert!(leaked(&format!("unknown token `{half}...`"), key).is_some());
        assert_eq!(leaked("unknown token `sk-a`", key), None);
    }
}

#[test]
fn a_scenario_with_real_keys_warns_runs_and_shows_none() {
    for key in KEYS {
        let text = SCENARIO.replace("sk-a", key);
        let source = Source::new("drill.yaml", text.as_str());
        let scenario = Scenario::parse(&source).expect("a warning is no error");
        assert_eq!(
            scenario.warnings[0].message().split(',').next(),
            Some("this token looks like a real key")
        );
        let run = run_on_engine(&scenario, None);
        let mut text: String = scenario.warnings.iter().map(|warning| shown(warning, &source)).collect();
        write!(text, "{:?}", run.history).expect("it can be written");
        if let Verdict::Failed(failure) = &run.verdict {
            text.push_str(&failure.render(&scenario, false));
        }
        assert_eq!(leaked(&text, key), None, "{text}");
    }
}

#[test]
fn no_damaged_log_shows_a_key() {
    for key in KEYS {
        for (label, damage) in
            [("sk-a", "failed"), ("sk-a", "at"), ("KEY", "by"), ("KEY", "sk-a\""), ("KEY", "}]}")]
        {
            let log = fs::read_to_string(fixtures().join("logs/last-line-truncated.jsonl")).expect("a log");
            let log = log.replace(label, key).replacen(damage, &format!("{damage}{key}"), 3);
            let mut replay = Replay::new("log.jsonl", log.as_bytes(), Until::End);
            let damage = std::iter::repeat_with(|| replay.next_append())
                .find_map(|next| match next {
                    Ok(Some(_)) => None,
                    Ok(None) => panic!("nothing is wrong with it"),
                    Err(damage) => Some(damage),
                })
                .expect("an iterator without end");
            let mut text = format!("{damage:?}{}{}", damage.render(false), damage.render(true));
            text.push_str(&serde_json::to_string(&damage.problem).expect("it can be written"));
            assert_eq!(leaked(&text, key), None, "{text}");
        }
    }
}

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/bad")
}

/// Every `.yaml` file in `folder` and below.
fn collect(folder: &Path, found: &mut Vec<String>) {
    let entries = fs::read_dir(folder).expect("a folder");
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    for path in paths {
        if path.is_dir() {
            collect(&path, found);
        } else if path.extension().is_some_and(|end| end == "yaml") {
            found.extend(String::from_utf8(fs::read(&path).expect("it can be read")));
        }
    }
}

/// What means something, to be put where it should not be.
const PIECES: [&str; 40] = [
    "\n",
    "\n  ",
    "\t",
    ": ",
    ":",
    "- ",
    "[",
    "]",
    "{",
    "}",
    ",",
    "\"",
    "'",
    "#",
    "&a ",
    "*a",
    "!x ",
    "|",
    ">",
    "~",
    "0",
    "1",
    "-1",
    "2.9",
    "1e30",
    "99999999999",
    "18446744073709551615",
    "429",
    "1ms",
    "1h",
    "87600h",
    "-5s",
    "tick",
    "request",
    "default",
    "sk-a",
    "sk-b",
    "é",
    "\u{202e}",
    "\u{0}",
];

struct Mutator {
    random: Random,
    corpus: Vec<String>,
}

impl Mutator {
    fn below(&mut self, bound: usize) -> usize {
        self.random.below(u32::try_from(bound.max(1)).expect("small")) as usize
    }

    fn boundary(&mut self, text: &str) -> usize {
        let at = self.below(text.len() + 1);
        (0..=at).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
    }

    fn line(&mut self, text: &str) -> String {
        let lines: Vec<&str> = text.lines().collect();
        let index = self.below(lines.len());
        lines.get(index).map(|line| (*line).to_owned()).unwrap_or_default()
    }

    fn mutated(&mut self) -> String {
        let index = self.below(self.corpus.len());
        let mut text = self.corpus[index].clone();
        for _ in 0..=self.below(3) {
            self.mutate(&mut text);
        }
        text
    }

    fn mutate(&mut self, text: &mut String) {
        let at = self.boundary(text);
        match self.below(8) {
            0 => drop(
                text.drain(at..(at + 1..=text.len()).find(|end| text.is_char_boundary(*end)).unwrap_or(at)),
            ),
            1 => text.insert_str(at, PIECES[self.below(PIECES.len())]),
            2 => text.truncate(at),
            3 => {
                let index = self.below(self.corpus.len());
                let other = self.corpus[index].clone();
                let line = self.line(&other);
                let start = text[..at].rfind('\n').map_or(0, |newline| newline + 1);
                text.insert_str(start, &format!("{line}\n"));
            }
            4 => {
                let line = self.line(text);
                *text = text.replacen(&format!("{line}\n"), "", 1);
            }
            5 => {
                let (one, other) = (self.line(text), self.line(text));
                *text =
                    text.replacen(&one, "\u{1}", 1).replacen(&other, &one, 1).replacen('\u{1}', &other, 1);
            }
            // A number or a word for another: what is left parses most often, and runs.
            6 => {
                let digits: Vec<(usize, &str)> = text.match_indices(|c: char| c.is_ascii_digit()).collect();
                if let Some(&(at, _)) = digits.get(self.below(digits.len())) {
                    text.replace_range(at..=at, PIECES[20 + self.below(12)]);
                }
            }
            _ => {
                let words: Vec<String> =
                    text.split([' ', '\n', '[', ']', ',', ':']).map(str::to_owned).collect();
                let (one, other) = (self.below(words.len()), self.below(words.len()));
                if !words[one].is_empty() {
                    *text = text.replacen(words[one].as_str(), &words[other], 1);
                }
            }
        }
    }
}

/// Cases; a few thousand take some seconds without optimization.
const CASES: usize = 2_000;

#[test]
fn whatever_is_done_to_a_good_scenario_it_is_read_or_refused_and_run_to_its_end() {
    let mut mutator = Mutator { random: Random::new(20_260_727, 1), corpus: good_scenarios() };
    let ran = all_come_to_an_end(move || mutator.mutated(), read_and_run);
    assert!(ran > CASES / 10, "only {ran} of {CASES} were still scenarios");
}

#[test]
fn whatever_is_done_to_a_good_log_it_is_told_or_refused() {
    let logs = good_scenarios().into_iter().map(|text| {
        let scenario = parse(&text).expect("a good scenario");
        run_on_engine(&scenario, None).history.wire.join("\n")
    });
    let mut mutator = Mutator { random: Random::new(20_260_727, 2), corpus: logs.collect() };
    let told = all_come_to_an_end(move || mutator.mutated(), replay);
    assert!(told > CASES / 100, "only {told} of {CASES} were still logs");
}

fn good_scenarios() -> Vec<String> {
    let mut corpus = vec![SCENARIO.to_owned()];
    collect(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scenarios"), &mut corpus);
    corpus
}

/// Does `each` to as many texts as there are cases. Gives how many times it said yes.
fn all_come_to_an_end(mut next: impl FnMut() -> String + Send + 'static, each: fn(&str) -> bool) -> usize {
    let (send, receive) = mpsc::channel();
    let worker = std::thread::spawn(move || {
        let mut good = 0_usize;
        for _ in 0..CASES {
            let text = next();
            send.send(text.clone()).expect("somebody listens");
            good += usize::from(each(&text));
        }
        good
    });
    // One case may not take as long as all of them should.
    let mut last = String::new();
    loop {
        match receive.recv_timeout(std::time::Duration::from_secs(30)) {
            Ok(text) => last = text,
            Err(mpsc::RecvTimeoutError::Timeout) => panic!("this does not come to an end:\n{last}"),
            Err(mpsc::RecvTimeoutError::Disconnected) => {
                return worker.join().unwrap_or_else(|_| panic!("this panicked:\n{last}"));
            }
        }
    }
}

/// Whether nothing was wrong with it.
fn replay(text: &str) -> bool {
    let mut replay = Replay::new("log.jsonl", text.as_bytes(), Until::End);
    loop {
        match replay.next_append() {
            Ok(Some(append)) => assert!(!append.events.is_empty()),
            Ok(None) => return true,
            Err(damage) => {
                let plain = damage.render(false);
                assert!(!plain.contains(|c: char| c.is_control() && c != '\n'), "{plain:?}");
                return false;
            }
        }
    }
}

/// Whether it could be run.
fn read_and_run(text: &str) -> bool {
    let source = Source::new("drill.yaml", text);
    match Scenario::parse(&source) {
        Ok(scenario) => {
            for warning in &scenario.warnings {
                check_printed(warning, &source);
            }
            let run = run_on_engine(&scenario, None);
            if let Verdict::Failed(failure) = &run.verdict {
                assert!(!failure.render(&scenario, false).is_empty());
            }
            true
        }
        Err(problems) => {
            assert!(!problems.is_empty());
            for problem in &problems {
                check_printed(problem, &source);
            }
            false
        }
    }
}

fn check_printed(problem: &Problem, source: &Source) {
    let plain = problem.render(Some(source), false);
    assert!(!plain.contains(|c: char| c.is_control() && c != '\n'), "{plain:?}");
    assert!(!problem.render(None, true).is_empty());
    if let Some(place) = problem.place() {
        assert!(source.text().get(place.start..place.end).is_some(), "{problem}");
    }
}
