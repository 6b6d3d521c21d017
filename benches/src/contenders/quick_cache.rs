//! `quick_cache`'s sync cache. It knows no TTL.

use quick_cache::UnitWeighter;
use quick_cache::sync::{Cache, DefaultLifecycle};

use super::Hasher;
use crate::contender::{Body, Contender, Key};

/// With the estimate and the bound at the same number, as its documentation has it.
pub struct QuickCache<K, V>(Cache<K, V, UnitWeighter, Hasher>);

impl<K: Key, V: Body> Contender<K, V> for QuickCache<K, V> {
    const NAME: &'static str = "quick_cache";

    fn with_capacity(capacity: usize) -> Self {
        let (weighter, hasher) = (UnitWeighter, Hasher::default());
        Self(Cache::with(capacity, capacity as u64, weighter, hasher, DefaultLifecycle::default()))
    }

    fn see<R>(&self, key: &K, see: impl FnOnce(&V) -> R) -> Option<R> {
        self.0.get(key).map(|value| see(&value))
    }

    fn insert(&self, key: K, value: V) {
        self.0.insert(key, value);
    }
}
