//! The program that is counted: one case, so many calls, everything from fixed seeds.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use cache_core::{Clock, Moment};
use cache_memory::MemoryCache;

use crate::contender::{Body, Contender, Key, Name};
use crate::contenders::TTL;
use crate::contenders::floors::Plain;
use crate::contenders::quick_cache::QuickCache;
use crate::l1::calls::{Bytes, play, ready};
use crate::l1::case::{Case, Kind, Plan};
use crate::l1::field::filled;

/// What is counted. Small, because it runs fifty times slower.
pub const CASES: &[Case] = &[
    Case { name: "get_hit", kind: Kind::Hit, keys: 10_000, capacity: 12_500 },
    Case { name: "get_miss", kind: Kind::Miss, keys: 10_000, capacity: 12_500 },
    Case { name: "insert", kind: Kind::Insert, keys: 10_000, capacity: 10_000 },
    Case { name: "overwrite", kind: Kind::Overwrite, keys: 10_000, capacity: 12_500 },
    Case { name: "mix", kind: Kind::Mix, keys: 10_000, capacity: 10_000 },
];
/// Calls of the two runs, the difference of which counts.
pub const CALLS: (usize, usize) = (2_000, 12_000);
/// Who can be counted; the first is held against the baseline.
pub const CONTENDERS: &[&str] = &["cache-memory", "quick_cache", "HashMap"];

const SEED: u64 = 42;

/// Prepares the longer run and runs so many calls of it. Does not return: what would be dropped afterwards must not be
/// counted.
///
/// # Errors
/// If there is no such contender.
pub fn run_as(contender: &str, case: &Case, calls: usize) -> Result<(), String> {
    match contender {
        "cache-memory" => guest::<Fixed<_, _>>(case, calls),
        "quick_cache" => guest::<QuickCache<_, _>>(case, calls),
        "HashMap" => guest::<Plain<_, _>>(case, calls),
        other => Err(format!("`{other}` is not counted")),
    }
}

fn guest<C: Contender<Name, Bytes>>(case: &Case, calls: usize) -> Result<(), String> {
    let cache = filled::<C>(case);
    let mut all = ready(&Plan::new(case, SEED).next(CALLS.1));
    let calls = all.get_mut(..calls).ok_or("so many calls were not prepared")?;
    black_box(play(&cache, calls));
    std::process::exit(0);
}

/// This project's cache with nothing left to chance: seed, shards and time.
struct Fixed<K: Key, V: Body>(MemoryCache<K, V>);

impl<K: Key, V: Body> Contender<K, V> for Fixed<K, V> {
    const NAME: &'static str = "cache-memory";

    #[expect(clippy::expect_used, reason = "the settings are right")]
    fn with_capacity(capacity: usize) -> Self {
        let builder =
            MemoryCache::builder().max_entries(capacity).seed(SEED).shards(8).clock(Arc::new(Still));
        Self(builder.build().expect("a capacity from 1 up"))
    }

    fn see<R>(&self, key: &K, see: impl FnOnce(&V) -> R) -> Option<R> {
        self.0.get(key).map(|value| see(&value))
    }

    #[expect(clippy::expect_used, reason = "the TTL is right, and nothing is too heavy")]
    fn insert(&self, key: K, value: V) {
        self.0.insert(key, value, TTL).expect("an entry as all others");
    }
}

/// A clock that stands still. The system's is not counted: under valgrind it is another.
#[derive(Debug)]
struct Still;

const NOW: Moment = Moment::from_nanos(1 << 40);

impl Clock for Still {
    fn now(&self) -> Moment {
        NOW
    }

    fn coarse(&self) -> Moment {
        NOW
    }

    fn coarse_error(&self) -> Duration {
        Duration::from_secs(1)
    }

    fn unix_millis(&self) -> u64 {
        0
    }

    fn suspended(&self) -> Duration {
        Duration::ZERO
    }
}
