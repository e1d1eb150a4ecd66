//! The scenario that `firedrill new` writes: one that passes, with a comment wherever a reader may ask why.

use std::fmt::Write as _;

/// A commented scenario called `name`, for an editor that finds the schema at `schema`, a path or a URL.
///
/// Whatever the two hold, the text is a scenario that passes, without a warning.
pub fn starter(name: &str, schema: &str) -> String {
    let schema: String = schema.chars().filter(|c| !c.is_control()).collect();
    let schema = if schema.trim().is_empty() { "schema.json" } else { schema.trim() };
    TEMPLATE.replace("SCHEMA", schema).replace("NAME", &scalar(name.trim()))
}

/// `text` as a YAML scalar, in quotes unless it is plainly a few words.
fn scalar(text: &str) -> String {
    let text = if text.is_empty() { "a token leaves and returns" } else { text };
    let word = |c: char| c.is_ascii_alphanumeric() || matches!(c, ' ' | '-' | ',');
    // The blank makes sure that it is no number, boolean or null.
    if text.starts_with(|c: char| c.is_ascii_alphabetic()) && text.contains(' ') && text.chars().all(word) {
        return text.to_owned();
    }
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            ' '..='~' => quoted.push(c),
            // Written as a number, it is what it is for every reader.
            _ => write!(quoted, "\\U{:08x}", u32::from(c)).unwrap_or_default(),
        }
    }
    quoted.push('"');
    quoted
}

const TEMPLATE: &str = r#"# yaml-language-server: $schema=SCHEMA
# With the line above an editor completes and checks while you type. `firedrill schema` prints that schema.

# What the rehearsal shows, in one line. It is the scenario's name.
scenario: NAME

# Why it matters, or where it comes from. Shown by `firedrill run -v`.
description: A token that is rate-limited must rest for its cooldown, and serve again after it.

# Words to choose scenarios by: `firedrill run --tag cooldown`.
tags: [cooldown]

# The provider block of your gateway, as it is; but the tokens are names, never real keys.
provider:
  type: openai
  apiTokens: [sk-a, sk-b]
  failover:
    enabled: true
    failureThreshold: 2           # the second failure in a row takes a token out
    cooldownDuration: 10000       # milliseconds; it returns at the first tick at or past them
    healthCheckInterval: 5000     # milliseconds from tick to tick
    failoverOnStatus: ["429"]

# What the provider answers, by token: here 429 twice, and 200 from then on. `default` is for all others.
# An outage reads `{ status: 503, for: 10s }`.
upstream:
  sk-a: [429, 429, 200]
  default: 200

# What happens, in order. Time is virtual: ten seconds cost nothing.
steps:
  - description: one failure is not enough
    request: { draws: sk-a, expect: { status: 429 } }
  - expect: { available: [sk-a, sk-b], failureCounts: { sk-a: 1 } }

  - description: the second one takes the token out
    request: { draws: sk-a }
  - expect: { available: [sk-b], unavailable: [sk-a] }

  - description: nobody is sent there while it rests
    request: { times: 10, expect: { status: 200, fallback: false } }
  - advance: 9999ms               # ticks that fall due on the way are fired
  - expect: { unavailable: [sk-a] }

  - description: the tick that comes with the cooldown's end brings it back, last in the list
    advance: 1ms
  - expect: { available: [sk-b, sk-a], unavailable: [] }

  # These hold at every version of the log, whatever happens above.
  - always:
      - every token is in exactly one list
      - a token leaves exactly at the threshold
      - no token returns before its cooldown
"#;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Scenario, Verdict, run_on_engine};
    use firedrill_yaml::Source;

    /// Writes a scenario called `name` and runs it.
    #[track_caller]
    fn check(name: &str, schema: &str, expect: &str) {
        let text = starter(name, schema);
        assert!(text.starts_with("# yaml-language-server: $schema="), "{text}");
        let source = Source::new("starter.yaml", text);
        let scenario = Scenario::parse(&source).expect("a good scenario");
        assert_eq!(scenario.name, expect);
        assert!(scenario.warnings.is_empty(), "{:?}", scenario.warnings);
        assert!(matches!(run_on_engine(&scenario, None).verdict, Verdict::Passed));
    }

    #[test]
    fn whatever_it_is_called_it_passes() {
        check("our first outage", "../schema.json", "our first outage");
        for name in
            ["true", "null", "12", "a: b", "# no", "- x", "say \"no\"", "back\\slash", "{", "限流", "é\u{7}"]
        {
            check(name, "https://example.com/s.json", name);
        }
        check("  ", "a\nb: c", "a token leaves and returns");
    }
}
