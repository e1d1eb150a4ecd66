//! A real server for a test: on a free port of this machine, with its data in a temporary folder, gone when the test is.

use std::io::Write;
use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use redis::{Client, Connection, TlsCertificates};
use tempfile::TempDir;

/// The program, by whatever name it is there.
const NAMES: [&str; 2] = ["redis-server", "valkey-server"];

/// How a server is started.
#[derive(Clone, Debug, Default)]
pub(crate) struct Options {
    /// Whether it keeps what it acknowledged, whatever happens to it.
    pub(crate) durable: bool,
    pub(crate) password: Option<&'static str>,
    pub(crate) tls: bool,
    /// More of its configuration.
    pub(crate) more: Vec<String>,
}

#[derive(Debug)]
pub(crate) struct Server {
    program: &'static str,
    folder: TempDir,
    port: u16,
    options: Options,
    child: Option<Child>,
}

impl Server {
    /// A running server. `None` if the program is not there, which is told; where everything must be tested it is an
    /// error.
    pub(crate) fn start(options: Options) -> Option<Self> {
        let there = |name: &&str| Command::new(name).arg("--version").stdout(Stdio::null()).status().is_ok();
        let Some(program) = NAMES.into_iter().find(there) else {
            let missing = format!("neither of {NAMES:?} is in PATH");
            assert!(std::env::var_os("CI").is_none(), "{missing}");
            // Not by a macro, whose output nobody sees of a test that passes.
            writeln!(std::io::stderr(), "SKIPPED, NOTHING WAS TESTED: {missing}").expect("tells");
            return None;
        };
        let folder = tempfile::tempdir().expect("a folder");
        if options.tls {
            let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
            let made = rcgen::generate_simple_self_signed(names).expect("a certificate");
            std::fs::write(folder.path().join("cert.pem"), made.cert.pem()).expect("writes");
            std::fs::write(folder.path().join("key.pem"), made.signing_key.serialize_pem()).expect("writes");
        }
        let mut server = Self { program, folder, port: 0, options, child: None };
        // Somebody else may take the port between this and the start.
        for _ in 0..10 {
            let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|bound| bound.local_addr());
            server.port = free.expect("a port").port();
            if server.spawn() {
                return Some(server);
            }
        }
        panic!("{program} does not start: {}", server.log());
    }

    /// Ends it at once, as a crash does.
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().expect("kills");
            child.wait().expect("waits");
        }
    }

    /// Starts it again on the same port, after it was killed.
    pub(crate) fn start_again(&mut self) {
        assert!(self.child.is_none(), "it runs");
        assert!(self.spawn(), "{} does not start again: {}", self.program, self.log());
    }

    /// Forgets what it kept, while it is down.
    pub(crate) fn wipe(&self) {
        assert!(self.child.is_none(), "it runs");
        for name in ["appendonlydir", "dump.rdb"] {
            let path = self.folder.path().join(name);
            let _ = std::fs::remove_dir_all(&path).or_else(|_| std::fs::remove_file(&path));
        }
    }

    /// Stops it from doing anything, without its connections noticing.
    pub(crate) fn pause(&self) {
        self.signal("-STOP");
    }

    pub(crate) fn resume(&self) {
        self.signal("-CONT");
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn url(&self) -> String {
        self.url_of(self.port)
    }

    /// As [`Server::url`], by way of another port.
    pub(crate) fn url_of(&self, port: u16) -> String {
        let scheme = if self.options.tls { "rediss" } else { "redis" };
        let login = self.options.password.map_or(String::new(), |password| format!(":{password}@"));
        format!("{scheme}://{login}127.0.0.1:{port}/")
    }

    /// The certificate to trust, of a server with TLS.
    pub(crate) fn certificate(&self) -> PathBuf {
        self.folder.path().join("cert.pem")
    }

    /// Where it listens besides the port.
    pub(crate) fn socket(&self) -> PathBuf {
        self.folder.path().join("socket")
    }

    pub(crate) fn connection(&self) -> Connection {
        self.connect().expect("connects")
    }

    fn connect(&self) -> redis::RedisResult<Connection> {
        let client = if self.options.tls {
            let _ = rustls::crypto::ring::default_provider().install_default();
            let root_cert = Some(std::fs::read(self.certificate()).expect("reads"));
            Client::build_with_tls(self.url(), TlsCertificates { client_tls: None, root_cert })?
        } else {
            Client::open(self.url())?
        };
        let mut connection = client.get_connection_with_timeout(Duration::from_secs(5))?;
        connection.set_read_timeout(Some(Duration::from_secs(5)))?;
        redis::cmd("PING").exec(&mut connection)?;
        Ok(connection)
    }

    /// Whether it has started and answers.
    fn spawn(&mut self) -> bool {
        let folder = self.folder.path();
        let mut command = Command::new(self.program);
        let mut set = |key: &str, value: &str| {
            command.arg(format!("--{key}")).arg(value);
        };
        let port = self.port.to_string();
        set("bind", "127.0.0.1");
        set("dir", &folder.display().to_string());
        set("unixsocket", &self.socket().display().to_string());
        set("logfile", "server.log");
        set("save", "");
        set("appendonly", if self.options.durable { "yes" } else { "no" });
        set("appendfsync", "always");
        if let Some(password) = self.options.password {
            set("requirepass", password);
        }
        if self.options.tls {
            set("port", "0");
            set("tls-port", &port);
            set("tls-cert-file", "cert.pem");
            set("tls-key-file", "key.pem");
            set("tls-auth-clients", "no");
        } else {
            set("port", &port);
        }
        command.args(&self.options.more).current_dir(folder);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        self.child = Some(command.spawn().expect("starts"));
        for _ in 0..500 {
            if self.connect().is_ok() {
                return true;
            }
            let ended = self.child.as_mut().is_none_or(|child| !matches!(child.try_wait(), Ok(None)));
            if ended {
                break;
            }
            pause(Duration::from_millis(20));
        }
        self.kill();
        false
    }

    fn signal(&self, signal: &str) {
        let child = self.child.as_ref().expect("it runs");
        let sent = Command::new("kill").args([signal, &child.id().to_string()]).status();
        assert!(sent.expect("kill is there").success(), "no signal was sent");
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("server.log")).unwrap_or_default()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            // It may have ended by itself.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Waits in real time.
#[expect(clippy::disallowed_methods, reason = "a real server takes real time")]
pub(crate) fn pause(duration: Duration) {
    std::thread::sleep(duration);
}
