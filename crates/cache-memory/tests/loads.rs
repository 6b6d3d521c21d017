//! Values that are made when they are missing: once, for all who ask, whatever goes wrong meanwhile.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by a panic")]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Barrier, mpsc};
use std::thread;
use std::time::Duration;

use cache_core::ErrorKind;
use cache_memory::{EntryOptions, MemoryCache};

type Cache = MemoryCache<u32, u64>;

const THREADS: usize = 8;

fn cache() -> Cache {
    MemoryCache::new(100).unwrap()
}

#[derive(Debug)]
struct Down;

impl std::fmt::Display for Down {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("down")
    }
}

impl std::error::Error for Down {}

/// Runs `first` until it says that it has begun; then starts the others, and lets `first` end when all of them are on
/// their way.
fn overlapping<R: Send>(
    first: impl FnOnce(&dyn Fn()) -> R + Send,
    other: impl Fn() -> R + Sync,
) -> (thread::Result<R>, Vec<R>) {
    let (begun, has_begun) = mpsc::channel();
    let gate = Barrier::new(THREADS + 1);
    thread::scope(|scope| {
        let gate = &gate;
        let leader = scope.spawn(move || {
            first(&|| {
                begun.send(()).unwrap();
                gate.wait();
                // They are past the gate; whether they wait or come too late, the answer must be the same.
                thread::yield_now();
            })
        });
        has_begun.recv().unwrap();
        let others: Vec<_> = (0..THREADS)
            .map(|_| {
                let other = &other;
                scope.spawn(move || {
                    gate.wait();
                    other()
                })
            })
            .collect();
        (leader.join(), others.into_iter().map(|other| other.join().unwrap()).collect())
    })
}

#[test]
fn one_of_many_makes_the_value() {
    let (cache, made) = (cache(), AtomicU32::new(0));
    let make = || u64::from(made.fetch_add(1, Ordering::SeqCst)) + 7;
    let (first, others) = overlapping(
        |begun| {
            let value = || {
                begun();
                make()
            };
            cache.get_or_insert_with(1, (), value).unwrap()
        },
        || cache.get_or_insert_with(1, (), make).unwrap(),
    );
    assert_eq!(first.unwrap(), 7);
    assert!(others.iter().all(|&value| value == 7));
    assert_eq!(made.into_inner(), 1);
}

#[test]
fn an_error_is_shared_and_not_held() {
    let (cache, made) = (cache(), AtomicU32::new(0));
    let (first, others) = overlapping(
        |begun| {
            cache.get_or_try_insert_with(1, (), || {
                begun();
                made.fetch_add(1, Ordering::SeqCst);
                // Nobody can come too late: the others are counted below.
                let deadline = std::time::Instant::now() + Duration::from_secs(10);
                while made.load(Ordering::SeqCst) == 0 && std::time::Instant::now() < deadline {}
                Err::<u64, _>(Down)
            })
        },
        || cache.get_or_try_insert_with(1, (), || Ok::<_, Down>(8)),
    );
    let error = first.unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Load);
    assert!(error.downcast_ref::<Down>().is_some());
    for other in others {
        assert!(other.is_ok_and(|value| value == 8) || made.load(Ordering::SeqCst) == 1);
    }
}

#[test]
fn a_panic_passes_to_its_caller_and_another_makes_the_value() {
    let cache = cache();
    let (first, others) = overlapping(
        |begun| {
            cache.get_or_insert_with(1, (), || {
                begun();
                panic!("made badly")
            })
        },
        || cache.get_or_insert_with(1, (), || 8),
    );
    assert!(first.is_err());
    assert!(others.into_iter().all(|value| value.unwrap() == 8));
    assert_eq!(cache.get(&1), Some(8));
}

#[test]
fn a_value_that_needs_itself_is_an_error_and_no_hang() {
    let cache = cache();
    let inner = cache.get_or_try_insert_with(1, (), || cache.get_or_insert_with(1, (), || 2)).unwrap_err();
    assert_eq!(inner.kind(), ErrorKind::Load);
    assert_eq!(cache.get_or_insert_with(1, (), || 3).unwrap(), 3, "the key is free again");
}

#[test]
fn a_value_may_need_another() {
    let cache = cache();
    let value = cache.get_or_try_insert_with(1, (), || cache.get_or_insert_with(2, (), || 20).map(|n| n + 1));
    assert_eq!(value.unwrap(), 21);
    assert_eq!(cache.get(&2), Some(20));
}

#[test]
fn two_values_that_need_each_other_are_an_error_and_no_hang() {
    let (cache, both) = (cache(), Barrier::new(2));
    let (cache, both) = (&cache, &both);
    let one = |key: u32, other: u32| {
        cache.get_or_try_insert_with(key, (), || {
            both.wait();
            cache.get_or_insert_with(other, (), || 1)
        })
    };
    let (a, b) = thread::scope(|scope| {
        let a = scope.spawn(move || one(1, 2));
        let b = scope.spawn(move || one(2, 1));
        (a.join().unwrap(), b.join().unwrap())
    });
    assert!(a.is_err() && b.is_err(), "the one that sees the circle tells the other, which needed it");
}

#[test]
fn what_is_removed_while_it_is_made_is_answered_once_and_not_held() {
    let cache = cache();
    let value = cache.get_or_insert_with(1, (), || {
        cache.remove(&1);
        7
    });
    assert_eq!((value.unwrap(), cache.get(&1)), (7, None));
}

#[test]
fn who_asks_after_a_removal_does_not_get_what_was_made_before() {
    let cache = cache();
    let (answer, answered) = mpsc::channel();
    let (outer, fresh) = thread::scope(|scope| {
        let cache = &cache;
        let mut fresh = None;
        let outer = cache.get_or_insert_with(1, (), || {
            cache.remove(&1);
            // Another thread, because this one may not wait for itself.
            scope.spawn(move || answer.send(cache.get_or_insert_with(1, (), || 8)));
            // It answers at once, unless it waits for the value that is being made here: then it must not be awaited.
            fresh = answered.recv_timeout(Duration::from_secs(5)).ok();
            7
        });
        (outer, fresh)
    });
    assert_eq!(fresh.expect("an answer that waits for nothing").unwrap(), 8);
    assert_eq!((outer.unwrap(), cache.get(&1)), (7, Some(8)));
}

#[test]
fn what_becomes_of_the_key_while_it_is_made_stays() {
    type Change = fn(&Cache);
    let changes: [(&str, Change, Option<u64>); 9] = [
        ("insert", |cache| cache.insert(1, 3, ()).unwrap(), Some(3)),
        ("insert_if", |cache| assert!(cache.insert_if(1, 3, (), |held| held.is_none()).unwrap()), Some(3)),
        ("fill", |cache| assert!(cache.fill(1, 3, (), cache.token(&1)).unwrap()), Some(3)),
        ("remove", |cache| assert_eq!(cache.remove(&1), None), None),
        ("clear", |cache| cache.clear(), None),
        ("retire", |cache| cache.retire(), None),
        (
            "too large",
            |cache| drop(cache.insert(1, 3, EntryOptions::default().weight(u64::MAX)).unwrap_err()),
            None,
        ),
        (
            "retain",
            |cache| {
                cache.insert(1, 3, ()).unwrap();
                cache.retain(|_, _| false);
            },
            None,
        ),
        (
            "another thread",
            |cache| thread::scope(|scope| scope.spawn(|| cache.insert(1, 3, ()).unwrap()).join().unwrap()),
            Some(3),
        ),
    ];
    for (what, change, then) in changes {
        let cache = cache();
        let value = cache.get_or_insert_with(1, (), || {
            change(&cache);
            7
        });
        assert_eq!((value.unwrap(), cache.get(&1)), (7, then), "{what}");
        assert_eq!(cache.get_or_insert_with(1, (), || 8).unwrap(), then.unwrap_or(8), "{what}: made anew");
    }
}

#[test]
fn what_changes_nothing_of_the_key_keeps_nothing_out() {
    let cache: Cache = MemoryCache::new(10_000).unwrap();
    let old = cache.token(&1);
    cache.remove(&1);
    let value = cache.get_or_insert_with(1, (), || {
        assert!(!cache.insert_if(1, 3, (), |_| false).unwrap());
        assert!(!cache.fill(1, 3, (), old).unwrap());
        assert!(cache.insert(1, 3, Duration::ZERO).is_err());
        // So many that some of them share what tokens are told by.
        for other in 2..5000 {
            cache.insert(other, 0, ()).unwrap();
        }
        cache.retain(|&key, _| key % 2 == 0);
        7
    });
    assert_eq!((value.unwrap(), cache.get(&1)), (7, Some(7)));
}

#[test]
fn one_of_many_makes_the_value_whatever_becomes_of_other_keys() {
    let (cache, made): (Cache, _) = (MemoryCache::new(10_000).unwrap(), AtomicU32::new(0));
    let make = || u64::from(made.fetch_add(1, Ordering::SeqCst)) + 7;
    let (first, others) = overlapping(
        |begun| {
            let value = || {
                (2..5000).for_each(|other| cache.insert(other, 0, ()).unwrap());
                begun();
                make()
            };
            cache.get_or_insert_with(1, (), value).unwrap()
        },
        || cache.get_or_insert_with(1, (), make).unwrap(),
    );
    assert!(others.iter().chain([&first.unwrap()]).all(|&value| value == 7));
    assert_eq!(made.into_inner(), 1);
}

#[test]
fn a_value_that_needs_itself_is_an_error_though_it_was_removed_meanwhile() {
    fn value(cache: &Cache, depth: &AtomicU32) -> Result<u64, cache_core::Error> {
        assert!(depth.fetch_add(1, Ordering::SeqCst) < 10, "it would go on until the stack is full");
        cache.get_or_try_insert_with(1, (), || {
            cache.remove(&1);
            value(cache, depth)
        })
    }
    assert_eq!(value(&cache(), &AtomicU32::new(0)).unwrap_err().kind(), ErrorKind::Load);
}

#[test]
fn a_value_that_is_too_large_is_answered_and_not_held() {
    let cache: Cache = MemoryCache::builder().max_weight(1000).build().unwrap();
    let value = cache.get_or_insert_with(1, EntryOptions::default().weight(2000), || 7);
    assert_eq!((value.unwrap(), cache.get(&1)), (7, None));
}

#[test]
fn a_wrong_ttl_is_refused_before_anything_is_made() {
    let cache = cache();
    let made = catch_unwind(AssertUnwindSafe(|| {
        cache.get_or_insert_with(1, Duration::ZERO, || panic!("it must not be made"))
    }));
    assert_eq!(made.unwrap().unwrap_err().kind(), ErrorKind::Validation);
}

#[test]
fn a_held_value_is_a_hit_and_a_made_one_a_miss() {
    let cache = cache();
    cache.get_or_insert_with(1, (), || 7).unwrap();
    cache.get_or_insert_with(1, (), || 8).unwrap();
    assert_eq!((cache.stats().hits, cache.stats().misses), (1, 1));
}
