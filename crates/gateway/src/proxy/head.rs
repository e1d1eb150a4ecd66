//! What of a head is for this connection alone, and what goes on: upstream, and back to the client.

use std::sync::Arc;

use hyper::header::{
    ACCEPT_ENCODING, AUTHORIZATION, CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, COOKIE, EXPECT, HOST,
    HeaderMap, HeaderName, HeaderValue, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE, TRAILER,
    TRANSFER_ENCODING, UPGRADE,
};
use hyper::http::request::Parts;
use hyper::http::uri::PathAndQuery;
use hyper::{Method, StatusCode, Uri, Version};

use crate::proxy::answer::Refusal;
use crate::settings::Route;
use crate::shared::Credential;
use crate::vendor::Vendor;

/// What is between two neighbours alone (RFC 9110, 7.6.1), and what was never standardised but is meant so.
static FOR_ONE_HOP: [HeaderName; 9] = [
    CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION,
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
];

/// What a client may be known by: no business of upstream's.
static CREDENTIALS: [HeaderName; 5] = [
    AUTHORIZATION,
    HeaderName::from_static("x-api-key"),
    HeaderName::from_static("api-key"),
    HeaderName::from_static("x-goog-api-key"),
    COOKIE,
];

/// Why a request is not for upstream at all.
pub(crate) fn refusal(parts: &Parts) -> Option<Refusal> {
    let wrong = |code, message| Some(Refusal { status: StatusCode::BAD_REQUEST, code, message });
    if parts.method == Method::CONNECT || parts.method == Method::TRACE {
        let status = StatusCode::NOT_IMPLEMENTED;
        return Some(Refusal { status, code: "method", message: "this method is not for a gateway" });
    }
    if parts.headers.contains_key(UPGRADE) {
        let status = StatusCode::NOT_IMPLEMENTED;
        return Some(Refusal { status, code: "upgrade", message: "connections are not upgraded here" });
    }
    if parts.version == Version::HTTP_11 && !parts.headers.contains_key(HOST) {
        return wrong("host", "expected a `host` header, found none");
    }
    let path = parts.uri.path();
    if !path.starts_with('/') {
        return wrong("path", "expected a path that begins with `/`");
    }
    if path.split('/').any(is_dots) {
        return wrong("path", "expected a path without `.` and `..`");
    }
    None
}

/// Whether a segment leads elsewhere than it says, to whoever resolves it.
fn is_dots(segment: &str) -> bool {
    let of_dots = |byte| matches!(byte, b'.' | b'%' | b'2' | b'e' | b'E');
    if segment.len() > 6 || segment.is_empty() || !segment.bytes().all(of_dots) {
        return false;
    }
    let plain = segment.to_ascii_lowercase().replace("%2e", ".");
    plain == "." || plain == ".."
}

/// Where the request goes.
pub(crate) fn target(route: &Route, vendor: Vendor, uri: &Uri) -> Option<PathAndQuery> {
    let whole = uri.path_and_query()?;
    let query = whole.query().filter(|_| vendor == Vendor::Gemini).map(without_key);
    if route.path.is_empty() && query.is_none() {
        return Some(whole.clone());
    }
    let query = query.as_deref().or(whole.query());
    let (mark, query) = query.filter(|query| !query.is_empty()).map_or(("", ""), |query| ("?", query));
    PathAndQuery::try_from(format!("{}{}{mark}{query}", route.path, whole.path())).ok()
}

/// A query without `key`, in which Gemini takes a token.
fn without_key(query: &str) -> String {
    let is_key = |pair: &&str| {
        let name = pair.split('=').next().unwrap_or("").to_ascii_lowercase();
        name.replace("%6b", "k")
            .replace("%65", "e")
            .replace("%79", "y")
            .replace("%4b", "k")
            .replace("%45", "e")
            .replace("%59", "y")
            != "key"
    };
    query.split('&').filter(is_key).collect::<Vec<_>>().join("&")
}

/// Takes out what is not for upstream.
pub(crate) fn to_upstream(headers: &mut HeaderMap) {
    drop_hops(headers);
    drop_all(headers, &CREDENTIALS);
    // hyper has answered an expectation, and writes the length that the body has.
    drop_all(headers, &[EXPECT, CONTENT_LENGTH]);
    // In a coding a token could not be found.
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
}

/// Puts in what upstream needs.
pub(crate) fn with_token(
    headers: &mut HeaderMap,
    vendor: Vendor,
    host: &HeaderValue,
    credential: &Arc<Credential>,
) {
    headers.insert(HOST, host.clone());
    headers.insert(vendor.header(), credential.value.clone());
}

/// Takes out what is not for the client, and covers the token.
pub(crate) fn to_client(headers: &mut HeaderMap, credential: &Credential) {
    drop_hops(headers);
    credential.mask.headers(headers);
}

/// Whether the body stands in a coding that no token can be found in.
pub(crate) fn is_coded(headers: &HeaderMap) -> bool {
    headers
        .get_all(CONTENT_ENCODING)
        .iter()
        .any(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"identity"))
}

fn drop_hops(headers: &mut HeaderMap) {
    if headers.contains_key(CONNECTION) {
        let named: Vec<HeaderName> = headers
            .get_all(CONNECTION)
            .iter()
            .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
            .filter_map(|name| HeaderName::from_bytes(name.trim_ascii()).ok())
            .collect();
        for name in named {
            headers.remove(name);
        }
    }
    drop_all(headers, &FOR_ONE_HOP);
}

/// Takes out all of these. Most heads have none of most: to compare names is cheaper than to look each up.
fn drop_all(headers: &mut HeaderMap, names: &[HeaderName]) {
    while let Some(name) = headers.keys().find_map(|name| names.iter().find(|known| *known == name)) {
        headers.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_target(route: &str, vendor: Vendor, uri: &str, expect: &str) {
        let route = route.parse().expect("a route");
        let uri: Uri = uri.parse().expect("a URI");
        assert_eq!(target(&route, vendor, &uri).expect("a target").as_str(), expect);
    }

    #[test]
    fn the_routes_path_stands_before_the_requests() {
        check_target("https://up", Vendor::OpenAi, "/v1/chat?a=b&key=c", "/v1/chat?a=b&key=c");
        check_target("https://up/base/", Vendor::OpenAi, "/v1/chat", "/base/v1/chat");
        check_target("https://up/base", Vendor::OpenAi, "http://other/v1?x", "/base/v1?x");
        check_target("https://up", Vendor::OpenAi, "http://other", "/");
    }

    #[test]
    fn a_key_in_the_query_goes_no_further() {
        for key in ["key=sk", "k%65y=sk", "KEY=sk", "key", "%4Bey=sk"] {
            check_target("https://up", Vendor::Gemini, &format!("/v1?{key}"), "/v1");
            check_target(
                "https://up",
                Vendor::Gemini,
                &format!("/v1?alt=sse&{key}&monkey=1"),
                "/v1?alt=sse&monkey=1",
            );
        }
    }

    #[test]
    fn what_connection_names_goes_no_further() {
        let mut headers = HeaderMap::new();
        headers.append(CONNECTION, HeaderValue::from_static("close, x-mine"));
        headers.append(CONNECTION, HeaderValue::from_static(" X-Yours ,,\u{7f}"[..10].trim()));
        for name in ["x-mine", "x-yours", "keep-alive", "te", "cookie", "proxy-authorization", "content-type"]
        {
            headers.append(HeaderName::from_static(name), HeaderValue::from_static("1"));
        }
        to_upstream(&mut headers);
        let left: Vec<&str> = headers.keys().map(HeaderName::as_str).collect();
        assert_eq!(left, ["content-type", "accept-encoding"]);
    }

    #[test]
    fn segments_that_lead_elsewhere_are_seen() {
        for dots in [".", "..", "%2e", "%2E.", ".%2e", "%2e%2E"] {
            assert!(is_dots(dots), "{dots}");
        }
        for plain in ["", "...", ".well-known", "a..", "%2f"] {
            assert!(!is_dots(plain), "{plain}");
        }
    }
}
