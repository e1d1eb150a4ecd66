//! The date of an answer is the mock's, whatever the machine's is.

use std::time::Duration;

use crate::{QUESTION, STREAM, ask, client, connect, on_virtual_time, raw, request, rest};
use tokio::io::AsyncWriteExt;

#[tokio::test]
async fn on_virtual_time_it_is_the_first_of_january_until_the_clock_is_moved() {
    let mock = on_virtual_time("{ sk-429: 429, sk-cut: { fault: { cut: { bytes: 5 } } } }").await;
    for date in ["Thu, 01 Jan 2026 00:00:00 GMT", "Thu, 01 Jan 2026 23:59:59 GMT"] {
        for (token, question) in [("sk-a", QUESTION), ("sk-a", STREAM), ("sk-429", QUESTION), ("sk-a", "{")] {
            let answer = ask(&mock, token, question).await.expect("an answer");
            let dates: Vec<_> = answer.headers().get_all("date").iter().collect();
            assert_eq!(dates, [date], "{token} {question}");
        }
        let (broken, _) = raw(&mock, request("sk-cut", QUESTION).as_bytes()).await;
        assert_eq!(broken.matches(&format!("\r\ndate: {date}\r\n")).count(), 1, "{broken}");
        let state = client().get(format!("{}/state", mock.control_url())).send().await.expect("an answer");
        assert_eq!(state.headers()["date"], date);
        mock.advance(Duration::from_millis(86_399_999)).await;
    }
}

#[tokio::test]
async fn it_is_of_when_the_answer_begins() {
    let mock = on_virtual_time("latency: 90s").await;
    let mut stream = connect(&mock).await;
    let request = request("sk-a", QUESTION).replacen("\r\n", "\r\nconnection: close\r\n", 1);
    stream.write_all(request.as_bytes()).await.expect("written");
    mock.asked(1).await;
    mock.advance(Duration::from_secs(90)).await;
    let (read, _) = rest(&mut stream).await;
    assert!(read.contains("\r\ndate: Thu, 01 Jan 2026 00:01:30 GMT\r\n"), "{read}");
}
