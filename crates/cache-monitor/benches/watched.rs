//! What a monitor costs on a hit in tier 1: the same cache with and without one.
//!
//! In each round both are made anew, in an order that chance decides, and take turns in another such order: where entries lie in
//! memory moves the time of any cache by a tenth, and so does the machine's speed. The difference is taken within a round. One
//! JSON object a line. Ends with an error if the median difference is [`MOST`] nanoseconds or more.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a benchmark fails by a panic")]

use std::future::Future;
use std::hint::black_box;
use std::pin::pin;
use std::process::ExitCode;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use cache_memory::MemoryTier;
use cache_monitor::PerformanceMonitor;
use cache_tiered::{Cache, Namespace, TokioTimer};

const ROUNDS: usize = 41;
const OPS: usize = 200_000;
const MOST: f64 = 5.0;
const HOUR: Duration = Duration::from_secs(3600);

type Payload = [u64; 4];

fn main() -> ExitCode {
    let worst = [1_000, 100_000].map(compare).into_iter().fold(f64::MIN, f64::max);
    if worst < MOST {
        return ExitCode::SUCCESS;
    }
    eprintln!("a monitor costs {worst:.1} ns on a hit, less than {MOST} are allowed");
    ExitCode::FAILURE
}

/// Returns the median of what a hit takes longer with a monitor, in nanoseconds.
fn compare(count: usize) -> f64 {
    let keys: Vec<String> = (0..count).map(|at| format!("user:{at:08}:data")).collect();
    let mut state = 42_u64;
    let mut chance = move |among: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).unwrap() % among
    };
    // Two of three for a tenth of the keys, so that some are hot.
    let asked: Vec<usize> = (0..OPS).map(|n| chance(if n % 3 == 0 { count } else { count / 10 })).collect();
    let mut rounds: Vec<[f64; 2]> = Vec::with_capacity(ROUNDS);
    for _ in 0..ROUNDS {
        let monitor = PerformanceMonitor::new();
        let mut caches = [None, None];
        for at in either_order(chance(2)) {
            caches[at] = Some(cache(&keys, (at == 1).then(|| monitor.clone())));
        }
        let caches = caches.map(Option::unwrap);
        // Once to warm up.
        for cache in &caches {
            run(cache, &keys, &asked);
        }
        let mut took = [0.0; 2];
        for at in either_order(chance(2)) {
            took[at] = run(&caches[at], &keys, &asked);
        }
        rounds.push(took);
        let reads = &monitor.snapshot().caches[0].reads;
        assert!(reads.iter().any(|it| it.tier == "memory" && it.count > 0), "the monitor saw hits");
    }
    let median = |mut numbers: Vec<f64>| {
        numbers.sort_by(f64::total_cmp);
        numbers[numbers.len() / 2]
    };
    let of = |at: usize| median(rounds.iter().map(|took| took[at]).collect());
    let more = median(rounds.iter().map(|took| took[1] - took[0]).collect());
    println!(
        r#"{{"bench":"watched","keys":{count},"without_ns":{:.1},"with_ns":{:.1},"more_ns":{more:.2}}}"#,
        of(0),
        of(1),
    );
    more
}

fn either_order(first: usize) -> [usize; 2] {
    [first, 1 - first]
}

fn cache(keys: &[String], monitor: Option<Arc<PerformanceMonitor>>) -> Cache {
    let timer = Arc::new(TokioTimer::new());
    let tier = Arc::new(MemoryTier::new(2 * keys.len(), 1 << 30, timer.clone()).unwrap());
    let mut cache = Cache::builder(Namespace::new("watched").unwrap()).local(tier).timer(timer);
    if let Some(monitor) = monitor {
        cache = cache.observer(monitor);
    }
    let cache = cache.build().unwrap();
    for (at, key) in keys.iter().enumerate() {
        at_once(cache.set(key, &[at as u64; 4], HOUR)).unwrap();
        at_once(cache.get::<Payload>(key)).unwrap().unwrap();
    }
    cache
}

/// Nanoseconds an operation.
fn run(cache: &Cache, keys: &[String], asked: &[usize]) -> f64 {
    let began = Instant::now();
    let mut sum = 0;
    for &at in asked {
        let value = at_once(cache.get::<Payload>(black_box(&keys[at]))).unwrap();
        sum += value.expect("every key is held")[0];
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
