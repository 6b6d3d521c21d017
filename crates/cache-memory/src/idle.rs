//! Time to idle: an entry that nobody reads ends before its TTL.

use std::time::Duration;

use cache_core::Moment;

use crate::entry::Head;

/// Kept by a shard whose entries end when they are idle; the others pay nothing for it.
pub(crate) struct Idle {
    after: Duration,
    /// When the TTL of the entry in each slot is over, whoever reads it.
    ends: Vec<Moment>,
}

impl Idle {
    pub(crate) const fn new(after: Duration) -> Self {
        Self { after, ends: Vec::new() }
    }

    /// The entry in this slot was written and its TTL ends at `end`. Returns when it expires unless it is read.
    pub(crate) fn written(&mut self, slot: u32, head: &Head, end: Moment, now: Moment) -> Moment {
        let slot = slot as usize;
        if slot >= self.ends.len() {
            self.ends.resize(slot + 1, Moment::NEVER);
        }
        self.ends[slot] = end;
        let expires = end.min(now + self.after);
        head.expire_at(expires);
        expires
    }

    /// The entry in this slot was read.
    pub(crate) fn read(&self, slot: u32, head: &Head, now: Moment) {
        let end = self.ends.get(slot as usize).copied().unwrap_or(Moment::NEVER);
        // The coarse time lags: reading an entry must not end it sooner than leaving it alone.
        head.expire_at(end.min(now + self.after).max(head.expires()));
    }
}
