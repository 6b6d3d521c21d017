//! Looking at all entries, a few at a time.

use std::vec;

use cache_core::Moment;

use crate::engine::Engine;
use crate::entry::{Entry, Head};

/// Entries looked at under one lock.
const CHUNK: u32 = 256;

/// Where an entry was seen, and which write it was.
pub(crate) struct Place {
    pub(crate) shard: usize,
    pub(crate) slot: u32,
    pub(crate) stamp: u16,
    pub(crate) expires: Moment,
}

/// What `pick` takes of every entry, a chunk of slots at a time and with no lock held in between. An entry that stays
/// is seen once; what changes meanwhile is seen or not.
pub(crate) struct Walk<'a, K, V, R, F> {
    engine: &'a Engine<K, V>,
    pick: F,
    shard: usize,
    slot: u32,
    seen: vec::IntoIter<(Place, R)>,
}

impl<'a, K: Eq, V, R, F: Fn(&Entry<K, V>) -> Option<R>> Walk<'a, K, V, R, F> {
    pub(crate) fn new(engine: &'a Engine<K, V>, pick: F) -> Self {
        Self { engine, pick, shard: 0, slot: 0, seen: Vec::new().into_iter() }
    }

    /// Fetches the next chunk. `None` after the last shard.
    fn advance(&mut self) -> Option<()> {
        let shard = self.engine.shard_at(self.shard)?;
        let slots = u32::try_from(shard.slab.slots()).unwrap_or(u32::MAX);
        if shard.epoch != self.engine.epoch() || self.slot >= slots {
            self.shard += 1;
            self.slot = 0;
            return Some(());
        }
        let next = slots.min(self.slot + CHUNK);
        let look = |slot| {
            let entry = shard.slab.get(slot)?;
            let Head { stamp, .. } = entry.head;
            let place = Place { shard: self.shard, slot, stamp, expires: entry.head.expires() };
            Some((place, (self.pick)(entry)?))
        };
        self.seen = (self.slot..next).filter_map(look).collect::<Vec<_>>().into_iter();
        self.slot = next;
        Some(())
    }
}

impl<K: Eq, V, R, F: Fn(&Entry<K, V>) -> Option<R>> Iterator for Walk<'_, K, V, R, F> {
    type Item = (Place, R);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(seen) = self.seen.next() {
                return Some(seen);
            }
            self.advance()?;
        }
    }
}
