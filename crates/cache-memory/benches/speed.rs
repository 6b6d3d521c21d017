//! Rough timings beside a sharded `Mutex<HashMap>` that never evicts and knows no time, for orientation:
//! `cargo bench -p cache-memory --bench speed`. The interleaved rounds make the ratios comparable, not the
//! nanoseconds.
#![allow(clippy::unwrap_used, reason = "a benchmark fails by panicking")]

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use cache_core::{
    Clock, Fill, LocalEntry, LocalTier, Meta, Moment, Seed, Stamp, SystemClock, Value, VersionSource,
};
use cache_memory::{MemoryCache, MemoryTier};
use parking_lot::Mutex;

const ROUNDS: usize = 9;
const READS: usize = 1_000_000;

type Body = Arc<[u8; 256]>;

struct Plain {
    shards: Vec<Mutex<HashMap<String, Body, foldhash::quality::RandomState>>>,
    hasher: foldhash::quality::RandomState,
}

impl Plain {
    fn new() -> Self {
        Self { shards: (0..8).map(|_| Mutex::default()).collect(), hasher: Default::default() }
    }

    fn shard(&self, key: &str) -> &Mutex<HashMap<String, Body, foldhash::quality::RandomState>> {
        let hash = self.hasher.hash_one(key);
        &self.shards[usize::try_from(hash >> 61).unwrap()]
    }
}

fn main() {
    println!("median of {ROUNDS} rounds, ns a call (ratio to the sharded Mutex<HashMap>)");
    for keys in [1000, 100_000] {
        hits(keys);
    }
    churn();
}

fn hits(keys: usize) {
    let names: Vec<String> = (0..keys).map(|n| format!("user:profile:{n:07}")).collect();
    let order = zipf(keys);
    let plain = Plain::new();
    // Twice the room, so that no shard is full and nothing is missing.
    let cache = MemoryCache::new(2 * keys).unwrap();
    let clock = Arc::new(SystemClock::new());
    let tier = MemoryTier::new(2 * keys, u64::MAX, clock.clone()).unwrap();
    let seed = Seed::random();
    for name in &names {
        let body: Body = Arc::new([0; 256]);
        plain.shard(name).lock().insert(name.clone(), body.clone());
        cache.insert(name.clone(), body.clone(), ()).unwrap();
        tier.insert(seed.hash(name), name, entry(&body), Fill::Write);
    }
    let mut times: [Vec<f64>; 4] = Default::default();
    for _ in 0..ROUNDS {
        times[0].push(time(&order, |n| plain.shard(&names[n]).lock().get(&names[n]).cloned().is_some()));
        times[1].push(time(&order, |n| cache.get(&names[n]).is_some()));
        times[2].push(time(&order, |n| {
            let name = &names[n];
            tier.get_fresh(seed.hash(name), name, clock.coarse(), 0).is_some()
        }));
        times[3].push(threads(&order, &|n| cache.get(&names[n]).is_some()));
    }
    let [plain, cache, tier, two] = times.map(median);
    println!(
        "{keys} keys, hit: plain {plain:.0}, cache {cache:.0} ({:.2}), tier {tier:.0} ({:.2}), cache with 2 threads {two:.0}",
        cache / plain,
        tier / plain
    );
}

/// Every insert has to evict.
fn churn() {
    let names: Vec<String> = (0..READS).map(|n| format!("user:profile:{n:07}")).collect();
    let mut times: [Vec<f64>; 2] = Default::default();
    for _ in 0..ROUNDS {
        let (plain, cache) = (Plain::new(), MemoryCache::new(100_000).unwrap());
        let body: Body = Arc::new([0; 256]);
        let order: Vec<usize> = (0..names.len()).collect();
        times[0].push(time(&order, |n| {
            plain.shard(&names[n]).lock().insert(names[n].clone(), body.clone()).is_none()
        }));
        times[1].push(time(&order, |n| cache.insert(names[n].clone(), body.clone(), ()).is_ok()));
    }
    let [plain, cache] = times.map(median);
    println!(
        "insert: plain, growing {plain:.0}, cache of 100000, evicting {cache:.0} ({:.2})",
        cache / plain
    );
}

fn time(order: &[usize], call: impl Fn(usize) -> bool) -> f64 {
    let start = Instant::now();
    for &n in order {
        assert!(black_box(call(n)));
    }
    start.elapsed().as_secs_f64() * 1e9 / order.len() as f64
}

fn threads(order: &[usize], call: &(impl Fn(usize) -> bool + Sync)) -> f64 {
    std::thread::scope(|scope| {
        let both = [0, 1].map(|_| scope.spawn(|| time(order, call)));
        both.map(|one| one.join().unwrap()).into_iter().sum::<f64>() / 2.0
    })
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

fn zipf(keys: usize) -> Vec<usize> {
    let mut sum = 0.0;
    let sums: Vec<f64> = (1..=keys)
        .map(|rank| {
            sum += (rank as f64).powf(-0.99);
            sum
        })
        .collect();
    let random = RandomState::new();
    let at = |n: usize| sum * ((random.hash_one(n) >> 11) as f64 / (1u64 << 53) as f64);
    // A multiplication spreads the popular keys over the memory.
    (0..READS).map(|n| sums.partition_point(|&upto| upto < at(n)).min(keys - 1) * 7919 % keys).collect()
}

fn entry(body: &Body) -> LocalEntry {
    LocalEntry {
        value: Value::typed(Arc::new(body.to_vec())),
        meta: Meta {
            fresh_until: Moment::NEVER,
            dead_at: Moment::NEVER,
            made_at: Moment::START,
            stamp: Stamp::default(),
            tags: None,
            version: VersionSource::new().value(),
            schema: None,
            cost: Duration::ZERO,
            local_only: false,
        },
        weight: 300,
    }
}
