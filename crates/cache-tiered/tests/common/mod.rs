//! Caches on a clock that stands still, as the tests of this crate need them.
#![allow(dead_code, reason = "each test file uses a part")]

pub(crate) mod late;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use cache_core::{
    Fill, FillToken, Filled, LocalEntry, LocalTier, LocalUsage, Moment, Observer, Value, Version,
};
use cache_memory::MemoryTier;
use cache_testkit::{FakeClock, Recorder, ReferenceServer, ReferenceStore, settle};
use cache_tiered::{Cache, Namespace, Settings};
use tokio::sync::oneshot;

pub(crate) const SECOND: Duration = Duration::from_secs(1);
pub(crate) const MINUTE: Duration = Duration::from_secs(60);

pub(crate) fn tier(clock: &Arc<FakeClock>) -> Arc<MemoryTier> {
    Arc::new(MemoryTier::new(10_000, 64 << 20, clock.clone()).unwrap())
}

/// A cache in memory alone.
pub(crate) fn private(clock: &Arc<FakeClock>) -> Cache {
    private_with(clock, Settings::default())
}

pub(crate) fn private_with(clock: &Arc<FakeClock>, settings: Settings) -> Cache {
    let namespace = Namespace::new("test").unwrap();
    Cache::builder(namespace).local(tier(clock)).timer(clock.clone()).settings(settings).build().unwrap()
}

/// Lets time pass a heartbeat at a time, so that the link lives.
pub(crate) async fn pass(clock: &FakeClock, time: Duration) {
    let mut left = time;
    while left > Duration::ZERO {
        let step = left.min(Duration::from_millis(250));
        clock.advance(step);
        settle().await;
        left -= step;
    }
}

/// One process of several that share a server.
pub(crate) struct Process {
    pub(crate) cache: Cache,
    pub(crate) link: Arc<ReferenceStore>,
    pub(crate) seen: Arc<Recorder>,
}

pub(crate) fn process(clock: &Arc<FakeClock>, server: &Arc<ReferenceServer>) -> Process {
    process_with(clock, server, Settings::default())
}

pub(crate) fn process_with(
    clock: &Arc<FakeClock>,
    server: &Arc<ReferenceServer>,
    settings: Settings,
) -> Process {
    server.beat_with(clock);
    let link = Arc::new(server.connect());
    let seen = Recorder::new(10_000);
    let cache = Cache::builder(Namespace::new("test").unwrap())
        .local(tier(clock))
        .store(link.clone())
        .timer(clock.clone())
        .observer(seen.clone() as Arc<dyn Observer>)
        .settings(settings)
        .build()
        .unwrap();
    Process { cache, link, seen }
}

/// Counts how often a loader ran.
#[derive(Clone, Default)]
pub(crate) struct Runs(Arc<AtomicUsize>);

impl Runs {
    pub(crate) fn count(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }

    pub(crate) fn one(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }

    /// A loader that brings `value` at once.
    pub(crate) fn loader<T: Send + 'static>(
        &self,
        value: T,
    ) -> impl FnOnce() -> std::future::Ready<Result<T, std::io::Error>> + Send + 'static {
        let runs = self.clone();
        move || {
            runs.one();
            std::future::ready(Ok(value))
        }
    }
}

/// A loading future as [`staged`] makes them.
pub(crate) type Staged<T> = std::pin::Pin<Box<dyn Future<Output = Result<T, std::io::Error>> + Send>>;

/// A loader that starts, says so, and waits to be told what to bring.
pub(crate) fn staged<T: Send + 'static>() -> (Stage<T>, impl FnOnce() -> Staged<T> + Send) {
    let (started, has_started) = oneshot::channel();
    let (finish, finished) = oneshot::channel();
    let loader = move || -> Staged<T> {
        Box::pin(async move {
            started.send(()).ok();
            finished.await.unwrap_or_else(|_| Err(std::io::Error::other("the stage was left")))
        })
    };
    (Stage { has_started, finish }, loader)
}

pub(crate) struct Stage<T> {
    has_started: oneshot::Receiver<()>,
    finish: oneshot::Sender<Result<T, std::io::Error>>,
}

/// A loader that runs.
pub(crate) struct Running<T>(oneshot::Sender<Result<T, std::io::Error>>);

impl<T> Stage<T> {
    pub(crate) async fn started(self) -> Running<T> {
        self.has_started.await.unwrap();
        Running(self.finish)
    }
}

impl<T> Running<T> {
    pub(crate) fn bring(self, value: T) {
        self.0.send(Ok(value)).ok();
    }

    pub(crate) fn fail(self) {
        self.0.send(Err(std::io::Error::other("the source is down"))).ok();
    }
}

/// A tier in which something happens at the worst moment.
#[derive(Debug)]
pub(crate) struct Meddled {
    tier: Arc<MemoryTier>,
    /// So many look-ups find nothing, as if they had come before what is there.
    pub(crate) blind: AtomicUsize,
    /// So many tokens are void as soon as they are taken, because of another key of the stripe.
    pub(crate) busy: AtomicUsize,
}

impl Meddled {
    pub(crate) fn new(clock: &Arc<FakeClock>) -> Arc<Self> {
        Arc::new(Self { tier: tier(clock), blind: AtomicUsize::new(0), busy: AtomicUsize::new(0) })
    }
}

fn take_one(left: &AtomicUsize) -> bool {
    left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok()
}

impl LocalTier for Meddled {
    fn get_fresh(&self, hash: u64, key: &str, now: Moment, marks: u64) -> Option<Value> {
        self.tier.get_fresh(hash, key, now, marks).filter(|_| !take_one(&self.blind))
    }

    fn get(&self, hash: u64, key: &str, now: Moment) -> Option<LocalEntry> {
        self.tier.get(hash, key, now).filter(|_| !take_one(&self.blind))
    }

    fn token(&self, hash: u64) -> FillToken {
        let token = self.tier.token(hash);
        if take_one(&self.busy) {
            self.tier.remove(hash, "another key of the stripe");
        }
        token
    }

    fn insert(&self, hash: u64, key: &str, entry: LocalEntry, fill: Fill) -> Filled {
        self.tier.insert(hash, key, entry, fill)
    }

    fn replace_value(&self, hash: u64, key: &str, version: &Version, value: Value) {
        self.tier.replace_value(hash, key, version, value);
    }

    fn vouch(&self, hash: u64, key: &str, version: &Version, marks: u64) {
        self.tier.vouch(hash, key, version, marks);
    }

    fn expire(&self, hash: u64, key: &str, now: Moment) -> bool {
        self.tier.expire(hash, key, now)
    }

    fn remove(&self, hash: u64, key: &str) -> bool {
        self.tier.remove(hash, key)
    }

    fn retire(&self) -> u64 {
        self.tier.retire()
    }

    fn for_each(&self, now: Moment, visit: &mut dyn FnMut(&str, &LocalEntry)) {
        self.tier.for_each(now, visit);
    }

    fn usage(&self) -> LocalUsage {
        self.tier.usage()
    }
}
