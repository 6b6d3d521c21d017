//! Making room in a shard: what expired, what was retired, and then what the policy says.

use cache_core::{Fill, Filled, Moment};

use crate::budget::{Amount, Budget};
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
    /// Whether the living were left alone, because something void may make room in their place.
    pub(crate) spared: bool,
    pub(crate) garbage: Garbage<K, V>,
}

impl<'a, K, V> Call<'a, K, V> {
    pub(crate) const fn new(now: Moment, budget: &'a Budget) -> Self {
        Self { now, budget, full: false, spared: false, garbage: Garbage::new() }
    }
}

/// What [`Shard::prepare`] found.
pub(crate) enum Prepared {
    /// There is room and it is reserved; the key's older entry is here.
    Room(Option<u32>),
    /// The entry cannot go in.
    Refused(Filled),
    /// So much has to be freed in other shards first.
    Lacking(Amount),
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
        let old = found.map_or_else(Amount::default, |(_, entry)| entry.amount());
        let found = found.map(|(slot, _)| slot);
        if !when(live.map(|(_, entry)| &entry.value)) || !self.admits(hash, fill) {
            return Prepared::Refused(Filled::Fenced);
        }
        self.tidy(found, call);
        if weight > call.budget.max().weight {
            if let Some(old) = found.and_then(|index| self.take(index)) {
                call.budget.release(old.amount());
                let cause = old.cause(RemovalCause::Replaced, call.now);
                call.garbage.push(old, cause);
            }
            self.fence_for(hash, fill);
            return Prepared::Refused(Filled::TooLarge);
        }
        let new = Amount::entry(weight);
        let lacking = new.beyond(old);
        if call.budget.exchange(new, old) || self.squeeze(found, lacking, call) {
            Prepared::Room(found)
        } else {
            Prepared::Lacking(lacking)
        }
    }

    /// Evicts until it fits, sparing the entry that is being replaced. `false` if it still does not, with what was
    /// freed given back to the budget.
    fn squeeze(&mut self, spared: Option<u32>, lacking: Amount, call: &mut Call<'_, K, V>) -> bool {
        let mut freed = Amount::default();
        call.spared = !call.budget.is_settled(self.epoch);
        if let Some(index) = spared {
            self.queues.unlink(&mut self.slab, index);
        }
        let fits = loop {
            // What is retired weighs, but has no place among the entries any more.
            let place = lacking.entries > freed.entries && call.budget.is_full();
            let more = match (place, call.spared) {
                (true, true) => None,
                (true, false) => self.evict(call),
                (false, true) => self.shed_retired(call),
                (false, false) => self.shed(call),
            };
            let Some(more) = more else {
                call.budget.release(freed);
                break false;
            };
            freed += more;
            if call.budget.exchange(lacking, freed) {
                break true;
            }
        };
        if let Some(index) = spared {
            self.queues.link(&mut self.slab, index);
        }
        fits
    }

    /// Frees what one entry takes: a retired one, or the one that has to go next.
    pub(crate) fn shed(&mut self, call: &mut Call<'_, K, V>) -> Option<Amount> {
        self.shed_retired(call).or_else(|| self.evict(call))
    }

    /// Frees what a retired entry weighs; it has no place among the entries.
    pub(crate) fn shed_retired(&mut self, call: &mut Call<'_, K, V>) -> Option<Amount> {
        let entry = self.pop_retired(usize::MAX)?;
        let weight = entry.weight;
        call.garbage.push(entry, RemovalCause::Cleared);
        Some(Amount { entries: 0, weight })
    }

    fn evict(&mut self, call: &mut Call<'_, K, V>) -> Option<Amount> {
        let index = self.queues.victim(&mut self.slab, call.now)?;
        call.full = true;
        let entry = self.take(index)?;
        let cause = entry.cause(RemovalCause::Evicted, call.now);
        if cause == RemovalCause::Evicted {
            self.queues.remember(&entry);
        }
        Some(self.let_go(entry, cause, call))
    }

    fn let_go(&mut self, entry: Entry<K, V>, cause: RemovalCause, call: &mut Call<'_, K, V>) -> Amount {
        match cause {
            RemovalCause::Expired => self.counters.expired += 1,
            _ => self.counters.evicted += 1,
        }
        let amount = entry.amount();
        call.garbage.push(entry, cause);
        amount
    }

    /// Gives memory of expired and retired entries back, a bounded number at a time, sparing the entry that is about
    /// to be replaced.
    fn tidy(&mut self, spared: Option<u32>, call: &mut Call<'_, K, V>) {
        let mut freed = Amount::default();
        if self.sweep.is_due(call.now) {
            freed = self.sweep(spared, call);
        }
        if !self.retired.is_empty() {
            for _ in 0..RETIRED_AT_ONCE {
                let Some(entry) = self.pop_retired(SWEEP_MOST) else { break };
                freed.weight += entry.weight;
                call.garbage.push(entry, RemovalCause::Cleared);
            }
        }
        call.budget.release(freed);
    }

    #[cold]
    fn sweep(&mut self, spared: Option<u32>, call: &mut Call<'_, K, V>) -> Amount {
        let mut freed = Amount::default();
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

    /// Removes every expired entry. Returns what they took.
    pub(crate) fn sweep_all(&mut self, call: &mut Call<'_, K, V>) -> Amount {
        let mut freed = Amount::default();
        for slot in 0..u32::try_from(self.slab.slots()).unwrap_or(u32::MAX) {
            if self.slab.get(slot).is_some_and(|entry| entry.is_dead(call.now))
                && let Some(entry) = self.take(slot)
            {
                freed += self.let_go(entry, RemovalCause::Expired, call);
            }
        }
        freed
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
