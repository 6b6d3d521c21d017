//! What tier 1 promises the engine.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by a panic")]

mod support;

use std::sync::{Arc, Weak};
use std::time::Duration;

use cache_core::{Clock, Fill, Filled, LocalTier, Moment, Seed, Value};
use cache_memory::MemoryTier;
use support::{TestClock, entry, number, within_bounds};

const SEED: Seed = Seed::fixed(1);
const HASH: fn(&str) -> u64 = |key| SEED.hash(key);

fn tier() -> (MemoryTier, Arc<TestClock>) {
    let clock = TestClock::new();
    (MemoryTier::new(100, 5000, clock.clone()).unwrap(), clock)
}

fn at(secs: u64) -> Moment {
    Moment::from_nanos(secs * 1_000_000_000)
}

#[test]
fn fresh_then_stale_then_gone_by_the_time_that_is_given() {
    let (tier, _) = tier();
    tier.insert(HASH("a"), "a", entry(1, at(10), at(20)), Fill::Write);
    assert_eq!(tier.get_fresh(HASH("a"), "a", at(9), 0).map(number), Some(1));
    assert!(tier.get_fresh(HASH("a"), "a", at(10), 0).is_none());
    assert_eq!(tier.get(HASH("a"), "a", at(19)).map(|e| number(e.value)), Some(1));
    assert!(tier.get(HASH("a"), "a", at(20)).is_none());
    let mut seen = 0;
    tier.for_each(at(19), &mut |_, _| seen += 1);
    tier.for_each(at(20), &mut |_, _| seen += 1);
    assert_eq!(seen, 1);
}

#[test]
fn two_keys_of_one_hash_are_two_entries() {
    let (tier, _) = tier();
    for key in ["a", "b"] {
        tier.insert(7, key, entry(key.len() as u64, at(10), at(10)), Fill::Write);
    }
    assert!(tier.remove(7, "a"));
    assert!(tier.get(7, "a", at(1)).is_none() && tier.get(7, "b", at(1)).is_some());
}

#[test]
fn a_tagged_entry_answers_only_if_stamped_or_vouched_for_since_the_last_mark() {
    let (tier, _) = tier();
    let mut tagged = entry(1, at(10), at(10));
    tagged.meta.tags = Some([Box::from("t")].into());
    tagged.meta.stamp.seq = 5;
    let version = tagged.meta.version;
    tier.insert(HASH("t"), "t", tagged.clone(), Fill::Write);
    tier.insert(HASH("u"), "u", entry(2, at(10), at(10)), Fill::Write);
    let fresh = |key, marks| tier.get_fresh(HASH(key), key, at(1), marks).is_some();
    assert!(fresh("t", 5) && !fresh("t", 6));
    assert!(fresh("u", u64::MAX), "no tags, no marks");
    tier.vouch(HASH("t"), "t", &entry(0, at(1), at(1)).meta.version, 9);
    assert!(!fresh("t", 6), "vouched for another version");
    tier.vouch(HASH("t"), "t", &version, 7);
    tier.vouch(HASH("t"), "t", &version, 6);
    assert!(fresh("t", 7) && !fresh("t", 8), "it never goes back");
    tier.insert(HASH("t"), "t", tagged, Fill::Write);
    assert!(!fresh("t", 6), "a new write was not vouched for");
}

#[test]
fn a_value_is_replaced_only_in_the_version_it_was_made_of() {
    let (tier, _) = tier();
    let first = entry(1, at(10), at(10));
    let version = first.meta.version;
    tier.insert(HASH("a"), "a", first, Fill::Write);
    let token = tier.token(HASH("a"));
    tier.replace_value(HASH("a"), "a", &version, Value::typed(Arc::new(2u64)));
    assert_eq!(tier.get_fresh(HASH("a"), "a", at(1), 0).map(number), Some(2));
    assert_eq!(tier.token(HASH("a")), token, "the same value in another form fences nobody");
    tier.insert(HASH("a"), "a", entry(3, at(10), at(10)), Fill::Write);
    tier.replace_value(HASH("a"), "a", &version, Value::typed(Arc::new(4u64)));
    assert_eq!(tier.get_fresh(HASH("a"), "a", at(1), 0).map(number), Some(3));
}

#[test]
fn writes_always_go_in_loads_and_promotions_only_while_their_token_holds() {
    let (tier, _) = tier();
    let new = |n| entry(n, at(10), at(10));
    let token = tier.token(HASH("a"));
    assert_eq!(tier.insert(HASH("a"), "a", new(1), Fill::Promote(token)), Filled::Stored);
    assert_eq!(
        tier.insert(HASH("a"), "a", new(2), Fill::Promote(token)),
        Filled::Stored,
        "promotions fence nobody"
    );
    assert_eq!(tier.insert(HASH("a"), "a", new(3), Fill::Load(token)), Filled::Stored);
    assert_eq!(tier.insert(HASH("a"), "a", new(4), Fill::Load(token)), Filled::Fenced);
    assert_eq!(tier.insert(HASH("a"), "a", new(4), Fill::Promote(token)), Filled::Fenced);
    assert_eq!(tier.insert(HASH("a"), "a", new(5), Fill::Write), Filled::Stored);
    let happenings: [(&str, &dyn Fn()); 4] = [
        ("remove", &|| assert!(tier.remove(HASH("a"), "a"))),
        ("remove of nothing", &|| assert!(!tier.remove(HASH("a"), "a"))),
        ("expire of nothing", &|| assert!(!tier.expire(HASH("a"), "a", at(1)))),
        ("retire", &|| assert_eq!(tier.retire(), 1)),
    ];
    for (name, happen) in happenings {
        let token = tier.token(HASH("a"));
        happen();
        for fill in [Fill::Load(token), Fill::Promote(token)] {
            assert_eq!(tier.insert(HASH("a"), "a", new(6), fill), Filled::Fenced, "{name}");
        }
        assert!(tier.get(HASH("a"), "a", at(1)).is_none(), "{name}");
    }
}

#[test]
fn expire_makes_stale_for_as_long_as_it_was_to_be_and_fences() {
    let (tier, clock) = tier();
    tier.insert(HASH("a"), "a", entry(1, at(10), at(20)), Fill::Write);
    let token = tier.token(HASH("a"));
    assert!(tier.expire(HASH("a"), "a", at(5)));
    assert_ne!(tier.token(HASH("a")), token);
    assert!(tier.get_fresh(HASH("a"), "a", at(5), 0).is_none());
    let stale = tier.get(HASH("a"), "a", at(14)).unwrap();
    assert!(stale.meta.fresh_until <= at(5));
    assert_eq!(stale.meta.dead_at, at(15));
    assert!(!tier.expire(HASH("a"), "a", at(6)), "it was stale already");
    assert_eq!(tier.get(HASH("a"), "a", at(14)).unwrap().meta.dead_at, at(15), "and stays no longer");

    let seen = |now| {
        let mut seen = 0;
        tier.for_each(now, &mut |_, _| seen += 1);
        (tier.get(HASH("a"), "a", now).is_some(), seen)
    };
    assert_eq!((seen(at(14)), seen(at(15))), ((true, 1), (false, 0)), "its new end holds for everybody");
    clock.advance(Duration::from_secs(15));
    assert!(!tier.remove(HASH("a"), "a"), "it was dead");
}

#[test]
fn expire_removes_what_has_no_stale_time_and_what_is_dead() {
    let (tier, _) = tier();
    tier.insert(HASH("a"), "a", entry(1, at(10), at(10)), Fill::Write);
    assert!(tier.expire(HASH("a"), "a", at(5)));
    assert_eq!((tier.usage().entries, tier.usage().weight), (0, 0));
    tier.insert(HASH("a"), "a", entry(1, at(10), at(20)), Fill::Write);
    assert!(!tier.expire(HASH("a"), "a", at(20)));
    assert_eq!((tier.usage().entries, tier.usage().weight), (0, 0));
}

#[test]
fn an_entry_too_heavy_takes_the_older_one_with_it_unless_it_is_fenced() {
    let (tier, _) = tier();
    let mut heavy = entry(2, at(10), at(10));
    heavy.weight = 5001;
    let stale_token = tier.token(HASH("a"));
    tier.insert(HASH("a"), "a", entry(1, at(10), at(10)), Fill::Write);
    assert_eq!(tier.insert(HASH("a"), "a", heavy.clone(), Fill::Load(stale_token)), Filled::Fenced);
    assert!(tier.get(HASH("a"), "a", at(1)).is_some());
    let token = tier.token(HASH("a"));
    assert_eq!(tier.insert(HASH("a"), "a", heavy, Fill::Load(token)), Filled::TooLarge);
    assert!(tier.get(HASH("a"), "a", at(1)).is_none());
    assert_ne!(tier.token(HASH("a")), token);
}

#[test]
fn the_weight_bounds_promotions_too() {
    let (tier, _) = tier();
    for n in 0..100 {
        let key = n.to_string();
        let token = tier.token(HASH(&key));
        tier.insert(HASH(&key), &key, entry(n, at(10), at(10)), Fill::Promote(token));
    }
    let usage = tier.usage();
    assert_eq!((usage.entries, usage.weight, usage.evicted), (50, 5000, 50));
    assert_eq!((usage.max_entries, usage.max_weight), (100, 5000));
}

#[test]
fn what_died_is_swept_by_inserts_and_remove_says_that_it_was_not_there() {
    let (tier, clock) = tier();
    let soon = clock.now() + Duration::from_secs(1);
    for n in 0..20 {
        let key = n.to_string();
        tier.insert(HASH(&key), &key, entry(n, soon, soon), Fill::Write);
    }
    clock.advance(Duration::from_secs(2));
    assert!(!tier.remove(HASH("0"), "0"));
    tier.insert(HASH("new"), "new", entry(0, at(10), at(10)), Fill::Write);
    let usage = tier.usage();
    assert_eq!((usage.entries, usage.expired, usage.weight), (1, 19, 100));
}

#[test]
fn for_each_may_call_back() {
    let (tier, _) = tier();
    for n in 0..20 {
        let key = n.to_string();
        tier.insert(HASH(&key), &key, entry(n, at(10), at(10)), Fill::Write);
    }
    tier.for_each(at(1), &mut |key, held| {
        assert_eq!(number(held.value.clone()).to_string(), key);
        assert!(tier.remove(HASH(key), key));
    });
    assert_eq!(tier.usage().entries, 0);
}

/// A value that looks into its tier when it is dropped.
struct Nosy(Weak<MemoryTier>);

impl serde::Serialize for Nosy {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_unit()
    }
}

impl Drop for Nosy {
    fn drop(&mut self) {
        if let Some(tier) = self.0.upgrade() {
            assert!(tier.get(HASH("none"), "none", at(1)).is_none());
        }
    }
}

#[test]
fn no_lock_is_held_while_values_are_dropped() {
    within_bounds(|| {
        let tier = Arc::new(tier().0);
        let value = || Value::typed(Arc::new(Nosy(Arc::downgrade(&tier))));
        let new = || {
            let mut new = entry(1, at(10), at(10));
            new.value = value();
            new
        };
        let (first, token) = (new(), tier.token(HASH("a")));
        let version = first.meta.version;
        tier.insert(HASH("a"), "a", first, Fill::Write);
        tier.replace_value(HASH("a"), "a", &version, value());
        tier.replace_value(HASH("a"), "a", &new().meta.version, value());
        assert_eq!(tier.insert(HASH("a"), "a", new(), Fill::Load(token)), Filled::Fenced);
        tier.insert(HASH("a"), "a", new(), Fill::Write);
        assert!(tier.expire(HASH("a"), "a", at(10).before(Duration::from_nanos(1))));
        tier.insert(HASH("a"), "a", new(), Fill::Write);
        assert!(tier.remove(HASH("a"), "a"));
    });
}
