//! Going through a cache while time goes on and others write.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by a panic")]

mod support;

use std::marker::PhantomData;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use cache_memory::{Iter, MemoryCache, RemovalCause};
use support::TestClock;

const SECOND: Duration = Duration::from_secs(1);

fn cache(clock: &Arc<TestClock>) -> MemoryCache<u32, u64> {
    MemoryCache::builder().max_entries(2000).clock(clock.clone()).build().unwrap()
}

#[test]
fn iter_serves_nothing_whose_time_came_since_it_was_made() {
    let clock = TestClock::new();
    let cache = cache(&clock);
    (0..2000).for_each(|key| cache.insert(key, 0, SECOND).unwrap());
    let iter = cache.iter();
    let mut seen = 0;
    for (key, _) in &cache {
        assert!(cache.contains(&key), "{key} after its time");
        clock.advance(SECOND / 100);
        seen += 1;
    }
    assert!((90..=100).contains(&seen), "{seen} in a second");
    assert_eq!(iter.count(), 0);
}

#[test]
fn retain_does_not_ask_about_what_is_over_and_tells_that_it_expired() {
    let (clock, told) = (TestClock::new(), Arc::new(Mutex::new(Vec::new())));
    let tell = told.clone();
    let cache: MemoryCache<u32, u64> = MemoryCache::builder()
        .clock(clock.clone())
        .on_removal(move |_, _, cause| tell.lock().unwrap().push(cause))
        .build()
        .unwrap();
    (0..10).for_each(|key| cache.insert(key, 0, SECOND).unwrap());
    let mut asked = 0;
    cache.retain(|_, _| {
        asked += 1;
        clock.advance(2 * SECOND);
        false
    });
    assert_eq!((asked, &told.lock().unwrap()[..]), (1, &[RemovalCause::Expired][..]));
}

#[test]
fn an_entry_that_is_kept_alive_by_reads_is_seen() {
    let clock = TestClock::new();
    let builder = MemoryCache::<u32, u64>::builder().shards(1).time_to_idle(10 * SECOND);
    let cache = builder.clock(clock.clone()).build().unwrap();
    (0..10).for_each(|key| cache.insert(key, 0, ()).unwrap());
    let mut seen = Vec::new();
    for (key, _) in &cache {
        seen.push(key);
        // Longer than they idle: those live on that were read in between.
        for _ in 0..2 {
            clock.advance(6 * SECOND);
            assert!((0..5).all(|key| cache.get(&key).is_some()));
        }
    }
    seen.sort_unstable();
    assert_eq!(seen[..5], [0, 1, 2, 3, 4]);
    assert!(seen.len() <= 6, "at most the first of those that nobody read: {seen:?}");
}

#[test]
fn retain_spares_what_was_overwritten_however_often() {
    let clock = TestClock::new();
    let cache = cache(&clock);
    cache.insert(1, 0, ()).unwrap();
    cache.retain(|_, &value| {
        clock.advance(SECOND);
        (1..=1 << 16).for_each(|n| cache.insert(1, n, ()).unwrap());
        value != 0
    });
    assert_eq!(cache.get(&1), Some(1 << 16));
}

#[test]
fn iter_may_go_to_another_thread() {
    struct Is<T>(PhantomData<T>);
    trait NotShared {
        const SHARED: bool = false;
    }
    impl<T> NotShared for Is<T> {}
    impl<T: Send + Sync> Is<T> {
        const SHARED: bool = true;
    }
    assert!(std::hint::black_box(Is::<Iter<'static, u32, u64>>::SHARED));
    assert!(std::hint::black_box(!Is::<Iter<'static, u32, std::rc::Rc<u64>>>::SHARED));
}
