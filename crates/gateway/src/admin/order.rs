//! What an operator orders: a token is taken out, put back, or its failure count reset.
//!
//! An order goes the way of everything else that happens to the pool: the worker decides it, and it enters the log. So every
//! gateway on that log hears of it.

use std::str;

use firedrill_failover::{Command, Order, Pool, TokenId, Version};
use firedrill_store::{Reach, Standing};
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderMap};
use hyper::{Method, Request, StatusCode};
use serde_json::json;

use super::answer::{Answer, JSON};
use super::{Admin, state};

/// So many labels are told to who names none of them.
const LABELS: usize = 32;

/// Whose token, and what is to be with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Asked {
    label: String,
    order: Order,
}

/// What `path` orders; `None` if it is not the path of an order.
pub(super) fn asked(path: &str) -> Option<Asked> {
    let (label, order) = path.strip_prefix("/tokens/")?.rsplit_once('/')?;
    let order = match order {
        "out" => Order::TakeOut,
        "in" => Order::PutBack,
        "reset" => Order::Reset,
        _ => return None,
    };
    Some(Asked { label: decoded(label)?, order })
}

/// Has the worker perform what is asked, and tells how the token is then.
pub(super) async fn perform(admin: &Admin, request: &Request<()>, asked: &Asked) -> Answer {
    if *request.method() != Method::POST {
        return Answer::refused(StatusCode::METHOD_NOT_ALLOWED, "expected POST").with(ALLOW, "POST");
    }
    // A token is nothing that a browser sends by itself.
    if admin.token.is_none() && !is_json(request.headers()) {
        let why = "expected `content-type: application/json`, which a page of another host cannot send here";
        return Answer::refused(StatusCode::UNSUPPORTED_MEDIA_TYPE, why);
    }
    let shell = &admin.shared.shell;
    let token = match shell.look(|pool| judged(admin, pool, asked)) {
        Ok(token) => token,
        Err((status, why)) => return Answer::refused(status, &why),
    };
    let mut standing = shell.watch();
    let given_up = standing.borrow().given_up.clone();
    shell.perform(Command::Operate { token, order: asked.order });
    let away = |standing: &Standing| matches!(standing.reach, Reach::Away { .. });
    tokio::select! {
        biased;
        _ = standing.wait_for(away) => return alone(asked),
        settled = shell.settled() => if settled.is_err() {
            return Answer::refused(StatusCode::SERVICE_UNAVAILABLE, "the gateway has stopped");
        },
    }
    if let Some(why) = shell.standing().given_up
        && given_up.as_ref() != Some(&why)
    {
        return Answer::refused(StatusCode::SERVICE_UNAVAILABLE, &format!("it cannot enter the log: {why}"));
    }
    match shell.look(|pool| pool.token(token).map(|token| state::token(admin, pool, &token))) {
        Some(state) => {
            let body = serde_json::to_string_pretty(&state);
            let body = body.expect("broken invariant: a state is plain data");
            Answer::new(StatusCode::OK, JSON, body + "\n")
        }
        None => {
            Answer::refused(StatusCode::NOT_FOUND, "the token was dropped from the configuration meanwhile")
        }
    }
}

/// The token that is meant, if the order would change anything.
///
/// # Errors
/// What to answer if not.
fn judged(admin: &Admin, pool: &Pool, asked: &Asked) -> Result<TokenId, (StatusCode, String)> {
    if pool.version() == Version::EMPTY {
        let why = "the log was not heard yet; ask again when `/readyz` says ready".to_owned();
        return Err((StatusCode::SERVICE_UNAVAILABLE, why));
    }
    let label = asked.label.escape_debug();
    let Some(token) = pool.find(&asked.label) else {
        let more = if pool.len() > LABELS { ", …" } else { "" };
        let mut labels: Vec<&str> = pool.tokens().map(|(_, token)| token.label).take(LABELS).collect();
        labels.sort_unstable();
        let why = format!("no token is called `{label}`; there is {}{more}", labels.join(", "));
        return Err((StatusCode::NOT_FOUND, why));
    };
    let command = Command::Operate { token, order: asked.order };
    if !pool.decide(admin.worker, pool.clock(), &command).is_empty() {
        return Ok(token);
    }
    let why = if pool.policy().failover().is_none() {
        "failover is off: every token is drawn, whatever happens".to_owned()
    } else {
        match asked.order {
            Order::TakeOut => format!("`{label}` is unavailable already"),
            Order::PutBack => format!("`{label}` is available already, and no failure of it is counted"),
            Order::Reset if pool.token(token).is_some_and(|token| token.unavailable_since.is_some()) => {
                format!("`{label}` is unavailable: no failure of it is counted")
            }
            Order::Reset => format!("no failure of `{label}` is counted"),
        }
    };
    Err((StatusCode::CONFLICT, why))
}

/// The log cannot be reached.
fn alone(asked: &Asked) -> Answer {
    let message = "the log cannot be reached: this gateway decides it alone, and again when the log is back";
    let body = json!({ "label": asked.label, "waiting": true, "message": message });
    Answer::new(StatusCode::ACCEPTED, JSON, format!("{body}\n"))
}

fn is_json(headers: &HeaderMap) -> bool {
    let mut kinds = headers.get_all(CONTENT_TYPE).iter();
    let (first, second) = (kinds.next(), kinds.next());
    let kind = first.filter(|_| second.is_none()).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    kind.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case(JSON)
}

/// A part of a path, with its `%2F` and the like as what they stand for; `None` if it is no text then.
fn decoded(part: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(part.len());
    let mut pieces = part.split('%');
    bytes.extend_from_slice(pieces.next()?.as_bytes());
    for piece in pieces {
        let (digits, rest) = piece.as_bytes().split_at_checked(2)?;
        if !digits.iter().all(u8::is_ascii_hexdigit) {
            return None;
        }
        bytes.push(u8::from_str_radix(str::from_utf8(digits).ok()?, 16).ok()?);
        bytes.extend_from_slice(rest);
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_names_a_token_and_an_order() {
        let order = |path| asked(path).map(|asked| (asked.label, asked.order));
        let is = |label: &str, order| Some((label.to_owned(), order));
        assert_eq!(order("/tokens/sk-a/out"), is("sk-a", Order::TakeOut));
        assert_eq!(order("/tokens/a/b/in"), is("a/b", Order::PutBack));
        assert_eq!(order("/tokens/a%2Fb%20%e2%9c%93/reset"), is("a/b ✓", Order::Reset));
        for path in [
            "/tokens/a",
            "/tokens/out",
            "/tokens/a/gone",
            "/tokens/%zz/out",
            "/tokens/%2/out",
            "/tokens/%ff/out",
            "/tokens/%+1/in",
        ] {
            assert_eq!(order(path), None, "{path}");
        }
    }
}
