//! The end of a connection: what a client still sends is read for a moment, or the last answer might not reach it.

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// So long is read what a client still sends.
const MOMENT: Duration = Duration::from_secs(1);

/// Of a client for whom there is no room, so many bytes.
const LITTLE: u64 = 1 << 20;

/// Reads what still comes until the client ends it too, for a second and `most` bytes at most: a fast one would send for ever.
/// What was sent and is not read makes a reset of a close, and with it an answer may be lost.
pub async fn drain(connection: impl AsyncRead + Unpin, most: u64) {
    let mut rest = connection.take(most);
    let mut dropped = [0; 4096];
    let all = async { while rest.read(&mut dropped).await.is_ok_and(|read| read > 0) {} };
    let _ = tokio::time::timeout(MOMENT, all).await;
}

/// Tells a client that there is no room for it: a 503 with `body`, which is JSON. Whoever does not listen is hung up on.
pub async fn turn_away(mut stream: TcpStream, body: &str) {
    let head = "HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/json\r\nconnection: close";
    let answer = format!("{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    let told = async { stream.write_all(answer.as_bytes()).await.is_ok() && stream.shutdown().await.is_ok() };
    if tokio::time::timeout(MOMENT, told).await.is_ok_and(|told| told) {
        drain(stream, LITTLE).await;
    }
}
