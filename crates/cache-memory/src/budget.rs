//! The weight that all shards share.

use std::sync::atomic::Ordering;

use crate::sync::AtomicU64;

/// Weight in use out of what is allowed.
///
/// One budget for all shards: the largest entry then depends on the settings alone, not on the number of shards, and
/// so not on the number of cores. Weight is reserved before an entry goes in, so the bound holds at every moment.
pub(crate) struct Budget {
    used: AtomicU64,
    max: u64,
}

impl Budget {
    pub(crate) const fn new(max: u64) -> Self {
        Self { used: AtomicU64::new(0), max }
    }

    pub(crate) const fn max(&self) -> u64 {
        self.max
    }

    pub(crate) fn used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }

    pub(crate) fn has_room(&self, weight: u64) -> bool {
        weight <= self.max.saturating_sub(self.used())
    }

    pub(crate) fn try_reserve(&self, weight: u64) -> bool {
        let more = |used: u64| used.checked_add(weight).filter(|&sum| sum <= self.max);
        self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).is_ok()
    }

    pub(crate) fn release(&self, weight: u64) {
        // Entries of one weight replacing one another are the common case and need no shared write.
        if weight > 0 {
            self.used.fetch_sub(weight, Ordering::Relaxed);
        }
    }
}
