//! One shard: table, slots, queues and stripes that belong together under one lock.
//!
//! The only code of the user's that runs in here is a key's `Eq`, and it runs before anything is changed.

use cache_core::{Fill, FillToken, Moment};
use hashbrown::HashTable;

use crate::entry::{Entry, Node};
use crate::hash::{Hashed, table_hash};
use crate::policy::Queues;
use crate::room::Call;
use crate::slab::Slab;

pub(crate) struct Shard<K, V> {
    pub(crate) slab: Slab<Entry<K, V>>,
    table: HashTable<u32>,
    pub(crate) queues: Queues,
    /// What was held before a retirement, and waits to be dropped. It still counts as weight.
    pub(crate) retired: Vec<Slab<Entry<K, V>>>,
    /// The life of the cache that the entries belong to. If a newer one has begun, all of them are void.
    pub(crate) epoch: u64,
    generations: Box<[u64]>,
    pub(crate) max_entries: usize,
    stamp: u32,
    pub(crate) sweep_at: usize,
    pub(crate) counters: Counters,
}

/// What happened to a shard since it was made.
#[derive(Clone, Copy, Default)]
pub(crate) struct Counters {
    pub(crate) hits: u64,
    pub(crate) misses: u64,
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
    pub(crate) fn new(max_entries: usize, stripes: usize) -> Self {
        Self {
            slab: Slab::new(),
            table: HashTable::new(),
            queues: Queues::new(max_entries),
            retired: Vec::new(),
            epoch: 0,
            generations: vec![0; stripes].into(),
            max_entries,
            stamp: 0,
            sweep_at: 0,
            counters: Counters::default(),
        }
    }

    /// The slot of the key's entry, dead or alive.
    #[inline]
    pub(crate) fn find(&self, hash: Hashed, eq: impl Fn(&K) -> bool) -> Option<u32> {
        let short = hash.short();
        let is_it = |&index: &u32| self.slab.get(index).is_some_and(|e| e.node.hash == short && eq(&e.key));
        self.table.find(table_hash(short), is_it).copied()
    }

    /// Begins the life `epoch`, if it is not the one that the shard is in. The memory is given back later, bit by bit.
    pub(crate) fn catch_up(&mut self, epoch: u64) {
        if self.epoch == epoch {
            return;
        }
        self.epoch = epoch;
        self.sweep_at = 0;
        if self.slab.slots() > 0 {
            self.retired.push(std::mem::replace(&mut self.slab, Slab::new()));
            self.table = HashTable::new();
            self.queues.forget_all();
        }
    }

    pub(crate) fn token(&self, hash: Hashed, epoch: u64) -> FillToken {
        FillToken { generation: self.generations[hash.stripe(self.generations.len())], epoch }
    }

    /// Voids every token of the key's stripe.
    pub(crate) fn fence(&mut self, hash: Hashed) {
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
        if let Some(entry) = found.and_then(|index| self.slab.get_mut(index)) {
            entry.node.expires = new.expires;
            entry.node.weight = new.weight;
            entry.node.stamp = self.stamp;
            entry.node.touch();
            call.garbage.replaced = Some((new.key, std::mem::replace(&mut entry.value, new.value)));
            return;
        }
        let node = Node::new(hash.short(), self.stamp, new.expires, new.weight);
        let index = self.slab.insert(Entry { node, key: new.key, value: new.value }, self.max_entries);
        let rehash = |&index: &u32| self.slab.get(index).map_or(0, |entry| table_hash(entry.node.hash));
        self.table.insert_unique(table_hash(hash.short()), index, rehash);
        self.queues.admit(&mut self.slab, index);
    }

    pub(crate) fn fence_for(&mut self, hash: Hashed, fill: Fill) {
        if !matches!(fill, Fill::Promote(_)) {
            self.fence(hash);
        }
    }

    /// Takes an entry out of everything. Its weight is the caller's to give back.
    pub(crate) fn take(&mut self, index: u32) -> Option<Entry<K, V>> {
        let hash = table_hash(self.slab.get(index)?.node.hash);
        if let Ok(found) = self.table.find_entry(hash, |&other| other == index) {
            found.remove();
        }
        self.queues.unlink(&mut self.slab, index);
        self.slab.remove(index)
    }

    /// Hands out everything that waits to be dropped.
    pub(crate) fn take_retired(&mut self) -> Vec<Slab<Entry<K, V>>> {
        std::mem::take(&mut self.retired)
    }
}
