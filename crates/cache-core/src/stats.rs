//! What a cache did so far, as numbers.

use serde::Serialize;

use crate::{BreakerState, LinkStatus, LocalUsage};

/// What a cache did since it was built, and what it holds now. Counters never go back.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Stats {
    /// The namespace that these numbers are about.
    pub namespace: String,
    /// Reads that found a value, over all reads: 0 to 1, and 0 before the first read. Writes do not count.
    pub hit_ratio: f64,
    /// Reads, writes and invalidations together.
    pub total_operations: u64,
    /// What tier 1 holds; all zero without one.
    pub memory_usage: MemoryUsage,
    /// How reads ended.
    pub reads: ReadStats,
    /// What was written and invalidated.
    pub writes: WriteStats,
    /// What loaders did.
    pub loads: LoadStats,
    /// Stored entries that were passed over.
    pub refused: RefusedStats,
    /// Calls of the store that failed, those included that the breaker did not let through.
    pub store_errors: u64,
    /// What protects callers from a store that fails.
    pub breaker: BreakerStats,
    /// The name of the store; `None` without one.
    pub store: Option<&'static str>,
    /// The link to the store; `None` without a store.
    pub link: Option<LinkStatus>,
    /// What waits to be told to the store.
    pub queue: QueueStats,
}

/// What waits to be told to the store, and what became of what waited.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct QueueStats {
    /// Keys and tags that wait now.
    pub waiting: u64,
    /// Estimated bytes of the values among it.
    pub bytes: u64,
    /// How often there was too much, so that everything that waited became one clear.
    pub overflows: u64,
    /// Keys and tags that the store was told of when it was back.
    pub replayed: u64,
    /// Values that could not be written any more, whose keys were removed instead; and what the store refused.
    pub dropped: u64,
}

/// What protects callers from a store that fails.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct BreakerStats {
    /// Whether the store is asked now.
    pub state: BreakerState,
    /// How often the store was given up.
    pub opened: u64,
}

/// What tier 1 holds.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct MemoryUsage {
    /// Entries.
    pub entries: u64,
    /// Most entries allowed.
    pub max_entries: u64,
    /// Estimated bytes: serialised lengths, keys and a fixed overhead each.
    pub bytes: u64,
    /// Most bytes allowed.
    pub max_bytes: u64,
    /// [`bytes`](Self::bytes) in millions.
    pub total_mb: f64,
    /// [`bytes`](Self::bytes) over [`max_bytes`](Self::max_bytes): 0 to 1.
    pub utilization: f64,
    /// Entries that made room for others.
    pub evicted: u64,
    /// Entries that were removed because their time was over.
    pub expired: u64,
}

/// How reads ended.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ReadStats {
    /// Fresh values from this process's memory.
    pub tier1_hits: u64,
    /// Fresh values from the store.
    pub tier2_hits: u64,
    /// Stale values that were served on purpose.
    pub stale_hits: u64,
    /// Reads without a value in the cache.
    pub misses: u64,
    /// Reads of the store under way now.
    pub in_flight: u64,
}

/// What was written and invalidated.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct WriteStats {
    /// Keys set.
    pub sets: u64,
    /// Keys deleted.
    pub deletes: u64,
    /// Keys made stale.
    pub expires: u64,
    /// Invalidations by tag, and clears.
    pub invalidations: u64,
}

/// What loaders did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct LoadStats {
    /// Loaders run; a batch runs one for all its keys.
    pub started: u64,
    /// Keys whose load ended in an error, a panic or a time-out; a batch counts each of its keys.
    pub failed: u64,
    /// Calls that waited for another's load instead of running their loader.
    pub joined: u64,
    /// Calls that were answered with the error of a load that failed a moment before.
    pub refused: u64,
    /// Loaded values that an invalidation kept from being stored.
    pub fenced: u64,
    /// Loaded values that were answered but not kept: too large, impossible to serialise, or refused by the store.
    pub not_kept: u64,
    /// Loads under way now.
    pub in_flight: u64,
}

/// Entries that were found but passed over, by reason. Each counts as a miss as well.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct RefusedStats {
    /// Intact, but stored under another key.
    pub wrong_key: u64,
    /// Damaged.
    pub corrupt: u64,
    /// Not written by this library; or not sealed, where only sealed values are taken.
    pub foreign: u64,
    /// Written by a later version of this library.
    pub future: u64,
    /// In a format or compression that this build lacks, or sealed with a key that it was not given.
    pub missing_codec: u64,
    /// Of another type than the caller asked for.
    pub wrong_type: u64,
    /// Longer than the limits allow, as stored or unpacked.
    pub too_large: u64,
}

impl From<LocalUsage> for MemoryUsage {
    fn from(usage: LocalUsage) -> Self {
        Self {
            entries: usage.entries,
            max_entries: usage.max_entries,
            bytes: usage.weight,
            max_bytes: usage.max_weight,
            total_mb: usage.weight as f64 / 1e6,
            utilization: ratio(usage.weight, usage.max_weight),
            evicted: usage.evicted,
            expired: usage.expired,
        }
    }
}

impl ReadStats {
    /// Reads that found a value, fresh or stale.
    pub fn hits(&self) -> u64 {
        self.tier1_hits + self.tier2_hits + self.stale_hits
    }

    /// All reads that ended.
    pub fn total(&self) -> u64 {
        self.hits() + self.misses
    }

    /// Hits over reads: 0 to 1, and 0 before the first read.
    pub fn hit_ratio(&self) -> f64 {
        ratio(self.hits(), self.total())
    }
}

fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}
