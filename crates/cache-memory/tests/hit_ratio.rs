//! The policy earns its keep: it beats LRU on what caches see.

#![allow(clippy::unwrap_used, reason = "a test fails by a panic")]

use std::collections::{BTreeMap, HashMap};

use cache_memory::MemoryCache;

const CAPACITY: usize = 1000;
const KEYS: usize = 50_000;
const READS: usize = 300_000;

fn random(state: &mut u64) -> f64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    #[expect(clippy::cast_precision_loss, reason = "53 bits fit")]
    let unit = (*state >> 11) as f64 / (1u64 << 53) as f64;
    unit
}

/// Keys by Zipf's law of this exponent.
fn zipf(exponent: f64) -> Vec<usize> {
    let mut sums = Vec::with_capacity(KEYS);
    let mut sum = 0.0;
    for rank in 1..=KEYS {
        #[expect(clippy::cast_precision_loss, reason = "small")]
        let rank = rank as f64;
        sum += rank.powf(-exponent);
        sums.push(sum);
    }
    let mut state = 0x9E37_79B9_7F4A_7C15;
    let draw = |_| {
        let at = random(&mut state) * sum;
        sums.partition_point(|&upto| upto < at)
    };
    (0..READS).map(draw).collect()
}

fn ours(trace: &[usize]) -> f64 {
    let cache = MemoryCache::builder().max_entries(CAPACITY).seed(1).build().unwrap();
    for &key in trace {
        if cache.get(&key).is_none() {
            cache.insert(key, (), ()).unwrap();
        }
    }
    cache.stats().hit_ratio()
}

fn lru(trace: &[usize]) -> f64 {
    let (mut by_key, mut by_time) = (HashMap::new(), BTreeMap::new());
    let mut hits = 0u32;
    for (time, &key) in trace.iter().enumerate() {
        match by_key.insert(key, time) {
            Some(last) => {
                hits += 1;
                by_time.remove(&last);
            }
            None if by_key.len() > CAPACITY => {
                let (_, oldest) = by_time.pop_first().unwrap();
                by_key.remove(&oldest);
            }
            None => {}
        }
        by_time.insert(time, key);
    }
    f64::from(hits) / f64::from(u32::try_from(trace.len()).unwrap())
}

#[test]
fn more_is_hit_than_with_lru() {
    for (exponent, margin) in [(0.7, 0.03), (0.9, 0.03), (1.1, 0.01)] {
        let trace = zipf(exponent);
        let (ours, lru) = (ours(&trace), lru(&trace));
        println!("Zipf {exponent}: {ours:.4}, LRU {lru:.4}");
        assert!(ours > lru + margin, "Zipf {exponent}: {ours:.4}, LRU {lru:.4}");
    }
}

#[test]
fn a_scan_does_not_push_out_what_is_in_use() {
    let mut trace = Vec::new();
    for round in 0..20 {
        for _ in 0..3 {
            trace.extend(0..500);
        }
        trace.extend((0..5000).map(|n| KEYS + round * 5000 + n));
    }
    let (ours, lru) = (ours(&trace), lru(&trace));
    println!("scans: {ours:.4}, LRU {lru:.4}");
    assert!(ours > lru + 0.04, "scans: {ours:.4}, LRU {lru:.4}");
}

#[test]
fn what_comes_back_soon_after_it_was_let_go_stays() {
    let cache = MemoryCache::builder().max_entries(100).seed(1).build().unwrap();
    let pass_by = |keys: std::ops::Range<u32>| keys.for_each(|key| cache.insert(key, (), ()).unwrap());
    pass_by(500..600);
    cache.insert(0, (), ()).unwrap();
    pass_by(1..61);
    assert!(!cache.contains(&0), "seen once, it had to go");
    cache.insert(0, (), ()).unwrap();
    pass_by(1000..1300);
    assert!(cache.contains(&0), "seen twice, it outlives those seen once");
}
