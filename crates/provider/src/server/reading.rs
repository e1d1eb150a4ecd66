//! The body of a request, while it is read.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use hyper::body::{Body as _, Bytes, Incoming};

/// The body of a request while it is read, if it is not longer than so many bytes.
pub(crate) struct Reading {
    body: Incoming,
    most: usize,
    /// All there is, while there is only one.
    first: Bytes,
    whole: Option<Vec<u8>>,
}

impl Reading {
    pub(crate) fn new(body: Incoming, most: usize) -> Self {
        Self { body, most, first: Bytes::new(), whole: None }
    }
}

impl Future for Reading {
    type Output = Result<Bytes, Unread>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Self { body, most, first, whole } = self.get_mut();
        if body.size_hint().lower() > *most as u64 {
            return Poll::Ready(Err(Unread::TooLong));
        }
        while let Some(frame) = ready!(Pin::new(&mut *body).poll_frame(cx)) {
            let Ok(frame) = frame else { return Poll::Ready(Err(Unread::Broken)) };
            // What is no data is a trailer.
            let Ok(data) = frame.into_data() else { continue };
            if first.is_empty() {
                *first = data;
            } else {
                whole.get_or_insert_with(|| first.to_vec()).extend_from_slice(&data);
            }
            if whole.as_ref().map_or(first.len(), Vec::len) > *most {
                return Poll::Ready(Err(Unread::TooLong));
            }
        }
        Poll::Ready(Ok(whole.take().map_or_else(|| std::mem::take(first), Bytes::from)))
    }
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
