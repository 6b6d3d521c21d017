//! A small table that only grows, up to a bound, and is read and extended without a lock.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// Values by key, at most a fixed number of them. Whatever comes when all places are taken shares one more value, and is
/// counted.
///
/// A look-up compares the keys one by one, so this is for tens of keys, not for thousands.
#[derive(Debug)]
pub(crate) struct Slots<K, V> {
    taken: Box<[OnceLock<(K, V)>]>,
    other: V,
    overflows: AtomicU64,
}

impl<K: PartialEq + Copy, V: Default> Slots<K, V> {
    pub(crate) fn new(most: usize) -> Self {
        Self {
            taken: (0..most).map(|_| OnceLock::new()).collect(),
            other: V::default(),
            overflows: AtomicU64::new(0),
        }
    }

    /// The key's value, which is made if there is a place for it; else the one that all others share.
    pub(crate) fn get(&self, key: K) -> &V {
        for slot in &self.taken {
            let (held, value) = slot.get_or_init(|| (key, V::default()));
            if *held == key {
                return value;
            }
        }
        self.overflows.fetch_add(1, Ordering::Relaxed);
        &self.other
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (K, &V)> {
        self.taken.iter().map_while(OnceLock::get).map(|(key, value)| (*key, value))
    }

    /// What the keys without a place share, if there was one.
    pub(crate) fn other(&self) -> Option<&V> {
        (self.overflows() > 0).then_some(&self.other)
    }

    /// How often a key had no place.
    pub(crate) fn overflows(&self) -> u64 {
        self.overflows.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_first_keys_have_places_and_the_others_share_one(keys in prop::collection::vec(0_u8..12, 0..200)) {
            let slots: Slots<u8, AtomicU64> = Slots::new(5);
            let (mut model, mut other) = (BTreeMap::new(), 0);
            for &key in &keys {
                slots.get(key).fetch_add(1, Ordering::Relaxed);
                if model.len() < 5 || model.contains_key(&key) {
                    *model.entry(key).or_insert(0) += 1;
                } else {
                    other += 1;
                }
            }
            let held: BTreeMap<u8, u64> =
                slots.iter().map(|(key, count)| (key, count.load(Ordering::Relaxed))).collect();
            prop_assert_eq!(held, model);
            prop_assert_eq!(slots.overflows(), other);
            prop_assert_eq!(slots.other().map_or(0, |count| count.load(Ordering::Relaxed)), other);
        }
    }

    #[test]
    fn threads_that_come_at_once_have_one_place_for_a_key() {
        let slots: Slots<u64, AtomicU64> = Slots::new(8);
        std::thread::scope(|scope| {
            for start in 0..4 {
                let slots = &slots;
                scope.spawn(move || {
                    for n in 0..8_000 {
                        slots.get((start + n) % 8).fetch_add(1, Ordering::Relaxed);
                    }
                });
            }
        });
        let counts: Vec<u64> = slots.iter().map(|(_, count)| count.load(Ordering::Relaxed)).collect();
        assert_eq!((counts, slots.overflows()), (vec![4_000; 8], 0));
    }
}
