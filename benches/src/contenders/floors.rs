//! Maps that never evict and know no time: less cannot be done.

use std::cell::RefCell;
use std::collections::HashMap;

use dashmap::DashMap;

use super::Hasher;
use crate::contender::{Body, Contender, Key};

/// The standard library's map, for one thread.
pub struct Plain<K, V> {
    map: RefCell<HashMap<K, V, Hasher>>,
    most: usize,
}

impl<K: Key, V: Body> Contender<K, V> for Plain<K, V> {
    const NAME: &'static str = "HashMap";

    fn with_capacity(capacity: usize) -> Self {
        let map = HashMap::with_capacity_and_hasher(capacity, Hasher::default());
        Self { map: RefCell::new(map), most: 2 * capacity }
    }

    fn see<R>(&self, key: &K, see: impl FnOnce(&V) -> R) -> Option<R> {
        self.map.borrow().get(key).cloned().map(|value| see(&value))
    }

    fn insert(&self, key: K, value: V) {
        self.map.borrow_mut().insert(key, value);
    }

    fn relieve(&self) {
        let mut map = self.map.borrow_mut();
        if map.len() > self.most {
            map.clear();
        }
    }
}

/// A concurrent map.
pub struct Dash<K: Key, V> {
    map: DashMap<K, V, Hasher>,
    most: usize,
}

impl<K: Key, V: Body> Contender<K, V> for Dash<K, V> {
    const NAME: &'static str = "DashMap";

    fn with_capacity(capacity: usize) -> Self {
        let map = DashMap::with_capacity_and_hasher(capacity, Hasher::default());
        Self { map, most: 2 * capacity }
    }

    fn see<R>(&self, key: &K, see: impl FnOnce(&V) -> R) -> Option<R> {
        let value = self.map.get(key).map(|held| held.value().clone());
        value.map(|value| see(&value))
    }

    fn insert(&self, key: K, value: V) {
        self.map.insert(key, value);
    }

    fn relieve(&self) {
        if self.map.len() > self.most {
            self.map.clear();
        }
    }
}
