//! Stale on purpose: served while a new value is loaded, or when loading fails, and never after a delete.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use std::sync::Arc;
use std::time::Duration;

use cache_testkit::{FakeClock, ReferenceServer, settle};
use cache_tiered::{Cache, Error, LoadOptions, Loaded, SetOptions, StaleMode, Status};
use common::{MINUTE, Runs, private, process, staged};

fn options() -> LoadOptions {
    LoadOptions::ttl(MINUTE).stale_for(10 * MINUTE)
}

async fn failing(cache: &Cache, options: LoadOptions) -> Result<Arc<String>, Error> {
    cache.get_or_load("k", options, || async { Err("the source is down") }).await
}

/// In memory, and with a store behind it.
fn setups() -> [(Arc<FakeClock>, Cache); 2] {
    let (a, b) = (FakeClock::new(), FakeClock::new());
    let (private, shared) = (private(&a), process(&b, &ReferenceServer::new(b.clone())).cache);
    [(a, private), (b, shared)]
}

#[tokio::test]
async fn a_stale_value_answers_at_once_while_one_load_runs_in_the_background() {
    for (clock, cache) in setups() {
        cache.set("k", "old", options().entry).await.unwrap();
        clock.advance(MINUTE);
        let (stage, loader) = staged();
        assert_eq!(*cache.get_or_load("k", options(), loader).await.unwrap(), "old");
        let running = stage.started().await;
        let runs = Runs::default();
        for _ in 0..10 {
            let answer = cache.get_or_load("k", options(), runs.loader("other".to_owned())).await;
            assert_eq!(*answer.unwrap(), "old");
        }
        running.bring("new".to_owned());
        settle().await;
        assert_eq!(runs.count(), 0);
        assert_eq!(*cache.get::<String>("k").await.unwrap().unwrap(), "new");
        assert_eq!(cache.stats().reads.stale_hits, 11);
    }
}

#[tokio::test]
async fn get_answers_with_fresh_values_only_and_its_receipt_says_why_not() {
    for (clock, cache) in setups() {
        cache.set("k", "old", options().entry).await.unwrap();
        clock.advance(MINUTE - Duration::from_millis(1));
        assert!(cache.get::<String>("k").await.unwrap().is_some());
        clock.advance(Duration::from_millis(1));
        let (value, receipt) = cache.get_with_receipt::<String>("k").await.unwrap();
        assert_eq!((value, receipt.status), (None, Status::Stale));
        assert!(!cache.exists("k").await.unwrap());
        clock.advance(10 * MINUTE);
        let (_, receipt) = cache.get_with_receipt::<String>("k").await.unwrap();
        assert_eq!(receipt.status, Status::Absent);
    }
}

#[tokio::test]
async fn a_stale_value_ends_with_its_stale_for_which_comes_on_top_of_the_fresh_time() {
    for (clock, cache) in setups() {
        cache.set("k", "old", options().entry).await.unwrap();
        clock.advance(11 * MINUTE - Duration::from_millis(1));
        assert_eq!(*failing(&cache, options()).await.unwrap(), "old");
        settle().await;
        clock.advance(Duration::from_millis(1001));
        assert!(failing(&cache, options()).await.is_err());
    }
}

#[tokio::test]
async fn on_error_waits_for_the_load_and_falls_back_to_the_stale_value() {
    for (clock, cache) in setups() {
        cache.set("k", "old", options().entry).await.unwrap();
        clock.advance(2 * MINUTE);
        let on_error = options().stale(StaleMode::OnError);
        assert_eq!(*failing(&cache, on_error.clone()).await.unwrap(), "old");
        let runs = Runs::default();
        let throttled =
            cache.get_or_load("k", on_error.clone(), runs.loader("new".to_owned())).await.unwrap();
        assert_eq!((throttled.as_str(), runs.count()), ("old", 0), "not tried again within the window");
        clock.advance(2 * MINUTE);
        let answer = cache.get_or_load("k", on_error, runs.loader("new".to_owned())).await.unwrap();
        assert_eq!((answer.as_str(), runs.count()), ("new", 1));
    }
}

#[tokio::test]
async fn a_deleted_value_is_not_served_stale_not_once() {
    for (clock, cache) in setups() {
        for step in ["delete", "clear", "invalidate_tag"] {
            cache.set("k", "old", options().entry.tag("t")).await.unwrap();
            clock.advance(2 * MINUTE);
            match step {
                "delete" => cache.delete("k").await.unwrap(),
                "clear" => cache.clear().await.unwrap(),
                _ => cache.invalidate_tag("t").await.unwrap(),
            }
            for mode in [StaleMode::WhileRevalidate, StaleMode::OnError] {
                assert!(failing(&cache, options().stale(mode)).await.is_err(), "{step}");
                clock.advance(MINUTE);
            }
        }
    }
}

#[tokio::test]
async fn what_is_deleted_while_its_refresh_fails_is_not_served_stale() {
    for (clock, cache) in setups() {
        cache.set("k", "old", options().entry).await.unwrap();
        clock.advance(2 * MINUTE);
        let (stage, loader) = staged::<String>();
        let caller = tokio::spawn({
            let cache = cache.clone();
            async move { cache.get_or_load("k", options().stale(StaleMode::OnError), loader).await }
        });
        let running = stage.started().await;
        cache.delete("k").await.unwrap();
        running.fail();
        caller.await.unwrap().unwrap_err();
    }
}

#[tokio::test]
async fn an_expired_value_is_stale_for_its_stale_for_and_then_gone() {
    for (clock, cache) in setups() {
        cache.set("k", "old", SetOptions::ttl(100 * MINUTE).stale_for(10 * MINUTE)).await.unwrap();
        clock.advance(MINUTE);
        cache.expire("k").await.unwrap();
        assert_eq!(cache.get::<String>("k").await.unwrap(), None);
        assert_eq!(*failing(&cache, options()).await.unwrap(), "old");
        settle().await;
        clock.advance(10 * MINUTE);
        assert!(
            failing(&cache, options()).await.is_err(),
            "its stale time counts from the moment it was expired"
        );
    }
}

#[tokio::test]
async fn an_expired_value_without_a_stale_time_is_gone() {
    for (_, cache) in setups() {
        cache.set("k", "old", MINUTE).await.unwrap();
        cache.expire("k").await.unwrap();
        assert!(failing(&cache, options()).await.is_err());
        assert_eq!(cache.get::<String>("k").await.unwrap(), None);
    }
}

#[tokio::test]
async fn a_failing_background_refresh_is_not_retried_by_every_caller() {
    for (clock, cache) in setups() {
        cache.set("k", "old", options().entry).await.unwrap();
        clock.advance(2 * MINUTE);
        let runs = Runs::default();
        for _ in 0..20 {
            let count = runs.clone();
            let loader = move || async move {
                count.one();
                Err("the source is down")
            };
            assert_eq!(*cache.get_or_load::<String, _>("k", options(), loader).await.unwrap(), "old");
            settle().await;
        }
        assert_eq!(runs.count(), 1);
    }
}

#[tokio::test]
async fn stale_answers_do_not_travel_to_the_store() {
    let clock = FakeClock::new();
    let server = ReferenceServer::new(clock.clone());
    let here = process(&clock, &server);
    here.cache.set("k", "old", options().entry).await.unwrap();
    let before = server.raw_get("test:k").unwrap().bytes;
    clock.advance(2 * MINUTE);
    failing(&here.cache, options()).await.unwrap();
    settle().await;
    assert_eq!(server.raw_get("test:k").unwrap().bytes, before);
    let there = process(&clock, &server);
    let (_, receipt) = there.cache.get_with_receipt::<String>("k").await.unwrap();
    assert_eq!(receipt.status, Status::Stale);
}

#[tokio::test]
async fn the_default_is_no_stale_answer_at_all() {
    for (clock, cache) in setups() {
        cache.set("k", "old", MINUTE).await.unwrap();
        clock.advance(MINUTE);
        assert!(failing(&cache, LoadOptions::ttl(MINUTE)).await.is_err());
        clock.advance(MINUTE);
        let fresh = cache.get_or_load("k", MINUTE, || async { Loaded::Ok("new".to_owned()) }).await.unwrap();
        assert_eq!(*fresh, "new");
    }
}

#[tokio::test]
async fn an_expired_value_misses_at_once_also_by_the_systems_coarse_clock() {
    let timer = Arc::new(cache_tiered::TokioTimer::new());
    let tier = Arc::new(cache_memory::MemoryTier::new(100, 1 << 20, timer.clone()).unwrap());
    let namespace = cache_tiered::Namespace::new("test").unwrap();
    let cache = Cache::builder(namespace).local(tier).timer(timer).build().unwrap();
    for _ in 0..100 {
        cache.set("k", "value", options().entry).await.unwrap();
        assert!(cache.get::<String>("k").await.unwrap().is_some());
        cache.expire("k").await.unwrap();
        assert_eq!(cache.get::<String>("k").await.unwrap(), None);
    }
}

#[tokio::test]
async fn no_value_is_served_after_its_ttl_also_by_the_systems_coarse_clock() {
    let timer = Arc::new(cache_tiered::TokioTimer::new());
    let tier = Arc::new(cache_memory::MemoryTier::new(100, 1 << 20, timer.clone()).unwrap());
    let namespace = cache_tiered::Namespace::new("test").unwrap();
    let cache = Cache::builder(namespace).local(tier).timer(timer).build().unwrap();
    for _ in 0..20 {
        cache.set("k", "value", Duration::from_millis(3)).await.unwrap();
        let set = std::time::Instant::now();
        loop {
            let asked = set.elapsed();
            if cache.get::<String>("k").await.unwrap().is_none() {
                break;
            }
            assert!(asked < Duration::from_millis(3), "served {asked:?} after it was set");
        }
    }
}

#[tokio::test]
async fn a_refresh_that_began_inside_a_load_may_ask_for_what_that_load_brings() {
    let clock = FakeClock::new();
    let cache = private(&clock);
    cache.set("b", &1u32, options().entry).await.unwrap();
    clock.advance(2 * MINUTE);
    let (outer, inner) = (cache.clone(), cache.clone());
    let refresh = || async move {
        let a = inner.get_or_load("a", MINUTE, || async { Loaded::Ok(9u32) }).await?;
        Loaded::Ok(*a + 1)
    };
    let load = || async move {
        let b = outer.get_or_load("b", options(), refresh).await?;
        // The refresh asks meanwhile.
        settle().await;
        Loaded::Ok(*b + 1)
    };
    assert_eq!(*cache.get_or_load("a", MINUTE, load).await.unwrap(), 2);
    settle().await;
    assert_eq!(cache.get::<u32>("b").await.unwrap().as_deref(), Some(&3), "nobody waited for it");
}
