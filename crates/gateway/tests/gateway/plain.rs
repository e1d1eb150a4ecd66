//! One request, one answer: what goes upstream, and what comes back.

use super::*;

#[tokio::test]
async fn a_request_goes_upstream_with_a_token_of_the_pool() {
    let world = setup(&["sk-a"]).before("{}").await;
    let answer = world.ask(QUESTION).await;
    assert_eq!(answer.status(), 200);
    assert!(answer.text().await.expect("a body").contains("One two three"));
    world.mock.assert_answered("sk-a", &[200]);
    world.mock.assert_asked(1);
    world.gateway.idle().await;
    let metrics = world.gateway.metrics();
    assert_eq!((metrics.requests(), metrics.answers(), metrics.aborts()), (1, 1, 0));
    assert_eq!(world.gateway.in_flight().requests, 0);
}
