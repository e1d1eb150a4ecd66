//! What a log says at a version: the engine's fold of it, the checkers' account of it, and whether they find it right.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::rc::Rc;

use firedrill_failover::{Entry, Pool, wire};
use firedrill_sim::Key;

use crate::account::{Account, Wrong};
use crate::always::Invariant;
use crate::target::PoolState;

/// What a log says at a version.
#[derive(Debug)]
pub(super) struct Fold {
    pub(super) pool: Pool,
    pub(super) state: PoolState,
    pub(super) account: Account,
    /// What the checkers find wrong with it.
    pub(super) wrong: Option<Wrong>,
    /// What tells it from every other: the whole pool and the whole account, as text.
    pub(super) key: Key,
}

impl Fold {
    pub(super) fn new(pool: Pool, account: Account, heard: Result<(), Wrong>) -> Self {
        let state = PoolState::of(&pool);
        let wrong = heard.and_then(|()| account.check_lists("the log", &state)).err();
        let mut key = Key::new();
        // Telling a key does not fail.
        let _ = write!(key, "{pool:?}{account:?}");
        Self { pool, state, account, wrong, key }
    }
}

/// Folds that were made before, so that a log that is met again is not folded and checked again.
#[derive(Debug, Default)]
pub(super) struct Folds(RefCell<BTreeMap<(Key, Key), Rc<Fold>>>);

impl Folds {
    /// What a log says after `entry`, and what is wrong with it of what is `asked`.
    pub(super) fn after(&self, before: &Fold, entry: &Entry, asked: &[Invariant]) -> Rc<Fold> {
        let mut key = Key::new();
        let Entry { version, at, by, proposal: _, events } = entry;
        // The number of the proposal tells a worker its own append. Nothing that is folded or checked depends on it.
        let _ = write!(key, "{version:?}{at:?}{by:?}{events:?}");
        let known = self.0.borrow().get(&(before.key, key)).map(Rc::clone);
        known.unwrap_or_else(|| {
            let mut account = before.account.clone();
            let heard = account.hear(&wire::line(&before.pool, entry), asked);
            let mut pool = before.pool.clone();
            pool.apply(entry);
            let fold = Rc::new(Fold::new(pool, account, heard));
            self.0.borrow_mut().insert((before.key, key), Rc::clone(&fold));
            fold
        })
    }
}
