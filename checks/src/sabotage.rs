//! Protections taken away from outside, by what stands between the engine and its tiers. A check that stays green with
//! one of these sees nothing.

use std::sync::{Arc, Weak};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use cache_codec::{Compression, Limits, Opened, open, seal};
use cache_core::{
    Capability, Claim, Clock, Error, FeedSink, Fill, FillToken, Filled, Key, LinkId, LinkState, LocalEntry,
    LocalTier, LocalUsage, Mark, Marks, Moment, Namespace, Page, PutIf, Read, RemoveIf, Stamp, Store,
    SystemClock, Ttl, Value, Version, Written,
};
use parking_lot::Mutex;

/// What can be taken away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protection {
    /// A fill is refused if the key was invalidated since it was asked for.
    Token,
    /// Copies end when the link does not show that it lives, and with a new link.
    Lease,
    /// A stored value belongs to one key.
    EnvelopeKey,
}

/// A tier 1 that gives every fill a new token just before it compares it.
#[derive(Debug)]
pub(crate) struct FreshTokens<T>(T);

impl<T> FreshTokens<T> {
    pub(crate) fn new(inner: T) -> Self {
        Self(inner)
    }
}

impl<T: LocalTier> LocalTier for FreshTokens<T> {
    fn get_fresh(&self, hash: u64, key: &str, now: Moment, marks: u64) -> Option<Value> {
        self.0.get_fresh(hash, key, now, marks)
    }

    fn get(&self, hash: u64, key: &str, now: Moment) -> Option<LocalEntry> {
        self.0.get(hash, key, now)
    }

    fn token(&self, hash: u64) -> FillToken {
        self.0.token(hash)
    }

    fn insert(&self, hash: u64, key: &str, entry: LocalEntry, fill: Fill) -> Filled {
        let fill = match fill {
            Fill::Write => Fill::Write,
            // Somebody else's turn in between, as the scheduler may give it at any time.
            Fill::Load(_) | Fill::Promote(_) => {
                std::thread::sleep(Duration::from_millis(2));
                match fill {
                    Fill::Load(_) => Fill::Load(self.0.token(hash)),
                    _ => Fill::Promote(self.0.token(hash)),
                }
            }
        };
        self.0.insert(hash, key, entry, fill)
    }

    fn replace_value(&self, hash: u64, key: &str, version: &Version, value: Value) {
        self.0.replace_value(hash, key, version, value);
    }

    fn vouch(&self, hash: u64, key: &str, version: &Version, marks: u64) {
        self.0.vouch(hash, key, version, marks);
    }

    fn expire(&self, hash: u64, key: &str, now: Moment) -> bool {
        self.0.expire(hash, key, now)
    }

    fn remove(&self, hash: u64, key: &str) -> bool {
        self.0.remove(hash, key)
    }

    fn retire(&self) -> u64 {
        self.0.retire()
    }

    fn for_each(&self, now: Moment, visit: &mut dyn FnMut(&str, &LocalEntry)) {
        self.0.for_each(now, visit);
    }

    fn usage(&self) -> LocalUsage {
        self.0.usage()
    }
}

/// A store whose link always lives: it says so every 50 ms, and does not say when it is a new one.
#[derive(Debug)]
pub(crate) struct Immortal<S> {
    inner: S,
    sinks: Mutex<Vec<Arc<Hopeful>>>,
}

impl<S> Immortal<S> {
    pub(crate) fn new(inner: S) -> Self {
        Self { inner, sinks: Mutex::default() }
    }
}

/// Hears of the first link, and of nothing that happens to it.
struct Hopeful {
    inner: Weak<dyn FeedSink>,
    link: Mutex<Option<LinkId>>,
}

impl std::fmt::Debug for Hopeful {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hopeful").field("link", &*self.link.lock()).finish_non_exhaustive()
    }
}

impl FeedSink for Hopeful {
    fn invalidate(&self, key: &[u8]) {
        if let Some(sink) = self.inner.upgrade() {
            sink.invalidate(key);
        }
    }

    fn retire_all(&self, link: LinkId) {
        let mut first = self.link.lock();
        if let (None, Some(sink)) = (*first, self.inner.upgrade()) {
            sink.retire_all(link);
            *first = Some(link);
        }
    }

    fn mark(&self, mark: &Mark, at: Stamp) {
        if let Some(sink) = self.inner.upgrade() {
            sink.mark(mark, at);
        }
    }

    fn alive(&self, link: LinkId, sent_at: Moment) {
        if let Some(sink) = self.inner.upgrade() {
            sink.alive(link, sent_at);
        }
    }
}

impl<S: Store> Immortal<S> {
    fn listen(&self, namespace: &Namespace, sink: Weak<dyn FeedSink>) {
        let hopeful = Arc::new(Hopeful { inner: sink, link: Mutex::new(None) });
        let listener: Arc<dyn FeedSink> = hopeful.clone();
        self.inner.subscribe(namespace, Arc::downgrade(&listener));
        let speaks = Arc::downgrade(&hopeful);
        self.sinks.lock().push(hopeful);
        std::thread::spawn(move || {
            while let Some(sink) = speaks.upgrade() {
                let link = *sink.link.lock();
                if let (Some(link), Some(inner)) = (link, sink.inner.upgrade()) {
                    inner.alive(link, SystemClock::new().now());
                }
                drop(sink);
                std::thread::sleep(Duration::from_millis(50));
            }
        });
    }
}

/// A store that gives every value the key that was asked for.
#[derive(Debug)]
pub(crate) struct AnyKey<S> {
    inner: S,
    keys: Vec<Key>,
}

impl<S> AnyKey<S> {
    /// `keys` are all that there are.
    pub(crate) fn new(inner: S, keys: Vec<Key>) -> Self {
        Self { inner, keys }
    }

    /// Bytes that would be refused, sealed anew as if they were those of the key that was asked for.
    fn forge(&self, asked: &Key, bytes: &Bytes) -> Option<Bytes> {
        let limits = Limits::default();
        if open(bytes, asked, &limits).is_ok() {
            return None;
        }
        let opened = self.keys.iter().find_map(|key| open(bytes, key, &limits).ok())?;
        match opened {
            Opened::Value(header, payload) => {
                seal(&header, asked, &payload.bytes, &Compression::default()).ok()
            }
            Opened::Lease(_) => None,
        }
    }

    fn forged(&self, asked: &Key, mut read: Read) -> Read {
        if let Some(found) = &mut read.found
            && let Some(bytes) = self.forge(asked, &found.bytes)
        {
            found.bytes = bytes;
        }
        read
    }
}

/// A store that passes on all but what its own macro arguments say.
macro_rules! store {
    ($name:ident { $($own:tt)* }) => {
        #[async_trait]
        impl<S: Store> Store for $name<S> {
            $($own)*

            fn capability(&self) -> Capability {
                self.inner.capability()
            }

            fn link_state(&self) -> LinkState {
                self.inner.link_state()
            }

            fn suspect(&self, link: LinkId) {
                self.inner.suspect(link);
            }

            async fn put(&self, key: &Key, bytes: Bytes, ttl: Ttl, condition: PutIf) -> Result<Written, Error> {
                self.inner.put(key, bytes, ttl, condition).await
            }

            async fn remove(&self, key: &Key, condition: RemoveIf) -> Result<bool, Error> {
                self.inner.remove(key, condition).await
            }

            async fn read_marks(&self, namespace: &Namespace, marks: &[Mark]) -> Result<Marks, Error> {
                self.inner.read_marks(namespace, marks).await
            }

            async fn bump_mark(&self, namespace: &Namespace, mark: &Mark) -> Result<Stamp, Error> {
                self.inner.bump_mark(namespace, mark).await
            }

            async fn scan(&self, namespace: &Namespace, cursor: u64, count: usize) -> Result<Page, Error> {
                self.inner.scan(namespace, cursor, count).await
            }
        }
    };
}

store!(Immortal {
    fn subscribe(&self, namespace: &Namespace, sink: Weak<dyn FeedSink>) {
        self.listen(namespace, sink);
    }

    async fn get(&self, key: &Key) -> Result<Read, Error> {
        self.inner.get(key).await
    }

    async fn get_many(&self, keys: &[Key]) -> Vec<Result<Read, Error>> {
        self.inner.get_many(keys).await
    }

    async fn claim(&self, key: &Key, lease: Bytes, ttl: Ttl, over: Option<Version>) -> Result<Claim, Error> {
        self.inner.claim(key, lease, ttl, over).await
    }
});

store!(AnyKey {
    fn subscribe(&self, namespace: &Namespace, sink: Weak<dyn FeedSink>) {
        self.inner.subscribe(namespace, sink);
    }

    async fn get(&self, key: &Key) -> Result<Read, Error> {
        Ok(self.forged(key, self.inner.get(key).await?))
    }

    async fn get_many(&self, keys: &[Key]) -> Vec<Result<Read, Error>> {
        let reads = self.inner.get_many(keys).await;
        keys.iter().zip(reads).map(|(key, read)| read.map(|read| self.forged(key, read))).collect()
    }

    async fn claim(&self, key: &Key, lease: Bytes, ttl: Ttl, over: Option<Version>) -> Result<Claim, Error> {
        Ok(match self.inner.claim(key, lease, ttl, over).await? {
            Claim::Hit(read) => Claim::Hit(self.forged(key, read)),
            other => other,
        })
    }
});
