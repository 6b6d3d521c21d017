//! Values of every length, over the connection that is meant for them.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod common;

use std::time::Duration;

use bytes::Bytes;
use cache_core::{Claim, ErrorKind, PutIf, RemoveIf, Store, VersionSource};
use cache_redis::RedisStore;
use cache_testkit::redis::Options;
use common::{client, key, minute, own, shared};

const THRESHOLD: usize = 256 << 10;

fn bytes(length: usize) -> Bytes {
    (0..=250u8).cycle().take(length).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn values_around_the_large_bound_come_back_by_every_way_of_reading() {
    let (store, (namespace, _)) = (client(shared()), key("lengths"));
    let lengths = [0, 1, 19, 20, 21, THRESHOLD - 1, THRESHOLD, THRESHOLD + 1, THRESHOLD + 2, 8 << 20];
    let keys: Vec<_> = lengths.iter().map(|length| namespace.key(&format!("k{length}")).unwrap()).collect();
    for (key, &length) in keys.iter().zip(&lengths) {
        let written = store.put(key, bytes(length), minute(), PutIf::Always).await.unwrap();
        assert_eq!((written.stored, written.tracked), (true, length <= THRESHOLD), "{length}");
        let read = store.get(key).await.unwrap();
        assert_eq!(read.found.as_ref().map(|stored| stored.bytes.clone()), Some(bytes(length)), "{length}");
        assert!(read.found.unwrap().remaining.unwrap() <= Duration::from_secs(60) && read.tracked);
        let lease = VersionSource::new().lease().as_bytes().to_vec();
        let Claim::Hit(hit) = store.claim(key, lease.into(), minute(), None).await.unwrap() else {
            panic!("{length} is there");
        };
        assert_eq!(hit.found.unwrap().bytes, bytes(length), "{length}");
    }
    for (read, &length) in store.get_many(&keys).await.into_iter().zip(&lengths) {
        assert_eq!(read.unwrap().found.unwrap().bytes, bytes(length), "{length}");
    }
    for (key, &length) in keys.iter().zip(&lengths) {
        assert!(!store.remove(key, RemoveIf::Bytes(bytes(length + 1))).await.unwrap(), "{length}");
        assert!(store.remove(key, RemoveIf::Bytes(bytes(length))).await.unwrap(), "{length}");
        assert_eq!(store.get(key).await.unwrap().found, None, "{length}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_value_that_somebody_changes_is_told_to_its_reader() {
    let server = shared();
    let (store, other, (namespace, key)) = (client(server), client(server), key("large"));
    let log = cache_testkit::FeedLog::subscribed_to(&*store, &namespace);
    store.put(&key, bytes(THRESHOLD * 2), minute(), PutIf::Always).await.unwrap();
    assert!(store.get(&key).await.unwrap().tracked);
    let before = log.invalidations(key.as_str());
    other.put(&key, bytes(THRESHOLD * 3), minute(), PutIf::Always).await.unwrap();
    let told = || log.invalidations(key.as_str()) > before;
    cache_testkit::eventually(Duration::from_secs(5), "the change is told", told).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_long_is_refused_before_it_is_sent_and_before_it_is_read() {
    let server = own(&Options::new());
    let (store, (_, key)) = (client(&server), key("long"));
    let error = store.put(&key, bytes(RedisStore::MAX_VALUE + 1), minute(), PutIf::Always).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLarge);
    assert!(error.message().contains("67108864 at most"), "{error}");
    assert_eq!(store.get(&key).await.unwrap().found, None);
    // Somebody else puts far more under our key.
    server.command(&["SETRANGE", key.as_str(), &(200 << 20).to_string(), "x"]).unwrap();
    let error = store.get(&key).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLarge, "{error}");
    assert!(store.remove(&key, RemoveIf::Always).await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn thousands_of_keys_are_read_in_order() {
    let (store, (namespace, _)) = (client(shared()), key("many"));
    let keys: Vec<_> = (0..2_500).map(|i| namespace.key(&i.to_string()).unwrap()).collect();
    for (i, key) in keys.iter().enumerate().step_by(7) {
        store.put(key, i.to_string().into(), minute(), PutIf::Always).await.unwrap();
    }
    for (i, read) in store.get_many(&keys).await.into_iter().enumerate() {
        let expected = (i % 7 == 0).then(|| Bytes::from(i.to_string()));
        assert_eq!(read.unwrap().found.map(|stored| stored.bytes), expected, "{i}");
    }
}
