//! What this program serves when it is started as one of the parties: a mock provider, a bare reverse proxy, the gateway.

use std::convert::Infallible;
use std::net::SocketAddr;

use firedrill_failover::{Config, FailoverSettings, RetrySettings, Settings as Rules};
use firedrill_gateway::{Gateway, Secret, Secrets, Settings, Vendor};
use firedrill_provider::MockProvider;
use http_body_util::Either;
use hyper::body::Incoming;
use hyper::header::{AUTHORIZATION, HOST, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, Uri};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;

/// Serves as `args` say until standard input ends, and prints the address first.
pub(crate) async fn serve(args: &[String]) {
    let upstream = || args.get(1).expect("an upstream").parse::<SocketAddr>().expect("an address");
    match args[0].as_str() {
        "mock" => {
            // Two events begin it and two end it.
            let words = vec!["word"; 96].join(" ");
            let mock = MockProvider::builder().upstream("sk-a: 200").answer(&words).start().await;
            let mock = mock.expect("it starts");
            println!("{}", mock.base_url().trim_start_matches("http://"));
            until_told().await;
        }
        "bare hyper proxy" => {
            println!("{}", bare(upstream()).await);
            until_told().await;
        }
        "gateway" => {
            let gateway = gateway(upstream()).await;
            println!("{}", gateway.address());
            until_told().await;
        }
        other => panic!("no party is called {other}"),
    }
}

/// Until whoever started this is gone.
async fn until_told() {
    let _ = tokio::io::stdin().read_u8().await;
}

/// The gateway, with failover and retries on, over three tokens.
async fn gateway(upstream: SocketAddr) -> Gateway {
    let mut secrets = Secrets::new();
    let keep = |token: &str| secrets.keep(token, Secret::from(token.to_owned())).expect("a good token");
    let tokens = ["sk-a", "sk-b", "sk-c"].map(keep).to_vec();
    let rules = Rules {
        failover: FailoverSettings {
            enabled: true,
            cooldown_duration: 60_000,
            ..FailoverSettings::default()
        },
        retry_on_failure: RetrySettings { enabled: true, ..RetrySettings::default() },
        ..Rules::default()
    };
    let pool = Config::parse(tokens, &rules).expect("a good configuration");
    let route = format!("http://{upstream}").parse().expect("a good route");
    let settings = Settings::new(route, Vendor::OpenAi, pool, secrets);
    Gateway::builder(settings).start().await.expect("it starts")
}

type Upstream = Client<HttpConnector, Incoming>;

/// A reverse proxy with no more in it than hyper needs: it sets the token and the host, and passes everything on.
async fn bare(upstream: SocketAddr) -> SocketAddr {
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    let client: Upstream = Client::builder(TokioExecutor::new()).build(connector);
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.expect("a connection");
            stream.set_nodelay(true).expect("a socket");
            let client = client.clone();
            let service = service_fn(move |request| pass(client.clone(), upstream, request));
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
        }
    });
    address
}

async fn pass(
    client: Upstream,
    upstream: SocketAddr,
    mut request: Request<Incoming>,
) -> Result<Response<Either<Incoming, String>>, Infallible> {
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
    *request.uri_mut() = Uri::try_from(format!("http://{upstream}{path}")).expect("a good URL");
    request.headers_mut().remove(HOST);
    request.headers_mut().insert(AUTHORIZATION, HeaderValue::from_static("Bearer sk-a"));
    Ok(match client.request(request).await {
        Ok(response) => response.map(Either::Left),
        Err(error) => {
            Response::builder().status(502).body(Either::Right(error.to_string())).expect("an answer")
        }
    })
}
