//! Whoever leaves, at whatever moment, leaves nothing behind: no flight, no sleeper, no task, no memory, and a key that
//! everybody else can use at once.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by a panic")]

mod common;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use cache_core::random_u64;
use cache_testkit::{FakeClock, Op, ReferenceServer, eventually, settle, sweep};
use cache_tiered::{Cache, Error, ErrorKind, LoadOptions, Loaded, SetOptions, StaleMode};
use common::{MINUTE, SECOND, private, process};
use tokio::sync::{Notify, oneshot, watch};
use tokio::task::yield_now;

/// What operations set and load.
const VALUE: u64 = 7;
const PATIENCE: Duration = Duration::from_secs(30);

struct World {
    clock: Arc<FakeClock>,
    cache: Cache,
    /// A process that shares the store.
    other: Option<Cache>,
    /// Every loader holds one.
    canary: Arc<()>,
}

impl World {
    fn in_memory() -> Arc<Self> {
        let clock = FakeClock::new();
        Arc::new(Self { cache: private(&clock), other: None, canary: Arc::default(), clock })
    }

    fn with_a_store() -> Arc<Self> {
        let clock = FakeClock::new();
        let server = ReferenceServer::new(clock.clone());
        let (cache, other) = (process(&clock, &server).cache, Some(process(&clock, &server).cache));
        Arc::new(Self { clock, cache, other, canary: Arc::default() })
    }

    /// A loader that gives way a few times before it brings the [`VALUE`].
    fn loader(&self) -> impl FnOnce() -> Pin<Box<dyn Future<Output = Loaded<u64>> + Send>> + Send + 'static {
        let canary = Arc::clone(&self.canary);
        move || {
            Box::pin(async move {
                for _ in 0..3 {
                    yield_now().await;
                }
                drop(canary);
                Ok(VALUE)
            })
        }
    }

    fn nothing_is_left(&self, label: &str) {
        let stats = self.cache.stats();
        assert_eq!((stats.reads.in_flight, stats.loads.in_flight), (0, 0), "flights left: {label}");
        assert_eq!(self.clock.sleepers(), 0, "sleepers left: {label}");
        let tasks = tokio::runtime::Handle::current().metrics().num_alive_tasks();
        assert_eq!(tasks, 0, "tasks left: {label}");
        assert_eq!(Arc::strong_count(&self.canary), 1, "loaders left: {label}");
    }

    /// The keys can be loaded, set, read and deleted, and everybody sees that.
    async fn keys_are_usable(&self, label: &str) {
        let cache = &self.cache;
        for key in ["k", "l"] {
            let loaded = cache.get_or_load(key, MINUTE, || async { Loaded::Ok(1_u64) }).await.unwrap();
            assert!([1, VALUE].contains(&*loaded), "{label}");
            cache.set(key, &2_u64, MINUTE).await.unwrap();
            assert_eq!(cache.get::<u64>(key).await.unwrap().as_deref(), Some(&2), "{label}");
            cache.delete(key).await.unwrap();
            assert_eq!(cache.get::<u64>(key).await.unwrap(), None, "{label}");
            let loaded = cache.get_or_load(key, MINUTE, || async { Loaded::Ok(3_u64) }).await.unwrap();
            assert_eq!(*loaded, 3, "{label}");
            settle().await;
            for cache in std::iter::once(cache).chain(&self.other) {
                assert_eq!(cache.get::<u64>(key).await.unwrap().as_deref(), Some(&3), "{label}");
            }
        }
    }

    async fn prepare(&self, before: Before) {
        let writer = self.other.as_ref().unwrap_or(&self.cache);
        for key in ["k", "l"] {
            self.cache.delete(key).await.unwrap();
            let options = SetOptions::ttl(MINUTE).stale_for(MINUTE).tag("t");
            match before {
                Before::Absent => continue,
                Before::Fresh => writer.set(key, &VALUE, options).await.unwrap(),
                Before::Stale => {
                    writer.set(key, &VALUE, options).await.unwrap();
                    writer.expire(key).await.unwrap();
                }
            }
        }
    }
}

/// What is there when an operation begins: in the store, if there is one, and not in tier 1.
#[derive(Clone, Copy)]
enum Before {
    Absent,
    Fresh,
    Stale,
}

type Started = Pin<Box<dyn Future<Output = ()> + Send>>;

/// An operation, under a name.
struct Operation {
    name: &'static str,
    before: Before,
    start: fn(Arc<World>) -> Started,
}

macro_rules! operation {
    ($name:literal, $before:ident, |$world:ident| $body:expr) => {
        Operation {
            name: $name,
            before: Before::$before,
            start: |$world| {
                Box::pin(async move {
                    $body.await.ok();
                })
            },
        }
    };
}

fn operations() -> Vec<Operation> {
    vec![
        operation!("get, a miss", Absent, |world| world.cache.get::<u64>("k")),
        operation!("get, a hit", Fresh, |world| world.cache.get::<u64>("k")),
        operation!("get_with_receipt", Fresh, |world| world.cache.get_with_receipt::<u64>("k")),
        operation!("set", Absent, |world| world.cache.set("k", &VALUE, SetOptions::ttl(MINUTE).tag("t"))),
        operation!("set over a value", Fresh, |world| world.cache.set("k", &VALUE, MINUTE)),
        operation!("delete", Fresh, |world| world.cache.delete("k")),
        operation!("expire", Fresh, |world| world.cache.expire("k")),
        operation!("exists", Fresh, |world| world.cache.exists("k")),
        operation!("ttl", Fresh, |world| world.cache.ttl("k")),
        operation!("get_or_load, a hit", Fresh, |world| {
            world.cache.get_or_load("k", MINUTE, world.loader())
        }),
        operation!("get_or_load as leader", Absent, |world| {
            world.cache.get_or_load("k", MINUTE, world.loader())
        }),
        operation!("get_or_load as waiter", Absent, |world| joined(&world)),
        operation!("get_or_load, refreshing", Stale, |world| {
            world.cache.get_or_load("k", LoadOptions::ttl(MINUTE), world.loader())
        }),
        operation!("get_or_load, stale on error", Stale, |world| {
            let options = LoadOptions::ttl(MINUTE).stale(StaleMode::OnError);
            world.cache.get_or_load("k", options, world.loader())
        }),
        operation!("get_or_load, failing", Stale, |world| {
            let options = LoadOptions::ttl(MINUTE).stale(StaleMode::OnError);
            world.cache.get_or_load("k", options, || async {
                yield_now().await;
                Err::<u64, _>("the source is down")
            })
        }),
        operation!("get_many", Fresh, |world| world.cache.get_many::<u64>(&["k", "l"])),
        operation!("set_many", Fresh, |world| {
            world.cache.set_many(&[("k", VALUE), ("l", VALUE)], MINUTE)
        }),
        operation!("delete_many", Fresh, |world| world.cache.delete_many(&["k", "l"])),
        operation!("get_many_or_load", Absent, |world| {
            let loader = world.loader();
            world.cache.get_many_or_load::<u64, _, _, _>(&["k", "l"], MINUTE, move |missing| async move {
                let value = loader().await?;
                Loaded::Ok(missing.into_iter().map(|key| (key, value)).collect())
            })
        }),
        operation!("invalidate_tag", Fresh, |world| world.cache.invalidate_tag("t")),
        operation!("clear", Fresh, |world| world.cache.clear()),
        operation!("health", Fresh, |world| async { Ok::<_, Error>(world.cache.health().await) }),
    ]
}

/// Joins a load that somebody else began, who stays.
async fn joined(world: &Arc<World>) -> Result<Arc<u64>, Error> {
    let (begun, has_begun) = oneshot::channel();
    let leader = {
        let (world, loader) = (Arc::clone(world), world.loader());
        tokio::spawn(async move {
            let loader = || {
                begun.send(()).ok();
                loader()
            };
            world.cache.get_or_load("k", MINUTE, loader).await
        })
    };
    has_begun.await.ok();
    let loaded = world.cache.get_or_load("k", MINUTE, world.loader()).await;
    leader.await.unwrap()?;
    loaded
}

/// Drops every operation at every poll. Returns the points of suspension of each.
async fn drop_everywhere(world: Arc<World>) -> Vec<(&'static str, usize)> {
    let mut points = Vec::new();
    for Operation { name, before, start } in operations() {
        world.prepare(before).await;
        settle().await;
        let swept = sweep(
            || start(Arc::clone(&world)),
            async |polls| {
                let label = format!("{name}, dropped after {polls} polls");
                settle().await;
                world.nothing_is_left(&label);
                // A failed load may be remembered, which is no fault of who left.
                world.clock.advance(SECOND);
                world.keys_are_usable(&label).await;
                world.prepare(before).await;
                settle().await;
                world.nothing_is_left(&label);
            },
        );
        points.push((name, swept.await.unwrap_or_else(|error| panic!("{name}: {error}"))));
        settle().await;
        world.nothing_is_left(name);
    }
    points
}

#[tokio::test]
async fn dropping_any_operation_at_any_poll_leaves_nothing_behind_in_memory() {
    for (name, points) in drop_everywhere(World::in_memory()).await {
        let waits = ["as leader", "as waiter", "on error", "failing", "get_many_or_load"];
        assert_eq!(points > 1, waits.iter().any(|it| name.ends_with(it)), "{name} has {points} points");
    }
}

#[tokio::test]
async fn dropping_any_operation_at_any_poll_leaves_nothing_behind_with_a_store() {
    for (name, points) in drop_everywhere(World::with_a_store()).await {
        assert!(points > 2, "{name} has only {points} points, though a store's call gives way twice");
    }
}

#[tokio::test]
async fn a_load_goes_on_when_its_leader_leaves() {
    for world in [World::in_memory(), World::with_a_store()] {
        let runs = Arc::new(AtomicUsize::new(0));
        let release = Arc::new(Notify::new());
        let ask = || {
            let (cache, runs, release) = (world.cache.clone(), Arc::clone(&runs), Arc::clone(&release));
            tokio::spawn(async move {
                let loader = || async move {
                    runs.fetch_add(1, Ordering::SeqCst);
                    release.notified().await;
                    Loaded::Ok(VALUE)
                };
                cache.get_or_load("k", MINUTE, loader).await.map(|value| *value)
            })
        };
        let leader = ask();
        settle().await;
        let waiters = [ask(), ask()];
        settle().await;
        leader.abort();
        assert!(leader.await.unwrap_err().is_cancelled());
        release.notify_one();
        for waiter in waiters {
            assert_eq!(waiter.await.unwrap().unwrap(), VALUE);
        }
        settle().await;
        assert_eq!(runs.load(Ordering::SeqCst), 1);
        world.nothing_is_left("the leader left");
    }
}

#[tokio::test]
async fn what_all_callers_left_is_still_loaded_and_kept() {
    for world in [World::in_memory(), World::with_a_store()] {
        let (cache, loader) = (world.cache.clone(), world.loader());
        let (begun, has_begun) = oneshot::channel();
        let caller = tokio::spawn(async move {
            let loader = || {
                begun.send(()).ok();
                loader()
            };
            cache.get_or_load("k", MINUTE, loader).await
        });
        has_begun.await.unwrap();
        caller.abort();
        settle().await;
        assert_eq!(world.cache.get::<u64>("k").await.unwrap().as_deref(), Some(&VALUE));
        world.nothing_is_left("all left");
    }
}

#[tokio::test]
async fn a_waiter_takes_over_the_read_of_a_leader_that_left() {
    let clock = FakeClock::new();
    let server = ReferenceServer::new(clock.clone());
    let (here, there) = (process(&clock, &server), process(&clock, &server));
    there.cache.set("k", &VALUE, MINUTE).await.unwrap();
    let read = || {
        let cache = here.cache.clone();
        tokio::spawn(async move { cache.get::<u64>("k").await })
    };

    let gate = here.link.hold(Op::Get);
    let leader = read();
    gate.reached().await;
    let waiters = [read(), read()];
    settle().await;
    assert_eq!(here.link.calls(Op::Get), 1, "one read for all who ask at a time");
    leader.abort();
    for waiter in waiters {
        assert_eq!(waiter.await.unwrap().unwrap().as_deref(), Some(&VALUE));
    }
    assert_eq!(here.link.calls(Op::Get), 2, "one waiter reads anew for all");
    drop(gate);

    here.cache.delete("k").await.unwrap();
    let gate = here.link.hold(Op::Get);
    let all = [read(), read(), read()];
    gate.reached().await;
    settle().await;
    all.iter().for_each(tokio::task::JoinHandle::abort);
    settle().await;
    assert_eq!(here.cache.stats().reads.in_flight, 0, "all left");
    assert_eq!(clock.sleepers(), 0);
    assert_eq!(tokio::runtime::Handle::current().metrics().num_alive_tasks(), 0);
}

/// Ten thousand ask for one key; a random half of them leaves before they were polled, while they wait, or when they
/// are being answered.
async fn herd(world: &World) {
    const CALLERS: usize = 10_000;
    let seed = std::env::var("SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or_else(random_u64);
    println!("SEED={seed}");
    let mut random = Random(seed);
    let runs = Arc::new(AtomicUsize::new(0));
    let (open, opened) = watch::channel(false);
    let callers: Vec<_> = (0..CALLERS)
        .map(|_| {
            let (cache, runs, mut opened) = (world.cache.clone(), Arc::clone(&runs), opened.clone());
            let canary = Arc::clone(&world.canary);
            tokio::spawn(async move {
                let loader = || async move {
                    runs.fetch_add(1, Ordering::SeqCst);
                    opened.wait_for(|opened| *opened).await?;
                    drop(canary);
                    Loaded::Ok(VALUE)
                };
                cache.get_or_load("k", MINUTE, loader).await.map(|value| *value)
            })
        })
        .collect();
    let leaves: Vec<bool> = (0..CALLERS).map(|_| random.below(2) == 0).collect();
    let mut leaving: Vec<usize> = (0..CALLERS).filter(|&caller| leaves[caller]).collect();
    random.shuffle(&mut leaving);
    let (at_once, later) = leaving.split_at(leaving.len() / 3);
    let (waiting, answered) = later.split_at(later.len() / 2);

    at_once.iter().for_each(|&caller| callers[caller].abort());
    for &caller in waiting {
        callers[caller].abort();
        if random.below(16) == 0 {
            yield_now().await;
        }
    }
    eventually(PATIENCE, "the loader runs", || runs.load(Ordering::SeqCst) > 0).await.unwrap();
    open.send_replace(true);
    for &caller in answered {
        callers[caller].abort();
        if random.below(512) == 0 {
            yield_now().await;
        }
    }

    for (caller, leaves) in callers.into_iter().zip(leaves) {
        match caller.await {
            Ok(answer) => assert_eq!(answer.unwrap(), VALUE),
            Err(left) => assert!(left.is_cancelled() && leaves, "only those who left have no answer"),
        }
    }
    let tasks = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
    eventually(PATIENCE, "every task ends", || tasks() == 0).await.unwrap();
    assert_eq!(runs.load(Ordering::SeqCst), 1, "one loader for all");
    assert_eq!(world.cache.get::<u64>("k").await.unwrap().as_deref(), Some(&VALUE));
    world.nothing_is_left("the herd is gone");
}

#[tokio::test]
async fn half_of_ten_thousand_callers_may_leave_and_the_rest_is_served_by_one_load() {
    for world in [World::in_memory(), World::with_a_store()] {
        herd(&world).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn half_of_ten_thousand_callers_may_leave_on_many_threads() {
    for world in [World::in_memory(), World::with_a_store()] {
        herd(&world).await;
    }
}

#[test]
fn a_runtime_that_ends_in_the_middle_of_a_load_frees_its_key() {
    for world in [World::in_memory(), World::with_a_store()] {
        within(PATIENCE, move || {
            let (first, second) = (runtime(), runtime());
            let (cache, canary) = (world.cache.clone(), Arc::clone(&world.canary));
            first.block_on(async {
                tokio::spawn(async move {
                    let loader = || async move {
                        let _canary = canary;
                        std::future::pending::<Loaded<u64>>().await
                    };
                    cache.get_or_load("k", MINUTE, loader).await
                });
                settle().await;
            });
            let ask = |value: u64| {
                let cache = world.cache.clone();
                second.spawn(async move {
                    let loader = move || async move { Loaded::Ok(value) };
                    cache.get_or_load("k", MINUTE, loader).await.map(|value| *value)
                })
            };
            let waiter = ask(1);
            second.block_on(settle());
            assert!(!waiter.is_finished());

            drop(first);
            let told = second.block_on(waiter).unwrap().unwrap_err();
            assert_eq!(told.kind(), ErrorKind::Load, "{told}");

            let anew = ask(2);
            second.block_on(async {
                // The lease that the first runtime left in the store ends by itself, after 5 s.
                for _ in 0..51 {
                    settle().await;
                    world.clock.advance(SECOND / 10);
                }
                assert_eq!(anew.await.unwrap().unwrap(), 2);
                settle().await;
                world.nothing_is_left("a runtime ended");
                world.prepare(Before::Absent).await;
                world.keys_are_usable("a runtime ended").await;
            });
        });
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().build().unwrap()
}

/// Runs `test` on a thread of its own, and fails if that does not end in time.
fn within(patience: Duration, test: impl FnOnce() + Send + 'static) {
    let (done, is_done) = mpsc::channel::<()>();
    let thread = std::thread::spawn(move || {
        let _done = done;
        test();
    });
    let hangs = is_done.recv_timeout(patience) == Err(mpsc::RecvTimeoutError::Timeout);
    assert!(!hangs, "it hangs");
    thread.join().unwrap();
}

/// A small generator of numbers (`SplitMix64`).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    fn shuffle<T>(&mut self, items: &mut [T]) {
        for at in (1..items.len()).rev() {
            let with = usize::try_from(self.below(at as u64 + 1)).unwrap();
            items.swap(at, with);
        }
    }
}
