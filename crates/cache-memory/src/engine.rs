//! The sharded map under both faces of this crate: hashes come from outside, keys are compared by closures.

mod insert;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use cache_core::{FillToken, Moment};

use crate::budget::{Amount, Budget};
use crate::entry::Entry;
use crate::garbage::{Listener, RemovalCause, tell};
use crate::hash::Hashed;
use crate::idle::Idle;
use crate::room::Call;
use crate::shard::Shard;
use crate::slab::Slab;
use crate::stats::Counts;
use crate::sync::{AtomicU64, RwLock, RwLockReadGuard, RwLockWriteGuard};
use crate::underway::Ticket;
use crate::walk::Place;

/// Stripes of the whole map and, where that is more, of each shard.
const STRIPES: usize = 1024;
const STRIPES_A_SHARD: usize = 64;

pub(crate) struct Engine<K, V> {
    shards: Box<[Locked<K, V>]>,
    /// The number of shards is two to the power of this.
    bits: u32,
    epoch: AtomicU64,
    budget: Budget,
    listener: Option<Listener<K, V>>,
}

/// What an engine is made for.
pub(crate) struct Plan<K, V> {
    /// At least 1.
    pub(crate) max_entries: usize,
    pub(crate) max_weight: u64,
    /// A power of two and at most `max_entries`.
    pub(crate) shards: usize,
    pub(crate) idle: Option<Duration>,
    pub(crate) listener: Option<Listener<K, V>>,
}

/// Keeps the locks of two shards out of one cache line, and out of one prefetched pair.
#[repr(align(128))]
struct Padded<T>(T);

type Locked<K, V> = Padded<RwLock<Shard<K, V>>>;

/// What becomes of an entry after [`Engine::edit`].
pub(crate) enum After {
    Keep,
    /// It stays, but no longer than this.
    KeepUntil(Moment),
    Remove,
}

impl<K: Eq, V> Engine<K, V> {
    pub(crate) fn new(plan: Plan<K, V>) -> Self {
        let Plan { max_entries, max_weight, shards, idle, listener } = plan;
        let stripes = (STRIPES / shards).max(STRIPES_A_SHARD);
        let share = |n: usize| max_entries / shards + usize::from(n < max_entries % shards);
        let shard = |n| Padded(RwLock::new(Shard::new(share(n), stripes, idle.map(Idle::new))));
        Self {
            shards: (0..shards).map(shard).collect(),
            bits: shards.trailing_zeros(),
            epoch: AtomicU64::new(0),
            budget: Budget::new(Amount { entries: max_entries as u64, weight: max_weight }),
            listener,
        }
    }

    /// Looks the key up and notes a hit of its entry if it is held, `alive` tells the time in answer to its expiry
    /// (`None`: it is over), and `pick` takes it.
    ///
    /// `pick` runs under the lock, which readers share.
    #[inline]
    pub(crate) fn read<R>(
        &self,
        hash: Hashed,
        eq: impl Fn(&K) -> bool,
        alive: impl FnOnce(Moment) -> Option<Moment>,
        pick: impl FnOnce(&V) -> Option<R>,
    ) -> Option<R> {
        let shard = self.shard(hash);
        if shard.epoch == self.epoch()
            && let Some((slot, entry)) = shard.find(hash, eq)
            && let Some(now) = alive(entry.head.expires())
            && let Some(picked) = pick(&entry.value)
        {
            entry.head.touch();
            if let Some(idle) = &shard.idle {
                idle.read(slot, &entry.head, now);
            }
            return Some(picked);
        }
        None
    }

    /// What `pick` takes of the key's value, if it is held and `alive`; its entry does not note it.
    pub(crate) fn look<R>(
        &self,
        hash: Hashed,
        eq: impl Fn(&K) -> bool,
        alive: impl FnOnce(Moment) -> Option<Moment>,
        pick: impl FnOnce(&V) -> R,
    ) -> Option<R> {
        let shard = self.shard(hash);
        if shard.epoch != self.epoch() {
            return None;
        }
        let (_, entry) = shard.find(hash, eq)?;
        alive(entry.head.expires())?;
        Some(pick(&entry.value))
    }

    /// The expiry of the key's entry; no hit is counted.
    pub(crate) fn expiry(&self, hash: Hashed, eq: impl Fn(&K) -> bool) -> Option<Moment> {
        let shard = self.shard(hash);
        if shard.epoch != self.epoch() {
            return None;
        }
        shard.find(hash, eq).map(|(_, entry)| entry.head.expires())
    }

    pub(crate) fn token(&self, hash: Hashed) -> FillToken {
        let shard = self.shard(hash);
        shard.token(hash, self.epoch())
    }

    /// What a load of the key goes by from here on.
    pub(crate) fn ticket(&self, hash: Hashed) -> Arc<Ticket> {
        let mut shard = self.current(hash);
        let epoch = shard.epoch;
        shard.loads.begin(hash, epoch)
    }

    /// Removes the key's entry, dead or alive, and fences older tokens whether or not there was one.
    pub(crate) fn remove(&self, hash: Hashed, eq: impl Fn(&K) -> bool, now: Moment) -> Option<Entry<K, V>> {
        let mut shard = self.current(hash);
        let found = shard.slot_of(hash, eq);
        shard.fence(hash);
        let entry = shard.take(found?)?;
        Some(self.removed(shard, entry, now))
    }

    /// Removes what a walk saw, unless it was overwritten since.
    pub(crate) fn remove_seen(&self, hash: Hashed, place: &Place, now: Moment) -> Option<Entry<K, V>> {
        let mut shard = self.current_at(place.shard);
        if shard.seen(place)?.head.hash != hash.short() {
            return None;
        }
        shard.fence(hash);
        let entry = shard.take(place.slot)?;
        Some(self.removed(shard, entry, now))
    }

    /// When the entry expires that was seen there, unless it has gone since.
    pub(crate) fn expiry_at(&self, place: &Place) -> Option<Moment> {
        let shard = self.shard_at(place.shard)?;
        let held = shard.epoch == self.epoch();
        shard.seen(place).filter(|_| held).map(|entry| entry.head.expires())
    }

    fn removed(
        &self,
        shard: RwLockWriteGuard<'_, Shard<K, V>>,
        entry: Entry<K, V>,
        now: Moment,
    ) -> Entry<K, V> {
        // Before the lock is released: who comes next would find neither the entry to evict nor its room.
        self.budget.release(entry.amount());
        drop(shard);
        if let Some(listener) = &self.listener {
            tell(listener, &entry.key, &entry.value, entry.cause(RemovalCause::Removed, now));
        }
        entry
    }

    /// Removes everything whose time is over. Returns how many entries that were.
    pub(crate) fn sweep_all(&self, now: Moment) -> usize {
        let mut sum = 0;
        for n in 0..self.shards.len() {
            let mut call = Call::new(now, &self.budget);
            let mut shard = self.current_at(n);
            let freed = shard.sweep_all(&mut call);
            self.budget.release(freed);
            drop(shard);
            call.garbage.bury(self.listener.as_ref());
            sum += freed.entries;
        }
        usize::try_from(sum).unwrap_or(usize::MAX)
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
        let found = shard.slot_of(hash, eq);
        if fence {
            shard.fence(hash);
        }
        let index = found?;
        let entry = shard.slab.get_mut(index)?;
        let (result, after) = change(&mut entry.value);
        match after {
            After::Keep => {}
            After::KeepUntil(expires) => {
                entry.head.expire_at(expires);
                shard.sweep.note(expires);
            }
            After::Remove => {
                removed = shard.take(index);
                self.budget.release(removed.as_ref().map_or_else(Amount::default, Entry::amount));
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
            let mut shard = self.current_at(n);
            let retired = shard.take_retired();
            // All of the weight first: a value whose `Drop` panics must not leave some of it reserved for ever.
            let weight = retired.iter().flat_map(Slab::iter).map(|entry| entry.weight).sum();
            self.budget.release(Amount { entries: 0, weight });
            // Not before: who needs room would go round and round for what it can neither evict nor reserve.
            drop(shard);
            if let Some(listener) = &self.listener {
                for entry in retired.iter().flat_map(Slab::iter) {
                    tell(listener, &entry.key, &entry.value, RemovalCause::Cleared);
                }
            }
            drop(retired);
        }
    }

    /// Entries held; those that expired and were not swept yet are among them.
    pub(crate) fn len(&self) -> usize {
        let held = |shard: &Shard<K, V>| if shard.epoch == self.epoch() { shard.slab.len() } else { 0 };
        let sum: usize = self.shards.iter().map(|shard| held(&shard.0.read())).sum();
        // One shard is asked after the other: what made room meanwhile for what came is counted beside it.
        sum.min(usize::try_from(self.budget.entries()).unwrap_or(usize::MAX))
    }

    pub(crate) fn budget(&self) -> &Budget {
        &self.budget
    }

    pub(crate) fn counts(&self) -> Counts {
        let mut sum = Counts::default();
        for shard in &self.shards {
            let shard = shard.0.read();
            sum.evicted += shard.counters.evicted;
            sum.expired += shard.counters.expired;
        }
        sum
    }

    /// Asked under a shard's lock, so that two who hold the same lock one after the other see no older one second.
    pub(crate) fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::Acquire)
    }

    #[inline]
    fn shard(&self, hash: Hashed) -> RwLockReadGuard<'_, Shard<K, V>> {
        self.shards[hash.shard(self.bits)].0.read()
    }

    /// The shard of this number, if there is one.
    pub(crate) fn shard_at(&self, n: usize) -> Option<RwLockReadGuard<'_, Shard<K, V>>> {
        Some(self.shards.get(n)?.0.read())
    }

    /// The key's shard, in the present epoch: for everything that changes it.
    fn current(&self, hash: Hashed) -> RwLockWriteGuard<'_, Shard<K, V>> {
        self.current_at(hash.shard(self.bits))
    }

    fn current_at(&self, n: usize) -> RwLockWriteGuard<'_, Shard<K, V>> {
        let mut shard = self.shards[n].0.write();
        let retired = shard.catch_up(self.epoch());
        self.budget.release(Amount { entries: retired as u64, weight: 0 });
        shard
    }
}
