//! The sharded map under both faces of this crate: hashes come from outside, keys are compared by closures.

use std::sync::atomic::{AtomicU64, Ordering};

use cache_core::{Fill, FillToken, Filled, Moment};
use parking_lot::{Mutex, MutexGuard};

use crate::budget::Budget;
use crate::entry::Entry;
use crate::hash::Hashed;
use crate::room::{Call, Prepared};
use crate::shard::{Counters, New, Shard};
use crate::slab::Slab;

/// Entries looked at under one lock by [`Engine::walk`].
const CHUNK: u32 = 256;
/// Stripes of the whole map and, where that is more, of each shard.
const STRIPES: usize = 1024;
const STRIPES_A_SHARD: usize = 64;

pub(crate) struct Engine<K, V> {
    shards: Box<[Locked<K, V>]>,
    /// The number of shards is two to the power of this.
    bits: u32,
    epoch: AtomicU64,
    budget: Budget,
    max_entries: usize,
}

/// Keeps the locks of two shards out of one cache line, and out of one prefetched pair.
#[repr(align(128))]
struct Padded<T>(T);

type Locked<K, V> = Padded<Mutex<Shard<K, V>>>;

/// Where [`Engine::walk`] saw an entry, and which write it was.
pub(crate) struct Place {
    shard: usize,
    index: u32,
    stamp: u32,
}

/// What becomes of an entry after [`Engine::edit`].
pub(crate) enum After {
    Keep,
    /// It stays, but no longer than this.
    KeepUntil(Moment),
    Remove,
}

impl<K: Eq, V> Engine<K, V> {
    /// `shards` is a power of two and at most `max_entries`.
    pub(crate) fn new(max_entries: usize, max_weight: u64, shards: usize) -> Self {
        let stripes = (STRIPES / shards).max(STRIPES_A_SHARD);
        let share = |n: usize| max_entries / shards + usize::from(n < max_entries % shards);
        Self {
            shards: (0..shards).map(|n| Padded(Mutex::new(Shard::new(share(n), stripes)))).collect(),
            bits: shards.trailing_zeros(),
            epoch: AtomicU64::new(0),
            budget: Budget::new(max_weight),
            max_entries,
        }
    }

    /// Looks the key up and counts a hit if it is held, `alive` says so of its expiry, and `pick` takes it.
    ///
    /// `pick` runs under the lock.
    #[inline]
    pub(crate) fn read<R>(
        &self,
        hash: Hashed,
        eq: impl Fn(&K) -> bool,
        alive: impl FnOnce(Moment) -> bool,
        pick: impl FnOnce(&V) -> Option<R>,
    ) -> Option<R> {
        let mut shard = self.shard(hash);
        if shard.epoch == self.epoch()
            && let Some(index) = shard.find(hash, eq)
            && let Some(entry) = shard.slab.get_mut(index)
            && alive(entry.node.expires)
            && let Some(picked) = pick(&entry.value)
        {
            entry.node.touch();
            shard.counters.hits += 1;
            return Some(picked);
        }
        shard.counters.misses += 1;
        None
    }

    /// The expiry of the key's entry; no hit is counted.
    pub(crate) fn expiry(&self, hash: Hashed, eq: impl Fn(&K) -> bool) -> Option<Moment> {
        let shard = self.shard(hash);
        if shard.epoch != self.epoch() {
            return None;
        }
        let index = shard.find(hash, eq)?;
        shard.slab.get(index).map(|entry| entry.node.expires)
    }

    pub(crate) fn token(&self, hash: Hashed) -> FillToken {
        let shard = self.shard(hash);
        shard.token(hash, self.epoch())
    }

    pub(crate) fn insert(&self, hash: Hashed, new: New<K, V>, fill: Fill, now: Moment) -> Filled {
        loop {
            let mut call = Call::new(now, &self.budget);
            let lacking = {
                let mut shard = self.current(hash);
                let eq = |key: &K| *key == new.key;
                match shard.prepare(hash, eq, new.weight, fill, &mut call) {
                    Prepared::Room(found) => {
                        shard.put(hash, found, new, fill, &mut call);
                        return Filled::Stored;
                    }
                    Prepared::Refused(filled) => return filled,
                    Prepared::Lacking(weight) => weight,
                }
            };
            drop(call);
            self.relieve(hash, lacking, now);
        }
    }

    /// Frees weight in the other shards, going round and taking a share from each, until there is room for `lacking`
    /// or nothing is left to take.
    #[cold]
    fn relieve(&self, hash: Hashed, lacking: u64, now: Moment) {
        let own = hash.shard(self.bits);
        let share = lacking / self.shards.len() as u64 + 1;
        let mut found_some = true;
        while found_some {
            found_some = false;
            for n in 1..self.shards.len() {
                if self.budget.has_room(lacking) {
                    return;
                }
                let mut call = Call::new(now, &self.budget);
                let mut shard = self.current_at((own + n) % self.shards.len());
                let mut freed = 0;
                while freed < share
                    && let Some(more) = shard.shed(&mut call)
                {
                    freed += more;
                    found_some = true;
                }
                self.budget.release(freed);
            }
        }
    }

    /// Removes the key's entry, dead or alive, and fences older tokens whether or not there was one.
    pub(crate) fn remove(&self, hash: Hashed, eq: impl Fn(&K) -> bool) -> Option<Entry<K, V>> {
        let mut shard = self.current(hash);
        let found = shard.find(hash, eq);
        shard.fence(hash);
        let entry = shard.take(found?)?;
        self.budget.release(entry.node.weight);
        Some(entry)
    }

    /// Removes what [`Engine::walk`] saw, unless it was overwritten since.
    pub(crate) fn remove_seen(&self, hash: Hashed, place: &Place) -> Option<Entry<K, V>> {
        let mut shard = self.current_at(place.shard);
        if shard.slab.get(place.index)?.node.stamp != place.stamp {
            return None;
        }
        shard.fence(hash);
        let entry = shard.take(place.index)?;
        self.budget.release(entry.node.weight);
        Some(entry)
    }

    /// Changes the key's value in place, if it is held. `change` runs under the lock; what it takes out of the value
    /// it hands back, so that it is dropped outside.
    pub(crate) fn edit<R>(
        &self,
        hash: Hashed,
        eq: impl Fn(&K) -> bool,
        fence: bool,
        change: impl FnOnce(&mut V) -> (R, After),
    ) -> Option<R> {
        let mut removed = None;
        let mut shard = self.current(hash);
        let found = shard.find(hash, eq);
        if fence {
            shard.fence(hash);
        }
        let index = found?;
        let entry = shard.slab.get_mut(index)?;
        let (result, after) = change(&mut entry.value);
        match after {
            After::Keep => {}
            After::KeepUntil(expires) => entry.node.expires = expires,
            After::Remove => {
                removed = shard.take(index);
                self.budget.release(removed.as_ref().map_or(0, |entry| entry.node.weight));
            }
        }
        drop(shard);
        drop(removed);
        Some(result)
    }

    /// Makes all entries and all tokens void, in O(1). Returns the new epoch.
    pub(crate) fn retire(&self) -> u64 {
        self.epoch.fetch_add(1, Ordering::AcqRel) + 1
    }

    /// Retires everything and gives its memory back before it returns.
    pub(crate) fn clear(&self) {
        self.retire();
        for n in 0..self.shards.len() {
            let retired = self.current_at(n).take_retired();
            // All of the weight first: a value whose `Drop` panics must not leave some of it reserved for ever.
            let weights = retired.iter().flat_map(Slab::iter).map(|entry| entry.node.weight);
            self.budget.release(weights.sum());
            drop(retired);
        }
    }

    /// Shows what `pick` takes of every entry to `visit`, a chunk of slots at a time and with no lock held.
    /// An entry that stays is seen once.
    pub(crate) fn walk<R>(&self, pick: impl Fn(&Entry<K, V>) -> Option<R>, mut visit: impl FnMut(Place, R)) {
        for n in 0..self.shards.len() {
            let mut from = 0;
            while let Some((seen, next)) = self.chunk(n, from, &pick) {
                for (place, picked) in seen {
                    visit(place, picked);
                }
                from = next;
            }
        }
    }

    fn chunk<R>(
        &self,
        n: usize,
        from: u32,
        pick: impl Fn(&Entry<K, V>) -> Option<R>,
    ) -> Option<(Vec<(Place, R)>, u32)> {
        let shard = self.shards.get(n)?.0.lock();
        let slots = u32::try_from(shard.slab.slots()).unwrap_or(u32::MAX);
        if shard.epoch != self.epoch() || from >= slots {
            return None;
        }
        let next = slots.min(from + CHUNK);
        let look = |index| {
            let entry = shard.slab.get(index)?;
            Some((Place { shard: n, index, stamp: entry.node.stamp }, pick(entry)?))
        };
        Some(((from..next).filter_map(look).collect(), next))
    }

    /// Entries held; those that expired and were not swept yet are among them.
    pub(crate) fn len(&self) -> usize {
        let held = |shard: &Shard<K, V>| if shard.epoch == self.epoch() { shard.slab.len() } else { 0 };
        self.shards.iter().map(|shard| held(&shard.0.lock())).sum()
    }

    pub(crate) fn max_entries(&self) -> usize {
        self.max_entries
    }

    pub(crate) fn budget(&self) -> &Budget {
        &self.budget
    }

    pub(crate) fn counters(&self) -> Counters {
        let mut sum = Counters::default();
        for shard in &self.shards {
            let one = shard.0.lock().counters;
            sum.hits += one.hits;
            sum.misses += one.misses;
            sum.evicted += one.evicted;
            sum.expired += one.expired;
        }
        sum
    }

    /// Asked under a shard's lock, so that two who hold the same lock one after the other see no older one second.
    fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::Acquire)
    }

    #[inline]
    fn shard(&self, hash: Hashed) -> MutexGuard<'_, Shard<K, V>> {
        self.shards[hash.shard(self.bits)].0.lock()
    }

    /// The key's shard, in the present epoch: for everything that changes it.
    fn current(&self, hash: Hashed) -> MutexGuard<'_, Shard<K, V>> {
        self.current_at(hash.shard(self.bits))
    }

    fn current_at(&self, n: usize) -> MutexGuard<'_, Shard<K, V>> {
        let mut shard = self.shards[n].0.lock();
        shard.catch_up(self.epoch());
        shard
    }
}
