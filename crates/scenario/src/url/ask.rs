//! A request of a client to the gateway, from its connection to the end of the answer.
//!
//! Each has a connection of its own, so that a connection that the gateway has given up is no one's failure.

use std::future::poll_fn;
use std::pin::Pin;

use firedrill_failover::Status;
use hyper::body::{Body as _, Incoming};
use hyper::client::conn::http1;
use hyper::header::{CONTENT_TYPE, HOST};
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::settings::Settings;

/// A longer answer is no answer to a question as short as ours.
const MOST_BYTES: usize = 16 << 20;
/// So much of an answer is kept, to be shown, in bytes.
const SHOWN: usize = 240;

/// What a client saw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Seen {
    /// A whole answer: its status, and how it begins.
    Answer(Status, String),
    /// The start of an answer, its status, and how it broke off.
    Broken(Status, String),
    /// No answer, and what came instead.
    Nothing(String),
    /// No connection, and why.
    NoConnection(String),
}

/// Asks the gateway once.
pub(super) async fn ask(settings: &Settings) -> Seen {
    let answered = tokio::time::timeout(settings.timeout, exchange(settings));
    answered.await.unwrap_or_else(|_| Seen::Nothing(format!("no whole answer within {:?}", settings.timeout)))
}

async fn exchange(settings: &Settings) -> Seen {
    let Settings { gateway, .. } = settings;
    let host = gateway.host.trim_start_matches('[').trim_end_matches(']');
    let stream = match TcpStream::connect((host, gateway.port)).await {
        Ok(stream) => stream,
        Err(error) => return Seen::NoConnection(error.to_string()),
    };
    let broken = |what: &str| Seen::Nothing(format!("the connection broke {what}"));
    // Questions are short, and sent at once.
    let _ = stream.set_nodelay(true);
    let Ok((mut sender, connection)) = http1::handshake(TokioIo::new(stream)).await else {
        return broken("before a request");
    };
    let exchanged = async {
        let Ok(response) = sender.send_request(request(settings)).await else {
            return broken("before an answer");
        };
        let (head, body) = response.into_parts();
        let Some(status) = Status::new(head.status.as_u16()) else {
            return Seen::Nothing(format!("the answer has the status {}", head.status.as_u16()));
        };
        match read(Response::from_parts(head, body)).await {
            Ok(text) => Seen::Answer(status, text),
            Err(how) => Seen::Broken(status, how.to_owned()),
        }
    };
    tokio::pin!(exchanged);
    tokio::select! {
        biased;
        seen = &mut exchanged => seen,
        // It ends with the answer; how it ended, whoever reads the answer hears as well.
        _ = connection => exchanged.await,
    }
}

fn request(settings: &Settings) -> Request<String> {
    let Settings { gateway, path, model, headers, .. } = settings;
    let question = serde_json::json!({
        "model": model,
        "messages": [{ "role": "user", "content": "Is anybody there?" }],
        // Dialects that ask for it want it, and to the others it is no harm.
        "max_tokens": 64,
    });
    let mut request = Request::new(question.to_string());
    *request.method_mut() = Method::POST;
    *request.uri_mut() = format!("{}{path}", gateway.base).parse().unwrap_or_default();
    let own = [(HOST, gateway.authority().try_into()), (CONTENT_TYPE, "application/json".try_into())];
    for (name, value) in own {
        if let Ok(value) = value {
            request.headers_mut().insert(name, value);
        }
    }
    for header in headers {
        request.headers_mut().insert(header.name.clone(), header.value.clone());
    }
    request
}

/// How the body begins, once all of it has come.
async fn read(response: Response<Incoming>) -> Result<String, &'static str> {
    let mut body = response.into_body();
    let (mut kept, mut bytes) = (Vec::new(), 0);
    while let Some(frame) = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
        let Ok(data) = frame.map_err(|_| "then the connection broke")?.into_data() else { continue };
        bytes += data.len();
        if bytes > MOST_BYTES {
            return Err("then a body without an end");
        }
        let room = SHOWN - kept.len().min(SHOWN);
        kept.extend_from_slice(&data[..data.len().min(room)]);
    }
    Ok(String::from_utf8_lossy(&kept).into_owned())
}
