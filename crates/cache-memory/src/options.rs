//! What a caller may say about one entry.

use std::time::Duration;

/// How an entry is to be kept. What is not said is taken from the cache's settings.
///
/// A plain `Duration` is the TTL, `()` means all defaults:
///
/// ```
/// use std::time::Duration;
/// use cache_memory::{EntryOptions, MemoryCache};
///
/// let cache: MemoryCache<u32, &str> = MemoryCache::new(100)?;
/// cache.insert(1, "for an hour, the default", ())?;
/// cache.insert(2, "for a minute", Duration::from_secs(60))?;
/// cache.insert(3, "heavy", EntryOptions::default().weight(10_000))?;
/// # Ok::<(), cache_core::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct EntryOptions {
    /// How long the entry is served: 1 ms to 365 days. Zero is an error.
    pub ttl: Option<Duration>,
    /// Its weight in bytes, in place of what the weigher would say: 0 to the cache's `max_weight`; what weighs more is refused.
    pub weight: Option<u64>,
}

impl EntryOptions {
    /// Served for this long: 1 ms to 365 days.
    pub fn ttl(ttl: Duration) -> Self {
        Self { ttl: Some(ttl), ..Self::default() }
    }

    /// Of this weight in bytes, whatever the weigher would say.
    #[must_use]
    pub fn weight(mut self, weight: u64) -> Self {
        self.weight = Some(weight);
        self
    }
}

impl From<()> for EntryOptions {
    fn from((): ()) -> Self {
        Self::default()
    }
}

impl From<Duration> for EntryOptions {
    fn from(ttl: Duration) -> Self {
        Self::ttl(ttl)
    }
}
