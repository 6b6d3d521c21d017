//! How a cache is put together.

use std::fmt;
use std::sync::Arc;

use cache_core::{Error, LocalTier, Namespace, Observer, Problems, Store, Timer};

use crate::cache::Cache;
use crate::engine::Engine;
use crate::none::NoLocalTier;
use crate::settings::Settings;
use crate::timer::TokioTimer;

/// Builds a [`Cache`] from a tier 1, a store, or both.
///
/// ```
/// use std::sync::Arc;
/// use cache_core::SystemClock;
/// use cache_memory::MemoryTier;
/// use cache_tiered::{Cache, Namespace};
///
/// # fn main() -> Result<(), cache_tiered::Error> {
/// let tier1 = Arc::new(MemoryTier::new(1_000, 64 << 20, Arc::new(SystemClock::new()))?);
/// let cache = Cache::builder(Namespace::new("web")?).local(tier1).build()?;
/// # Ok(()) }
/// ```
#[must_use = "a builder does nothing until it is built"]
pub struct CacheBuilder {
    namespace: Namespace,
    settings: Settings,
    local: Option<Arc<dyn LocalTier>>,
    store: Option<Arc<dyn Store>>,
    timer: Arc<dyn Timer>,
    observer: Option<Arc<dyn Observer>>,
}

impl CacheBuilder {
    pub(crate) fn new(namespace: Namespace) -> Self {
        Self {
            namespace,
            settings: Settings::default(),
            local: None,
            store: None,
            timer: Arc::new(TokioTimer::new()),
            observer: None,
        }
    }

    /// The tier in this process's memory; none by default. One tier serves one cache.
    pub fn local(mut self, local: Arc<dyn LocalTier>) -> Self {
        self.local = Some(local);
        self
    }

    /// The store behind it; none by default. One store can serve many caches, of one namespace each.
    pub fn store(mut self, store: Arc<dyn Store>) -> Self {
        self.store = Some(store);
        self
    }

    /// The policy; [`Settings::default`] by default.
    pub fn settings(mut self, settings: Settings) -> Self {
        self.settings = settings;
        self
    }

    /// The clock, which tiers must share, and the way to wait. The system's, and tokio's, by default.
    pub fn timer(mut self, timer: Arc<dyn Timer>) -> Self {
        self.timer = timer;
        self
    }

    /// Who watches; nobody by default.
    pub fn observer(mut self, observer: Arc<dyn Observer>) -> Self {
        self.observer = Some(observer);
        self
    }

    /// The cache. Waits for nothing: a store that is away is found out by the first call.
    ///
    /// # Errors
    /// [`Configuration`](cache_core::ErrorKind::Configuration), listing all that is wrong: settings out of range, or neither a
    /// tier 1 nor a store.
    pub fn build(self) -> Result<Cache, Error> {
        let mut problems = Problems::default();
        self.settings.check(&mut problems);
        problems.check(self.local.is_some() || self.store.is_some(), || {
            "neither a tier 1 nor a store was given, at least one is needed".to_owned()
        });
        problems.configuration()?;
        let local = self.local.unwrap_or_else(|| Arc::new(NoLocalTier));
        let engine = Engine::new(self.namespace, self.settings, local, self.store, self.timer, self.observer);
        Ok(Cache { engine, is_confirmed: false })
    }
}

impl fmt::Debug for CacheBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { namespace, settings, local, store, timer, observer: _ } = self;
        f.debug_struct("CacheBuilder")
            .field("namespace", namespace)
            .field("settings", settings)
            .field("local", local)
            .field("store", store)
            .field("timer", timer)
            .finish_non_exhaustive()
    }
}
