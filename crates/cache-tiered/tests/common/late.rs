//! A store that tells of marks a moment after they can be read, as one does whose feed only says that there are some.

use std::sync::{Arc, Mutex, Weak};

use async_trait::async_trait;
use bytes::Bytes;
use cache_core::{
    Capability, Claim, Error, FeedSink, Key, LinkId, LinkState, Mark, Marks, Moment, Namespace, Page, PutIf,
    Read, RemoveIf, Stamp, Store, Ttl, Version, Written,
};
use cache_testkit::ReferenceStore;

/// Marks that are not told yet.
#[derive(Default)]
pub(crate) struct Late {
    sink: Mutex<Option<Weak<dyn FeedSink>>>,
    marks: Mutex<Vec<(Mark, Stamp)>>,
}

impl Late {
    fn sink(&self) -> Option<Arc<dyn FeedSink>> {
        self.sink.lock().unwrap().as_ref()?.upgrade()
    }

    pub(crate) fn tell(&self) {
        for (mark, at) in self.marks.lock().unwrap().drain(..) {
            self.sink().unwrap().mark(&mark, at);
        }
    }
}

impl FeedSink for Late {
    fn invalidate(&self, key: &[u8]) {
        self.sink().iter().for_each(|sink| sink.invalidate(key));
    }
    fn retire_all(&self, link: LinkId) {
        // What was asked for before is not told after it.
        self.marks.lock().unwrap().clear();
        self.sink().iter().for_each(|sink| sink.retire_all(link));
    }
    fn mark(&self, mark: &Mark, at: Stamp) {
        self.marks.lock().unwrap().push((mark.clone(), at));
    }
    fn alive(&self, link: LinkId, sent_at: Moment) {
        // Not before the marks are told.
        if self.marks.lock().unwrap().is_empty() {
            self.sink().iter().for_each(|sink| sink.alive(link, sent_at));
        }
    }
}

/// The store, and what it is to tell.
pub(crate) struct Told {
    pub(crate) store: ReferenceStore,
    pub(crate) late: Arc<Late>,
    /// What it says of a read: that a later change will be announced.
    pub(crate) tracks: bool,
}

impl std::fmt::Debug for Told {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Told")
    }
}

#[async_trait]
impl Store for Told {
    fn capability(&self) -> Capability {
        self.store.capability()
    }
    fn link_state(&self) -> LinkState {
        self.store.link_state()
    }
    fn subscribe(&self, namespace: &Namespace, sink: Weak<dyn FeedSink>) {
        *self.late.sink.lock().unwrap() = Some(sink);
        let late: Arc<dyn FeedSink> = self.late.clone();
        self.store.subscribe(namespace, Arc::downgrade(&late));
    }
    fn suspect(&self, link: LinkId) {
        self.store.suspect(link);
    }
    async fn get(&self, key: &Key) -> Result<Read, Error> {
        let read = self.store.get(key).await?;
        Ok(Read { tracked: read.tracked && self.tracks, ..read })
    }
    async fn get_many(&self, keys: &[Key]) -> Vec<Result<Read, Error>> {
        self.store.get_many(keys).await
    }
    async fn put(&self, key: &Key, bytes: Bytes, ttl: Ttl, condition: PutIf) -> Result<Written, Error> {
        self.store.put(key, bytes, ttl, condition).await
    }
    async fn remove(&self, key: &Key, condition: RemoveIf) -> Result<bool, Error> {
        self.store.remove(key, condition).await
    }
    async fn claim(&self, key: &Key, lease: Bytes, ttl: Ttl, over: Option<Version>) -> Result<Claim, Error> {
        self.store.claim(key, lease, ttl, over).await
    }
    async fn read_marks(&self, namespace: &Namespace, marks: &[Mark]) -> Result<Marks, Error> {
        self.store.read_marks(namespace, marks).await
    }
    async fn bump_mark(&self, namespace: &Namespace, mark: &Mark) -> Result<Stamp, Error> {
        self.store.bump_mark(namespace, mark).await
    }
    async fn scan(&self, namespace: &Namespace, cursor: u64, count: usize) -> Result<Page, Error> {
        self.store.scan(namespace, cursor, count).await
    }
}
