//! Callers that go away.

use std::sync::Arc;

use bytes::Bytes;
use cache_core::{Key, Mark, Namespace, PutIf, RemoveIf, Store, VersionSource};
use futures_util::future::{join, join_all};

use super::Bed;
use super::bed::{envelope, long};
use crate::sweep;

/// How many kinds of call there are.
const KINDS: usize = 10;

/// Makes calls whose answers nobody wants, on keys that nobody else uses.
#[derive(Clone)]
struct Caller {
    store: Arc<dyn Store>,
    namespace: Namespace,
    keys: Vec<Key>,
    value: Bytes,
    lease: Bytes,
}

impl Caller {
    fn new(bed: &Bed) -> Self {
        let versions = VersionSource::new();
        Self {
            store: Arc::clone(&bed.store),
            namespace: bed.namespace.clone(),
            keys: (0..20).map(|i| bed.key(&format!("dropped-{i}"))).collect(),
            value: envelope(versions.value(), "value"),
            lease: envelope(versions.lease(), "lease"),
        }
    }

    async fn call(self, kind: usize) {
        let Self { store, namespace, keys, value, lease } = self;
        match kind {
            0 => drop(store.get(&keys[0]).await),
            1 => drop(store.get_many(&keys).await),
            2 => drop(store.put(&keys[0], value, long(), PutIf::Always).await),
            3 => drop(store.put(&keys[0], value, long(), PutIf::Absent).await),
            4 => drop(store.remove(&keys[0], RemoveIf::Always).await),
            5 => drop(store.remove(&keys[0], RemoveIf::Bytes(value)).await),
            6 => drop(store.claim(&keys[1], lease, long(), None).await),
            7 => drop(store.read_marks(&namespace, &[Mark::Clear]).await),
            8 => drop(store.bump_mark(&namespace, &Mark::Clear).await),
            _ => drop(store.scan(&namespace, 0, 10).await),
        }
    }
}

/// Some keys whose values are known, each its own.
struct Steady<'a> {
    bed: &'a Bed,
    keys: Vec<Key>,
}

impl<'a> Steady<'a> {
    async fn new(bed: &'a Bed) -> Self {
        let keys: Vec<Key> = (0..5).map(|i| bed.key(&format!("steady-{i}"))).collect();
        for key in &keys {
            bed.put(key, key.as_str().to_owned(), long()).await;
        }
        Self { bed, keys }
    }

    /// Single and joint reads, all under way at once, have the right answers.
    async fn check(&self) {
        let single = join_all(self.keys.iter().map(|key| self.bed.bytes(key)));
        let (single, many) = join(single, self.bed.store.get_many(&self.keys)).await;
        let many = many.into_iter().map(|read| read.expect("get_many answers").found.map(|s| s.bytes));
        for ((key, single), many) in self.keys.iter().zip(single).zip(many) {
            assert_eq!(single.as_deref(), Some(key.as_bytes()), "a reply is for the one who asked");
            assert_eq!(many.as_deref(), Some(key.as_bytes()), "a reply is for the one who asked");
        }
    }
}

pub(super) async fn a_dropped_call_leaves_the_store_usable(bed: &Bed) {
    let (steady, caller) = (Steady::new(bed).await, Caller::new(bed));
    for kind in 0..KINDS {
        let swept = sweep(|| caller.clone().call(kind), async |_| steady.check().await).await;
        swept.expect("a call comes to an end");
    }
}

pub(super) async fn replies_go_to_those_who_asked(bed: &Bed) {
    let (steady, caller) = (Steady::new(bed).await, Caller::new(bed));
    // All calls are begun, every other is dropped, and the rest go on among new ones.
    for round in 0..10 {
        let mut going = Vec::new();
        for kind in 0..KINDS {
            let mut call = Box::pin(caller.clone().call(kind));
            if futures_util::poll!(&mut call).is_pending() && (kind + round) % 2 == 0 {
                going.push(call);
            }
        }
        join(join_all(going), steady.check()).await;
    }
}

pub(super) async fn a_dropped_conditional_put_is_whole_or_nothing(bed: &Bed) {
    let (key, versions) = (bed.key("k"), VersionSource::new());
    let (old, new) = (versions.value(), versions.value());
    let (before, after) = (envelope(old, "before"), envelope(new, "after"));
    bed.put(&key, before.clone(), long()).await;
    let swap = || bed.store.put(&key, after.clone(), long(), PutIf::Version(old));
    let check = async |_| {
        // The call may still be on its way; the next one on the same key comes after it.
        let stored = bed.bytes(&key).await.expect("one of the two is there");
        assert!(stored == before || stored == after, "nothing else is ever there");
        bed.put(&key, before.clone(), long()).await;
    };
    sweep(swap, check).await.expect("a put comes to an end");
}
