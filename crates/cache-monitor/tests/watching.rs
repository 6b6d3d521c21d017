//! What a monitor says of caches that are really used.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by a panic")]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use cache_core::{ErrorKind, HealthStatus};
use cache_memory::MemoryTier;
use cache_monitor::{AlertChange, AlertKind, MissReason, PerformanceMonitor, Severity, Thresholds};
use cache_testkit::{FakeClock, Op, ReferenceServer, settle};
use cache_tiered::{Cache, LoadOptions, Loaded, Namespace, SetOptions, Settings};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

struct World {
    clock: Arc<FakeClock>,
    monitor: Arc<PerformanceMonitor>,
}

impl World {
    fn new() -> Self {
        let clock = FakeClock::new();
        let monitor = PerformanceMonitor::builder().clock(clock.clone()).build().unwrap();
        Self { clock, monitor }
    }

    fn tier(&self, entries: usize) -> Arc<MemoryTier> {
        Arc::new(MemoryTier::new(entries, 64 << 20, self.clock.clone()).unwrap())
    }

    fn private(&self, name: &str, entries: usize) -> Cache {
        let cache = Cache::builder(Namespace::new(name).unwrap()).local(self.tier(entries));
        cache.timer(self.clock.clone()).observer(self.monitor.clone()).build().unwrap()
    }

    async fn shared(&self, server: &Arc<ReferenceServer>) -> Cache {
        server.beat_with(&self.clock);
        let cache = Cache::builder(Namespace::new("app").unwrap()).local(self.tier(1000));
        let cache = cache.store(Arc::new(server.connect())).timer(self.clock.clone());
        let cache = cache.observer(self.monitor.clone()).settings(Settings::default()).build().unwrap();
        self.pass(SECOND).await;
        cache
    }

    async fn pass(&self, time: Duration) {
        let steps = time.as_millis().div_ceil(250);
        for _ in 0..steps {
            self.clock.advance(Duration::from_millis(250));
            settle().await;
        }
    }

    fn why(&self, key: &str) -> &'static str {
        self.monitor.why_missed(key).as_str()
    }
}

async fn read(cache: &Cache, key: &str) -> bool {
    cache.get::<String>(key).await.unwrap().is_some()
}

#[tokio::test]
async fn numbers_fit_the_traffic() {
    let world = World::new();
    let server = ReferenceServer::new(world.clock.clone());
    let cache = world.shared(&server).await;
    for n in 0..20 {
        assert!(!read(&cache, &format!("none:{n}")).await);
    }
    for n in 0..10 {
        cache.set(format!("set:{n}"), &"x".repeat(5000), MINUTE).await.unwrap();
        assert!(read(&cache, &format!("set:{n}")).await);
    }
    cache.get_or_load("load", MINUTE, || async { Loaded::Ok("v".to_owned()) }).await.unwrap();
    settle().await;
    cache.get_or_load::<String, _>("fails", MINUTE, || async { Loaded::Err("no".into()) }).await.unwrap_err();
    cache.delete("set:0").await.unwrap();
    cache.invalidate_tag("t").await.unwrap();

    let snapshot = world.monitor.snapshot();
    let [app] = &snapshot.caches[..] else { panic!("{snapshot:?}") };
    assert_eq!((app.cache.as_str(), app.is_there, app.links), ("app", true, 0));
    assert_eq!(app.stats, cache.stats());
    let count = |timings: &[cache_monitor::Timing], operation: &str, result: &str| -> u64 {
        let is_it = |it: &&cache_monitor::Timing| it.operation == operation && it.result == result;
        timings.iter().filter(is_it).map(|it| it.count).sum()
    };
    assert_eq!(count(&app.reads, "get", "miss"), 20);
    assert_eq!(count(&app.reads, "get_or_load", "miss"), 2);
    assert_eq!(count(&app.writes, "set", "stored"), 10);
    assert_eq!(count(&app.writes, "load", "stored"), 1);
    assert_eq!(count(&app.loads, "load", "stored"), 1);
    assert_eq!(count(&app.loads, "load", "failed"), 1);
    assert_eq!(count(&app.store, "put", "ok"), 11);
    assert_eq!(count(&app.work, "serialize", ""), 11);
    assert_eq!((app.invalidations["delete"], app.invalidations["invalidate_tag"]), (1, 1));
    assert_eq!((app.misses["never_stored"], app.first_misses), (22, 22));
    let written = &app.written;
    assert!(written.values == 11 && written.compressed == 10, "{written:?}");
    assert!(written.bytes > 50_000 && written.stored_bytes < 5000, "{written:?}");
    assert_eq!(app.series_beyond, 0);
}

#[tokio::test]
async fn every_reason_for_a_miss_is_told_apart() {
    let world = World::new();
    let server = ReferenceServer::new(world.clock.clone());
    let cache = world.shared(&server).await;
    for key in ["expired", "deleted", "made:stale", "tagged", "foreign", "gone"] {
        let options = SetOptions::ttl(if key == "expired" { SECOND } else { HOUR });
        cache.set(key, "v", if key == "tagged" { options.tag("t") } else { options }).await.unwrap();
        assert_eq!(world.why(key), "not_missing", "{key}");
    }
    world.pass(SECOND * 2).await;
    cache.delete("deleted").await.unwrap();
    cache.expire("made:stale").await.unwrap();
    cache.invalidate_tag("t").await.unwrap();
    server.raw_set("app:foreign", "not ours", None);
    server.raw_del("app:gone");
    settle().await;
    for key in ["expired", "deleted", "made:stale", "tagged", "foreign", "gone", "never", "Made-Stale"] {
        assert!(!read(&cache, key).await, "{key}");
    }
    let ago = Duration::ZERO;
    let why = |key: &str| world.monitor.why_missed(key);
    assert!(matches!(why("expired"), MissReason::Expired { ago } if ago >= SECOND), "{:?}", why("expired"));
    assert_eq!(why("deleted"), MissReason::Invalidated { by: "delete", ago });
    assert_eq!(why("made:stale"), MissReason::Invalidated { by: "expire", ago });
    assert_eq!(why("tagged"), MissReason::Invalidated { by: "invalidate_tag", ago });
    assert_eq!(why("foreign"), MissReason::Refused { why: "foreign" });
    assert_eq!(why("gone"), MissReason::Invalidated { by: "told", ago });
    assert_eq!(why("never"), MissReason::NeverStored);
    assert!(matches!(why("Made-Stale"), MissReason::OtherKey { .. }));

    server.fail_next(Op::Get, 1, ErrorKind::Timeout);
    read(&cache, "never").await;
    assert_eq!(why("never"), MissReason::StoreUnavailable);
    cache.set("kept", "v", HOUR).await.unwrap();
    cache.clear().await.unwrap();
    assert!(!read(&cache, "kept").await);
    assert_eq!(why("kept"), MissReason::Invalidated { by: "clear", ago });
}

#[tokio::test]
async fn what_made_room_in_memory_was_evicted() {
    let world = World::new();
    let cache = world.private("small", 10);
    for n in 0..200 {
        cache.set(format!("k{n}"), "v", HOUR).await.unwrap();
    }
    let mut evicted = 0;
    for n in 0..200 {
        let key = format!("k{n}");
        if !read(&cache, &key).await {
            evicted += 1;
            assert!(matches!(world.monitor.why_missed(&key), MissReason::Evicted { .. }), "{key}");
        }
    }
    let small = &world.monitor.snapshot().caches[0];
    assert!(evicted >= 190 && small.misses["evicted"] == evicted, "{evicted} {:?}", small.misses);
    let advice = world.monitor.recommendations();
    assert_eq!(advice[0].setting, "l1_cache_size", "{advice:?}");
    assert!(advice[0].reason.contains("10 of 10 entries"), "{advice:?}");
}

#[tokio::test]
async fn expired_keys_that_are_wanted_again_make_advice() {
    let world = World::new();
    let cache = world.private("app", 1000);
    for round in 0..150 {
        cache.set(format!("k{round}"), "v", SECOND).await.unwrap();
    }
    world.clock.advance(MINUTE);
    for round in 0..150 {
        assert!(!read(&cache, &format!("k{round}")).await);
    }
    let advice = world.monitor.recommendations();
    let [ttl] = &advice[..] else { panic!("{advice:?}") };
    assert_eq!(ttl.setting, "default_ttl");
    assert!((59.0..62.0).contains(&ttl.evidence), "{ttl:?}");
}

#[tokio::test]
async fn stale_answers_are_measured() {
    let world = World::new();
    let cache = world.private("app", 1000);
    let load =
        || cache.get_or_load("k", LoadOptions::ttl(SECOND).stale_for(HOUR), || async { Loaded::Ok(1) });
    load().await.unwrap();
    world.clock.advance(SECOND * 31);
    load().await.unwrap();
    let staleness = &world.monitor.snapshot().caches[0].staleness;
    assert!(staleness.count == 1 && (29.0..31.0).contains(&staleness.latency.p50), "{staleness:?}");
}

#[tokio::test]
async fn hot_and_big_keys_are_found_and_redacted() {
    let world = World::new();
    let cache = world.private("app", 10_000);
    for n in 0..1000 {
        cache.set(format!("user:{n}"), &"x".repeat(n), HOUR).await.unwrap();
        read(&cache, &format!("user:{n}")).await;
    }
    cache.set("page:big", &"x".repeat(100_000), HOUR).await.unwrap();
    for n in 0..40_000 {
        read(&cache, "session:hot").await;
        if n == 100 {
            cache.set("session:hot", "v", HOUR).await.unwrap();
        }
        read(&cache, &format!("user:{}", n % 1000)).await;
    }
    let hot = &world.monitor.hot_keys(3)[0];
    assert_eq!((hot.cache.as_str(), hot.key.as_str()), ("app", "`session:…` (11 bytes)"));
    assert!(hot.at_least <= 41_000 && hot.at_most >= 35_000, "hits in memory count, scaled up: {hot:?}");
    let big = world.monitor.big_keys(2);
    assert_eq!((big[0].key.as_str(), big[0].bytes > 100_000), ("`page:…` (8 bytes)", true));
    assert_eq!(big[1].key, "`user:…` (8 bytes)");
}

#[tokio::test]
async fn alerts_are_told_once_a_change() {
    let told: Arc<Mutex<Vec<AlertChange>>> = Arc::default();
    let clock = FakeClock::new();
    let monitor = PerformanceMonitor::builder().clock(clock.clone()).on_alert({
        let told = told.clone();
        move |change| told.lock().unwrap().push(change.clone())
    });
    let monitor = monitor.build().unwrap();
    let tier = Arc::new(MemoryTier::new(1000, 64 << 20, clock.clone()).unwrap());
    let cache = Cache::builder(Namespace::new("app").unwrap()).local(tier).timer(clock.clone());
    let cache = cache.observer(monitor.clone()).build().unwrap();
    let wrong = Thresholds { memory_warning: 0, hit_ratio_warning: 2.0, ..Thresholds::default() };
    let error = monitor.configure_thresholds(wrong).unwrap_err();
    assert!(error.kind() == ErrorKind::Configuration && error.message().starts_with("2 problems"), "{error}");
    assert_eq!(monitor.thresholds(), Thresholds::default(), "nothing changes by an error");

    let watching = tokio::spawn(monitor.watch_over(clock.clone(), MINUTE));
    tokio::spawn(monitor.watch_over(clock.clone(), MINUTE)).await.unwrap();
    settle().await;
    for n in 0..200 {
        read(&cache, &n.to_string()).await;
    }
    for _ in 0..3 {
        clock.advance(MINUTE);
        settle().await;
    }
    let raised = told.lock().unwrap().clone();
    let [AlertChange::Raised(alert)] = &raised[..] else { panic!("{raised:?}") };
    assert_eq!((alert.kind, alert.severity, alert.value), (AlertKind::HitRatio, Severity::Warning, 0.0));
    assert_eq!(monitor.alerts(), std::slice::from_ref(alert));
    assert_eq!(monitor.snapshot().alerts, std::slice::from_ref(alert));

    let thresholds = Thresholds {
        memory_warning: 100,
        memory_critical: 200,
        hit_ratio_warning: 0.0,
        ..Thresholds::default()
    };
    monitor.configure_thresholds(thresholds).unwrap();
    cache.set("k", "v", HOUR).await.unwrap();
    for n in 0..200 {
        read(&cache, &n.to_string()).await;
    }
    clock.advance(MINUTE);
    settle().await;
    let alerts = monitor.alerts();
    assert_eq!(alerts.iter().map(|alert| alert.kind).collect::<Vec<_>>(), [AlertKind::Memory], "{alerts:?}");
    assert_eq!(told.lock().unwrap().len(), 3);

    let weak = Arc::downgrade(&monitor);
    drop((monitor, cache));
    clock.advance(MINUTE);
    watching.await.unwrap();
    assert!(weak.upgrade().is_none(), "its task does not keep it alive");
}

#[tokio::test]
async fn a_callback_that_panics_ends_no_checks() {
    let (clock, told) = (FakeClock::new(), Arc::new(Mutex::new(0)));
    let count = told.clone();
    let monitor = PerformanceMonitor::builder().clock(clock.clone()).on_alert(move |_| {
        *count.lock().unwrap() += 1;
        panic!("the application's");
    });
    let monitor = monitor.build().unwrap();
    let tier = Arc::new(MemoryTier::new(1000, 64 << 20, clock.clone()).unwrap());
    let cache = Cache::builder(Namespace::new("app").unwrap()).local(tier).timer(clock.clone());
    let cache = cache.observer(monitor.clone()).build().unwrap();
    let watching = tokio::spawn(monitor.watch_over(clock.clone(), MINUTE));
    settle().await;
    for n in 0..200 {
        read(&cache, &n.to_string()).await;
    }
    clock.advance(MINUTE);
    settle().await;
    assert_eq!((*told.lock().unwrap(), monitor.alerts().len()), (1, 1));
    cache.set("k", "v", HOUR).await.unwrap();
    for _ in 0..200 {
        assert!(read(&cache, "k").await);
    }
    clock.advance(MINUTE);
    settle().await;
    assert_eq!((*told.lock().unwrap(), monitor.alerts().len()), (2, 0), "it goes on");
    assert!(!watching.is_finished());
}

#[tokio::test]
async fn a_cache_that_is_built_anew_under_its_name_is_judged_anew() {
    let world = World::new();
    let old = world.private("app", 1000);
    old.set("k", "v", HOUR).await.unwrap();
    for _ in 0..100_000 {
        read(&old, "k").await;
    }
    world.monitor.check();
    world.clock.advance(Duration::from_secs(61));
    world.monitor.check();
    drop(old);
    settle().await;
    let new = world.private("app", 1000);
    for n in 0..1000 {
        read(&new, &n.to_string()).await;
    }
    world.monitor.check();
    let alerts = world.monitor.alerts();
    assert!(alerts.iter().any(|alert| alert.kind == AlertKind::HitRatio), "nothing is found, and {alerts:?}");
}

#[tokio::test]
async fn slow_operations_are_those_above_the_threshold_that_stands() {
    let world = World::new();
    let server = ReferenceServer::new(world.clock.clone());
    let cache = world.shared(&server).await;
    let slow = |world: &World| -> u64 {
        world.monitor.snapshot().caches[0].reads.iter().map(|timing| timing.slow).sum()
    };
    let delayed = || async {
        let gate = server.hold(Op::Get);
        let (reading, ()) = tokio::join!(cache.get::<String>("k"), async {
            gate.reached().await;
            world.clock.advance(Duration::from_millis(60));
            gate.release();
        });
        reading.unwrap();
    };
    delayed().await;
    assert_eq!(slow(&world), 0);
    let strict = Thresholds { operation_slow: Duration::from_millis(50), ..Thresholds::default() };
    world.monitor.configure_thresholds(strict).unwrap();
    delayed().await;
    assert_eq!(slow(&world), 1);
    let read = &world.monitor.snapshot().caches[0].reads[0];
    assert!((0.059..0.061).contains(&read.latency.p99), "{read:?}");
}

#[tokio::test]
async fn caches_are_told_apart_and_forgotten_when_they_are_gone() {
    let world = World::new();
    let (a, b) = (world.private("app", 10), world.private("app", 10));
    read(&b, "k").await;
    let names = || world.monitor.snapshot().caches.into_iter().map(|it| it.cache).collect::<Vec<_>>();
    assert_eq!(names(), ["app", "app#2"]);
    assert_eq!(world.monitor.snapshot().caches[1].stats.reads.misses, 1);
    drop(a);
    world.clock.advance(MINUTE * 2);
    let last = &world.monitor.snapshot().caches[0];
    assert!(!last.is_there && last.cache == "app");
    let _c = world.private("other", 10);
    assert_eq!(names(), ["app#2", "other"]);
    read(&b, "k").await;
    assert_eq!(world.monitor.snapshot().caches[0].stats.reads.misses, 2);
}

#[tokio::test]
async fn too_many_caches_share_one_place() {
    let world = World::new();
    let caches: Vec<Cache> = (0..40).map(|n| world.private(&format!("c{n}"), 10)).collect();
    for cache in &caches {
        read(cache, "k").await;
    }
    let snapshot = world.monitor.snapshot();
    assert_eq!((snapshot.caches.len(), snapshot.caches_beyond), (33, 8));
    let other = snapshot.caches.last().unwrap();
    assert_eq!((other.cache.as_str(), other.first_misses), ("other", 1));
    assert_eq!(other.misses["never_stored"], 8);
}

#[tokio::test]
async fn health_tries_the_stores_out() {
    let world = World::new();
    let server = ReferenceServer::new(world.clock.clone());
    let cache = world.shared(&server).await;
    let _private = world.private("private", 10);
    let health = world.monitor.health().await;
    assert_eq!((health.status, health.caches.len()), (HealthStatus::Healthy, 2), "{health:?}");
    server.fail_next(Op::Get, 1, ErrorKind::Unavailable);
    let health = world.monitor.health().await;
    assert_eq!(health.status, HealthStatus::Degraded, "{health:?}");
    assert!(health.reasons[0].starts_with("app: "), "{health:?}");
    cache.close();
    assert_eq!(world.monitor.health().await.status, HealthStatus::Unhealthy);
}

#[tokio::test]
async fn a_cache_whose_store_hangs_keeps_no_other_from_being_tried() {
    let world = World::new();
    let (hung, other) =
        (ReferenceServer::new(world.clock.clone()), ReferenceServer::new(world.clock.clone()));
    let caches = (world.shared(&hung).await, world.shared(&other).await);
    let gate = hung.hold(Op::Put);
    let monitor = world.monitor.clone();
    let asked = tokio::spawn(async move { monitor.health().await });
    settle().await;
    assert!(gate.is_reached());
    assert_eq!(other.calls(Op::Put), 1);
    gate.release();
    assert_eq!(asked.await.unwrap().status, HealthStatus::Healthy);
    drop(caches);
}

#[tokio::test]
async fn keys_and_values_show_nowhere() {
    const CANARY: &str = "c4n4ry";
    let world = World::new();
    let server = ReferenceServer::new(world.clock.clone());
    let cache = world.shared(&server).await;
    let key = format!("user:{CANARY}");
    cache.set(&key, CANARY, SetOptions::ttl(HOUR).tag(CANARY)).await.unwrap();
    for _ in 0..2000 {
        read(&cache, &key).await;
        read(&cache, &format!("none:{CANARY}")).await;
    }
    cache.invalidate_tag(CANARY).await.unwrap();
    server.raw_set(&format!("app:{key}"), CANARY, None);
    settle().await;
    read(&cache, &key).await;
    cache.get_or_load::<String, _>(&key, HOUR, || async { Loaded::Err("failed".into()) }).await.unwrap_err();
    let monitor = &world.monitor;
    monitor.check();
    let shown = format!(
        "{monitor:?} {monitor:#?} {:?} {:?} {:?} {:?} {:?} {:?} {:?} {}",
        monitor.snapshot(),
        monitor.alerts(),
        monitor.recommendations(),
        monitor.hot_keys(100),
        monitor.big_keys(100),
        monitor.why_missed(&key),
        monitor.health().await,
        serde_json::to_string(&monitor.snapshot()).unwrap(),
    );
    #[cfg(feature = "json")]
    let shown = shown + &monitor.json();
    #[cfg(feature = "prometheus")]
    let shown = shown + &monitor.prometheus();
    assert!(!shown.contains(CANARY), "{shown}");
    assert!(shown.contains("`user:…` (11 bytes)"), "there is something to see: {shown}");
}

#[tokio::test]
async fn who_asks_for_it_sees_keys_in_clear() {
    let clock = FakeClock::new();
    let monitor = PerformanceMonitor::builder().clock(clock.clone()).show_keys(true).build().unwrap();
    let tier = Arc::new(MemoryTier::new(1000, 64 << 20, clock.clone()).unwrap());
    let cache = Cache::builder(Namespace::new("app").unwrap()).local(tier).timer(clock);
    let cache = cache.observer(monitor.clone()).build().unwrap();
    cache.set("user:42", "v", HOUR).await.unwrap();
    assert_eq!(monitor.big_keys(1)[0].key, "user:42");
}

#[test]
fn settings_out_of_range_are_said_all_at_once() {
    let thresholds = Thresholds { hit_ratio_warning: -1.0, ..Thresholds::default() };
    let error = PerformanceMonitor::builder().remember(0).thresholds(thresholds).build().unwrap_err();
    assert!(error.message().starts_with("2 problems: "), "{error}");
    let clock = FakeClock::new();
    assert!(PerformanceMonitor::builder().clock(clock.clone()).remember(128).build().is_ok());
}
