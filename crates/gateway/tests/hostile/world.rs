//! A gateway in front of an upstream that keeps what it is asked, and echoes it with the token.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Once};
use std::time::Duration;

use firedrill_failover::{Config, Settings as Rules};
use firedrill_gateway::{Gateway, Secret, Secrets, Settings, Vendor};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;

use crate::judge::{Case, MARK, TOKEN, shows_nothing};
use crate::strict::{self, Asked, End};

/// What the admin wants.
pub(crate) const ADMIN: &str = "admin-3Xc5vB7nM9kJ2hG4fD6sA8pQ";

/// Nobody waits for longer: then gateway and strict reader differ, and it is seen in what came of it.
const PATIENCE: Duration = Duration::from_millis(500);

/// How often anything has panicked since the first world.
static PANICS: AtomicUsize = AtomicUsize::new(0);

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
        static HOOK: Once = Once::new();
        HOOK.call_once(|| {
            let before = std::panic::take_hook();
            std::panic::set_hook(Box::new(move |info| {
                PANICS.fetch_add(1, Ordering::SeqCst);
                before(info);
            }));
        });
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
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
            settings.admin = Some(SocketAddr::from(([127, 0, 0, 1], 0)));
            settings.admin_token = Some(Secret::from(ADMIN.to_owned()));
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
        let panics = PANICS.load(Ordering::SeqCst);
        let answered = self.runtime.block_on(async {
            let answered = exchange(self.gateway.address(), sent).await;
            self.gateway.idle().await;
            answered
        });
        let upstream = std::mem::take(&mut *self.kept.asked.lock().expect("no panic"));
        if let Some(wrong) = self.kept.wrong.lock().expect("no panic").take() {
            return Err(wrong);
        }
        if PANICS.load(Ordering::SeqCst) > panics {
            return Err("it panicked".to_owned());
        }
        Case { sent, upstream: &upstream, host: &self.host, answered: &answered }.judge()
    }

    /// Sends `sent` to the admin, and judges what came of it.
    ///
    /// # Errors
    /// What does not hold.
    ///
    /// # Panics
    /// If it listens no more.
    pub(crate) fn judge_admin(&self, sent: &[u8]) -> Result<(), String> {
        let panics = PANICS.load(Ordering::SeqCst);
        let admin = self.gateway.admin_address().expect("an admin");
        let answered = self.runtime.block_on(exchange(admin, sent));
        if PANICS.load(Ordering::SeqCst) > panics {
            return Err("it panicked".to_owned());
        }
        shows_nothing(&answered, TOKEN)?;
        shows_nothing(&answered, ADMIN)?;
        let has =
            |bytes: &[u8], part: &str| bytes.windows(part.len()).any(|window| window == part.as_bytes());
        for private in ["\"tokens\"", "firedrill_requests", "<html", "\"events\""] {
            if has(&answered, private) && !has(sent, ADMIN) {
                return Err(format!("{private} is told to a stranger"));
            }
        }
        let well =
            self.runtime.block_on(exchange(admin, b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n"));
        if well.starts_with(b"HTTP/1.1 200") { Ok(()) } else { Err("it is not well after that".to_owned()) }
    }
}

/// Sends `sent`, and reads until all is answered that is to be answered, or the connection ends.
async fn exchange(address: SocketAddr, sent: &[u8]) -> Vec<u8> {
    let (meant, end) = strict::requests(sent);
    let methods: Vec<&str> = meant.iter().map(|(asked, _)| &*asked.method).collect();
    let mut stream = TcpStream::connect(address).await.expect("it listens");
    let _ = stream.write_all(sent).await;
    let mut read = Vec::new();
    let all = async {
        loop {
            let (answers, rest) = strict::answers(&read, &methods);
            let is_all = answers.len() >= meant.len() && rest == End::Clean;
            if is_all && !matches!(end, End::Wrong(_)) {
                // Whatever was begun goes no further; and what would be said to that is heard.
                let _ = stream.shutdown().await;
                let _ = stream.read_to_end(&mut read).await;
                return;
            }
            if !matches!(stream.read_buf(&mut read).await, Ok(1..)) {
                return;
            }
        }
    };
    // What waits for more is over when the client goes.
    let _ = tokio::time::timeout(PATIENCE, all).await;
    read
}

/// Keeps every request, and answers it.
async fn upstream(listener: TcpListener, kept: Arc<Kept>) {
    while let Ok((stream, _)) = listener.accept().await {
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
