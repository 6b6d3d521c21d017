//! A bounded memory of keys: what happened to each last. Keys are kept as 64-bit hashes, never as text.

use cache_core::Moment;
use parking_lot::Mutex;

/// Keys that share a row, of which the one that nothing happened to for longest makes room.
const WAYS: usize = 8;
/// Rows that share a lock.
const SHARDS: usize = 16;

/// Remembers something of each of the last keys, by their hashes. A place costs the size of `T` and 24 bytes.
///
/// Two keys whose hashes are the same are taken for one; the seed of the hashes is random, so nobody can make such a pair, and what is
/// remembered decides nothing but what is told to people.
#[derive(Debug)]
pub(crate) struct Ring<T> {
    shards: Box<[Shard<T>]>,
    rows: usize,
}

type Shard<T> = Mutex<Box<[Row<T>]>>;
type Row<T> = [Option<Place<T>>; WAYS];

#[derive(Clone, Copy, Debug)]
struct Place<T> {
    hash: u64,
    touched: Moment,
    value: T,
}

impl<T: Copy> Ring<T> {
    /// Remembers at least `keys` keys, unless too many fall into one row.
    pub(crate) fn new(keys: usize) -> Self {
        let rows = keys.div_ceil(WAYS * SHARDS).max(1);
        let shard = || Mutex::new(vec![[None; WAYS]; rows].into_boxed_slice());
        Self { shards: (0..SHARDS).map(|_| shard()).collect(), rows }
    }

    /// Memory that it takes, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.rows * SHARDS * size_of::<Row<T>>()
    }

    /// What is remembered of the key.
    pub(crate) fn get(&self, hash: u64) -> Option<T> {
        let rows = self.shard(hash).lock();
        rows[self.row(hash)].iter().flatten().find(|place| place.hash == hash).map(|place| place.value)
    }

    /// Changes what is remembered of the key; `change` is given what is there and says what is to be, `None` being that
    /// nothing changes. Returns what `change` adds.
    pub(crate) fn update<R>(
        &self,
        hash: u64,
        now: Moment,
        change: impl FnOnce(Option<T>) -> (Option<T>, R),
    ) -> R {
        let mut rows = self.shard(hash).lock();
        let row = &mut rows[self.row(hash)];
        let held = row.iter().position(|place| place.as_ref().is_some_and(|place| place.hash == hash));
        let (value, result) = change(held.and_then(|at| row[at]).map(|place| place.value));
        if let Some(value) = value {
            let oldest = || {
                let age = |at: &usize| row[*at].as_ref().map(|place| place.touched);
                (0..WAYS).min_by_key(age).unwrap_or(0)
            };
            let at = held.unwrap_or_else(oldest);
            row[at] = Some(Place { hash, touched: now, value });
        }
        result
    }

    #[allow(clippy::cast_possible_truncation, reason = "the remainder is a position")]
    fn shard(&self, hash: u64) -> &Shard<T> {
        &self.shards[hash as usize % SHARDS]
    }

    #[allow(clippy::cast_possible_truncation, reason = "the remainder is a position")]
    fn row(&self, hash: u64) -> usize {
        ((hash / SHARDS as u64) % self.rows as u64) as usize
    }
}

/// A key without what people get wrong in keys: case, separators, spaces. Two keys that look alike have the same form.
pub(crate) fn plain_form(key: &str) -> String {
    let mut plain = String::with_capacity(key.len());
    for word in key.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()) {
        if !plain.is_empty() {
            plain.push(':');
        }
        plain.extend(word.chars().map(|c| c.to_ascii_lowercase()));
    }
    plain
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::time::Duration;

    use cache_core::Seed;
    use proptest::prelude::*;

    use super::*;

    fn hash(key: u32) -> u64 {
        Seed::fixed(7).hash(&key.to_string())
    }

    fn at(n: usize) -> Moment {
        Moment::START + Duration::from_secs(n as u64)
    }

    proptest! {
        /// A model that forgets nothing: what the ring remembers is the last that was said, and of the last keys it
        /// forgets none.
        #[test]
        fn what_is_remembered_was_said_last(keys in prop::collection::vec(0_u32..2000, 0..600)) {
            let ring = Ring::new(64);
            let mut model = HashMap::new();
            for (n, key) in keys.iter().enumerate() {
                let key = hash(*key);
                let before = ring.update(key, at(n), |held| (Some(n), held));
                prop_assert!(before.is_none() || before == model.get(&key).copied(), "{before:?}");
                model.insert(key, n);
                prop_assert_eq!(ring.get(key), Some(n));
            }
            let mut last: Vec<_> = model.into_iter().collect();
            last.sort_by_key(|(_, n)| std::cmp::Reverse(*n));
            for (at, (key, n)) in last.iter().enumerate() {
                match ring.get(*key) {
                    Some(held) => prop_assert_eq!(held, *n),
                    // A row has room for eight, so none of the last eight can have been pushed out.
                    None => prop_assert!(at >= WAYS, "{} of the last is forgotten", at),
                }
            }
        }
    }

    #[test]
    fn it_takes_what_it_says_and_no_more() {
        let ring: Ring<u64> = Ring::new(16_384);
        assert_eq!(ring.bytes(), 16_384 * size_of::<Option<Place<u64>>>());
        for n in 0..100_000 {
            ring.update(hash(n), at(n as usize), |_| (Some(1), ()));
        }
        let held: usize =
            ring.shards.iter().map(|shard| shard.lock().iter().flatten().flatten().count()).sum();
        assert!(held <= 16_384 && held > 15_000, "{held}");
    }

    #[test]
    fn nothing_is_kept_of_a_key_that_nothing_is_said_of() {
        let ring: Ring<u8> = Ring::new(8);
        assert!(ring.update(hash(1), at(1), |held| (None, held.is_none())));
        assert_eq!(ring.get(hash(1)), None);
    }

    #[test]
    fn keys_that_people_mix_up_have_one_plain_form() {
        for key in ["user:42:Profile", "USER_42_profile", " user 42 profile ", "user::42/profile"] {
            assert_eq!(plain_form(key), "user:42:profile", "{key}");
        }
        assert_ne!(plain_form("user:4:2"), plain_form("user:42"));
    }
}
