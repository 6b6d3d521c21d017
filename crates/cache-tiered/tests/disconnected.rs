//! What tier 1 answers while the link to the store does not show that it lives, and what the breaker spares callers.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by a panic")]

mod common;

use std::sync::Arc;
use std::time::Duration;

use cache_core::{Clock, ErrorKind};
use cache_testkit::{FakeClock, Op, ReferenceServer, settle};
use cache_tiered::{
    BreakerState, Cache, Coherence, HealthStatus, Loaded, OnStoreError, SetOptions, Settings, Status, Tier,
};
use common::{MINUTE, Process, SECOND, process, process_with};

const LEASE: Duration = SECOND;
const TICK: Duration = Duration::from_millis(10);

fn goes_on_for(disconnected_max_age: Duration) -> Settings {
    let mut settings = Settings::default();
    settings.disconnected_max_age = disconnected_max_age;
    settings
}

async fn read(cache: &Cache) -> (Option<u32>, Status, Coherence) {
    let (value, receipt) = cache.get_with_receipt::<u32>("k").await.unwrap();
    (value.map(|value| *value), receipt.status, receipt.coherence)
}

/// A read of a store that does not answer, which costs its time bound.
async fn read_in_vain(clock: &Arc<FakeClock>, cache: &Cache) -> Option<u32> {
    let reader = cache.clone();
    let reading = tokio::spawn(async move { reader.get::<u32>("k").await.unwrap().map(|value| *value) });
    settle().await;
    if !reading.is_finished() {
        clock.advance(cache.settings().store_timeout);
        settle().await;
    }
    assert!(reading.is_finished(), "no read waits longer than the store may take");
    reading.await.unwrap()
}

#[tokio::test]
async fn a_load_waits_for_a_store_that_does_not_answer_for_a_read_and_a_claim_and_no_longer() {
    let clock = FakeClock::new();
    let server = ReferenceServer::new(clock.clone());
    let here = process(&clock, &server);
    // Nothing is known of its marks, either.
    here.link.freeze();
    let (bound, began) = (2 * here.cache.settings().store_timeout, clock.now());
    for many in [false, true] {
        let cache = here.cache.clone();
        let loading = tokio::spawn(async move {
            if many {
                let load = |keys: Vec<String>| async move {
                    Loaded::Ok(
                        keys.into_iter().map(|key| (key, 7u32)).collect::<std::collections::HashMap<_, _>>(),
                    )
                };
                drop(cache.get_many_or_load(&["a", "b"], MINUTE, load).await.unwrap());
            } else {
                assert_eq!(*cache.get_or_load("k", MINUTE, || async { Loaded::Ok(7u32) }).await.unwrap(), 7);
            }
        });
        let started = clock.now();
        settle().await;
        while !loading.is_finished() {
            assert!(clock.now().since(started) < bound, "it waits for more than a read and a claim");
            clock.advance(Duration::from_millis(10));
            settle().await;
        }
        loading.await.unwrap();
    }
    assert!(clock.now() > began, "it did wait");
}

#[tokio::test]
async fn a_copy_answers_no_longer_than_the_lease_when_the_link_is_silently_dead() {
    let clock = FakeClock::new();
    let server = ReferenceServer::new(clock.clone());
    let (here, there) = (process(&clock, &server), process(&clock, &server));
    here.cache.set("k", &1u32, 100 * MINUTE).await.unwrap();
    clock.advance(MINUTE);
    assert_eq!(here.cache.get::<u32>("k").await.unwrap().as_deref(), Some(&1), "a link that lives");
    assert_eq!(server.calls(Op::Get), 0);
    here.link.freeze();
    there.cache.set("k", &2u32, 100 * MINUTE).await.unwrap();
    clock.advance(LEASE - TICK - Duration::from_nanos(1));
    assert_eq!(here.cache.get::<u32>("k").await.unwrap().as_deref(), Some(&1), "within the lease");
    clock.advance(Duration::from_nanos(1));
    assert_eq!(read_in_vain(&clock, &here.cache).await, None, "after it nothing answers unasked");
    here.link.thaw();
    clock.advance(MINUTE);
    assert_eq!(here.cache.get::<u32>("k").await.unwrap().as_deref(), Some(&2), "the missed change is known");
}

#[tokio::test]
async fn a_disconnected_cache_goes_on_for_as_long_as_it_may_and_says_so() {
    let clock = FakeClock::new();
    let server = ReferenceServer::new(clock.clone());
    let Process { cache, link, .. } = process_with(&clock, &server, goes_on_for(MINUTE));
    cache.set("k", &1u32, SetOptions::ttl(100 * MINUTE).tag("t")).await.unwrap();
    assert_eq!(read(&cache).await, (Some(1), Status::Fresh, Coherence::Feed));
    link.disconnect();
    clock.advance(LEASE - TICK);
    assert_eq!(read(&cache).await, (Some(1), Status::Fresh, Coherence::Disconnected));
    let many = cache.get_many::<u32>(&["k", "other"]).await.unwrap();
    assert_eq!(many.iter().map(|value| value.as_deref().copied()).collect::<Vec<_>>(), [Some(1), None]);
    let loaded = cache.get_or_load("k", MINUTE, || async { Loaded::Ok(9u32) }).await.unwrap();
    assert_eq!(*loaded, 1, "no load is needed");
    clock.advance(MINUTE - Duration::from_nanos(1));
    assert_eq!(read(&cache).await.0, Some(1));
    clock.advance(Duration::from_nanos(1));
    assert_eq!(read(&cache).await, (None, Status::StoreUnavailable, Coherence::Disconnected));
}

#[tokio::test]
async fn a_store_that_answers_is_believed_whatever_tier_1_has() {
    let clock = FakeClock::new();
    let server = ReferenceServer::new(clock.clone());
    let (here, there) = (process_with(&clock, &server, goes_on_for(MINUTE)), process(&clock, &server));
    here.cache.set("k", &1u32, 100 * MINUTE).await.unwrap();
    here.link.freeze();
    there.cache.set("k", &2u32, 100 * MINUTE).await.unwrap();
    clock.advance(LEASE);
    let gate = here.link.hold_reply(Op::Get);
    let reading = tokio::spawn({
        let cache = here.cache.clone();
        async move { read(&cache).await }
    });
    gate.reached().await;
    gate.release();
    here.link.thaw();
    assert_eq!(reading.await.unwrap(), (Some(2), Status::Fresh, Coherence::Feed));
}

#[tokio::test]
async fn with_fail_an_answer_out_of_step_is_an_error() {
    let clock = FakeClock::new();
    let server = ReferenceServer::new(clock.clone());
    let mut settings = goes_on_for(MINUTE);
    settings.on_store_error = OnStoreError::Fail;
    let Process { cache, link, .. } = process_with(&clock, &server, settings);
    cache.set("k", &1u32, 100 * MINUTE).await.unwrap();
    link.disconnect();
    assert_eq!(cache.get::<u32>("k").await.unwrap().as_deref(), Some(&1), "the lease still holds");
    clock.advance(LEASE);
    assert_eq!(cache.get::<u32>("k").await.unwrap_err().kind(), ErrorKind::Unavailable);
}

#[tokio::test]
async fn a_new_link_voids_what_is_held_and_its_own_life_counts() {
    let clock = FakeClock::new();
    let server = ReferenceServer::new(clock.clone());
    let (here, there) = (process_with(&clock, &server, goes_on_for(MINUTE)), process(&clock, &server));
    here.cache.set("k", &1u32, 100 * MINUTE).await.unwrap();
    here.link.disconnect();
    there.cache.set("k", &2u32, 100 * MINUTE).await.unwrap();
    here.link.reconnect();
    assert_eq!(read(&here.cache).await, (Some(2), Status::Fresh, Coherence::Feed));
    clock.advance(10 * MINUTE);
    let (_, receipt) = here.cache.get_with_receipt::<u32>("k").await.unwrap();
    assert_eq!(receipt.tier, Some(Tier::Local));
}

#[tokio::test]
async fn after_five_time_outs_the_store_costs_nothing_until_a_heartbeat_and_a_probe_succeed() {
    let clock = FakeClock::new();
    let server = ReferenceServer::new(clock.clone());
    let Process { cache, link, seen } = process(&clock, &server);
    link.freeze();
    for _ in 0..5 {
        assert_eq!(read_in_vain(&clock, &cache).await, None);
    }
    let (calls, errors) = (link.calls(Op::Get), cache.stats().store_errors);
    assert_eq!(cache.stats().breaker.state, BreakerState::Open);
    for _ in 0..100 {
        assert_eq!(read(&cache).await, (None, Status::StoreUnavailable, Coherence::Disconnected));
    }
    assert_eq!(
        (link.calls(Op::Get), cache.stats().store_errors),
        (calls, errors + 100),
        "not asked, counted"
    );
    let health = cache.health().await;
    assert_eq!((health.status, health.breaker), (HealthStatus::Degraded, BreakerState::Open));
    assert!(health.reasons.iter().any(|reason| reason.contains("the breaker is open")), "{health:?}");
    assert!(format!("{:?}", seen.take()).contains("Degraded"));

    link.thaw();
    clock.advance(SECOND / 4);
    assert_eq!(cache.stats().breaker.state, BreakerState::HalfOpen, "a heartbeat, long before the 30 s");
    let gate = link.hold(Op::Get);
    let probing = tokio::spawn({
        let cache = cache.clone();
        async move { read(&cache).await }
    });
    gate.reached().await;
    let others = (0..1000).map(|i| {
        let cache = cache.clone();
        tokio::spawn(async move { cache.get::<u32>(format!("other-{i}")).await })
    });
    for other in others.collect::<Vec<_>>() {
        other.await.unwrap().unwrap();
    }
    assert_eq!(link.calls(Op::Get), calls + 1, "one probe");
    gate.release();
    assert_eq!(probing.await.unwrap().1, Status::Absent);
    assert_eq!((cache.stats().breaker.state, cache.stats().breaker.opened), (BreakerState::Closed, 1));
    assert_eq!(cache.health().await.status, HealthStatus::Healthy);
}

#[tokio::test]
async fn all_that_a_call_asks_the_store_shares_one_time_bound() {
    let clock = FakeClock::new();
    let server = ReferenceServer::new(clock.clone());
    process(&clock, &server).cache.set("k", &1u32, SetOptions::ttl(MINUTE).tag("t")).await.unwrap();
    type Call = fn(Cache) -> std::pin::Pin<Box<dyn Future<Output = ()> + Send>>;
    let calls: [(&str, Op, Op, Call); 3] = [
        ("get", Op::Get, Op::ReadMarks, |cache| {
            Box::pin(async move { assert_eq!(cache.get::<u32>("k").await.unwrap(), None) })
        }),
        ("set", Op::ReadMarks, Op::Put, |cache| {
            Box::pin(async move { cache.set("n", &1u32, MINUTE).await.unwrap() })
        }),
        ("expire", Op::Get, Op::Remove, |cache| {
            Box::pin(async move { assert!(cache.expire("k").await.unwrap_err().is_queued()) })
        }),
    ];
    for (name, slow, hung, call) in calls {
        let Process { cache, link, .. } = process(&clock, &server);
        let bound = cache.settings().store_timeout;
        let (slow, hung) = (link.hold(slow), link.hold(hung));
        let call = tokio::spawn(call(cache.clone()));
        slow.reached().await;
        clock.advance(bound * 4 / 5);
        slow.release();
        hung.reached().await;
        clock.advance(bound / 5);
        settle().await;
        assert!(call.is_finished(), "{name} is bounded as a whole");
        call.await.unwrap();
    }
}

#[tokio::test]
async fn a_read_that_waited_for_another_is_bounded_as_a_whole() {
    let clock = FakeClock::new();
    let server = ReferenceServer::new(clock.clone());
    let Process { cache, link, .. } = process(&clock, &server);
    let bound = cache.settings().store_timeout;
    link.freeze();
    // A caller who asks the store and then does not look any more whether it answers.
    let mut first = Box::pin(cache.get::<u32>("k"));
    assert!(futures_util::poll!(&mut first).is_pending());
    clock.advance(bound / 5);
    let (other, began) = (cache.clone(), clock.now());
    let second = tokio::spawn(async move { other.get::<u32>("k").await.unwrap() });
    settle().await;
    // Now the second one asks for himself.
    clock.advance(bound * 4 / 5);
    settle().await;
    assert!(!second.is_finished());
    clock.advance(bound / 5);
    settle().await;
    assert!(second.is_finished(), "{:?} after he asked", clock.now().since(began));
    assert_eq!(second.await.unwrap(), None);
    drop(first);
}

#[tokio::test]
async fn the_first_calls_are_covered_as_all_others_are() {
    let clock = FakeClock::new();
    let server = ReferenceServer::new(clock.clone());
    let Process { cache, link, .. } = process(&clock, &server);
    link.freeze();
    let first: Vec<_> = (0..50)
        .map(|i| {
            let cache = cache.clone();
            tokio::spawn(async move { cache.get::<u32>(format!("k{i}")).await })
        })
        .collect();
    settle().await;
    clock.advance(cache.settings().store_timeout);
    settle().await;
    for call in first {
        assert!(call.is_finished());
        assert_eq!(call.await.unwrap().unwrap(), None);
    }
    assert_eq!(cache.stats().breaker.state, BreakerState::Open);
}

#[tokio::test]
async fn a_probe_whose_caller_leaves_gives_its_place_to_the_next() {
    let clock = FakeClock::new();
    let server = ReferenceServer::new(clock.clone());
    let Process { cache, link, .. } = process(&clock, &server);
    link.fail_next(Op::Get, 5, ErrorKind::Unavailable);
    for _ in 0..5 {
        cache.get::<u32>("k").await.unwrap();
    }
    clock.advance(SECOND);
    let gate = link.hold(Op::Get);
    let probing = tokio::spawn({
        let cache = cache.clone();
        async move { cache.get::<u32>("k").await }
    });
    gate.reached().await;
    probing.abort();
    settle().await;
    assert_eq!(read(&cache).await.1, Status::Absent, "the next caller asks the store");
    assert_eq!(cache.stats().breaker.state, BreakerState::Closed);
}
