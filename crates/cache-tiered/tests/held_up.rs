//! Nobody is held up by what somebody else does not end: a call that nobody polls, a reply that is lost, a question that
//! the store does not answer.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use std::time::Duration;

use cache_core::Clock;
use cache_testkit::{FakeClock, Op, ReferenceServer, settle};
use cache_tiered::{Cache, ErrorKind, Loaded, OnStoreError, Settings};
use common::{MINUTE, SECOND, pass, process, process_with};

async fn get(cache: &Cache, key: &str) -> Option<String> {
    cache.get::<String>(key).await.unwrap().map(|value| (*value).clone())
}

/// What a loader of `value` brings, and how long it took.
async fn load(clock: &FakeClock, cache: &Cache, value: &str) -> (String, Duration) {
    let (cache, value, began) = (cache.clone(), value.to_owned(), clock.now());
    let load =
        tokio::spawn(async move { cache.get_or_load("k", MINUTE, || async { Loaded::Ok(value) }).await });
    settle().await;
    while !load.is_finished() {
        pass(clock, Duration::from_millis(50)).await;
    }
    ((*load.await.unwrap().unwrap()).clone(), clock.now().since(began))
}

#[tokio::test]
async fn a_call_that_tries_the_store_out_and_is_not_polled_keeps_the_store_from_nobody_for_ever() {
    let clock = FakeClock::new();
    let server = ReferenceServer::new(clock.clone());
    let (here, there) = (process(&clock, &server), process(&clock, &server));
    pass(&clock, SECOND).await;
    there.cache.set("k", "v", 60 * MINUTE).await.unwrap();
    here.link.fail_next(Op::Get, 5, ErrorKind::Unavailable);
    for _ in 0..5 {
        assert_eq!(get(&here.cache, "k").await, None);
    }
    pass(&clock, SECOND).await;
    let gate = here.link.hold(Op::Get);
    let mut probe = Box::pin(here.cache.get::<String>("other"));
    assert!(futures_util::poll!(&mut probe).is_pending());
    gate.release();
    assert_eq!(get(&here.cache, "k").await, None, "it is being tried out");
    pass(&clock, MINUTE).await;
    assert_eq!(get(&here.cache, "k").await.as_deref(), Some("v"));
    drop(probe);
    assert_eq!(get(&here.cache, "k").await.as_deref(), Some("v"));
}

#[tokio::test]
async fn a_value_whose_marks_cannot_be_read_does_not_hold_up_a_load() {
    let clock = FakeClock::new();
    let server = ReferenceServer::new(clock.clone());
    let (here, there) = (process(&clock, &server), process(&clock, &server));
    pass(&clock, SECOND).await;
    there.cache.set("k", "v", 60 * MINUTE).await.unwrap();
    here.link.fail_next(Op::ReadMarks, 1000, ErrorKind::Configuration);
    let (value, took) = load(&clock, &here.cache, "loaded").await;
    assert!(value == "loaded" && took < SECOND, "{value} after {took:?}");
}

#[tokio::test]
async fn a_claim_whose_reply_is_lost_is_given_back() {
    for is_over in [false, true] {
        let clock = FakeClock::new();
        let server = ReferenceServer::new(clock.clone());
        let (here, there) = (process(&clock, &server), process(&clock, &server));
        pass(&clock, SECOND).await;
        if is_over {
            // A value that no `String` can be read from is claimed over.
            there.cache.set("k", &7u64, MINUTE).await.unwrap();
        }
        let gate = here.link.hold_reply(Op::Claim);
        let first = load(&clock, &here.cache, "here").await;
        assert!(gate.is_reached() && first.0 == "here", "{first:?}");
        settle().await;
        here.cache.delete("another").await.unwrap();
        let (value, took) = load(&clock, &there.cache, "there").await;
        assert!(value == "there" && took < SECOND, "{value}: waited {took:?} for a load that nobody runs");
    }
}

#[tokio::test]
async fn a_claim_that_never_was_made_is_not_given_back() {
    let clock = FakeClock::new();
    let server = ReferenceServer::new(clock.clone());
    let here = process(&clock, &server);
    pass(&clock, SECOND).await;
    here.link.fail_next(Op::Get, 5, ErrorKind::Unavailable);
    for _ in 0..5 {
        assert_eq!(get(&here.cache, "k").await, None);
    }
    assert_eq!(load(&clock, &here.cache, "here").await.0, "here");
    assert_eq!((here.link.calls(Op::Claim), here.link.calls(Op::Remove)), (0, 0), "the store is left alone");
    let told: Vec<_> = here.seen.events().into_iter().map(|event| format!("{event:?}")).collect();
    assert!(told.iter().any(|it| it.contains("\"claim\"")), "{told:?}");
    assert!(!told.iter().any(|it| it.contains("\"release\"")), "{told:?}");
}

#[tokio::test]
async fn who_joins_a_read_late_has_his_own_time_for_it() {
    let clock = FakeClock::new();
    let server = ReferenceServer::new(clock.clone());
    let mut settings = Settings::default();
    settings.on_store_error = OnStoreError::Fail;
    let (here, there) = (process_with(&clock, &server, settings), process(&clock, &server));
    pass(&clock, SECOND).await;
    there.cache.set("k", "v", 60 * MINUTE).await.unwrap();
    let gate = here.link.hold(Op::Get);
    let read = || {
        let cache = here.cache.clone();
        tokio::spawn(async move { cache.get::<String>("k").await })
    };
    let first = read();
    gate.reached().await;
    clock.advance(Duration::from_millis(249));
    settle().await;
    let second = read();
    settle().await;
    clock.advance(Duration::from_millis(1));
    assert_eq!(first.await.unwrap().unwrap_err().kind(), ErrorKind::Timeout);
    gate.release();
    assert_eq!(second.await.unwrap().unwrap().as_deref().map(String::as_str), Some("v"));
}

#[tokio::test]
async fn a_change_that_nobody_polls_does_not_keep_what_waits_from_the_store_for_ever() {
    let clock = FakeClock::new();
    let server = ReferenceServer::new(clock.clone());
    let (here, there) = (process(&clock, &server), process(&clock, &server));
    pass(&clock, SECOND).await;
    there.cache.set("k", "old", 60 * MINUTE).await.unwrap();
    here.link.fail_next(Op::Remove, 1, ErrorKind::Unavailable);
    assert!(here.cache.delete("k").await.unwrap_err().is_queued());
    let gate = here.link.hold(Op::Put);
    let mut set = Box::pin(here.cache.set("k", "new", MINUTE));
    while !gate.is_reached() {
        assert!(futures_util::poll!(&mut set).is_pending());
        settle().await;
    }
    pass(&clock, SECOND).await;
    assert_eq!(get(&there.cache, "k").await.as_deref(), Some("old"), "the change comes first");
    pass(&clock, MINUTE).await;
    assert_eq!(get(&there.cache, "k").await, None);
    drop(set);
}
