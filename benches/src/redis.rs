//! What a hit in Redis costs through `Cache::get`, beside the bare multiplexed client that sends the same two commands
//! and decodes the same bytes.
//!
//! Both take turns within each round, on one server, so that a change of the machine's speed meets them alike; the
//! ratios are taken within a round. Tier 1 is off. The server is the one at `CACHE_TEST_REDIS_URL`. One JSON object a
//! line. Ends with an error if the bounds are not kept.

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

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> ExitCode {
    let url = std::env::var("CACHE_TEST_REDIS_URL").expect("CACHE_TEST_REDIS_URL names the server");
    let namespace = Namespace::new(&format!("bench-{:x}", random_u64())).unwrap();
    let store = RedisStore::builder(&url).build().unwrap();
    let cache = Cache::builder(namespace.clone()).store(Arc::new(store)).build().unwrap();
    let keys: Vec<Key> = (0..KEYS).map(|at| namespace.key(&format!("weather:{at}")).unwrap()).collect();
    for (at, key) in keys.iter().enumerate() {
        cache.set(key.user(), &answer(at), Duration::from_secs(3600)).await.unwrap();
    }
    let bare = Bare::connect(&url).await;
    let keys = Arc::new(keys);
    assert_eq!(bare.get(&keys[7]).await, answer(7));
    assert_eq!(*cache.get::<Answer>(keys[7].user()).await.unwrap().unwrap(), answer(7));

    let mut passed = true;
    for (callers, operations, bound) in LOADS {
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
        passed &= report(callers, bound, &rounds);
    }
    cache.clear().await.unwrap();
    if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// One contender's part of a round.
#[derive(Clone, Copy)]
struct Measured {
    per_second: f64,
    p50_us: f64,
}

/// So many operations by so many callers at a time, each a task.
async fn run<C, F>(callers: usize, operations: usize, keys: &Arc<Vec<Key>>, contender: C, call: fn(C, Key) -> F) -> Measured
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
fn report(callers: usize, bound: Bound, rounds: &[(Measured, Measured)]) -> bool {
    let median = |of: &dyn Fn(&(Measured, Measured)) -> f64| {
        let mut all: Vec<f64> = rounds.iter().map(of).collect();
        all.sort_by(f64::total_cmp);
        (all[all.len() / 2], all[all.len() / 4], all[all.len() * 3 / 4])
    };
    let (ratio, low, high) = match bound {
        Bound::Latency(_) => median(&|(ours, raw)| ours.p50_us / raw.p50_us),
        Bound::Throughput(_) => median(&|(ours, raw)| ours.per_second / raw.per_second),
    };
    let line = |name: &str, of: fn(&(Measured, Measured)) -> Measured, ratio: f64| {
        let line = serde_json::json!({
            "bench": "get", "crate": name, "callers": callers,
            "ops_per_s": median(&|round| of(round).per_second).0.round(),
            "p50_us": median(&|round| of(round).p50_us).0,
            "ratio_to_raw": ratio, "ratio_of": match bound { Bound::Latency(_) => "p50_us", Bound::Throughput(_) => "ops_per_s" },
            "ratio_quartiles": [low, high], "rounds": rounds.len(),
        });
        println!("{line}");
    };
    line("redis", |(_, raw)| *raw, 1.0);
    line("cache-tiered", |(ours, _)| *ours, ratio);
    let (kept, wish) = match bound {
        Bound::Latency(most) => (ratio <= most, format!("at most {most}")),
        Bound::Throughput(least) => (ratio >= least, format!("at least {least}")),
    };
    if !kept {
        eprintln!("{callers} callers: the ratio to the bare client is {ratio:.3}, {wish} is wanted");
    }
    kept
}
