//! Who may ask.

use std::net::{Ipv4Addr, Ipv6Addr};

use hyper::StatusCode;
use hyper::header::{AUTHORIZATION, HOST, HeaderMap};
use subtle::ConstantTimeEq;

use super::Admin;

/// Why somebody may not.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) struct Barred {
    pub(super) status: StatusCode,
    pub(super) why: &'static str,
}

/// Whether whoever sent `headers` may ask for what only an operator is told. On this machine alone a browser is kept from
/// asking in somebody's name: by a page whose host turned into this address, it would name a host of that page.
pub(super) fn admits(admin: &Admin, headers: &HeaderMap) -> Result<(), Barred> {
    let Some(token) = &admin.token else {
        let host = headers.get(HOST).and_then(|host| host.to_str().ok());
        let why = "expected a host that is this machine, such as `localhost`";
        let barred = Barred { status: StatusCode::FORBIDDEN, why };
        return if host.is_some_and(is_this_machine) { Ok(()) } else { Err(barred) };
    };
    let mut given = headers.get_all(AUTHORIZATION).iter();
    let (first, second) = (given.next(), given.next());
    let given = first.filter(|_| second.is_none()).and_then(|given| {
        let (scheme, token) = given.as_bytes().split_at_checked("bearer ".len())?;
        scheme.eq_ignore_ascii_case(b"bearer ").then_some(token)
    });
    // In a time that does not tell how much of it was right.
    if given.is_some_and(|given| given.ct_eq(token.expose().as_bytes()).into()) {
        return Ok(());
    }
    Err(Barred {
        status: StatusCode::UNAUTHORIZED,
        why: "expected `authorization: Bearer` with the admin's token",
    })
}

/// `host` as a request names it: with or without a port, an IPv6 address in brackets, and nothing else beside it.
fn is_this_machine(host: &str) -> bool {
    let (name, port) = match host.rsplit_once(':') {
        Some((name, port)) if !port.ends_with(']') => (name, port),
        _ => (host, ""),
    };
    let is_loopback = match name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        Some(inner) => inner.parse::<Ipv6Addr>().is_ok_and(|address| address.is_loopback()),
        None => {
            name.eq_ignore_ascii_case("localhost")
                || name.parse::<Ipv4Addr>().is_ok_and(|address| address.is_loopback())
        }
    };
    is_loopback && port.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_this_machine_or_not() {
        for host in ["localhost", "LocalHost:8081", "127.0.0.1:8081", "127.9.9.9", "[::1]:8081", "[::1]"] {
            assert!(is_this_machine(host), "{host}");
        }
        for host in ["", "example.com", "localhost.example.com", "10.0.0.1:8081", "[::2]", "127.0.0.1.nip.io"]
        {
            assert!(!is_this_machine(host), "{host}");
        }
        for host in ["[::1]:80$", "[::1]x", "[127.0.0.1]", "localhost:80@example.com", "::1"] {
            assert!(!is_this_machine(host), "{host}");
        }
    }
}
