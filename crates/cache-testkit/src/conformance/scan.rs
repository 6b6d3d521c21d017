//! Listing the keys of a namespace.

use std::collections::BTreeSet;
use std::time::Duration;

use cache_core::{Namespace, RemoveIf, VersionSource};

use super::Bed;
use super::bed::{envelope, long, ttl};
use super::need::namespace;

/// More pages than any scan here can have.
const MAX_PAGES: usize = 10_000;

/// All keys, from all pages.
pub(super) async fn keys(bed: &Bed, namespace: &Namespace, count: usize) -> BTreeSet<String> {
    let mut keys = BTreeSet::new();
    let mut cursor = 0;
    for _ in 0..MAX_PAGES {
        let page = bed.store.scan(namespace, cursor, count).await.expect("scan answers");
        keys.extend(page.keys);
        let Some(next) = page.next else { return keys };
        cursor = next;
    }
    assert_eq!(cursor, 0, "the scan does not end within {MAX_PAGES} pages");
    keys
}

async fn fill(bed: &Bed, namespace: &Namespace, name: &str, n: usize) -> BTreeSet<String> {
    let mut full = BTreeSet::new();
    for i in 0..n {
        let key = namespace.key(&format!("{name}-{i}")).expect("a key of the suite is valid");
        bed.put(&key, "v", long()).await;
        full.insert(key.as_str().to_owned());
    }
    full
}

pub(super) async fn every_key_is_seen(bed: &Bed) {
    assert!(keys(bed, &bed.namespace, 10).await.is_empty(), "nothing is there yet");
    let full = fill(bed, &bed.namespace, "k", 100).await;
    for count in [1, 7, 100, 1000] {
        assert_eq!(keys(bed, &bed.namespace, count).await, full, "in pages of about {count}");
    }
}

pub(super) async fn a_scan_stays_in_its_namespace(bed: &Bed) {
    let name = bed.namespace.as_str();
    let mine = fill(bed, &bed.namespace, "k", 20).await;
    for foreign in [format!("{name}Abc"), format!("{name}-"), name[..name.len() - 1].to_owned()] {
        let foreign = namespace(&foreign);
        let theirs = fill(bed, &foreign, "k", 20).await;
        assert_eq!(keys(bed, &foreign, 10).await, theirs);
    }
    assert_eq!(keys(bed, &bed.namespace, 10).await, mine);
}

pub(super) async fn keys_that_stay_are_seen_while_others_come_and_go(bed: &Bed) {
    let mut going = fill(bed, &bed.namespace, "going", 40).await.into_iter();
    let staying = fill(bed, &bed.namespace, "staying", 40).await;
    let mut seen = BTreeSet::new();
    let mut cursor = 0;
    for page in 0..MAX_PAGES {
        let answer = bed.store.scan(&bed.namespace, cursor, 5).await.expect("scan answers");
        seen.extend(answer.keys);
        let Some(next) = answer.next else { break };
        cursor = next;
        // More go than come, so that a cursor that counts keys skips some.
        for gone in going.by_ref().take(3) {
            let user = bed.namespace.strip(gone.as_bytes()).expect("the key is of the namespace");
            bed.store.remove(&bed.key(user), RemoveIf::Always).await.expect("remove answers");
        }
        if page < 40 {
            bed.put(&bed.key(&format!("coming-{page}")), "v", long()).await;
        }
    }
    assert!(seen.is_superset(&staying), "missing: {:?}", staying.difference(&seen));
    assert!(seen.iter().all(|key| key.starts_with(bed.namespace.prefix())));
}

pub(super) async fn keys_of_any_characters_are_seen_whole(bed: &Bed) {
    let users = ["plain", "a b", "a\nb", "a\r\n", "\0", "*", "[x]", "{x}", "\u{1F980}", "\"q\"", ":", "%"];
    let mut full = BTreeSet::new();
    for user in users {
        bed.put(&bed.key(user), "v", long()).await;
        full.insert(bed.key(user).as_str().to_owned());
    }
    assert_eq!(keys(bed, &bed.namespace, 5).await, full);
}

pub(super) async fn what_is_gone_is_not_seen(bed: &Bed) {
    let (removed, over, stays) = (bed.key("removed"), bed.key("over"), bed.key("stays"));
    bed.put(&removed, "v", long()).await;
    bed.put(&over, "v", ttl(50)).await;
    bed.put(&stays, "v", long()).await;
    bed.store.remove(&removed, RemoveIf::Always).await.expect("remove answers");
    bed.pass(Duration::from_millis(100)).await;
    assert_eq!(keys(bed, &bed.namespace, 10).await, BTreeSet::from([stays.as_str().to_owned()]));
}

pub(super) async fn leases_are_seen(bed: &Bed) {
    let (key, lease) = (bed.key("k"), VersionSource::new().lease());
    bed.store.claim(&key, envelope(lease, "lease"), long(), None).await.expect("claim answers");
    assert_eq!(keys(bed, &bed.namespace, 10).await, BTreeSet::from([key.as_str().to_owned()]));
}
