//! The largest values that were written, by key.

use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

use crate::sketch::shown;

/// So many keys are remembered.
const MOST: usize = 32;

/// Remembers the keys with the largest values. A key whose value is written anew counts with its new size.
#[derive(Debug, Default)]
pub(crate) struct Largest {
    held: Mutex<Vec<Held>>,
    /// What is smaller need not be looked at, unless its key is held; 0 while there is room.
    least: AtomicU64,
    shows_keys: bool,
}

#[derive(Debug)]
struct Held {
    hash: u64,
    bytes: u64,
    shown: Box<str>,
}

impl Largest {
    pub(crate) fn new(shows_keys: bool) -> Self {
        Self { shows_keys, ..Self::default() }
    }

    /// Notes that a value of so many bytes was written under the key of this hash.
    pub(crate) fn written(&self, hash: u64, key: &str, bytes: u64) {
        // Most values are small and stay so: they take no lock. One that was large and has become small is only noticed
        // when a larger one takes its place.
        if bytes < self.least.load(Ordering::Relaxed) / 2 {
            return;
        }
        let mut held = self.held.lock();
        if let Some(at) = held.iter().position(|held| held.hash == hash) {
            held[at].bytes = bytes;
        } else if held.len() < MOST {
            held.push(Held { hash, bytes, shown: shown(key, self.shows_keys) });
        } else if let Some(at) = (0..MOST).min_by_key(|&at| held[at].bytes)
            && held[at].bytes < bytes
        {
            held[at] = Held { hash, bytes, shown: shown(key, self.shows_keys) };
        }
        if held.len() == MOST {
            self.least.store(held.iter().map(|held| held.bytes).min().unwrap_or(0), Ordering::Relaxed);
        }
    }

    /// The `k` keys with the largest values, the largest first, with their sizes.
    pub(crate) fn top(&self, k: usize) -> Vec<(Box<str>, u64)> {
        let mut top: Vec<_> = self.held.lock().iter().map(|held| (held.shown.clone(), held.bytes)).collect();
        top.sort_by(|a, b| (b.1, &a.0).cmp(&(a.1, &b.0)));
        top.truncate(k);
        top
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_largest_of_keys_that_are_written_once_are_found(sizes in prop::collection::vec(0_u64..1_000_000, 0..500)) {
            let largest = Largest::new(true);
            let mut exact: HashMap<u64, u64> = HashMap::new();
            for (key, &bytes) in sizes.iter().enumerate() {
                largest.written(key as u64, &key.to_string(), bytes);
                exact.insert(key as u64, bytes);
            }
            let mut sorted: Vec<u64> = exact.into_values().collect();
            sorted.sort_unstable_by_key(|bytes| std::cmp::Reverse(*bytes));
            sorted.truncate(10);
            let top: Vec<u64> = largest.top(10).into_iter().map(|(_, bytes)| bytes).collect();
            prop_assert_eq!(top, sorted);
        }
    }

    #[test]
    fn a_value_written_anew_counts_with_its_new_size_and_no_key_is_shown() {
        let largest = Largest::new(false);
        largest.written(1, "user:secret", 100);
        largest.written(2, "page:secret", 70);
        largest.written(1, "user:secret", 60);
        let top = largest.top(9);
        assert_eq!(top, [("`page:…` (11 bytes)".into(), 70), ("`user:…` (11 bytes)".into(), 60)]);
    }
}
