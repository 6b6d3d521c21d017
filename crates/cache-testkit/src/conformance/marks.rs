//! The sequence of invalidations.

use std::collections::BTreeSet;

use cache_core::{Key, Mark, Marks, Namespace, Stamp, Store};

use super::Bed;
use super::bed::long;
use super::need::namespace;

fn tag(name: &str) -> Mark {
    Mark::tag(name).expect("a tag of the suite is valid")
}

async fn read(store: &dyn Store, namespace: &Namespace, marks: &[Mark]) -> Marks {
    let read = store.read_marks(namespace, marks).await.expect("read_marks answers");
    assert_eq!(read.seqs.len(), marks.len(), "one answer for each mark");
    read
}

async fn bump(store: &dyn Store, namespace: &Namespace, mark: &Mark) -> Stamp {
    store.bump_mark(namespace, mark).await.expect("bump_mark answers")
}

pub(super) async fn a_new_namespace_starts_at_zero(bed: &Bed) {
    let first = read(&*bed.store, &bed.namespace, &[Mark::Clear, tag("t")]).await;
    assert_eq!((first.now.seq, first.seqs), (0, vec![0, 0]));
    let again = read(&*bed.store, &bed.namespace, &[]).await;
    assert_eq!(again.now, first.now, "a reading does not change the incarnation");
    let bumped = bump(&*bed.store, &bed.namespace, &Mark::Clear).await;
    assert_eq!(bumped, Stamp { nonce: first.now.nonce, seq: 1 });
}

pub(super) async fn each_bump_raises_the_sequence_by_one(bed: &Bed) {
    let marks = [Mark::Clear, tag("a"), tag("a"), tag("b"), Mark::Clear];
    let mut nonce = None;
    for (seq, mark) in (1..).zip(&marks) {
        let at = bump(&*bed.store, &bed.namespace, mark).await;
        assert_eq!((at.seq, at.nonce), (seq, *nonce.get_or_insert(at.nonce)));
        assert_eq!(read(&*bed.store, &bed.namespace, &[]).await.now, at);
    }
}

pub(super) async fn a_mark_stands_where_it_was_last_bumped(bed: &Bed) {
    let marks = [Mark::Clear, tag("a"), tag("b"), tag("never")];
    for mark in [&marks[1], &marks[2], &marks[0], &marks[1]] {
        bump(&*bed.store, &bed.namespace, mark).await;
    }
    let now = read(&*bed.store, &bed.namespace, &marks).await;
    assert_eq!((now.now.seq, now.seqs), (4, vec![3, 4, 2, 0]));
}

pub(super) async fn marks_are_answered_in_the_order_asked_for(bed: &Bed) {
    for name in ["a", "b", "c"] {
        bump(&*bed.store, &bed.namespace, &tag(name)).await;
    }
    let asked = [tag("c"), tag("x"), tag("a"), tag("c"), Mark::Clear, tag("b")];
    assert_eq!(read(&*bed.store, &bed.namespace, &asked).await.seqs, [3, 0, 1, 3, 0, 2]);
}

pub(super) async fn tags_of_any_characters_are_distinct(bed: &Bed) {
    let names = [
        "clear",
        "Clear",
        "CLEAR",
        "*",
        "seq",
        "nonce",
        ":",
        "t",
        "t:",
        "t ",
        "t\0",
        "t\r\n",
        "\u{1F980}",
        "{t}",
    ];
    let longest = "x".repeat(cache_core::MAX_TAG_LEN);
    let marks: Vec<Mark> =
        names.iter().chain([&longest.as_str()]).map(|name| tag(name)).chain([Mark::Clear]).collect();
    for mark in &marks {
        bump(&*bed.store, &bed.namespace, mark).await;
    }
    let expected: Vec<u64> = (1..).take(marks.len()).collect();
    assert_eq!(read(&*bed.store, &bed.namespace, &marks).await.seqs, expected);
}

pub(super) async fn namespaces_have_sequences_of_their_own(bed: &Bed) {
    let longer = namespace(&format!("{}Abc", bed.namespace.as_str()));
    bump(&*bed.store, &bed.namespace, &Mark::Clear).await;
    bump(&*bed.store, &bed.namespace, &tag("t")).await;
    let foreign = read(&*bed.store, &longer, &[Mark::Clear, tag("t")]).await;
    assert_eq!((foreign.now.seq, foreign.seqs), (0, vec![0, 0]));
    let mine = read(&*bed.store, &bed.namespace, &[]).await.now;
    assert_ne!(foreign.now.nonce, mine.nonce, "each namespace has an incarnation of its own");
    assert_eq!(bump(&*bed.store, &longer, &Mark::Clear).await.seq, 1);
    assert_eq!(read(&*bed.store, &bed.namespace, &[]).await.now, mine);
}

pub(super) async fn of_many_bumps_each_has_its_own_place(bed: &Bed) {
    let bumps = (0..16).map(|i| {
        let (store, namespace) = (bed.racer(i), bed.namespace.clone());
        tokio::spawn(async move { bump(&*store, &namespace, &tag(&format!("t{}", i % 3))).await })
    });
    let mut stamps = Vec::new();
    for bump in bumps.collect::<Vec<_>>() {
        stamps.push(bump.await.expect("bump_mark does not panic"));
    }
    let places: BTreeSet<u64> = stamps.iter().map(|stamp| stamp.seq).collect();
    assert_eq!(places.into_iter().collect::<Vec<_>>(), (1..=16).collect::<Vec<_>>());
    assert!(stamps.iter().all(|stamp| stamp.nonce == stamps[0].nonce), "one incarnation");
}

pub(super) async fn all_clients_see_the_same_marks(bed: &Bed) {
    let marks = [tag("t"), Mark::Clear];
    bump(&*bed.store, &bed.namespace, &marks[0]).await;
    bump(&*bed.other, &bed.namespace, &marks[1]).await;
    let mine = read(&*bed.store, &bed.namespace, &marks).await;
    assert_eq!(mine, read(&*bed.other, &bed.namespace, &marks).await);
    assert_eq!(mine.seqs, [1, 2]);
}

pub(super) async fn marks_are_not_entries(bed: &Bed) {
    let key: Key = bed.key("t");
    bed.put(&key, "v", long()).await;
    bump(&*bed.store, &bed.namespace, &tag("t")).await;
    bump(&*bed.store, &bed.namespace, &Mark::Clear).await;
    assert_eq!(bed.bytes(&key).await, Some("v".into()), "a mark removes nothing by itself");
    if bed.store.capability().scan {
        let keys = super::scan::keys(bed, &bed.namespace, 100).await;
        assert_eq!(keys, BTreeSet::from([key.as_str().to_owned()]));
    }
}
