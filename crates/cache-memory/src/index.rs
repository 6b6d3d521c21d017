//! Which slot holds the key of a hash.
//!
//! Buckets of one cache line: twelve slots, and a byte of the hash for each. A look-up costs one line in nearly all
//! cases and tells nearly every wrong key before it looks at a slot. The index knows neither keys nor hashes: whoever
//! asks compares them.

use crate::slab::NIL;

const WAYS: usize = 12;
/// Entries that a bucket holds on average when the index is full.
const LOAD: usize = 8;
/// The tag of a free way.
const FREE: u8 = 0;

/// A bucket is full when a new entry goes on to the next one, and counts it; so a search knows where to end, and
/// nothing is left behind by a removal.
#[repr(C, align(64))]
#[derive(Clone)]
struct Bucket {
    tags: [u8; WAYS],
    /// Entries that went on to the next bucket because this one was full.
    passed_by: u32,
    slots: [u32; WAYS],
}

impl Bucket {
    const EMPTY: Self = Self { tags: [FREE; WAYS], passed_by: 0, slots: [NIL; WAYS] };

    /// The ways of this tag. The first one is right; a later one may be wrong, because it is found by a borrow.
    #[inline]
    fn ways_of(&self, tag: u8) -> Ways {
        const ONES: u64 = u64::MAX / 255;
        const FEW: u32 = u32::MAX / 255;
        let [a, b, c, d, e, f, g, h, i, j, k, l] = self.tags;
        let low = u64::from_le_bytes([a, b, c, d, e, f, g, h]) ^ (ONES * u64::from(tag));
        let high = u32::from_le_bytes([i, j, k, l]) ^ (FEW * u32::from(tag));
        // A byte that is zero now is the one that borrows; the top bit of it is left.
        let low = low.wrapping_sub(ONES) & !low & (ONES << 7);
        let high = high.wrapping_sub(FEW) & !high & (FEW << 7);
        Ways(low | u64::from(high) >> 1)
    }

    fn free(&self) -> Option<usize> {
        self.ways_of(FREE).next()
    }
}

/// Of each byte the top bit for one of the first eight ways, the bit below for one of the rest.
struct Ways(u64);

impl Iterator for Ways {
    type Item = usize;

    #[inline]
    fn next(&mut self) -> Option<usize> {
        if self.0 == 0 {
            return None;
        }
        let bit = self.0.trailing_zeros();
        self.0 &= self.0 - 1;
        Some((bit / 8 + 8 * (!bit & 1)) as usize)
    }
}

/// Where a key is, as far as one bucket tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Guess {
    /// Here most likely.
    Slot(u32),
    /// Nowhere.
    Absent,
    /// In another bucket, or nowhere.
    Elsewhere,
}

pub(crate) struct Index {
    buckets: Vec<Bucket>,
    len: usize,
    /// Buckets for as many entries as it was made for.
    share: usize,
}

impl Index {
    /// An index of about this many entries; it takes memory as it fills, and beyond them a little at a time.
    pub(crate) fn new(share: usize) -> Self {
        Self { buckets: Vec::new(), len: 0, share: share.div_ceil(LOAD) }
    }

    /// What one look at the first bucket of a hash tells, which nearly always is all that there is to know.
    #[inline]
    pub(crate) fn guess(&self, hash: u32) -> Guess {
        let Some(bucket) = self.buckets.get(self.home(hash)) else { return Guess::Absent };
        match bucket.ways_of(tag(hash)).next() {
            Some(way) => Guess::Slot(bucket.slots[way]),
            None if bucket.passed_by == 0 => Guess::Absent,
            None => Guess::Elsewhere,
        }
    }

    /// What `pick` makes of the first slot that it takes. It is asked of slots of this hash and of some others.
    #[inline]
    pub(crate) fn find<T>(&self, hash: u32, pick: impl Fn(u32) -> Option<T>) -> Option<T> {
        let home = self.home(hash);
        let mut at = home;
        loop {
            let bucket = self.buckets.get(at)?;
            let found = bucket.ways_of(tag(hash)).find_map(|way| pick(bucket.slots[way]));
            if found.is_some() || bucket.passed_by == 0 {
                return found;
            }
            at = self.next(at);
            // Once around: every bucket can have been passed by.
            if at == home {
                return None;
            }
        }
    }

    /// Adds a slot, which must not be there yet. `hash_of` knows the hashes of all others.
    pub(crate) fn insert(&mut self, hash: u32, slot: u32, hash_of: impl Fn(u32) -> u32) {
        if self.len >= self.buckets.len() * LOAD {
            self.grow(hash_of);
        }
        self.place(hash, slot);
        self.len += 1;
    }

    /// Takes a slot out, if it is there under this hash.
    pub(crate) fn remove(&mut self, hash: u32, slot: u32) {
        let mut at = self.home(hash);
        for passed in 0..self.buckets.len() {
            let Some(bucket) = self.buckets.get_mut(at) else { return };
            if let Some(way) = bucket.ways_of(tag(hash)).find(|&way| bucket.slots[way] == slot) {
                bucket.tags[way] = FREE;
                bucket.slots[way] = NIL;
                self.len -= 1;
                self.return_from(hash, passed);
                return;
            }
            if bucket.passed_by == 0 {
                return;
            }
            at = self.next(at);
        }
    }

    /// An entry of this hash that had passed by so many buckets is gone.
    #[inline]
    fn return_from(&mut self, hash: u32, passed: usize) {
        let mut at = self.home(hash);
        for _ in 0..passed {
            if let Some(bucket) = self.buckets.get_mut(at) {
                bucket.passed_by -= 1;
            }
            at = self.next(at);
        }
    }

    /// The load leaves a way free somewhere.
    fn place(&mut self, hash: u32, slot: u32) {
        let mut at = self.home(hash);
        while let Some(bucket) = self.buckets.get_mut(at) {
            if let Some(way) = bucket.free() {
                bucket.tags[way] = tag(hash);
                bucket.slots[way] = slot;
                return;
            }
            bucket.passed_by += 1;
            at = self.next(at);
        }
    }

    #[cold]
    fn grow(&mut self, hash_of: impl Fn(u32) -> u32) {
        let least = (self.len + 1).div_ceil(LOAD);
        let wanted = if least <= self.share { (2 * least).min(self.share) } else { least + least / 32 };
        let old = std::mem::replace(&mut self.buckets, vec![Bucket::EMPTY; wanted]);
        for slot in old.iter().flat_map(|bucket| bucket.slots).filter(|&slot| slot != NIL) {
            self.place(hash_of(slot), slot);
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

/// The low bits of a hash, because the high ones say the bucket.
#[inline]
fn tag(hash: u32) -> u8 {
    hash.to_le_bytes()[0].max(FREE + 1)
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
        let hash_of = |slot: u32| slot.wrapping_mul(0x9E37_79B1);
        (0..1000).for_each(|slot| index.insert(hash_of(slot), slot, hash_of));
        assert_eq!(index.buckets.len(), 125);
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
                    index.insert(hash, slot, |slot| model[&slot]);
                    model.insert(slot, hash);
                } else if !insert && let Some(hash) = model.remove(&slot) {
                    index.remove(hash, slot);
                }
                index.remove(hash ^ 1, 500);
                prop_assert_eq!(index.len, model.len());
            }
            for slot in 0..120 {
                let hash = model.get(&slot);
                prop_assert_eq!(index.find(*hash.unwrap_or(&0), |other| (other == slot).then_some(slot)), hash.map(|_| slot));
                if let Some(&hash) = hash {
                    prop_assert_ne!(index.guess(hash), Guess::Absent);
                }
            }
            // What was passed by is counted exactly, or a search for what is absent would not end.
            for (&slot, &hash) in &model {
                index.remove(hash, slot);
            }
            prop_assert!(index.buckets.iter().all(|bucket| bucket.passed_by == 0));
        }
    }
}
