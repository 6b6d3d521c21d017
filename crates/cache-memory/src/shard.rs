//! One shard: index, slots, queues and stripes that belong together under one lock.
//!
//! The only code of the user's that runs in here is a key's `Eq` and a condition, and both run before anything is
//! changed.

use cache_core::{Fill, FillToken, Moment};

use crate::entry::Entry;
use crate::garbage::RemovalCause;
use crate::hash::Hashed;
use crate::idle::Idle;
use crate::index::{Guess, Index};
use crate::policy::Queues;
use crate::room::Call;
use crate::slab::Slab;
use crate::sweep::Sweep;
use crate::underway::Underway;
use crate::walk::Place;

/// What a hit reads comes first, next to the lock.
#[repr(C)]
pub(crate) struct Shard<K, V> {
    /// The life of the cache that the entries belong to. If a newer one has begun, all of them are void.
    pub(crate) epoch: u64,
    index: Index,
    pub(crate) slab: Slab<Entry<K, V>>,
    pub(crate) idle: Option<Box<Idle>>,
    pub(crate) sweep: Sweep,
    pub(crate) queues: Queues,
    /// What was held before a retirement, and waits to be dropped. It still counts as weight.
    pub(crate) retired: Vec<Slab<Entry<K, V>>>,
    generations: Box<[u64]>,
    pub(crate) loads: Underway,
    /// Entries that it has if all shards have as many. It may have more: only all of them together are bounded.
    share: usize,
    stamp: u16,
    pub(crate) counters: Counters,
}

/// What happened to a shard since it was made.
#[derive(Clone, Copy, Default)]
pub(crate) struct Counters {
    pub(crate) evicted: u64,
    pub(crate) expired: u64,
}

/// An entry that is to go in.
pub(crate) struct New<K, V> {
    pub(crate) key: K,
    pub(crate) value: V,
    pub(crate) expires: Moment,
    pub(crate) weight: u64,
}

impl<K, V> Shard<K, V> {
    pub(crate) fn new(share: usize, stripes: usize, idle: Option<Idle>) -> Self {
        Self {
            slab: Slab::new(),
            index: Index::new(share),
            queues: Queues::new(share),
            sweep: Sweep::new(),
            idle: idle.map(Box::new),
            retired: Vec::new(),
            epoch: 0,
            generations: vec![0; stripes].into(),
            loads: Underway::default(),
            share,
            stamp: 0,
            counters: Counters::default(),
        }
    }

    /// The key's entry, dead or alive, and its slot.
    ///
    /// Only the first guess is tried in line: what a hit does not need, the processor should not hold registers for,
    /// because it works on the next call while this one waits for memory.
    #[inline]
    pub(crate) fn find(&self, hash: Hashed, eq: impl Fn(&K) -> bool) -> Option<(u32, &Entry<K, V>)> {
        match self.index.guess(hash.short()) {
            Guess::Absent => return None,
            Guess::Slot(slot) => {
                if let Some(entry) = self.slab.get(slot)
                    && entry.head.hash == hash.short()
                    && eq(&entry.key)
                {
                    return Some((slot, entry));
                }
            }
            Guess::Elsewhere => {}
        }
        self.find_anywhere(hash.short(), eq)
    }

    #[cold]
    #[inline(never)]
    fn find_anywhere(&self, hash: u32, eq: impl Fn(&K) -> bool) -> Option<(u32, &Entry<K, V>)> {
        self.index.find(hash, |slot| {
            let entry = self.slab.get(slot)?;
            (entry.head.hash == hash && eq(&entry.key)).then_some((slot, entry))
        })
    }

    /// The key's slot.
    pub(crate) fn slot_of(&self, hash: Hashed, eq: impl Fn(&K) -> bool) -> Option<u32> {
        self.find(hash, eq).map(|(slot, _)| slot)
    }

    /// The entry that was seen there, unless it was overwritten since.
    pub(crate) fn seen(&self, place: &Place) -> Option<&Entry<K, V>> {
        let entry = self.slab.get(place.slot)?;
        // Stamps come again after 2¹⁶ writes; only a read of what may idle moves the end of an entry.
        let ends_alike = self.idle.is_some() || entry.head.expires() == place.expires;
        (entry.head.stamp == place.stamp && ends_alike).then_some(entry)
    }

    /// Begins the life `epoch`, if it is not the one that the shard is in, and returns how many entries ended with the
    /// old one. Their memory is given back later, bit by bit.
    pub(crate) fn catch_up(&mut self, epoch: u64) -> usize {
        if self.epoch == epoch {
            return 0;
        }
        self.epoch = epoch;
        let retired = self.slab.len();
        if self.slab.slots() > 0 {
            self.retired.push(std::mem::replace(&mut self.slab, Slab::new()));
            self.index = Index::new(self.share);
            self.sweep = Sweep::new();
            self.queues.forget_all();
        }
        retired
    }

    pub(crate) fn token(&self, hash: Hashed, epoch: u64) -> FillToken {
        FillToken { generation: self.generations[hash.stripe(self.generations.len())], epoch }
    }

    /// Voids every token of the key's stripe, and the tickets of the key's own loads.
    pub(crate) fn fence(&mut self, hash: Hashed) {
        self.loads.end(hash);
        let stripe = hash.stripe(self.generations.len());
        self.generations[stripe] = self.generations[stripe].wrapping_add(1);
    }

    pub(crate) fn admits(&self, hash: Hashed, fill: Fill) -> bool {
        match fill {
            Fill::Write => true,
            Fill::Load(token) | Fill::Promote(token) => token == self.token(hash, self.epoch),
        }
    }

    /// Puts the entry where [`Shard::prepare`] said that there is room.
    pub(crate) fn put(
        &mut self,
        hash: Hashed,
        found: Option<u32>,
        new: New<K, V>,
        fill: Fill,
        call: &mut Call<'_, K, V>,
    ) {
        self.stamp = self.stamp.wrapping_add(1);
        self.fence_for(hash, fill);
        self.sweep.note(new.expires);
        if let Some((slot, entry)) = found.and_then(|slot| Some((slot, self.slab.get_mut(slot)?))) {
            let cause = entry.cause(RemovalCause::Replaced, call.now);
            entry.head.expire_at(new.expires);
            entry.head.stamp = self.stamp;
            entry.head.touch();
            entry.weight = new.weight;
            call.garbage.push_parts(new.key, std::mem::replace(&mut entry.value, new.value), cause);
            self.written(slot, new.expires, call.now);
            return;
        }
        let entry = Entry::new(hash.short(), self.stamp, new.expires, new.weight, new.key, new.value);
        let slot = self.slab.insert(entry, self.share);
        let hash_of = |slot| self.slab.get(slot).map_or(0, |entry| entry.head.hash);
        self.index.insert(hash.short(), slot, hash_of);
        self.queues.admit(&mut self.slab, slot, call.full);
        self.written(slot, new.expires, call.now);
    }

    /// An entry's time begins anew.
    pub(crate) fn written(&mut self, slot: u32, expires: Moment, now: Moment) {
        if let (Some(idle), Some(entry)) = (&mut self.idle, self.slab.get(slot)) {
            self.sweep.note(idle.written(slot, &entry.head, expires, now));
        }
    }

    pub(crate) fn fence_for(&mut self, hash: Hashed, fill: Fill) {
        if !matches!(fill, Fill::Promote(_)) {
            self.fence(hash);
        }
    }

    /// Takes an entry out of everything. Its weight is the caller's to give back.
    pub(crate) fn take(&mut self, slot: u32) -> Option<Entry<K, V>> {
        self.index.remove(self.slab.get(slot)?.head.hash, slot);
        self.queues.unlink(&mut self.slab, slot);
        self.slab.remove(slot)
    }

    /// Hands out everything that waits to be dropped.
    pub(crate) fn take_retired(&mut self) -> Vec<Slab<Entry<K, V>>> {
        std::mem::take(&mut self.retired)
    }
}
