//! Going through what a cache holds.

use std::fmt;
use std::hash::Hash;

use crate::cache::MemoryCache;
use crate::entry::Entry;
use crate::walk::{Place, Walk};

/// The live entries of a [`MemoryCache`], as clones, in no order. Made by [`MemoryCache::iter`].
pub struct Iter<'a, K, V> {
    cache: &'a MemoryCache<K, V>,
    walk: Live<'a, K, V>,
}

type Live<'a, K, V> = Walk<'a, K, V, (K, V), Box<dyn Fn(&Entry<K, V>) -> Option<(K, V)> + Send + Sync + 'a>>;

impl<K: Hash + Eq, V> MemoryCache<K, V> {
    /// Goes through the live entries. They are cloned a few hundred at a time, under the lock of a shard, and no lock is
    /// held in between, so the cache may be used meanwhile: what changes is seen or not, an entry that stays is seen once, and none is seen
    /// after its time.
    pub fn iter(&self) -> Iter<'_, K, V>
    where
        K: Clone,
        V: Clone,
    {
        let clock = &self.settings.clock;
        let pick = |entry: &Entry<K, V>| {
            clock.before(entry.head.expires()).map(|_| (entry.key.clone(), entry.value.clone()))
        };
        Iter { cache: self, walk: Walk::new(&self.engine, Box::new(pick)) }
    }

    /// Removes every live entry for which `keep` says no; one that is overwritten meanwhile stays. `keep` sees clones
    /// and runs with no lock held, so it may call this cache. Takes time by the number of entries.
    pub fn retain(&self, mut keep: impl FnMut(&K, &V) -> bool)
    where
        K: Clone,
        V: Clone,
    {
        let mut live = self.iter();
        while let Some((place, (key, value))) = live.next_place() {
            if !keep(&key, &value) {
                drop(self.engine.remove_seen(self.hash(&key), &place, self.settings.clock.now()));
            }
        }
    }
}

impl<K: Eq, V> Iter<'_, K, V> {
    fn next_place(&mut self) -> Option<(Place, (K, V))> {
        let Self { cache, walk } = self;
        let lives = |expires| cache.settings.clock.before(expires).is_some();
        // Cloned with a chunk, some time ago. Who may idle can have been read since.
        walk.find(|(place, _)| lives(place.expires) || cache.engine.expiry_at(place).is_some_and(lives))
    }
}

impl<K: Eq, V> Iterator for Iter<'_, K, V> {
    type Item = (K, V);

    fn next(&mut self) -> Option<Self::Item> {
        self.next_place().map(|(_, entry)| entry)
    }
}

impl<'a, K: Hash + Eq + Clone, V: Clone> IntoIterator for &'a MemoryCache<K, V> {
    type Item = (K, V);
    type IntoIter = Iter<'a, K, V>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<K, V> fmt::Debug for Iter<'_, K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Iter").finish_non_exhaustive()
    }
}
