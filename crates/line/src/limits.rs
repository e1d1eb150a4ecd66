//! What a client may take of the server. Real time, always.

use std::time::Duration;

/// How much of the server one client may take, and all of them together. Whoever takes more is answered with what is wrong,
/// or dropped, and others do not notice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections at the same time; what comes beyond is answered 503 and closed.
    pub connections: usize,
    /// Bytes of the head of a request; what is longer is answered 431.
    pub head_bytes: usize,
    /// Bytes of the body of a request; what is longer is answered 413. After the last answer of a connection as many more are
    /// read and dropped, for a second at most, so that the answer reaches a client that is still writing.
    pub body_bytes: usize,
    /// From the first byte of a request to the end of its head; then the connection is closed.
    pub head_time: Duration,
    /// For the body of a request; then the connection is closed.
    pub body_time: Duration,
    /// Between two requests on one connection; then it is closed.
    pub idle_time: Duration,
    /// In which a client must take something of what is being sent; then the connection is closed.
    pub write_time: Duration,
    /// For the answers that are being given when the server is asked to stop; then they are broken off.
    pub grace: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 10_240,
            head_bytes: 64 << 10,
            body_bytes: 32 << 20,
            head_time: Duration::from_secs(10),
            body_time: Duration::from_mins(1),
            idle_time: Duration::from_secs(90),
            write_time: Duration::from_secs(30),
            grace: Duration::from_secs(5),
        }
    }
}
