//! Tokens never come back: whatever upstream says.

use super::*;
use crate::tokens::ECHOED as TOKEN;
use crate::upstream::{Upstream, answer};

async fn read(pieces: &[&str]) -> String {
    read_with("echoed", pieces).await
}

async fn read_with(label: &'static str, pieces: &[&str]) -> String {
    let upstream = Upstream::saying(pieces).await;
    let gateway = setup(&[label]).in_front_of(&upstream.base(), &Virtual::default()).await;
    let read = raw(&gateway, b"GET / HTTP/1.1\r\nhost: g\r\nconnection: close\r\n\r\n").await;
    assert!(upstream.asked()[0].contains(sent(label)), "it was sent");
    // Neither half of it.
    tokens::assert_hidden("an answer", &read);
    read
}

#[tokio::test]
async fn an_echo_in_a_header_is_covered() {
    let read = read(&[&answer("401 Unauthorized", &format!("x-echo: Bearer {TOKEN}!\r\n"), "no")]).await;
    assert!(read.contains("x-echo: Bearer [token]****************!\r\n"), "{read}");
}

#[tokio::test]
async fn an_echo_in_the_reason_is_left_out() {
    let read = read(&[&answer(&format!("401 bad key {TOKEN}"), "", "no")]).await;
    assert!(read.starts_with("HTTP/1.1 401 Unauthorized\r\n"), "{read}");
}

#[tokio::test]
async fn an_echo_in_a_body_is_covered_and_its_length_stays() {
    for status in ["401 Unauthorized", "200 OK"] {
        let body =
            format!(r#"{{"error":"incorrect key {TOKEN}, or {}..., or ...{}"}}"#, &TOKEN[..15], &TOKEN[10..]);
        let read = read(&[&answer(status, "", &body)]).await;
        let (head, covered) = read.split_once("\r\n\r\n").expect("a head");
        assert!(head.contains(&format!("content-length: {}", body.len())), "{head}");
        assert_eq!(covered.len(), body.len(), "{covered}");
        assert!(covered.starts_with(r#"{"error":"incorrect key [token]"#), "{covered}");
    }
}

#[tokio::test]
async fn an_echo_that_comes_in_pieces_is_covered() {
    let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
    for cut in [1, 5, 11, 12, 13, 22] {
        let (one, two) = TOKEN.split_at(cut);
        let chunk = |text: &str| format!("{:x}\r\n{text}\r\n", text.len());
        let pieces = [head, &chunk(&format!("data: {one}")), &chunk(&format!("{two}\n\n")), "0\r\n\r\n"];
        let read = read(&pieces).await;
        assert!(read.contains("[token]*****"), "{cut}: {read}");
    }
}

#[tokio::test]
async fn an_echo_as_json_or_a_url_has_it_is_covered() {
    for echo in [
        r"key\/Wq5Zt8Kx2Mn7+Rb4Lc9\/Jd6Fg==",
        r"key/Wq5Zt8Kx2Mn7+Rb4Lc9/Jd6Fg\u003d\u003d",
        "key%2FWq5Zt8Kx2Mn7%2BRb4Lc9%2FJd6Fg%3D%3D",
    ] {
        let body = format!(r#"{{"error":"bad key {echo}"}}"#);
        let location = format!("location: /login?key={echo}\r\n");
        let read = read_with("signs", &[&answer("401 Unauthorized", &location, &body)]).await;
        assert!(!read.contains("Wq5Zt8Kx2Mn7") && !read.contains("Rb4Lc9"), "{read}");
        assert_eq!(read.matches("[token]").count(), 2, "{read}");
    }
}

#[tokio::test]
async fn an_error_in_a_coding_is_not_shown() {
    let read = read(&[&answer("401 Unauthorized", "content-encoding: rot13\r\n", "fx-...")]).await;
    assert!(read.starts_with("HTTP/1.1 401 ") && !read.contains("rot13") && !read.contains("fx-"), "{read}");
    assert!(read.contains(r#""code":"coded""#), "{read}");
}
