//! What a hit in Redis costs through `Cache::get`, beside the bare multiplexed client that sends the same two commands
//! and decodes the same bytes.
//!
//! Both take turns within each round, on one server, so that a change of the machine's speed meets them alike; the
//! ratios are taken within a round. Tier 1 is off. The server is the one at `CACHE_TEST_REDIS_URL`. With `--json` one
//! object a line. Ends with an error if the bounds are not kept.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a benchmark fails by a panic")]

use std::future::Future;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use cache_codec::{Limits, Opened};
use cache_core::{Encoded, Key, Namespace, random_u64};
use cache_redis::RedisStore;
use cache_tiered::Cache;
use futures_util::future::join_all;
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, IntoConnectionInfo};
use serde::{Deserialize, Serialize};
use tokio::runtime::Builder;

const KEYS: usize = 1_000;
const ROUNDS: usize = 31;
/// Callers at a time, operations of each contender in a round, and the bound.
const LOADS: [(usize, usize, Bound); 2] =
    [(1, 1_000, Bound::Latency(1.10)), (64, 16_000, Bound::Throughput(0.90))];

#[derive(Clone, Copy)]
enum Bound {
    /// The median latency over the bare client's is at most this.
    Latency(f64),
    /// The throughput over the bare client's is at least this.
    Throughput(f64),
}

/// An answer of an API, about 2 KB.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Answer {
    city: String,
    updated: u64,
    days: Vec<Day>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Day {
    name: String,
    low: f64,
    high: f64,
    wind: f64,
    text: String,
}

fn answer(at: usize) -> Answer {
    let day = |day: usize| Day {
        name: format!("day {day}"),
        low: day as f64 * 0.5,
        high: day as f64 * 1.5,
        wind: 3.25,
        text: format!("sunny with a few clouds around noon, light wind from the west, station {at}"),
    };
    Answer { city: format!("city {at}"), updated: at as u64, days: (0..14).map(day).collect() }
}

fn main() -> ExitCode {
    let json = std::env::args().any(|argument| argument == "--json");
    let url = std::env::var("CACHE_TEST_REDIS_URL").expect("CACHE_TEST_REDIS_URL names the server");
    let mut passed = true;
    for (callers, operations, bound) in LOADS {
        // One caller on one thread: on more, what is measured is how the system wakes them.
        let mut runtime =
            if callers == 1 { Builder::new_current_thread() } else { Builder::new_multi_thread() };
        let runtime = runtime.worker_threads(2).enable_all().build().unwrap();
        let rounds = runtime.block_on(measure(&url, callers, operations));
        passed &= report(json, callers, bound, &rounds);
    }
    if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// What the cache and the bare client did in each round.
async fn measure(url: &str, callers: usize, operations: usize) -> Vec<(Measured, Measured)> {
    let namespace = Namespace::new(&format!("bench-{:x}", random_u64())).unwrap();
    let store = RedisStore::builder(url).build().unwrap();
    let cache = Cache::builder(namespace.clone()).store(Arc::new(store)).build().unwrap();
    let keys: Vec<Key> = (0..KEYS).map(|at| namespace.key(&format!("weather:{at}")).unwrap()).collect();
    for (at, key) in keys.iter().enumerate() {
        cache.set(key.user(), &answer(at), Duration::from_secs(3600)).await.unwrap();
    }
    let (bare, keys) = (Bare::connect(url).await, Arc::new(keys));
    assert_eq!(bare.get(&keys[7]).await, answer(7));
    assert_eq!(*cache.get::<Answer>(keys[7].user()).await.unwrap().unwrap(), answer(7));

    let mut rounds = Vec::with_capacity(ROUNDS);
    for round in 0..=ROUNDS {
        let with_bare = || {
            run(callers, operations, &keys, bare.clone(), |bare, key| async move {
                drop(bare.get(&key).await);
            })
        };
        let with_cache = || {
            run(callers, operations, &keys, cache.clone(), |cache, key| async move {
                assert!(cache.get::<Answer>(key.user()).await.unwrap().is_some());
            })
        };
        let (ours, raw);
        if round % 2 == 0 {
            raw = with_bare().await;
            ours = with_cache().await;
        } else {
            ours = with_cache().await;
            raw = with_bare().await;
        }
        // The first round is for warming up.
        if round > 0 {
            rounds.push((ours, raw));
        }
    }
    for key in &*keys {
        cache.delete(key.user()).await.unwrap();
    }
    rounds
}

/// One contender's part of a round.
#[derive(Clone, Copy)]
struct Measured {
    per_second: f64,
    p50_us: f64,
}

/// So many operations by so many callers at a time, each a task.
async fn run<C, F>(
    callers: usize,
    operations: usize,
    keys: &Arc<Vec<Key>>,
    contender: C,
    call: fn(C, Key) -> F,
) -> Measured
where
    C: Clone + Send + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    let began = Instant::now();
    let each = operations / callers;
    let tasks = (0..callers).map(|caller| {
        let (keys, contender) = (Arc::clone(keys), contender.clone());
        tokio::spawn(async move {
            let mut took = Vec::with_capacity(each);
            for at in 0..each {
                let key = keys[(caller * 7919 + at * 31) % KEYS].clone();
                let asked = Instant::now();
                call(contender.clone(), key).await;
                took.push(asked.elapsed().as_secs_f64() * 1e6);
            }
            took
        })
    });
    let mut took: Vec<f64> = join_all(tasks).await.into_iter().flat_map(Result::unwrap).collect();
    let per_second = took.len() as f64 / began.elapsed().as_secs_f64();
    took.sort_by(f64::total_cmp);
    Measured { per_second, p50_us: took[took.len() / 2] }
}

/// The bare client, as it would be written by hand.
#[derive(Clone)]
struct Bare {
    raw: MultiplexedConnection,
}

impl Bare {
    async fn connect(url: &str) -> Self {
        let info = url.into_connection_info().unwrap();
        let tcp = info.tcp_settings().clone().set_nodelay(true);
        let client = Client::open(info.set_tcp_settings(tcp)).unwrap();
        let config = AsyncConnectionConfig::new();
        Self { raw: client.get_multiplexed_async_connection_with_config(&config).await.unwrap() }
    }

    async fn get(&self, key: &Key) -> Answer {
        let mut raw = self.raw.clone();
        let mut pipeline = redis::pipe();
        pipeline.cmd("GET").arg(key.as_bytes()).cmd("PTTL").arg(key.as_bytes());
        let (stored, left): (Vec<u8>, i64) = pipeline.query_async(&mut raw).await.unwrap();
        assert!(left > 0);
        let Ok(Opened::Value(_, payload)) = cache_codec::open(&stored.into(), key, &Limits::default()) else {
            panic!("what was stored cannot be opened");
        };
        let payload: Encoded = payload;
        cache_codec::decode(&payload).unwrap()
    }
}

/// Prints what was measured and returns whether the bound is kept.
fn report(json: bool, callers: usize, bound: Bound, rounds: &[(Measured, Measured)]) -> bool {
    let quartiles = |of: &dyn Fn(&(Measured, Measured)) -> f64| {
        let mut all: Vec<f64> = rounds.iter().map(of).collect();
        all.sort_by(f64::total_cmp);
        [1, 2, 3].map(|quarter| (all[all.len() * quarter / 4] * 1_000.0).round() / 1_000.0)
    };
    let (ratio, of) = match bound {
        Bound::Latency(_) => (quartiles(&|(ours, raw)| ours.p50_us / raw.p50_us), "p50_us"),
        Bound::Throughput(_) => (quartiles(&|(ours, raw)| ours.per_second / raw.per_second), "ops_per_s"),
    };
    let line = |name: &str, measured: fn(&(Measured, Measured)) -> Measured, [low, ratio, high]: [f64; 3]| {
        let per_second = quartiles(&|round| measured(round).per_second)[1].round();
        let p50_us = quartiles(&|round| measured(round).p50_us)[1];
        if json {
            let line = serde_json::json!({
                "bench": "get", "crate": name, "callers": callers, "ops_per_s": per_second, "p50_us": p50_us,
                "ratio_to_raw": ratio, "ratio_of": of, "ratio_quartiles": [low, high], "rounds": rounds.len(),
            });
            println!("{line}");
        } else {
            println!(
                "{callers:>3} callers, {name:<12} {per_second:>8} operations/s, median {p50_us:>8} us, \
                 {of} {ratio} of the bare client ({low} to {high})"
            );
        }
    };
    line("redis", |(_, raw)| *raw, [1.0; 3]);
    line("cache-tiered", |(ours, _)| *ours, ratio);
    let ratio = ratio[1];
    let (kept, wish) = match bound {
        Bound::Latency(most) => (ratio <= most, format!("at most {most}")),
        Bound::Throughput(least) => (ratio >= least, format!("at least {least}")),
    };
    if !kept {
        eprintln!("{callers} callers: the ratio to the bare client is {ratio}, {wish} is wanted");
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_has_the_length_that_is_promised_and_comes_back() {
        let bytes = cache_codec::encode(cache_core::Format::Msgpack, &answer(7), 1 << 20).unwrap();
        assert!((1_500..2_500).contains(&bytes.len()), "{} bytes", bytes.len());
        let encoded = Encoded { format: cache_core::Format::Msgpack, bytes };
        assert_eq!(cache_codec::decode::<Answer>(&encoded).unwrap(), answer(7));
    }
}
