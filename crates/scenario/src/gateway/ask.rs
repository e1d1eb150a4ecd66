//! A client of a gateway in a rehearsal: one request on a connection of its own, and what came of it.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::Pin;

use firedrill_failover::Status;
use hyper::Request;
use hyper::body::{Body as _, Bytes, Incoming};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::stage::NUMBER;
use crate::question::Question;

/// A longer answer is no answer to a question as short as ours, in bytes.
const MOST_BYTES: usize = 16 << 20;

/// What a client got.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) struct Got {
    /// The status of the answer.
    pub(super) status: Status,
    /// Whether its body broke off.
    pub(super) broken: bool,
}

/// Asks the gateway at `address`, as the request with this `number`. An error says how no answer came.
pub(super) async fn ask(address: SocketAddr, number: u64, question: Question) -> Result<Got, String> {
    let stream = TcpStream::connect(address).await.map_err(|error| format!("no connection: {error}"))?;
    // Questions are short, and sent at once.
    let _ = stream.set_nodelay(true);
    let broken = |error: hyper::Error| format!("the connection to the gateway broke: {error}");
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
    let request = Request::post(question.path())
        .header("host", address.to_string())
        .header("content-type", "application/json")
        .header("anthropic-version", "2023-06-01")
        // A token of the client's own is the gateway's to take out.
        .header("authorization", "Bearer of-the-client")
        .header(NUMBER, number)
        .body(question.body())
        .map_err(|error| error.to_string())?;
    let exchanged = async {
        let response = sender.send_request(request).await.map_err(broken)?;
        let code = response.status().as_u16();
        let status = Status::new(code).ok_or_else(|| format!("the answer has the status {code}"))?;
        Ok(Got { status, broken: read(response.into_body()).await.is_err() })
    };
    tokio::pin!(exchanged);
    tokio::select! {
        biased;
        got = &mut exchanged => got,
        // It ends with the answer; how it ended, whoever reads the answer hears as well.
        _ = connection => exchanged.await,
    }
}

/// Reads a body to its end; an error if it breaks off, or has none.
async fn read(mut body: Incoming) -> Result<(), ()> {
    let mut bytes = 0;
    while let Some(frame) = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
        bytes += frame.map_err(drop)?.data_ref().map_or(0, Bytes::len);
        if bytes > MOST_BYTES {
            return Err(());
        }
    }
    Ok(())
}
