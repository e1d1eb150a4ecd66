//! Those who take part: processes, what they use, and how each is started.

use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use firedrill_benches::process;

use crate::CLIENTS;

/// Somebody who answers.
pub(crate) struct Party {
    pub(crate) name: &'static str,
    pub(crate) address: SocketAddr,
    /// How many clients ask it at the same time.
    pub(crate) clients: usize,
    /// Whether it cannot take half of what the gateway can.
    pub(crate) is_slow: bool,
    child: Option<Child>,
    /// What it was started from, for as long as it runs.
    files: Option<tempfile::TempDir>,
}

impl Party {
    /// Somebody who is there.
    pub(crate) fn new(name: &'static str, address: SocketAddr) -> Self {
        Self { name, address, clients: CLIENTS, is_slow: false, child: None, files: None }
    }

    /// This program, serving.
    pub(crate) fn this(name: &'static str, args: &[String]) -> Self {
        let program = std::env::current_exe().expect("this program");
        let mut child = Command::new(program)
            .args(["--serve", name])
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("it starts");
        let mut line = String::new();
        let told = child.stdout.take().expect("piped");
        BufReader::new(told).read_line(&mut line).expect("it tells its address");
        let address = line.trim().parse().expect("an address");
        let mut party = Self::new(name, address);
        party.child = Some(child);
        party
    }

    /// Envoy, if `ENVOY` names it, as a plain proxy that sets the token.
    pub(crate) fn envoy(upstream: SocketAddr) -> Option<Self> {
        let program = PathBuf::from(std::env::var_os("ENVOY")?);
        let (files, port) = (tempfile::tempdir().expect("a folder"), free_port());
        let config = files.path().join("envoy.yaml");
        std::fs::write(&config, envoy(port, upstream)).expect("written");
        let child = Command::new(program)
            .arg("-c")
            .arg(&config)
            .args(["--concurrency", "2", "--log-level", "error", "--use-dynamic-base-id"])
            .spawn()
            .expect("Envoy starts");
        Some(Self::started("Envoy", child, port, files))
    }

    /// LiteLLM's proxy, if `LITELLM` names it.
    pub(crate) fn litellm(upstream: SocketAddr) -> Option<Self> {
        let program = PathBuf::from(std::env::var_os("LITELLM")?);
        let (files, port) = (tempfile::tempdir().expect("a folder"), free_port());
        let config = files.path().join("litellm.yaml");
        std::fs::write(&config, litellm(upstream)).expect("written");
        let child = Command::new(program)
            .arg("--config")
            .arg(&config)
            .args(["--host", "127.0.0.1", "--port", &port.to_string(), "--num_workers", "1"])
            // It asks its clients for this one.
            .env("LITELLM_MASTER_KEY", "sk-client")
            .env("LITELLM_LOG", "ERROR")
            .env("LITELLM_LOCAL_MODEL_COST_MAP", "True")
            .env("DO_NOT_TRACK", "1")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("LiteLLM starts");
        let mut party = Self::started("LiteLLM proxy", child, port, files);
        (party.is_slow, party.clients) = (true, 8);
        Some(party)
    }

    fn started(name: &'static str, child: Child, port: u16, files: tempfile::TempDir) -> Self {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let listens = |_: &u32| {
            #[expect(clippy::disallowed_methods, reason = "somebody else's program takes its time")]
            std::thread::sleep(Duration::from_millis(100));
            TcpStream::connect(address).is_ok()
        };
        assert!((0..1_200).any(|round| listens(&round)), "{name} does not listen");
        let mut party = Self::new(name, address);
        (party.child, party.files) = (Some(child), Some(files));
        party
    }

    /// What of it is in memory, in KiB; `None` if it is no process of its own.
    pub(crate) fn resident(&self) -> Option<usize> {
        Some(process::resident(self.child.as_ref()?.id()))
    }

    /// The processor time that it has used, in steps of 10 ms. Zero if it is no process of its own.
    pub(crate) fn processor_time(&self) -> Duration {
        self.child.as_ref().map_or(Duration::ZERO, |child| process::processor_time(child.id()))
    }
}

impl Drop for Party {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            if let Some(mut input) = child.stdin.take() {
                let _ = input.write_all(b"\n");
            }
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn free_port() -> u16 {
    let bound = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|bound| bound.local_addr());
    bound.expect("a port").port()
}

fn envoy(port: u16, upstream: SocketAddr) -> String {
    format!(
        r#"static_resources:
  listeners:
  - address: {{ socket_address: {{ address: 127.0.0.1, port_value: {port} }} }}
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: bench
          route_config:
            virtual_hosts:
            - name: all
              domains: ["*"]
              request_headers_to_add:
              - header: {{ key: authorization, value: Bearer sk-a }}
                append_action: OVERWRITE_IF_EXISTS_OR_ADD
              routes:
              - match: {{ prefix: "/" }}
                route: {{ cluster: mock, timeout: 120s }}
          http_filters:
          - name: envoy.filters.http.router
            typed_config: {{ "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router }}
  clusters:
  - name: mock
    connect_timeout: 1s
    type: STATIC
    circuit_breakers: {{ thresholds: [{{ max_connections: 4096, max_pending_requests: 4096, max_requests: 4096 }}] }}
    load_assignment:
      cluster_name: mock
      endpoints: [{{ lb_endpoints: [{{ endpoint: {{ address: {{ socket_address: {{ address: {}, port_value: {} }} }} }} }}] }}]
"#,
        upstream.ip(),
        upstream.port()
    )
}

fn litellm(upstream: SocketAddr) -> String {
    format!(
        "model_list:\n  - model_name: gpt-4o\n    litellm_params:\n      model: openai/gpt-4o\n      api_base: http://{upstream}/v1\n      \
         api_key: sk-a\n"
    )
}
