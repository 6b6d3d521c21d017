//! Making room in a shard: what expired, what was retired, and then what the policy says.

use cache_core::{Fill, Filled, Moment};

use crate::budget::Budget;
use crate::entry::Entry;
use crate::garbage::{Garbage, RemovalCause};
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
    pub(crate) now: Moment,
    budget: &'a Budget,
    /// Whether an entry had to make room.
    pub(crate) full: bool,
    pub(crate) garbage: Garbage<K, V>,
}

impl<'a, K, V> Call<'a, K, V> {
    pub(crate) const fn new(now: Moment, budget: &'a Budget) -> Self {
        Self { now, budget, full: false, garbage: Garbage::new() }
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
    /// Decides whether an entry of this weight may go in, and makes room for it. `when` judges the live value that it
    /// would replace.
    pub(crate) fn prepare(
        &mut self,
        hash: Hashed,
        eq: impl Fn(&K) -> bool,
        when: impl FnOnce(Option<&V>) -> bool,
        weight: u64,
        fill: Fill,
        call: &mut Call<'_, K, V>,
    ) -> Prepared {
        let found = self.find(hash, eq);
        let live = found.filter(|(_, entry)| !entry.is_dead(call.now));
        let (found, old) = (found.map(|(slot, _)| slot), found.map_or(0, |(_, entry)| entry.weight));
        if !when(live.map(|(_, entry)| &entry.value)) || !self.admits(hash, fill) {
            return Prepared::Refused(Filled::Fenced);
        }
        self.tidy(found, call);
        if weight > call.budget.max() {
            if let Some(old) = found.and_then(|index| self.take(index)) {
                call.budget.release(old.weight);
                let cause = old.cause(RemovalCause::Replaced, call.now);
                call.garbage.push(old, cause);
            }
            self.fence_for(hash, fill);
            return Prepared::Refused(Filled::TooLarge);
        }
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
            let weight = entry.weight;
            call.garbage.push(entry, RemovalCause::Cleared);
            return Some(weight);
        }
        self.evict(call)
    }

    fn evict(&mut self, call: &mut Call<'_, K, V>) -> Option<u64> {
        let index = self.queues.victim(&mut self.slab, call.now)?;
        call.full = true;
        let entry = self.take(index)?;
        let cause = entry.cause(RemovalCause::Evicted, call.now);
        if cause == RemovalCause::Evicted {
            self.queues.remember(&entry);
        }
        Some(self.let_go(entry, cause, call))
    }

    fn let_go(&mut self, entry: Entry<K, V>, cause: RemovalCause, call: &mut Call<'_, K, V>) -> u64 {
        match cause {
            RemovalCause::Expired => self.counters.expired += 1,
            _ => self.counters.evicted += 1,
        }
        let weight = entry.weight;
        call.garbage.push(entry, cause);
        weight
    }

    /// Gives memory of expired and retired entries back, a bounded number at a time, sparing the entry that is about
    /// to be replaced.
    fn tidy(&mut self, spared: Option<u32>, call: &mut Call<'_, K, V>) {
        let mut freed = 0;
        if self.sweep.is_due(call.now) {
            freed = self.sweep(spared, call);
        }
        if !self.retired.is_empty() {
            for _ in 0..RETIRED_AT_ONCE {
                let Some(entry) = self.pop_retired(SWEEP_MOST) else { break };
                freed += entry.weight;
                call.garbage.push(entry, RemovalCause::Cleared);
            }
        }
        call.budget.release(freed);
    }

    #[cold]
    fn sweep(&mut self, spared: Option<u32>, call: &mut Call<'_, K, V>) -> u64 {
        let mut freed = 0;
        let slots = self.slab.slots();
        let (mut looked_at, mut enough) = (0, SWEEP);
        while looked_at < enough.min(SWEEP_MOST).min(slots) {
            looked_at += 1;
            let mut dead = false;
            let slot = self.sweep.next(slots, |slot| {
                let entry = self.slab.get(slot)?;
                dead = entry.is_dead(call.now) && spared != Some(slot);
                (!dead).then(|| entry.head.expires())
            });
            if dead && let Some(entry) = self.take(slot) {
                freed += self.let_go(entry, RemovalCause::Expired, call);
                enough += SWEEP_ON;
            }
        }
        freed
    }

    /// Removes every expired entry. Returns how many there were, and what they weighed.
    pub(crate) fn sweep_all(&mut self, call: &mut Call<'_, K, V>) -> (usize, u64) {
        let (mut count, mut freed) = (0, 0);
        for slot in 0..u32::try_from(self.slab.slots()).unwrap_or(u32::MAX) {
            if self.slab.get(slot).is_some_and(|entry| entry.is_dead(call.now))
                && let Some(entry) = self.take(slot)
            {
                freed += self.let_go(entry, RemovalCause::Expired, call);
                count += 1;
            }
        }
        (count, freed)
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
