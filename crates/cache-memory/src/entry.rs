//! What the map keeps of an entry.

use cache_core::Moment;

use crate::slab::NIL;

pub(crate) struct Entry<K, V> {
    pub(crate) node: Node,
    pub(crate) key: K,
    pub(crate) value: V,
}

/// What is known of an entry beside key and value.
pub(crate) struct Node {
    /// From here on it is not served.
    pub(crate) expires: Moment,
    pub(crate) weight: u64,
    /// The part of the key's hash that the table and the ghost work with.
    pub(crate) hash: u32,
    /// Which write to the shard it came with: tells it from a later one in the same slot.
    pub(crate) stamp: u32,
    /// Neighbours in its queue.
    pub(crate) prev: u32,
    pub(crate) next: u32,
    pub(crate) queue: Queue,
    /// Hits since it was last looked at by the policy, up to [`Node::MAX_FREQUENCY`].
    pub(crate) frequency: u8,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Queue {
    Small,
    Main,
}

impl Node {
    const MAX_FREQUENCY: u8 = 3;

    pub(crate) fn new(hash: u32, stamp: u32, expires: Moment, weight: u64) -> Self {
        Self { expires, weight, hash, stamp, prev: NIL, next: NIL, queue: Queue::Small, frequency: 0 }
    }

    /// Counts a hit. Written only if it changes, so that a hot entry's cache line stays clean.
    #[inline]
    pub(crate) fn touch(&mut self) {
        if self.frequency < Self::MAX_FREQUENCY {
            self.frequency += 1;
        }
    }

    pub(crate) fn is_dead(&self, now: Moment) -> bool {
        self.expires <= now
    }
}

/// Entries on their way out. They are dropped after the lock is released, because a value's `Drop` is user code.
///
/// One is the rule and costs no allocation.
pub(crate) struct Garbage<K, V> {
    first: Option<Entry<K, V>>,
    more: Vec<Entry<K, V>>,
    /// A replaced key or value.
    pub(crate) replaced: Option<(K, V)>,
}

impl<K, V> Garbage<K, V> {
    pub(crate) const fn new() -> Self {
        Self { first: None, more: Vec::new(), replaced: None }
    }

    pub(crate) fn push(&mut self, entry: Entry<K, V>) {
        if self.first.is_none() {
            self.first = Some(entry);
        } else {
            self.more.push(entry);
        }
    }
}
