//! What an AI cache did and saved, as one value for dashboards and tools.

use std::sync::Arc;

use serde::Serialize;

use crate::cache::AiCache;
use crate::ledger::Ledger;
use crate::stats::AiStats;

/// What an AI cache did and saved.
#[derive(Clone, Debug, Default, Serialize)]
#[non_exhaustive]
pub struct AiReport {
    /// The cache's namespace.
    pub cache: String,
    /// What was saved and spent. Its lines may be the largest only; its total is of all.
    pub ledger: Ledger,
    /// What happened, by operation.
    pub stats: AiStats,
}

impl AiCache {
    /// [`ledger`](Self::ledger) and [`stats`](Self::stats) as one value, with at most so many lines of the ledger: those
    /// that saved most. Holds names of tenants, operations and models, and nothing of a request.
    pub fn report(&self, most_lines: usize) -> AiReport {
        let mut ledger = self.ledger();
        ledger.lines.truncate(most_lines);
        AiReport { cache: self.cache().namespace().as_str().to_owned(), ledger, stats: self.stats() }
    }

    /// [`report`](Self::report) for somebody who asks again and again, and keeps the cache by that no longer than others
    /// do: nothing once it is gone.
    ///
    /// ```
    /// # fn example(cache: &cache_ai::AiCache) {
    /// let report = cache.reporter(100);
    /// let shown = move || report().map(|report| format!("{:.2}", report.ledger.total.money_saved));
    /// # drop(shown); }
    /// ```
    pub fn reporter(&self, most_lines: usize) -> impl Fn() -> Option<AiReport> + Send + Sync + 'static {
        let shared = Arc::downgrade(&self.shared);
        move || Some(Self { shared: shared.upgrade()? }.report(most_lines))
    }
}
