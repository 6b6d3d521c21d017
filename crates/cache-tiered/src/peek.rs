//! The hit path: what tier 1 answers at once.

use std::sync::Arc;

use cache_core::{Event, ReadResult, Status, Tier};

use crate::counters::SAMPLE;
use crate::data::Data;
use crate::engine::Engine;

impl Engine {
    /// The value of a fresh entry of tier 1 that is held as `T`. The hit path: no lock but the shard's, no allocation.
    #[inline]
    pub(crate) fn peek<T: Data>(&self, hash: u64, key: &str, operation: &'static str) -> Option<Arc<T>> {
        if self.counters.is_sampled(hash) {
            return self.peek_watched(hash, key, operation);
        }
        self.peek_quickly(hash, key)
    }

    /// One hit in [`SAMPLE`] is measured and told.
    #[cold]
    #[inline(never)]
    fn peek_watched<T: Data>(&self, hash: u64, key: &str, operation: &'static str) -> Option<Arc<T>> {
        let began = self.watched_since();
        let value = self.peek_quickly(hash, key)?;
        if let Some(began) = began {
            let took = self.timer.now().since(began);
            self.tell(|| Event::Read {
                key,
                operation,
                tier: Tier::Local,
                result: ReadResult::Hit,
                status: Status::Fresh,
                stale_by: None,
                took,
                stands_for: SAMPLE,
            });
        }
        Some(value)
    }

    #[inline]
    fn peek_quickly<T: Data>(&self, hash: u64, key: &str) -> Option<Arc<T>> {
        let now = self.timer.coarse();
        if now >= self.lease.end() {
            return None;
        }
        // The coarse clock may lag, so its latest is taken: near its end an entry is looked at with the precise clock.
        let latest = now + self.coarse_error;
        let value = self.local.get_fresh(hash, key, latest, self.marks.newest())?;
        let value = value.downcast::<T>().ok()?;
        self.counters.local_hit(hash);
        Some(value)
    }
}
