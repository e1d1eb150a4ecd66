//! How a gateway is asked, and where the mock provider stands. Checked: what is held here can be used.

use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;

use firedrill_provider::Dialect;
use firedrill_yaml::{looks_secret, quoted};
use hyper::Uri;
use hyper::header::{HeaderName, HeaderValue};

use super::scale::TimeScale;

/// How a gateway is asked, and where the mock provider stands.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The gateway.
    pub gateway: GatewayUrl,
    /// What is asked for: a path, which begins with a slash.
    pub path: String,
    /// Which model is asked for.
    pub model: String,
    /// What else a request says.
    pub headers: Vec<Header>,
    /// So long may an answer take, until it is whole.
    pub timeout: std::time::Duration,
    /// Where the mock provider listens.
    pub listen: SocketAddr,
    /// What it speaks.
    pub dialect: Dialect,
    /// How much real time a length of time in a scenario takes.
    pub scale: TimeScale,
}

/// Who watches a run: it can be asked to stop, and tells what it waits for.
pub trait Watch {
    /// Whether it should stop. It is asked again and again.
    fn interrupted(&self) -> bool {
        false
    }

    /// What it does just now, in a few words; nothing when it does not wait any more.
    fn waits(&self, what: &str) {
        let _ = what;
    }
}

/// Nobody watches.
impl Watch for () {}

/// The URL of a gateway, `http://HOST:PORT`, with a path before every path if it has one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GatewayUrl {
    pub(super) host: String,
    pub(super) port: u16,
    /// Without a slash at its end.
    pub(super) base: String,
}

impl fmt::Display for GatewayUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}{}", self.authority(), self.base)
    }
}

impl GatewayUrl {
    /// `HOST:PORT`, as a request names it.
    pub(super) fn authority(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }
}

impl FromStr for GatewayUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = |what: &str| format!("{what}, found {}", quoted(text));
        let uri: Uri = text.parse().map_err(|_| wrong("expected a URL such as `http://127.0.0.1:8080`"))?;
        match uri.scheme_str() {
            Some("http") => {}
            Some("https") => return Err(wrong("expected `http://`: TLS is not spoken here")),
            _ => return Err(wrong("expected a URL such as `http://127.0.0.1:8080`")),
        }
        let authority = uri.authority().map(hyper::http::uri::Authority::as_str).unwrap_or_default();
        if authority.contains('@') {
            return Err("expected a URL without a name and a password: say them with `--header`".to_owned());
        }
        if uri.query().is_some() {
            return Err("expected a URL without a query".to_owned());
        }
        let host = uri.host().filter(|host| !host.is_empty());
        let host = host.ok_or_else(|| wrong("expected a URL with a host"))?.to_owned();
        let base = uri.path().trim_end_matches('/').to_owned();
        Ok(Self { host, port: uri.port_u16().unwrap_or(80), base })
    }
}

/// A header of a request. Its value may be a secret and is never shown.
#[derive(Clone)]
pub struct Header {
    pub(super) name: HeaderName,
    pub(super) value: HeaderValue,
    /// As it was written, which shows no secret.
    written: String,
}

impl fmt::Debug for Header {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Header").field(&self.written).finish()
    }
}

impl Header {
    /// Reads `NAME: VALUE`. A word of the value that is `env:NAME` or `file:PATH` stands for what `secret` says of it.
    ///
    /// # Errors
    /// If it is no header, or a secret stands in it as it is, or `secret` says why there is none.
    pub fn read(written: &str, secret: impl Fn(&str) -> Result<String, String>) -> Result<Self, String> {
        let expected = "expected a header such as `authorization: Bearer env:GATEWAY_KEY`";
        let (name, value) = written.split_once(':').ok_or_else(|| expected.to_owned())?;
        let name = HeaderName::from_str(name.trim()).map_err(|_| expected.to_owned())?;
        let mut words = Vec::new();
        for word in value.split_whitespace() {
            words.push(if word.starts_with("env:") || word.starts_with("file:") {
                secret(word)?
            } else if looks_secret(word) {
                let instead = "`env:NAME` or `file:PATH` keeps it off the command line";
                return Err(format!("the header `{name}` has what looks like a real key: {instead}"));
            } else {
                word.to_owned()
            });
        }
        let mut value = HeaderValue::try_from(words.join(" ")).map_err(|_| {
            format!("the value of the header `{name}` has characters that no header can have")
        })?;
        value.set_sensitive(true);
        Ok(Self { name, value, written: written.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_a_host_a_port_and_perhaps_a_path() {
        let check = |text: &str, expect: &str| {
            assert_eq!(text.parse::<GatewayUrl>().map(|url| url.to_string()), Ok(expect.to_owned()));
        };
        check("http://127.0.0.1:8080", "http://127.0.0.1:8080");
        check("http://gateway.local/llm/", "http://gateway.local:80/llm");
        check("http://[::1]:4000", "http://[::1]:4000");
        for (wrong, expect) in [
            ("", "expected a URL such as `http://127.0.0.1:8080`, found ``"),
            ("127.0.0.1:8080", "expected a URL such as `http://127.0.0.1:8080`, found `127.0.0.1:8080`"),
            ("/v1", "expected a URL such as `http://127.0.0.1:8080`, found `/v1`"),
            ("https://a.b", "expected `http://`: TLS is not spoken here, found `https://a.b`"),
            ("http://me:pass@a.b", "expected a URL without a name and a password: say them with `--header`"),
            ("http://a.b/?key=1", "expected a URL without a query"),
        ] {
            assert_eq!(wrong.parse::<GatewayUrl>(), Err(expect.to_owned()));
        }
    }

    #[test]
    fn a_secret_in_a_header_comes_from_elsewhere_and_is_not_shown() {
        let secret = |word: &str| match word {
            "env:KEY" => Ok("hidden".to_owned()),
            _ => Err(format!("{word} is not there")),
        };
        let header = Header::read("Authorization: Bearer env:KEY", secret).expect("a header");
        assert_eq!((header.name.as_str(), header.value.as_bytes()), ("authorization", &b"Bearer hidden"[..]));
        assert_eq!(format!("{header:?}"), r#"Header("Authorization: Bearer env:KEY")"#);
        for (wrong, expect) in [
            ("x-tenant", "expected a header such as `authorization: Bearer env:GATEWAY_KEY`"),
            ("x y: 1", "expected a header such as `authorization: Bearer env:GATEWAY_KEY`"),
            ("a: env:NONE", "env:NONE is not there"),
            ("a: \u{7f}", "the value of the header `a` has characters that no header can have"),
        ] {
            assert_eq!(Header::read(wrong, secret).err(), Some(expect.to_owned()));
        }
        let key = "sk-proj-aB3dE5fG7hJ9kL2mN4pQ6rS8";
        let refused = Header::read(&format!("a: {key}"), secret).expect_err("a key as it is");
        assert!(refused.contains("`env:NAME` or `file:PATH`") && !refused.contains(key), "{refused}");
    }
}
