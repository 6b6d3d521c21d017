//! Which slot holds the key of a hash.
//!
//! Buckets of one cache line: seven hashes, and the slots that they lead to. A look-up costs one line in nearly all
//! cases, and tells a wrong key by 32 bits before it looks at the slot. It knows no keys: whoever asks compares them.

use crate::slab::NIL;

const WAYS: usize = 7;
/// Entries that a bucket holds on average when the index is full.
const LOAD: usize = 5;
const FEWEST_BUCKETS: usize = 1;

/// A bucket is full when a new entry goes on to the next one, and counts it; so a search knows where to end, and
/// nothing is left behind by a removal.
#[repr(align(64))]
#[derive(Clone)]
struct Bucket {
    /// The last is not a hash but the number of those who went on, so that the compiler compares whole registers.
    hashes: [u32; WAYS + 1],
    slots: [u32; WAYS],
}

impl Bucket {
    const EMPTY: Self = Self { hashes: [0; WAYS + 1], slots: [NIL; WAYS] };

    /// A bit for each way of this hash. A free way may be among them; its slot is `NIL`.
    #[inline]
    fn ways_of(&self, hash: u32) -> u32 {
        let mut ways = 0;
        for way in 0..=WAYS {
            ways |= if self.hashes[way] == hash { 1 << way } else { 0 };
        }
        ways & ((1 << WAYS) - 1)
    }

    fn passed_by(&mut self) -> &mut u32 {
        &mut self.hashes[WAYS]
    }
}

pub(crate) struct Index {
    buckets: Vec<Bucket>,
    len: usize,
    most: usize,
}

impl Index {
    /// An index of at most this many entries; it takes memory as it fills.
    pub(crate) fn new(max_entries: usize) -> Self {
        Self { buckets: Vec::new(), len: 0, most: max_entries.div_ceil(LOAD) }
    }

    /// The slot of this hash of which `is_it` says yes.
    #[inline]
    pub(crate) fn find(&self, hash: u32, is_it: impl Fn(u32) -> bool) -> Option<u32> {
        let mut at = self.home(hash);
        // Once around at most: every bucket can have been passed by.
        for _ in 0..self.buckets.len() {
            let bucket = self.buckets.get(at)?;
            let mut ways = bucket.ways_of(hash);
            while ways != 0 {
                let slot = bucket.slots[ways.trailing_zeros() as usize];
                if is_it(slot) {
                    return Some(slot);
                }
                ways &= ways - 1;
            }
            if bucket.hashes[WAYS] == 0 {
                return None;
            }
            at = self.next(at);
        }
        None
    }

    /// Adds a slot, which must not be there yet.
    pub(crate) fn insert(&mut self, hash: u32, slot: u32) {
        if self.len >= self.buckets.len() * LOAD {
            self.grow();
        }
        self.place(hash, slot);
        self.len += 1;
    }

    /// Takes a slot out, if it is there under this hash.
    pub(crate) fn remove(&mut self, hash: u32, slot: u32) {
        if self.find(hash, |other| other == slot).is_none() {
            return;
        }
        self.len -= 1;
        let mut at = self.home(hash);
        while let Some(bucket) = self.buckets.get_mut(at) {
            if let Some(way) = bucket.slots.iter().position(|&other| other == slot) {
                bucket.slots[way] = NIL;
                bucket.hashes[way] = 0;
                return;
            }
            *bucket.passed_by() -= 1;
            at = self.next(at);
        }
    }

    /// The load leaves a way free somewhere.
    fn place(&mut self, hash: u32, slot: u32) {
        let mut at = self.home(hash);
        while let Some(bucket) = self.buckets.get_mut(at) {
            if let Some(way) = bucket.slots.iter().position(|&other| other == NIL) {
                bucket.slots[way] = slot;
                bucket.hashes[way] = hash;
                return;
            }
            *bucket.passed_by() += 1;
            at = self.next(at);
        }
    }

    #[cold]
    fn grow(&mut self) {
        let least = (self.len + 1).div_ceil(LOAD);
        let wanted = (2 * self.buckets.len()).min(self.most).max(least).max(FEWEST_BUCKETS);
        let old = std::mem::replace(&mut self.buckets, vec![Bucket::EMPTY; wanted]);
        for bucket in &old {
            for (&hash, &slot) in bucket.hashes.iter().zip(&bucket.slots).filter(|&(_, &slot)| slot != NIL) {
                self.place(hash, slot);
            }
        }
    }

    #[inline]
    fn home(&self, hash: u32) -> usize {
        usize::try_from((u64::from(hash) * self.buckets.len() as u64) >> 32).unwrap_or(0)
    }

    #[inline]
    fn next(&self, at: usize) -> usize {
        if at + 1 < self.buckets.len() { at + 1 } else { 0 }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_bucket_is_a_cache_line() {
        assert_eq!(size_of::<Bucket>(), 64);
    }

    #[test]
    fn an_index_takes_no_more_than_it_was_made_for() {
        let mut index = Index::new(1000);
        (0..1000u32).for_each(|slot| index.insert(slot.wrapping_mul(0x9E37_79B1), slot));
        assert_eq!(index.buckets.len(), 200);
    }

    /// Hashes from a few values, so that buckets overflow and equal hashes meet.
    fn steps() -> impl Strategy<Value = Vec<(bool, u32, u32)>> {
        let hash = prop_oneof![Just(0), Just(u32::MAX), 0..8u32, any::<u32>()];
        prop::collection::vec((any::<bool>(), hash, 0..120u32), 1..400)
    }

    proptest! {
        #[test]
        fn it_finds_what_a_set_finds(steps in steps()) {
            let (mut index, mut model) = (Index::new(120), HashMap::new());
            for (insert, hash, slot) in steps {
                if insert && !model.contains_key(&slot) {
                    model.insert(slot, hash);
                    index.insert(hash, slot);
                } else if !insert && let Some(hash) = model.remove(&slot) {
                    index.remove(hash, slot);
                }
                index.remove(hash ^ 1, 500);
                prop_assert_eq!(index.len, model.len());
            }
            for slot in 0..120 {
                let hash = model.get(&slot);
                prop_assert_eq!(index.find(*hash.unwrap_or(&0), |other| other == slot), hash.map(|_| slot));
            }
            // What was passed by is counted exactly, or a search for what is absent would not end.
            for (&slot, &hash) in &model {
                index.remove(hash, slot);
            }
            prop_assert!(index.buckets.iter().all(|bucket| bucket.hashes[WAYS] == 0));
        }
    }
}
