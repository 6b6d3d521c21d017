//! What a cache counted.

/// How a cache did since it was made, and what it holds now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct MemoryStats {
    /// Reads by `get` and its like that found a value.
    pub hits: u64,
    /// Reads that found none.
    pub misses: u64,
    /// Entries that made room for others.
    pub evicted: u64,
    /// Entries that were over when an insert or `remove_expired` came to give their memory back. One that was over when it
    /// was removed or overwritten is not counted, though the listener is told that it expired.
    pub expired: u64,
    /// Entries held now, those among them that expired and were not removed yet.
    pub entries: u64,
    /// Most entries allowed.
    pub max_entries: u64,
    /// Weight held now, in bytes, with that of retired entries whose memory was not given back yet.
    pub weight: u64,
    /// Most weight allowed, in bytes.
    pub max_weight: u64,
}

/// The part of [`MemoryStats`] that the shards count.
#[derive(Clone, Copy, Default)]
pub(crate) struct Counts {
    pub(crate) evicted: u64,
    pub(crate) expired: u64,
}

impl MemoryStats {
    /// Hits over reads, 0 to 1; 0 if nothing was read. Nothing but reads counts.
    #[expect(clippy::cast_precision_loss, reason = "a ratio needs no 64 bits")]
    pub fn hit_ratio(&self) -> f64 {
        let reads = self.hits + self.misses;
        if reads == 0 { 0.0 } else { self.hits as f64 / reads as f64 }
    }
}
