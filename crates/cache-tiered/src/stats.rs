//! What a cache did so far, as numbers.

use cache_core::Stats;

use crate::engine::Engine;

impl Engine {
    /// What is counted, and what is held now.
    pub(crate) fn stats(&self) -> Stats {
        let (counters, queue) = (&self.counters, self.outbox.load());
        let mut stats = Stats::default();
        self.namespace.as_str().clone_into(&mut stats.namespace);
        stats.memory_usage = self.local.usage().into();

        let reads = &mut stats.reads;
        [reads.tier1_hits] = counters.local_hits.sums();
        reads.tier2_hits = counters.store_hits.get();
        reads.stale_hits = counters.stale_hits.get();
        reads.misses = counters.misses.get();
        reads.in_flight = self.reads.len() as u64;
        stats.hit_ratio = stats.reads.hit_ratio();

        let writes = &mut stats.writes;
        writes.sets = counters.sets.get();
        writes.deletes = counters.deletes.get();
        writes.expires = counters.expires.get();
        writes.invalidations = counters.invalidations.get();
        let changes = writes.sets + writes.deletes + writes.expires + writes.invalidations;
        stats.total_operations = stats.reads.total() + changes;

        let loads = &mut stats.loads;
        loads.started = counters.loads.get();
        loads.failed = counters.load_failures.get();
        loads.joined = counters.loads_joined.get();
        loads.refused = counters.negative_answers.get();
        loads.fenced = counters.fills_fenced.get();
        loads.not_kept = counters.not_kept.get();
        loads.in_flight = self.loads.len() as u64;

        let refused = &mut stats.refused;
        refused.wrong_key = counters.refused_wrong_key.get();
        refused.corrupt = counters.refused_corrupt.get();
        refused.foreign = counters.refused_foreign.get();
        refused.future = counters.refused_future.get();
        refused.missing_codec = counters.refused_codec.get();
        refused.wrong_type = counters.refused_type.get();
        refused.too_large = counters.refused_too_large.get();

        stats.store_errors = counters.store_errors.get();
        stats.queue.waiting = queue.waiting as u64;
        stats.queue.bytes = queue.bytes;
        stats.queue.overflows = queue.overflows;
        stats.queue.replayed = counters.replayed.get();
        stats.queue.dropped = counters.replay_dropped.get();
        stats.breaker.state = self.breaker.state();
        stats.breaker.opened = self.breaker.opened();
        stats.store = self.store.as_ref().map(|store| store.capability().name);
        stats.link = self.store.as_ref().map(|store| store.link_state().status);
        stats
    }
}
