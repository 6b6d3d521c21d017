//! A cache in production lets go of many entries only if somebody says which cache is meant.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by a panic")]

mod common;

use cache_testkit::{FakeClock, ReferenceServer};
use cache_tiered::{Cache, Confirm, Error, ErrorKind, SetOptions, Settings};
use common::{MINUTE, private_with, process_with};

fn production() -> Settings {
    let mut settings = Settings::default();
    settings.production = true;
    settings
}

async fn filled(cache: &Cache) {
    let options = SetOptions::ttl(MINUTE).tag("t");
    cache.set("k", "value", options).await.unwrap();
}

async fn is_there(cache: &Cache) -> bool {
    cache.get::<String>("k").await.unwrap().is_some()
}

fn refused(result: Result<(), Error>, operation: &str) {
    let error = result.unwrap_err();
    assert_eq!((error.kind(), error.operation()), (ErrorKind::Validation, Some(operation)));
    assert!(error.message().contains("Confirm::namespace(\"test\")"), "it says what to do: {error}");
}

#[tokio::test]
async fn many_entries_go_only_if_that_was_confirmed() {
    let clock = FakeClock::new();
    let server = ReferenceServer::new(clock.clone());
    for cache in [private_with(&clock, production()), process_with(&clock, &server, production()).cache] {
        filled(&cache).await;
        refused(cache.clear().await, "clear");
        refused(cache.invalidate_tag("t").await, "invalidate_tag");
        assert!(is_there(&cache).await, "nothing was changed");
        assert_eq!(cache.stats().writes.invalidations, 0);

        let confirmed = cache.confirmed(&Confirm::namespace("test")).unwrap();
        confirmed.invalidate_tag("t").await.unwrap();
        assert!(!is_there(&cache).await);
        filled(&cache).await;
        confirmed.clone().clear().await.unwrap();
        assert!(!is_there(&cache).await);
        refused(cache.clear().await, "clear");
    }
}

#[tokio::test]
async fn single_keys_go_without() {
    let cache = private_with(&FakeClock::new(), production());
    filled(&cache).await;
    cache.expire("k").await.unwrap();
    cache.delete("k").await.unwrap();
    cache.delete_many(&["k"]).await.unwrap().into_result().unwrap();
    assert!(!is_there(&cache).await);
}

#[tokio::test]
async fn a_word_for_another_cache_is_refused_in_every_environment() {
    for settings in [Settings::default(), production()] {
        let cache = private_with(&FakeClock::new(), settings);
        for other in ["", "tests", "TEST", "test:", "*"] {
            let error = cache.confirmed(&Confirm::namespace(other)).unwrap_err();
            assert_eq!((error.kind(), error.operation()), (ErrorKind::Validation, Some("confirmed")));
            assert!(error.message().contains("`test` is meant"), "{error}");
        }
        cache.confirmed(&Confirm::namespace("test")).unwrap().clear().await.unwrap();
    }
}

#[tokio::test]
async fn a_cache_that_is_not_marked_needs_no_word() {
    let cache = private_with(&FakeClock::new(), Settings::default());
    filled(&cache).await;
    cache.invalidate_tag("t").await.unwrap();
    cache.clear().await.unwrap();
    assert!(!is_there(&cache).await);
}
