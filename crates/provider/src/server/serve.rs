//! One request to a provider: whose it is, what it asks, what the behaviour says, and what is sent.

use std::borrow::Cow;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{self, Poll, ready};

use firedrill_failover::{Duration, Instant};
use firedrill_line::Phase;
use hyper::body::{Bytes, Incoming as IncomingBody};
use hyper::header::{CONNECTION, DATE, HOST, HeaderName, HeaderValue};
use hyper::http::request::Parts;
use hyper::{Request, Response, StatusCode};
use tokio::sync::oneshot;

use crate::behaviour::Plan;
use crate::dialect::Context;
use crate::exchange::{Body, Incoming, Question, Reply};
use crate::fault::Fault;
use crate::server::course::{Between, Course};
use crate::server::date::date;
use crate::server::pending::ByHand;
use crate::server::provider::Provider;
use crate::server::reading::{Reading, Unread};
use crate::server::record::Draft;
use crate::server::sending::{Call, Raw, Sending, Stream};
use crate::server::shared::{Connection, Shared};
use crate::server::shown::{fault_word, refusal_word, secrets, shown};

/// Answers a request, or does with it what its fate is. A future by hand: hyper has room for one that need not be pinned.
pub(crate) struct Answering {
    /// `None` once it is read.
    asked: Option<Asked>,
    body: Reading,
    later: Option<Later>,
}

/// A request, without its body.
struct Asked {
    connection: Arc<Connection>,
    /// When it came.
    at: Instant,
    head: Parts,
}

type Later = Pin<Box<dyn Future<Output = Sending> + Send>>;

impl Answering {
    /// Answers the request that came just now on a connection.
    pub(crate) fn new(connection: Arc<Connection>, request: Request<IncomingBody>) -> Self {
        connection.phase.set(Phase::BODY);
        let at = connection.shared.clock.now();
        let (head, body) = request.into_parts();
        let body = Reading::new(body, connection.shared.limits.body_bytes);
        Self { asked: Some(Asked { connection, at, head }), body, later: None }
    }
}

impl Future for Answering {
    type Output = Sending;

    fn poll(self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> Poll<Sending> {
        let answering = self.get_mut();
        if answering.asked.is_some() {
            let body = ready!(Pin::new(&mut answering.body).poll(cx));
            if let Some(asked) = answering.asked.take() {
                asked.connection.phase.set(Phase::ANSWERING);
                match begin(asked, body) {
                    // Most are answered at once: what is kept while others wait is not made for them.
                    Begun::Now(sending) => return Poll::Ready(sending),
                    Begun::Later(later) => answering.later = Some(later),
                }
            }
        }
        answering.later.as_mut().map_or(Poll::Pending, |later| later.as_mut().poll(cx))
    }
}

/// An answer that has begun.
enum Begun {
    Now(Sending),
    Later(Later),
}

/// Begins to answer a request.
fn begin(asked: Asked, body: Result<Bytes, Unread>) -> Begun {
    let Asked { connection, at, ref head } = asked;
    let shared = &*connection.shared;
    let host = head.headers.get(HOST).and_then(|host| host.to_str().ok()).or(head.uri.host()).unwrap_or("");
    let found = find(shared, connection.port, without_port(host), head.uri.path());
    let mut draft = Draft {
        at: at.as_millis(),
        provider: found.map_or("", |(number, _)| &shared.providers[number].name),
        token: None,
        method: head.method.as_str(),
        path: "".into(),
        model: "".into(),
        stream: false,
        status: 404,
        refusal: Some("request"),
        fault: None,
    };
    // What is wrong in itself has no token that could be told from other words.
    let masked = || shown(head.uri.path(), &secrets(&head.headers));
    let body = match body {
        Ok(body) => body,
        Err(unread) => {
            (draft.status, draft.path) = (unread.status(), masked());
            let mut sending = wrong(&connection, draft, &unread.message(shared.limits.body_bytes));
            if let Sending::Http(response) = &mut sending {
                response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            }
            return Begun::Now(sending);
        }
    };
    let Some((number, path)) = found else {
        draft.path = masked();
        let message = "no provider is served at this host and path";
        return Begun::Now(wrong(&connection, draft, message));
    };
    let provider = &shared.providers[number];
    let query = head.uri.query().unwrap_or("");
    let (method, headers) = (head.method.as_str(), &head.headers);
    let question = match provider.dialect.read(&Incoming { method, path, query, headers, body: &body }) {
        Ok(question) => question,
        Err(reply) => {
            (draft.status, draft.path) = (reply.status.code(), masked());
            let number = shared.journal.begin(draft);
            let wall = shared.clock.wall();
            return Begun::Now(send(reply, None, wall, Course::plain, Call::new(connection, number)));
        }
    };
    draft.path = shown(head.uri.path(), &[&question.token]);
    draft.model = shown(&question.model, &[&question.token]);
    draft.stream = question.stream;
    if let Some(hold) = &*shared.hold.load()
        && let Some(label) = provider.label(&question.token)
    {
        (draft.token, draft.status, draft.refusal) = (Some(Arc::clone(&label)), 0, None);
        let entry = draft.entry();
        if hold(&entry) {
            let (entry, answer) = shared.journal.hold(draft, entry);
            let call = Call::new(Arc::clone(&connection), entry);
            return Begun::Later(Box::pin(by_hand(call, number, label, question, answer)));
        }
    }
    let mut decision = provider.call(at, &question);
    let told = tell(shared, provider, &question, &decision.plan, decision.serial);
    let (generation, ticket) = decision.ticket();
    let plan = decision.plan;
    draft.token = decision.label;
    draft.status = told.reply.status.code();
    draft.refusal = match plan.refusal {
        None if draft.token.is_none() => Some("token"),
        refusal => refusal.map(refusal_word),
    };
    draft.fault = plan.answer.fault.as_ref().map(fault_word);
    let entry = shared.journal.begin(draft);
    let mut call = Call::new(connection, entry);
    call.ticket = Some((number, generation, ticket));
    if plan.wait == Duration::ZERO {
        return Begun::Now(told.send(plan, call));
    }
    Begun::Later(Box::pin(told.send_later(plan, at, call)))
}

/// Answers a request to a provider that is held, when somebody says what.
async fn by_hand(
    mut call: Call,
    provider: usize,
    label: Arc<str>,
    question: Question,
    answer: oneshot::Receiver<ByHand>,
) -> Sending {
    // Whoever could answer is there as long as the journal.
    let Ok(answer) = answer.await else { return Sending::Never(call) };
    let connection = Arc::clone(&call.connection);
    let shared = &*connection.shared;
    let (at, which, provider) = (shared.clock.now(), provider, &shared.providers[provider]);
    let is_by_hand = answer.is_some();
    let mut decision = match answer {
        Some(answer) => provider.by_hand(at, Arc::clone(&label), answer),
        None => provider.call(at, &question),
    };
    let told = tell(shared, provider, &question, &decision.plan, decision.serial);
    let (generation, ticket) = decision.ticket();
    call.ticket = Some((which, generation, ticket));
    let plan = decision.plan;
    let status = told.reply.status.code();
    let refusal = plan.refusal.map(|refusal| if is_by_hand { "hand" } else { refusal_word(refusal) });
    let words = (refusal, plan.answer.fault.as_ref().map(fault_word));
    shared.journal.answered(call.number, (&provider.name, &label), status, words);
    told.send_later(plan, at, call).await
}

/// What is told, the waits between its events, and when that was decided, by the wall clock.
struct Told {
    reply: Reply,
    between: Between,
    wall: u64,
}

fn tell(shared: &Shared, provider: &Provider, question: &Question, plan: &Plan, serial: u64) -> Told {
    let wall = shared.clock.wall();
    let context = Context { serial, wall, text: &provider.text };
    let reply = provider.dialect.reply(question, plan, &context);
    let between = match &reply.body {
        Body::Events(events) => provider.between(plan, events.len()),
        Body::Whole(_) => Between::Same(Duration::ZERO),
    };
    Told { reply, between, wall }
}

impl Told {
    fn send(self, plan: Plan, call: Call) -> Sending {
        let (first, between) = (plan.first, self.between);
        let course = |body: Body, fault: Option<&Fault>| Course::new(body, fault, first, between);
        send(self.reply, plan.answer.fault, self.wall, course, call)
    }

    /// Sends it to the request that came `at` then, when its time has come.
    async fn send_later(mut self, plan: Plan, at: Instant, call: Call) -> Sending {
        if plan.wait > Duration::ZERO {
            call.wait(Some(at + plan.wait));
            call.connection.shared.clock.wait_until(at + plan.wait).await;
            call.go_on();
            self.wall = call.connection.shared.clock.wall();
        }
        self.send(plan, call)
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

/// An answer of the server itself, for what no provider can be asked.
fn wrong(connection: &Arc<Connection>, draft: Draft<'_>, message: &str) -> Sending {
    let status =
        firedrill_failover::Status::new(draft.status).expect("broken invariant: a status of ours is one");
    let body = serde_json::json!({ "error": { "message": message } }).to_string();
    let headers = vec![("content-type".into(), "application/json".into())];
    let reply = Reply { status, headers, body: Body::Whole(body.into_bytes()) };
    let number = connection.shared.journal.begin(draft);
    let wall = connection.shared.clock.wall();
    send(reply, None, wall, Course::plain, Call::new(Arc::clone(connection), number))
}

/// What is sent of `reply` under `fault`, at a time of the wall clock.
fn send(
    reply: Reply,
    fault: Option<Fault>,
    wall: u64,
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
    // Those, the date, and what frames the body.
    response.headers_mut().reserve(headers.len() + 2);
    for (name, value) in headers {
        let name = match name {
            Cow::Borrowed(name) => HeaderName::from_static(name),
            Cow::Owned(name) => match HeaderName::try_from(name) {
                Ok(name) => name,
                Err(_) => continue,
            },
        };
        let value = match value {
            Cow::Borrowed(value) => HeaderValue::from_static(value),
            Cow::Owned(value) => match HeaderValue::try_from(value) {
                Ok(value) => value,
                Err(_) => continue,
            },
        };
        response.headers_mut().append(name, value);
    }
    let informational = response.status().is_informational();
    if !informational {
        response.headers_mut().insert(DATE, date(wall));
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
    Sending::Http(response.map(|()| Stream::new(course, length, Some(call))))
}
