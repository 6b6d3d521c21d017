//! What a hit in tier 1 costs through `Cache::get`, beside the bare map and the bare tier.
//!
//! All contenders take turns within each round, so that a change of the machine's speed meets them alike; the ratios
//! are taken within a round. One JSON object a line. Ends with an error if the median ratio of `Cache::get` to the bare
//! map is above [`MOST`].
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a benchmark fails by a panic")]

use std::future::Future;
use std::hint::black_box;
use std::pin::pin;
use std::process::ExitCode;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use cache_core::{Clock, Fill, LocalEntry, LocalTier, Meta, Moment, Seed, Stamp, Value, VersionSource};
use cache_memory::{MemoryCache, MemoryTier};
use cache_tiered::{Cache, Namespace, TokioTimer};

const ROUNDS: usize = 21;
const OPS: usize = 200_000;
const SKEW: f64 = 0.99;
const MOST: f64 = 2.0;
const HOUR: Duration = Duration::from_secs(3600);

type Payload = [u64; 4];

fn main() -> ExitCode {
    let mut passed = true;
    for count in [1_000, 100_000] {
        passed &= compare(count) <= MOST;
    }
    if passed {
        return ExitCode::SUCCESS;
    }
    eprintln!("Cache::get costs more than {MOST} times what the bare map does");
    ExitCode::FAILURE
}

/// Returns the median ratio of `Cache::get` to the bare map.
fn compare(count: usize) -> f64 {
    let keys: Vec<String> = (0..count).map(key).collect();
    let asked: Vec<usize> = zipf(count, OPS);
    let timer = Arc::new(TokioTimer::new());

    let map: MemoryCache<String, Arc<Payload>> =
        MemoryCache::builder().max_entries(2 * count).clock(timer.clone()).build().unwrap();
    let seed = Seed::random();
    let tier = MemoryTier::new(2 * count, 1 << 30, timer.clone()).unwrap();
    let behind = Arc::new(MemoryTier::new(2 * count, 1 << 30, timer.clone()).unwrap());
    let cache = Cache::builder(Namespace::new("hit").unwrap()).local(behind).timer(timer.clone());
    let cache = cache.build().unwrap();
    let versions = VersionSource::new();
    for (at, key) in keys.iter().enumerate() {
        let value = [at as u64; 4];
        map.insert(key.clone(), Arc::new(value), HOUR).unwrap();
        tier.insert(seed.hash(key), key, entry(value, &versions), Fill::Write);
        at_once(cache.set(key, &value, HOUR)).unwrap();
        at_once(cache.get::<Payload>(key)).unwrap().unwrap();
    }

    let bare = || run(&keys, &asked, |key| map.get(key));
    let fresh = || {
        run(&keys, &asked, |key| {
            let value = tier.get_fresh(seed.hash(key), key, timer.coarse(), 0)?;
            value.downcast::<Payload>().ok()
        })
    };
    let get = || run(&keys, &asked, |key| at_once(cache.get::<Payload>(key)).unwrap());
    let contenders: [(&str, &dyn Fn() -> f64); 3] =
        [("memory_cache_get", &bare), ("local_tier_get_fresh", &fresh), ("cache_get", &get)];
    let mut rounds: Vec<[f64; 3]> = Vec::with_capacity(ROUNDS);
    for round in 0..=ROUNDS {
        let mut took = [0.0; 3];
        // Every round starts with another contender, so that none always runs on the caches that the same one left.
        for turn in 0..3 {
            let at = (round + turn) % 3;
            took[at] = contenders[at].1();
        }
        // The first round is for warming up.
        if round > 0 {
            rounds.push(took);
        }
    }
    let mut ratio = 0.0;
    for (at, (what, _)) in contenders.iter().enumerate() {
        let ns = Spread::of(rounds.iter().map(|took| took[at]));
        let to_bare = Spread::of(rounds.iter().map(|took| took[at] / took[0]));
        println!(
            r#"{{"bench":"hit","keys":{count},"what":"{what}","ns":{:.1},"spread":{:.1},"ratio_to_bare":{:.2},"ratio_spread":{:.2}}}"#,
            ns.median,
            ns.spread(),
            to_bare.median,
            to_bare.spread(),
        );
        ratio = to_bare.median;
    }
    ratio
}

/// Nanoseconds an operation.
fn run(keys: &[String], asked: &[usize], get: impl Fn(&str) -> Option<Arc<Payload>>) -> f64 {
    let began = Instant::now();
    let mut sum = 0;
    for &at in asked {
        let value = get(black_box(&keys[at])).expect("every key is held");
        sum += value[0];
    }
    black_box(sum);
    began.elapsed().as_nanos() as f64 / asked.len() as f64
}

fn at_once<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("a hit took more than one poll"),
    }
}

/// 16 to 24 bytes.
fn key(at: usize) -> String {
    let filler = &"abcdefgh"[..at % 9];
    format!("user:{at:06}:data{filler}")
}

fn entry(value: Payload, versions: &VersionSource) -> LocalEntry {
    let meta = Meta {
        fresh_until: Moment::NEVER,
        dead_at: Moment::NEVER,
        made_at: Moment::START,
        stamp: Stamp::default(),
        tags: None,
        version: versions.value(),
        schema: None,
        cost: Duration::ZERO,
        local_only: false,
    };
    LocalEntry { value: Value::typed(Arc::new(value)), meta, weight: 200 }
}

/// Positions as a skewed audience asks for them; the popular ones lie scattered over the range.
fn zipf(count: usize, draws: usize) -> Vec<usize> {
    let mut sum = 0.0;
    let ends: Vec<f64> = (1..=count)
        .map(|rank| {
            sum += (rank as f64).powf(-SKEW);
            sum
        })
        .collect();
    let mut state = 42_u64;
    let scattered = |rank: usize| rank.wrapping_mul(2_654_435_761) % count;
    (0..draws)
        .map(|_| {
            let at = (random(&mut state) >> 11) as f64 / (1_u64 << 53) as f64 * sum;
            scattered(ends.partition_point(|&end| end < at).min(count - 1))
        })
        .collect()
}

/// A small generator of numbers (`SplitMix64`).
fn random(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// A median and its quartiles.
struct Spread {
    lower: f64,
    median: f64,
    upper: f64,
}

impl Spread {
    fn of(numbers: impl Iterator<Item = f64>) -> Self {
        let mut numbers: Vec<f64> = numbers.collect();
        numbers.sort_by(f64::total_cmp);
        let at = |quarter: usize| numbers[(numbers.len() - 1) * quarter / 4];
        Self { lower: at(1), median: at(2), upper: at(3) }
    }

    /// Between the quartiles.
    fn spread(&self) -> f64 {
        self.upper - self.lower
    }
}
