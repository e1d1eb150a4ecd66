//! The journal is exact, and no token is in it.

use std::time::Duration;

use firedrill_provider::{Ended, MockProvider};
use tokio::io::AsyncWriteExt;

use crate::{QUESTION, STREAM, ask, client, connect, mock, on_virtual_time, request};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_request_of_eight_clients_at_once_is_in_it_once() {
    let mock =
        mock("{ sk-1: [429, 200], sk-2: { repeat: [503, 200] }, sk-3: { fault: { cut: { bytes: 3 } } } }")
            .await;
    let url = format!("{}/v1/chat/completions", mock.base_url());
    let clients = (0..8).map(|number| {
        let url = url.clone();
        tokio::spawn(async move {
            let client = reqwest::Client::builder().no_proxy().build().expect("a client");
            let mut seen = Vec::new();
            for call in 0..50 {
                let question = if call % 2 == 0 { QUESTION } else { STREAM };
                let request = client.post(&url).bearer_auth(format!("sk-{number}")).body(question);
                let answer = request.send().await.expect("headers");
                let (status, body) = (answer.status().as_u16(), answer.bytes().await);
                seen.push((status, call % 2 == 1, body.ok().map(|body| body.len() as u64)));
            }
            seen
        })
    });
    let mut all = Vec::new();
    for client in clients.collect::<Vec<_>>() {
        all.push(client.await.expect("no panic"));
    }
    mock.idle().await;
    let journal = mock.journal();
    assert_eq!(journal.count(), 400);
    assert!(journal.windows(2).all(|pair| pair[0].number + 1 == pair[1].number));
    for (number, seen) in all.into_iter().enumerate() {
        let told = journal
            .of(&format!("sk-{number}"))
            .iter()
            .map(|entry| {
                let whole = entry.ended == Some(Ended::Whole);
                (entry.status, entry.stream, whole.then_some(entry.bytes))
            })
            .collect::<Vec<_>>();
        // A refusal is no stream, but one was asked for.
        assert_eq!(told, seen, "{}", journal.of(&format!("sk-{number}")));
    }
    assert_eq!(journal.of("sk-1").with_status(429).count(), 1);
    assert_eq!(journal.of("sk-2").with_status(503).count(), 25);
    assert_eq!(journal.of("sk-3").that_ended(Ended::Broken).count(), 50);
}

#[tokio::test]
async fn it_says_why_and_with_what_fault_and_how_it_ended() {
    let whole = Some(Ended::Whole);
    let broken = Some(Ended::Broken);
    for (upstream, status, refusal, fault, ended) in [
        ("{}", 200, None, None, whole),
        ("default: 429", 429, Some("script"), None, whole),
        ("outages: [{ from: 0s, for: 1h }]", 503, Some("outage"), None, whole),
        ("errors: [{ rate: 100% }]", 500, Some("chance"), None, whole),
        ("quotas: [{ llmTokens: 1, per: 1m }]", 429, Some("quota"), None, whole),
        ("default: { fault: reset }", 200, Some("script"), Some("reset"), broken),
        ("default: { fault: resetAfterHeaders }", 200, Some("script"), Some("resetAfterHeaders"), broken),
        ("default: { fault: { cut: { bytes: 3 } } }", 200, Some("script"), Some("cut"), broken),
        ("default: { fault: { drip: { bytes: 99, every: 1ms } } }", 200, Some("script"), Some("drip"), whole),
        ("default: { fault: malformedChunk }", 200, Some("script"), Some("malformedChunk"), broken),
        ("default: { fault: invalidJson }", 200, Some("script"), Some("invalidJson"), whole),
        ("default: { fault: wrongLength }", 200, Some("script"), Some("wrongLength"), broken),
        ("default: { fault: errorEvent }", 200, Some("script"), Some("errorEvent"), whole),
        ("errors: [{ rate: 100%, fault: reset }]", 500, Some("chance"), Some("reset"), broken),
    ] {
        let mock = mock(upstream).await;
        if let Ok(answer) = ask(&mock, "sk-a", STREAM).await {
            // It may be one that breaks off.
            let _ = answer.bytes().await;
        }
        mock.idle().await;
        let entry = mock.journal()[0].clone();
        let found = (entry.status, entry.refusal, entry.fault, entry.ended);
        assert_eq!(found, (status, refusal, fault, ended), "{upstream}");
    }
}

#[tokio::test]
async fn it_says_so_of_what_never_ends_too() {
    for (fault, question) in
        [("stall", QUESTION), ("{ stallAfter: { bytes: 3 } }", QUESTION), ("endless", STREAM)]
    {
        let mock = mock(&format!("default: {{ fault: {fault} }}")).await;
        let mut stream = connect(&mock).await;
        stream.write_all(request("sk-a", question).as_bytes()).await.expect("written");
        mock.asked(1).await;
        let word = fault.trim_start_matches(['{', ' ']).split(':').next();
        let entry = mock.journal()[0].clone();
        assert_eq!((entry.refusal, entry.fault, entry.ended), (Some("script"), word, None));
        drop(stream);
        mock.idle().await;
        assert_eq!(mock.journal()[0].ended, Some(Ended::Gone), "{fault}");
    }
}

#[tokio::test]
async fn it_has_the_time_of_the_request_and_what_is_wrong_with_one() {
    let mock = on_virtual_time("{ sk-a: 200, latency: 10s, quotas: [{ concurrent: 1 }] }").await;
    mock.advance(Duration::from_secs(3)).await;
    let mut stream = connect(&mock).await;
    stream.write_all(request("sk-a", QUESTION).as_bytes()).await.expect("written");
    mock.asked(1).await;
    mock.advance(Duration::from_secs(4)).await;
    let mut other = connect(&mock).await;
    other.write_all(request("sk-a", QUESTION).as_bytes()).await.expect("written");
    mock.asked(2).await;
    for url in [mock.base_url(), format!("{}/v1/chat/completions", mock.base_url())] {
        client().post(url).body("{").send().await.expect("an answer");
    }
    let journal = mock.journal();
    let told: Vec<_> = journal.iter().map(|it| (it.at, it.status, it.refusal, &*it.token)).collect();
    let expect = [
        (3_000, 200, None, "sk-a"),
        (7_000, 429, Some("concurrent"), "sk-a"),
        (7_000, 404, Some("request"), ""),
        (7_000, 401, Some("request"), ""),
    ];
    assert_eq!(told, expect);
}

/// Made up, in the form of a real one.
const SECRET: &str = "sk-proj-aB3dE5fG7hJ9kL2mN4pQ6rS8tU1vW3xY5zA7bC9d";
/// One that looks like any word.
const PLAIN: &str = "correct-horse";

#[tokio::test]
async fn no_token_is_ever_shown() {
    let known = MockProvider::builder().token_as(PLAIN, "first").token(SECRET).upstream("first: [429, 200]");
    for mock in [mock(&format!("{SECRET}: [429, 200]")).await, known.start().await.expect("it starts")] {
        let mut told = String::new();
        for token in [SECRET, PLAIN, "another-word"] {
            for path in
                ["v1/chat/completions".to_owned(), format!("v1/{token}"), format!("{token}/x?key={token}")]
            {
                let body = QUESTION.replace("gpt-4o", token);
                let request =
                    client().post(format!("{}/{path}", mock.base_url())).bearer_auth(token).body(body);
                request.send().await.expect("an answer");
            }
            let broken = client()
                .post(format!("{}/v1/chat/completions", mock.base_url()))
                .bearer_auth(token)
                .body("{");
            told += &broken.send().await.expect("an answer").text().await.expect("a body");
        }
        for path in ["state", "journal", "counts", "nothing", "journal?token=correct-horsf"] {
            let url = format!("{}/{path}", mock.control_url());
            told += &client().get(url).send().await.expect("an answer").text().await.expect("a body");
        }
        let put = client().put(format!("{}/upstream/openai", mock.control_url()));
        let block = format!("{{ {SECRET}x: 42, default: x }}");
        told += &put.body(block).send().await.expect("an answer").text().await.expect("a body");
        told.extend([format!("{:?}", mock.journal()), mock.journal().to_string()]);
        for secret in [SECRET, PLAIN, "another-word", "aB3dE5fG7hJ9"] {
            assert!(!told.contains(secret), "{secret} in {told}");
        }
        assert!(told.contains("token-"), "{told}");
    }
}

#[tokio::test]
async fn an_unknown_token_is_refused_when_some_are_known() {
    let mock = MockProvider::builder().token_as("secret", "first").upstream("first: [429, 200]");
    let mock = mock.start().await.expect("it starts");
    let mut statuses = Vec::new();
    for token in ["secret", "other", "first", "secret"] {
        statuses.push(ask(&mock, token, QUESTION).await.expect("an answer").status().as_u16());
    }
    assert_eq!(statuses, [429, 401, 401, 200]);
    mock.assert_answered("first", &[429, 200]);
    assert_eq!(
        mock.journal().of("").iter().map(|entry| entry.refusal).collect::<Vec<_>>(),
        [Some("token"); 2]
    );
    let wrong = MockProvider::builder().token_as("secret", "first").upstream("frist: 429").start().await;
    let error = wrong.err().expect("an unknown name").to_string();
    assert_eq!(error, "1:1: unknown token `frist` (did you mean `first`?)");
}
