//! The crate `lru` behind sixteen mutexes: what many write by hand.

use std::hash::BuildHasher;
use std::num::NonZeroUsize;

use lru::LruCache;
use parking_lot::Mutex;

use super::Hasher;
use crate::contender::{Body, Contender, Key};

/// As many as the default of the others on two cores. One shard if there is little to divide.
const SHARDS: usize = 16;
const LEAST_A_SHARD: usize = 1000;

/// The shard is picked by the upper bits of the hash.
pub struct ShardedLru<K: Key, V> {
    shards: Vec<Mutex<LruCache<K, V, Hasher>>>,
    hasher: Hasher,
}

impl<K: Key, V> ShardedLru<K, V> {
    fn shard(&self, key: &K) -> &Mutex<LruCache<K, V, Hasher>> {
        let at = (u128::from(self.hasher.hash_one(key)) * self.shards.len() as u128) >> 64;
        &self.shards[at as usize]
    }
}

impl<K: Key, V: Body> Contender<K, V> for ShardedLru<K, V> {
    const NAME: &'static str = "lru-sharded";

    fn with_capacity(capacity: usize) -> Self {
        let shards = if capacity < SHARDS * LEAST_A_SHARD { 1 } else { SHARDS };
        let each = NonZeroUsize::new(capacity.div_ceil(shards)).unwrap_or(NonZeroUsize::MIN);
        let hasher = Hasher::default();
        let shard = |_| Mutex::new(LruCache::with_hasher(each, hasher.clone()));
        Self { shards: (0..shards).map(shard).collect(), hasher }
    }

    fn see<R>(&self, key: &K, see: impl FnOnce(&V) -> R) -> Option<R> {
        let value = self.shard(key).lock().get(key).cloned();
        value.map(|value| see(&value))
    }

    fn insert(&self, key: K, value: V) {
        let evicted = self.shard(&key).lock().push(key, value);
        drop(evicted);
    }
}
