//! This project's tier 1.

use cache_memory::MemoryCache;

use super::TTL;
use crate::contender::{Body, Contender, Key};

/// With its default TTL set, and as many entries as it is asked for.
pub struct Ours<K: Key, V: Body>(MemoryCache<K, V>);

impl<K: Key, V: Body> Contender<K, V> for Ours<K, V> {
    const NAME: &'static str = "cache-memory";

    #[expect(clippy::expect_used, reason = "the settings are right")]
    fn with_capacity(capacity: usize) -> Self {
        Self(MemoryCache::builder().max_entries(capacity).build().expect("a capacity from 1 up"))
    }

    fn see<R>(&self, key: &K, see: impl FnOnce(&V) -> R) -> Option<R> {
        self.0.get(key).map(|value| see(&value))
    }

    #[expect(clippy::expect_used, reason = "the TTL is right, and nothing is too heavy")]
    fn insert(&self, key: K, value: V) {
        self.0.insert(key, value, TTL).expect("an entry as all others");
    }
}
