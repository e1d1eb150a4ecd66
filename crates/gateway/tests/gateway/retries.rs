//! Retries: another token, as long as nothing has gone to the client and the rules allow it.

use super::*;
use crate::upstream::{Upstream, answer};

#[tokio::test]
async fn a_failure_is_tried_with_another_token() {
    for question in [QUESTION, STREAM] {
        let setup = setup(&["sk-a", "sk-b"]).failing_over().retrying(1).drawing(&["sk-a"]);
        let world = setup.before("sk-a: 503").await;
        let answer = world.ask(question).await;
        assert_eq!(answer.status(), 200);
        assert!(answer.text().await.expect("a body").contains("three"));
        world.mock.assert_answered("sk-a", &[503]);
        world.mock.assert_answered("sk-b", &[200]);
        world.gateway.idle().await;
        assert_eq!(world.available(), ["sk-b"]);
        let metrics = world.gateway.metrics();
        assert_eq!((metrics.requests(), metrics.answers(), metrics.retries()), (1, 1, 1));
    }
}

#[tokio::test]
async fn the_last_answer_is_the_clients_when_nothing_is_left_to_try() {
    let world = setup(&["sk-a", "sk-b"]).retrying(9).before("{ sk-a: 429, sk-b: 429 }").await;
    let answer = world.ask(QUESTION).await;
    assert_eq!(answer.status(), 429);
    assert!(answer.text().await.expect("a body").contains("\"error\""));
    world.mock.assert_asked(2);
    world.mock.assert_answered("sk-a", &[429]);
    world.mock.assert_answered("sk-b", &[429]);
}

#[tokio::test]
async fn there_are_no_more_retries_than_the_rules_allow() {
    let tokens = ["sk-a", "sk-b", "sk-c", "sk-d"];
    let world = setup(&tokens).retrying(2).before("default: 500").await;
    assert_eq!(world.ask(QUESTION).await.status(), 500);
    world.mock.assert_asked(3);
    let setup = setup(&tokens)
        .retrying(2)
        .rules(|rules| rules.retry_on_failure.retry_on_status = vec!["429".to_owned()]);
    let world = setup.before("default: 500").await;
    assert_eq!(world.ask(QUESTION).await.status(), 500);
    world.mock.assert_asked(1);
}

#[tokio::test]
async fn a_budget_that_is_spent_ends_the_attempt_and_allows_no_other() {
    // What is left of it after the first attempt is enough for a second, is not, and is nothing.
    for (took, asked, status) in [(400, 2, 503), (999, 2, 504), (1_000, 1, 504)] {
        let setup =
            setup(&["sk-a", "sk-b"]).retrying(1).rules(|rules| rules.retry_on_failure.retry_timeout = 1_000);
        let world = setup.before(&format!("{{ default: 503, latency: {took}ms }}")).await;
        let answer = tokio::spawn(world.asking(QUESTION).send());
        for attempt in 1..=asked {
            world.asked(attempt).await;
            world.advance(took).await;
        }
        assert_eq!(answer.await.expect("no panic").expect("an answer").status(), status, "{took}");
        world.mock.assert_asked(usize::try_from(asked).expect("a few"));
    }
}

#[tokio::test]
async fn what_has_begun_to_go_to_the_client_is_not_tried_again() {
    let world =
        setup(&["sk-a", "sk-b"]).retrying(1).before("default: { fault: { cut: { events: 1 } } }").await;
    let answer = world.ask(STREAM).await;
    assert_eq!(answer.status(), 200);
    answer.text().await.expect_err("no whole body");
    world.gateway.idle().await;
    world.mock.assert_asked(1);
}

#[tokio::test]
async fn what_is_lost_below_http_is_tried_again_too() {
    for fault in ["reset", "stall"] {
        let upstream = format!("sk-a: {{ fault: {fault} }}");
        let rules = |rules: &mut Rules| {
            rules.retry_on_failure.retry_on_status = vec!["reset".to_owned(), "timeout".to_owned()];
        };
        let world = setup(&["sk-a", "sk-b"])
            .retrying(1)
            .drawing(&["sk-a"])
            .rules(rules)
            .settings(|settings| settings.timeout = Duration::from_secs(3))
            .before(&upstream)
            .await;
        let asked = tokio::spawn(world.asking(QUESTION).send());
        world.mock.asked(1).await;
        if fault == "stall" {
            world.gateway.resting().await;
            world.advance(3_000).await;
        }
        assert_eq!(asked.await.expect("no panic").expect("an answer").status(), 200, "{fault}");
        world.mock.assert_asked(2);
    }
}

#[tokio::test]
async fn a_retry_says_the_same_with_another_token() {
    let upstream = Upstream::saying(&[&answer("500 No", "", "no")]).await;
    let gateway =
        setup(&["sk-a", "sk-b"]).retrying(1).in_front_of(&upstream.base(), &Virtual::default()).await;
    let read = raw(
        &gateway,
        b"POST /x HTTP/1.1\r\nhost: g\r\nx-kept: yes\r\ncontent-length: 5\r\nconnection: close\r\n\r\nhello",
    )
    .await;
    assert!(read.starts_with("HTTP/1.1 500 ") && read.ends_with("no"), "{read}");
    let mut asked = upstream.asked();
    assert_eq!(asked.len(), 2, "{asked:?}");
    asked.sort_unstable();
    let (one, two) = (sent("sk-a"), sent("sk-b"));
    assert!(
        asked[0].contains(&format!("Bearer {one}\r\n")) && asked[0].ends_with("\r\n\r\nhello"),
        "{asked:?}"
    );
    assert_eq!(asked[0].replace(one, two), asked[1]);
}

#[tokio::test]
async fn a_retry_that_is_lost_is_told_as_what_it_is() {
    let setup = setup(&["sk-a", "sk-b"]).retrying(1).drawing(&["sk-a"]);
    let world = setup.before("{ sk-a: 429, sk-b: { fault: reset } }").await;
    let answer = world.ask(QUESTION).await;
    assert_eq!(answer.status(), 503);
    assert!(answer.text().await.expect("a body").contains(r#""code":"reset""#));
}
