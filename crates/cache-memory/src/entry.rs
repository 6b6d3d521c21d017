//! What the map keeps of an entry.

use std::sync::atomic::Ordering;

use cache_core::Moment;

use crate::budget::Amount;
use crate::garbage::RemovalCause;
use crate::slab::NIL;
use crate::sync::{AtomicBool, AtomicU64};

/// What a look-up reads comes first, in this order, so that it lies in as few cache lines as can be.
#[repr(C)]
pub(crate) struct Entry<K, V> {
    pub(crate) head: Head,
    pub(crate) key: K,
    pub(crate) value: V,
    pub(crate) weight: u64,
    pub(crate) links: Links,
}

/// What readers change is atomic, because they share the lock.
pub(crate) struct Head {
    expires: AtomicU64,
    /// The part of the key's hash that index and ghosts work with.
    pub(crate) hash: u32,
    /// Which write to the shard it came with, modulo 2¹⁶: tells it from the next ones in the same slot.
    pub(crate) stamp: u16,
    pub(crate) queue: Queue,
    /// Whether it was hit since the policy looked at it last.
    hit: AtomicBool,
}

/// Neighbours in the queue.
pub(crate) struct Links {
    pub(crate) prev: u32,
    pub(crate) next: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Queue {
    Small,
    /// The small one, for another round.
    Spared,
    Main,
}

impl<K, V> Entry<K, V> {
    pub(crate) fn new(hash: u32, stamp: u16, expires: Moment, weight: u64, key: K, value: V) -> Self {
        let expires = AtomicU64::new(expires.as_nanos());
        let head = Head { expires, hash, stamp, queue: Queue::Small, hit: AtomicBool::new(false) };
        Self { head, key, value, weight, links: Links { prev: NIL, next: NIL } }
    }

    /// What it takes of the budget.
    pub(crate) const fn amount(&self) -> Amount {
        Amount::entry(self.weight)
    }

    pub(crate) fn is_dead(&self, now: Moment) -> bool {
        self.head.expires() <= now
    }

    /// Why it goes: for `cause`, unless its time was over anyway.
    pub(crate) fn cause(&self, cause: RemovalCause, now: Moment) -> RemovalCause {
        if self.is_dead(now) { RemovalCause::Expired } else { cause }
    }
}

impl Head {
    /// From here on the entry is not served.
    #[inline]
    pub(crate) fn expires(&self) -> Moment {
        Moment::from_nanos(self.expires.load(Ordering::Relaxed))
    }

    pub(crate) fn expire_at(&self, expires: Moment) {
        self.expires.store(expires.as_nanos(), Ordering::Relaxed);
    }

    /// Notes a hit. Written only if it changes, so that a hot entry's cache line stays clean.
    #[inline]
    pub(crate) fn touch(&self) {
        if !self.hit.load(Ordering::Relaxed) {
            self.hit.store(true, Ordering::Relaxed);
        }
    }

    /// Whether it was hit since this was asked last.
    pub(crate) fn take_hit(&mut self) -> bool {
        std::mem::take(self.hit.get_mut())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::slab::Slab;

    /// A look-up reads the first 48 bytes, and a slot is a cache line long.
    #[test]
    fn the_slot_of_a_string_and_an_arc_takes_64_bytes() {
        assert_eq!(Slab::<Entry<String, Arc<[u8; 256]>>>::SLOT, 64);
        assert_eq!(Slab::<Entry<u64, u64>>::SLOT, 48, "also where key and value have no value to spare");
        assert_eq!(size_of::<Head>(), 16);
    }
}
