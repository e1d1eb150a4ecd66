//! What happens, as it happens: server-sent events, one for each append to the log.

use std::sync::Arc;
use std::time::Duration;

use firedrill_failover::Version;
use hyper::body::Bytes;
use hyper::header::HeaderName;
use hyper::{Request, StatusCode};
use tokio::sync::mpsc;

use super::Admin;
use super::answer::Answer;
use crate::telling::Story;

/// After so long without an event a comment is sent, so that nobody takes the connection for dead.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// So many events wait for a client that reads slowly. One that takes nothing at all is dropped by its line.
const WAITING: usize = 64;

/// A stream of events from the version that `request` names, or from the first that is kept.
///
/// # Errors
/// If what it names is no version, or there are as many streams as there may be.
pub(super) fn events(admin: &Arc<Admin>, request: &Request<()>) -> Result<Answer, (StatusCode, String)> {
    let from = from(request).map_err(|why| (StatusCode::BAD_REQUEST, why))?;
    let permit = Arc::clone(&admin.streams).try_acquire_owned().map_err(|_| {
        (StatusCode::SERVICE_UNAVAILABLE, format!("there are {} streams already", Admin::STREAMS))
    })?;
    let (sender, events) = mpsc::channel(WAITING);
    let story = Arc::clone(&admin.story);
    tokio::spawn(async move {
        send(story, from, sender).await;
        drop(permit);
    });
    Ok(Answer::events(events))
}

/// The version to begin with: `?from=17`, or the one after that which a client says it has seen last.
fn from(request: &Request<()>) -> Result<Version, String> {
    let number = |text: &str| {
        let wrong = || format!("expected the number of a version, found `{}`", text.escape_debug());
        text.parse::<u64>().map_err(|_| wrong())
    };
    if let Some(query) = request.uri().query().filter(|query| !query.is_empty()) {
        let version = query.strip_prefix("from=").ok_or("expected `from=` and the number of a version")?;
        return number(version).map(Version::new);
    }
    let seen = request.headers().get(HeaderName::from_static("last-event-id"));
    match seen.map(|seen| seen.to_str().unwrap_or_default()) {
        Some(seen) => number(seen).map(|seen| Version::new(seen.saturating_add(1))),
        None => Ok(Version::EMPTY),
    }
}

/// Sends until the client is gone, or so slow that what comes next for it is not kept any more: then it may come again and
/// say what it has seen.
async fn send(story: Arc<Story>, from: Version, sender: mpsc::Sender<Bytes>) {
    let mut news = story.news();
    let mut next = story.from(from);
    // So that the head of the answer is sent at once.
    if sender.send(Bytes::from_static(b": events of the log\n\n")).await.is_err() {
        return;
    }
    loop {
        news.borrow_and_update();
        let Some(told) = story.after(next) else { return };
        if told.is_empty() {
            let bytes = tokio::select! {
                changed = news.changed() => match changed {
                    Ok(()) => continue,
                    Err(_) => return,
                },
                () = sender.closed() => return,
                () = tokio::time::sleep(HEARTBEAT) => Bytes::from_static(b": still here\n\n"),
            };
            if sender.send(bytes).await.is_err() {
                return;
            }
            continue;
        }
        for told in told {
            let frame = format!("id: {}\nevent: {}\ndata: {}\n\n", told.version, told.event, told.text);
            if sender.send(frame.into()).await.is_err() {
                return;
            }
            next += 1;
        }
    }
}
