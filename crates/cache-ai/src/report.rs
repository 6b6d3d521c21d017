//! What an AI cache did and saved, as one value for dashboards and tools.

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
    /// that saved most; 0 for its total alone. Holds names of tenants, operations and models, and nothing of a request.
    pub fn report(&self, most_lines: usize) -> AiReport {
        let mut ledger = self.ledger();
        ledger.lines.truncate(most_lines);
        AiReport { cache: self.cache().namespace().as_str().to_owned(), ledger, stats: self.stats() }
    }
}
