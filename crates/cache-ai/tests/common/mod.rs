//! Caches and models as the tests need them.
#![allow(dead_code, clippy::unwrap_used, clippy::panic, reason = "each test file uses a part")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use cache_ai::{AiCache, AiRequest, AiSettings, Digest, Generated, Loaded, Namespace, Tenant, TenantCache};
use cache_memory::MemoryTier;
use cache_testkit::{FakeClock, ReferenceServer};

pub(crate) fn tier(clock: &Arc<FakeClock>) -> Arc<MemoryTier> {
    Arc::new(MemoryTier::new(10_000, 64 << 20, clock.clone()).unwrap())
}

/// A cache in memory alone.
pub(crate) fn private(clock: &Arc<FakeClock>, settings: AiSettings) -> AiCache {
    let builder = AiCache::builder(Namespace::new("test").unwrap()).local(tier(clock));
    builder.timer(clock.clone()).ai(settings).build().unwrap()
}

/// One process of several that share a server.
pub(crate) fn process(
    clock: &Arc<FakeClock>,
    server: &Arc<ReferenceServer>,
    settings: AiSettings,
) -> AiCache {
    server.beat_with(clock);
    let builder = AiCache::builder(Namespace::new("test").unwrap()).local(tier(clock));
    builder.store(Arc::new(server.connect())).timer(clock.clone()).ai(settings).build().unwrap()
}

/// The same without a tier 1.
pub(crate) fn tier2_alone(
    clock: &Arc<FakeClock>,
    server: &Arc<ReferenceServer>,
    settings: AiSettings,
) -> AiCache {
    server.beat_with(clock);
    let builder = AiCache::builder(Namespace::new("test").unwrap()).store(Arc::new(server.connect()));
    builder.timer(clock.clone()).ai(settings).build().unwrap()
}

pub(crate) fn acme() -> Tenant {
    Tenant::new("acme").unwrap()
}

pub(crate) fn shared(cache: &AiCache) -> TenantCache {
    cache.for_tenant(Tenant::shared())
}

/// A request about a text.
pub(crate) fn ask(text: &str) -> AiRequest {
    AiRequest::new(acme(), "qa").model("m-1").message("user", text)
}

/// All requests have one name.
pub(crate) fn one_name(_: &Digest) -> [u8; 16] {
    [7; 16]
}

/// Counts how often a model is asked.
#[derive(Clone, Default)]
pub(crate) struct Model(Arc<AtomicUsize>);

impl Model {
    pub(crate) fn calls(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }

    pub(crate) fn one(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }

    /// A generator that says this.
    pub(crate) fn says(
        &self,
        text: &str,
    ) -> impl FnOnce() -> std::future::Ready<Loaded<Generated<String>>> + Send + 'static {
        let (model, text) = (self.clone(), text.to_owned());
        move || {
            model.one();
            std::future::ready(Ok(Generated::new(text)))
        }
    }
}
