//! What others change is told.

use std::sync::Arc;

use cache_core::{Claim, Feed, Key, Mark, PutIf, RemoveIf, VersionSource};

use super::Bed;
use super::bed::{envelope, long, put};
use super::need::namespace;
use crate::{FeedEvent, FeedLog, eventually};

fn subscribe(bed: &Bed) -> Arc<FeedLog> {
    FeedLog::subscribed_to(&*bed.store, &bed.namespace)
}

async fn is_told(bed: &Bed, log: &FeedLog, key: &Key) {
    let told = eventually(bed.patience(), "the change is told", || log.invalidations(key.as_str()) > 0).await;
    told.expect("a foreign change is told");
}

/// After this, what was to be told before has been told: a later change of another key has come through.
async fn flush(bed: &Bed, log: &FeedLog) {
    let key = bed.key("flush");
    assert!(bed.read(&key).await.tracked);
    put(&*bed.other, &key, "flush", long()).await;
    is_told(bed, log, &key).await;
}

pub(super) async fn a_foreign_put_is_told_to_the_reader(bed: &Bed) {
    let (log, key) = (subscribe(bed), bed.key("k"));
    put(&*bed.other, &key, "first", long()).await;
    assert!(bed.read(&key).await.tracked);
    put(&*bed.other, &key, "second", long()).await;
    is_told(bed, &log, &key).await;
}

pub(super) async fn a_foreign_put_is_told_to_the_writer(bed: &Bed) {
    let log = subscribe(bed);
    let version = VersionSource::new().value();
    for (user, condition) in
        [("always", PutIf::Always), ("absent", PutIf::Absent), ("refused", PutIf::Version(version))]
    {
        let key = bed.key(user);
        let written = bed.store.put(&key, "mine".into(), long(), condition).await.expect("put answers");
        if written.tracked {
            put(&*bed.other, &key, "theirs", long()).await;
            is_told(bed, &log, &key).await;
        }
    }
}

pub(super) async fn a_foreign_put_is_told_to_one_who_found_nothing(bed: &Bed) {
    let (log, key) = (subscribe(bed), bed.key("k"));
    let read = bed.read(&key).await;
    assert_eq!((read.found, read.tracked), (None, true));
    put(&*bed.other, &key, "new", long()).await;
    is_told(bed, &log, &key).await;
}

pub(super) async fn a_foreign_put_is_told_to_who_read_many(bed: &Bed) {
    let (log, keys) = (subscribe(bed), [bed.key("a"), bed.key("b"), bed.key("c")]);
    put(&*bed.other, &keys[0], "first", long()).await;
    for read in bed.store.get_many(&keys).await {
        assert!(read.expect("get_many answers").tracked);
    }
    for key in &keys {
        put(&*bed.other, key, "second", long()).await;
        is_told(bed, &log, key).await;
    }
}

pub(super) async fn a_foreign_remove_is_told(bed: &Bed) {
    let (log, key) = (subscribe(bed), bed.key("k"));
    put(&*bed.other, &key, "v", long()).await;
    assert!(bed.read(&key).await.tracked);
    assert!(bed.other.remove(&key, RemoveIf::Always).await.expect("remove answers"));
    is_told(bed, &log, &key).await;
}

pub(super) async fn a_waiter_is_told_when_the_lease_becomes_a_value(bed: &Bed) {
    let (log, key, versions) = (subscribe(bed), bed.key("k"), VersionSource::new());
    let owned = versions.lease();
    let claimed = bed.other.claim(&key, envelope(owned, "lease"), long(), None).await;
    assert_eq!(claimed.expect("claim answers"), Claim::Granted(owned));
    let lease = envelope(versions.lease(), "lease");
    let held = bed.store.claim(&key, lease, long(), None).await.expect("claim answers");
    assert!(matches!(held, Claim::Held { .. }), "{held:?}");
    let before = log.invalidations(key.as_str());
    let filled = bed.other.put(&key, "value".into(), long(), PutIf::Version(owned)).await;
    assert!(filled.expect("put answers").stored);
    let told =
        eventually(bed.patience(), "the fill is told", || log.invalidations(key.as_str()) > before).await;
    told.expect("who was told to wait is told to look");
}

pub(super) async fn own_changes_are_not_told(bed: &Bed) {
    let (log, key, versions) = (subscribe(bed), bed.key("k"), VersionSource::new());
    let version = versions.value();
    bed.read(&key).await;
    bed.put(&key, "1", long()).await;
    bed.put(&key, envelope(version, "2"), long()).await;
    bed.read(&key).await;
    let swapped = bed.store.put(&key, "3".into(), long(), PutIf::Version(version)).await;
    assert!(swapped.expect("put answers").stored);
    bed.read(&key).await;
    bed.store.remove(&key, RemoveIf::Always).await.expect("remove answers");
    if bed.store.capability().claims {
        let lease = envelope(versions.lease(), "lease");
        bed.store.claim(&key, lease, long(), None).await.expect("claim answers");
    }
    flush(bed, &log).await;
    assert_eq!(log.invalidations(key.as_str()), 0, "own changes are not told");
}

pub(super) async fn other_namespaces_changes_are_not_told(bed: &Bed) {
    let longer = namespace(&format!("{}Abc", bed.namespace.as_str()));
    let (log, theirs) = (subscribe(bed), FeedLog::subscribed_to(&*bed.store, &longer));
    let key = longer.key("k").expect("a key of the suite is valid");
    bed.read(&key).await;
    put(&*bed.other, &key, "v", long()).await;
    is_told(bed, &theirs, &key).await;
    flush(bed, &log).await;
    assert_eq!(log.invalidations(key.as_str()), 0, "another namespace's change");
    assert_eq!(theirs.invalidations(bed.key("flush").as_str()), 0, "another namespace's change");
}

pub(super) async fn every_subscriber_is_told(bed: &Bed) {
    let (first, second, key) = (subscribe(bed), subscribe(bed), bed.key("k"));
    bed.read(&key).await;
    put(&*bed.other, &key, "v", long()).await;
    is_told(bed, &first, &key).await;
    is_told(bed, &second, &key).await;
}

pub(super) async fn a_change_is_told_before_a_later_reply(bed: &Bed) {
    let (log, key) = (subscribe(bed), bed.key("k"));
    assert!(bed.read(&key).await.tracked);
    for round in 1..=100_usize {
        put(&*bed.other, &key, round.to_string(), long()).await;
        let read = bed.read(&key).await;
        let told = log.invalidations(key.as_str());
        assert_eq!(read.found.map(|stored| stored.bytes), Some(round.to_string().into()));
        assert!(told >= round, "the reply shows change {round}, but only {told} were told before it");
        assert!(read.tracked);
    }
}

pub(super) async fn a_foreign_mark_is_told_with_its_place(bed: &Bed) {
    let log = subscribe(bed);
    bed.store.read_marks(&bed.namespace, &[]).await.expect("read_marks answers");
    let marks = [Mark::Clear, Mark::tag("t").expect("a tag of the suite is valid")];
    for mark in &marks {
        let at = bed.other.bump_mark(&bed.namespace, mark).await.expect("bump_mark answers");
        let event = FeedEvent::Mark(mark.clone(), at);
        let told = eventually(bed.patience(), "the mark is told", || log.count(|e| *e == event) > 0).await;
        told.expect("a foreign mark is told");
    }
    let longer = namespace(&format!("{}Abc", bed.namespace.as_str()));
    let foreign = bed.other.bump_mark(&longer, &Mark::Clear).await.expect("bump_mark answers");
    let at = bed.other.bump_mark(&bed.namespace, &Mark::Clear).await.expect("bump_mark answers");
    let last = FeedEvent::Mark(Mark::Clear, at);
    let told = eventually(bed.patience(), "the mark is told", || log.count(|e| *e == last) > 0).await;
    told.expect("a foreign mark is told");
    let leaked = log.count(|e| matches!(e, FeedEvent::Mark(_, at) if at.nonce == foreign.nonce));
    assert_eq!(leaked, 0, "another namespace's mark");
}

pub(super) async fn a_dropped_sink_is_let_go(bed: &Bed) {
    let (log, key) = (subscribe(bed), bed.key("k"));
    assert_eq!(Arc::strong_count(&log), 1, "a store holds its sinks weakly");
    drop(log);
    bed.read(&key).await;
    put(&*bed.other, &key, "v", long()).await;
    let log = subscribe(bed);
    flush(bed, &log).await;
    assert_eq!(bed.bytes(&key).await, Some("v".into()));
    assert_ne!(bed.store.link_state().feed, Feed::None);
}
