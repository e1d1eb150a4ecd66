//! A gateway in front of an upstream that keeps what it is asked, and echoes it with the token.

use std::sync::{Arc, Mutex};

use firedrill_failover::{Config, Settings as Rules};
use firedrill_gateway::{Gateway, Secret, Secrets, Settings, Vendor};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;

use crate::exchange::{exchange, panics, runtime};
use crate::judge::{Case, MARK, TOKEN};
use crate::strict::{self, Asked, End};

/// A gateway and its upstream, which cases share one after another.
pub(crate) struct World {
    runtime: Runtime,
    gateway: Gateway,
    kept: Arc<Kept>,
    host: String,
}

#[derive(Default)]
struct Kept {
    asked: Mutex<Vec<Asked>>,
    wrong: Mutex<Option<String>>,
}

impl World {
    /// # Panics
    /// If it cannot be started.
    pub(crate) fn start() -> Self {
        let runtime = runtime();
        let kept = Arc::new(Kept::default());
        let (gateway, host) = runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
            let host = listener.local_addr().expect("an address").to_string();
            tokio::spawn(upstream(listener, Arc::clone(&kept)));
            let mut secrets = Secrets::new();
            let token = secrets.keep("mine", Secret::from(TOKEN.to_owned())).expect("a token");
            let pool = Config::parse(vec![token], &Rules::default()).expect("good rules");
            let route = format!("http://{host}").parse().expect("a route");
            let mut settings = Settings::new(route, Vendor::OpenAi, pool, secrets);
            settings.limits.body_bytes = 2048;
            settings.limits.head_bytes = 8192;
            (Gateway::builder(settings).seed(1).start().await.expect("it starts"), host)
        });
        Self { runtime, gateway, kept, host }
    }

    /// Sends `sent` to the gateway, and judges what came of it.
    ///
    /// # Errors
    /// What does not hold.
    pub(crate) fn judge(&self, sent: &[u8]) -> Result<(), String> {
        let before = panics();
        let answered = self.runtime.block_on(async {
            let answered = exchange(self.gateway.address(), sent).await;
            self.gateway.idle().await;
            answered
        });
        let upstream = std::mem::take(&mut *self.kept.asked.lock().expect("no panic"));
        if let Some(wrong) = self.kept.wrong.lock().expect("no panic").take() {
            return Err(wrong);
        }
        if panics() > before {
            return Err("it panicked".to_owned());
        }
        Case { sent, upstream: &upstream, host: &self.host, answered: &answered }.judge()
    }
}

/// Keeps every request, and answers it.
async fn upstream(listener: TcpListener, kept: Arc<Kept>) {
    while let Ok((stream, _)) = listener.accept().await {
        // What the machine holds back comes in real time.
        stream.set_nodelay(true).expect("set");
        tokio::spawn(connection(stream, Arc::clone(&kept)));
    }
}

async fn connection(mut stream: TcpStream, kept: Arc<Kept>) {
    let mut read = Vec::new();
    loop {
        let (asked, end) = strict::requests(&read);
        if let End::Wrong(why) = end {
            let text = String::from_utf8_lossy(&read).into_owned();
            *kept.wrong.lock().expect("no panic") = Some(format!("{why} went upstream: {text:?}"));
            return;
        }
        for (asked, _) in &asked {
            let number = {
                let mut all = kept.asked.lock().expect("no panic");
                all.push(asked.clone());
                all.len()
            };
            for piece in answer(number, asked) {
                // Who asked may be gone.
                let _ = stream.write_all(&piece).await;
                tokio::task::yield_now().await;
            }
        }
        let taken = asked.last().map_or(0, |(_, end)| *end);
        read.drain(..taken);
        if !matches!(stream.read_buf(&mut read).await, Ok(1..)) {
            if !read.is_empty() {
                let text = String::from_utf8_lossy(&read).into_owned();
                *kept.wrong.lock().expect("no panic") =
                    Some(format!("half a request went upstream: {text:?}"));
            }
            return;
        }
    }
}

/// An answer that echoes the token, in one of several ways, piece by piece.
fn answer(number: usize, asked: &Asked) -> Vec<Vec<u8>> {
    let echo = format!("you sent {TOKEN}, and {} bytes", asked.body.len());
    let (first, second) = echo.split_at(20);
    let length = echo.len();
    let is_head = asked.method == "HEAD";
    let body = |text: &str| if is_head { Vec::new() } else { text.as_bytes().to_vec() };
    let chunk = |text: &str| body(&format!("{:x}\r\n{text}\r\n", text.len()));
    match number % 4 {
        0 => vec![
            format!("HTTP/1.1 401 no\r\n{MARK}: yes\r\nx-echo: {TOKEN}\r\ncontent-length: {length}\r\n\r\n")
                .into(),
            body(first),
            body(second),
        ],
        1 => vec![
            format!("HTTP/1.1 200 {TOKEN}\r\n{MARK}: yes\r\ncontent-length: {length}\r\n\r\n").into(),
            body(&echo),
        ],
        2 => vec![
            format!("HTTP/1.1 200 OK\r\n{MARK}: yes\r\ntransfer-encoding: chunked\r\n\r\n").into(),
            chunk(first),
            chunk(second),
            body("0\r\n\r\n"),
        ],
        _ => vec![format!("HTTP/1.1 204 No Content\r\n{MARK}: yes\r\n\r\n").into()],
    }
}
