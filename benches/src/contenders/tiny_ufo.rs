//! `TinyUFO`. It knows no TTL and keeps no keys: two with one 64-bit hash are one to it.

use crate::contender::{Body, Contender, Key};

/// With its fast, lock-free table.
pub struct TinyUfo<K, V: Body>(tinyufo::TinyUfo<K, V>);

impl<K: Key, V: Body> Contender<K, V> for TinyUfo<K, V> {
    const NAME: &'static str = "TinyUFO";

    fn with_capacity(capacity: usize) -> Self {
        Self(tinyufo::TinyUfo::new(capacity, capacity))
    }

    fn see<R>(&self, key: &K, see: impl FnOnce(&V) -> R) -> Option<R> {
        self.0.get(key).map(|value| see(&value))
    }

    fn insert(&self, key: K, value: V) {
        drop(self.0.put(key, value, 1));
    }
}
