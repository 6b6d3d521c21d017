//! A load that makes progress is waited for, and one that makes none is given up.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use std::pin::Pin;

use cache_testkit::{FakeClock, ReferenceServer, settle};
use cache_tiered::{Cache, ErrorKind, LoadOptions, LoadScope, Loaded};
use common::{MINUTE, SECOND, pass, private, process};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

type Loading = Pin<Box<dyn Future<Output = Loaded<u32>> + Send>>;

/// A loader that says so each time that it is given something, and ends when there is no more.
fn parts() -> (UnboundedSender<()>, impl FnOnce(LoadScope) -> Loading + Send + 'static) {
    let (give, given) = unbounded_channel();
    let loader = |scope: LoadScope| -> Loading { Box::pin(gathered(given, scope)) };
    (give, loader)
}

async fn gathered(mut given: UnboundedReceiver<()>, scope: LoadScope) -> Loaded<u32> {
    let mut count = 0;
    while given.recv().await.is_some() {
        count += 1;
        scope.keep_alive();
    }
    Ok(count)
}

fn options() -> LoadOptions {
    LoadOptions::ttl(MINUTE).load_timeout(10 * SECOND)
}

fn both() -> (std::sync::Arc<FakeClock>, [Cache; 2]) {
    let clock = FakeClock::new();
    let server = ReferenceServer::new(clock.clone());
    let caches = [private(&clock), process(&clock, &server).cache];
    (clock, caches)
}

#[tokio::test]
async fn a_load_that_makes_progress_is_waited_for_beyond_its_time_out() {
    let (clock, caches) = both();
    for cache in caches {
        let (give, loader) = parts();
        let first = tokio::spawn({
            let cache = cache.clone();
            async move { cache.get_or_load("k", options(), loader).await.map(|it| *it) }
        });
        settle().await;
        let joined = tokio::spawn({
            let cache = cache.clone();
            async move { cache.get_or_load("k", options(), || async { Loaded::Ok(0u32) }).await.map(|it| *it) }
        });
        for _ in 0..5 {
            pass(&clock, 8 * SECOND).await;
            give.send(()).unwrap();
            settle().await;
        }
        drop(give);
        assert_eq!(first.await.unwrap().unwrap(), 5);
        assert_eq!(joined.await.unwrap().unwrap(), 5);
        settle().await;
        assert_eq!(cache.get::<u32>("k").await.unwrap().as_deref(), Some(&5), "and it is kept");
    }
}

#[tokio::test]
async fn a_load_that_makes_no_more_progress_frees_who_waits() {
    let (clock, caches) = both();
    for cache in caches {
        let (give, loader) = parts();
        let waiting = tokio::spawn({
            let cache = cache.clone();
            async move { cache.get_or_load("k", options(), loader).await }
        });
        settle().await;
        pass(&clock, 8 * SECOND).await;
        give.send(()).unwrap();
        pass(&clock, 9 * SECOND).await;
        assert!(!waiting.is_finished(), "it was alive a moment ago");
        pass(&clock, 2 * SECOND).await;
        assert!(waiting.is_finished());
        assert_eq!(waiting.await.unwrap().unwrap_err().kind(), ErrorKind::Timeout);
        assert_eq!(cache.stats().loads.in_flight, 0);
    }
}
