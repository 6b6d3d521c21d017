//! A reload takes the place of what is there, and only if it brings something.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use std::time::Duration;

use cache_testkit::{FakeClock, Op, ReferenceServer, eventually};
use cache_tiered::{Cache, ErrorKind, LoadOptions, LoadScope, Loaded, Settings};
use common::{MINUTE, Runs, SECOND, pass, private, process, process_with, staged};

/// A cache in memory alone, and one of two processes that share a server.
fn both() -> [Cache; 2] {
    let clock = FakeClock::new();
    let server = ReferenceServer::new(clock.clone());
    [private(&clock), process(&clock, &server).cache]
}

async fn value(cache: &Cache) -> Option<u32> {
    cache.get::<u32>("k").await.unwrap().map(|value| *value)
}

async fn idle(cache: &Cache) {
    eventually(Duration::from_secs(5), "no load is left", || cache.stats().loads.in_flight == 0)
        .await
        .unwrap();
}

#[tokio::test]
async fn the_old_value_answers_until_there_is_a_new_one() {
    for cache in both() {
        cache.set("k", &1u32, MINUTE).await.unwrap();
        let (stage, loader) = staged::<u32>();
        let own = cache.clone();
        let reload = tokio::spawn(async move { own.reload("k", MINUTE, loader).await });
        let running = stage.started().await;
        assert_eq!(value(&cache).await, Some(1));
        running.bring(2);
        assert_eq!(*reload.await.unwrap().unwrap(), 2);
        idle(&cache).await;
        assert_eq!(value(&cache).await, Some(2));
    }
}

#[tokio::test]
async fn other_processes_get_the_new_value() {
    let clock = FakeClock::new();
    let server = ReferenceServer::new(clock.clone());
    let (one, other) = (process(&clock, &server).cache, process(&clock, &server).cache);
    one.set("k", &1u32, MINUTE).await.unwrap();
    assert_eq!(value(&other).await, Some(1));
    one.reload("k", MINUTE, || async { Loaded::Ok(2u32) }).await.unwrap();
    for cache in [&one, &other] {
        assert_eq!(value(cache).await, Some(2));
    }
}

#[tokio::test]
async fn nobody_reads_the_old_value_after_he_was_brought_the_new_one() {
    let clock = FakeClock::new();
    let server = ReferenceServer::new(clock.clone());
    let cache = process(&clock, &server).cache;
    cache.set("k", &1u32, MINUTE).await.unwrap();
    let gate = server.hold(Op::Put);
    let own = cache.clone();
    let reload = tokio::spawn(async move {
        let brought = own.reload("k", MINUTE, || async { Loaded::Ok(2u32) }).await.unwrap();
        (*brought, value(&own).await)
    });
    gate.reached().await;
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
    gate.release();
    assert_eq!(reload.await.unwrap(), (2, Some(2)));
}

#[tokio::test]
async fn a_lost_reply_leaves_no_old_copy_behind() {
    let clock = FakeClock::new();
    let server = ReferenceServer::new(clock.clone());
    let (one, other) = (process(&clock, &server), process(&clock, &server).cache);
    one.cache.set("k", &1u32, MINUTE).await.unwrap();
    let gate = one.link.hold_reply(Op::Put);
    let own = one.cache.clone();
    let reload = tokio::spawn(async move { own.reload("k", MINUTE, || async { Loaded::Ok(2u32) }).await });
    gate.reached().await;
    // The store has taken the new value and announced it to others; to this process it has not said a word.
    for cache in [&other, &one.cache] {
        assert_eq!(value(cache).await, Some(2));
    }
    gate.release();
    reload.await.unwrap().unwrap();
    assert_eq!(value(&one.cache).await, Some(2));
}

#[tokio::test]
async fn a_reload_that_fails_or_is_not_to_be_stored_leaves_what_is_there() {
    for cache in both() {
        cache.set("k", &1u32, MINUTE).await.unwrap();
        let fails = || async { Err::<u32, _>(std::io::Error::other("the source is down")) };
        let error = cache.reload("k", MINUTE, fails).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Load, "although there is an older value");
        assert_eq!(value(&cache).await, Some(1));
        let unstored = |scope: LoadScope| async move {
            scope.do_not_store();
            Loaded::Ok(2u32)
        };
        assert_eq!(*cache.reload("k", MINUTE, unstored).await.unwrap(), 2);
        idle(&cache).await;
        assert_eq!(value(&cache).await, Some(1));
    }
}

#[tokio::test]
async fn a_reload_keeps_nothing_over_what_came_after_it_began() {
    for cache in both() {
        for what in ["set", "delete", "tag"] {
            cache.set("k", &1u32, cache_tiered::SetOptions::ttl(MINUTE).tag("t")).await.unwrap();
            let (stage, loader) = staged::<u32>();
            let own = cache.clone();
            let options = LoadOptions::ttl(MINUTE).tag("t");
            let reload = tokio::spawn(async move { own.reload("k", options, loader).await });
            let running = stage.started().await;
            match what {
                "set" => cache.set("k", &3u32, MINUTE).await.unwrap(),
                "delete" => cache.delete("k").await.unwrap(),
                _ => cache.invalidate_tag("t").await.unwrap(),
            }
            running.bring(2);
            assert_eq!(*reload.await.unwrap().unwrap(), 2, "who asked is answered");
            idle(&cache).await;
            assert_eq!(value(&cache).await, (what == "set").then_some(3), "{what}");
        }
    }
}

#[tokio::test]
async fn what_was_being_loaded_before_is_neither_joined_nor_kept() {
    for cache in both() {
        let (stage, loader) = staged::<u32>();
        let own = cache.clone();
        let load = tokio::spawn(async move { own.get_or_load("k", MINUTE, loader).await });
        let running = stage.started().await;
        let runs = Runs::default();
        let reload = cache.reload("k", MINUTE, runs.loader(2u32));
        let reload = tokio::time::timeout(Duration::from_secs(5), reload).await.expect("it waits for nobody");
        assert_eq!(*reload.unwrap(), 2);
        running.bring(1);
        assert_eq!((*load.await.unwrap().unwrap(), runs.count()), (1, 1));
        idle(&cache).await;
        assert_eq!(value(&cache).await, Some(2));
    }
}

#[tokio::test]
async fn who_reloads_again_asks_again_and_the_later_stays() {
    for cache in both() {
        cache.set("k", &1u32, MINUTE).await.unwrap();
        let (stage, loader) = staged::<u32>();
        let own = cache.clone();
        let first = tokio::spawn(async move { own.reload("k", MINUTE, loader).await });
        let running = stage.started().await;
        let runs = Runs::default();
        let again = cache.reload("k", MINUTE, runs.loader(3u32));
        let again = tokio::time::timeout(Duration::from_secs(5), again).await.expect("it waits for nobody");
        assert_eq!(*again.unwrap(), 3);
        running.bring(2);
        assert_eq!((*first.await.unwrap().unwrap(), runs.count()), (2, 1));
        idle(&cache).await;
        assert_eq!(value(&cache).await, Some(3));
    }
}

#[tokio::test]
async fn what_a_reload_brings_while_the_store_is_away_takes_the_place_of_what_was_there() {
    let clock = FakeClock::new();
    let server = ReferenceServer::new(clock.clone());
    let mut settings = Settings::default();
    settings.disconnected_max_age = 60 * MINUTE;
    let here = process_with(&clock, &server, settings);
    pass(&clock, SECOND).await;
    here.cache.set("k", &1u32, 60 * MINUTE).await.unwrap();
    here.link.disconnect();
    pass(&clock, 2 * SECOND).await;
    assert_eq!(value(&here.cache).await, Some(1));
    here.cache.reload("k", 60 * MINUTE, Runs::default().loader(2u32)).await.unwrap();
    idle(&here.cache).await;
    assert_eq!(value(&here.cache).await, Some(2));
    // Not over what happens to the key while it is under way.
    let (stage, loader) = staged();
    let reload = tokio::spawn({
        let cache = here.cache.clone();
        async move { cache.reload("k", 60 * MINUTE, loader).await.map(|value| *value) }
    });
    let running = stage.started().await;
    assert!(here.cache.delete("k").await.unwrap_err().is_queued());
    running.bring(3);
    assert_eq!(reload.await.unwrap().unwrap(), 3);
    idle(&here.cache).await;
    assert_eq!(value(&here.cache).await, None);
}

#[tokio::test]
async fn what_is_reloaded_while_the_store_is_away_takes_the_place_of_what_waits() {
    let clock = FakeClock::new();
    let server = ReferenceServer::new(clock.clone());
    let (here, there) = (process(&clock, &server), process(&clock, &server));
    pass(&clock, SECOND).await;
    here.link.disconnect();
    here.cache.set("k", &1_u32, 60 * MINUTE).await.unwrap();
    let loader = || async { Loaded::Ok(2_u32) };
    assert_eq!(*here.cache.reload("k", 60 * MINUTE, loader).await.unwrap(), 2);
    idle(&here.cache).await;
    assert_eq!(value(&here.cache).await, Some(2));
    here.link.reconnect();
    pass(&clock, 2 * SECOND).await;
    assert_eq!(
        (value(&here.cache).await, value(&there.cache).await),
        (None, None),
        "the older one is not written"
    );
}
