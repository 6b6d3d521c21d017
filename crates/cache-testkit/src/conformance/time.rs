//! How long things live.

use std::time::Duration;

use cache_core::{PutIf, Ttl, VersionSource};

use super::Bed;
use super::bed::{Since, envelope, long, ttl};

/// More than the rounding and the timer of a real server.
const MARGIN: Duration = Duration::from_millis(50);

pub(super) async fn the_remaining_time_counts_down(bed: &Bed) {
    let (key, ttl, step) = (bed.key("k"), ttl(30_000), Duration::from_millis(70));
    let since = Since::now();
    bed.put(&key, "v", ttl).await;
    for passed in 0..3 {
        let stored = bed.stored(&key).await.expect("the value is there");
        since.check(bed, stored.remaining, ttl, step * passed);
        bed.pass(step).await;
    }
    let longest = bed.key("longest");
    let since = Since::now();
    bed.put(&longest, "v", Ttl::MAX).await;
    let stored = bed.stored(&longest).await.expect("the value is there");
    since.check(bed, stored.remaining, Ttl::MAX, Duration::ZERO);
}

pub(super) async fn a_value_ends_with_its_ttl(bed: &Bed) {
    let (key, other, ttl) = (bed.key("k"), bed.key("other"), ttl(100));
    bed.put(&other, "v", long()).await;
    bed.put(&key, "v", ttl).await;
    if bed.exact_time {
        bed.pass(ttl.as_duration() - Duration::from_millis(1)).await;
        assert!(bed.stored(&key).await.is_some(), "a millisecond is left");
        bed.pass(Duration::from_millis(1)).await;
    } else {
        bed.pass(ttl.as_duration() + MARGIN).await;
    }
    assert_eq!(bed.stored(&key).await, None);
    let many = bed.store.get_many(&[key.clone(), other]).await;
    let found: Vec<bool> = many.into_iter().map(|r| r.expect("get_many answers").found.is_some()).collect();
    assert_eq!(found, [false, true]);
}

pub(super) async fn a_put_sets_the_ttl_anew(bed: &Bed) {
    let (longer, shorter) = (bed.key("longer"), bed.key("shorter"));
    bed.put(&longer, "1", ttl(100)).await;
    bed.put(&longer, "2", ttl(60_000)).await;
    bed.put(&shorter, "1", ttl(60_000)).await;
    bed.put(&shorter, "2", ttl(100)).await;
    bed.pass(Duration::from_millis(100) + MARGIN).await;
    assert_eq!(bed.bytes(&longer).await, Some("2".into()));
    assert_eq!(bed.stored(&shorter).await, None);
}

pub(super) async fn a_refused_put_changes_neither_value_nor_ttl(bed: &Bed) {
    let versions = VersionSource::new();
    let (key, short, value) = (bed.key("k"), ttl(20_000), envelope(versions.value(), "first"));
    let since = Since::now();
    bed.put(&key, value.clone(), short).await;
    for refused in [PutIf::Absent, PutIf::Version(versions.value())] {
        let written = bed.store.put(&key, "second".into(), long(), refused).await.expect("put answers");
        assert!(!written.stored, "{refused:?} does not hold");
        let stored = bed.stored(&key).await.expect("the value is there");
        assert_eq!(stored.bytes, value);
        since.check(bed, stored.remaining, short, Duration::ZERO);
    }
}

pub(super) async fn a_value_whose_time_is_over_is_absent_for_conditions(bed: &Bed) {
    let version = VersionSource::new().value();
    let (key, value) = (bed.key("k"), envelope(version, "v"));
    bed.put(&key, value.clone(), ttl(50)).await;
    bed.pass(Duration::from_millis(50) + MARGIN).await;
    let over = bed.store.put(&key, value.clone(), long(), PutIf::Version(version)).await;
    assert!(!over.expect("put answers").stored, "there is no version any more");
    let absent = bed.store.put(&key, value, long(), PutIf::Absent).await;
    assert!(absent.expect("put answers").stored, "nothing is there");
}
