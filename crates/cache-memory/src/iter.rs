//! Going through what a cache holds.

use std::fmt;
use std::hash::Hash;

use cache_core::Moment;

use crate::cache::MemoryCache;
use crate::entry::Entry;
use crate::walk::Walk;

/// The live entries of a [`MemoryCache`], as clones, in no order. Made by [`MemoryCache::iter`].
pub struct Iter<'a, K, V> {
    walk: Live<'a, K, V>,
}

type Live<'a, K, V> = Walk<'a, K, V, (K, V), Box<dyn Fn(&Entry<K, V>) -> Option<(K, V)> + 'a>>;

impl<K: Hash + Eq, V> MemoryCache<K, V> {
    /// Goes through the live entries. They are cloned a few hundred at a time, and no lock is held in between, so the
    /// cache may be used meanwhile: what changes is seen or not, an entry that stays is seen once.
    pub fn iter(&self) -> Iter<'_, K, V>
    where
        K: Clone,
        V: Clone,
    {
        let pick = Box::new(clone_alive_at(self.settings.clock.now()));
        Iter { walk: Walk::new(&self.engine, pick) }
    }

    /// Removes every live entry for which `keep` says no; one that is overwritten meanwhile stays. `keep` sees clones
    /// and runs with no lock held, so it may call this cache. Takes time by the number of entries.
    pub fn retain(&self, mut keep: impl FnMut(&K, &V) -> bool)
    where
        K: Clone,
        V: Clone,
    {
        let now = self.settings.clock.now();
        for (place, (key, value)) in Walk::new(&self.engine, clone_alive_at(now)) {
            if !keep(&key, &value) {
                drop(self.engine.remove_seen(self.hash(&key), &place, now));
            }
        }
    }
}

fn clone_alive_at<K: Clone, V: Clone>(now: Moment) -> impl Fn(&Entry<K, V>) -> Option<(K, V)> {
    move |entry| (!entry.is_dead(now)).then(|| (entry.key.clone(), entry.value.clone()))
}

impl<K: Eq, V> Iterator for Iter<'_, K, V> {
    type Item = (K, V);

    fn next(&mut self) -> Option<Self::Item> {
        self.walk.next().map(|(_, entry)| entry)
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
