//! The way upstream: one pool of connections, for requests and for probes.

mod connection;
mod link;

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::{Body as _, Bytes};
use hyper::http::uri::{self, PathAndQuery};
use hyper::{Response, Uri};
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::client::legacy::connect::HttpConnector;
use rustls::{ClientConfig, RootCertStore};

use crate::flight::Kind;
use crate::metrics::Lost;
use crate::rehearsal::Lapse;
use crate::settings::{Roots, Route};
use crate::shared::Shared;
use crate::upstream::link::Failed;
pub(crate) use crate::upstream::link::{Client, Coming, Question};

/// No answer to a probe is longer, in bytes.
const MOST_READ: u64 = 4 << 20;

/// What is longer is not worth the wait, in bytes.
const MOST_DRAINED: u64 = 64 << 10;

/// So long it may take. Of real time: it keeps nobody waiting.
const DRAINING: Duration = Duration::from_secs(1);

/// A client of `route` that trusts who everybody trusts, and `roots`. Must be called in a runtime.
///
/// # Errors
/// If one of the certificates is none.
pub(crate) fn client(roots: &Roots, route: &Route) -> Result<Client, rustls::Error> {
    let mut trusted = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    for root in &roots.0 {
        trusted.add(root.clone())?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(trusted)
        .with_no_client_auth();
    let mut tcp = HttpConnector::new();
    tcp.set_nodelay(true);
    tcp.enforce_http(false);
    let connector =
        HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http1().wrap_connector(tcp);
    let mut to = uri::Parts::default();
    (to.scheme, to.authority) = (Some(route.scheme.clone()), Some(route.authority.clone()));
    to.path_and_query = Some(PathAndQuery::from_static("/"));
    let to = Uri::from_parts(to).expect("broken invariant: it has all the parts of a URI");
    Ok(Client::new(connector, to))
}

/// Ends when `timeout` has passed by the gateway's clock, from now.
pub(crate) fn lapse(shared: &Shared, timeout: firedrill_failover::Duration) -> Lapse<'static> {
    let wait = shared.clock.wait_until(shared.clock.now() + timeout);
    Box::pin(async {
        wait.await;
        Lost::Timeout
    })
}

/// Sends what `question` makes, and waits for the head of its answer until that is given up.
///
/// If it was sent on a connection that upstream was about to close, it is sent again, once and on a new one; nobody has failed.
/// So is a `POST`, of which HTTP says (RFC 9110, 9.2.2) that it takes some means to know that it may be: a server that means to
/// close a connection after a request answers that first; the vendors' own clients do the same; and the worst that can come of
/// it, from an upstream that died with the question read, is that a question is asked twice.
pub(crate) async fn send(
    shared: &Shared,
    kind: Kind,
    question: impl Fn() -> Question,
    lapse: impl Future<Output = Lost>,
) -> Result<Response<Coming>, Lost> {
    shared.flight.send();
    let _waiting = shared.flight.wait(kind);
    let answer = async {
        match shared.client.ask(&question).await {
            Err(Failed::Stale) => {
                shared.metrics.sent_again();
                shared.client.ask_anew(question()).await
            }
            came => came,
        }
    };
    tokio::select! {
        biased;
        answer = answer => match answer {
            // Nothing was asked that this could be the answer to.
            Ok(answer) if answer.status().is_informational() => Err(Lost::Reset),
            Ok(answer) => Ok(answer),
            Err(Failed::Connect) => Err(Lost::Connect),
            Err(_) => Err(Lost::Reset),
        },
        lost = lapse => Err(lost),
    }
}

/// Reads an answer to its end. What is so long that it answers no small question has none.
pub(crate) async fn read(answer: Response<Coming>) -> Result<(), Lost> {
    let (mut body, mut bytes) = (answer.into_body(), 0);
    while let Some(frame) = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
        bytes += frame.map_err(|_| Lost::Reset)?.data_ref().map_or(0, Bytes::len) as u64;
        if bytes > MOST_READ {
            std::future::pending::<()>().await;
        }
    }
    Ok(())
}

/// Takes an answer that nobody wants, if it is a small one: so its connection can be used again.
pub(crate) fn drain(shared: &Shared, answer: Response<Coming>) {
    let mut body = answer.into_body();
    if body.is_end_stream() || body.size_hint().upper().is_none_or(|most| most > MOST_DRAINED) {
        return;
    }
    let draining = shared.flight.drain();
    let rest = async move {
        while let Some(Ok(_)) = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {}
        drop((body, draining));
    };
    tokio::spawn(tokio::time::timeout(DRAINING, rest));
}
