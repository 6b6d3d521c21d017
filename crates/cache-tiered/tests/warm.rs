//! Filling a cache before somebody asks.
#![allow(clippy::unwrap_used, reason = "a test fails by a panic")]

mod common;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use cache_testkit::{FakeClock, settle};
use cache_tiered::{ErrorKind, LoadOptions, Loaded, Progress, StaleMode, WarmOptions};
use common::{MINUTE, private};
use tokio::sync::Semaphore;

/// Counts how many are at work at a time, and holds them until it is told to let some go.
#[derive(Clone)]
struct Crowd {
    now: Arc<AtomicUsize>,
    most: Arc<AtomicUsize>,
    door: Arc<Semaphore>,
}

impl Crowd {
    fn new() -> Self {
        Self { now: Arc::default(), most: Arc::default(), door: Arc::new(Semaphore::new(0)) }
    }

    async fn enter(&self) {
        let now = self.now.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(now, Ordering::SeqCst);
        self.door.acquire().await.unwrap().forget();
        self.now.fetch_sub(1, Ordering::SeqCst);
    }
}

#[tokio::test]
async fn all_items_are_stored_with_their_options_and_each_is_told() {
    let cache = private(&FakeClock::new());
    let seen: Arc<Mutex<Vec<Progress>>> = Arc::default();
    let told = Arc::clone(&seen);
    let options =
        WarmOptions::from(MINUTE).concurrency(2).on_progress(move |it| told.lock().unwrap().push(it));
    let items = (0..5).map(|i| (format!("n:{i}"), i)).chain([(String::new(), 5)]);
    let report = cache.warm(items.collect::<Vec<_>>(), options).await.unwrap();
    assert_eq!(report.failed.len(), 1, "the empty key: {report:?}");
    assert_eq!(report.failed[0].1.kind(), ErrorKind::Validation);
    assert_eq!(cache.ttl("n:4").await.unwrap(), Some(MINUTE));
    let seen = seen.lock().unwrap();
    let done: Vec<_> = seen.iter().map(|it| it.done).collect();
    assert_eq!(done, [1, 2, 3, 4, 5, 6]);
    assert_eq!((seen[5].failed, seen[5].total), (1, Some(6)));
}

#[tokio::test]
async fn no_more_loads_run_at_a_time_than_were_allowed() {
    let cache = private(&FakeClock::new());
    let crowd = Crowd::new();
    let (inside, keys) = (crowd.clone(), (0..10).map(|i| format!("k:{i}")).collect::<Vec<_>>());
    let filling = tokio::spawn({
        let cache = cache.clone();
        async move {
            let load = move |key: String| {
                let crowd = inside.clone();
                async move {
                    crowd.enter().await;
                    Loaded::Ok(key)
                }
            };
            cache.preload(keys, WarmOptions::from(MINUTE).concurrency(3), load).await
        }
    });
    settle().await;
    assert_eq!(crowd.now.load(Ordering::SeqCst), 3);
    crowd.door.add_permits(10);
    assert!(filling.await.unwrap().unwrap().failed.is_empty());
    assert_eq!(crowd.most.load(Ordering::SeqCst), 3);
    assert_eq!(**cache.get::<String>("k:9").await.unwrap().unwrap(), *"k:9");
}

#[tokio::test]
async fn what_is_there_is_not_loaded_and_what_fails_is_named() {
    let cache = private(&FakeClock::new());
    cache.set("a", "old", MINUTE).await.unwrap();
    let load = |key: String| async move { if key == "c" { Err("no c") } else { Ok(format!("new {key}")) } };
    let report = cache.preload(["a", "b", "c"], MINUTE, load).await.unwrap();
    let failed: Vec<_> = report.failed.iter().map(|(key, error)| (key.as_str(), error.kind())).collect();
    assert_eq!(failed, [("c", ErrorKind::Load)]);
    assert_eq!(**cache.get::<String>("a").await.unwrap().unwrap(), *"old");
    assert_eq!(**cache.get::<String>("b").await.unwrap().unwrap(), *"new b");
}

#[tokio::test]
async fn options_that_are_out_of_range_or_of_no_use_are_errors_before_anything_is_done() {
    let cache = private(&FakeClock::new());
    let item = [("k", 1)];
    for wrong in [0, 1001] {
        let error = cache.warm(item, WarmOptions::from(()).concurrency(wrong)).await.unwrap_err();
        assert!(error.message().contains("1 to 1000 are allowed"), "{error}");
    }
    let stale = LoadOptions::ttl(MINUTE).stale(StaleMode::OnError);
    for unused in [stale, LoadOptions::default().load_timeout(MINUTE)] {
        let error = cache.warm(item, unused).await.unwrap_err();
        assert!(error.message().contains("no effect"), "{error}");
    }
    assert!(!cache.exists("k").await.unwrap());
    cache.close();
    assert_eq!(cache.warm(item, ()).await.unwrap_err().kind(), ErrorKind::Closed);
}
