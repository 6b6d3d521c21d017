//! The hit path: what tier 1 answers at once.

use std::sync::Arc;

use cache_core::{Event, Moment, ReadResult, Status, Tier};

use crate::counters::{SAMPLE, is_sampled};
use crate::data::Data;
use crate::engine::Engine;
use crate::trace;

impl Engine {
    /// The value of a fresh entry of tier 1 that is held as `T`. The hit path: no lock but the shard's, no allocation.
    #[inline]
    pub(crate) fn peek<T: Data>(&self, hash: u64, key: &str, operation: &'static str) -> Option<Arc<T>> {
        let hits = self.counters.local_hits.own();
        let began = if is_sampled(hits) { self.sample_since() } else { Moment::NEVER };
        let now = self.timer.coarse();
        if now >= self.lease.end() {
            return None;
        }
        // The coarse clock may lag, so its latest is taken: near its end an entry is looked at with the precise clock.
        let latest = now + self.coarse_error;
        let value = self.local.get_fresh(hash, key, latest, self.marks.newest())?;
        let value = value.downcast::<T>().ok()?;
        hits.one(0);
        if began != Moment::NEVER {
            self.tell_hit(key, operation, began);
        }
        Some(value)
    }

    /// As [`Engine::peek`], for those who look at each hit.
    pub(crate) fn peek_traced<T: Data>(
        &self,
        hash: u64,
        key: &str,
        operation: &'static str,
    ) -> Option<Arc<T>> {
        let began = self.timer.now();
        let value = self.peek(hash, key, operation)?;
        let (tier, result, status) = (Tier::Local, ReadResult::Hit, Status::Fresh);
        let took = self.timer.now().since(began);
        trace::record(result, tier, status, took);
        let read = Event::Read { key, operation, tier, result, status, stale_by: None, took, stands_for: 1 };
        trace::event(&self.namespace, &read);
        Some(value)
    }

    /// One hit in [`SAMPLE`] is measured and told; never, if nobody watches.
    #[cold]
    #[inline(never)]
    fn sample_since(&self) -> Moment {
        self.watched_since().unwrap_or(Moment::NEVER)
    }

    #[cold]
    #[inline(never)]
    fn tell_hit(&self, key: &str, operation: &'static str, began: Moment) {
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
}
