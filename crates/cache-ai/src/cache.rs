//! The handle that applications hold.

use std::fmt;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Weak};

use cache_core::{Error, Namespace, Timer};
use cache_tiered::{Cache, Confirm};

use crate::admission::AdmittingTier;
use crate::builder::AiCacheBuilder;
use crate::gate::Gate;
use crate::key::Keyer;
use crate::ledger::{Books, Ledger};
use crate::operation::Operations;
use crate::samples::Turns;
use crate::stats::{AiStats, Counters};
use crate::tenant::Tenant;
use crate::worth::WorthTier;

/// A cache for answers of language models, and for embeddings.
///
/// Cheap to clone; all clones are one cache. Whole requests go to [`get_or_generate`](AiCache::get_or_generate),
/// [`complete`](AiCache::complete) and [`stream`](AiCache::stream), texts to embed to
/// [`embed_many`](AiCache::embed_many); the guide's calls are those of a tenant: [`for_tenant`](AiCache::for_tenant).
#[derive(Clone)]
pub struct AiCache {
    pub(crate) shared: Arc<Shared>,
    /// The cache beneath, with leave to void many answers in production.
    pub(crate) confirmed: Option<Cache>,
}

/// What all clones share.
pub(crate) struct Shared {
    pub(crate) cache: Cache,
    pub(crate) keyer: Keyer,
    pub(crate) operations: Operations,
    pub(crate) gate: Gate,
    pub(crate) only_if_cached: bool,
    pub(crate) admission: Option<Arc<AdmittingTier>>,
    pub(crate) worth: Option<Arc<WorthTier>>,
    pub(crate) timer: Arc<dyn Timer>,
    pub(crate) books: Books,
    pub(crate) counters: Counters,
    pub(crate) turns: Turns,
    /// How many answers models gave here.
    pub(crate) generations: AtomicU64,
}

impl AiCache {
    pub(crate) fn new(shared: Shared) -> Self {
        Self { shared: Arc::new(shared), confirmed: None }
    }

    /// Starts to build an AI cache for this namespace.
    pub fn builder(namespace: Namespace) -> AiCacheBuilder {
        AiCacheBuilder::new(namespace)
    }

    /// The guide's calls, for this tenant.
    pub fn for_tenant(&self, tenant: Tenant) -> TenantCache {
        TenantCache { ai: self.clone(), tenant }
    }

    /// The cache that it stands on, for values of other kinds, health and statistics.
    pub fn cache(&self) -> &Cache {
        &self.shared.cache
    }

    /// This cache, with leave to [`invalidate`](Self::invalidate) where it is marked as production: see
    /// [`cache_tiered::Cache::confirmed`].
    ///
    /// # Errors
    /// [`Validation`](cache_core::ErrorKind::Validation) if another namespace is named.
    pub fn confirmed(&self, confirm: &Confirm) -> Result<Self, Error> {
        let confirmed = Some(self.cache().confirmed(confirm)?);
        Ok(Self { confirmed, ..self.clone() })
    }

    /// What happened so far in this process, by operation.
    pub fn stats(&self) -> AiStats {
        let admission = self.shared.admission.as_ref().map(|tier| tier.stats()).unwrap_or_default();
        AiStats { operations: self.shared.counters.stats(), admission }
    }

    /// What was saved and spent in this process, by operation, model and tenant.
    pub fn ledger(&self) -> Ledger {
        self.shared.books.ledger()
    }

    /// A handle that does not keep the cache: for who watches it.
    pub fn downgrade(&self) -> WeakAiCache {
        WeakAiCache { shared: Arc::downgrade(&self.shared) }
    }
}

/// A handle to an [`AiCache`] that does not keep it.
#[derive(Clone)]
pub struct WeakAiCache {
    shared: Weak<Shared>,
}

impl WeakAiCache {
    /// The cache, if somebody still has it.
    pub fn upgrade(&self) -> Option<AiCache> {
        Some(AiCache { shared: self.shared.upgrade()?, confirmed: None })
    }
}

impl fmt::Debug for WeakAiCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WeakAiCache").finish_non_exhaustive()
    }
}

impl fmt::Debug for AiCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AiCache").field("cache", &self.shared.cache).finish_non_exhaustive()
    }
}

/// The AI cache as one tenant sees it, with the guide's calls.
#[derive(Clone, Debug)]
pub struct TenantCache {
    pub(crate) ai: AiCache,
    pub(crate) tenant: Tenant,
}

impl TenantCache {
    /// The cache of all tenants.
    pub fn ai(&self) -> &AiCache {
        &self.ai
    }

    /// Whose answers these are.
    pub fn tenant(&self) -> &Tenant {
        &self.tenant
    }
}
