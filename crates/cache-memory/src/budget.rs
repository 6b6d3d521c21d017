//! The bounds: so many entries, so much weight.

use std::ops::AddAssign;
use std::sync::atomic::Ordering;

use crate::sync::AtomicU64;

/// Entries and weight together: what is asked for, held or given back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Amount {
    pub(crate) entries: u64,
    pub(crate) weight: u64,
}

impl Amount {
    /// One entry of this weight.
    pub(crate) const fn entry(weight: u64) -> Self {
        Self { entries: 1, weight }
    }

    /// What this is beyond `other`, nothing where it is not.
    #[must_use]
    pub(crate) const fn beyond(self, other: Self) -> Self {
        Self {
            entries: self.entries.saturating_sub(other.entries),
            weight: self.weight.saturating_sub(other.weight),
        }
    }
}

impl AddAssign for Amount {
    fn add_assign(&mut self, other: Self) {
        self.entries += other.entries;
        self.weight += other.weight;
    }
}

/// What is in use out of what is allowed.
///
/// One budget for all shards: what a cache holds and the largest entry then depend on the settings alone, not on the
/// number of shards, and so not on the number of cores. It is reserved before an entry goes in, so both bounds hold at
/// every moment.
pub(crate) struct Budget {
    entries: AtomicU64,
    weight: AtomicU64,
    /// What was retired before this epoch weighs nothing any more.
    settled: AtomicU64,
    max: Amount,
}

impl Budget {
    pub(crate) const fn new(max: Amount) -> Self {
        Self { entries: AtomicU64::new(0), weight: AtomicU64::new(0), settled: AtomicU64::new(0), max }
    }

    pub(crate) const fn max(&self) -> Amount {
        self.max
    }

    /// Those of retired entries are among them, until their shard begins the present epoch.
    pub(crate) fn entries(&self) -> u64 {
        self.entries.load(Ordering::Relaxed)
    }

    pub(crate) fn weight(&self) -> u64 {
        self.weight.load(Ordering::Relaxed)
    }

    pub(crate) fn is_settled(&self, epoch: u64) -> bool {
        self.settled.load(Ordering::Relaxed) == epoch
    }

    /// Every shard has begun this epoch, and holds nothing of those before.
    pub(crate) fn settle(&self, epoch: u64) {
        self.settled.store(epoch, Ordering::Relaxed);
    }

    /// Whether another entry has to make room for the next one, whatever they weigh.
    pub(crate) fn is_full(&self) -> bool {
        self.entries.load(Ordering::Relaxed) >= self.max.entries
    }

    pub(crate) fn has_room(&self, amount: Amount) -> bool {
        let room = |used: &AtomicU64, max: u64| max.saturating_sub(used.load(Ordering::Relaxed));
        amount.entries <= room(&self.entries, self.max.entries)
            && amount.weight <= room(&self.weight, self.max.weight)
    }

    /// Takes `wanted` in exchange for `had`, or changes nothing.
    pub(crate) fn exchange(&self, wanted: Amount, had: Amount) -> bool {
        let fits = self.try_reserve(wanted.beyond(had));
        if fits {
            self.release(had.beyond(wanted));
        }
        fits
    }

    /// All of it, or nothing.
    fn try_reserve(&self, amount: Amount) -> bool {
        if !reserve(&self.entries, amount.entries, self.max.entries) {
            return false;
        }
        let reserved = reserve(&self.weight, amount.weight, self.max.weight);
        if !reserved {
            give_back(&self.entries, amount.entries);
        }
        reserved
    }

    pub(crate) fn release(&self, amount: Amount) {
        give_back(&self.entries, amount.entries);
        give_back(&self.weight, amount.weight);
    }
}

// Entries of one weight replacing one another are the common case of a full cache and need no shared write.

fn reserve(used: &AtomicU64, amount: u64, max: u64) -> bool {
    let more = |used: u64| used.checked_add(amount).filter(|&sum| sum <= max);
    amount == 0 || used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).is_ok()
}

fn give_back(used: &AtomicU64, amount: u64) {
    if amount > 0 {
        used.fetch_sub(amount, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_takes_nothing() {
        let budget = Budget::new(Amount { entries: 2, weight: 10 });
        assert!(budget.try_reserve(Amount::entry(4)));
        assert!(!budget.try_reserve(Amount::entry(7)), "too heavy");
        assert!(!budget.try_reserve(Amount { entries: 2, weight: 1 }), "too many");
        assert!(budget.has_room(Amount::entry(6)) && !budget.has_room(Amount::entry(7)));
        assert!(!budget.try_reserve(Amount { entries: 0, weight: u64::MAX }), "a sum that does not fit");
        assert!(budget.try_reserve(Amount::entry(6)) && budget.is_full());
        budget.release(Amount::entry(6));
        assert_eq!((budget.weight(), budget.is_full()), (4, false));
    }
}
