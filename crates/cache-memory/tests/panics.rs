//! Code of the user's may panic or call back; the map stays whole.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by a panic")]

mod support;

use std::borrow::Borrow;
use std::cell::Cell;
use std::hash::{Hash, Hasher};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Weak};

use cache_memory::MemoryCache;

thread_local! {
    static FUSE: Cell<Option<&'static str>> = const { Cell::new(None) };
}

/// Panics if this is what is armed, once.
fn spark(place: &'static str) {
    if FUSE.get() == Some(place) {
        FUSE.set(None);
        panic!("{place}");
    }
}

#[derive(Debug)]
struct Key(u32);

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        spark("eq");
        self.0 == other.0
    }
}

impl Eq for Key {}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        spark("hash");
        self.0.hash(state);
    }
}

impl Drop for Key {
    fn drop(&mut self) {
        spark("drop key");
    }
}

struct Loud(u32);

impl Clone for Loud {
    fn clone(&self) -> Self {
        spark("clone");
        Self(self.0)
    }
}

impl Drop for Loud {
    fn drop(&mut self) {
        spark("drop value");
    }
}

fn cache() -> MemoryCache<Key, Loud> {
    let weigher = |_: &Key, _: &Loud| {
        spark("weigher");
        10
    };
    MemoryCache::builder().max_entries(8).max_weight(80).weigher(weigher).build().unwrap()
}

#[test]
fn a_panic_in_the_users_code_leaves_the_map_whole() {
    type Act = (&'static str, fn(&MemoryCache<Key, Loud>));
    let acts: [Act; 6] = [
        ("insert", |cache| cache.insert(Key(100), Loud(100), ()).unwrap()),
        ("overwrite", |cache| cache.insert(Key(7), Loud(7), ()).unwrap()),
        ("get", |cache| drop(cache.get(&Key(7)))),
        ("closure", |cache| assert!(cache.get_with(&Key(7), |_| spark("closure")).is_some())),
        ("remove", |cache| drop(cache.remove(&Key(7)))),
        ("clear", MemoryCache::clear),
    ];
    let mut panicked = Vec::new();
    for (name, act) in acts {
        for fuse in ["hash", "eq", "weigher", "clone", "drop key", "drop value", "closure"] {
            let cache = cache();
            for n in 0..8 {
                cache.insert(Key(n), Loud(n), ()).unwrap();
            }
            FUSE.set(Some(fuse));
            if catch_unwind(AssertUnwindSafe(|| act(&cache))).is_err() {
                panicked.push(format!("{name}: {fuse}"));
            }
            FUSE.set(None);
            check(&cache);
        }
    }
    for expected in
        ["insert: drop value", "overwrite: eq", "get: clone", "closure: closure", "clear: drop value"]
    {
        assert!(panicked.iter().any(|seen| seen == expected), "{expected} in {panicked:?}");
    }
}

/// Everything works, and all bookkeeping agrees.
fn check(cache: &MemoryCache<Key, Loud>) {
    assert_eq!(cache.weight(), 10 * cache.len() as u64);
    for n in 200..220 {
        cache.insert(Key(n), Loud(n), ()).unwrap();
        assert_eq!(cache.get_with(&Key(n), |value| value.0), Some(n));
    }
    assert_eq!((cache.len(), cache.weight()), (8, 80));
    for n in 0..220 {
        cache.remove(&Key(n));
    }
    assert_eq!((cache.len(), cache.weight()), (0, 0));
}

/// A value that looks into its cache when it is dropped: it would wait for ever if a lock were held then.
#[derive(Clone)]
struct Nosy(Weak<MemoryCache<u32, Arc<Self>>>);

impl Drop for Nosy {
    fn drop(&mut self) {
        if let Some(cache) = self.0.upgrade() {
            assert!((0..20).filter(|n| cache.contains(n)).count() <= 4);
        }
    }
}

#[test]
fn no_lock_is_held_while_values_are_dropped() {
    support::within_bounds(drop_in_every_way);
}

fn drop_in_every_way() {
    let cache = Arc::new(MemoryCache::builder().max_entries(4).max_weight(1 << 20).build().unwrap());
    let nosy = || Arc::new(Nosy(Arc::downgrade(&cache)));
    for n in 0..10 {
        cache.insert(n, nosy(), ()).unwrap();
        cache.insert(n, nosy(), ()).unwrap();
    }
    let token = cache.token(&9);
    cache.remove(&9);
    assert!(!cache.fill(9, nosy(), (), token).unwrap());
    assert!(cache.insert(8, nosy(), cache_memory::EntryOptions::default().weight(1 << 21)).is_err());
    cache.retain(|_, _| false);
    cache.insert(1, nosy(), ()).unwrap();
    cache.retire();
    cache.insert(2, nosy(), ()).unwrap();
    cache.clear();
    assert!(cache.is_empty());
}

#[test]
fn a_borrowed_key_finds_an_owned_one() {
    let cache: MemoryCache<String, u8> = MemoryCache::new(10).unwrap();
    cache.insert("a".to_owned(), 1, ()).unwrap();
    let owned = String::from("a");
    let borrowed: &str = owned.borrow();
    assert_eq!((cache.get(borrowed), cache.get(&owned)), (Some(1), Some(1)));
}
