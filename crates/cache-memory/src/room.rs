//! Making room in a shard: what expired, what was retired, and then what the policy says.

use cache_core::{Fill, Filled, Moment};

use crate::budget::Budget;
use crate::entry::{Entry, Garbage};
use crate::hash::Hashed;
use crate::shard::Shard;

/// Slots that every insert looks at in search of expired entries.
const SWEEP: usize = 4;
/// Slots that it looks at beyond that for each one it finds, so that it keeps up however many expire.
const SWEEP_ON: usize = 32;
/// The bound of both.
const SWEEP_MOST: usize = 64;
/// Retired entries that every insert lets go.
const RETIRED_AT_ONCE: usize = 4;

/// What one insert works with: the time, the budget, and a place for what is to be dropped when the lock is released.
pub(crate) struct Call<'a, K, V> {
    now: Moment,
    budget: &'a Budget,
    pub(crate) garbage: Garbage<K, V>,
}

impl<'a, K, V> Call<'a, K, V> {
    pub(crate) const fn new(now: Moment, budget: &'a Budget) -> Self {
        Self { now, budget, garbage: Garbage::new() }
    }
}

/// What [`Shard::prepare`] found.
pub(crate) enum Prepared {
    /// There is room and the weight is reserved; the key's older entry is here.
    Room(Option<u32>),
    /// The entry cannot go in.
    Refused(Filled),
    /// So much weight has to be freed in other shards first.
    Lacking(u64),
}

impl<K, V> Shard<K, V> {
    /// Decides whether an entry of this weight may go in, and makes room for it.
    pub(crate) fn prepare(
        &mut self,
        hash: Hashed,
        eq: impl Fn(&K) -> bool,
        weight: u64,
        fill: Fill,
        call: &mut Call<'_, K, V>,
    ) -> Prepared {
        self.sweep(call);
        let found = self.find(hash, eq);
        if !self.admits(hash, fill) {
            return Prepared::Refused(Filled::Fenced);
        }
        if weight > call.budget.max() {
            if let Some(old) = found.and_then(|index| self.take(index)) {
                call.budget.release(old.node.weight);
                call.garbage.push(old);
            }
            self.fence_for(hash, fill);
            return Prepared::Refused(Filled::TooLarge);
        }
        let old = found.and_then(|index| self.slab.get(index)).map_or(0, |entry| entry.node.weight);
        let mut freed = 0;
        if found.is_none() && self.slab.len() >= self.max_entries {
            freed = self.evict(call).unwrap_or(0);
        }
        if settle(call.budget, weight, old + freed) || self.squeeze(found, weight, old, freed, call) {
            Prepared::Room(found)
        } else {
            Prepared::Lacking(weight - old)
        }
    }

    /// Evicts until the weight fits, sparing the entry that is being replaced. `false` if it still does not, with the
    /// freed weight given back to the budget.
    fn squeeze(
        &mut self,
        spared: Option<u32>,
        weight: u64,
        old: u64,
        mut freed: u64,
        call: &mut Call<'_, K, V>,
    ) -> bool {
        if let Some(index) = spared {
            self.queues.unlink(&mut self.slab, index);
        }
        let fits = loop {
            let Some(more) = self.shed(call) else {
                call.budget.release(freed);
                break false;
            };
            freed += more;
            if settle(call.budget, weight, old + freed) {
                break true;
            }
        };
        if let Some(index) = spared {
            self.queues.link(&mut self.slab, index);
        }
        fits
    }

    /// Frees the weight of one entry: a retired one, or the one that has to go next.
    pub(crate) fn shed(&mut self, call: &mut Call<'_, K, V>) -> Option<u64> {
        if let Some(entry) = self.pop_retired(usize::MAX) {
            let weight = entry.node.weight;
            call.garbage.push(entry);
            return Some(weight);
        }
        self.evict(call)
    }

    fn evict(&mut self, call: &mut Call<'_, K, V>) -> Option<u64> {
        let index = self.queues.victim(&mut self.slab, call.now)?;
        let entry = self.take(index)?;
        if entry.node.is_dead(call.now) {
            self.counters.expired += 1;
        } else {
            self.counters.evicted += 1;
            self.queues.remember(&entry);
        }
        let weight = entry.node.weight;
        call.garbage.push(entry);
        Some(weight)
    }

    /// Gives memory of expired and retired entries back, a bounded number at a time. The slots are looked at in turn,
    /// which costs no memory for each entry and no cache misses, as an order by time would.
    fn sweep(&mut self, call: &mut Call<'_, K, V>) {
        let mut freed = 0;
        let slots = self.slab.slots();
        let (mut looked_at, mut enough) = (0, SWEEP);
        while looked_at < enough.min(SWEEP_MOST).min(slots) {
            looked_at += 1;
            let index = u32::try_from(self.sweep_at).unwrap_or(0);
            self.sweep_at = (self.sweep_at + 1) % slots;
            if self.slab.get(index).is_some_and(|entry| entry.node.is_dead(call.now))
                && let Some(entry) = self.take(index)
            {
                freed += entry.node.weight;
                self.counters.expired += 1;
                call.garbage.push(entry);
                enough += SWEEP_ON;
            }
        }
        for _ in 0..RETIRED_AT_ONCE {
            let Some(entry) = self.pop_retired(SWEEP_MOST) else { break };
            freed += entry.node.weight;
            call.garbage.push(entry);
        }
        call.budget.release(freed);
    }

    /// A retired entry, if one is found in so many slots.
    fn pop_retired(&mut self, slots: usize) -> Option<Entry<K, V>> {
        for _ in 0..slots {
            match self.retired.last_mut()?.pop() {
                Some(Some(entry)) => return Some(entry),
                Some(None) => {}
                None => drop(self.retired.pop()),
            }
        }
        None
    }
}

/// Reserves what `weight` needs beyond `have`, or gives back what it needs less.
fn settle(budget: &Budget, weight: u64, have: u64) -> bool {
    if weight > have {
        return budget.try_reserve(weight - have);
    }
    budget.release(have - weight);
    true
}
