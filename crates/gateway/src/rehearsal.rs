//! What a rehearsal may steer.

use std::pin::Pin;

use firedrill_store::Shell;
use hyper::http::request::Parts;

/// What a rehearsal may steer: which token is drawn, and when. Without one nothing of it costs anything.
pub trait Rehearsal: Send + Sync + 'static {
    /// Awaited before each attempt of a request, counted from 0, by its head as the client sent it: the token to draw, by its
    /// label, or `None` for chance. What the attempt before came to is reported by then.
    fn before<'a>(
        &'a self,
        request: &'a Parts,
        attempt: usize,
        shell: &'a Shell,
    ) -> Pin<Box<dyn Future<Output = Option<String>> + Send + 'a>>;

    /// A token was drawn: its label, and whether it is a fallback. Or it could not be, and why; then the client is answered
    /// 500. A retry for which no token is left to try is neither.
    fn drawn(&self, request: &Parts, drawn: Result<(&str, bool), String>);
}
