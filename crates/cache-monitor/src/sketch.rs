//! The keys that are asked for most, from a bounded memory: the algorithm *space-saving*.

use cache_core::redact;
use parking_lot::Mutex;

/// Counters of a shard.
const COUNTERS: usize = 64;
/// A key is always counted in the same one of these.
const SHARDS: usize = 8;
/// A shard that has counted so much halves all that it knows, so that what was asked for long ago does not stay on top.
const HALVE_AT: u64 = 1 << 20;
/// The longest part of a key that is shown, in characters.
const SHOWN: usize = 64;

/// A key and how often it was asked for, since it began to be counted and with the past counting less.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Counted {
    pub(crate) key: Box<str>,
    /// At most so often.
    pub(crate) most: u64,
    /// At least so often.
    pub(crate) least: u64,
}

/// Counts keys. About 30 KiB, and the texts of the keys that are shown.
#[derive(Debug)]
pub(crate) struct Sketch {
    shards: [Mutex<Shard>; SHARDS],
    halve_at: u64,
    shows_keys: bool,
}

#[derive(Debug, Default)]
struct Shard {
    hashes: Vec<u64>,
    counters: Vec<Counter>,
    sum: u64,
}

#[derive(Debug)]
struct Counter {
    count: u64,
    /// What the key took over from the one whose place it took.
    error: u64,
    /// As it may be shown; made when the key was asked for again, because most are not.
    shown: Option<Box<str>>,
}

impl Sketch {
    pub(crate) fn new(shows_keys: bool) -> Self {
        Self { shards: Default::default(), halve_at: HALVE_AT, shows_keys }
    }

    /// Notes that the key of this hash was asked for so often.
    pub(crate) fn count(&self, hash: u64, key: &str, times: u32) {
        let mut shard = self.shards[(hash >> 32) as usize % SHARDS].lock();
        shard.sum += u64::from(times);
        let held = shard.hashes.iter().position(|&held| held == hash);
        let at = if let Some(at) = held {
            shard.counters[at].count += u64::from(times);
            at
        } else if shard.hashes.len() < COUNTERS {
            shard.hashes.push(hash);
            shard.counters.push(Counter { count: times.into(), error: 0, shown: None });
            shard.hashes.len() - 1
        } else {
            let at = (0..COUNTERS).min_by_key(|&at| shard.counters[at].count).unwrap_or(0);
            let error = shard.counters[at].count;
            shard.hashes[at] = hash;
            shard.counters[at] = Counter { count: error + u64::from(times), error, shown: None };
            at
        };
        // A key that came again is worth its text, and one of a sample, which stands for many, at once.
        let counter = &mut shard.counters[at];
        if counter.shown.is_none() && (held.is_some() || times > 1) {
            counter.shown = Some(shown(key, self.shows_keys));
        }
        if shard.sum >= self.halve_at {
            for counter in &mut shard.counters {
                (counter.count, counter.error) = (counter.count / 2, counter.error / 2);
            }
            shard.sum = shard.counters.iter().map(|counter| counter.count).sum();
        }
    }

    /// The `k` keys that were asked for most, the most asked for first. Those are left out of which it is not certain
    /// that they were asked for more than once.
    pub(crate) fn top(&self, k: usize) -> Vec<Counted> {
        let mut all = Vec::new();
        for shard in &self.shards {
            let shard = shard.lock();
            all.extend(shard.counters.iter().filter_map(|counter| {
                let key = counter.shown.clone()?;
                Some(Counted { key, most: counter.count, least: counter.count - counter.error })
            }));
        }
        all.sort_by(|a, b| (b.least, b.most, &a.key).cmp(&(a.least, a.most, &b.key)));
        all.truncate(k);
        all
    }
}

/// A key as a report shows it: its beginning, in clear only where that was asked for.
pub(crate) fn shown(key: &str, in_clear: bool) -> Box<str> {
    if !in_clear {
        return redact(key).into();
    }
    match key.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}… ({} bytes)", &key[..end], key.len()).into(),
        None => key.into(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use cache_core::Seed;
    use proptest::prelude::*;

    use super::*;

    fn count(sketch: &Sketch, key: u32, times: u32) {
        let key = key.to_string();
        sketch.count(Seed::fixed(3).hash(&key), &key, times);
    }

    proptest! {
        /// The guarantees of the algorithm, against exact counts: bounds hold, and whoever was asked for more often than
        /// a counter's share is among the counted.
        #[test]
        fn bounds_hold_and_nobody_frequent_is_missed(
            asked in prop::collection::vec((0_u32..3000, 1_u32..4), 0..3000),
            hot in prop::collection::vec(0_u32..10, 0..800),
        ) {
            let sketch = Sketch::new(true);
            let mut exact: HashMap<String, u64> = HashMap::new();
            for (key, times) in asked.into_iter().chain(hot.into_iter().map(|key| (key, 1))) {
                count(&sketch, key, times);
                *exact.entry(key.to_string()).or_default() += u64::from(times);
            }
            let top = sketch.top(usize::MAX);
            for counted in &top {
                let exact = exact[&*counted.key];
                prop_assert!(counted.least <= exact && exact <= counted.most, "{:?} {}", counted, exact);
            }
            let sums: Vec<u64> = sketch.shards.iter().map(|shard| shard.lock().sum).collect();
            for (key, exact) in &exact {
                let shard = (Seed::fixed(3).hash(key) >> 32) as usize % SHARDS;
                let frequent = *exact > sums[shard] / COUNTERS as u64 && *exact > 1;
                let held = sketch.shards[shard].lock().hashes.contains(&Seed::fixed(3).hash(key));
                prop_assert!(!frequent || held, "{} was asked for {} times", key, exact);
            }
        }
    }

    #[test]
    fn what_was_hot_makes_room_for_what_is() {
        let sketch = Sketch { halve_at: 1000, ..Sketch::new(true) };
        for _ in 0..900 {
            count(&sketch, 1, 1);
        }
        for n in 0..8000 {
            count(&sketch, 2, 1);
            count(&sketch, 100 + n % 500, 1);
        }
        assert_eq!(&*sketch.top(1)[0].key, "2");
    }

    #[test]
    fn keys_are_shown_shortened_and_in_clear_only_on_demand() {
        let key = format!("session:{}", "s3cret".repeat(20));
        assert_eq!(&*shown(&key, false), "`session:…` (128 bytes)");
        let clear = shown(&key, true);
        assert!(clear.starts_with("session:s3cret") && clear.chars().count() < 80, "{clear}");
        assert_eq!(&*shown("é", true), "é");
    }

    #[test]
    fn a_key_that_was_asked_for_once_takes_no_text() {
        let sketch = Sketch::new(true);
        count(&sketch, 1, 1);
        assert_eq!(sketch.top(9), []);
        count(&sketch, 2, 256);
        assert_eq!(sketch.top(9).len(), 1);
    }
}
