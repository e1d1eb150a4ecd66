//! A port: had, listened on, and given up when the server is asked to stop.

use std::io;
use std::net::SocketAddr;

use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::watch;

/// Connections that wait to be accepted.
pub const BACKLOG: u32 = 1_024;

/// So many clients for whom there is no room are told so at the same time; others are only hung up on.
pub const TOLD: usize = 256;

/// Listens on `address`.
///
/// # Errors
/// If the port cannot be had.
pub fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    hold(address)?.listen(BACKLOG)
}

/// Has the port of `address`, and refuses whoever asks for a connection until it is listened on.
///
/// # Errors
/// If the port cannot be had.
pub fn hold(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok(socket)
}

/// Waits until somebody says so, or whoever could say so is gone.
pub async fn asked_to(stop: &mut watch::Receiver<bool>) {
    drop(stop.wait_for(|stop| *stop).await);
}
