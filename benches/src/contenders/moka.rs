//! moka's sync cache and mini-moka, both with a TTL for all entries.

use moka::policy::EvictionPolicy;

use super::{Hasher, TTL};
use crate::contender::{Body, Contender, Key};

/// `moka::sync::Cache`. It decides about what was inserted a little later, in the time of some other call.
pub struct Moka<K, V>(moka::sync::Cache<K, V, Hasher>);

impl<K: Key, V: Body> Contender<K, V> for Moka<K, V> {
    const NAME: &'static str = "moka";

    fn with_capacity(capacity: usize) -> Self {
        let cache = moka::sync::Cache::builder()
            .max_capacity(capacity as u64)
            .eviction_policy(EvictionPolicy::tiny_lfu())
            .time_to_live(TTL)
            .build_with_hasher(Hasher::default());
        Self(cache)
    }

    fn see<R>(&self, key: &K, see: impl FnOnce(&V) -> R) -> Option<R> {
        self.0.get(key).map(|value| see(&value))
    }

    fn insert(&self, key: K, value: V) {
        self.0.insert(key, value);
    }

    fn settle(&self) {
        self.0.run_pending_tasks();
    }
}

/// `mini_moka::sync::Cache`.
pub struct MiniMoka<K, V>(mini_moka::sync::Cache<K, V, Hasher>);

impl<K: Key, V: Body> Contender<K, V> for MiniMoka<K, V> {
    const NAME: &'static str = "mini-moka";

    fn with_capacity(capacity: usize) -> Self {
        let cache = mini_moka::sync::Cache::builder()
            .max_capacity(capacity as u64)
            .time_to_live(TTL)
            .build_with_hasher(Hasher::default());
        Self(cache)
    }

    fn see<R>(&self, key: &K, see: impl FnOnce(&V) -> R) -> Option<R> {
        self.0.get(key).map(|value| see(&value))
    }

    fn insert(&self, key: K, value: V) {
        self.0.insert(key, value);
    }

    fn settle(&self) {
        mini_moka::sync::ConcurrentCacheExt::sync(&self.0);
    }
}
