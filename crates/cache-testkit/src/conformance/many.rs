//! Reading many at once.

use std::time::Duration;

use bytes::Bytes;
use cache_core::Key;

use super::Bed;
use super::bed::{Since, long, ttl};

async fn many(bed: &Bed, keys: &[Key]) -> Vec<Option<Bytes>> {
    let reads = bed.store.get_many(keys).await;
    let found = reads.into_iter().map(|read| read.expect("get_many answers").found);
    found.map(|found| found.map(|stored| stored.bytes)).collect()
}

pub(super) async fn answers_come_in_the_order_asked_for(bed: &Bed) {
    for user in ["a", "b", "c"] {
        bed.put(&bed.key(user), user, long()).await;
    }
    let users = ["c", "missing", "a", "a", "b", "missing", "c"];
    let keys: Vec<Key> = users.iter().map(|user| bed.key(user)).collect();
    let expected: Vec<Option<Bytes>> =
        users.iter().map(|user| (*user != "missing").then(|| Bytes::from_static(user.as_bytes()))).collect();
    assert_eq!(many(bed, &keys).await, expected);
}

pub(super) async fn nothing_asked_is_nothing_answered(bed: &Bed) {
    assert!(bed.store.get_many(&[]).await.is_empty());
    assert_eq!(many(bed, &[bed.key("one")]).await, [None]);
}

pub(super) async fn each_answer_has_its_own_remaining_time(bed: &Bed) {
    let ttls = [ttl(50_000), ttl(10_000), ttl(500_000), ttl(20_000)];
    let keys: Vec<Key> = (0..ttls.len()).map(|i| bed.key(&i.to_string())).collect();
    let since = Since::now();
    for (key, ttl) in keys.iter().zip(ttls) {
        bed.put(key, "v", ttl).await;
    }
    for (read, ttl) in bed.store.get_many(&keys).await.into_iter().zip(ttls) {
        let stored = read.expect("get_many answers").found.expect("the value is there");
        since.check(bed, stored.remaining, ttl, Duration::ZERO);
    }
}

pub(super) async fn hundreds_of_keys_are_one_call(bed: &Bed) {
    let keys: Vec<Key> = (0..700).map(|i| bed.key(&format!("many-{i}"))).collect();
    for (i, key) in keys.iter().enumerate().step_by(3) {
        bed.put(key, i.to_string(), long()).await;
    }
    let expected: Vec<Option<Bytes>> =
        (0..keys.len()).map(|i| (i % 3 == 0).then(|| i.to_string().into())).collect();
    assert_eq!(many(bed, &keys).await, expected);
}
