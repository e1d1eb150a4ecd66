//! What a rehearsal may steer.

use std::pin::Pin;

use firedrill_store::Shell;
use hyper::http::request::Parts;

use crate::metrics::Lost;

/// Gives up waiting for an answer.
pub type Lapse<'a> = Pin<Box<dyn Future<Output = Lost> + Send + 'a>>;

/// What a rehearsal may steer: which token is drawn, and when; when ticks are performed; how probes are lost. Without one
/// nothing of it costs anything. With one the gateway decides [one by one](firedrill_store::Driver::one_by_one).
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

    /// Awaited when a tick falls due: whether it is performed, now. Without a word of it every one is.
    fn ticks(&self) -> Pin<Box<dyn Future<Output = bool> + Send + '_>> {
        Box::pin(std::future::ready(true))
    }

    /// How the probe with this number of the token with this label is lost, and when: in the place of its timeout. `None`, which
    /// is what it is without a word of it, if its time passes by the clock.
    fn loses(&self, label: &str, probe: u64) -> Option<Lapse<'_>> {
        let _ = (label, probe);
        None
    }
}
