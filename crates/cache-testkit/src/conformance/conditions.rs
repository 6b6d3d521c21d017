//! Conditional puts and removals.

use bytes::Bytes;
use cache_core::{PutIf, RemoveIf, Version, VersionSource};

use super::Bed;
use super::bed::{envelope, long};

const RACERS: usize = 16;

async fn put_if(bed: &Bed, bytes: impl Into<Bytes>, condition: PutIf) -> bool {
    let written = bed.store.put(&bed.key("k"), bytes.into(), long(), condition).await;
    written.expect("put answers").stored
}

async fn remove_if(bed: &Bed, condition: RemoveIf) -> bool {
    bed.store.remove(&bed.key("k"), condition).await.expect("remove answers")
}

pub(super) async fn a_put_if_absent_goes_only_where_nothing_is(bed: &Bed) {
    let key = bed.key("k");
    assert!(put_if(bed, "first", PutIf::Absent).await);
    assert!(!put_if(bed, "second", PutIf::Absent).await);
    assert_eq!(bed.bytes(&key).await, Some("first".into()));
    assert!(remove_if(bed, RemoveIf::Always).await);
    assert!(put_if(bed, "third", PutIf::Absent).await);
    assert_eq!(bed.bytes(&key).await, Some("third".into()));
}

pub(super) async fn a_put_if_version_goes_only_over_that_version(bed: &Bed) {
    let (key, versions) = (bed.key("k"), VersionSource::new());
    let (first, second) = (versions.value(), versions.value());
    assert!(!put_if(bed, envelope(second, "2"), PutIf::Version(first)).await, "nothing is there");
    assert_eq!(bed.stored(&key).await, None);
    bed.put(&key, envelope(first, "1"), long()).await;
    assert!(!put_if(bed, envelope(second, "2"), PutIf::Version(second)).await, "another is there");
    assert!(put_if(bed, envelope(second, "2"), PutIf::Version(first)).await);
    assert_eq!(bed.bytes(&key).await, Some(envelope(second, "2")));
    assert!(!put_if(bed, envelope(first, "3"), PutIf::Version(first)).await, "it was there before");
}

pub(super) async fn versions_are_compared_whole(bed: &Bed) {
    let (key, version) = (bed.key("k"), VersionSource::new().value());
    // The shortest value that has the version, one byte less, and a byte that differs, at each place.
    bed.put(&key, version.as_bytes().to_vec(), long()).await;
    assert!(put_if(bed, version.as_bytes()[..Version::LEN - 1].to_vec(), PutIf::Version(version)).await);
    assert!(!put_if(bed, "x", PutIf::Version(version)).await, "a byte is missing");
    for place in 0..Version::LEN {
        let mut near = *version.as_bytes();
        near[place] ^= 1;
        bed.put(&key, near.to_vec(), long()).await;
        assert!(!put_if(bed, "x", PutIf::Version(version)).await, "byte {place} differs");
        assert!(!remove_if(bed, RemoveIf::Version(version)).await, "byte {place} differs");
    }
    bed.put(&key, "", long()).await;
    assert!(!put_if(bed, "x", PutIf::Version(version)).await, "an empty value has no version");
    bed.put(&key, [b"x", &version.as_bytes()[..]].concat(), long()).await;
    assert!(!put_if(bed, "x", PutIf::Version(version)).await, "a version stands at the start");
}

pub(super) async fn of_many_puts_if_absent_one_wins(bed: &Bed) {
    for round in 0..10 {
        race(bed, &format!("absent-{round}"), PutIf::Absent).await;
    }
}

pub(super) async fn of_many_puts_over_one_version_one_wins(bed: &Bed) {
    for round in 0..10 {
        let user = format!("version-{round}");
        let version = VersionSource::new().value();
        bed.put(&bed.key(&user), envelope(version, "before"), long()).await;
        race(bed, &user, PutIf::Version(version)).await;
    }
}

async fn race(bed: &Bed, user: &str, condition: PutIf) {
    let key = bed.key(user);
    let racers = (0..RACERS).map(|i| {
        let (store, key) = (bed.racer(i), key.clone());
        tokio::spawn(async move { store.put(&key, format!("racer {i}").into(), long(), condition).await })
    });
    let mut winners = Vec::new();
    for (i, racer) in racers.collect::<Vec<_>>().into_iter().enumerate() {
        let written = racer.await.expect("put does not panic").expect("put answers");
        winners.extend(written.stored.then_some(i));
    }
    assert_eq!(winners.len(), 1, "one of {RACERS} wins, not {winners:?}");
    assert_eq!(bed.bytes(&key).await, Some(format!("racer {}", winners[0]).into()));
}

pub(super) async fn a_remove_if_version_takes_only_that_version(bed: &Bed) {
    let (key, versions) = (bed.key("k"), VersionSource::new());
    let (first, second) = (versions.value(), versions.value());
    assert!(!remove_if(bed, RemoveIf::Version(first)).await, "nothing is there");
    bed.put(&key, envelope(second, "v"), long()).await;
    assert!(!remove_if(bed, RemoveIf::Version(first)).await, "another is there");
    assert_eq!(bed.bytes(&key).await, Some(envelope(second, "v")));
    assert!(remove_if(bed, RemoveIf::Version(second)).await);
    assert_eq!(bed.stored(&key).await, None);
}

pub(super) async fn a_remove_if_bytes_takes_only_those_bytes(bed: &Bed) {
    let key = bed.key("k");
    let value = Bytes::from_static(b"exactly\0this\r\n");
    assert!(!remove_if(bed, RemoveIf::Bytes(value.clone())).await, "nothing is there");
    assert!(!remove_if(bed, RemoveIf::Bytes(Bytes::new())).await, "nothing is not an empty value");
    bed.put(&key, value.clone(), long()).await;
    let near: [&[u8]; 4] = [b"", b"exactly", b"exactly\0this\r\n ", b"exactly\0THIS\r\n"];
    for near in near {
        assert!(!remove_if(bed, RemoveIf::Bytes(Bytes::from_static(near))).await, "{near:?} is not it");
    }
    assert_eq!(bed.bytes(&key).await, Some(value.clone()));
    assert!(remove_if(bed, RemoveIf::Bytes(value)).await);
    assert_eq!(bed.stored(&key).await, None);
}
