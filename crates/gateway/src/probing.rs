//! Probes: a small question with the token that is out, on the way that requests go.

use std::sync::Arc;

use firedrill_failover::Command;
use http_body_util::Full;
use hyper::header::{ACCEPT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderValue};
use hyper::http::uri::PathAndQuery;
use hyper::{Method, Request, Uri};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::flight::Kind;
use crate::following::Probe;
use crate::proxy;
use crate::shared::{Credential, Shared};
use crate::upstream::{self, Question};

/// Sends every probe that comes out of `probes`, until nobody can send more. Those that are out are given up when it is dropped.
pub(crate) async fn probe(shared: Arc<Shared>, mut probes: mpsc::UnboundedReceiver<Probe>) {
    let mut out = JoinSet::new();
    loop {
        tokio::select! {
            biased;
            Some(_) = out.join_next() => {}
            probe = probes.recv() => {
                let Some(probe) = probe else { return };
                out.spawn(send(Arc::clone(&shared), probe));
            }
        }
    }
}

/// Sends a probe, and has the worker told what came of it.
async fn send(shared: Arc<Shared>, probe: Probe) {
    let _counted = Counted(&shared);
    // Without a secret, or when probes have been switched off, it stays out until its time has passed.
    let Some(credential) = shared.credentials.load().of(probe.fingerprint).map(Arc::clone) else { return };
    let check = shared.shell.look(|pool| pool.policy().failover()?.health_check().cloned());
    let Some(check) = check else { return };
    let Some(path) = path(&shared, &check.model) else { return };
    let question = || question(&shared, &credential, &path, &check.model);
    shared.metrics.probed();
    let rehearsal = shared.rehearsal.as_ref();
    let mut lapse = rehearsal
        .and_then(|rehearsal| rehearsal.loses(&credential.label, probe.number))
        .unwrap_or_else(|| upstream::lapse(&shared, check.timeout));
    let answer = match upstream::send(&shared, Kind::Probe, question, &mut lapse).await {
        Ok(answer) => {
            let status = proxy::status_of_answer(&answer);
            if shared.shell.look(|pool| pool.policy().is_success(status)) {
                // As of a request, a success is one when all of it is there.
                let _waiting = shared.flight.wait(Kind::Probe);
                tokio::select! {
                    biased;
                    whole = upstream::read(answer) => whole.map_or_else(proxy::status_of, |()| status),
                    lost = &mut lapse => proxy::status_of(lost),
                }
            } else {
                upstream::drain(&shared, answer);
                status
            }
        }
        Err(lost) => proxy::status_of(lost),
    };
    shared.metrics.probe_came(answer);
    shared.shell.perform(Command::ProbeAnswered { token: probe.token, probe: probe.number, answer });
}

/// Where the last request went that succeeded. `None` if the vendor's path cannot be made of its parts.
fn path(shared: &Shared, model: &str) -> Option<PathAndQuery> {
    let vendor = shared.vendor;
    let path = match shared.last_good.load().as_deref() {
        Some(path) => vendor.path_for(path.as_str(), model),
        None => match &shared.probe_path {
            Some(path) => behind(&shared.route.path, path),
            None => behind(&shared.route.path, &vendor.default_path(model)),
        },
    };
    PathAndQuery::try_from(path).ok()
}

fn question(shared: &Shared, credential: &Arc<Credential>, path: &PathAndQuery, model: &str) -> Question {
    let vendor = shared.vendor;
    let mut request = Request::new(Full::from(vendor.question(model)));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = Uri::from(path.clone());
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    headers.extend(vendor.version());
    proxy::with_token(&mut headers, vendor, &shared.route.host, credential);
    *request.headers_mut() = headers;
    request
}

/// `path` behind `base`, without what of it `base` ends with: `https://host/v1` has the beginning of `/v1/messages` already.
fn behind(base: &str, path: &str) -> String {
    let ends = base.char_indices().filter(|(_, c)| *c == '/').map(|(at, _)| &base[at..]);
    let overlap =
        ends.into_iter().find_map(|end| path.strip_prefix(end).filter(|rest| rest.starts_with('/')));
    format!("{base}{}", overlap.unwrap_or(path))
}

/// A probe that was counted when the log had it.
struct Counted<'a>(&'a Shared);

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.flight.end(Kind::Probe);
    }
}

#[cfg(test)]
mod tests {
    use super::behind;

    #[test]
    fn a_probe_goes_behind_the_base_and_repeats_nothing_of_it() {
        let path = "/v1/chat/completions";
        assert_eq!(behind("", path), path);
        assert_eq!(behind("/v1", path), path);
        assert_eq!(behind("/proxy/v1", path), "/proxy/v1/chat/completions");
        assert_eq!(behind("/proxy", path), "/proxy/v1/chat/completions");
        assert_eq!(behind("/compatible-mode/v1", "/compatible-mode/v1/x"), "/compatible-mode/v1/x");
        assert_eq!(behind("/v", path), "/v/v1/chat/completions");
    }
}
