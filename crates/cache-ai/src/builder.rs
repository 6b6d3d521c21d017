//! How an AI cache is put together.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use cache_core::{Error, LocalTier, Namespace, Observer, Problems, Store, Timer};
use cache_tiered::{Cache, Settings, TokioTimer};

use crate::admission::{AdmissionPolicy, AdmittingTier};
use crate::cache::{AiCache, Shared};
use crate::digest::Digest;
use crate::gate::{Gate, Refused};
use crate::key::{Keyer, escaped};
use crate::ledger::Books;
use crate::operation::{OperationPolicy, Operations};
use crate::price::PriceTable;
use crate::text_tier::TextTiers;

/// The longest `text_hash_threshold`, in characters.
pub const MAX_TEXT_HASH_THRESHOLD: usize = 100_000;

/// What is special about an AI cache, whatever it stands on.
#[derive(Clone)]
pub struct AiSettings {
    secret: Option<Vec<u8>>,
    text_hash_threshold: usize,
    stores_no_text: bool,
    tiers: TextTiers,
    operations: Operations,
    gate: Gate,
    admission: AdmissionPolicy,
    only_if_cached: bool,
    prices: PriceTable,
    name_bits: Option<fn(&Digest) -> [u8; 16]>,
}

impl Default for AiSettings {
    fn default() -> Self {
        Self {
            secret: None,
            text_hash_threshold: 500,
            stores_no_text: false,
            tiers: TextTiers::default(),
            operations: Operations::default(),
            gate: Gate::default(),
            admission: AdmissionPolicy::default(),
            only_if_cached: false,
            prices: PriceTable::default(),
            name_bits: None,
        }
    }
}

impl AiSettings {
    /// The guide's defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// A secret that goes into every digest, so that nobody without it can tell from a key what was asked. Whoever
    /// changes it begins with an empty cache.
    #[must_use]
    pub fn secret(mut self, secret: impl AsRef<[u8]>) -> Self {
        self.secret = Some(secret.as_ref().to_vec());
        self
    }

    /// Texts of at most so many characters stand readable in the names of their answers, 0 to 100 000, 500 by default.
    /// With 0 none does. Texts of more than about 900 bytes never do, because a key has an end.
    #[must_use]
    pub fn text_hash_threshold(mut self, characters: usize) -> Self {
        self.text_hash_threshold = characters;
        self
    }

    /// Stores nothing of what was asked: no text is readable in a name, whatever the threshold. What is stored is the
    /// answer, digests, and the names of tenant, operation, model and tags.
    #[must_use]
    pub fn store_no_request_text(mut self) -> Self {
        self.stores_no_text = true;
        self
    }

    /// Where the text tiers end.
    #[must_use]
    pub fn text_tiers(mut self, tiers: TextTiers) -> Self {
        self.tiers = tiers;
        self
    }

    /// How long answers of operations without a TTL of their own are fresh: 1 h by default.
    #[must_use]
    pub fn default_ttl(mut self, ttl: Duration) -> Self {
        self.operations.default_ttl = ttl;
        self
    }

    /// TTLs by operation, over the guide's.
    #[doc(alias = "operation_ttls")]
    #[must_use]
    pub fn operation_ttl(mut self, operation: impl Into<String>, ttl: Duration) -> Self {
        self.operations.set_ttl(operation.into(), ttl);
        self
    }

    /// The policy of an operation. What it does not say stays as it was.
    #[must_use]
    pub fn operation(mut self, name: impl Into<String>, policy: OperationPolicy) -> Self {
        self.operations.set(name.into(), policy);
        self
    }

    /// Makes TTLs shorter by up to this part, 0 to 0.5, so that what was made at a time does not end at one. 0 by
    /// default.
    #[must_use]
    pub fn ttl_jitter(mut self, part: f64) -> Self {
        self.operations.jitter = part;
        self
    }

    /// No TTL is shorter or longer than these.
    #[must_use]
    pub fn ttl_clamps(mut self, least: Duration, most: Duration) -> Self {
        self.operations.clamp = (least, most);
        self
    }

    /// The longest answer that is kept, in bytes as JSON: 1 to 64 Mi, 1 Mi by default.
    #[must_use]
    pub fn max_answer_bytes(mut self, bytes: usize) -> Self {
        self.gate.max_bytes = bytes;
        self
    }

    /// Keeps answers in spite of this reason.
    #[must_use]
    pub fn keep_in_spite_of(mut self, reason: Refused) -> Self {
        self.gate.allowed.push(reason);
        self
    }

    /// Which answers are copied into tier 1 where a store is behind it.
    #[must_use]
    pub fn admission(mut self, policy: AdmissionPolicy) -> Self {
        self.admission = policy;
        self
    }

    /// Answers from the cache or fails with [`NotCached`](crate::NotCached), whatever requests say: to replay what was
    /// recorded, without a network.
    #[must_use]
    pub fn only_if_cached(mut self, only: bool) -> Self {
        self.only_if_cached = only;
        self
    }

    /// What models cost, for the ledger.
    #[must_use]
    pub fn prices(mut self, prices: PriceTable) -> Self {
        self.prices = prices;
        self
    }

    /// Takes these bits of a digest for the name of an answer instead of its first half. For tests: they can give two
    /// requests one name.
    #[doc(hidden)]
    #[must_use]
    pub fn name_bits(mut self, bits: fn(&Digest) -> [u8; 16]) -> Self {
        self.name_bits = Some(bits);
        self
    }

    /// Adds what is wrong with these settings to `problems`.
    pub fn check(&self, problems: &mut Problems) {
        problems.check(self.text_hash_threshold <= MAX_TEXT_HASH_THRESHOLD, || {
            format!(
                "text_hash_threshold is {} characters, 0 to {MAX_TEXT_HASH_THRESHOLD} are allowed",
                self.text_hash_threshold
            )
        });
        problems.check(self.secret.as_ref().is_none_or(|secret| secret.len() >= 16), || {
            "the secret for digests is shorter than 16 bytes".to_owned()
        });
        problems.take(cache_core::Ttl::new(self.operations.default_ttl));
        self.tiers.check(problems);
        self.operations.check(problems);
        self.gate.check(problems);
    }

    fn keyer(&self) -> Keyer {
        let threshold = if self.stores_no_text { 0 } else { self.text_hash_threshold };
        let mut keyer = Keyer::new(self.secret.as_deref(), threshold, self.tiers);
        keyer.name_bits = self.name_bits.unwrap_or(keyer.name_bits);
        keyer
    }
}

impl fmt::Debug for AiSettings {
    /// Without the secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AiSettings")
            .field("has_secret", &self.secret.is_some())
            .field("text_hash_threshold", &self.text_hash_threshold)
            .field("stores_no_text", &self.stores_no_text)
            .field("tiers", &self.tiers)
            .field("operations", &self.operations)
            .field("gate", &self.gate)
            .field("admission", &self.admission)
            .field("prices", &self.prices)
            .finish_non_exhaustive()
    }
}

/// Builds an [`AiCache`] from a tier 1, a store, or both, like a [`Cache`].
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

    /// The tier in this process's memory. One tier serves one cache.
    pub fn local(mut self, local: Arc<dyn LocalTier>) -> Self {
        self.local = Some(local);
        self
    }

    /// The store behind it.
    pub fn store(mut self, store: Arc<dyn Store>) -> Self {
        self.store = Some(store);
        self
    }

    /// The engine's policy.
    pub fn settings(mut self, settings: Settings) -> Self {
        self.settings = settings;
        self
    }

    /// What is special about an AI cache.
    pub fn ai(mut self, settings: AiSettings) -> Self {
        self.ai = settings;
        self
    }

    /// The clock, which tiers must share, and the way to wait.
    pub fn timer(mut self, timer: Arc<dyn Timer>) -> Self {
        self.timer = timer;
        self
    }

    /// Who watches.
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
        let mut admission = None;
        let local = match (local, &store) {
            (Some(local), Some(_)) => {
                let stable = ai.operations.stable().map(escaped).collect();
                let tier = Arc::new(AdmittingTier::new(local, ai.admission, stable));
                admission = Some(Arc::clone(&tier));
                Some(tier as Arc<dyn LocalTier>)
            }
            (local, _) => local,
        };
        let mut builder = Cache::builder(namespace.clone()).settings(settings).timer(Arc::clone(&timer));
        if let Some(local) = &local {
            builder = builder.local(Arc::clone(local));
        }
        if let Some(store) = &store {
            builder = builder.store(Arc::clone(store));
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
            local,
            store,
            timer,
            books: Books::new(ai.prices),
            counters: Default::default(),
            turns: Default::default(),
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
