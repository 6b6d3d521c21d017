//! Which answers are worth their memory when there is not enough for all.
//!
//! The map's own eviction knows when an entry was used, not what it saves. So worth is looked at before: when tier 1 is
//! full, an answer goes in only if the time that it saves per byte is not below that of most others that came lately.
//! What time an answer saves is how long its generation took.

use std::sync::atomic::{AtomicU64, Ordering};

use cache_core::{LocalEntry, LocalUsage};

/// Admits what is worth most.
#[derive(Debug, Default)]
pub(crate) struct Worth {
    /// The threshold, in nanoseconds saved per byte.
    threshold: AtomicU64,
    refused: AtomicU64,
}

impl Worth {
    /// From so much of its bounds on, in percent, tier 1 counts as full.
    const FULL: u64 = 95;

    pub(crate) fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    pub(crate) fn admits(&self, entry: &LocalEntry, usage: impl FnOnce() -> LocalUsage) -> bool {
        // Written by hand, not generated: nothing is known of what it saves.
        if entry.meta.cost.is_zero() {
            return true;
        }
        let saved = u64::try_from(entry.meta.cost.as_nanos()).unwrap_or(u64::MAX);
        let density = saved / entry.weight.max(1);
        let threshold = self.threshold.load(Ordering::Relaxed);
        // A step towards the middle of what comes: half is above it, half below. Two steps at a time are one, which does
        // not matter.
        let step = (threshold / 16).max(1);
        let next = if threshold == 0 {
            density
        } else if density > threshold {
            threshold.saturating_add(step).min(density)
        } else {
            threshold.saturating_sub(step).max(density)
        };
        self.threshold.store(next, Ordering::Relaxed);
        if density >= threshold || !is_full(&usage()) {
            return true;
        }
        self.refused.fetch_add(1, Ordering::Relaxed);
        false
    }
}

fn is_full(usage: &LocalUsage) -> bool {
    let full = |held: u64, most: u64| held.saturating_mul(100) >= most.saturating_mul(Worth::FULL);
    full(usage.entries, usage.max_entries) || full(usage.weight, usage.max_weight)
}
