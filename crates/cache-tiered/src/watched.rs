//! What the engine tells those who watch, and what they can ask of it.

use std::time::Duration;

use async_trait::async_trait;
use cache_core::{Event, Health, Moment, ReadResult, Stats, Tier, Watched, WriteResult};

use crate::cache::Cache;
use crate::engine::Engine;
use crate::find::Found;
use crate::trace;

/// A read under way.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reading {
    /// Which call it is.
    pub(crate) operation: &'static str,
    /// Whether it is of one key.
    pub(crate) of_one: bool,
    /// When it began, if somebody watches.
    pub(crate) began: Option<Moment>,
}

/// A write that ended.
pub(crate) struct Wrote<'a> {
    pub(crate) key: &'a str,
    pub(crate) operation: &'static str,
    pub(crate) result: WriteResult,
    pub(crate) bytes: usize,
    pub(crate) stored: Option<usize>,
    pub(crate) fresh_for: Duration,
    pub(crate) began: Moment,
}

impl Engine {
    /// The time, if somebody watches.
    pub(crate) fn watched_since(&self) -> Option<Moment> {
        (self.observer.is_some() || trace::is_on()).then(|| self.timer.now())
    }

    pub(crate) fn reading(&self, operation: &'static str) -> Reading {
        Reading { operation, of_one: true, began: self.watched_since() }
    }

    /// A read of many keys, each of which is told.
    pub(crate) fn reading_many(&self, operation: &'static str) -> Reading {
        Reading { of_one: false, ..self.reading(operation) }
    }

    pub(crate) fn tell_read(
        &self,
        key: &str,
        reading: Reading,
        tier: Option<Tier>,
        result: ReadResult,
        found: &Found,
    ) {
        let Some(began) = reading.began else { return };
        let now = self.timer.now();
        let last = if self.store.is_some() { Tier::Store } else { Tier::Local };
        // What was expired on purpose is stale since the beginning of time.
        let stale_by = found
            .entry
            .as_ref()
            .filter(|(entry, _)| result == ReadResult::Stale && entry.meta.fresh_until > Moment::START)
            .map(|(entry, _)| now.since(entry.meta.fresh_until));
        let (operation, tier, took) = (reading.operation, tier.unwrap_or(last), now.since(began));
        if reading.of_one && trace::is_on() {
            trace::record(result, tier, found.status, took);
        }
        let status = found.status;
        self.tell(|| Event::Read { key, operation, tier, result, status, stale_by, took, stands_for: 1 });
    }

    pub(crate) fn tell_write(&self, wrote: &Wrote<'_>) {
        let Wrote { key, operation, result, bytes, stored, fresh_for, began } = *wrote;
        self.tell(|| {
            let took = self.timer.now().since(began);
            Event::Write { key, operation, result, bytes, stored, fresh_for, took }
        });
    }

    /// Tells of work that began then, if somebody watched.
    pub(crate) fn tell_work(&self, what: &'static str, bytes: usize, began: Option<Moment>) {
        if let Some(began) = began {
            let took = self.timer.now().since(began);
            self.tell(|| Event::Work { what, bytes, took });
        }
    }
}

impl Cache {
    /// The time, if somebody watches this cache: where work begins that [`tell_work`](Cache::tell_work) will tell of. A
    /// look at the clock is spared otherwise.
    pub fn watched_since(&self) -> Option<Moment> {
        self.engine.watched_since()
    }

    /// Tells who watches this cache of work that a layer above did for it: which, on how many bytes, and since when.
    pub fn tell_work(&self, what: &'static str, bytes: usize, began: Option<Moment>) {
        self.engine.tell_work(what, bytes, began);
    }
}

#[async_trait]
impl Watched for Engine {
    fn stats(&self) -> Stats {
        Self::stats(self)
    }

    async fn health(&self) -> Health {
        Self::health(self).await
    }
}
