//! A rehearsal says which tokens are drawn, and hears of each.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::{Arc, Mutex};

use firedrill_gateway::Rehearsal;
use firedrill_store::Shell;
use hyper::http::request::Parts;

use super::*;

/// What was drawn: a label and whether it is a fallback, or why nothing was.
type Heard = Arc<Mutex<Vec<Result<(String, bool), String>>>>;

/// Draws these tokens, whoever asks, and then by chance.
#[derive(Clone)]
pub(crate) struct Steering {
    draws: Arc<Mutex<VecDeque<&'static str>>>,
    heard: Heard,
}

impl Steering {
    pub(crate) fn new(draws: &[&'static str]) -> Self {
        let draws = Arc::new(Mutex::new(draws.iter().copied().collect()));
        Self { draws, heard: Heard::default() }
    }
}

impl Rehearsal for Steering {
    fn before<'a>(
        &'a self,
        request: &'a Parts,
        attempt: usize,
        shell: &'a Shell,
    ) -> Pin<Box<dyn Future<Output = Option<String>> + Send + 'a>> {
        assert!(attempt < 9 && request.headers.contains_key("host"), "the head as the client sent it");
        Box::pin(async move {
            shell.settled().await.expect("a driver");
            self.draws.lock().expect("no panic").pop_front().map(str::to_owned)
        })
    }

    fn drawn(&self, _: &Parts, drawn: Result<(&str, bool), String>) {
        let drawn = drawn.map(|(label, fallback)| (label.to_owned(), fallback));
        self.heard.lock().expect("no panic").push(drawn);
    }
}

async fn heard(
    tokens: &[&'static str],
    draws: &[&'static str],
    upstream: &str,
) -> (u16, Vec<Result<(String, bool), String>>) {
    let mock = MockProvider::builder().upstream(upstream).start().await.expect("it starts");
    let steering = Steering::new(draws);
    let settings = setup(tokens).failing_over().retrying(5).made(&mock.base_url());
    let gateway = Gateway::builder(settings).clock(Virtual::default()).rehearsal(steering.clone());
    let gateway = gateway.worker(WorkerId::new(1)).start().await.expect("it starts");
    gateway.idle().await;
    let url = format!("http://{}/v1/chat/completions", gateway.address());
    let answer = client().post(url).body(QUESTION).send().await.expect("an answer");
    let heard = steering.heard.lock().expect("no panic").clone();
    (answer.status().as_u16(), heard)
}

fn drew(label: &str) -> (String, bool) {
    (label.to_owned(), false)
}

#[tokio::test]
async fn tokens_are_drawn_as_it_says() {
    let tokens = ["sk-a", "sk-b", "sk-c"];
    for draws in [["sk-a", "sk-b", "sk-c"], ["sk-c", "sk-a", "sk-b"], ["sk-b", "sk-c", "sk-a"]] {
        let (status, heard) = heard(&tokens, &draws, "default: 503").await;
        assert_eq!((status, heard.len()), (503, 3));
        assert_eq!(heard, draws.map(|label| Ok(drew(label))));
    }
}

#[tokio::test]
async fn what_cannot_be_drawn_is_told_and_answered_500() {
    let (status, told) = heard(&["sk-a", "sk-b"], &["sk-a", "sk-a"], "default: 503").await;
    assert_eq!(status, 500);
    assert_eq!(told, [Ok(drew("sk-a")), Err("sk-a cannot be drawn: it was tried already".to_owned())]);
    let (status, told) = heard(&["sk-a"], &["sk-x"], "{}").await;
    assert_eq!(status, 500);
    assert_eq!(told, [Err("sk-x cannot be drawn: it is not configured".to_owned())]);
}

#[tokio::test]
async fn what_is_reported_is_settled_before_the_next_is_drawn() {
    // sk-a is out when the second is drawn, for the hook waits: so it is not drawn while sk-b is there.
    let world = setup(&["sk-a", "sk-b"]).failing_over().drawing(&["sk-a", "sk-a"]).before("sk-a: 503").await;
    assert_eq!(world.ask(QUESTION).await.status(), 503);
    let answer = world.ask(QUESTION).await;
    assert_eq!(answer.status(), 500);
    assert!(answer.text().await.expect("a body").contains(r#""code":"not_drawn""#));
    world.mock.assert_answered("sk-a", &[503]);
}
