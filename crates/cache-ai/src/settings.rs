//! What is special about an AI cache.

use std::fmt;
use std::time::Duration;

use cache_core::Problems;

use crate::admission::AdmissionPolicy;
use crate::digest::Digest;
use crate::gate::{Gate, Refused};
use crate::key::Keyer;
use crate::operation::{OperationPolicy, Operations};
use crate::price::PriceTable;
use crate::text_tier::TextTiers;

/// The longest `text_hash_threshold`, in characters.
pub const MAX_TEXT_HASH_THRESHOLD: usize = 100_000;

/// What is special about an AI cache, whatever it stands on. All of it is checked when the cache is built.
#[derive(Clone)]
pub struct AiSettings {
    secret: Option<Vec<u8>>,
    text_hash_threshold: usize,
    stores_no_text: bool,
    tiers: TextTiers,
    pub(crate) operations: Operations,
    pub(crate) gate: Gate,
    pub(crate) admission: AdmissionPolicy,
    pub(crate) second: Option<f64>,
    pub(crate) only_if_cached: bool,
    pub(crate) prices: PriceTable,
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
            second: None,
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

    /// A secret of 16 bytes or more that goes into every digest, so that nobody without it can tell from a key what was asked. None
    /// by default. Whoever changes it begins with an empty cache.
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

    /// Where the text tiers end: at 500, 5000 and 50 000 characters by default, each larger than the last.
    #[must_use]
    pub fn text_tiers(mut self, tiers: TextTiers) -> Self {
        self.tiers = tiers;
        self
    }

    /// How long answers of operations without a TTL of their own are fresh: 1 ms to 365 days, 1 h by default.
    #[must_use]
    pub fn default_ttl(mut self, ttl: Duration) -> Self {
        self.operations.default_ttl = ttl;
        self
    }

    /// The TTL of an operation, 1 ms to 365 days, over the guide's: summarize 2 h, sentiment 24 h, `key_points` 2 h, questions 1 h,
    /// qa 30 min, translate 24 h.
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

    /// No TTL is shorter or longer than these, after factors and jitter: 1 ms to 365 days, which is the default too.
    #[must_use]
    pub fn ttl_clamps(mut self, least: Duration, most: Duration) -> Self {
        self.operations.clamp = (least, most);
        self
    }

    /// The longest answer that is kept, in bytes as JSON: 1 to 64 Mi, 1 Mi by default. Of a stream no more than 16 times as many bytes
    /// of events are held, which say much beside the answer; beyond that it is handed on to its reader and counts as too large.
    #[must_use]
    pub fn max_answer_bytes(mut self, bytes: usize) -> Self {
        self.gate.max_bytes = bytes;
        self
    }

    /// Keeps answers in spite of this reason; may be called for several. Not for [`Truncated`](Refused::Truncated) and
    /// [`Cancelled`](Refused::Cancelled), of which there is no whole answer: a problem of the settings.
    #[must_use]
    pub fn keep_in_spite_of(mut self, reason: Refused) -> Self {
        self.gate.allowed.push(reason);
        self
    }

    /// Which answers are copied into tier 1 where a store is behind it; [`AdmissionPolicy::default`] by default.
    #[must_use]
    pub fn admission(mut self, policy: AdmissionPolicy) -> Self {
        self.admission = policy;
        self
    }

    /// When tier 1 is full, lets go of the answers that save least per byte, instead of those that were used least: what an
    /// answer saves is what it cost by [`prices`](Self::prices), and the time that its generation took, a second of which
    /// is worth so much money, in the currency of the prices, more than 0 and at most a million. Answers that are
    /// less than a tenth of what tier 1 holds are left to its own choice. Off by default.
    #[must_use]
    pub fn keep_by_worth(mut self, money_per_second: f64) -> Self {
        self.second = Some(money_per_second);
        self
    }

    /// Answers from the cache or fails with [`NotCached`](crate::NotCached), whatever requests say: to replay what was
    /// recorded, without a network. `false` by default.
    #[must_use]
    pub fn only_if_cached(mut self, only: bool) -> Self {
        self.only_if_cached = only;
        self
    }

    /// What models cost, for the ledger. Nothing is known by default, and money saved is 0 then.
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
        if let Some(second) = self.second {
            problems.check(second > 0.0 && second <= 1e6, || {
                format!("keep_by_worth is {second} a second, more than 0 and at most 1000000 are allowed")
            });
        }
        self.tiers.check(problems);
        self.operations.check(problems);
        self.gate.check(problems);
        self.prices.check(problems);
    }

    pub(crate) fn keyer(&self) -> Keyer {
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
            .field("keep_by_worth", &self.second)
            .field("prices", &self.prices)
            .finish_non_exhaustive()
    }
}
