//! What goes in comes out: values, keys, times, bounds and numbers.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use cache_core::{Namespace, VersionSource};
use cache_memory::MemoryTier;
use cache_testkit::{FakeClock, Op, ReferenceServer};
use cache_tiered::{
    Cache, Compression, ErrorKind, Format, LoadOptions, Loaded, SetOptions, Settings, Status, Tier,
};
use common::{MINUTE, SECOND, private, process, process_with};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Session {
    user: u64,
    role: String,
    note: Option<String>,
}

fn session() -> Session {
    Session { user: 123, role: "admin".into(), note: None }
}

#[tokio::test]
async fn values_of_every_size_around_the_compression_threshold_come_back_equal() {
    let clock = FakeClock::new();
    let server = ReferenceServer::new(clock.clone());
    let formats =
        if cfg!(feature = "json") { &[Format::Msgpack, Format::Json][..] } else { &[Format::Msgpack] };
    for &format in formats {
        let mut settings = Settings::default();
        settings.format = format;
        if cfg!(feature = "lz4") {
            settings.compression = Compression::new(2000, 1).unwrap();
        }
        let (writer, reader) =
            (process_with(&clock, &server, settings.clone()), process_with(&clock, &server, settings));
        for length in [0, 1, 1990, 1997, 1999, 2000, 2001, 10_240, 8_000_000] {
            let text = "the quick brown fox ".chars().cycle().take(length).collect::<String>();
            writer.cache.set("text", &text, MINUTE).await.unwrap();
            assert_eq!(
                *reader.cache.get::<String>("text").await.unwrap().unwrap(),
                text,
                "{length} {format:?}"
            );
        }
        let binary: Vec<u8> =
            (0..20_000u32).map(|i| i.wrapping_mul(2_654_435_761).to_le_bytes()[2]).collect();
        writer.cache.set("binary", &binary, MINUTE).await.unwrap();
        assert_eq!(*reader.cache.get::<Vec<u8>>("binary").await.unwrap().unwrap(), binary);
    }
}

#[tokio::test]
async fn the_copy_in_tier_1_lives_no_longer_than_the_entry_in_tier_2() {
    let clock = FakeClock::new();
    let server = ReferenceServer::new(clock.clone());
    let (writer, reader) = (process(&clock, &server), process(&clock, &server));
    writer.cache.set("k", "brief", 2 * SECOND).await.unwrap();
    clock.advance(Duration::from_millis(500));
    let gate = reader.link.hold_reply(Op::Get);
    let read = tokio::spawn({
        let cache = reader.cache.clone();
        async move { cache.get::<String>("k").await }
    });
    gate.reached().await;
    clock.advance(Duration::from_millis(100));
    gate.release();
    read.await.unwrap().unwrap();
    assert_eq!(
        reader.cache.ttl("k").await.unwrap(),
        Some(Duration::from_millis(1400)),
        "counted from the send time"
    );
    let (_, receipt) = reader.cache.get_with_receipt::<String>("k").await.unwrap();
    assert_eq!((receipt.tier, receipt.age), (Some(Tier::Local), Some(Duration::from_millis(600))));
    clock.advance(Duration::from_millis(1400));
    let (value, receipt) = reader.cache.get_with_receipt::<String>("k").await.unwrap();
    assert_eq!((value, receipt.status), (None, Status::Absent));
}

#[tokio::test]
async fn the_caller_cannot_change_what_is_cached() {
    let cache = private(&FakeClock::new());
    let mut mine = session();
    cache.set("k", &mine, MINUTE).await.unwrap();
    mine.role = "nobody".into();
    for _ in 0..3 {
        let mut read = cache.get::<Session>("k").await.unwrap().unwrap();
        assert_eq!(read.role, "admin");
        Arc::make_mut(&mut read).role = "root".into();
    }
}

#[tokio::test]
async fn hits_share_one_decoded_value() {
    let cache = private(&FakeClock::new());
    cache.set("k", &session(), MINUTE).await.unwrap();
    let first = cache.get::<Session>("k").await.unwrap().unwrap();
    let second = cache.get::<Session>("k").await.unwrap().unwrap();
    assert!(Arc::ptr_eq(&first, &second));
    let loaded = cache.get_or_load("l", MINUTE, || async { Loaded::Ok(session()) }).await.unwrap();
    let hit = cache.get::<Session>("l").await.unwrap().unwrap();
    assert!(Arc::ptr_eq(&loaded, &hit));
}

#[tokio::test]
async fn overwriting_a_key_of_a_full_cache_evicts_nobody_else() {
    let clock = FakeClock::new();
    let tier = Arc::new(MemoryTier::new(50, 1 << 20, clock.clone()).unwrap());
    let cache = Cache::builder(Namespace::new("small").unwrap()).local(tier).timer(clock).build().unwrap();
    for i in 0..50u32 {
        cache.set(format!("k{i}"), &i, MINUTE).await.unwrap();
    }
    for round in 0..100u32 {
        cache.set("k7", &round, MINUTE).await.unwrap();
    }
    for i in (0..50u32).filter(|&i| i != 7) {
        assert_eq!(cache.get::<u32>(format!("k{i}")).await.unwrap().as_deref(), Some(&i));
    }
    assert_eq!(cache.stats().memory_usage.entries, 50);
}

#[tokio::test]
async fn ttls_of_zero_and_out_of_range_are_one_clear_error_on_every_path_and_store_nothing() {
    let cache = private(&FakeClock::new());
    cache.set("k", "kept", MINUTE).await.unwrap();
    for bad in [Duration::ZERO, Duration::from_nanos(1), Duration::from_secs(366 * 86_400), Duration::MAX] {
        let set = cache.set("k", "bad", bad).await.unwrap_err();
        let many = cache.set_many(&[("k", "bad")], bad).await.unwrap_err();
        let load = cache.get_or_load("k", bad, || async { Loaded::Ok("bad".to_owned()) }).await.unwrap_err();
        for error in [set, many, load] {
            assert_eq!(error.kind(), ErrorKind::Validation);
            assert!(error.message().contains("1 ms to 365 days are allowed"), "{error}");
        }
    }
    assert_eq!(*cache.get::<String>("k").await.unwrap().unwrap(), "kept");
}

#[tokio::test]
async fn everything_that_is_wrong_with_the_options_is_said_at_once() {
    let cache = private(&FakeClock::new());
    let error = cache
        .set("k", "v", SetOptions::ttl(Duration::ZERO).tag("").stale_for(Duration::MAX))
        .await
        .unwrap_err();
    assert!(error.message().starts_with("3 problems"), "{error}");
    let load = LoadOptions::ttl(Duration::ZERO).load_timeout(Duration::ZERO);
    let error = cache.get_or_load("k", load, || async { Loaded::Ok(1u8) }).await.unwrap_err();
    assert!(error.message().starts_with("2 problems"), "{error}");
}

#[tokio::test]
async fn a_stored_null_is_a_value_and_not_a_miss() {
    let clock = FakeClock::new();
    let shared = process(&clock, &ReferenceServer::new(clock.clone())).cache;
    for cache in [private(&clock), shared] {
        cache.set("none", &None::<u32>, MINUTE).await.unwrap();
        assert_eq!(cache.get::<Option<u32>>("none").await.unwrap().as_deref(), Some(&None));
        assert_eq!(cache.get::<Option<u32>>("missing").await.unwrap(), None);
        let load = || async { Loaded::Ok(None::<u32>) };
        assert_eq!(*cache.get_or_load("loaded", MINUTE, load).await.unwrap(), None);
        let again = || async { Loaded::Ok(Some(1u32)) };
        assert_eq!(*cache.get_or_load("loaded", MINUTE, again).await.unwrap(), None, "it was cached");
    }
}

#[tokio::test]
async fn different_keys_never_meet() {
    let clock = FakeClock::new();
    let server = ReferenceServer::new(clock.clone());
    let cache = process(&clock, &server).cache;
    let keys = [
        "a:b", "a|b", "a_b", "a b", "a%3Ab", "A:B", "a:b:", ":a:b", "1", "01", "a\0b", "ab", "é", "e\u{301}",
    ];
    for key in keys {
        cache.set(key, key, MINUTE).await.unwrap();
    }
    for key in keys {
        assert_eq!(*cache.get::<String>(key).await.unwrap().unwrap(), key);
    }
    assert_eq!(server.keys().len(), keys.len());
}

#[tokio::test]
async fn keys_out_of_bounds_are_errors_on_every_path() {
    let cache = private(&FakeClock::new());
    let long = "x".repeat(1025);
    for (key, kind) in [("", ErrorKind::Validation), (long.as_str(), ErrorKind::TooLarge)] {
        assert_eq!(cache.get::<u8>(key).await.unwrap_err().kind(), kind);
        assert_eq!(cache.set(key, &1, ()).await.unwrap_err().kind(), kind);
        assert_eq!(cache.delete(key).await.unwrap_err().kind(), kind);
        assert_eq!(cache.expire(key).await.unwrap_err().kind(), kind);
        assert_eq!(cache.exists(key).await.unwrap_err().kind(), kind);
        assert_eq!(cache.get_or_load(key, (), || async { Loaded::Ok(1u8) }).await.unwrap_err().kind(), kind);
        for (error, place) in [
            (cache.get_many::<u8>(&["k", key]).await.unwrap_err(), "keys[1]: "),
            (cache.set_many(&[("k", 1u8), (key, 1)], ()).await.unwrap_err(), "items[1]: "),
            (cache.delete_many(&["k", key]).await.unwrap_err(), "keys[1]: "),
        ] {
            assert_eq!(error.kind(), kind);
            assert!(error.message().starts_with(place), "{error}");
        }
    }
    assert!(!cache.exists("k").await.unwrap(), "a batch with a bad key does nothing");
    cache.set("x".repeat(1024), &1, ()).await.unwrap();
}

#[tokio::test]
async fn the_hit_ratio_is_hits_over_reads_and_nothing_else() {
    let clock = FakeClock::new();
    let cache = private(&clock);
    assert!(cache.stats().hit_ratio.abs() < f64::EPSILON);
    for i in 0..100 {
        cache.set(format!("k{i}"), &i, MINUTE).await.unwrap();
        cache.delete(format!("d{i}")).await.unwrap();
    }
    for _ in 0..3 {
        cache.get::<i32>("k1").await.unwrap().unwrap();
    }
    cache.get::<i32>("missing").await.unwrap();
    cache.exists("missing").await.unwrap();
    cache.ttl("k1").await.unwrap();
    let stats = cache.stats();
    assert!((stats.hit_ratio - 0.75).abs() < 1e-9, "{}", stats.hit_ratio);
    assert_eq!(stats.total_operations, 204);
    cache.get_many::<i32>(&["k1", "k2", "missing", "k3"]).await.unwrap();
    assert!((cache.stats().hit_ratio - 0.75).abs() < 1e-9);
}

#[tokio::test]
async fn memory_is_counted_by_what_the_values_hold_and_does_not_drift() {
    let clock = FakeClock::new();
    let cache = private(&clock);
    cache.set("big", &"x".repeat(1_000_000), MINUTE).await.unwrap();
    let used = cache.stats().memory_usage;
    assert!((1_000_000..1_001_000).contains(&used.bytes), "{used:?}");
    assert!((used.total_mb - 1.0).abs() < 0.01 && (0.01..0.02).contains(&used.utilization), "{used:?}");
    for round in 0..1_000usize {
        let value = "y".repeat(round * 7 % 5_000);
        cache.set(format!("k{}", round % 10), &value, MINUTE).await.unwrap();
        if round % 3 == 0 {
            cache.get::<String>(format!("k{}", round % 10)).await.unwrap();
        }
    }
    cache.delete("big").await.unwrap();
    for i in 0..10 {
        cache.delete(format!("k{i}")).await.unwrap();
    }
    let used = cache.stats().memory_usage;
    assert_eq!((used.entries, used.bytes), (0, 0));
}

#[tokio::test]
async fn the_bound_in_bytes_holds_also_for_copies_of_what_the_store_has() {
    let clock = FakeClock::new();
    let server = ReferenceServer::new(clock.clone());
    let writer = process(&clock, &server);
    let small = Cache::builder(Namespace::new("test").unwrap())
        .local(Arc::new(MemoryTier::new(1_000, 100_000, clock.clone()).unwrap()))
        .store(Arc::new(server.connect()))
        .timer(clock.clone())
        .build()
        .unwrap();
    for i in 0..100 {
        writer.cache.set(format!("k{i}"), &"z".repeat(5_000), MINUTE).await.unwrap();
        assert!(small.get::<String>(format!("k{i}")).await.unwrap().is_some());
        assert!(small.stats().memory_usage.bytes <= 100_000);
    }
    assert!(small.stats().memory_usage.entries >= 10);
}

#[tokio::test]
async fn a_value_that_is_too_large_is_refused_and_the_older_one_does_not_answer_in_its_place() {
    let clock = FakeClock::new();
    let tier = Arc::new(MemoryTier::new(100, 10_000, clock.clone()).unwrap());
    let cache =
        Cache::builder(Namespace::new("small").unwrap()).local(tier).timer(clock.clone()).build().unwrap();
    cache.set("k", "old", MINUTE).await.unwrap();
    let error = cache.set("k", &"x".repeat(20_000), MINUTE).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLarge);
    assert_eq!(cache.get::<String>("k").await.unwrap(), None);
    let over_the_limit = private(&clock).set("k", &"x".repeat(9 << 20), MINUTE).await.unwrap_err();
    assert_eq!(over_the_limit.kind(), ErrorKind::TooLarge);
}

#[tokio::test]
async fn a_value_can_be_read_as_every_type_that_fits_its_fields() {
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct OnlyRole {
        role: String,
    }
    let cache = private(&FakeClock::new());
    cache.set("k", &session(), MINUTE).await.unwrap();
    for _ in 0..2 {
        assert_eq!(*cache.get::<Session>("k").await.unwrap().unwrap(), session());
        assert_eq!(cache.get::<OnlyRole>("k").await.unwrap().unwrap().role, "admin");
        assert_eq!(cache.get::<serde_json::Value>("k").await.unwrap().unwrap()["user"], 123);
    }
}

#[cfg(feature = "json")]
#[tokio::test]
async fn what_a_type_reads_does_not_depend_on_who_read_before() {
    use std::net::IpAddr;
    let mut settings = Settings::default();
    settings.format = Format::Json;
    let cache = common::private_with(&FakeClock::new(), settings);
    let address: IpAddr = "127.0.0.1".parse().unwrap();
    // An address is a text for JSON, and not for MessagePack.
    let address = move || async move { Loaded::Ok(address) };
    let read = cache.get_or_load("k", MINUTE, address).await.unwrap();
    assert_eq!(*cache.get::<IpAddr>("k").await.unwrap().unwrap(), *read);
    assert_eq!(cache.get::<String>("k").await.unwrap().as_deref().map(String::as_str), Some("127.0.0.1"));
}

#[tokio::test]
async fn who_reads_less_of_a_value_takes_nothing_from_those_who_read_more() {
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Full {
        name: String,
        #[serde(default)]
        age: u8,
    }
    #[derive(Serialize, Deserialize)]
    struct Name {
        name: String,
        #[serde(default)]
        country: String,
    }
    let clock = FakeClock::new();
    let shared = process(&clock, &ReferenceServer::new(clock.clone())).cache;
    for cache in [private(&clock), shared] {
        cache.set("k", &Full { name: "Ann".into(), age: 7 }, MINUTE).await.unwrap();
        let name = cache.get::<Name>("k").await.unwrap().unwrap();
        let again = cache.get::<Name>("k").await.unwrap().unwrap();
        assert!(Arc::ptr_eq(&name, &again), "a view is decoded once");
        for _ in 0..2 {
            assert_eq!(*cache.get::<Full>("k").await.unwrap().unwrap(), Full { name: "Ann".into(), age: 7 });
            assert_eq!(cache.get::<Name>("k").await.unwrap().unwrap().name, "Ann");
        }
    }
}

#[tokio::test]
async fn a_map_whose_order_is_by_chance_is_decoded_once() {
    let cache = private(&FakeClock::new());
    let map: HashMap<u32, u32> = (0..100).map(|n| (n, n)).collect();
    cache.set("k", &map, MINUTE).await.unwrap();
    let first = cache.get::<HashMap<u32, u32>>("k").await.unwrap().unwrap();
    assert!(Arc::ptr_eq(&first, &cache.get::<HashMap<u32, u32>>("k").await.unwrap().unwrap()));
    assert_eq!(*first, map);
}

#[tokio::test]
async fn a_value_of_another_type_is_a_counted_miss_and_stays_and_a_load_takes_its_place() {
    let clock = FakeClock::new();
    let shared = process(&clock, &ReferenceServer::new(clock.clone())).cache;
    for cache in [private(&clock), shared] {
        cache.set("k", &session(), MINUTE).await.unwrap();
        let (value, receipt) = cache.get_with_receipt::<u32>("k").await.unwrap();
        assert_eq!((value, receipt.status), (None, Status::Refused));
        assert_eq!(cache.stats().refused.wrong_type, 1);
        assert_eq!(*cache.get::<Session>("k").await.unwrap().unwrap(), session());
        assert_eq!(*cache.get_or_load("k", MINUTE, || async { Loaded::Ok(5u32) }).await.unwrap(), 5);
        cache_testkit::settle().await;
        assert_eq!(cache.get::<u32>("k").await.unwrap().as_deref(), Some(&5));
    }
}

#[tokio::test]
async fn bytes_that_are_not_ours_are_a_counted_miss_and_left_alone() {
    let clock = FakeClock::new();
    let server = ReferenceServer::new(clock.clone());
    let cache = process(&clock, &server).cache;
    server.raw_set("test:k", &b"{\"plain\": \"json\"}"[..], Some(MINUTE));
    assert_eq!(cache.get::<String>("k").await.unwrap(), None);
    assert_eq!(cache.stats().refused.foreign, 1);
    assert_eq!(
        *cache.get_or_load("k", MINUTE, || async { Loaded::Ok("mine".to_owned()) }).await.unwrap(),
        "mine"
    );
    cache_testkit::settle().await;
    assert_eq!(
        server.raw_get("test:k").unwrap().bytes,
        &b"{\"plain\": \"json\"}"[..],
        "a load does not replace it"
    );
    cache.set("k", "mine", MINUTE).await.unwrap();
    assert_eq!(
        *process(&clock, &server).cache.get::<String>("k").await.unwrap().unwrap(),
        "mine",
        "a write does"
    );
}

#[tokio::test]
async fn damaged_bytes_are_a_counted_miss_and_are_removed() {
    let clock = FakeClock::new();
    let server = ReferenceServer::new(clock.clone());
    process(&clock, &server).cache.set("k", "value", MINUTE).await.unwrap();
    let mut bytes = server.raw_get("test:k").unwrap().bytes.to_vec();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    server.raw_set("test:k", bytes, Some(MINUTE));
    let cache = process(&clock, &server).cache;
    assert_eq!(cache.get::<String>("k").await.unwrap(), None);
    assert_eq!(cache.stats().refused.corrupt, 1);
    assert_eq!(server.raw_get("test:k"), None);
}

#[tokio::test]
async fn an_entry_copied_to_another_key_is_refused_and_nothing_is_removed() {
    let clock = FakeClock::new();
    let server = ReferenceServer::new(clock.clone());
    let writer = process(&clock, &server);
    writer.cache.set("a", "of a", MINUTE).await.unwrap();
    let bytes = server.raw_get("test:a").unwrap().bytes;
    server.raw_set("test:b", bytes, Some(MINUTE));
    let cache = process(&clock, &server).cache;
    assert_eq!(cache.get::<String>("b").await.unwrap(), None);
    assert_eq!(cache.stats().refused.wrong_key, 1);
    assert!(server.raw_get("test:b").is_some());
}

#[tokio::test]
async fn more_time_left_than_an_entry_was_given_makes_it_stale() {
    let clock = FakeClock::new();
    let server = ReferenceServer::new(clock.clone());
    process(&clock, &server).cache.set("k", "value", MINUTE).await.unwrap();
    let bytes = server.raw_get("test:k").unwrap().bytes;
    for ttl in [Some(2 * MINUTE), None] {
        server.raw_set("test:k", bytes.clone(), ttl);
        assert_eq!(process(&clock, &server).cache.get::<String>("k").await.unwrap(), None, "{ttl:?}");
    }
}

#[tokio::test]
async fn a_receipt_says_which_tier_answered_and_how_old_the_answer_is() {
    let clock = FakeClock::new();
    let server = ReferenceServer::new(clock.clone());
    let (writer, reader) = (process(&clock, &server), process(&clock, &server));
    writer.cache.set("k", "value", MINUTE).await.unwrap();
    clock.advance(10 * SECOND);
    let (_, first) = reader.cache.get_with_receipt::<String>("k").await.unwrap();
    let (_, second) = reader.cache.get_with_receipt::<String>("k").await.unwrap();
    assert_eq!((first.tier, second.tier), (Some(Tier::Store), Some(Tier::Local)));
    for receipt in [first, second] {
        assert_eq!((receipt.age, receipt.fresh_for), (Some(10 * SECOND), Some(50 * SECOND)));
        assert_eq!(receipt.status, Status::Fresh);
        assert_eq!(receipt.coherence, cache_tiered::Coherence::Feed);
    }
    let private = private(&clock);
    let (_, none) = private.get_with_receipt::<String>("k").await.unwrap();
    assert_eq!(
        (none.tier, none.status, none.coherence),
        (None, Status::Absent, cache_tiered::Coherence::Private)
    );
}

#[tokio::test]
async fn health_tells_what_is_wrong() {
    let clock = FakeClock::new();
    let private = private(&clock);
    assert_eq!(private.health().await.status, cache_tiered::HealthStatus::Healthy);
    let server = ReferenceServer::new(clock.clone());
    let shared = process(&clock, &server);
    let healthy = shared.cache.health().await;
    assert_eq!(
        (healthy.status, healthy.reasons.len()),
        (cache_tiered::HealthStatus::Healthy, 0),
        "{healthy:?}"
    );
    assert!(server.keys().is_empty(), "the probe leaves nothing behind");
    shared.link.disconnect();
    let degraded = shared.cache.health().await;
    assert_eq!(degraded.status, cache_tiered::HealthStatus::Degraded);
    assert!(!degraded.reasons.is_empty());
    private.close();
    assert_eq!(private.health().await.status, cache_tiered::HealthStatus::Unhealthy);
}

#[tokio::test]
async fn a_batch_read_asks_the_store_once_and_answers_in_order() {
    let clock = FakeClock::new();
    let server = ReferenceServer::new(clock.clone());
    let (writer, reader) = (process(&clock, &server), process(&clock, &server));
    let report = writer.cache.set_many(&[("a", 1u32), ("b", 2), ("c", 3)], MINUTE).await.unwrap();
    report.into_result().unwrap();
    assert_eq!(reader.cache.get::<u32>("b").await.unwrap().as_deref(), Some(&2));
    let got = reader.cache.get_many::<u32>(&["c", "x", "b", "a", "c"]).await.unwrap();
    let got: Vec<Option<u32>> = got.into_iter().map(|value| value.map(|it| *it)).collect();
    assert_eq!(got, [Some(3), None, Some(2), Some(1), Some(3)]);
    assert_eq!(server.calls(Op::GetMany), 1);
    writer.link.fail_next(Op::Remove, 1, ErrorKind::Unavailable);
    let report = writer.cache.delete_many(&["a", "b"]).await.unwrap();
    assert_eq!(report.failed.len(), 1, "a failed key is named and the others are done");
}

#[test]
fn debug_shows_neither_keys_nor_values() {
    let clock = FakeClock::new();
    let cache = private(&clock);
    futures_util::FutureExt::now_or_never(cache.set("token:SECRETKEY", "SECRETVALUE", ())).unwrap().unwrap();
    let shown = format!("{cache:?} {:?}", cache.stats());
    assert!(!shown.contains("SECRET"), "{shown}");
    let error =
        futures_util::FutureExt::now_or_never(cache.set("token:SECRETKEY", "v", Duration::ZERO)).unwrap();
    assert!(!format!("{:?} {0}", error.unwrap_err()).contains("SECRET"));
}

#[test]
fn versions_of_two_caches_never_meet() {
    assert_ne!(VersionSource::new().value(), VersionSource::new().value());
}
