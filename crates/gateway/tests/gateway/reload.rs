//! Reading the file of a gateway again while it serves.

use std::fs;
use std::path::Path;
use std::time::Duration;

use firedrill_clock::Virtual;
use firedrill_gateway::{Gateway, GatewayFile, Watch};
use firedrill_yaml::Source;
use tempfile::TempDir;

/// A gateway that runs on a file, in a folder of its own.
struct Running {
    folder: TempDir,
    gateway: Gateway,
    watch: Watch,
}

/// When it is read again, in milliseconds since the Unix epoch.
const LATER: u64 = 1_800_000_000_000;

fn file(tokens: &str) -> String {
    format!(
        "provider:\n  type: openai\n  apiTokens: [{tokens}]\n  failover: {{ enabled: true, failureThreshold: 1, \
         cooldownDuration: 100 }}\nupstream: http://127.0.0.1:9\nlisten: 127.0.0.1:0\nadmin: none\n"
    )
}

impl Running {
    async fn on(text: &str, token: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("gateway.yaml");
        fs::write(folder.path().join("token"), token).expect("written");
        fs::write(&path, text).expect("written");
        let file = GatewayFile::parse(&Source::read(&path).expect("text")).expect("a good file");
        let builder = Gateway::builder(file.settings.clone()).clock(Virtual::default());
        let gateway = builder.start().await.expect("it starts");
        let watch = Watch::new(&path, file).every(Duration::from_millis(5));
        gateway.shell().settled().await.expect("a driver");
        Self { folder, gateway, watch }
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.folder.path().join(name), text).expect("written");
    }

    async fn reload(&mut self) -> Vec<String> {
        self.watch.reload(&self.gateway, LATER);
        self.gateway.shell().settled().await.expect("a driver");
        self.labels()
    }

    fn labels(&self) -> Vec<String> {
        self.gateway.shell().look(|pool| pool.tokens().map(|(_, token)| token.label.to_owned()).collect())
    }
}

#[tokio::test]
async fn a_good_file_takes_effect_and_a_wrong_one_does_not() {
    let mut running = Running::on(&file("file:token"), "sk-one\n").await;
    assert_eq!(running.labels(), ["token"]);
    running.write("gateway.yaml", &file("file:token, sk-two"));
    let labels = running.reload().await;
    assert_eq!((labels.len(), &*labels[0]), (2, "token"));
    let loading = running.gateway.metrics().loading();
    assert_eq!((loading.loaded, loading.reloads, loading.refused), (LATER, 1, None));

    for wrong in ["nonsense", "provider: {}", &file("file:token, 'a b'"), &file("file:gone"), ""] {
        running.write("gateway.yaml", wrong);
        assert_eq!(running.reload().await, labels, "{wrong}");
    }
    let loading = running.gateway.metrics().loading();
    assert_eq!((loading.loaded, loading.reloads, loading.refusals), (LATER, 1, 5));
    let (at, why) = loading.refused.expect("it was refused");
    assert!(at == LATER && why.contains("gateway.yaml:1:1: missing key `provider`"), "{why}");

    running.write("gateway.yaml", &file("sk-two"));
    assert_eq!(running.reload().await, labels[1..]);
    assert_eq!(running.gateway.metrics().loading().refused, None);
}

#[tokio::test]
async fn a_token_that_stays_keeps_its_state_and_its_secret_may_change() {
    let mut running = Running::on(&file("file:token, sk-two"), "sk-one").await;
    let fingerprint = |running: &Running| {
        running.gateway.shell().look(|pool| {
            let id = pool.find("token").expect("a token");
            pool.token(id).expect("a token").fingerprint
        })
    };
    let before = fingerprint(&running);
    running.write("token", "sk-another");
    running.reload().await;
    assert_ne!(fingerprint(&running), before);
    running.write("token", "sk-two");
    let labels = running.reload().await;
    assert_eq!(labels.len(), 2, "the same token twice is refused, and the one before goes on");
    assert!(
        running
            .gateway
            .metrics()
            .loading()
            .refused
            .expect("refused")
            .1
            .contains("the same token stands twice")
    );
}

/// Whether a change is noticed. The disk is of real time.
async fn notices(running: &mut Running) -> bool {
    tokio::time::timeout(Duration::from_secs(20), running.watch.changed()).await.is_ok()
}

#[tokio::test]
async fn what_the_files_hold_is_what_counts() {
    let mut running = Running::on(&file("file:token"), "sk-one").await;
    assert!(tokio::time::timeout(Duration::from_millis(100), running.watch.changed()).await.is_err());
    running.write("token", "sk-two");
    assert!(notices(&mut running).await, "a token in a file of its own");
    running.reload().await;
    // As an editor does, and as a ConfigMap does.
    let folder = running.folder.path().to_owned();
    fs::write(folder.join("new"), file("file:token, sk-three")).expect("written");
    fs::rename(folder.join("new"), folder.join("gateway.yaml")).expect("moved");
    assert!(notices(&mut running).await, "a file that took its place");
    assert_eq!(running.reload().await.len(), 2);
    fs::remove_file(folder.join("gateway.yaml")).expect("gone");
    assert!(notices(&mut running).await, "a file that is gone");
    assert_eq!(running.reload().await.len(), 2);
    link(&folder.join("gateway.yaml"), &folder, &file("sk-four"));
    assert!(notices(&mut running).await, "a link to another");
    assert_eq!(running.reload().await.len(), 1);
}

/// Makes `path` a symbolic link to a file in a folder of its own, where there are such links.
fn link(path: &Path, folder: &Path, text: &str) {
    let target = folder.join("..data");
    fs::write(&target, text).expect("written");
    #[cfg(unix)]
    std::os::unix::fs::symlink(target, path).expect("linked");
    #[cfg(not(unix))]
    fs::copy(target, path).map(drop).expect("copied");
}
