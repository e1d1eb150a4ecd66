//! What is answered to which request.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use firedrill_line::Phase;
use firedrill_store::Reach;
use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use hyper::header::{
    ACCEPT, ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, WWW_AUTHENTICATE,
};
use hyper::{Method, Request, Response, StatusCode};
use tokio::sync::mpsc;

use super::{Admin, events, guard, order, page, state};
use crate::metrics;

/// The body of an answer. While it is there the connection is about an answer; then it is idle.
pub(super) struct Page {
    piece: Piece,
    phase: Phase,
}

enum Piece {
    Whole(Option<Bytes>),
    /// As they come, until nobody sends any more.
    Events(mpsc::Receiver<Bytes>),
}

impl Body for Page {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let next = match &mut self.piece {
            Piece::Whole(whole) => Poll::Ready(whole.take()),
            Piece::Events(events) => events.poll_recv(cx),
        };
        next.map(|next| next.map(|bytes| Ok(Frame::data(bytes))))
    }

    fn size_hint(&self) -> SizeHint {
        match &self.piece {
            Piece::Whole(whole) => SizeHint::with_exact(whole.as_ref().map_or(0, Bytes::len) as u64),
            Piece::Events(_) => SizeHint::default(),
        }
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        self.phase.set(Phase::IDLE);
    }
}

/// An answer that is not sent yet.
pub(super) struct Answer {
    status: StatusCode,
    kind: &'static str,
    piece: Piece,
    more: Option<(HeaderName, HeaderValue)>,
}

const TEXT: &str = "text/plain; charset=utf-8";
pub(super) const JSON: &str = "application/json";

impl Answer {
    pub(super) fn new(status: StatusCode, kind: &'static str, body: impl Into<Bytes>) -> Self {
        Self { status, kind, piece: Piece::Whole(Some(body.into())), more: None }
    }

    /// `why` not, in a form that reads like every error of this gateway.
    pub(super) fn refused(status: StatusCode, why: &str) -> Self {
        let body = serde_json::json!({ "error": { "message": why } });
        Self::new(status, JSON, format!("{body}\n"))
    }

    pub(super) fn with(self, name: HeaderName, value: &'static str) -> Self {
        Self { more: Some((name, HeaderValue::from_static(value))), ..self }
    }

    pub(super) fn events(events: mpsc::Receiver<Bytes>) -> Self {
        Self { status: StatusCode::OK, kind: "text/event-stream", piece: Piece::Events(events), more: None }
    }
}

/// Answers `request`.
pub(super) async fn answer(admin: &Arc<Admin>, phase: Phase, request: Request<Incoming>) -> Response<Page> {
    // No request here needs a body; one that is on its way is not waited for.
    phase.set(Phase::ANSWERING);
    let Answer { status, kind, piece, more } = told(admin, &request.map(drop)).await;
    let mut response = Response::new(Page { piece, phase });
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(HeaderName::from_static("x-content-type-options"), HeaderValue::from_static("nosniff"));
    // The page of the state needs no more than its own style.
    let policy =
        HeaderValue::from_static("default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'");
    headers.insert(HeaderName::from_static("content-security-policy"), policy);
    headers.extend(more);
    response
}

async fn told(admin: &Arc<Admin>, request: &Request<()>) -> Answer {
    let (method, path) = (request.method(), request.uri().path());
    let reads = matches!(*method, Method::GET | Method::HEAD);
    match path {
        "/healthz" if reads => return Answer::new(StatusCode::OK, TEXT, "ok\n"),
        "/readyz" if reads => return ready(admin),
        _ => {}
    }
    if let Err(barred) = guard::admits(admin, request.headers()) {
        let answer = Answer::refused(barred.status, barred.why);
        let unknown = barred.status == StatusCode::UNAUTHORIZED;
        return if unknown { answer.with(WWW_AUTHENTICATE, "Bearer") } else { answer };
    }
    if let Some(asked) = order::asked(path) {
        return order::perform(admin, request, &asked).await;
    }
    match path {
        "/" | "/state" | "/events" | "/metrics" | "/healthz" | "/readyz" if !reads => {
            Answer::refused(StatusCode::METHOD_NOT_ALLOWED, "expected GET").with(ALLOW, "GET, HEAD")
        }
        "/" | "/state" => {
            let state = state::State::of(admin);
            if prefers_html(request.headers()) {
                Answer::new(StatusCode::OK, "text/html; charset=utf-8", page::page(&state))
            } else {
                let body = serde_json::to_string_pretty(&state);
                let body = body.expect("broken invariant: a state is plain data");
                Answer::new(StatusCode::OK, JSON, body + "\n")
            }
        }
        "/metrics" => {
            let shared = &admin.shared;
            let page = metrics::page(&shared.metrics, &shared.shell, &shared.flight);
            let page = page.expect("broken invariant: a text can be written to");
            Answer::new(StatusCode::OK, metrics::CONTENT_TYPE, page)
        }
        "/events" => {
            events::events(admin, request).unwrap_or_else(|(status, why)| Answer::refused(status, &why))
        }
        _ => Answer::refused(
            StatusCode::NOT_FOUND,
            "nothing is here; there is /state, /events, /metrics, /healthz and /readyz, and to POST to, for a token by its \
             label, /tokens/LABEL/out, /tokens/LABEL/in and /tokens/LABEL/reset",
        ),
    }
}

/// Ready is who has heard the log, or knows that it cannot be reached and decides alone.
fn ready(admin: &Admin) -> Answer {
    let stopping = *admin.shared.stop.borrow();
    match admin.shared.shell.standing().reach {
        _ if stopping => Answer::new(StatusCode::SERVICE_UNAVAILABLE, TEXT, "stopping\n"),
        Reach::Beginning => Answer::new(StatusCode::SERVICE_UNAVAILABLE, TEXT, "the log was not heard yet\n"),
        Reach::Connected => Answer::new(StatusCode::OK, TEXT, "ready\n"),
        Reach::Away { .. } => Answer::new(StatusCode::OK, TEXT, "ready; the log cannot be reached\n"),
    }
}

fn prefers_html(headers: &HeaderMap) -> bool {
    let accepted = headers.get(ACCEPT).and_then(|accepted| accepted.to_str().ok()).unwrap_or_default();
    accepted.split(',').any(|kind| kind.split(';').next().unwrap_or_default().trim() == "text/html")
}
