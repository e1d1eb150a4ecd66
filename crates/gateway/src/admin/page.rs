//! The state as a page for a browser. It needs no script, and asks for itself again every few seconds.

use std::fmt::{self, Write};

use super::state::{State, TokenState};

const HEAD: &str = "<!doctype html>
<html lang=\"en\"><meta charset=\"utf-8\"><meta http-equiv=\"refresh\" content=\"5\">
<meta name=\"viewport\" content=\"width=device-width\"><title>firedrill gateway</title>
<style>
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 60rem; padding: 0 1rem }
table { border-collapse: collapse; width: 100% }
th, td { text-align: left; padding: .3rem .8rem .3rem 0; border-bottom: 1px solid #8884 }
.out { color: #b00020; font-weight: 600 } .bad { border-left: 4px solid #b00020; padding-left: .8rem }
@media (prefers-color-scheme: dark) { body { background: #111; color: #ddd } .out { color: #ff6b6b } }
</style>
";

/// The page.
pub(super) fn page(state: &State) -> String {
    let mut page = HEAD.to_owned();
    // Writing to a string cannot fail.
    let _ = body(&mut page, state);
    page
}

fn body(page: &mut String, state: &State) -> fmt::Result {
    let State { gateway, pool, log, configuration } = state;
    let tokens = pool.tokens.len();
    writeln!(page, "<h1>{} of {tokens} tokens available</h1>", pool.available)?;
    let (kind, upstream) = (Escaped(&gateway.kind), Escaped(&gateway.upstream));
    writeln!(
        page,
        "<p>{kind} at {upstream}, profile {}, worker {}, {}</p>",
        pool.profile, gateway.worker, gateway.now
    )?;
    if gateway.stopping {
        writeln!(page, "<p class=\"bad\">It is stopping.</p>")?;
    }
    if pool.available == 0 && pool.failover {
        writeln!(page, "<p class=\"bad\">No token is available: requests draw a fallback.</p>")?;
    }
    if let Some(why) = &log.why {
        writeln!(
            page,
            "<p class=\"bad\">The log cannot be reached, this gateway decides alone: {}</p>",
            Escaped(why)
        )?;
    }
    if let Some(refused) = &configuration.refused {
        let why = Escaped(&refused.why);
        writeln!(
            page,
            "<p class=\"bad\">The configuration was refused at {}, the one before goes on: {why}</p>",
            refused.at
        )?;
    }
    writeln!(page, "<table><tr><th>token<th>is<th>why<th>since<th>due back<th>failures<th>attempts")?;
    for token in &pool.tokens {
        row(page, token)?;
    }
    writeln!(page, "</table>")?;
    writeln!(
        page,
        "<p>{} requests, {} open, {} retries. Log: version {}, {}; {} appends, {} conflicts, {} outages.</p>",
        gateway.requests,
        gateway.open,
        gateway.retries,
        log.version,
        log.reach,
        log.appends,
        log.conflicts,
        log.outages
    )?;
    let reads = "<a href=\"/events\">/events</a>, <a href=\"/metrics\">/metrics</a>";
    let orders = "<code>POST /tokens/LABEL/out</code>, <code>/in</code> or <code>/reset</code>";
    writeln!(
        page,
        "<p>There is more: {reads}; and by hand {orders}, with <code>content-type: application/json</code>.</p>"
    )?;
    let loaded = configuration.loaded.as_deref().unwrap_or("at the start");
    writeln!(page, "<p>Configuration loaded {loaded}, again {} times.</p>", configuration.reloads)
}

fn row(page: &mut String, token: &TokenState) -> fmt::Result {
    let label = Escaped(&token.label);
    match &token.out {
        None => write!(page, "<tr><td>{label}<td>available<td><td><td>")?,
        Some(out) => {
            let why = if out.by_hand { "by hand" } else { out.status.as_deref().unwrap_or("?") };
            let due = out.due.as_deref().unwrap_or("after a probe");
            let since = &out.since;
            write!(
                page,
                "<tr><td>{label}<td class=\"out\">unavailable<td>{}<td>{since}<td>{due}",
                Escaped(why)
            )?;
        }
    }
    writeln!(page, "<td>{}<td>{}", token.failures, token.attempts)
}

/// Text that means nothing to a browser.
struct Escaped<'a>(&'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            match c {
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '&' => f.write_str("&amp;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                _ => f.write_char(c)?,
            }
        }
        Ok(())
    }
}
