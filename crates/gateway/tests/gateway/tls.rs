//! An upstream behind TLS: only one whose certificate is trusted is told a token.

use std::sync::Arc;

use firedrill_gateway::Roots;
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::*;

/// Who has a certificate of its own for `name`, and that certificate in PEM form.
pub(crate) fn acceptor(name: &str) -> (TlsAcceptor, String) {
    let made = rcgen::generate_simple_self_signed(vec![name.to_owned()]).expect("a certificate");
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).expect("a key");
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .expect("a configuration");
    (TlsAcceptor::from(Arc::new(config)), made.cert.pem())
}

/// An upstream with a certificate of its own for `name`: its port, the certificate in PEM form, and what it was asked.
async fn upstream(name: &str) -> (u16, String, tokio::sync::mpsc::UnboundedReceiver<String>) {
    let (acceptor, pem) = acceptor(name);
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let (asked, heard) = tokio::sync::mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            let mut head = vec![0; 4096];
            let read = stream.read(&mut head).await.unwrap_or(0);
            let _ = asked.send(String::from_utf8_lossy(&head[..read]).into_owned());
            let _ = stream
                .write_all(b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok")
                .await;
            let _ = stream.shutdown().await;
        }
    });
    (port, pem, heard)
}

/// What a gateway that trusts `roots` is answered by `https://host:port`.
async fn asked(host: &str, port: u16, roots: Roots) -> (u16, String) {
    let settings = Settings { roots, ..setup(&["sk-a"]).made(&format!("https://{host}:{port}")) };
    let gateway = Gateway::builder(settings).start().await.expect("it starts");
    let answer =
        client().get(format!("http://{}/v1/models", gateway.address())).send().await.expect("an answer");
    (answer.status().as_u16(), answer.text().await.expect("a body"))
}

#[tokio::test]
async fn an_upstream_that_is_trusted_is_told_a_token() {
    let (port, pem, mut heard) = upstream("localhost").await;
    let roots = Roots::from_pem(pem.as_bytes()).expect("a certificate");
    assert_eq!(asked("localhost", port, roots).await, (200, "ok".to_owned()));
    let request = heard.recv().await.expect("a request");
    assert!(
        request.contains(&format!("Bearer {}\r\n", sent("sk-a")))
            && request.contains(&format!("host: localhost:{port}\r\n")),
        "{request}"
    );
}

#[tokio::test]
async fn an_upstream_that_is_not_trusted_is_told_nothing() {
    let (port, _, mut heard) = upstream("localhost").await;
    let (status, body) = asked("localhost", port, Roots::default()).await;
    assert!(status == 503 && body.contains(r#""code":"connect""#), "{body}");
    // Nor is one that is trusted by another name.
    let (other, pem, mut other_heard) = upstream("elsewhere.example").await;
    let roots = Roots::from_pem(pem.as_bytes()).expect("a certificate");
    assert_eq!(asked("localhost", other, roots).await.0, 503);
    assert!(heard.try_recv().is_err() && other_heard.try_recv().is_err());
}

#[test]
fn what_is_no_certificate_is_told() {
    assert_eq!(Roots::from_pem(b"nothing").expect_err("none"), "expected a certificate, found none");
}
