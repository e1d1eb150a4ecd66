//! How the server is reached: what a URL and the options say, parsed once. The password stays where it cannot be shown.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use firedrill_failover::Fingerprint;
use redis::{AsyncConnectionConfig, Client, ConnectionAddr, IntoConnectionInfo, TlsCertificates};

use crate::store::StoreError;

/// A file of authorities has at most so many bytes.
const MOST_PEM: u64 = 4 << 20;

/// What the URL of a log in Redis does not say. The default is good for a server nearby.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RedisOptions {
    /// What every key begins with: `firedrill`. The keys of a pool are `<prefix>:{<fingerprint of the pool>}:log` and
    /// `…:snapshot`.
    pub prefix: String,
    /// How long connecting may take, with TLS and the login: 2 s.
    pub connect_timeout: Duration,
    /// How long the server may take to answer: 1 s. So long an append also waits for a
    /// server that has just gone; while it stays away appends fail at once.
    pub response_timeout: Duration,
    /// After how much silence the server is asked whether the log still is what was heard: 5 s. So long it may take until
    /// a worker that only waits hears that the log was wiped or the server is gone without a word.
    pub silence: Duration,
    /// A PEM file of the authorities to trust with `rediss://`, instead of the system's.
    pub certificates: Option<PathBuf>,
    /// How many entries before a snapshot stay, for readers that lag behind: 10,000, at least 1. The log is compacted
    /// every so many appends.
    pub kept: u64,
    /// What the waits between attempts to connect are drawn from, so that not all come back at once: the process's id.
    pub seed: u64,
}

impl Default for RedisOptions {
    fn default() -> Self {
        Self {
            prefix: "firedrill".to_owned(),
            connect_timeout: Duration::from_secs(2),
            response_timeout: Duration::from_secs(1),
            silence: Duration::from_secs(5),
            certificates: None,
            kept: 10_000,
            seed: std::process::id().into(),
        }
    }
}

/// A server, and where on it the log is.
#[derive(Debug)]
pub(super) struct Server {
    /// Shows no password.
    client: Client,
    /// Where it is, for errors.
    pub(super) name: String,
    pub(super) options: RedisOptions,
    pub(super) keys: Keys,
}

/// In one slot of a cluster, for a script touches both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Keys {
    pub(super) log: String,
    pub(super) snapshot: String,
}

impl Server {
    /// # Errors
    /// If the URL or the certificates are of no use. The URL is not told, for it may hold a password.
    pub(super) fn new(url: &str, pool: Fingerprint, options: RedisOptions) -> Result<Self, StoreError> {
        let unusable = |why: String| StoreError::Settings { why };
        let info = url.into_connection_info().map_err(|error| {
            // Its kind, which the library adds, means nothing to whoever wrote the URL.
            let why = error.to_string();
            let why = why.split(" - ").next().unwrap_or_default();
            unusable(format!("expected a URL such as `redis://user:password@host:6379/0`: {why}"))
        })?;
        let secure = match info.addr() {
            ConnectionAddr::TcpTls { insecure: true, .. } => {
                return Err(unusable(
                    "a server that proves nothing is not connected to: leave `#insecure` out".into(),
                ));
            }
            ConnectionAddr::TcpTls { .. } => true,
            _ => false,
        };
        let name = info.addr().to_string();
        let client = match &options.certificates {
            Some(_) if !secure => return Err(unusable("certificates are for `rediss://`".into())),
            Some(file) => {
                let shown = file.display().to_string();
                let root_cert = pem(file).map_err(|error| StoreError::io(&shown, "read", error))?;
                let certificates = TlsCertificates { client_tls: None, root_cert: Some(root_cert) };
                Client::build_with_tls(info, certificates)
            }
            None => Client::open(info),
        };
        if secure {
            // Another one that the process has chosen before is as good.
            let _ = rustls::crypto::ring::default_provider().install_default();
        }
        let client = client.map_err(|error| unusable(error.to_string()))?;
        if options.kept == 0 {
            return Err(unusable("expected at least one entry to be kept".into()));
        }
        let key = |what| format!("{}:{{{pool}}}:{what}", options.prefix);
        let keys = Keys { log: key("log"), snapshot: key("snapshot") };
        Ok(Self { client, name, options, keys })
    }

    /// A connection on which an answer may take `patience` longer than the server has for it.
    pub(super) async fn connect(
        &self,
        patience: Duration,
    ) -> redis::RedisResult<redis::aio::MultiplexedConnection> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(self.options.connect_timeout))
            .set_response_timeout(Some(self.options.response_timeout + patience));
        self.client.get_multiplexed_async_connection_with_config(&config).await
    }

    /// `text` of a library or a server, without the password, should it be in there.
    pub(super) fn scrubbed(&self, text: &str) -> String {
        let password = self.client.get_connection_info().redis_settings().password();
        match password {
            Some(password) if !password.is_empty() => text.replace(password, "***"),
            _ => text.to_owned(),
        }
    }
}

/// What a file of authorities holds. One that has no end is none.
fn pem(file: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(file)?.take(MOST_PEM + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MOST_PEM {
        return Err(io::Error::other(format!("it is larger than {} KiB", MOST_PEM >> 10)));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_and_no_debug_shows_the_password() {
        let url = "redis://me:planted%2Fk3y@host:7000/3";
        let server = Server::new(url, Fingerprint::new(1), RedisOptions::default()).expect("a good URL");
        let shown =
            format!("{server:?} {server:#?} {}", server.scrubbed("login `me` with `planted/k3y` failed"));
        assert!(!shown.contains("k3y"), "{shown}");
        assert!(shown.ends_with("login `me` with `***` failed"), "{shown}");
        assert_eq!(server.name, "host:7000");
        assert_eq!(server.keys.log, "firedrill:{0000000000000001}:log");
    }
}
