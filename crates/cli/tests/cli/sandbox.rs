//! A folder of its own for a test, and the binary run in it.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use assert_cmd::cargo::cargo_bin_cmd;
use tempfile::TempDir;

use crate::search::{Search, listed};

/// Nothing that the binary prints shows one of these.
static SEARCH: LazyLock<Search> = LazyLock::new(|| Search::new(listed()));

/// What the tests know as good: it passes.
pub(crate) const PASSES: &str = "\
scenario: a rate-limited token comes back
tags: [cooldown, start]
provider:
  apiTokens: [sk-a, sk-b]
  failover: { enabled: true, failureThreshold: 1, cooldownDuration: 100 }
upstream: { sk-a: [429, 200] }
steps:
  - request: { draws: sk-a }
  - advance: 5s
  - expect: { available: [sk-b, sk-a] }
";

/// It fails at its last step.
pub(crate) const FAILS: &str = "\
scenario: one failure takes a token out
tags: [threshold]
provider:
  apiTokens: [sk-a, sk-b]
  failover: { enabled: true, failureThreshold: 2, cooldownDuration: 100 }
upstream: { sk-a: [429, 200] }
steps:
  - request: { draws: sk-a }
  - expect: { available: [sk-b], unavailable: [sk-a] }
";

/// It has a misspelt key.
pub(crate) const UNUSABLE: &str = "\
scenario: a key is misspelt
provider:
  apiTokens: [sk-a]
  failover: { enabled: true, failureTreshold: 2, cooldownDuration: 100 }
steps: [tick]
";

pub(crate) struct Sandbox(TempDir);

/// What a run of the binary left.
pub(crate) struct Ran {
    args: String,
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Sandbox {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    /// With a scenario of each kind.
    pub(crate) fn with_scenarios() -> Self {
        let sandbox = Self::new();
        sandbox.write("scenarios/passes.yaml", PASSES);
        sandbox.write("scenarios/deep/fails.yaml", FAILS);
        sandbox.write("scenarios/unusable.yaml", UNUSABLE);
        sandbox
    }

    /// With a log of three appends, as `log.jsonl`; gives its lines, header first.
    pub(crate) fn with_log() -> (Self, Vec<String>) {
        let sandbox = Self::new();
        sandbox.write("a.yaml", PASSES);
        assert_eq!(sandbox.run("run a.yaml --log .").code, 0);
        let log = sandbox.read("a.yaml.jsonl");
        sandbox.write("log.jsonl", &log);
        (sandbox, log.lines().map(str::to_owned).collect())
    }

    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.0.path().join(path)
    }

    pub(crate) fn write(&self, path: &str, text: impl AsRef<[u8]>) {
        let path = self.path(path);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        std::fs::write(path, text).expect("written");
    }

    #[track_caller]
    pub(crate) fn read(&self, path: &str) -> String {
        std::fs::read_to_string(self.path(path)).expect(path)
    }

    /// Runs the binary with words that stand between blanks.
    pub(crate) fn run(&self, args: &str) -> Ran {
        run_in(self.0.path(), args, &[], "")
    }

    pub(crate) fn run_with(&self, args: &str, env: &[(&str, &str)], stdin: &str) -> Ran {
        run_in(self.0.path(), args, env, stdin)
    }
}

/// Runs the binary where the repository is, or wherever.
pub(crate) fn run_in(folder: &Path, args: &str, env: &[(&str, &str)], stdin: &str) -> Ran {
    let words: Vec<&str> = args.split_whitespace().collect();
    run_with_words(folder, &words, env, stdin)
}

/// Runs the binary with words that may hold blanks.
pub(crate) fn run_words(folder: &Path, args: &[impl AsRef<str>]) -> Ran {
    let words: Vec<&str> = args.iter().map(AsRef::as_ref).collect();
    run_with_words(folder, &words, &[], "")
}

fn run_with_words(folder: &Path, args: &[&str], env: &[(&str, &str)], stdin: &str) -> Ran {
    let mut command = cargo_bin_cmd!("firedrill");
    for variable in ["NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "COLUMNS", "TERM"] {
        command.env_remove(variable);
    }
    command.envs(env.iter().copied()).current_dir(folder).args(args);
    let output = command.write_stdin(stdin).output().expect("it starts");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    let ran = Ran {
        args: args.join(" "),
        code: output.status.code().expect("no signal"),
        out: text(output.stdout),
        err: text(output.stderr),
    };
    assert!(!ran.err.contains("panicked"), "{ran}");
    SEARCH.assert_hidden("what was printed", &ran.out);
    SEARCH.assert_hidden("what was printed as an error", &ran.err);
    ran
}

/// Where the repository is.
pub(crate) fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

impl fmt::Display for Ran {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { args, code, out, err } = self;
        write!(f, "$ firedrill {args}\n{out}")?;
        if !err.is_empty() {
            write!(f, "--- standard error\n{err}")?;
        }
        write!(f, "--- exit code {code}")
    }
}

/// Compares what was printed with a snapshot, whatever time it took.
#[macro_export]
macro_rules! assert_printed {
    ($name:literal, $ran:expr) => {
        insta::with_settings!({
            prepend_module_to_snapshot => false,
            omit_expression => true,
            filters => [
                (r"in \d+ ms|in \d+\.\d s", "in [time]"),
                (r#""milliseconds": \d+"#, r#""milliseconds": [time]"#),
                (r#"time="[0-9.]+""#, r#"time="[time]""#),
            ],
        }, {
            insta::assert_snapshot!($name, $ran);
        });
    };
}
