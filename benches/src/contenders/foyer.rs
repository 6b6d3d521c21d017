//! foyer's cache in memory. It hands out handles instead of clones, and knows no TTL.

use foyer_memory::{Cache, CacheBuilder, CacheProperties, EvictionConfig, LfuConfig, S3FifoConfig};

use super::Hasher;
use crate::contender::{Body, Contender, Key};

type Inner<K, V> = Cache<K, V, Hasher, CacheProperties>;

fn with_policy<K: Key, V: Body>(capacity: usize, policy: impl Into<EvictionConfig>) -> Inner<K, V> {
    CacheBuilder::new(capacity).with_hash_builder(Hasher::default()).with_eviction_config(policy).build()
}

/// Evicts by S3-FIFO.
pub struct FoyerS3Fifo<K: Key, V: Body>(Inner<K, V>);

impl<K: Key, V: Body> Contender<K, V> for FoyerS3Fifo<K, V> {
    const NAME: &'static str = "foyer-s3fifo";

    fn with_capacity(capacity: usize) -> Self {
        Self(with_policy(capacity, S3FifoConfig::default()))
    }

    fn see<R>(&self, key: &K, see: impl FnOnce(&V) -> R) -> Option<R> {
        self.0.get(key).map(|entry| see(entry.value()))
    }

    fn insert(&self, key: K, value: V) {
        drop(self.0.insert(key, value));
    }
}

/// Evicts by W-TinyLFU.
pub struct FoyerLfu<K: Key, V: Body>(Inner<K, V>);

impl<K: Key, V: Body> Contender<K, V> for FoyerLfu<K, V> {
    const NAME: &'static str = "foyer-lfu";

    fn with_capacity(capacity: usize) -> Self {
        Self(with_policy(capacity, LfuConfig::default()))
    }

    fn see<R>(&self, key: &K, see: impl FnOnce(&V) -> R) -> Option<R> {
        self.0.get(key).map(|entry| see(entry.value()))
    }

    fn insert(&self, key: K, value: V) {
        drop(self.0.insert(key, value));
    }
}
