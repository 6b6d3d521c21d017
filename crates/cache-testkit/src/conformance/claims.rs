//! Leases under the keys of values.

use std::time::Duration;

use cache_core::{Claim, Key, PutIf, RemoveIf, Store, Ttl, Version, VersionSource};

use super::Bed;
use super::bed::{Since, envelope, long, ttl};

const RACERS: usize = 16;

async fn claim(store: &dyn Store, key: &Key, lease: Version, ttl: Ttl, over: Option<Version>) -> Claim {
    store.claim(key, envelope(lease, "lease"), ttl, over).await.expect("claim answers")
}

async fn fill(bed: &Bed, key: &Key, lease: Version) -> bool {
    let written = bed.store.put(key, "value".into(), long(), PutIf::Version(lease)).await;
    written.expect("put answers").stored
}

pub(super) async fn a_free_key_is_granted_and_shows_the_lease(bed: &Bed) {
    let (key, lease, ttl) = (bed.key("k"), VersionSource::new().lease(), ttl(10_000));
    let since = Since::now();
    assert_eq!(claim(&*bed.store, &key, lease, ttl, None).await, Claim::Granted(lease));
    let stored = bed.stored(&key).await.expect("the lease is stored under the key");
    assert_eq!(stored.bytes, envelope(lease, "lease"));
    since.check(bed, stored.remaining, ttl, Duration::ZERO);
}

pub(super) async fn a_claimed_key_is_held_for_the_time_it_has_left(bed: &Bed) {
    let (key, versions, ttl) = (bed.key("k"), VersionSource::new(), ttl(10_000));
    let (first, second) = (versions.lease(), versions.lease());
    let since = Since::now();
    claim(&*bed.store, &key, first, ttl, None).await;
    let passed = Duration::from_millis(60);
    bed.pass(passed).await;
    let Claim::Held { remaining } = claim(&*bed.store, &key, second, long(), None).await else {
        return assert_eq!("held", "not held", "a lease is there");
    };
    since.check(bed, Some(remaining), ttl, passed);
    let stored = bed.stored(&key).await.expect("the lease is there");
    assert_eq!(stored.bytes, envelope(first, "lease"), "who is refused changes nothing");
    since.check(bed, stored.remaining, ttl, passed);
}

pub(super) async fn a_value_is_a_hit_with_its_remaining_time(bed: &Bed) {
    let (versions, ttl) = (VersionSource::new(), ttl(10_000));
    let values = [envelope(versions.value(), "value"), "foreign bytes, long enough".into(), "".into()];
    for (i, value) in values.into_iter().enumerate() {
        let key = bed.key(&i.to_string());
        let since = Since::now();
        bed.put(&key, value.clone(), ttl).await;
        let claimed = claim(&*bed.store, &key, versions.lease(), long(), None).await;
        let Claim::Hit(read) = claimed else {
            return assert_eq!(format!("{claimed:?}"), "Hit", "a value is there");
        };
        let found = read.found.expect("a hit has a value");
        assert_eq!(found.bytes, value);
        since.check(bed, found.remaining, ttl, Duration::ZERO);
        assert_eq!(bed.bytes(&key).await, Some(value), "a hit changes nothing");
    }
}

pub(super) async fn a_claim_goes_over_the_named_version_only(bed: &Bed) {
    let (key, versions) = (bed.key("k"), VersionSource::new());
    let (value, other, lease) = (versions.value(), versions.value(), versions.lease());
    bed.put(&key, envelope(value, "stale"), long()).await;
    let refused = claim(&*bed.store, &key, lease, long(), Some(other)).await;
    assert!(matches!(refused, Claim::Hit(_)), "another version is there: {refused:?}");
    assert_eq!(claim(&*bed.store, &key, lease, long(), Some(value)).await, Claim::Granted(lease));
    assert_eq!(bed.bytes(&key).await, Some(envelope(lease, "lease")));
    let late = claim(&*bed.store, &key, versions.lease(), long(), Some(value)).await;
    assert!(matches!(late, Claim::Held { .. }), "the version is gone: {late:?}");
    let free = claim(&*bed.store, &bed.key("free"), lease, long(), Some(value)).await;
    assert_eq!(free, Claim::Granted(lease), "where nothing is, nothing is in the way");
}

pub(super) async fn an_owner_renews_its_lease(bed: &Bed) {
    let (key, lease) = (bed.key("k"), VersionSource::new().lease());
    claim(&*bed.store, &key, lease, ttl(5_000), None).await;
    let since = Since::now();
    let renewed = claim(&*bed.store, &key, lease, ttl(60_000), Some(lease)).await;
    assert_eq!(renewed, Claim::Granted(lease));
    let stored = bed.stored(&key).await.expect("the lease is there");
    since.check(bed, stored.remaining, ttl(60_000), Duration::ZERO);
}

pub(super) async fn of_many_claims_one_is_granted(bed: &Bed) {
    for round in 0..10 {
        race(bed, &format!("free-{round}"), None).await;
    }
}

pub(super) async fn of_many_claims_over_one_version_one_is_granted(bed: &Bed) {
    for round in 0..10 {
        let user = format!("stale-{round}");
        let stale = VersionSource::new().value();
        bed.put(&bed.key(&user), envelope(stale, "stale"), long()).await;
        race(bed, &user, Some(stale)).await;
    }
}

async fn race(bed: &Bed, user: &str, over: Option<Version>) {
    let (key, versions) = (bed.key(user), VersionSource::new());
    let racers = (0..RACERS).map(|i| {
        let (store, key, lease) = (bed.racer(i), key.clone(), versions.lease());
        tokio::spawn(async move { (lease, claim(&*store, &key, lease, long(), over).await) })
    });
    let mut granted = Vec::new();
    for racer in racers.collect::<Vec<_>>() {
        match racer.await.expect("claim does not panic") {
            (lease, Claim::Granted(token)) => {
                assert_eq!(token, lease, "the token is the lease's version");
                granted.push(lease);
            }
            (_, Claim::Held { .. }) => {}
            (_, Claim::Hit(read)) => assert_eq!(Some(read), None, "there is no value to hit"),
        }
    }
    assert_eq!(granted.len(), 1, "one of {RACERS} is granted");
    assert_eq!(bed.bytes(&key).await, Some(envelope(granted[0], "lease")));
}

pub(super) async fn a_lease_ends_by_itself(bed: &Bed) {
    let (key, versions) = (bed.key("k"), VersionSource::new());
    let (dead, next) = (versions.lease(), versions.lease());
    claim(&*bed.store, &key, dead, ttl(80), None).await;
    bed.pass(Duration::from_millis(130)).await;
    assert_eq!(claim(&*bed.store, &key, next, long(), None).await, Claim::Granted(next));
    assert!(!fill(bed, &key, dead).await, "the old owner comes too late");
    assert!(fill(bed, &key, next).await);
}

pub(super) async fn a_fill_over_its_lease_is_stored(bed: &Bed) {
    let (key, lease) = (bed.key("k"), VersionSource::new().lease());
    claim(&*bed.store, &key, lease, long(), None).await;
    let absent = bed.store.put(&key, "other".into(), long(), PutIf::Absent).await;
    assert!(!absent.expect("put answers").stored, "a lease is something");
    assert!(fill(bed, &key, lease).await);
    assert_eq!(bed.bytes(&key).await, Some("value".into()));
    assert!(!fill(bed, &key, lease).await, "a lease is filled once");
}

pub(super) async fn a_fill_after_its_lease_was_removed_is_refused(bed: &Bed) {
    let (key, lease) = (bed.key("k"), VersionSource::new().lease());
    claim(&*bed.store, &key, lease, long(), None).await;
    assert!(bed.store.remove(&key, RemoveIf::Always).await.expect("remove answers"));
    assert!(!fill(bed, &key, lease).await);
    assert_eq!(bed.stored(&key).await, None);
}

pub(super) async fn a_fill_over_a_successors_lease_is_refused(bed: &Bed) {
    let (key, versions) = (bed.key("k"), VersionSource::new());
    let (first, second) = (versions.lease(), versions.lease());
    claim(&*bed.store, &key, first, long(), None).await;
    bed.store.remove(&key, RemoveIf::Always).await.expect("remove answers");
    assert_eq!(claim(&*bed.store, &key, second, long(), None).await, Claim::Granted(second));
    assert!(!fill(bed, &key, first).await);
    assert!(!bed.store.remove(&key, RemoveIf::Version(first)).await.expect("remove answers"));
    assert!(fill(bed, &key, second).await);
}
