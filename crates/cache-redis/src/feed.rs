//! Hands on what the server tells of others' changes.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use cache_core::{FeedSink, LinkId, Moment, Namespace, Stamp};
use parking_lot::{Mutex, RwLock};
use redis::{PushInfo, PushKind, Value};
use tokio::sync::Notify;

use crate::canary::Canary;
use crate::conn::Conn;
use crate::fault::Fault;
use crate::following::Following;
use crate::marks::{self, News};

/// Nobody has asked where the marks stand.
const UNKNOWN: u64 = u64::MAX;

/// Who is told, and of what. Sinks are held weakly.
#[derive(Debug, Default)]
pub(crate) struct Feed {
    pub(crate) listeners: RwLock<Vec<Arc<Listener>>>,
    /// Something was heard that was published.
    pub(crate) heard: Notify,
    /// Some namespace's marks have changed and are to be read.
    marks_changed: Notify,
    /// The last sign of life, for whoever listens from now on.
    alive: RwLock<Option<(LinkId, Moment)>>,
}

pub(crate) struct Listener {
    pub(crate) namespace: Namespace,
    pub(crate) sink: Weak<dyn FeedSink>,
    /// Where it stands among the published changes, and on which link.
    pub(crate) following: Mutex<Option<(LinkId, Following)>>,
    /// How often everything was voided. Held while something is told, so that marks which were asked for before are not
    /// told after it.
    voided: Mutex<u64>,
    /// Later marks than this have not been told.
    told: AtomicU64,
    changed: AtomicBool,
}

impl std::fmt::Debug for Listener {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Listener").field("namespace", &self.namespace).finish_non_exhaustive()
    }
}

impl Listener {
    /// Tells something that was asked for, unless everything was voided since.
    fn tell(&self, asked_at: u64, tell: impl FnOnce()) -> bool {
        let voided = self.voided.lock();
        let in_order = *voided == asked_at;
        if in_order {
            tell();
        }
        in_order
    }

    /// Whether changes need not be asked for.
    fn hears_all(&self, conn: &Conn) -> bool {
        match conn.feed {
            cache_core::Feed::Tracking => true,
            cache_core::Feed::PubSub => self.on(conn.link, |following| following.believed) == Some(true),
            _ => false,
        }
    }

    pub(crate) fn concerns(&self, key: &[u8]) -> bool {
        key.starts_with(self.namespace.prefix().as_bytes())
    }
}

impl Feed {
    pub(crate) fn subscribe(&self, namespace: &Namespace, sink: &Weak<dyn FeedSink>) {
        let listener = Listener {
            namespace: namespace.clone(),
            sink: Weak::clone(sink),
            following: Mutex::default(),
            voided: Mutex::new(0),
            told: AtomicU64::new(UNKNOWN),
            // The server tells of marks that were read.
            changed: AtomicBool::new(true),
        };
        let others: Vec<_> = {
            let mut listeners = self.listeners.write();
            // Nothing is heard meanwhile, so where one of the same namespace stands the new one stands too.
            let of_same = listeners.iter().find(|it| it.namespace == *namespace);
            *listener.following.lock() = of_same.and_then(|it| *it.following.lock());
            listeners.retain(|listener| listener.sink.strong_count() > 0);
            listeners.push(Arc::new(listener));
            listeners.iter().filter(|it| it.namespace == *namespace).rev().skip(1).cloned().collect()
        };
        // Not before it is in the list, in which whoever is woken looks for it.
        self.marks_changed.notify_one();
        // Not before it is listened to: what came in between would be missed.
        let Some((link, sent_at)) = *self.alive.read() else { return };
        for other in &others {
            // What it keeps was told of all changes so far, and is not told of those that the new one makes.
            self.void(other, link);
        }
        if let Some(sink) = sink.upgrade() {
            sink.alive(link, sent_at);
        }
    }

    /// Whether at most one listens to this namespace. The server leaves out own changes by connection, so of two that
    /// share one, each would miss what the other changes.
    pub(crate) fn is_sole(&self, prefix: &str) -> bool {
        let listeners = self.listeners.read();
        let here = listeners.iter().filter(|listener| listener.namespace.prefix() == prefix);
        here.filter(|listener| listener.sink.strong_count() > 0).count() <= 1
    }

    /// Whether what others change of a key that was read over this connection is told.
    pub(crate) fn tells(&self, conn: &Conn, prefix: &str) -> bool {
        match conn.feed {
            cache_core::Feed::Tracking => self.is_sole(prefix),
            cache_core::Feed::PubSub => {
                let listeners = self.listeners.read();
                let mut here = listeners.iter().filter(|listener| {
                    listener.namespace.prefix() == prefix && listener.sink.strong_count() > 0
                });
                let hears_all = here.next().is_some_and(|listener| listener.hears_all(conn));
                hears_all && here.next().is_none()
            }
            _ => false,
        }
    }

    /// Call before a mark is made: when the guard is dropped, whatever became of the mark, those of several listeners
    /// that did not make it are told.
    pub(crate) fn will_mark<'a>(&'a self, namespace: &'a Namespace) -> WillMark<'a> {
        WillMark { feed: self, namespace }
    }

    pub(crate) fn marks_have_changed(&self, listener: &Listener) {
        listener.changed.store(true, Ordering::Release);
        self.marks_changed.notify_one();
    }

    /// Takes in what the server says without being asked. O(1) in the number of entries, and waits for nothing.
    pub(crate) fn take_in(&self, link: LinkId, canary: &Canary, push: &PushInfo) {
        match (&push.kind, push.data.as_slice()) {
            (PushKind::Invalidate, [Value::Array(keys)]) => {
                for key in keys {
                    match key {
                        Value::BulkString(key) if canary.hears(key) => {}
                        Value::BulkString(key) => self.invalidate(key),
                        _ => self.retire_all(link),
                    }
                }
            }
            // The client library says so of itself. The next connection voids everything, and this one shows by its
            // silence that it has ended.
            (PushKind::Disconnection, _) => {}
            // Everything was flushed, or the server says something unheard of, which is taken for the worst.
            _ => {
                canary.removed();
                self.retire_all(link);
            }
        }
    }

    fn invalidate(&self, key: &[u8]) {
        for listener in self.listeners.read().iter().filter(|listener| listener.concerns(key)) {
            if key.len() == listener.namespace.prefix().len() {
                self.marks_have_changed(listener);
            } else if let Some(sink) = listener.sink.upgrade() {
                sink.invalidate(key);
            }
        }
    }

    /// Everything may have changed.
    pub(crate) fn retire_all(&self, link: LinkId) {
        for listener in self.listeners.read().iter() {
            self.void(listener, link);
        }
    }

    /// Everything that a listener was told is void.
    pub(crate) fn void(&self, listener: &Listener, link: LinkId) {
        let mut voided = listener.voided.lock();
        *voided += 1;
        listener.told.store(UNKNOWN, Ordering::Release);
        self.marks_have_changed(listener);
        if let Some(sink) = listener.sink.upgrade() {
            sink.retire_all(link);
        }
    }

    pub(crate) fn alive(&self, link: LinkId, sent_at: Moment) {
        *self.alive.write() = Some((link, sent_at));
        for sink in self.listeners.read().iter().filter_map(|listener| listener.sink.upgrade()) {
            sink.alive(link, sent_at);
        }
    }

    /// Somebody has learned where the marks stand; whatever comes later is to be told. Answers may be taken in out of
    /// order: the earliest counts.
    pub(crate) fn marks_are_known(&self, namespace: &Namespace, now: Stamp) {
        for listener in self.listeners.read().iter().filter(|listener| listener.namespace == *namespace) {
            let told = listener.told.fetch_min(now.seq, Ordering::AcqRel);
            if told != UNKNOWN && told > now.seq {
                self.marks_have_changed(listener);
            }
        }
    }

    /// The prefix of a namespace that somebody listens to.
    pub(crate) fn some_prefix(&self) -> Option<String> {
        let listeners = self.listeners.read();
        let here = listeners.iter().find(|listener| listener.sink.strong_count() > 0);
        here.map(|listener| listener.namespace.prefix().to_owned())
    }

    /// Ends when some namespace's marks have changed.
    pub(crate) async fn marks_changed(&self) {
        self.marks_changed.notified().await;
    }

    /// Reads and tells the marks that have changed; all of them if the server does not say which have.
    pub(crate) async fn refresh_marks(&self, conn: &Conn) -> Result<(), Fault> {
        let listeners = self.listeners.read().clone();
        for listener in listeners {
            let Some(sink) = listener.sink.upgrade() else { continue };
            if !listener.changed.swap(false, Ordering::AcqRel) && listener.hears_all(conn) {
                continue;
            }
            let asked_at = *listener.voided.lock();
            let told = listener.told.load(Ordering::Acquire);
            if told == UNKNOWN {
                let seq = marks::position(conn, &listener.namespace).await?;
                let known = listener.told.fetch_min(seq, Ordering::AcqRel);
                if known != UNKNOWN && known < seq {
                    self.marks_have_changed(&listener);
                }
                continue;
            }
            match marks::since(conn, &listener.namespace, told).await? {
                News::Lost => {
                    listener.tell(asked_at, || sink.retire_all(conn.link));
                }
                News::Marks(marks) => {
                    let Some(&(_, last)) = marks.last() else { continue };
                    if marks.iter().all(|(mark, at)| listener.tell(asked_at, || sink.mark(mark, *at))) {
                        // If somebody learned of an earlier position meanwhile, some marks are told twice.
                        let (set, see) = (Ordering::AcqRel, Ordering::Acquire);
                        let _ = listener.told.compare_exchange(told, last.seq, set, see);
                    }
                }
            }
        }
        Ok(())
    }
}

/// A mark that is being made over this connection, which the server does not tell this connection.
pub(crate) struct WillMark<'a> {
    feed: &'a Feed,
    namespace: &'a Namespace,
}

impl Drop for WillMark<'_> {
    fn drop(&mut self) {
        if !self.feed.is_sole(self.namespace.prefix()) {
            for listener in self.feed.listeners.read().iter().filter(|it| it.namespace == *self.namespace) {
                self.feed.marks_have_changed(listener);
            }
        }
    }
}

#[cfg(test)]
#[path = "feed_tests.rs"]
mod tests;
