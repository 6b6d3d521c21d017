//! What is asked of every cache that is measured.

use std::hash::Hash;

/// A key as tests of tier 1 have it: 16 to 24 bytes on the heap.
pub type Name = String;

/// What keys may be.
pub trait Key: Hash + Eq + Clone + Send + Sync + 'static {}

impl<K: Hash + Eq + Clone + Send + Sync + 'static> Key for K {}

/// What values may be: cheap to clone, because most caches hand out clones.
pub trait Body: Clone + Send + Sync + 'static {}

impl<V: Clone + Send + Sync + 'static> Body for V {}

/// A cache, or a map that stands for the floor. Each is used as its documentation says, with the fastest hash that it
/// takes and with a TTL if it knows one.
pub trait Contender<K, V>: Sized {
    /// As it is called in reports.
    const NAME: &'static str;

    /// An empty one for this many entries.
    fn with_capacity(capacity: usize) -> Self;

    /// Shows the key's value, if it is held. `see` gets what the crate hands out: a clone, or its own handle.
    fn see<R>(&self, key: &K, see: impl FnOnce(&V) -> R) -> Option<R>;

    /// Holds the value, or decides not to.
    fn insert(&self, key: K, value: V);

    /// Does what it would otherwise do later, in the time of some other call.
    fn settle(&self) {}

    /// Called between rounds, outside of what is timed: for maps that never evict.
    fn relieve(&self) {}
}
