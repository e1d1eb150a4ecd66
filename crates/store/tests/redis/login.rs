//! Passwords, rights, databases, certificates, and what is said of them.

use firedrill_failover::Head;
use firedrill_store::{RedisOptions, Store, StoreError};

use crate::block_on::block_on;
use crate::opened::{LOG, SNAPSHOT, impatient, open, open_with, worked};
use crate::server::{Options, Server};

const PASSWORD: &str = "planted-k3y";

fn refused(url: &str, options: RedisOptions) -> String {
    let error = open_with(url, options).expect_err("it is refused");
    let (text, debug) = (error.to_string(), format!("{error:?}"));
    assert!(!text.contains("k3y") && !debug.contains("k3y"), "a password is told: {text}");
    text
}

#[test]
fn a_wrong_password_is_told_with_what_helps_and_without_the_password() {
    let options = Options { password: Some(PASSWORD), ..Options::default() };
    let Some(server) = Server::start(options) else { return };
    let at = format!("127.0.0.1:{}", server.port());
    let store = open(&server.url());
    let _ = worked(&store, 1, 1);
    let shown = format!("{store:?} {:#?} {:?}", store, impatient());
    assert!(!shown.contains("k3y"), "{shown}");
    for (login, said) in
        [("", "NOAUTH"), (":wrong-k3y@", "authentication failed"), ("nobody:k3y@", "authentication failed")]
    {
        let text = refused(&format!("redis://{login}{at}"), impatient());
        assert!(
            text.contains(said) && text.ends_with("(check the user and the password in the URL)"),
            "{text}"
        );
    }
}

#[test]
fn a_url_that_is_of_no_use_is_not_told() {
    let wrong = [
        "",
        "http://user:k3y@host",
        "redis//user:k3y@host",
        "redis://user:k3y@host:port",
        "redis://user:k3y@",
        "redis://user:k3y@host/one",
        "redis://user:k3y@0.0.0.0",
        "rediss://user:k3y@host#insecure",
        "rediss://user:k3y@host#k3y",
    ];
    for url in wrong {
        let text = refused(url, impatient());
        assert!(text.starts_with("cannot use these settings: "), "{text}");
    }
    let mut options = impatient();
    options.certificates = Some("there-is-no-such-file.pem".into());
    assert_eq!(
        refused("redis://host", options.clone()),
        "cannot use these settings: certificates are for `rediss://`"
    );
    assert!(refused("rediss://host", options).starts_with("cannot read `there-is-no-such-file.pem`: "));
    let outside =
        block_on(firedrill_store::RedisStore::open("redis://host", crate::opened::POOL, impatient()));
    assert!(matches!(outside, Err(StoreError::Settings { .. })), "{outside:?}");
}

#[test]
fn a_database_and_a_prefix_keep_logs_apart() {
    let Some(server) = Server::start(Options::default()) else { return };
    let url = server.url();
    let text = refused(&format!("{url}99"), impatient());
    assert!(text.ends_with("(the server has no database of the number in the URL)"), "{text}");
    let mut prefixed = impatient();
    prefixed.prefix = "other".to_owned();
    let stores = [open(&url), open(&format!("{url}3")), open_with(&url, prefixed).expect("opens")];
    for (store, failures) in stores.iter().zip(1..) {
        let worker = worked(store, 1, failures);
        assert_eq!(worker.head().version.appends(), u64::from(failures) + 1);
    }
    let keys: Vec<String> = redis::cmd("KEYS").arg("*").query(&mut server.connection()).expect("lists");
    assert!(keys.contains(&LOG.to_owned()) && keys.contains(&LOG.replace("firedrill", "other")), "{keys:?}");
    assert_eq!(keys.len(), 2, "{keys:?}");
}

#[test]
fn a_user_needs_the_rights_that_the_documentation_lists_and_no_more() {
    let Some(server) = Server::start(Options::default()) else { return };
    let page = include_str!("../../../../docs/redis.md");
    let line = page.lines().find(|line| line.starts_with("ACL SETUSER firedrill ")).expect("the page has it");
    let words: Vec<&str> = line.split_whitespace().skip(1).map(|word| word.trim_matches('\'')).collect();
    let mut connection = server.connection();
    redis::cmd("ACL").arg(&words).exec(&mut connection).expect("a user");
    redis::cmd("ACL")
        .arg(&["SETUSER", "firedrill", "resetpass", ">k3y"])
        .exec(&mut connection)
        .expect("a password");
    let url = server.url().replace("redis://", "redis://firedrill:k3y@");
    let mut options = impatient();
    options.kept = 3;
    let store = open_with(&url, options.clone()).expect("opens");
    let mut worker = worked(&store, 1, 20);
    crate::server::pause(std::time::Duration::from_millis(300));
    let kept: Option<u64> = redis::cmd("HGET").arg(SNAPSHOT).arg("v").query(&mut connection).expect("reads");
    assert!(kept.is_some(), "it is compacted");
    redis::cmd("DEL").arg(LOG).arg(SNAPSHOT).exec(&mut connection).expect("deletes");
    let founding = worker.found_anew(crate::conformance::UPTIME, Head::EMPTY);
    assert_eq!(block_on(store.found(&founding)).expect("founds"), firedrill_failover::Appended::Accepted);
    drop(store);
    let needed = words.iter().filter_map(|word| word.strip_prefix('+'));
    let mut denied = Vec::new();
    for command in needed {
        redis::cmd("FLUSHALL").exec(&mut connection).expect("wipes");
        redis::cmd("SCRIPT").arg("FLUSH").exec(&mut connection).expect("forgets scripts");
        let without = format!("-{command}");
        redis::cmd("ACL").arg(&["SETUSER", "firedrill", &without]).exec(&mut connection).expect("takes it");
        let error = open_with(&url, options.clone()).and_then(|store| {
            crate::workers::joined(&store, 1)?;
            // What only the task that follows the log needs is missed a moment later.
            (0..6).try_for_each(|_| {
                crate::server::pause(std::time::Duration::from_millis(50));
                block_on(store.read(Head::EMPTY)).map(drop)
            })
        });
        if let Err(error) = error {
            assert!(matches!(error, StoreError::Denied { .. }), "without {command}: {error}");
            denied.push(command);
        }
        let with = format!("+{command}");
        redis::cmd("ACL").arg(&["SETUSER", "firedrill", &with]).exec(&mut connection).expect("gives it back");
    }
    for command in ["evalsha", "xadd", "xrange", "xrevrange", "hmget", "xread"] {
        assert!(denied.contains(&command), "{command} is listed and was not missed: {denied:?}");
    }
}

#[test]
fn tls_is_spoken_with_a_server_that_proves_who_it_is() {
    let Some(server) = Server::start(Options { tls: true, password: Some(PASSWORD), ..Options::default() })
    else {
        return;
    };
    let mut options = impatient();
    options.connect_timeout = std::time::Duration::from_secs(3);
    let stranger = refused(&server.url(), options.clone());
    assert!(stranger.contains("(check `certificates`, and that the host in the URL"), "{stranger}");
    options.certificates = Some(server.certificate());
    let store = open_with(&server.url(), options.clone()).expect("opens");
    let worker = worked(&store, 1, 3);
    assert_eq!(*block_on(store.snapshot()).expect("reads").expect("a fold"), *worker.fold());
    let other_name = server.url().replace("127.0.0.1", "127.0.0.2");
    let text = refused(&other_name, options.clone());
    assert!(!text.is_empty());
    let plain = server.url().replace("rediss://", "redis://");
    options.certificates = None;
    let text = refused(&plain, options);
    assert!(text.contains("has been away"), "{text}");
}

#[cfg(unix)]
#[test]
fn a_socket_in_the_file_system_is_as_good_as_a_port() {
    let Some(server) = Server::start(Options::default()) else { return };
    let store = open(&format!("redis+unix://{}?db=2", server.socket().display()));
    let worker = worked(&store, 1, 3);
    assert_eq!(*block_on(store.snapshot()).expect("reads").expect("a fold"), *worker.fold());
}
