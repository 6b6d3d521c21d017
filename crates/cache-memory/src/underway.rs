//! The loads of a shard's keys: what happens to a key ends the ticket of its load, and no other's.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::hash::Hashed;
use crate::sync::AtomicBool;

/// What a load goes by: valid until its key is written or removed, or a new epoch begins.
pub(crate) struct Ticket {
    /// All 64 bits: hardly two keys ever share them, and then only end each other's loads in vain.
    hash: u64,
    epoch: u64,
    /// Set under the lock of the shard, and asked there before what was loaded goes in.
    is_void: AtomicBool,
}

impl Ticket {
    pub(crate) fn is_valid(&self, epoch: u64) -> bool {
        self.epoch == epoch && !self.is_void.load(Ordering::Relaxed)
    }
}

/// The valid tickets of a shard, and some that nobody holds any more.
#[derive(Default)]
pub(crate) struct Underway(Vec<Arc<Ticket>>);

impl Underway {
    pub(crate) fn begin(&mut self, hash: Hashed, epoch: u64) -> Arc<Ticket> {
        // A load that failed has left its ticket here: it needs no lock at its end.
        self.0.retain(|ticket| Arc::strong_count(ticket) > 1);
        let ticket = Arc::new(Ticket { hash: hash.0, epoch, is_void: AtomicBool::new(false) });
        self.0.push(ticket.clone());
        ticket
    }

    /// The key was written or removed.
    #[inline]
    pub(crate) fn end(&mut self, hash: Hashed) {
        if !self.0.is_empty() {
            self.end_some(hash);
        }
    }

    #[cold]
    #[inline(never)]
    fn end_some(&mut self, hash: Hashed) {
        self.0.retain(|ticket| {
            let ends = ticket.hash == hash.0;
            if ends {
                ticket.is_void.store(true, Ordering::Relaxed);
            }
            !ends && Arc::strong_count(ticket) > 1
        });
    }
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use super::*;

    #[test]
    fn a_load_ends_by_its_own_key_or_with_the_epoch() {
        let mut loads = Underway::default();
        let (one, other) = (loads.begin(Hashed(1), 5), loads.begin(Hashed(2), 5));
        loads.end(Hashed(1));
        assert_eq!((one.is_valid(5), other.is_valid(5), other.is_valid(6)), (false, true, false));
        assert!(loads.begin(Hashed(1), 5).is_valid(5), "the next one is another");
    }

    #[test]
    fn tickets_that_nobody_holds_are_not_kept() {
        let mut loads = Underway::default();
        for _ in 0..100 {
            drop(loads.begin(Hashed(1), 0));
        }
        assert_eq!(loads.0.len(), 1);
        loads.end(Hashed(2));
        assert!(loads.0.is_empty());
    }
}
