//! The tokens of these tests: each has a label, which is what is seen, and another text that is sent and seen by nobody else. What
//! the gateways log, and what an admin tells, is searched for them.

use std::io::{self, Write};
use std::sync::{LazyLock, Once};

use firedrill_provider::Builder;
use tracing_subscriber::fmt::MakeWriter;

use crate::search::{Search, listed};

/// Each token, with its label. They are listed in `.ci/secrets.txt`.
const TOKENS: [(&str, &str); 8] = [
    ("sk-a", "sk-a-Bd7Xq2Mv9Kz4Tn8Wc3Rg5Yh"),
    ("sk-b", "sk-b-Pj6Fs1Lw8Vb3Ne7Qk2Ut9Zm"),
    ("sk-c", "sk-c-Xc4Gy9Hr2Dk7Sv5Mb1Jt8Qw"),
    ("sk-d", "sk-d-Nz3Wp8Ck6Ra1Ef5Lu7Yx2Tb"),
    ("sk/b?c", "sk-b?c-Hg5Lr9Wd3Tn7Kx2Vm8Jq"),
    ("<script>x</script>", "sk-page-Mw4Zc9Tk2Rb7Xd5Nv8Gh"),
    ("echoed", ECHOED),
    // One that JSON and URLs may write in other ways.
    ("signs", "key/Wq5Zt8Kx2Mn7+Rb4Lc9/Jd6Fg=="),
];
/// One that upstreams send back.
pub(crate) const ECHOED: &str = "sk-Wm5Xc8Vt2Nq7Rz4Kd9Jb";

static SEARCH: LazyLock<Search> = LazyLock::new(|| Search::new(all()));

fn all() -> impl Iterator<Item = &'static str> {
    TOKENS.into_iter().map(|(_, token)| token)
}

/// What is sent for the token of this label.
#[track_caller]
pub(crate) fn sent(label: &str) -> &'static str {
    TOKENS.iter().find(|(known, _)| *known == label).expect("one of `TOKENS`, with what is sent for it").1
}

/// `mock` knows every token by its label.
pub(crate) fn known_to(mock: Builder) -> Builder {
    TOKENS.into_iter().fold(mock, |mock, (label, token)| mock.token_as(token, label))
}

/// # Panics
/// If `text` shows a token.
#[track_caller]
pub(crate) fn assert_hidden(what: &str, text: &str) {
    SEARCH.assert_hidden(what, text);
}

/// From now on every line that a gateway of this process logs is searched.
pub(crate) fn search_logs() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let lines = tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(Lines);
        lines.init();
    });
}

struct Lines;

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        Self
    }
}

impl Write for Lines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if let Some(part) = SEARCH.shown(line) {
            // A panic would end a task that nobody asks, and what is printed is not shown then.
            let _ = writeln!(io::stderr(), "`{part}` in a log line: {}", String::from_utf8_lossy(line));
            std::process::abort();
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_token_that_is_planted_is_found() {
    SEARCH.prove(all());
    assert!(all().all(|token| listed().any(|listed| listed == token)), "all of them are listed");
}
