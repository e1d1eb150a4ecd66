//! The store's own fold of its log: it lets nothing in that a reader of the log would refuse.

use firedrill_failover::{Contradiction, Entry, Event, Pool, Version};

use crate::store::StoreError;

/// A fold; `None` before the log is founded.
#[derive(Debug, Default)]
pub(crate) struct Fold(Option<Pool>);

impl Fold {
    /// The fold of `entries`, which are known to follow.
    pub(crate) fn of(entries: &[Entry]) -> Self {
        let mut fold = Self::default();
        for entry in entries {
            if let Some(pool) = fold.founded(entry) {
                pool.apply(entry);
            }
        }
        fold
    }

    /// Folds `entry`, if it follows on `known`, which is all that was folded before.
    pub(crate) fn admit(&mut self, known: &[Entry], entry: &Entry) -> Result<(), StoreError> {
        let before = Version::new(known.len() as u64);
        let found = match self.founded(entry) {
            Some(pool) => pool.try_apply(entry).map_err(|(_, contradiction)| contradiction),
            None => Err(Contradiction::NotFounded),
        };
        found.map_err(|contradiction| {
            // The fold is half changed. This is a worker's bug and rare, so that it may cost a fold from the start.
            *self = Self::of(known);
            StoreError::Contradiction { before, contradiction }
        })
    }

    /// The line of `entry`, which is about to be folded, if the format can express it.
    pub(crate) fn line(&self, entry: &Entry) -> Result<String, StoreError> {
        let founded;
        let pool = match (&self.0, entry.events.first()) {
            (Some(pool), _) => Ok(pool),
            (None, Some(Event::Configured(configured))) => {
                founded = Pool::new(&configured.config);
                Ok(&founded)
            }
            (None, _) => Err(Contradiction::NotFounded),
        };
        let known = pool.and_then(|pool| {
            let unknown = |event: &Event| event.token().is_some_and(|id| pool.token(id).is_none());
            if entry.events.iter().any(unknown) { Err(Contradiction::UnknownToken) } else { Ok(pool) }
        });
        let before = Version::new(entry.version.appends().saturating_sub(1));
        let pool = known.map_err(|contradiction| StoreError::Contradiction { before, contradiction })?;
        Ok(firedrill_failover::wire::line(pool, entry))
    }

    /// The pool that `entry` is to be applied to, made from the configuration in it if it founds the log.
    fn founded(&mut self, entry: &Entry) -> Option<&mut Pool> {
        if self.0.is_none()
            && let Some(Event::Configured(configured)) = entry.events.first()
        {
            self.0 = Some(Pool::new(&configured.config));
        }
        self.0.as_mut()
    }
}
