//! How an AI cache is put together.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use cache_core::{Error, LocalTier, Namespace, Observer, Problems, Store, Timer};
use cache_tiered::{Cache, Settings, TokioTimer};

use crate::admission::AdmittingTier;
use crate::cache::{AiCache, Shared};
use crate::key::escaped;
use crate::ledger::Books;
use crate::settings::AiSettings;
use crate::worth::WorthTier;

/// Builds an [`AiCache`] from a tier 1, a store, or both, like a [`Cache`].
///
/// ```
/// use std::{sync::Arc, time::Duration};
/// use cache_ai::{AiCache, AiSettings, Namespace};
/// use cache_core::SystemClock;
/// use cache_memory::MemoryTier;
///
/// let tier1 = Arc::new(MemoryTier::new(1_000, 64 << 20, Arc::new(SystemClock::new()))?);
/// let settings = AiSettings::new().operation_ttl("support", Duration::from_secs(600)).store_no_request_text();
/// let cache = AiCache::builder(Namespace::new("ai")?).local(tier1).ai(settings).build()?;
/// assert_eq!(cache.cache().settings().load_timeout, Duration::from_secs(120));
/// # Ok::<(), cache_ai::Error>(())
/// ```
#[must_use = "a builder does nothing until it is built"]
pub struct AiCacheBuilder {
    namespace: Namespace,
    settings: Settings,
    ai: AiSettings,
    local: Option<Arc<dyn LocalTier>>,
    store: Option<Arc<dyn Store>>,
    timer: Arc<dyn Timer>,
    observer: Option<Arc<dyn Observer>>,
}

impl AiCacheBuilder {
    pub(crate) fn new(namespace: Namespace) -> Self {
        Self {
            namespace,
            settings: Self::settings_by_default(),
            ai: AiSettings::default(),
            local: None,
            store: None,
            timer: Arc::new(TokioTimer::new()),
            observer: None,
        }
    }

    /// The engine's settings, but models take longer than other loaders (2 minutes), and an error answers only those who
    /// wait for it.
    pub fn settings_by_default() -> Settings {
        let mut settings = Settings::default();
        settings.load_timeout = Duration::from_secs(120);
        settings.negative_window = Duration::ZERO;
        settings
    }

    /// The tier in this process's memory; none by default. One tier serves one cache.
    pub fn local(mut self, local: Arc<dyn LocalTier>) -> Self {
        self.local = Some(local);
        self
    }

    /// The store behind it; none by default.
    pub fn store(mut self, store: Arc<dyn Store>) -> Self {
        self.store = Some(store);
        self
    }

    /// The engine's policy; [`settings_by_default`](Self::settings_by_default) by default.
    pub fn settings(mut self, settings: Settings) -> Self {
        self.settings = settings;
        self
    }

    /// What is special about an AI cache.
    pub fn ai(mut self, settings: AiSettings) -> Self {
        self.ai = settings;
        self
    }

    /// The clock, which tiers must share, and the way to wait: the system's and tokio's by default.
    pub fn timer(mut self, timer: Arc<dyn Timer>) -> Self {
        self.timer = timer;
        self
    }

    /// Who watches; nobody by default.
    pub fn observer(mut self, observer: Arc<dyn Observer>) -> Self {
        self.observer = Some(observer);
        self
    }

    /// The cache.
    ///
    /// # Errors
    /// [`Configuration`](cache_core::ErrorKind::Configuration), listing all that is wrong.
    pub fn build(self) -> Result<AiCache, Error> {
        let Self { namespace, settings, ai, local, store, timer, observer } = self;
        let mut problems = Problems::default();
        ai.check(&mut problems);
        problems.configuration()?;
        let keyer = ai.keyer();
        let (mut admission, mut worth) = (None, None);
        let local = match (local, ai.second) {
            (Some(local), Some(second)) => {
                let tier = Arc::new(WorthTier::new(local, Arc::clone(&timer), second));
                worth = Some(Arc::clone(&tier));
                Some(tier as Arc<dyn LocalTier>)
            }
            (local, _) => local,
        };
        let local = match (local, &store) {
            (Some(local), Some(_)) => {
                let stable = ai.operations.stable().map(escaped).collect();
                let tier = Arc::new(AdmittingTier::new(local, ai.admission, stable));
                admission = Some(Arc::clone(&tier));
                Some(tier as Arc<dyn LocalTier>)
            }
            (local, _) => local,
        };
        let mut builder = Cache::builder(namespace).settings(settings).timer(Arc::clone(&timer));
        if let Some(local) = local {
            builder = builder.local(local);
        }
        if let Some(store) = store {
            builder = builder.store(store);
        }
        if let Some(observer) = observer {
            builder = builder.observer(observer);
        }
        let cache = builder.build()?;
        Ok(AiCache::new(Shared {
            cache,
            keyer,
            operations: ai.operations,
            gate: ai.gate,
            only_if_cached: ai.only_if_cached,
            admission,
            worth,
            timer,
            books: Books::new(ai.prices),
            counters: Default::default(),
            turns: Default::default(),
            generations: Default::default(),
        }))
    }
}

impl fmt::Debug for AiCacheBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AiCacheBuilder")
            .field("namespace", &self.namespace)
            .field("settings", &self.settings)
            .field("ai", &self.ai)
            .finish_non_exhaustive()
    }
}
