//! A feed sink that writes down what it is told.

use std::sync::{Arc, Weak};

use cache_core::{FeedSink, LinkId, Mark, Moment, Namespace, Stamp, Store};
use parking_lot::Mutex;

/// What a [`FeedSink`] was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FeedEvent {
    /// This full key was changed.
    Invalidate(Vec<u8>),
    /// Every copy is void.
    RetireAll(LinkId),
    /// A mark stands here now.
    Mark(Mark, Stamp),
    /// A question sent at this moment was answered.
    Alive(LinkId, Moment),
}

/// A [`FeedSink`] that writes down what it is told, in order.
#[derive(Debug, Default)]
pub struct FeedLog {
    events: Mutex<Vec<FeedEvent>>,
}

impl FeedLog {
    /// An empty log that `store` tells of what others do in this namespace.
    pub fn subscribed_to(store: &dyn Store, namespace: &Namespace) -> Arc<Self> {
        let log = Arc::new(Self::default());
        let sink: Arc<dyn FeedSink> = Arc::clone(&log) as Arc<dyn FeedSink>;
        let sink: Weak<dyn FeedSink> = Arc::downgrade(&sink);
        store.subscribe(namespace, sink);
        log
    }

    /// All of it, in order.
    pub fn events(&self) -> Vec<FeedEvent> {
        self.events.lock().clone()
    }

    /// How often this full key was invalidated.
    pub fn invalidations(&self, key: &str) -> usize {
        self.count(|event| matches!(event, FeedEvent::Invalidate(full) if full == key.as_bytes()))
    }

    /// How many events are like this.
    pub fn count(&self, like: impl Fn(&FeedEvent) -> bool) -> usize {
        self.events.lock().iter().filter(|event| like(event)).count()
    }

    fn push(&self, event: FeedEvent) {
        self.events.lock().push(event);
    }
}

impl FeedSink for FeedLog {
    fn invalidate(&self, key: &[u8]) {
        self.push(FeedEvent::Invalidate(key.to_vec()));
    }

    fn retire_all(&self, link: LinkId) {
        self.push(FeedEvent::RetireAll(link));
    }

    fn mark(&self, mark: &Mark, at: Stamp) {
        self.push(FeedEvent::Mark(mark.clone(), at));
    }

    fn alive(&self, link: LinkId, sent_at: Moment) {
        self.push(FeedEvent::Alive(link, sent_at));
    }
}
