//! What those who watch are told, and what they can ask.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by a panic")]

mod common;

use std::sync::{Arc, Mutex, Weak};

use cache_core::{Event, Namespace, Observer, ReadResult, Status, Tier, Watched, WriteResult};
use cache_testkit::{FakeClock, Op, Recorded, Recorder, ReferenceServer, settle};
use cache_tiered::{Cache, ErrorKind, HealthStatus, LoadOptions, Loaded};
use common::{MINUTE, SECOND, pass, process, tier};

#[tokio::test]
async fn hits_of_tier_1_are_told_by_a_sample_that_stands_for_all() {
    let clock = FakeClock::new();
    let seen = Recorder::new(100_000);
    let cache = Cache::builder(Namespace::new("test").unwrap()).local(tier(&clock)).timer(clock.clone());
    let cache = cache.observer(seen.clone() as Arc<dyn Observer>).build().unwrap();
    let keys: Vec<String> = (0..64).map(|n| format!("k{n}")).collect();
    for key in &keys {
        cache.set(key, "v", MINUTE).await.unwrap();
        cache.get::<String>(key).await.unwrap();
    }
    let before = cache.stats().reads.tier1_hits;
    seen.take();
    for _ in 0..1024 {
        for key in &keys {
            cache.get::<String>(key).await.unwrap();
        }
    }
    let hits = cache.stats().reads.tier1_hits - before;
    let mut told = std::collections::HashMap::new();
    for event in seen.events() {
        let Recorded::Read { key, tier: Tier::Local, result: ReadResult::Hit, stands_for, .. } = event else {
            panic!("{event:?}");
        };
        *told.entry(key).or_insert(0) += u64::from(stands_for);
    }
    let sum: u64 = told.values().sum();
    assert!(sum.abs_diff(hits) < hits / 10, "{sum} of {hits}");
    assert!(told.len() > 48, "who asks for keys in turn meets the sample with other keys: {}", told.len());
}

#[tokio::test]
async fn reads_say_why_there_is_nothing_and_how_stale_what_was_served_is() {
    let clock = FakeClock::new();
    let server = ReferenceServer::new(clock.clone());
    let ours = process(&clock, &server);
    pass(&clock, SECOND).await;
    ours.cache.get::<String>("k").await.unwrap();
    let options = || LoadOptions::ttl(SECOND).stale_for(MINUTE);
    ours.cache.get_or_load("k", options(), || async { Loaded::Ok("v".to_owned()) }).await.unwrap();
    settle().await;
    pass(&clock, SECOND * 3).await;
    ours.cache.get::<String>("k").await.unwrap();
    ours.cache.get_or_load("k", options(), || async { Loaded::Ok("v".to_owned()) }).await.unwrap();
    let told: Vec<_> = ours
        .seen
        .events()
        .into_iter()
        .filter_map(|event| match event {
            Recorded::Read { result, status, .. } => Some((result, status)),
            _ => None,
        })
        .collect();
    let wanted = [
        (ReadResult::Miss, Status::Absent),
        (ReadResult::Miss, Status::Absent),
        (ReadResult::Miss, Status::Stale),
        (ReadResult::Stale, Status::Stale),
    ];
    assert_eq!(told, wanted);
}

#[tokio::test]
async fn writes_of_loads_are_told_with_what_is_stored() {
    let clock = FakeClock::new();
    let server = ReferenceServer::new(clock.clone());
    let ours = process(&clock, &server);
    pass(&clock, SECOND).await;
    let text = "a".repeat(10_000);
    ours.cache.get_or_load("k", MINUTE, move || async { Loaded::Ok(text) }).await.unwrap();
    settle().await;
    let writes: Vec<_> =
        ours.seen.events().into_iter().filter(|event| matches!(event, Recorded::Write { .. })).collect();
    let [
        Recorded::Write {
            operation: "load", result: WriteResult::Stored, bytes, stored: Some(stored), ..
        },
    ] = &writes[..]
    else {
        panic!("{writes:?}");
    };
    assert!(*bytes > 10_000 && (*stored < 1000) == cfg!(feature = "lz4"), "{bytes} {stored}");
}

#[tokio::test]
async fn a_load_whose_value_the_store_refuses_is_told_as_not_kept() {
    let clock = FakeClock::new();
    let server = ReferenceServer::builder(clock.clone()).max_value(2000).build();
    let ours = process(&clock, &server);
    pass(&clock, SECOND).await;
    // Numbers that no compression makes shorter.
    let long: Vec<u64> = (0..2000).map(|i| u64::wrapping_mul(i, 0x9E37_79B9_7F4A_7C15)).collect();
    ours.cache.get_or_load("k", MINUTE, move || async move { Loaded::Ok(long) }).await.unwrap();
    settle().await;
    let loads = ours.cache.stats().loads;
    assert_eq!((loads.not_kept, loads.fenced), (1, 0), "nobody invalidated anything");
    let told: Vec<_> = ours.seen.events().into_iter().map(|event| format!("{event:?}")).collect();
    let are = |what: &str, result: &str| {
        told.iter().filter(|it| it.starts_with(what) && it.contains(result)).count()
    };
    assert_eq!(
        (are("Load", "NotKept"), are("Load", ""), are("Write", "Failed"), are("Write", "")),
        (1, 1, 1, 1),
        "{told:?}"
    );
}

#[tokio::test]
async fn what_is_told_by_others_and_what_the_store_answers_are_told() {
    let clock = FakeClock::new();
    let server = ReferenceServer::new(clock.clone());
    let (ours, theirs) = (process(&clock, &server), process(&clock, &server));
    pass(&clock, SECOND).await;
    ours.cache.set("k", "v", MINUTE).await.unwrap();
    theirs.cache.delete("k").await.unwrap();
    theirs.cache.invalidate_tag("t").await.unwrap();
    settle().await;
    server.fail_next(Op::Get, 1, ErrorKind::Timeout);
    ours.cache.get::<String>("k").await.unwrap();
    let has = |like: &dyn Fn(&Recorded) -> bool| ours.seen.count(like) > 0;
    assert!(has(
        &|event| matches!(event, Recorded::Invalidate { operation: "told", key: Some(key) } if key == "k")
    ));
    assert!(has(&|event| matches!(event, Recorded::Invalidate { operation: "told_mark", key: None })));
    assert!(
        has(&|event| matches!(event, Recorded::Read { status: Status::StoreUnavailable, .. })),
        "{:?}",
        ours.seen.events()
    );
    assert!(has(&|event| matches!(
        event,
        Recorded::Store { operation: "get", error: Some(ErrorKind::Timeout) }
    )));
    assert!(has(&|event| matches!(event, Recorded::Store { operation: "put", error: None })));
    for work in ["serialize", "compress"] {
        assert!(has(&|event| matches!(event, Recorded::Work { what, bytes: 2 } if *what == work)), "{work}");
    }
}

/// Hands its events to another, and keeps the cache.
#[derive(Debug)]
struct Attached {
    other: Arc<Recorder>,
    cache: Mutex<Option<Weak<dyn Watched>>>,
}

impl Observer for Attached {
    fn event(&self, event: &Event<'_>) {
        panic!("another was named: {event:?}");
    }

    fn attach(&self, namespace: &Namespace, cache: Weak<dyn Watched>) -> Option<Arc<dyn Observer>> {
        assert_eq!(namespace.as_str(), "test");
        *self.cache.lock().unwrap() = Some(cache);
        Some(self.other.clone())
    }
}

#[tokio::test]
async fn an_observer_can_name_another_and_ask_the_cache() {
    let clock = FakeClock::new();
    let observer = Arc::new(Attached { other: Recorder::new(10), cache: Mutex::new(None) });
    let cache = Cache::builder(Namespace::new("test").unwrap()).local(tier(&clock)).timer(clock.clone());
    let cache = cache.observer(observer.clone()).build().unwrap();
    cache.get::<String>("k").await.unwrap();
    assert_eq!(observer.other.count(|event| matches!(event, Recorded::Read { .. })), 1);
    let weak = observer.cache.lock().unwrap().take().unwrap();
    let watched = weak.upgrade().unwrap();
    assert_eq!(watched.stats(), cache.stats());
    assert_eq!(watched.stats().reads.misses, 1);
    assert_eq!(watched.health().await.status, HealthStatus::Healthy);
    drop((watched, cache));
    assert!(weak.upgrade().is_none(), "who watches keeps no cache alive");
}
