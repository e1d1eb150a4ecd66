//! What a gateway is started with. A file that says it is read elsewhere.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::str::FromStr;
use std::sync::Arc;

use firedrill_failover::{Config, Duration};
use firedrill_line::Limits;
use hyper::Uri;
use hyper::header::HeaderValue;
use hyper::http::uri::{Authority, Scheme};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use crate::secret::{Secret, Secrets};
use crate::vendor::Vendor;

/// What a gateway is started with.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where clients ask; with port 0 any that is free.
    pub listen: SocketAddr,
    /// Where its state is told.
    pub admin: Option<SocketAddr>,
    /// What whoever asks there must bring. Needed as soon as `admin` is not of this machine alone.
    pub admin_token: Option<Secret>,
    /// Where requests go.
    pub upstream: Route,
    /// Whose API that speaks.
    pub vendor: Vendor,
    /// Where a probe goes before a request has shown the way, if not to the vendor's own path: it begins with `/`, and follows the
    /// path of `upstream`.
    pub probe_path: Option<Box<str>>,
    /// The tokens and the rules for them.
    pub pool: Config,
    /// What is sent for each of them.
    pub secrets: Secrets,
    /// How long upstream may take to the head of an answer, and between two pieces of its body. By the gateway's clock.
    pub timeout: Duration,
    /// What clients may take. Of real time.
    pub limits: Limits,
    /// Authorities that upstream's certificate may be signed by, beside those that everybody trusts.
    pub roots: Roots,
    /// What the log's time counts from, in milliseconds since the Unix epoch.
    pub log_zero: u64,
}

impl Settings {
    /// How long upstream may take, if nothing else is said.
    pub const TIMEOUT: Duration = Duration::from_secs(120);

    /// Any free port of this machine, only for this machine; no admin; every limit as it is by default.
    pub fn new(upstream: Route, vendor: Vendor, pool: Config, secrets: Secrets) -> Self {
        Self {
            listen: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0),
            admin: None,
            admin_token: None,
            upstream,
            vendor,
            probe_path: None,
            pool,
            secrets,
            timeout: Self::TIMEOUT,
            limits: Limits::default(),
            roots: Roots::default(),
            log_zero: 0,
        }
    }
}

/// Where requests go: a scheme, a host with its port, and a path that stands before every request's own.
#[derive(Clone, PartialEq, Eq)]
pub struct Route {
    pub(crate) scheme: Scheme,
    pub(crate) authority: Authority,
    /// Empty, or begins with `/` and does not end with it.
    pub(crate) path: Arc<str>,
    /// The host, as a header has it.
    pub(crate) host: HeaderValue,
}

/// Text that is no route. Remedy: write it as `https://api.example.com/v1`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a URL such as `https://api.example.com`, {0}")]
pub struct NotARoute(&'static str);

impl FromStr for Route {
    type Err = NotARoute;

    fn from_str(text: &str) -> Result<Self, NotARoute> {
        let uri = Uri::try_from(text).map_err(|_| NotARoute("found something else"))?;
        let parts = uri.into_parts();
        let scheme = parts.scheme.ok_or(NotARoute("found no `https://` or `http://`"))?;
        if scheme != Scheme::HTTP && scheme != Scheme::HTTPS {
            return Err(NotARoute("found neither `https://` nor `http://`"));
        }
        let authority = parts.authority.ok_or(NotARoute("found no host"))?;
        if authority.as_str().contains('@') {
            return Err(NotARoute("found a user name in it: tokens stand in `apiTokens`"));
        }
        // What follows the host is a port or nothing; an IPv6 address has its own colons in brackets.
        let port =
            authority.as_str().rsplit_once(':').map(|(_, port)| port).filter(|port| !port.ends_with(']'));
        let is_one = |port: &str| !port.starts_with('+') && port.parse().is_ok_and(|port: u16| port > 0);
        if port.is_some_and(|port| !is_one(port)) {
            return Err(NotARoute("found a port that is none: it is a number from 1 to 65535"));
        }
        let path = parts.path_and_query;
        if path.as_ref().is_some_and(|path| path.query().is_some()) || text.contains('#') {
            return Err(NotARoute("found a `?` or a `#`: every request brings its own"));
        }
        let path = path.as_ref().map_or("", |path| path.path()).trim_end_matches('/').into();
        let host =
            HeaderValue::from_str(authority.as_str()).map_err(|_| NotARoute("found a host that is none"))?;
        Ok(Self { scheme, authority, path, host })
    }
}

impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}{}", self.scheme, self.authority, self.path)
    }
}

impl fmt::Debug for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Route({self})")
    }
}

/// Authorities that sign certificates. None by default.
#[derive(Clone, Default)]
pub struct Roots(pub(crate) Vec<CertificateDer<'static>>);

impl Roots {
    /// Those of a file in PEM form; at least one.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn from_pem(pem: &[u8]) -> Result<Self, String> {
        let roots: Vec<_> = CertificateDer::pem_slice_iter(pem)
            .collect::<Result<_, _>>()
            .map_err(|error| error.to_string())?;
        if roots.is_empty() { Err("expected a certificate, found none".to_owned()) } else { Ok(Self(roots)) }
    }
}

impl fmt::Debug for Roots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Roots({})", self.0.len())
    }
}
