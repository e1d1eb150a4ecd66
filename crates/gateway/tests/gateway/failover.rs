//! What the engine decides, as clients and upstream see it.

use std::sync::Arc;

use firedrill_failover::{Append, Appended, Fold, Founding, Head, Newer};
use firedrill_store::{MemoryStore, Store, StoreError};
use tokio::sync::watch;

use super::*;

#[tokio::test]
async fn a_token_that_fails_is_out_until_it_has_cooled_down() {
    let world = setup(&["sk-a", "sk-b"]).failing_over().before("sk-a: [429, 200]").await;
    while world.mock.journal().of("sk-a").count() == 0 {
        world.ask(QUESTION).await;
    }
    world.gateway.idle().await;
    assert_eq!(world.available(), ["sk-b"]);
    for _ in 0..8 {
        assert_eq!(world.ask(QUESTION).await.status(), 200);
    }
    world.mock.assert_answered("sk-a", &[429]);
    world.advance(99).await;
    world.gateway.idle().await;
    assert_eq!(world.available(), ["sk-b"]);
    world.advance(1).await;
    world.wait_for(&["sk-b", "sk-a"]).await;
}

#[tokio::test]
async fn a_fallback_serves_when_all_are_out() {
    let world = setup(&["sk-a"]).failing_over().before("sk-a: [429, 200]").await;
    assert_eq!(world.ask(QUESTION).await.status(), 429);
    world.gateway.idle().await;
    assert_eq!(world.available(), [""; 0]);
    assert_eq!(world.ask(QUESTION).await.status(), 200);
    world.mock.assert_answered("sk-a", &[429, 200]);
}

#[tokio::test]
async fn a_tick_that_could_change_nothing_is_not_waited_for() {
    let world = setup(&["sk-a"]).failing_over().before("sk-a: [429, 200]").await;
    assert_eq!(world.clock.next_due(), None);
    assert_eq!(world.ask(QUESTION).await.status(), 429);
    world.gateway.idle().await;
    assert_eq!(world.clock.next_due(), Some(firedrill_failover::Instant::from_millis(10)));
    world.advance(100).await;
    world.wait_for(&["sk-a"]).await;
    assert_eq!(world.clock.next_due(), None);
}

const MODEL: &str = "tiny \"model\"";

/// Unavailable tokens are probed every 10 ms, and one success brings them back.
fn probing(tokens: &[&'static str]) -> Setup {
    setup(tokens).failing_over().rules(|rules| {
        rules.failover.cooldown_duration = 0;
        rules.failover.health_check_model = MODEL.into();
    })
}

#[tokio::test]
async fn a_probe_goes_where_the_last_request_went_that_succeeded() {
    let mut setup = probing(&["sk-a"]);
    // This one serves two paths, and the other is where a probe goes by itself.
    setup.vendor = Vendor::DeepSeek;
    let world = setup.before("sk-a: [200, 429, 500, 200]").await;
    world.ask(QUESTION).await.text().await.expect("a body");
    world.gateway.idle().await;
    assert_eq!(world.ask(QUESTION).await.status(), 429);
    world.gateway.idle().await;
    world.advance(10).await;
    world.mock.asked(3).await;
    world.gateway.idle().await;
    assert_eq!(world.available(), [""; 0], "the first probe was answered 500");
    world.advance(10).await;
    world.wait_for(&["sk-a"]).await;
    let journal = world.mock.journal();
    assert_eq!(journal.count(), 4, "{journal}");
    for probe in &journal[2..] {
        assert_eq!((&*probe.token, &*probe.method, &*probe.path), ("sk-a", "POST", "/v1/chat/completions"));
        assert_eq!(probe.model, MODEL);
    }
}

#[tokio::test]
async fn a_probe_that_is_not_answered_in_time_has_failed() {
    let setup = probing(&["sk-a"]).rules(|rules| rules.failover.health_check_timeout = 15);
    let world = setup.before("sk-a: [429, { fault: stall }, 200]").await;
    assert_eq!(world.ask(QUESTION).await.status(), 429);
    world.gateway.idle().await;
    world.advance(10).await;
    world.mock.asked(2).await;
    world.gateway.idle().await;
    let flight = world.gateway.in_flight();
    assert_eq!((flight.probes, flight.probes_waiting, flight.sent), (1, 1, 2));
    world.advance(14).await;
    assert_eq!(world.gateway.in_flight().probes, 1);
    world.advance(1).await;
    world.until(|world| world.gateway.in_flight().probes == 0).await;
    world.gateway.idle().await;
    world.mock.assert_asked(2);
    world.advance(10).await;
    world.wait_for(&["sk-a"]).await;
    world.mock.assert_asked(3);
}

#[tokio::test]
async fn another_configuration_takes_effect_for_the_next_request() {
    let world = setup(&["sk-a"]).failing_over().before("default: 200").await;
    world.ask(QUESTION).await;
    let (next, secrets) = pool(&["sk-b"], &setup(&[]).failing_over().rules);
    world.gateway.reconfigure(next, secrets).expect("a secret for each");
    // At once it may be either; once it is settled it is the new one.
    world.gateway.shell().settled().await.expect("settled");
    for _ in 0..4 {
        world.ask(QUESTION).await;
    }
    assert_eq!((world.mock.journal().of("sk-a").count(), world.mock.journal().of("sk-b").count()), (1, 4));
    let (pool, _) = pool(&["sk-c"], &Rules::default());
    let error = world.gateway.reconfigure(pool, Secrets::new()).expect_err("no secret");
    assert_eq!(error.to_string(), "expected a secret for every token, found none for `sk-c`");
    world.gateway.idle().await;
    assert_eq!(world.available(), ["sk-b"]);
}

/// A store that takes no append while it is closed.
struct Door {
    store: MemoryStore,
    open: watch::Sender<bool>,
}

impl Store for &'static Door {
    async fn append(&self, append: &Append) -> Result<Appended, StoreError> {
        self.open.subscribe().wait_for(|open| *open).await.expect("it is there");
        self.store.append(append).await
    }

    async fn read(&self, after: Head) -> Result<Newer, StoreError> {
        self.store.read(after).await
    }

    async fn tail(&self, after: Head) -> Result<Newer, StoreError> {
        self.store.tail(after).await
    }

    async fn snapshot(&self) -> Result<Option<Arc<Fold>>, StoreError> {
        self.store.snapshot().await
    }

    async fn found(&self, founding: &Founding) -> Result<Appended, StoreError> {
        self.store.found(founding).await
    }
}

#[tokio::test]
async fn a_token_that_was_dropped_is_not_sent_while_another_can_be() {
    let door: &'static Door =
        Box::leak(Box::new(Door { store: MemoryStore::new(), open: watch::Sender::new(true) }));
    let mock =
        tokens::known_to(MockProvider::builder().upstream("default: 200")).start().await.expect("it starts");
    let settings = setup(&["sk-a", "sk-b"]).made(&mock.base_url());
    let gateway = Gateway::builder(settings)
        .clock(Virtual::default())
        .store(door)
        .seed(7)
        .start()
        .await
        .expect("it starts");
    gateway.idle().await;
    door.open.send_replace(false);
    // The pool is as it was as long as the door is closed; which token may be sent has changed.
    let (next, secrets) = pool(&["sk-b", "sk-c"], &Rules::default());
    gateway.reconfigure(next, secrets).expect("a secret for each");
    let ask = async |times| {
        for _ in 0..times {
            let url = format!("http://{}/v1/chat/completions", gateway.address());
            assert_eq!(client().post(url).body(QUESTION).send().await.expect("an answer").status(), 200);
        }
    };
    ask(8).await;
    mock.assert_never_asked("sk-a");
    assert_eq!(mock.journal().of("sk-b").count(), 8);
    // Where the pool draws nothing else, the former are as good as they were.
    let (last, secrets) = pool(&["sk-c"], &Rules::default());
    gateway.reconfigure(last, secrets).expect("a secret for each");
    ask(2).await;
    mock.assert_never_asked("sk-c");
    door.open.send_replace(true);
    gateway.shell().settled().await.expect("settled");
    ask(4).await;
    assert_eq!(mock.journal().of("sk-c").count(), 4);
}

#[tokio::test]
async fn several_gateways_with_one_log_are_one_pool() {
    let store = Arc::new(MemoryStore::new());
    let clock = Virtual::default();
    let mock = tokens::known_to(MockProvider::builder().upstream("sk-a: 429")).clock(clock.clone());
    let mock = mock.start().await.expect("it starts");
    let mut gateways = Vec::new();
    for worker in 1..=2 {
        let settings = setup(&["sk-a"]).failing_over().made(&mock.base_url());
        let builder = Gateway::builder(settings).clock(clock.clone()).worker(WorkerId::new(worker));
        gateways.push(builder.store(Arc::clone(&store)).start().await.expect("it starts"));
    }
    for gateway in &gateways {
        gateway.idle().await;
    }
    let url = format!("http://{}/v1/chat/completions", gateways[0].address());
    assert_eq!(client().post(url).body(QUESTION).send().await.expect("an answer").status(), 429);
    let mut standing = gateways[1].shell().watch();
    let out = |_: &_| gateways[1].shell().look(|pool| pool.available_len() == 0);
    tokio::time::timeout(std::time::Duration::from_secs(10), standing.wait_for(out))
        .await
        .expect("in time")
        .expect("a driver");
}
