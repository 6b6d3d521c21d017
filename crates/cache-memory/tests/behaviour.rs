//! What the map promises, one promise a test.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by a panic")]

mod support;

use std::sync::Arc;
use std::time::Duration;

use cache_core::{ErrorKind, Moment, Ttl};
use cache_memory::{EntryOptions, MAX_ENTRIES, MemoryCache, MemoryTier};
use support::{LAG, TestClock};

const SECOND: Duration = Duration::from_secs(1);

fn cache(max_entries: usize) -> (MemoryCache<String, u64>, Arc<TestClock>) {
    let clock = TestClock::new();
    let cache = MemoryCache::builder().max_entries(max_entries).clock(clock.clone()).build().unwrap();
    (cache, clock)
}

fn weighted(max_weight: u64, shards: usize) -> MemoryCache<u32, u64> {
    MemoryCache::builder()
        .max_entries(1000)
        .max_weight(max_weight)
        .weigher(|_, weight| *weight)
        .shards(shards)
        .build()
        .unwrap()
}

#[test]
fn a_cache_of_fifty_really_holds_fifty() {
    let (cache, _) = cache(50);
    for n in 0..50 {
        cache.insert(n.to_string(), n, ()).unwrap();
    }
    assert!((0..50).all(|n| cache.get(n.to_string().as_str()) == Some(n)));
    cache.insert("one more".into(), 50, ()).unwrap();
    assert_eq!((cache.len(), cache.stats().evicted), (50, 1));
}

/// One bound for all shards: how keys are divided among them does not show.
#[test]
fn as_many_entries_as_allowed_are_held_whatever_the_number_of_shards() {
    for shards in [1, 8, 64] {
        let cache = MemoryCache::builder().max_entries(1000).shards(shards).build().unwrap();
        for n in 0..1000u64 {
            cache.insert(n, n, ()).unwrap();
        }
        assert!((0..1000).all(|n| cache.get(&n) == Some(n)), "{shards} shards");
        for n in 1000..3000 {
            cache.insert(n, n, ()).unwrap();
            assert_eq!((cache.len(), cache.get(&n)), (1000, Some(n)), "{shards} shards");
        }
        assert_eq!(cache.stats().evicted, 2000);
    }
}

#[test]
fn a_shard_that_holds_nothing_gets_a_place_from_another() {
    let cache = MemoryCache::builder().max_entries(4).shards(4).build().unwrap();
    for n in 0..1000usize {
        cache.insert(n, n, ()).unwrap();
        assert_eq!((cache.len(), cache.get(&n)), ((n + 1).min(4), Some(n)));
    }
}

/// Entries of a life that is over hold no place, also in shards that nobody has changed since.
#[test]
fn what_was_retired_leaves_its_place_to_others() {
    let cache = MemoryCache::builder().max_entries(1000).shards(8).build().unwrap();
    for life in 0..3u64 {
        for n in 0..1000 {
            cache.insert(n, life, ()).unwrap();
        }
        let held = (0..1000).filter(|n| cache.get(n) == Some(life)).count();
        assert_eq!((held, cache.len()), (1000, 1000), "life {life}");
        if life == 1 {
            cache.clear();
        } else {
            cache.retire();
        }
        assert_eq!(cache.len(), 0);
    }
}

#[test]
fn overwriting_at_capacity_evicts_nobody() {
    let (cache, _) = cache(10);
    for n in 0..10 {
        cache.insert(n.to_string(), n, ()).unwrap();
    }
    for round in 0..100 {
        cache.insert("3".into(), round, ()).unwrap();
    }
    assert_eq!(cache.get("3"), Some(99));
    assert!((0..10).all(|n| cache.contains(n.to_string().as_str())));
    assert_eq!(cache.stats().evicted, 0);
}

#[test]
fn overwriting_with_a_heavier_value_evicts_others_only_for_the_weight_and_never_itself() {
    let cache = weighted(100, 1);
    for n in 0..10 {
        cache.insert(n, 10, ()).unwrap();
    }
    cache.insert(0, 30, ()).unwrap();
    assert_eq!((cache.get(&0), cache.len(), cache.weight()), (Some(30), 8, 100));
    cache.insert(0, 100, ()).unwrap();
    assert_eq!((cache.get(&0), cache.len(), cache.weight()), (Some(100), 1, 100));
}

#[test]
fn the_heaviest_entry_allowed_does_not_depend_on_the_shards() {
    for shards in [1, 2, 8, 64] {
        let cache = weighted(1000, shards);
        for n in 1..=200 {
            cache.insert(n, 10, ()).unwrap();
            assert!(cache.weight() <= 1000);
        }
        cache.insert(0, 1000, ()).unwrap();
        assert_eq!((cache.get(&0), cache.len(), cache.weight()), (Some(1000), 1, 1000), "{shards} shards");
    }
}

#[test]
fn what_is_too_heavy_is_refused_with_an_error_and_the_old_value_does_not_answer() {
    let cache = weighted(100, 1);
    cache.insert(1, 10, ()).unwrap();
    cache.insert(2, 10, ()).unwrap();
    let error = cache.insert(1, 101, ()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLarge);
    assert_eq!(
        error.message(),
        "the entry weighs 101, the cache may hold 100 altogether; it is not kept, nor what was there"
    );
    assert_eq!((cache.get(&1), cache.get(&2), cache.weight()), (None, Some(10), 10));
    assert!(cache.insert(1, u64::MAX, ()).is_err());
}

#[test]
fn an_entry_is_served_to_the_end_of_its_ttl_and_not_a_nanosecond_longer() {
    for clock in [TestClock::new(), TestClock::sharp()] {
        let cache = MemoryCache::builder().clock(clock.clone()).build().unwrap();
        for ttl in [Duration::from_millis(1), LAG, SECOND, Ttl::MAX.as_duration()] {
            cache.insert("a".to_owned(), 1, ttl).unwrap();
            clock.advance(ttl.checked_sub(Duration::from_nanos(1)).unwrap());
            assert_eq!(cache.get("a"), Some(1), "{ttl:?} {clock:?}");
            assert_eq!(cache.ttl("a"), Some(Duration::from_nanos(1)));
            clock.advance(Duration::from_nanos(1));
            assert_eq!(cache.get("a"), None, "{ttl:?} {clock:?}");
            assert_eq!((cache.ttl("a"), cache.contains("a")), (None, false));
            assert_eq!(cache.iter().count(), 0);
            assert_eq!(cache.remove("a"), None);
        }
    }
}

#[test]
fn the_default_ttl_is_an_hour_and_overwriting_starts_a_new_one() {
    let (cache, clock) = cache(10);
    cache.insert("a".into(), 1, ()).unwrap();
    assert_eq!(cache.ttl("a"), Some(3600 * SECOND));
    clock.advance(1800 * SECOND);
    cache.insert("a".into(), 2, 10 * SECOND).unwrap();
    assert_eq!(cache.ttl("a"), Some(10 * SECOND));
}

#[test]
fn a_ttl_of_zero_is_an_error_and_changes_nothing() {
    let (cache, _) = cache(10);
    cache.insert("a".into(), 1, ()).unwrap();
    for bad in [Duration::ZERO, Duration::from_nanos(1), Duration::MAX] {
        assert_eq!(cache.insert("a".into(), 2, bad).unwrap_err().kind(), ErrorKind::Validation);
    }
    assert_eq!(cache.get("a"), Some(1));
}

#[test]
fn every_setting_out_of_range_is_named_at_once() {
    let builder =
        MemoryCache::<u8, u8>::builder().max_entries(0).max_weight(0).default_ttl(Duration::ZERO).shards(3);
    let error = builder.build().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Validation);
    for named in
        ["4 problems", "max_entries: 0 given, 1 to 100000000", "max_weight: 0", "TTL of 0ns", "shards: 3"]
    {
        assert!(error.message().contains(named), "{named} in {error}");
    }
    assert!(MemoryCache::<u8, u8>::new(MAX_ENTRIES + 1).is_err());
    assert!(MemoryTier::new(0, 1, TestClock::new()).is_err());
    assert!(MemoryTier::new(MAX_ENTRIES, 1, TestClock::new()).is_ok());
}

#[test]
fn expired_entries_make_room_before_live_ones_and_are_counted_as_expired() {
    let (cache, clock) = cache(64);
    for n in 0..32 {
        cache.insert(format!("short {n}"), n, SECOND).unwrap();
        cache.insert(format!("long {n}"), n, ()).unwrap();
    }
    clock.advance(SECOND);
    for n in 0..32 {
        cache.insert(format!("new {n}"), n, ()).unwrap();
    }
    let stats = cache.stats();
    assert_eq!((stats.expired, stats.evicted, stats.entries), (32, 0, 64));
    assert!((0..32).all(|n| cache.contains(format!("long {n}").as_str())));
}

#[test]
fn the_memory_of_expired_entries_comes_back_with_a_bounded_number_of_inserts() {
    let (cache, clock) = cache(1_000_000);
    for n in 0..20_000 {
        cache.insert(format!("short {n}"), n, SECOND).unwrap();
    }
    clock.advance(SECOND);
    for n in 0..2000 {
        cache.insert(format!("new {n}"), n, ()).unwrap();
    }
    assert_eq!((cache.len(), cache.stats().expired), (2000, 20_000));
}

#[test]
fn millions_of_short_lived_keys_leave_a_small_cache_small() {
    // Ten million where the code is optimised; a tenth of that is as telling and does not hold up a debug run.
    let keys = if cfg!(debug_assertions) { 1_000_000u64 } else { 10_000_000 };
    let clock = TestClock::new();
    let cache = MemoryCache::builder()
        .max_entries(1000)
        .max_weight(50_000)
        .weigher(|_: &u64, _: &u64| 100)
        .default_ttl(Duration::from_millis(100))
        .clock(clock.clone())
        .build()
        .unwrap();
    for n in 0..keys {
        cache.insert(n, n, ()).unwrap();
        if n % 1000 == 0 {
            clock.advance(Duration::from_millis(50));
            assert!(cache.len() <= 500 && cache.weight() <= 50_000);
        }
    }
    clock.advance(SECOND);
    for n in 0..500 {
        cache.insert(n, n, ()).unwrap();
    }
    assert!(cache.len() <= 500);
}

#[test]
fn the_weight_is_zero_again_when_all_is_removed() {
    for shards in [1, 8] {
        let cache = weighted(10_000, shards);
        for round in 0..10 {
            for n in 0..2000 {
                cache.insert(n, u64::from(n % 37) + round, ()).unwrap();
            }
        }
        assert!(cache.weight() > 0);
        for n in 0..2000 {
            cache.remove(&n);
        }
        assert_eq!((cache.weight(), cache.len()), (0, 0));
    }
}

#[test]
fn the_hit_ratio_is_hits_over_reads_and_nothing_else() {
    let (cache, _) = cache(10);
    assert!(cache.stats().hit_ratio().abs() < f64::EPSILON);
    for n in 0..10 {
        cache.insert(n.to_string(), n, ()).unwrap();
        cache.contains(n.to_string().as_str());
        cache.ttl(n.to_string().as_str());
    }
    for n in 6..10 {
        cache.get(n.to_string().as_str());
    }
    cache.get("none");
    cache.remove("0");
    let stats = cache.stats();
    assert_eq!((stats.hits, stats.misses), (4, 1));
    assert!((stats.hit_ratio() - 0.8).abs() < f64::EPSILON);
}

#[test]
fn retire_hides_everything_at_once_and_the_memory_comes_back() {
    for shards in [1, 8] {
        let cache = weighted(10_000, shards);
        for n in 0..1000 {
            cache.insert(n, 10, ()).unwrap();
        }
        let held = cache.weight();
        cache.retire();
        assert!((0..1000).all(|n| cache.get(&n).is_none() && !cache.contains(&n) && cache.ttl(&n).is_none()));
        assert_eq!((cache.len(), cache.remove(&1)), (0, None));
        assert_eq!(cache.iter().count(), 0);
        cache.retain(|_, _| panic!("all was retired"));
        assert_eq!(cache.weight(), held, "it is still there, and is said to be");
        for n in 0..1000 {
            cache.insert(n, 1, ()).unwrap();
            assert!(cache.weight() <= 10_000);
        }
        assert!(cache.weight() <= 1000 && cache.len() > 900, "{} {}", cache.weight(), cache.len());
    }
}

#[test]
fn clear_gives_all_memory_back_before_it_returns() {
    let cache: MemoryCache<u32, Arc<()>> = MemoryCache::builder().max_entries(100).shards(4).build().unwrap();
    let value = Arc::new(());
    for n in 0..50 {
        cache.insert(n, Arc::clone(&value), ()).unwrap();
    }
    cache.retire();
    for n in 0..50 {
        cache.insert(n, Arc::clone(&value), ()).unwrap();
    }
    let token = cache.token(&1);
    cache.clear();
    assert_eq!((cache.len(), cache.weight(), Arc::strong_count(&value)), (0, 0, 1));
    assert!(!cache.fill(1, Arc::clone(&value), (), token).unwrap());
}

#[test]
fn a_fill_is_fenced_by_whatever_happened_since_its_token() {
    let (cache, _) = cache(10);
    let happenings: [(&str, &dyn Fn()); 5] = [
        ("remove", &|| assert!(cache.remove("a").is_none_or(|value| value < 9))),
        ("write", &|| cache.insert("a".into(), 1, ()).unwrap()),
        ("fill", &|| assert!(cache.fill("a".into(), 1, (), cache.token("a")).unwrap())),
        ("retire", &|| cache.retire()),
        ("clear", &|| cache.clear()),
    ];
    for (name, happen) in happenings {
        let token = cache.token("a");
        happen();
        let before = cache.get("a");
        assert!(!cache.fill("a".into(), 9, (), token).unwrap(), "{name}");
        assert_eq!(cache.get("a"), before, "{name}");
    }
    let token = cache.token("a");
    cache.get("a");
    assert!(cache.fill("a".into(), 9, (), token).unwrap(), "nothing happened");
    assert_eq!(cache.get("a"), Some(9));
}

#[test]
fn a_refused_heavy_write_fences_too() {
    let cache = weighted(100, 1);
    let token = cache.token(&1);
    assert!(cache.insert(1, 101, ()).is_err());
    assert!(!cache.fill(1, 1, (), token).unwrap());
}

#[test]
fn the_weight_can_be_given_with_the_entry() {
    let cache = weighted(100, 1);
    cache.insert(1, 10, EntryOptions::default().weight(70)).unwrap();
    assert_eq!(cache.weight(), 70);
    assert!(cache.insert(2, 10, EntryOptions::ttl(SECOND).weight(101)).is_err());
}

#[test]
fn retain_and_iter_may_call_the_cache_and_see_each_entry_once() {
    let (cache, _) = cache(5000);
    for n in 0..1500 {
        cache.insert(n.to_string(), n, ()).unwrap();
    }
    let mut seen = vec![0; 1500];
    for (key, value) in &cache {
        seen[usize::try_from(value).unwrap()] += 1;
        assert_eq!(cache.get(key.as_str()), Some(value));
    }
    assert!(seen.iter().all(|&times| times == 1));
    cache.retain(|key, value| {
        // Overwritten while it is being judged: the new value was never judged, so it stays.
        if value % 3 == 0 {
            cache.insert(key.clone(), value + 10_000, ()).unwrap();
        }
        value % 2 == 0 && value % 3 != 0
    });
    for n in 0..1500 {
        let expected = if n % 3 == 0 { Some(n + 10_000) } else { (n % 2 == 0).then_some(n) };
        assert_eq!(cache.get(n.to_string().as_str()), expected);
    }
}

#[test]
fn debug_shows_neither_keys_nor_values() {
    let cache = MemoryCache::new(10).unwrap();
    cache.insert("secret key", "secret value", ()).unwrap();
    assert!(!format!("{cache:?} {:?}", MemoryCache::<u8, u8>::builder()).contains("secret"));
}

#[test]
fn it_can_be_shared_between_threads_if_its_contents_can() {
    fn shared<T: Send + Sync>() {}
    shared::<MemoryCache<String, Arc<str>>>();
    shared::<MemoryTier>();
}

#[test]
fn a_moment_later_than_all_is_no_overflow() {
    let (cache, clock) = cache(2);
    clock.advance(Moment::NEVER.since(Moment::from_nanos(10_000_000_000)));
    cache.insert("a".into(), 1, Ttl::MAX.as_duration()).unwrap();
    assert_eq!(cache.get("a"), Some(1));
}
