//! One key that is wanted as two types at a time: everybody gets his own, and nobody an error.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use cache_testkit::{FakeClock, Op, ReferenceServer, eventually, settle};
use cache_tiered::{Cache, Loaded};
use common::{MINUTE, Runs, SECOND, pass, private, process, staged};

fn text(cache: &Cache) -> (common::Stage<String>, tokio::task::JoinHandle<String>) {
    let (stage, loader) = staged::<String>();
    let cache = cache.clone();
    let asking =
        tokio::spawn(async move { (*cache.get_or_load("k", MINUTE, loader).await.unwrap()).clone() });
    (stage, asking)
}

#[tokio::test]
async fn what_another_process_loaded_as_another_type_does_not_spend_the_loader() {
    let clock = FakeClock::new();
    let server = ReferenceServer::new(clock.clone());
    let (here, there) = (process(&clock, &server).cache, process(&clock, &server).cache);
    let (stage, asking) = text(&there);
    let running = stage.started().await;
    let runs = Runs::default();
    let number = tokio::spawn({
        let (here, loader) = (here.clone(), runs.loader(7u32));
        async move { here.get_or_load("k", MINUTE, loader).await.map(|it| *it) }
    });
    settle().await;
    assert_eq!(runs.count(), 0, "the other process is loading");
    running.bring("seven".into());
    assert_eq!(asking.await.unwrap(), "seven");
    pass(&clock, SECOND).await;
    assert_eq!(number.await.unwrap().unwrap(), 7);
    assert_eq!(runs.count(), 1);
}

#[tokio::test]
async fn who_is_brought_another_type_again_and_again_loads_for_himself_and_keeps_nothing() {
    let clock = FakeClock::new();
    let server = ReferenceServer::new(clock.clone());
    let cache = process(&clock, &server).cache;
    let (stage, asking) = text(&cache);
    let running = stage.started().await;
    // The text answers all who ask until the store has it.
    let put = server.hold(Op::Put);
    running.bring("seven".into());
    assert_eq!(asking.await.unwrap(), "seven");
    let runs = Runs::default();
    assert_eq!(*cache.get_or_load("k", MINUTE, runs.loader(7u32)).await.unwrap(), 7);
    assert_eq!(runs.count(), 1);
    put.release();
    let is_done = || cache.stats().loads.in_flight == 0;
    eventually(5 * SECOND, "the text is stored", is_done).await.unwrap();
    assert_eq!(*cache.get::<String>("k").await.unwrap().unwrap(), "seven");
}

#[tokio::test]
async fn reloads_of_two_types_bring_each_its_own() {
    let clock = FakeClock::new();
    let server = ReferenceServer::new(clock.clone());
    for cache in [private(&clock), process(&clock, &server).cache] {
        cache.set("k", &"six".to_owned(), MINUTE).await.unwrap();
        let (stage, loader) = staged::<String>();
        let other = tokio::spawn({
            let cache = cache.clone();
            async move { cache.reload("k", MINUTE, loader).await.map(|it| (*it).clone()) }
        });
        let running = stage.started().await;
        // One that joins the reload, and one that does not.
        let number = tokio::spawn({
            let cache = cache.clone();
            async move { cache.reload("k", MINUTE, || async { Loaded::Ok(7u32) }).await.map(|it| *it) }
        });
        settle().await;
        running.bring("seven".into());
        assert_eq!(other.await.unwrap().unwrap(), "seven");
        assert_eq!(number.await.unwrap().unwrap(), 7);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn callers_of_two_types_all_get_their_own() {
    let clock = FakeClock::new();
    let server = ReferenceServer::new(clock.clone());
    for cache in [private(&clock), process(&clock, &server).cache] {
        for round in 0..100 {
            let key = format!("k{round}");
            let callers: Vec<_> = (0..16)
                .map(|caller| {
                    let (cache, key) = (cache.clone(), key.clone());
                    tokio::spawn(async move {
                        if caller % 2 == 0 {
                            let load = || async { Loaded::Ok(7u32) };
                            assert_eq!(*cache.get_or_load(&key, MINUTE, load).await.unwrap(), 7);
                        } else {
                            let load = || async { Loaded::Ok("seven".to_owned()) };
                            assert_eq!(*cache.get_or_load(&key, MINUTE, load).await.unwrap(), "seven");
                        }
                    })
                })
                .collect();
            for caller in callers {
                caller.await.unwrap();
            }
        }
    }
}
