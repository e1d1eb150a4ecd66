//! What an operator orders by the admin: who may, what comes of it, and what is said when nothing does.

use std::sync::Arc;

use firedrill_failover::{Append, Appended, Fold, Founding, Head, Newer};
use firedrill_store::{MemoryStore, Reach, Store, StoreError};
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::Value;
use tokio::sync::watch;

use super::*;
use crate::admin::with_admin;

/// What was answered, as JSON.
async fn answered(request: RequestBuilder) -> (u16, Value) {
    let answer = request.send().await.expect("an answer");
    let (status, body) = (answer.status(), answer.text().await.expect("text"));
    tokens::assert_hidden("an answer to an order", &body);
    (status.as_u16(), serde_json::from_str(&body).unwrap_or_else(|_| panic!("{status}: {body}")))
}

/// What is wrong, if the status is this.
#[track_caller]
fn why((found, body): &(u16, Value), status: u16) -> &str {
    assert_eq!(*found, status, "{body}");
    body["error"]["message"].as_str().expect("a message")
}

impl World {
    /// An order, as a program on this machine sends it.
    fn ordering(&self, path: &str) -> RequestBuilder {
        client().post(self.admin(path)).header("content-type", "application/json")
    }

    async fn order(&self, path: &str) -> (u16, Value) {
        answered(self.ordering(path)).await
    }
}

#[tokio::test]
async fn a_token_is_taken_out_and_put_back() {
    let world = with_admin(setup(&["sk-a", "sk/b?c"]).failing_over()).before("default: 200").await;
    let (status, state) = world.order("/tokens/sk-a/out").await;
    assert_eq!(status, 200, "{state}");
    assert_eq!((&state["label"], &state["available"]), (&"sk-a".into(), &false.into()));
    let out = &state["out"];
    assert_eq!((&out["byHand"], &out["status"]), (&true.into(), &Value::Null), "{state}");
    assert_eq!(out["due"], "2026-01-01T00:00:00.100Z", "it returns as any other does");
    // It is settled: nothing more is drawn of it.
    assert_eq!(world.available(), ["sk/b?c"]);
    for _ in 0..8 {
        assert_eq!(world.ask(QUESTION).await.status(), 200);
    }
    world.mock.assert_never_asked("sk-a");
    let page = client().get(world.admin("/")).header("accept", "text/html").send().await;
    let page = page.expect("an answer").text().await.expect("text");
    assert!(page.contains("<td>sk-a<td class=\"out\">unavailable<td>by hand<td>"), "{page}");
    assert!(page.contains("<code>POST /tokens/LABEL/out</code>"), "{page}");

    let again = world.order("/tokens/sk-a/out").await;
    assert_eq!(why(&again, 409), "`sk-a` is unavailable already");
    let reset = world.order("/tokens/sk-a/reset").await;
    assert_eq!(why(&reset, 409), "`sk-a` is unavailable: no failure of it is counted");
    let (status, state) = world.order("/tokens/sk-a/in").await;
    assert_eq!((status, &state["available"], state.get("out")), (200, &true.into(), None), "{state}");
    assert_eq!(world.available(), ["sk/b?c", "sk-a"]);
    let again = world.order("/tokens/sk-a/in").await;
    assert_eq!(why(&again, 409), "`sk-a` is available already, and no failure of it is counted");

    // A label is a label, whatever is in it.
    assert_eq!(world.order("/tokens/sk%2fb%3Fc/out").await.0, 200);
    assert_eq!(world.available(), ["sk-a"]);
    assert_eq!(world.state().await["log"]["version"], 4, "what changed nothing is not in the log");
    world.advance(100).await;
    world.wait_for(&["sk-a", "sk/b?c"]).await;
}

#[tokio::test]
async fn a_count_is_reset() {
    let setup = setup(&["sk-a"]).failing_over().rules(|rules| rules.failover.failure_threshold = 2);
    let world = with_admin(setup).before("default: 429").await;
    let nothing = world.order("/tokens/sk-a/reset").await;
    assert_eq!(why(&nothing, 409), "no failure of `sk-a` is counted");
    for _ in 0..3 {
        assert_eq!(world.ask(QUESTION).await.status(), 429);
        world.gateway.idle().await;
        assert_eq!(world.state().await["pool"]["tokens"][0]["failures"], 1);
        let (status, state) = world.order("/tokens/sk-a/reset").await;
        assert_eq!((status, &state["failures"]), (200, &0.into()), "{state}");
    }
    assert_eq!(world.available(), ["sk-a"]);
}

#[tokio::test]
async fn what_cannot_be_meant_is_refused() {
    let world = with_admin(setup(&["sk-a", "sk-b"]).failing_over()).before("default: 200").await;
    let unknown = world.order("/tokens/sk-c/out").await;
    assert_eq!(why(&unknown, 404), "no token is called `sk-c`; there is sk-a, sk-b");
    let nothing = world.order("/tokens/sk-a/gone").await;
    assert!(why(&nothing, 404).contains("/tokens/LABEL/out"), "{nothing:?}");
    for method in [Method::GET, Method::PUT, Method::DELETE, Method::OPTIONS] {
        let path = world.admin("/tokens/sk-a/out");
        let answer = client().request(method.clone(), path).send().await.expect("an answer");
        assert_eq!(
            (answer.status().as_u16(), &answer.headers()["allow"]),
            (405, &"POST".parse().expect("one"))
        );
    }
    assert_eq!(world.available(), ["sk-a", "sk-b"]);
    let off = with_admin(setup(&["sk-a"])).before("default: 200").await;
    let refused = off.order("/tokens/sk-a/out").await;
    assert_eq!(why(&refused, 409), "failover is off: every token is drawn, whatever happens");
}

/// A page of another host can have a browser post a form here, and text, and nothing else without asking first.
#[tokio::test]
async fn a_page_of_another_host_orders_nothing() {
    let world = with_admin(setup(&["sk-a", "sk-b"]).failing_over()).before("default: 200").await;
    let post = || client().post(world.admin("/tokens/sk-a/out"));
    let kinds = [
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "text/plain",
        "text/plain; application/json",
    ];
    for kind in kinds {
        let refused = answered(post().header("content-type", kind).body("{}")).await;
        assert!(
            why(&refused, 415).contains("expected `content-type: application/json`"),
            "{kind}: {refused:?}"
        );
    }
    why(&answered(post()).await, 415);
    let twice = post().header("content-type", "application/json").header("content-type", "text/plain");
    why(&answered(twice).await, 415);
    // Nor one whose host turned into this address.
    why(&answered(world.ordering("/tokens/sk-a/out").header("host", "evil.example")).await, 403);
    // And whoever asks first is told nothing that lets it.
    let asks = client().request(Method::OPTIONS, world.admin("/tokens/sk-a/out"));
    let asks = asks.header("origin", "http://evil.example").header("access-control-request-method", "POST");
    let answer = asks.send().await.expect("an answer");
    assert!(!answer.headers().keys().any(|name| name.as_str().starts_with("access-control")));
    assert_eq!(world.available(), ["sk-a", "sk-b"]);
    let charset = post().header("content-type", "Application/JSON; charset=utf-8").body("{}");
    assert_eq!(answered(charset).await.0, 200);
}

#[tokio::test]
async fn with_a_token_who_brings_it_may_and_nobody_else() {
    let setup = setup(&["sk-a", "sk-b"]).failing_over().settings(|settings| {
        settings.admin = Some("127.0.0.1:0".parse().expect("an address"));
        settings.admin_token = Some(Secret::from("open-sesame".to_owned()));
    });
    let world = setup.before("default: 200").await;
    let post = || client().post(world.admin("/tokens/sk-a/out"));
    why(&answered(post()).await, 401);
    why(&answered(post().header("content-type", "application/json")).await, 401);
    why(&answered(post().bearer_auth("open-sesam")).await, 401);
    why(&answered(client().post(world.admin("/tokens/sk-c/out"))).await, 401);
    assert_eq!(world.available(), ["sk-a", "sk-b"]);
    assert_eq!(answered(post().bearer_auth("open-sesame")).await.0, 200);
    assert_eq!(world.available(), ["sk-b"]);
}

/// A store that answers nobody while it is closed.
struct Shop {
    store: MemoryStore,
    open: watch::Sender<bool>,
}

impl Shop {
    fn opened(&self) -> Result<&MemoryStore, StoreError> {
        let closed = || StoreError::Unanswered { why: "closed".into() };
        self.open.borrow().then_some(&self.store).ok_or_else(closed)
    }
}

impl Store for &'static Shop {
    async fn append(&self, append: &Append) -> Result<Appended, StoreError> {
        self.opened()?.append(append).await
    }

    async fn read(&self, after: Head) -> Result<Newer, StoreError> {
        self.opened()?.read(after).await
    }

    async fn tail(&self, after: Head) -> Result<Newer, StoreError> {
        self.opened()?.tail(after).await
    }

    async fn snapshot(&self) -> Result<Option<Arc<Fold>>, StoreError> {
        self.opened()?.snapshot().await
    }

    async fn found(&self, founding: &Founding) -> Result<Appended, StoreError> {
        self.opened()?.found(founding).await
    }
}

#[tokio::test]
async fn while_the_log_is_away_it_is_decided_alone_and_again_when_it_is_back() {
    let shop: &'static Shop =
        Box::leak(Box::new(Shop { store: MemoryStore::new(), open: watch::Sender::new(true) }));
    let settings = with_admin(setup(&["sk-a", "sk-b"]).failing_over()).made("http://127.0.0.1:1");
    let gateway = Gateway::builder(settings).clock(Virtual::default()).store(shop).start().await;
    let gateway = gateway.expect("it starts");
    gateway.idle().await;
    shop.open.send_replace(false);
    let order = async |path: &str| {
        let url = format!("http://{}{path}", gateway.admin_address().expect("an admin"));
        answered(client().post(url).header("content-type", "application/json")).await
    };
    // The first may be on its way when it turns out that the log cannot be reached.
    let (status, said) = order("/tokens/sk-a/out").await;
    assert_eq!((status, &said["label"], &said["waiting"]), (202, &"sk-a".into(), &true.into()), "{said}");
    assert!(said["message"].as_str().is_some_and(|said| said.contains("decides it alone")), "{said}");
    let mut standing = gateway.shell().watch();
    let available = || gateway.shell().look(firedrill_failover::Pool::available_len);
    // Alone it is decided at once: the answer to the next order shows it.
    let decided = async {
        while available() != 1 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(10), decided).await.expect("in time");
    why(&order("/tokens/sk-a/out").await, 409);
    assert_eq!(order("/tokens/sk-b/out").await.0, 202);
    assert_eq!(order("/tokens/sk-a/reset").await.0, 409);
    assert_eq!(shop.store.read(Head::EMPTY).await.expect("a log").entries.len(), 1, "not in the log yet");
    shop.open.send_replace(true);
    let back = standing.wait_for(|standing| standing.reach == Reach::Connected && standing.waiting == 0);
    drop(tokio::time::timeout(std::time::Duration::from_secs(10), back).await.expect("in time"));
    gateway.shell().settled().await.expect("settled");
    assert_eq!(available(), 0);
    let log = shop.store.read(Head::EMPTY).await.expect("a log");
    let events = log.entries.iter().flat_map(|entry| entry.events.iter());
    let names: Vec<_> = events.map(firedrill_failover::Event::name).collect();
    assert_eq!(names, ["configured", "taken_out", "taken_out", "none_available"]);
}

#[tokio::test]
async fn a_gateway_that_never_heard_the_log_takes_orders_too() {
    let shop: &'static Shop =
        Box::leak(Box::new(Shop { store: MemoryStore::new(), open: watch::Sender::new(false) }));
    let settings = with_admin(setup(&["sk-a"]).failing_over()).made("http://127.0.0.1:1");
    let gateway = Gateway::builder(settings).clock(Virtual::default()).store(shop).start().await;
    let gateway = gateway.expect("it starts although the store is away");
    let mut standing = gateway.shell().watch();
    let away = standing.wait_for(|standing| matches!(standing.reach, Reach::Away { .. }));
    drop(tokio::time::timeout(std::time::Duration::from_secs(10), away).await.expect("in time"));
    // What it decides alone counts from its own configuration.
    let url = format!("http://{}/tokens/sk-a/out", gateway.admin_address().expect("an admin"));
    let answer = client().post(url).header("content-type", "application/json").send().await;
    assert_eq!(answer.expect("an answer").status(), StatusCode::ACCEPTED);
}
