//! One request: what is read of it, which tokens it is tried with, and what its client is answered.

use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;

use firedrill_failover::{Policy, Retry, Status};
use firedrill_line::Phase;
use http_body_util::Full;
use hyper::body::{Body as _, Bytes, Incoming};
use hyper::header::{CONTENT_LENGTH, HeaderMap};
use hyper::http::request::Parts;
use hyper::http::uri::PathAndQuery;
use hyper::{Method, Request, Response, StatusCode, Uri, Version};

use crate::flight::Kind;
use crate::proxy::answer::Refusal;
use crate::proxy::attempt::{Attempting, Open, Succeeding};
use crate::proxy::body::Outgoing;
use crate::proxy::draw::{Draws, NotDrawn};
use crate::proxy::head;
use crate::shared::{Credential, Shared};
use crate::upstream::{self, Coming, Question};

/// Answers `request`. Dropping it gives the request up, upstream too. It is counted at once: hyper may find that its client is gone
/// before it goes on with it.
pub(crate) fn answer(
    shared: Arc<Shared>,
    phase: Phase,
    request: Request<Incoming>,
) -> impl Future<Output = Result<Response<Outgoing>, Infallible>> {
    phase.set(Phase::BODY);
    let open = Open::new(shared, phase);
    async move { Ok(opened(open, request).await) }
}

async fn opened(open: Open, request: Request<Incoming>) -> Response<Outgoing> {
    let (parts, body) = request.into_parts();
    if let Some(refusal) = head::refusal(&parts) {
        return refuse(open, &refusal, true);
    }
    let body = match read(body, open.shared.limits.body_bytes).await {
        Ok(body) => body,
        Err(refusal) => return refuse(open, &refusal, true),
    };
    open.phase.set(Phase::ANSWERING);
    let shared = Arc::clone(&open.shared);
    let seen = shared.rehearsal.as_ref().map(|_| parts.clone());
    let Some(asked) = Asked::new(&shared, parts, body) else {
        return refuse(open, &Refusal::TARGET, false);
    };
    attempts(&shared, open, asked, seen.as_ref()).await
}

/// What upstream is asked, but for the token.
struct Asked {
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
}

impl Asked {
    fn new(shared: &Shared, parts: Parts, body: Bytes) -> Option<Self> {
        let uri = Uri::from(head::target(&shared.route, shared.vendor, &parts.uri)?);
        let mut headers = parts.headers;
        head::to_upstream(&mut headers);
        Some(Self { method: parts.method, uri, headers, body })
    }

    fn with(&self, shared: &Shared, attempting: &Attempting) -> Question {
        let mut request = Request::new(Full::new(self.body.clone()));
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = self.uri.clone();
        *request.version_mut() = Version::HTTP_11;
        *request.headers_mut() = self.headers.clone();
        head::with_token(request.headers_mut(), shared.vendor, &shared.route.host, &attempting.credential);
        request
    }

    /// Where it goes, if a probe can go there too.
    fn went(&self, shared: &Shared) -> Option<PathAndQuery> {
        let path = self.uri.path_and_query().filter(|_| self.method == Method::POST)?;
        shared.vendor.takes_probes(path.path()).then(|| path.clone())
    }
}

/// Tries one token after another, as the rules for retries allow.
async fn attempts(
    shared: &Arc<Shared>,
    open: Open,
    asked: Asked,
    seen: Option<&Parts>,
) -> Response<Outgoing> {
    let mut draws = Draws::new(shared.chance.next());
    let mut attempting = match draws.draw(shared, seen).await {
        Ok(attempting) => attempting,
        Err(not_drawn) => return refuse(open, &why(not_drawn), false),
    };
    loop {
        let sent_at = shared.clock.now();
        let left =
            shared.shell.look(|pool| pool.policy().retry().map(|retry| retry.left(open.began, sent_at)));
        // Whether rules that are loaded meanwhile allow more retries is for the next request.
        let last = left.is_none();
        let timeout = left.map_or(shared.timeout(), |left| left.min(shared.timeout()));
        let lapse = upstream::lapse(shared, timeout);
        let came = upstream::send(shared, Kind::Request, || asked.with(shared, &attempting), lapse).await;
        let now = shared.clock.now();
        let (status, lost) = match &came {
            Ok(answer) => (status_of(answer), None),
            Err(lost) => (attempting.lost(shared, *lost), Some(*lost)),
        };
        shared.metrics.came(&attempting.credential.counts, status, lost, now.since(sent_at));
        let judge = |policy: &Policy| {
            let allows = |retry: &Retry| retry.allows(status, draws.retries(), open.began, now);
            (lost.is_none() && policy.is_success(status), !last && policy.retry().is_some_and(allows))
        };
        let (success, again) = shared.shell.look(|pool| judge(pool.policy()));
        if lost.is_none() && (!success || again) {
            attempting.report(shared, status);
        }
        if again {
            draws.tried(&attempting);
            match draws.draw(shared, seen).await {
                Ok(another) => {
                    attempting = another;
                    if let Ok(answer) = came {
                        upstream::drain(shared, answer);
                    }
                    continue;
                }
                Err(NotDrawn::NoneLeft) => {}
                Err(NotDrawn::Refused) => return refuse(open, &why(NotDrawn::Refused), false),
            }
        }
        return match came {
            Ok(answer) => {
                let went = asked.went(shared);
                let credential = Arc::clone(&attempting.credential);
                let success = (success && !again).then(|| attempting.succeeding(status, went));
                let is_head = asked.method == Method::HEAD;
                pass(open, answer, (credential, success), is_head)
            }
            Err(lost) => refuse(open, &Refusal::lost(lost), false),
        };
    }
}

fn why(not_drawn: NotDrawn) -> Refusal {
    match not_drawn {
        NotDrawn::NoneLeft => Refusal::NO_TOKEN,
        NotDrawn::Refused => Refusal::NOT_DRAWN,
    }
}

pub(crate) fn status_of(answer: &Response<Coming>) -> Status {
    Status::new(answer.status().as_u16())
        .expect("broken invariant: hyper knows no status below 100 or above 999")
}

/// The answer from upstream, as it comes.
fn pass(
    mut open: Open,
    answer: Response<Coming>,
    (credential, success): (Arc<Credential>, Option<Succeeding>),
    is_head: bool,
) -> Response<Outgoing> {
    let (mut parts, incoming) = answer.into_parts();
    if !parts.status.is_success() && head::is_coded(&parts.headers) {
        // In a coding a token could not be found.
        return refuse(open, &Refusal { status: parts.status, ..Refusal::CODED }, false);
    }
    head::to_client(&mut parts.headers, &credential);
    if !is_head && parts.headers.contains_key(CONTENT_LENGTH) {
        match incoming.size_hint().exact() {
            Some(_) if parts.status == StatusCode::NOT_MODIFIED => {}
            Some(length) => drop(parts.headers.insert(CONTENT_LENGTH, length.into())),
            None => drop(parts.headers.remove(CONTENT_LENGTH)),
        }
    }
    open.answered(parts.status.as_u16(), false);
    let mut response = Response::new(Outgoing::through(incoming, credential, success, open));
    *response.status_mut() = parts.status;
    *response.headers_mut() = parts.headers;
    response
}

/// An answer of the gateway's own. With `close` the connection is over after it.
fn refuse(mut open: Open, refusal: &Refusal, close: bool) -> Response<Outgoing> {
    open.phase.set(Phase::ANSWERING);
    open.answered(refusal.status.as_u16(), true);
    let body = refusal.body();
    let head = refusal.head(body.len(), close);
    head.map(|()| Outgoing::Own { body: Some(body), _open: open })
}

/// The whole body of a request, if it is not longer than `most` bytes. One that comes in one piece is not copied.
async fn read(mut body: Incoming, most: usize) -> Result<Bytes, Refusal> {
    if body.size_hint().lower() > most as u64 {
        return Err(Refusal::TOO_LARGE);
    }
    let (mut first, mut whole) = (Bytes::new(), None::<Vec<u8>>);
    while let Some(frame) = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
        // What is no data is a trailer.
        let Ok(piece) = frame.map_err(|_| Refusal::BROKEN_BODY)?.into_data() else { continue };
        if first.is_empty() {
            first = piece;
        } else {
            let room = usize::try_from(body.size_hint().lower()).unwrap_or(0).min(most);
            let whole = whole.get_or_insert_with(|| {
                let mut whole = Vec::with_capacity(first.len() + piece.len() + room);
                whole.extend_from_slice(&first);
                whole
            });
            whole.extend_from_slice(&piece);
        }
        if whole.as_ref().map_or(first.len(), Vec::len) > most {
            return Err(Refusal::TOO_LARGE);
        }
    }
    Ok(whole.map_or(first, Bytes::from))
}
