//! Caches with a bound in bytes, for the same traffic.

use std::time::Duration;

use cache_memory::{EntryOptions, MemoryCache};
use quick_cache::Weighter;
use quick_cache::sync::{Cache as QuickCache, DefaultLifecycle};

use crate::contenders::Hasher;

/// A key: what it points to, and where that is.
pub type Path = Box<str>;
/// A value of any size.
pub type Content = Box<[u8]>;

/// What an entry takes in the map: key and value as they are held, bookkeeping, its share of the table.
const ENTRY: u64 = 104;

/// What an entry takes, with what the system's allocator makes of key and value.
fn weight(key: &Path, value: &Content) -> u64 {
    ENTRY + chunk(key.len()) + chunk(value.len())
}

/// What the allocator takes for so many bytes: eight more, in steps of 16, and at least 32.
fn chunk(bytes: usize) -> u64 {
    (bytes as u64 + 8).next_multiple_of(16).max(32)
}

/// A cache that holds at most so many bytes by `weight`.
pub trait Subject: Send + Sync {
    /// As it is called in reports.
    fn name(&self) -> &'static str;
    /// Holds the value, or does not because it is too heavy. The TTL is for those that know one.
    fn insert(&self, key: Path, value: Content, ttl: Duration);
    /// Removes the key.
    fn remove(&self, key: &str);
    /// Bytes of the value, if it is held.
    fn read(&self, key: &str) -> Option<usize>;
    /// The weight that is held, and the entries.
    fn held(&self) -> (u64, u64);
}

/// The one of this name, empty.
///
/// # Errors
/// If there is none of this name.
pub fn subject(name: &str, max_weight: u64, max_entries: usize) -> Result<Box<dyn Subject>, String> {
    match name {
        "cache-memory" => {
            let builder =
                MemoryCache::builder().max_entries(max_entries).max_weight(max_weight).weigher(weight);
            Ok(Box::new(Ours(builder.build().map_err(|error| error.to_string())?)))
        }
        "quick_cache" => {
            let (hasher, lifecycle) = (Hasher::default(), DefaultLifecycle::default());
            Ok(Box::new(Quick(QuickCache::with(max_entries, max_weight, ByWeight, hasher, lifecycle))))
        }
        "moka" => {
            let weigher = |key: &Path, value: &Content| u32::try_from(weight(key, value)).unwrap_or(u32::MAX);
            let builder = moka::sync::Cache::builder().max_capacity(max_weight).weigher(weigher);
            Ok(Box::new(Moka(builder.build_with_hasher(Hasher::default()))))
        }
        other => Err(format!("`{other}` is not one of cache-memory, quick_cache, moka")),
    }
}

struct Ours(MemoryCache<Path, Content>);

impl Subject for Ours {
    fn name(&self) -> &'static str {
        "cache-memory"
    }

    fn insert(&self, key: Path, value: Content, ttl: Duration) {
        // What is too heavy is refused, and that is right.
        drop(self.0.insert(key, value, EntryOptions::ttl(ttl)));
    }

    fn remove(&self, key: &str) {
        drop(self.0.remove(key));
    }

    fn read(&self, key: &str) -> Option<usize> {
        self.0.get_with(key, |value| value.len())
    }

    fn held(&self) -> (u64, u64) {
        let stats = self.0.stats();
        (stats.weight, stats.entries)
    }
}

#[derive(Clone)]
struct ByWeight;

impl Weighter<Path, Content> for ByWeight {
    fn weight(&self, key: &Path, value: &Content) -> u64 {
        weight(key, value)
    }
}

struct Quick(QuickCache<Path, Content, ByWeight, Hasher>);

impl Subject for Quick {
    fn name(&self) -> &'static str {
        "quick_cache"
    }

    fn insert(&self, key: Path, value: Content, _: Duration) {
        self.0.insert(key, value);
    }

    fn remove(&self, key: &str) {
        drop(self.0.remove(key));
    }

    fn read(&self, key: &str) -> Option<usize> {
        self.0.get(key).map(|value| value.len())
    }

    fn held(&self) -> (u64, u64) {
        (self.0.weight(), self.0.len() as u64)
    }
}

struct Moka(moka::sync::Cache<Path, Content, Hasher>);

impl Subject for Moka {
    fn name(&self) -> &'static str {
        "moka"
    }

    fn insert(&self, key: Path, value: Content, _: Duration) {
        self.0.insert(key, value);
    }

    fn remove(&self, key: &str) {
        self.0.invalidate(key);
    }

    fn read(&self, key: &str) -> Option<usize> {
        self.0.get(key).map(|value| value.len())
    }

    fn held(&self) -> (u64, u64) {
        (self.0.weighted_size(), self.0.entry_count())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chunk_is_what_the_allocator_makes_of_it() {
        assert_eq!([0, 24, 25, 40, 41].map(chunk), [32, 32, 48, 48, 64]);
    }

    #[test]
    fn every_subject_holds_reads_and_removes() {
        for name in ["cache-memory", "quick_cache", "moka"] {
            let subject = subject(name, 1 << 20, 1000).unwrap();
            subject.insert("a".into(), vec![1; 10].into(), Duration::from_secs(60));
            assert_eq!((subject.name(), subject.read("a"), subject.read("b")), (name, Some(10), None));
            subject.remove("a");
            assert_eq!(subject.read("a"), None, "{name}");
        }
        assert!(subject("lru", 1, 1).is_err());
    }
}
