//! The control API: what the mock does just now, what it was asked, and how to change what it will do. Described for machines
//! in `openapi.json`. No token is in what it says, only labels.

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use firedrill_yaml::{Problem, Source, closest, quoted};
use hyper::body::{Bytes, Incoming as IncomingBody};
use hyper::header::{ALLOW, CONTENT_TYPE, DATE, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::exchange::Body;
use crate::quota::{Standing, Unit};
use crate::server::clash::{cannot_refuse, refuses};
use crate::server::course::Course;
use crate::server::date::date;
use crate::server::journal::Wanted;
use crate::server::reading::Reading;
use crate::server::sending::{Sending, Stream};
use crate::server::shared::Shared;
use crate::upstream::Upstream;
use firedrill_block::Span;
use firedrill_line::Phase;

/// The description of this API.
const OPENAPI: &str = include_str!("openapi.json");

/// Every route: its methods, and its path as the description has it.
pub(crate) const ROUTES: [(&str, &str); 9] = [
    ("GET", "/healthz"),
    ("GET", "/state"),
    ("PUT", "/upstream/{provider}"),
    ("POST", "/reset"),
    ("POST", "/clock"),
    ("GET", "/journal"),
    ("DELETE", "/journal"),
    ("GET", "/counts"),
    ("GET", "/openapi.json"),
];

/// More than any block of a mock file has.
const MOST_BYTES: usize = 1 << 20;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Advance {
    advance: Span,
}

/// What is answered: a status, and what is JSON already or becomes it.
type Answered = Result<Value, (StatusCode, Value)>;

pub(crate) async fn answer(shared: Arc<Shared>, phase: Phase, request: Request<IncomingBody>) -> Sending {
    phase.set(Phase::BODY);
    let (head, body) = request.into_parts();
    let body = Reading::new(body, MOST_BYTES).await;
    phase.set(Phase::IDLE);
    let path = head.uri.path();
    let methods: Vec<&str> =
        ROUTES.iter().filter(|(_, route)| fits(route, path)).map(|(method, _)| *method).collect();
    let answered = match body {
        Err(unread) => {
            let status = StatusCode::from_u16(unread.status()).unwrap_or(StatusCode::BAD_REQUEST);
            Err(refused(status, &unread.message(MOST_BYTES)))
        }
        Ok(_) if methods.is_empty() => {
            let routes = ROUTES.map(|(method, route)| format!("{method} {route}"));
            let message = format!("there is nothing at {}", quoted(path));
            Err((StatusCode::NOT_FOUND, json!({ "error": { "message": message, "routes": routes } })))
        }
        Ok(_) if !methods.contains(&head.method.as_str()) => {
            let message =
                format!("expected {}, found {}", methods.join(" or "), quoted(head.method.as_str()));
            Err(refused(StatusCode::METHOD_NOT_ALLOWED, &message))
        }
        Ok(body) => route(&shared, &head.method, path, head.uri.query().unwrap_or(""), &body).await,
    };
    let (status, value) = answered.map_or_else(|refused| refused, |value| (StatusCode::OK, value));
    let mut text = if path == "/openapi.json" && status == StatusCode::OK {
        OPENAPI.as_bytes().to_vec()
    } else {
        value.to_string().into_bytes()
    };
    text.push(b'\n');
    let course = Course::plain(Body::Whole(text), None);
    let length = Some(course.length());
    let mut response = Response::new(Stream::new(course, length, None));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response.headers_mut().insert(DATE, date(shared.clock.wall()));
    if status == StatusCode::METHOD_NOT_ALLOWED
        && let Ok(methods) = HeaderValue::from_str(&methods.join(", "))
    {
        response.headers_mut().insert(ALLOW, methods);
    }
    Sending::Http(response)
}

fn fits(route: &str, path: &str) -> bool {
    match route.split_once('{') {
        Some((before, _)) => path.strip_prefix(before).is_some_and(|name| !name.is_empty()),
        None => route == path,
    }
}

async fn route(shared: &Shared, method: &Method, path: &str, query: &str, body: &Bytes) -> Answered {
    match (path, method.as_str()) {
        ("/state", _) => Ok(state(shared)),
        ("/reset", _) => {
            shared.reset().await;
            Ok(state(shared))
        }
        ("/clock", _) => {
            let Advance { advance } =
                parse(body, "how far to move the clock, such as `{\"advance\": \"10s\"}`")?;
            let now = shared.clock.advance(advance.0).ok_or_else(|| {
                let message =
                    "the clock is real, and moves by itself: start the mock with a virtual one to move it";
                refused(StatusCode::CONFLICT, message)
            })?;
            shared.settled().await;
            Ok(json!({ "now": now.as_millis() }))
        }
        ("/journal", "DELETE") => {
            shared.journal.clear();
            Ok(json!({ "entries": [] }))
        }
        ("/journal", _) => {
            let (wanted, most) =
                wanted(query).map_err(|message| refused(StatusCode::BAD_REQUEST, &message))?;
            Ok(json!({ "entries": shared.journal.entries(&wanted, most) }))
        }
        ("/counts", _) => Ok(json!({ "counts": shared.journal.counts() })),
        ("/healthz" | "/openapi.json", _) => Ok(json!({ "status": "ok" })),
        _ => replace(shared, path.rsplit('/').next().unwrap_or(""), body).await,
    }
}

/// Another block for a provider, which begins anew.
async fn replace(shared: &Shared, name: &str, body: &Bytes) -> Answered {
    let Some(provider) = shared.providers.iter().find(|provider| *provider.name == *name) else {
        let names: Vec<&str> = shared.providers.iter().map(|provider| &*provider.name).collect();
        let hint = match closest(name, names.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("there is: {}", names.join(", ")),
        };
        return Err(refused(StatusCode::NOT_FOUND, &format!("unknown provider {} ({hint})", quoted(name))));
    };
    let upstream: Upstream = parse(body, "what the provider will do")?;
    let sharers = shared.providers.iter().filter(|other| other.port == provider.port);
    if refuses(&upstream) && sharers.count() > 1 {
        return Err(wrong(&[cannot_refuse(name)]));
    }
    provider.begin(shared.clock.now(), Some(upstream)).map_err(|problems| wrong(&problems))?;
    shared.begun.send_replace(());
    shared.settled().await;
    Ok(state(shared))
}

fn parse<T: serde::de::DeserializeOwned>(body: &Bytes, expected: &str) -> Result<T, (StatusCode, Value)> {
    let text = std::str::from_utf8(body).map_err(|_| wrong(&[Problem::new("expected UTF-8")]))?;
    Source::new("body", text).parse(expected).map_err(|problem| wrong(&[problem]))
}

fn wrong(problems: &[Problem]) -> (StatusCode, Value) {
    let message = problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
    (StatusCode::BAD_REQUEST, json!({ "error": { "message": message, "problems": problems } }))
}

fn refused(status: StatusCode, message: &str) -> (StatusCode, Value) {
    (status, json!({ "error": { "message": message } }))
}

/// Which entries, and how many at most.
fn wanted(query: &str) -> Result<(Wanted, usize), String> {
    let (mut wanted, mut most) = (Wanted::default(), usize::MAX);
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        let value = crate::dialect::decoded(&value.replace('+', " "));
        let number = || format!("expected a whole number for {}, found {}", quoted(key), quoted(&value));
        match key {
            "provider" => wanted.provider = Some(value),
            "token" => wanted.token = Some(value),
            "after" => wanted.after = Some(value.parse().map_err(|_| number())?),
            "most" => most = value.parse().map_err(|_| number())?,
            _ => {
                let mut message = format!("unknown parameter {}", quoted(key));
                let near = closest(key, ["provider", "token", "after", "most"]);
                if let Some(near) = near {
                    // Writing to a string cannot fail.
                    let _ = write!(message, " (did you mean `{near}`?)");
                }
                return Err(message);
            }
        }
    }
    Ok((wanted, most))
}

fn state(shared: &Shared) -> Value {
    let now = shared.clock.now();
    let providers: Vec<Value> = shared.providers.iter().map(|provider| {
        let mut live = provider.live();
        let time = live.time(now);
        let seen: Vec<(String, Value)> = live.behaviour.seen().map(|seen| {
            let script = json!({ "phase": seen.phase, "times": seen.times });
            let told = json!({ "label": seen.token, "calls": seen.calls, "answering": seen.answering, "script": script });
            (seen.token.to_owned(), told)
        }).collect();
        let tokens: Vec<Value> = seen.into_iter().map(|(label, mut told)| {
            told["quotas"] = live.behaviour.quotas(time, &label).iter().map(standing).collect();
            told
        }).collect();
        json!({
            "name": *provider.name,
            "type": provider.dialect.word(),
            "route": provider.route.to_string(),
            "port": shared.ports[provider.port].address.port(),
            "began": live.began.as_millis(),
            "refusing": live.behaviour.is_refusing(time),
            "known": live.tokens.labels(),
            "tokens": tokens,
        })
    }).collect();
    json!({
        "now": now.as_millis(),
        "wall": shared.clock.wall(),
        "connections": shared.connections.load(Ordering::Relaxed),
        "requests": shared.journal.count(),
        "providers": providers,
    })
}

fn standing(standing: &Standing) -> Value {
    let unit = match standing.unit {
        Unit::Requests => "requests",
        Unit::LlmTokens => "llmTokens",
    };
    json!({
        "unit": unit,
        "per": standing.per.as_millis(),
        "limit": standing.limit,
        "remaining": standing.remaining,
        "reset": standing.reset.as_millis(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_description_names_every_route_and_no_other() {
        let described: Value = serde_json::from_str(OPENAPI).expect("JSON");
        let paths = described["paths"].as_object().expect("paths");
        let methods = ["get", "put", "post", "delete"];
        let mut named: Vec<(String, &str)> = paths
            .iter()
            .flat_map(|(path, item)| {
                let item = item.as_object().expect("methods");
                item.keys()
                    .filter(|key| methods.contains(&key.as_str()))
                    .map(|key| (key.to_uppercase(), path.as_str()))
            })
            .collect();
        named.sort();
        let mut known = ROUTES.map(|(method, path)| (method.to_owned(), path));
        known.sort();
        assert_eq!(named, known);
    }
}
