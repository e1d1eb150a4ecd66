//! Answers of the gateway's own: for what does not go upstream, and for what upstream did not answer.

use hyper::body::Bytes;
use hyper::header::{CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HeaderValue};
use hyper::{Response, StatusCode};

use crate::metrics::Lost;
use crate::proxy::lost;

/// Why the gateway answers by itself. What it says names no host and no token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) status: StatusCode,
    pub(crate) code: &'static str,
    pub(crate) message: &'static str,
}

impl Refusal {
    pub(crate) const TOO_LARGE: Self = Self {
        status: StatusCode::PAYLOAD_TOO_LARGE,
        code: "body_too_large",
        message: "the body of the request is longer than this gateway takes",
    };
    pub(crate) const BROKEN_BODY: Self =
        Self { status: StatusCode::BAD_REQUEST, code: "body", message: "the body of the request breaks off" };
    pub(crate) const NO_TOKEN: Self = Self {
        status: StatusCode::SERVICE_UNAVAILABLE,
        code: "no_token",
        message: "this gateway has no secret for any token of the pool",
    };
    pub(crate) const NOT_DRAWN: Self = Self {
        status: StatusCode::INTERNAL_SERVER_ERROR,
        code: "not_drawn",
        message: "the token that should be drawn cannot be",
    };
    /// Its status is that of the answer that it stands for.
    pub(crate) const CODED: Self = Self {
        status: StatusCode::BAD_GATEWAY,
        code: "coded",
        message: "the upstream provider refused, in a coding that was not asked for",
    };
    pub(crate) const TARGET: Self = Self {
        status: StatusCode::BAD_REQUEST,
        code: "path",
        message: "expected a path that a URL can hold",
    };

    /// What a client is told of a request whose last attempt was lost.
    pub(crate) fn lost(kind: Lost) -> Self {
        let named = lost::status(kind);
        let message = match kind {
            Lost::Connect => "the upstream provider could not be connected to",
            Lost::Timeout => "the upstream provider did not answer in time",
            Lost::Reset => "the upstream provider broke the connection before it answered",
        };
        let status = StatusCode::from_u16(named.code()).unwrap_or(StatusCode::SERVICE_UNAVAILABLE);
        Self { status, code: named.name().unwrap_or("lost"), message }
    }

    /// As OpenAI tells errors, which most clients can read.
    pub(crate) fn body(&self) -> Bytes {
        let Self { code, message, .. } = self;
        format!(r#"{{"error":{{"message":"{message}","type":"gateway_error","code":"{code}"}}}}"#).into()
    }

    /// The head of the answer. With `close` the connection is over after it: what was sent was not read.
    pub(crate) fn head(&self, length: usize, close: bool) -> Response<()> {
        let mut response = Response::new(());
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(CONTENT_LENGTH, length.into());
        if close {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}
