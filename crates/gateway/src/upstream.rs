//! The way upstream: one pool of connections, for requests and for probes.

mod connection;

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Body as _, Bytes, Incoming};
use hyper::http::Extensions;
use hyper::{Request, Response};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::{ClientConfig, RootCertStore};

use crate::flight::Kind;
use crate::metrics::Lost;
use crate::rehearsal::Lapse;
use crate::settings::Roots;
use crate::shared::Shared;
use crate::upstream::connection::{Connector, Past};

/// No answer to a probe is longer, in bytes.
const MOST_READ: u64 = 4 << 20;

/// What is longer is not worth the wait, in bytes.
const MOST_DRAINED: u64 = 64 << 10;

/// So long it may take. Of real time: it keeps nobody waiting.
const DRAINING: Duration = Duration::from_secs(1);

type Connections = legacy::Client<Connector<HttpsConnector<HttpConnector>>, Full<Bytes>>;

/// What connects upstream.
pub(crate) struct Client {
    /// On connections that are kept for the next request.
    kept: Connections,
    /// Each on one of its own.
    fresh: Connections,
}

/// A connection that was not used for so long is closed, before upstream closes it.
const IDLE: Duration = Duration::from_secs(30);

/// A client that trusts who everybody trusts, and `roots`.
///
/// # Errors
/// If one of the certificates is none.
pub(crate) fn client(roots: &Roots) -> Result<Client, rustls::Error> {
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
    let connector = Connector(connector);
    let mut builder = legacy::Client::builder(TokioExecutor::new());
    builder.pool_timer(TokioTimer::new()).pool_idle_timeout(IDLE).set_host(false);
    let kept = builder.build(connector.clone());
    Ok(Client { kept, fresh: builder.pool_max_idle_per_host(0).build(connector) })
}

/// Ends when `timeout` has passed by the gateway's clock, from now.
pub(crate) fn lapse(shared: &Shared, timeout: firedrill_failover::Duration) -> Lapse<'static> {
    let wait = shared.clock.wait_until(shared.clock.now() + timeout);
    Box::pin(async {
        wait.await;
        Lost::Timeout
    })
}

/// Sends `request`, and waits for the head of its answer until that is given up.
///
/// If it was sent on a connection that upstream was about to close, it is sent again, once and on a new one; nobody has failed.
/// So is a `POST`, of which HTTP says (RFC 9110, 9.2.2) that it takes some means to know that it may be: a server that means to
/// close a connection after a request answers that first; the vendors' own clients do the same; and the worst that can come of
/// it, from an upstream that died with the question read, is that a question is asked twice.
pub(crate) async fn send(
    shared: &Shared,
    kind: Kind,
    request: Request<Full<Bytes>>,
    lapse: impl Future<Output = Lost>,
) -> Result<Response<Incoming>, Lost> {
    let mut again = Some(request.clone());
    let mut answer = shared.client.kept.request(request);
    shared.flight.send();
    let _waiting = shared.flight.wait(kind);
    let mut lapse = pin!(lapse);
    loop {
        let error = tokio::select! {
            biased;
            came = &mut answer => match came {
                // Nothing was asked that this could be the answer to.
                Ok(came) if came.status().is_informational() => return Err(Lost::Reset),
                Ok(came) => return Ok(came),
                Err(error) => error,
            },
            lost = &mut lapse => return Err(lost),
        };
        match again.take().filter(|_| is_stale(&error)) {
            Some(again) => {
                shared.metrics.sent_again();
                answer = shared.client.fresh.request(again);
            }
            None if error.is_connect() => return Err(Lost::Connect),
            None => return Err(Lost::Reset),
        }
    }
}

/// Whether the connection was over before upstream could answer.
fn is_stale(error: &legacy::Error) -> bool {
    let Some(connected) = error.connect_info() else { return false };
    let mut extras = Extensions::new();
    connected.get_extras(&mut extras);
    extras.get::<Arc<Past>>().is_some_and(|past| past.is_stale())
}

/// Reads an answer to its end. What is so long that it answers no small question has none.
pub(crate) async fn read(answer: Response<Incoming>) -> Result<(), Lost> {
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
pub(crate) fn drain(shared: &Shared, answer: Response<Incoming>) {
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
