//! A mock provider that plays one scenario after another at one address, for a gateway that somebody else has pointed at it.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use firedrill_clock::Clock;
use firedrill_yaml::Problem;

use crate::dialect::Dialect;
use crate::server::file::{MockFile, Route, Specified, TEXT};
use crate::server::journal::{Entry, Wanted};
use crate::server::start::{Server, Settings};
use crate::server::tokens::Tokens;
use crate::upstream::Upstream;

/// A mock provider whose part can be changed while it is served: what it does, which tokens it knows, what its chance derives
/// from. Connections stay. Gone when it is dropped.
pub struct Player(Server);

impl Player {
    /// Serves one that is always well at `address`, by the time of `clock`, on the runtime that this is called in.
    ///
    /// # Errors
    /// If the port cannot be had.
    pub fn open(address: SocketAddr, dialect: Dialect, clock: impl Clock) -> io::Result<Self> {
        let only = Specified {
            seed: 0,
            name: dialect.word().to_owned(),
            dialect,
            port: None,
            route: Route::default(),
            text: TEXT.to_owned(),
            upstream: Upstream::default(),
            tokens: Tokens::open(),
            cost: None,
        };
        let file = MockFile { providers: vec![only], warnings: Vec::new() };
        Server::start(file, Settings { address, clock: Arc::new(clock), ..Settings::local() }).map(Self)
    }

    /// Where it is.
    ///
    /// # Panics
    /// Never: its provider has no port of its own.
    pub fn address(&self) -> SocketAddr {
        self.0.address().expect("broken invariant: without a port of its own it is at the one that is shared")
    }

    /// Begins anew with another part: does what `upstream` says, calls `tokens` by their names and every other token by a
    /// label that is made up, and forgets what it was asked.
    ///
    /// # Errors
    /// What is wrong with the names in the block.
    pub async fn play(
        &self,
        upstream: Upstream,
        tokens: impl IntoIterator<Item = &str>,
        seed: u64,
    ) -> Result<(), Vec<Problem>> {
        let mut known = Tokens::open();
        for token in tokens {
            drop(known.name(token));
        }
        let shared = &self.0.shared;
        for provider in &shared.providers {
            provider.play(shared.clock.now(), (upstream.clone(), known.clone()), seed)?;
        }
        shared.journal.clear();
        shared.begun.send_replace(());
        shared.settled().await;
        Ok(())
    }

    /// What it was asked after the request with this number, in the order in which it was asked. An entry is there before its
    /// answer begins.
    pub fn asked_after(&self, number: u64) -> Vec<Entry> {
        let wanted = Wanted { after: Some(number), ..Wanted::default() };
        self.0.shared.journal.entries(&wanted, usize::MAX)
    }

    /// Stops it, and lets the answers that are being given end first.
    pub async fn stop(self) {
        self.0.stop().await;
    }
}
