//! Marks that can be read a moment before they are told, links that are lost, and invalidations whose callers leave.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use cache_core::random_u64;
use cache_testkit::{FakeClock, ReferenceServer, ReferenceStore, settle};
use cache_tiered::{Cache, LoadOptions, Loaded, Namespace, SetOptions, Tier};
use common::late::{Late, Told};
use common::{MINUTE, SECOND, pass, process, tier};
use tokio::task::{JoinHandle, yield_now};

/// A process that is told of marks when the test says so.
fn told(clock: &Arc<FakeClock>, store: ReferenceStore) -> (Cache, Arc<Late>) {
    let late = Arc::new(Late::default());
    let cache = Cache::builder(Namespace::new("test").unwrap())
        .local(tier(clock))
        .store(Arc::new(Told { store, late: late.clone(), tracks: true }))
        .timer(clock.clone())
        .build()
        .unwrap();
    (cache, late)
}

#[tokio::test]
async fn a_clear_that_is_read_before_it_is_told_voids_what_has_no_tags() {
    for loaded in [true, false] {
        let clock = FakeClock::new();
        let server = ReferenceServer::new(clock.clone());
        let there = process(&clock, &server).cache;
        let (here, late) = told(&clock, server.connect());
        pass(&clock, SECOND).await;
        if loaded {
            here.get_or_load("k", 60 * MINUTE, || async { Loaded::Ok("old".to_owned()) }).await.unwrap();
        } else {
            there.set("k", "old", 60 * MINUTE).await.unwrap();
        }
        settle().await;
        // Tier 1 has it as what it is.
        here.get::<String>("k").await.unwrap().unwrap();
        there.clear().await.unwrap();
        // Something is read whose tag nobody asked for yet, and the clear with it.
        there.set("other", "x", SetOptions::ttl(60 * MINUTE).tag("new")).await.unwrap();
        here.get::<String>("other").await.unwrap().unwrap();
        late.tell();
        assert_eq!(here.get::<String>("k").await.unwrap(), None, "loaded: {loaded}");
    }
}

#[tokio::test]
async fn reading_marks_lets_go_of_nothing_while_no_clear_comes() {
    let clock = FakeClock::new();
    let server = ReferenceServer::new(clock.clone());
    let there = process(&clock, &server);
    there.cache.clear().await.unwrap();
    let (here, late) = told(&clock, server.connect());
    pass(&clock, SECOND).await;
    // The first answer names a clear, of which nothing that is held is void.
    here.get_or_load("k", 60 * MINUTE, || async { Loaded::Ok(0_u32) }).await.unwrap();
    settle().await;
    for i in 1..=20_u32 {
        let tag = format!("t{i}");
        there.cache.set("other", &i, SetOptions::ttl(60 * MINUTE).tag(&tag)).await.unwrap();
        assert_eq!(here.get::<u32>("other").await.unwrap().as_deref(), Some(&i));
        there.cache.invalidate_tag(&tag).await.unwrap();
        late.tell();
    }
    there.cache.delete("other").await.unwrap();
    let (value, receipt) = here.get_with_receipt::<u32>("k").await.unwrap();
    assert_eq!((value.as_deref(), receipt.tier), (Some(&0), Some(Tier::Local)));
}

/// A seed's choices.
struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % n
    }
}

const KEYS: usize = 6;
const ROUNDS: usize = 12;
/// How many steps begin before all that was begun ends.
const CROSSING: usize = 12;

fn options(key: usize) -> SetOptions {
    let options = SetOptions::ttl(600 * MINUTE);
    match key % 3 {
        0 => options,
        1 => options.tag("shared"),
        _ => options.tag(format!("t{key}")),
    }
}

/// Two processes, one of which hears late, and the source of what they load.
struct World {
    clock: Arc<FakeClock>,
    here: Cache,
    there: Cache,
    late: Arc<Late>,
    link: ReferenceStore,
    source: Arc<[AtomicU64; KEYS]>,
    random: Random,
}

impl World {
    async fn new(seed: u64) -> Self {
        let clock = FakeClock::new();
        let server = ReferenceServer::new(clock.clone());
        let there = process(&clock, &server).cache;
        let link = server.connect();
        let (here, late) = told(&clock, link.clone());
        pass(&clock, SECOND).await;
        let random = Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
        Self { clock, here, there, late, link, source: Arc::default(), random }
    }

    /// The source changes under these keys.
    fn change(&self, keys: impl Iterator<Item = usize>) {
        keys.for_each(|key| _ = self.source[key].fetch_add(1, Ordering::SeqCst));
    }

    /// A load that takes a while.
    fn load(&mut self, k: usize) -> JoinHandle<()> {
        let cache = if self.random.below(4) > 0 { self.here.clone() } else { self.there.clone() };
        let (source, yields) = (self.source.clone(), self.random.below(25));
        tokio::spawn(async move {
            let loader = move || async move {
                let value = source[k].load(Ordering::SeqCst);
                for _ in 0..yields {
                    yield_now().await;
                }
                Loaded::Ok(value)
            };
            cache.get_or_load(format!("k{k}"), LoadOptions::from(options(k)), loader).await.ok();
        })
    }

    /// An invalidation here whose caller leaves at any moment.
    async fn leave(&mut self, k: usize) {
        let (cache, which) = (self.here.clone(), self.random.below(3));
        let call = tokio::spawn(async move {
            match which {
                0 => cache.clear().await.ok(),
                1 => cache.invalidate_tag("shared").await.ok(),
                _ => cache.delete(format!("k{k}")).await.ok(),
            }
        });
        for _ in 0..self.random.below(6) {
            yield_now().await;
        }
        call.abort();
    }

    /// Begins something. What changes the source is done when this returns.
    async fn step(&mut self, flaps: bool, leaves: bool) -> Option<JoinHandle<()>> {
        let k = usize::try_from(self.random.below(KEYS as u64)).unwrap();
        let key = format!("k{k}");
        match self.random.below(if flaps { 12 } else { 10 }) {
            0..=3 => return Some(self.load(k)),
            4 => {
                let cache = self.here.clone();
                return Some(tokio::spawn(async move { drop(cache.get::<u64>(key).await) }));
            }
            5 => {
                self.change(k..=k);
                self.there.delete(key).await.unwrap();
            }
            6 => {
                self.change(k..=k);
                let value = self.source[k].load(Ordering::SeqCst);
                self.there.set(key, &value, options(k)).await.unwrap();
            }
            7 => {
                self.change((0..KEYS).filter(|key| key % 3 == 1));
                self.there.invalidate_tag("shared").await.unwrap();
            }
            8 => {
                self.change(0..KEYS);
                self.there.clear().await.unwrap();
            }
            9 => {
                self.late.tell();
                if leaves {
                    self.leave(k).await;
                }
            }
            10 => self.link.disconnect(),
            _ => self.link.reconnect(),
        }
        None
    }

    async fn round(&mut self, flaps: bool, leaves: bool) {
        let mut under_way = Vec::new();
        for _ in 0..CROSSING {
            under_way.extend(self.step(flaps, leaves).await);
            for _ in 0..self.random.below(12) {
                yield_now().await;
            }
        }
        if flaps {
            self.link.reconnect();
        }
        for task in under_way {
            while !task.is_finished() {
                pass(&self.clock, Duration::from_millis(100)).await;
            }
            task.await.unwrap();
        }
        settle().await;
        self.late.tell();
        pass(&self.clock, 3 * SECOND).await;
    }

    async fn check(&self, context: &str) {
        for k in 0..KEYS {
            let now = self.source[k].load(Ordering::SeqCst);
            for (name, cache) in [("here", &self.here), ("there", &self.there)] {
                // Twice: what the first read brings is kept.
                for _ in 0..2 {
                    let read = cache.get::<u64>(format!("k{k}")).await.unwrap();
                    assert!(read.is_none_or(|value| *value == now), "{context}: k{k} {name} is not {now}");
                }
            }
        }
    }
}

#[tokio::test]
async fn whatever_is_told_late_or_missed_nothing_from_before_a_change_is_read_in_the_end() {
    let fixed = std::env::var("SEED").ok().and_then(|seed| seed.parse().ok());
    let first = fixed.unwrap_or_else(random_u64);
    for seed in (first..=u64::MAX).take(if fixed.is_some() { 1 } else { 20 }) {
        for (flaps, leaves) in [(false, false), (true, false), (false, true), (true, true)] {
            let mut world = World::new(seed).await;
            for round in 0..ROUNDS {
                world.round(flaps, leaves).await;
                world
                    .check(&format!(
                        "SEED={seed}, links are lost: {flaps}, callers leave: {leaves}, round {round}"
                    ))
                    .await;
            }
        }
    }
}
