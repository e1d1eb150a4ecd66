//! Many clients at once, some of whom go away: every request is counted once, and nothing is left behind.

use tokio::task::JoinSet;

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_request_is_answered_or_aborted_and_none_is_left() {
    let upstream =
        "{ errors: [{ rate: 30%, status: 503 }], pace: { first: 0ms, between: 1ms }, latency: 1ms }";
    let mock = MockProvider::builder().upstream(upstream).start().await.expect("it starts");
    let settings = setup(&["sk-a", "sk-b", "sk-c"]).failing_over().retrying(2).made(&mock.base_url());
    let gateway = Gateway::builder(settings).seed(7).start().await.expect("it starts");
    let url = format!("http://{}/v1/chat/completions", gateway.address());
    let mut clients = JoinSet::new();
    for number in 0..200_u64 {
        let url = url.clone();
        clients.spawn(async move {
            let question = if number % 2 == 0 { QUESTION } else { STREAM };
            let asking = async { client().post(url).body(question).send().await?.text().await };
            // Every third goes away at some moment, most of them before they are answered whole.
            let patience = if number % 3 == 0 { number % 12 } else { 20_000 };
            tokio::time::timeout(std::time::Duration::from_millis(patience), asking).await.is_ok()
        });
    }
    let answered = clients.join_all().await.into_iter().filter(|answered| *answered).count();
    assert!(answered >= 133, "whoever waits is answered: {answered}");
    gateway.idle().await;
    let metrics = gateway.metrics();
    assert_eq!(metrics.requests(), metrics.answers() + metrics.aborts());
    assert!(metrics.answers() >= answered as u64 && metrics.requests() <= 200);
    let flight = gateway.in_flight();
    assert_eq!((flight.requests, flight.requests_waiting, flight.probes), (0, 0, 0));
    assert!(flight.sent >= mock.journal().count() as u64 && metrics.retries() > 0);
    mock.idle().await;
    let lists =
        gateway.shell().look(|pool| (pool.available().count() + pool.unavailable().count(), pool.len()));
    assert_eq!(lists, (3, 3));
}
