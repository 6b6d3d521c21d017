//! When to look for expired entries, and where.

use cache_core::Moment;

/// Goes round the slots of a shard while any of them may hold an expired entry, and rests while none can.
///
/// That costs nothing for each entry, and no cache misses, as an order by time would; a wheel of buckets would need
/// eight bytes more for each and a second list to keep.
pub(crate) struct Sweep {
    at: usize,
    /// No entry expires before.
    due: Moment,
    /// No entry seen or written since the round began expires before.
    lowest: Moment,
}

impl Sweep {
    pub(crate) const fn new() -> Self {
        Self { at: 0, due: Moment::NEVER, lowest: Moment::NEVER }
    }

    /// An entry has been written that expires then.
    pub(crate) fn note(&mut self, expires: Moment) {
        self.due = self.due.min(expires);
        self.lowest = self.lowest.min(expires);
    }

    pub(crate) fn is_due(&self, now: Moment) -> bool {
        self.due <= now
    }

    /// The next slot of so many. It holds `held`: an entry that expires then, or none.
    pub(crate) fn next(&mut self, slots: usize, held: impl FnOnce(u32) -> Option<Moment>) -> u32 {
        let slot = u32::try_from(self.at).unwrap_or(0);
        if let Some(expires) = held(slot) {
            self.lowest = self.lowest.min(expires);
        }
        self.at += 1;
        if self.at >= slots {
            self.at = 0;
            self.due = std::mem::replace(&mut self.lowest, Moment::NEVER);
        }
        slot
    }
}
