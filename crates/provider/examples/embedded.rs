//! How to test a client of an LLM provider with a provider that fails on cue. The client is a function that tries again
//! after a 429, with the next token; the tests are those one would write for it. `cargo test` runs them.

use std::error::Error;

/// What is tested: asks with each token in turn until one is answered.
async fn ask(base_url: &str, tokens: &[&str]) -> Result<String, Box<dyn Error>> {
    let client = reqwest::Client::new();
    let question = r#"{"model":"gpt-4o","messages":[{"role":"user","content":"Hello?"}]}"#;
    for token in tokens {
        let request = client.post(format!("{base_url}/v1/chat/completions"));
        let request = request.bearer_auth(token).header("content-type", "application/json");
        let response = request.body(question).send().await?;
        if response.status() != 429 {
            return Ok(response.error_for_status()?.text().await?);
        }
    }
    Err("every token is used up".into())
}

#[tokio::main(flavor = "current_thread")]
#[expect(clippy::print_stdout, reason = "an example shows what came of it")]
async fn main() -> Result<(), Box<dyn Error>> {
    let upstream = "sk-a: [429, 200]";
    let mock = firedrill_provider::MockProvider::builder().upstream(upstream).start().await?;
    println!("{}", ask(&mock.base_url(), &["sk-a", "sk-b"]).await?);
    print!("{}", mock.journal());
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use firedrill_provider::{Ended, MockProvider, Virtual};

    use super::ask;

    #[tokio::test]
    async fn a_token_that_is_refused_is_followed_by_the_next() {
        let mock =
            MockProvider::builder().upstream("sk-a: [429, 200]").answer("Hello!").start().await.unwrap();
        let answer = ask(&mock.base_url(), &["sk-a", "sk-b"]).await.unwrap();
        assert!(answer.contains("Hello!"));
        mock.assert_answered("sk-a", &[429]);
        mock.assert_answered("sk-b", &[200]);
    }

    #[tokio::test]
    async fn a_quota_is_full_again_after_a_minute_that_nobody_waits_for() {
        let upstream = "quotas: [{ requests: 1, per: 1m }]";
        let mock =
            MockProvider::builder().upstream(upstream).clock(Virtual::default()).start().await.unwrap();
        ask(&mock.base_url(), &["sk-a"]).await.unwrap();
        ask(&mock.base_url(), &["sk-a"]).await.unwrap_err();
        mock.advance(Duration::from_mins(1)).await;
        ask(&mock.base_url(), &["sk-a"]).await.unwrap();
        mock.assert_answered("sk-a", &[200, 429, 200]);
    }

    #[tokio::test]
    async fn an_answer_that_is_cut_is_an_error_and_no_answer() {
        let upstream = "sk-a: { fault: { cut: { bytes: 20 } } }";
        let mock = MockProvider::builder().upstream(upstream).start().await.unwrap();
        ask(&mock.base_url(), &["sk-a"]).await.unwrap_err();
        mock.idle().await;
        assert_eq!(mock.journal().of("sk-a").that_ended(Ended::Broken).count(), 1);
    }
}
