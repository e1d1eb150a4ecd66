//! One request to a provider: whose it is, what it asks, what the behaviour says, and what is sent.

use std::sync::Arc;

use firedrill_failover::{Duration, Instant};
use firedrill_line::Phase;
use firedrill_yaml::presentable;
use hyper::body::{Body as _, Bytes, Incoming as IncomingBody};
use hyper::header::{CONNECTION, DATE, HOST, HeaderMap, HeaderName, HeaderValue};
use hyper::{Request, Response, StatusCode};

use crate::behaviour::{Plan, Refusal};
use crate::dialect::Context;
use crate::exchange::{Body, Incoming, Question, Reply};
use crate::fault::Fault;
use crate::server::course::Course;
use crate::server::journal::{Ended, Entry};
use crate::server::provider::Provider;
use crate::server::sending::{Call, Raw, Sending, Stream};
use crate::server::shared::Shared;

/// Longer paths and models are cut in the journal, in bytes.
const LONGEST: usize = 256;

/// No key that can be told from a word is shorter, in bytes.
const SHORTEST_KEY: usize = 16;

/// Answers `request`, or does with it what its fate is.
pub(crate) async fn answer(
    (shared, port): (Arc<Shared>, usize),
    phase: Phase,
    request: Request<IncomingBody>,
) -> Sending {
    phase.set(Phase::BODY);
    let (head, body) = request.into_parts();
    let at = shared.clock.now();
    let host = head.headers.get(HOST).and_then(|host| host.to_str().ok()).or(head.uri.host()).unwrap_or("");
    let found = find(&shared, port, without_port(host), head.uri.path());
    let mut entry = Entry {
        number: 0,
        at: at.as_millis(),
        provider: found.map_or_else(|| "".into(), |(number, _)| Arc::clone(&shared.providers[number].name)),
        token: "".into(),
        method: head.method.as_str().to_owned(),
        path: String::new(),
        model: String::new(),
        stream: false,
        status: 404,
        refusal: Some("request"),
        fault: None,
        ended: None,
        bytes: 0,
    };
    let whole = read(body, shared.limits.body_bytes).await;
    phase.set(Phase::ANSWERING);
    // What is wrong in itself has no token that could be told from other words.
    let masked = || shown(head.uri.path(), &secrets(&head.headers));
    let whole = match whole {
        Ok(whole) => whole,
        Err(unread) => {
            (entry.status, entry.path) = (unread.status(), masked());
            let mut sending = wrong(&shared, phase, entry, &unread.message(shared.limits.body_bytes));
            if let Sending::Http(response) = &mut sending {
                response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            }
            return sending;
        }
    };
    let Some((number, path)) = found else {
        entry.path = masked();
        let message = "no provider is served at this host and path";
        return wrong(&shared, phase, entry, message);
    };
    let provider = &shared.providers[number];
    let headers = headers(&head.headers);
    let query = head.uri.query().unwrap_or("");
    let incoming = Incoming { method: head.method.as_str(), path, query, headers: &headers, body: &whole };
    let question = match provider.dialect.read(&incoming) {
        Ok(question) => question,
        Err(reply) => {
            (entry.status, entry.path) = (reply.status.code(), masked());
            let number = shared.journal.begin(entry);
            let call = Call { shared, number, ticket: None, bytes: 0, ended: Ended::Gone, phase };
            return send(reply, None, Course::plain, call);
        }
    };
    entry.path = shown(head.uri.path(), &[&question.token]);
    entry.model = shown(&question.model, &[&question.token]);
    entry.stream = question.stream;
    if let Some(hold) = shared.hold()
        && let Some(label) = provider.label(&question.token)
    {
        (entry.token, entry.status, entry.refusal) = (label, 0, None);
        if hold(&entry) {
            return by_hand(shared, phase, number, entry, &question).await;
        }
    }
    let mut decision = provider.call(at, &question);
    let told = tell(&shared, provider, &question, &decision.plan, decision.serial);
    let (generation, ticket) = decision.ticket();
    let plan = decision.plan;
    entry.token = decision.label;
    entry.status = told.reply.status.code();
    entry.refusal = match plan.refusal {
        None if entry.token.is_empty() => Some("token"),
        refusal => refusal.map(refusal_word),
    };
    entry.fault = plan.answer.fault.as_ref().map(fault_word);
    let entry_number = shared.journal.begin(entry);
    let ticket = Some((number, generation, ticket));
    let call = Call { shared, number: entry_number, ticket, bytes: 0, ended: Ended::Gone, phase };
    told.send(plan, at, call).await
}

/// Holds a request to a provider until somebody answers it.
async fn by_hand(
    shared: Arc<Shared>,
    phase: Phase,
    provider: usize,
    mut entry: Entry,
    question: &Question,
) -> Sending {
    let (number, answer) = shared.journal.hold(entry.clone());
    let call =
        Call { shared: Arc::clone(&shared), number, ticket: None, bytes: 0, ended: Ended::Gone, phase };
    // Whoever could answer is there as long as the journal.
    let Ok(answer) = answer.await else { return Sending::Never(call) };
    let (at, provider) = (shared.clock.now(), &shared.providers[provider]);
    let decision = provider.by_hand(at, Arc::clone(&entry.token), answer);
    let told = tell(&shared, provider, question, &decision.plan, decision.serial);
    entry.status = told.reply.status.code();
    entry.refusal = decision.plan.refusal.map(|_| "hand");
    entry.fault = decision.plan.answer.fault.as_ref().map(fault_word);
    shared.journal.answered(number, &entry);
    told.send(decision.plan, at, call).await
}

/// What is told, and the waits between its events.
struct Told {
    reply: Reply,
    between: Vec<Duration>,
}

fn tell(shared: &Shared, provider: &Provider, question: &Question, plan: &Plan, serial: u64) -> Told {
    let context = Context { serial, wall: shared.clock.wall(), text: &provider.text };
    let reply = provider.dialect.reply(question, plan, &context);
    let between = match &reply.body {
        Body::Events(events) => provider.between(plan, events.len()),
        Body::Whole(_) => Vec::new(),
    };
    Told { reply, between }
}

impl Told {
    /// Sends it to the request that came `at` then, when its time has come.
    async fn send(self, plan: Plan, at: Instant, call: Call) -> Sending {
        if plan.wait > Duration::ZERO {
            call.wait(Some(at + plan.wait));
            call.shared.clock.wait_until(at + plan.wait).await;
            call.go_on();
        }
        let (first, between) = (plan.first, self.between);
        send(self.reply, plan.answer.fault, |body, fault| Course::new(body, fault, first, between), call)
    }
}

/// The provider that a request to a port is for, the one with the longest route, and what of the path is its own.
fn find<'a>(shared: &Shared, port: usize, host: &str, path: &'a str) -> Option<(usize, &'a str)> {
    let routes = shared.providers.iter().enumerate().filter(|(_, provider)| provider.port == port);
    let fits = routes.filter_map(|(number, provider)| Some((number, provider.route.rest(host, path)?)));
    fits.max_by_key(|(number, _)| {
        let route = &shared.providers[*number].route;
        (route.host.is_some(), route.path.len())
    })
}

fn without_port(host: &str) -> &str {
    host.rsplit_once(':').map_or(host, |(host, _)| host)
}

/// The body, if it is not longer than `most` bytes.
pub(crate) async fn read(mut body: IncomingBody, most: usize) -> Result<Bytes, Unread> {
    if body.size_hint().lower() > most as u64 {
        return Err(Unread::TooLong);
    }
    let mut first = Bytes::new();
    let mut whole: Option<Vec<u8>> = None;
    while let Some(frame) = std::future::poll_fn(|cx| std::pin::Pin::new(&mut body).poll_frame(cx)).await {
        // What is no data is a trailer.
        let Ok(data) = frame.map_err(|_| Unread::Broken)?.into_data() else { continue };
        if first.is_empty() {
            first = data;
        } else {
            whole.get_or_insert_with(|| first.to_vec()).extend_from_slice(&data);
        }
        if whole.as_ref().map_or(first.len(), Vec::len) > most {
            return Err(Unread::TooLong);
        }
    }
    Ok(whole.map_or(first, Bytes::from))
}

/// Why there is no body.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Unread {
    /// It is longer than any should be.
    TooLong,
    /// The client went away in its middle, was too slow, or broke its framing.
    Broken,
}

impl Unread {
    pub(crate) fn status(self) -> u16 {
        match self {
            Self::TooLong => 413,
            Self::Broken => 400,
        }
    }

    pub(crate) fn message(self, most: usize) -> String {
        match self {
            Self::TooLong => format!("expected a body of at most {most} bytes"),
            Self::Broken => "the body breaks off".to_owned(),
        }
    }
}

/// The headers that are text.
fn headers(headers: &HeaderMap) -> Vec<(String, String)> {
    let text = |value: &HeaderValue| value.to_str().ok().map(str::to_owned);
    headers.iter().filter_map(|(name, value)| Some((name.as_str().to_owned(), text(value)?))).collect()
}

/// An answer of the server itself, for what no provider can be asked.
fn wrong(shared: &Arc<Shared>, phase: Phase, entry: Entry, message: &str) -> Sending {
    let status =
        firedrill_failover::Status::new(entry.status).expect("broken invariant: a status of ours is one");
    let body = serde_json::json!({ "error": { "message": message } }).to_string();
    let headers = vec![("content-type".into(), "application/json".to_owned())];
    let reply = Reply { status, headers, body: Body::Whole(body.into_bytes()) };
    let number = shared.journal.begin(entry);
    let call = Call { shared: Arc::clone(shared), number, ticket: None, bytes: 0, ended: Ended::Gone, phase };
    send(reply, None, Course::plain, call)
}

/// What is sent of `reply` under `fault`.
fn send(
    reply: Reply,
    fault: Option<Fault>,
    course: impl FnOnce(Body, Option<&Fault>) -> Course,
    call: Call,
) -> Sending {
    if fault == Some(Fault::Stall) {
        call.wait(None);
        return Sending::Never(call);
    }
    let Reply { status, headers, body } = reply;
    let stream = matches!(body, Body::Events(_));
    let endless = fault == Some(Fault::Endless);
    let mut response = Response::new(());
    *response.status_mut() = StatusCode::from_u16(status.code()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    for (name, value) in headers {
        let name = match name {
            std::borrow::Cow::Borrowed(name) => HeaderName::from_lowercase(name.as_bytes()).ok(),
            std::borrow::Cow::Owned(name) => HeaderName::from_bytes(name.as_bytes()).ok(),
        };
        if let (Some(name), Ok(value)) = (name, HeaderValue::try_from(value)) {
            response.headers_mut().append(name, value);
        }
    }
    let informational = response.status().is_informational();
    if !informational {
        response.headers_mut().insert(DATE, call.shared.date());
    }
    let course = course(body, fault.as_ref());
    let raw = match fault {
        // Nobody listened, if the client had asked for a new connection.
        Some(Fault::Refused) => Some(Fault::Reset),
        Some(
            Fault::Reset
            | Fault::ResetAfterHeaders
            | Fault::Cut(_)
            | Fault::MalformedChunk
            | Fault::WrongLength,
        ) => fault,
        _ => None,
    };
    if raw.is_some() || informational {
        let chunked = !informational
            && match raw {
                Some(Fault::MalformedChunk) => true,
                Some(Fault::WrongLength) => false,
                _ => stream,
            };
        let length = course.length();
        let (head, ()) = response.into_parts();
        return Sending::Raw(Box::new(Raw { head, fault: raw, chunked, length, course, call }));
    }
    let length = (!stream && !endless).then(|| course.length());
    let clock = Arc::clone(&call.shared.clock);
    Sending::Http(Box::new(response.map(|()| Stream::new(course, clock, length, Some(call)))))
}

/// The values of headers that may hold a token.
fn secrets(headers: &HeaderMap) -> Vec<&str> {
    let names = ["authorization", "api-key", "x-api-key", "x-goog-api-key"];
    let values = names.iter().flat_map(|name| headers.get_all(*name)).filter_map(|value| value.to_str().ok());
    values.flat_map(str::split_whitespace).collect()
}

/// The start of `text`, without `secrets` and what else looks like a key, and with nothing in it that steers a terminal.
fn shown(text: &str, secrets: &[&str]) -> String {
    let mut text = std::borrow::Cow::Borrowed(text);
    for secret in secrets {
        // What is shorter is a word that a path may have by chance.
        if secret.len() >= 4 && text.contains(secret) {
            text = text.replace(secret, "********").into();
        }
    }
    if is_plain(&text) {
        return text.into_owned();
    }
    let mut shown = presentable(&text);
    shown.truncate(shown.floor_char_boundary(LONGEST));
    shown
}

/// Whether a text is short, has nothing that needs to be written out, and no word as long as a key: most are.
fn is_plain(text: &str) -> bool {
    let (mut run, mut longest) = (0, 0);
    for byte in text.bytes() {
        run = if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_') { run + 1 } else { 0 };
        longest = longest.max(run);
    }
    text.len() <= LONGEST && longest < SHORTEST_KEY && text.bytes().all(|byte| byte.is_ascii_graphic())
}

const fn refusal_word(refusal: Refusal) -> &'static str {
    match refusal {
        Refusal::Outage => "outage",
        Refusal::Concurrent => "concurrent",
        Refusal::Quota { .. } => "quota",
        Refusal::Script => "script",
        Refusal::Chance => "chance",
    }
}

const fn fault_word(fault: &Fault) -> &'static str {
    match fault {
        Fault::Refused => "refused",
        Fault::Reset => "reset",
        Fault::ResetAfterHeaders => "resetAfterHeaders",
        Fault::Cut(_) => "cut",
        Fault::Stall => "stall",
        Fault::StallAfter(_) => "stallAfter",
        Fault::Drip(_) => "drip",
        Fault::MalformedChunk => "malformedChunk",
        Fault::InvalidJson => "invalidJson",
        Fault::WrongLength => "wrongLength",
        Fault::ErrorEvent => "errorEvent",
        Fault::Endless => "endless",
    }
}
