//! What a case stands on.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use cache_core::{Key, Namespace, PutIf, Read, Store, Stored, Ttl, Version};

use super::CaseFuture;
use crate::{FakeClock, ReferenceServer};

/// Two clients of one server, and its time.
pub struct Bed {
    /// The client under test.
    pub store: Arc<dyn Store>,
    /// Another client of the same server, as in another process. For a store that is not shared, another store.
    pub other: Arc<dyn Store>,
    /// Used by nobody else; names that start with it are used, too.
    pub namespace: Namespace,
    /// Lets so much of the server's time pass: moves a fake clock, or waits.
    pub advance: Box<dyn Fn(Duration) -> CaseFuture<'static> + Send + Sync>,
    /// Whether the server's time passes by `advance` alone, and exactly.
    pub exact_time: bool,
}

impl Bed {
    /// A bed with two clients of a new [`ReferenceServer`].
    pub fn reference() -> Self {
        let clock = FakeClock::new();
        Self::on(&ReferenceServer::new(clock.clone()), clock)
    }

    /// A bed with two new clients of this server, whose clock it is.
    pub fn on(server: &Arc<ReferenceServer>, clock: Arc<FakeClock>) -> Self {
        Self {
            store: Arc::new(server.connect()),
            other: Arc::new(server.connect()),
            namespace: super::need::namespace("conformance"),
            advance: Box::new(move |by| {
                clock.advance(by);
                Box::pin(std::future::ready(()))
            }),
            exact_time: true,
        }
    }
}

impl fmt::Debug for Bed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bed")
            .field("store", &self.store)
            .field("namespace", &self.namespace)
            .field("exact_time", &self.exact_time)
            .finish_non_exhaustive()
    }
}

/// A TTL of so many milliseconds.
pub(super) fn ttl(millis: u64) -> Ttl {
    Ttl::clamped(Duration::from_millis(millis))
}

/// A TTL that does not end while a case runs.
pub(super) fn long() -> Ttl {
    Ttl::clamped(Duration::from_secs(600))
}

impl Bed {
    pub(super) fn key(&self, user: &str) -> Key {
        self.namespace.key(user).expect("a key of the suite is valid")
    }

    /// The client for the `i`-th of several that race: the two take turns, if they share what they race for.
    pub(super) fn racer(&self, i: usize) -> Arc<dyn Store> {
        let foreign = i % 2 == 1 && self.store.capability().shared;
        Arc::clone(if foreign { &self.other } else { &self.store })
    }

    /// How long what comes by itself may take, in real time.
    pub(super) fn patience(&self) -> Duration {
        Duration::from_secs(if self.exact_time { 1 } else { 10 })
    }

    pub(super) async fn pass(&self, time: Duration) {
        (self.advance)(time).await;
    }

    pub(super) async fn read(&self, key: &Key) -> Read {
        self.store.get(key).await.expect("get answers")
    }

    pub(super) async fn stored(&self, key: &Key) -> Option<Stored> {
        self.read(key).await.found
    }

    pub(super) async fn bytes(&self, key: &Key) -> Option<Bytes> {
        self.stored(key).await.map(|stored| stored.bytes)
    }

    pub(super) async fn put(&self, key: &Key, bytes: impl Into<Bytes>, ttl: Ttl) {
        put(&*self.store, key, bytes, ttl).await;
    }
}

/// Puts without a condition, and insists.
pub(super) async fn put(store: &dyn Store, key: &Key, bytes: impl Into<Bytes>, ttl: Ttl) {
    let written = store.put(key, bytes.into(), ttl, PutIf::Always).await.expect("put answers");
    assert!(written.stored, "a put without a condition is stored");
}

/// Bytes that start with this version.
pub(super) fn envelope(version: Version, payload: &str) -> Bytes {
    [version.as_bytes(), payload.as_bytes()].concat().into()
}

/// Remembers when something was stored, so that its remaining time can be judged on a fake and on a real clock.
#[derive(Clone, Copy, Debug)]
pub(super) struct Since(Instant);

impl Since {
    pub(super) fn now() -> Self {
        Self(Instant::now())
    }

    /// `passed` is the time that the bed has let pass since.
    pub(super) fn check(self, bed: &Bed, remaining: Option<Duration>, ttl: Ttl, passed: Duration) {
        let remaining = remaining.expect("what was stored with a TTL has a remaining time");
        let most = ttl.as_duration().saturating_sub(passed);
        // A server that counts in milliseconds may round, by one at most.
        let tick = Duration::from_millis(1);
        let (least, most) = if bed.exact_time {
            (most, most)
        } else {
            (ttl.as_duration().saturating_sub(self.0.elapsed() + tick), most + tick)
        };
        assert!(
            (least..=most).contains(&remaining),
            "{remaining:?} remain of {ttl:?}, {least:?} to {most:?} should"
        );
    }
}
