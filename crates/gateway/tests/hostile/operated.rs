//! Two gateways with an admin, one that a token guards and one that only this machine reaches, and a pool that can be operated.

use std::cell::RefCell;
use std::net::SocketAddr;

use firedrill_failover::{
    Command, Config, FailoverSettings, Order, Pool, Settings as Rules, TokenId, Version,
};
use firedrill_gateway::{Gateway, Secret, Secrets, Settings, Vendor};
use tokio::runtime::Runtime;

use crate::authority::{ADMIN, Case, Guard, LABEL};
use crate::exchange::{exchange, panics, runtime};
use crate::judge::TOKEN;

/// Gateways with a longer log than this are started anew: what they tell of it grows with it.
const LONGEST: u64 = 64;

/// The two, which cases share one after another.
pub(crate) struct Operated {
    runtime: Runtime,
    gateways: RefCell<[(Guard, Gateway); 2]>,
}

impl Operated {
    /// # Panics
    /// If it cannot be started.
    pub(crate) fn start() -> Self {
        let runtime = runtime();
        let gateways = [Guard::Token, Guard::Machine];
        let gateways = gateways.map(|guard| (guard, runtime.block_on(started(guard))));
        Self { runtime, gateways: RefCell::new(gateways) }
    }

    /// Sends `sent` to either admin, and judges what came of it.
    ///
    /// # Errors
    /// What does not hold.
    ///
    /// # Panics
    /// If one listens no more.
    pub(crate) fn judge(&self, sent: &[u8]) -> Result<(), String> {
        self.gateways.borrow_mut().iter_mut().try_for_each(|(guard, gateway)| {
            let said = |wrong| format!("{wrong} (guarded by {guard:?})");
            self.runtime.block_on(judge(*guard, gateway, sent)).map_err(said)?;
            if version(gateway) > Version::new(LONGEST) {
                *gateway = self.runtime.block_on(started(*guard));
            }
            Ok(())
        })
    }
}

async fn started(guard: Guard) -> Gateway {
    let gateway = Gateway::builder(settings(guard)).seed(1).start().await.expect("it starts");
    gateway.shell().settled().await.expect("it goes on");
    gateway
}

async fn judge(guard: Guard, gateway: &Gateway, sent: &[u8]) -> Result<(), String> {
    let before = (panics(), version(gateway));
    let admin = gateway.admin_address().expect("an admin");
    let answered = exchange(admin, sent).await;
    gateway.shell().settled().await.map_err(|ended| ended.to_string())?;
    if panics() > before.0 {
        return Err("it panicked".to_owned());
    }
    let changed = version(gateway) != before.1;
    Case { guard, sent, answered: &answered, changed }.judge()?;
    if changed {
        // The next case finds what this one did.
        let token = gateway.shell().look(|pool| pool.find(LABEL)).ok_or("its token is gone")?;
        put_back(gateway, token).await?;
    }
    let well = exchange(admin, b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n").await;
    if well.starts_with(b"HTTP/1.1 200") { Ok(()) } else { Err("it is not well after that".to_owned()) }
}

fn version(gateway: &Gateway) -> Version {
    gateway.shell().look(Pool::version)
}

async fn put_back(gateway: &Gateway, token: TokenId) -> Result<(), String> {
    gateway.shell().perform(Command::Operate { token, order: Order::PutBack });
    gateway.shell().settled().await.map_err(|ended| ended.to_string())
}

fn settings(guard: Guard) -> Settings {
    let mut secrets = Secrets::new();
    let token = secrets.keep(LABEL, Secret::from(TOKEN.to_owned())).expect("a token");
    let failover = FailoverSettings {
        enabled: true,
        // A year: nothing comes back by itself.
        cooldown_duration: 365 * 24 * 3_600_000,
        ..FailoverSettings::default()
    };
    let pool = Config::parse(vec![token], &Rules { failover, ..Rules::default() }).expect("good rules");
    // Nobody is there, and nobody asks.
    let upstream = "http://127.0.0.1:9".parse().expect("a route");
    let mut settings = Settings::new(upstream, Vendor::OpenAi, pool, secrets);
    settings.admin = Some(SocketAddr::from(([127, 0, 0, 1], 0)));
    settings.admin_token = (guard == Guard::Token).then(|| Secret::from(ADMIN.to_owned()));
    settings
}
