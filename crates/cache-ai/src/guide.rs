//! The guide's calls: a text, an operation, its options.

use std::time::Duration;

use cache_core::Error;
use cache_tiered::Data;
use serde::Serialize;

use crate::answer::{Generated, Plain};
use crate::answered::{AnswerMeta, Answered, Source};
use crate::cache::TenantCache;
use crate::control::{Control, Plan, Seen, plan};
use crate::entry::Entry;
use crate::explain::Explanation;
use crate::gate::Refused;
use crate::key::Keyed;
use crate::question::Question;

/// The guide's calls know one answer to a request: the first of several.
const SAMPLE: u32 = 0;

/// What became of an answer that was to be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Kept {
    /// It is kept.
    Stored,
    /// It is not, because of what it is.
    Refused(Refused),
    /// It is not, because answers of this operation are not to be repeated.
    NotRepeatable,
}

impl TenantCache {
    /// Keeps the answer to a text. Options are an object, or `()` for none. Dropping the future keeps it or does not.
    ///
    /// ```
    /// # use cache_ai::{Error, TenantCache};
    /// # use serde_json::{Value, json};
    /// # async fn example(cache: &TenantCache) -> Result<(), Error> {
    /// let options = json!({"max_length": 100});
    /// let response = json!({"summary": "Brief overview..."});
    /// let _ = cache.cache_response("Analyze this document...", "summarize", &options, &response).await?;
    /// let cached = cache.get_cached_response::<Value>("Analyze this document...", "summarize", &options).await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`Validation`](cache_core::ErrorKind::Validation) for options that have no name or that the operation's schema
    /// does not allow, and for an operation whose name is not 1 to 64 bytes long; else as [`cache_tiered::Cache::set`].
    pub async fn cache_response<T: Data + Clone>(
        &self,
        text: &str,
        operation: &str,
        options: &(impl Serialize + Sync + ?Sized),
        response: &T,
    ) -> Result<Kept, Error> {
        let shared = &self.ai.shared;
        let policy = shared.operations.of(operation);
        let keyed = self.keyed(text, operation, options).await?;
        if plan(&Control::new(), policy.repeats(), keyed.is_deterministic, None) != Plan::Look {
            return Ok(Kept::NotRepeatable);
        }
        let generated = Generated::new(Plain(response.clone()));
        let entry = shared.entry_of(&keyed, SAMPLE, generated, Duration::ZERO).await;
        if let Some(reason) = entry.refused {
            return Ok(Kept::Refused(reason));
        }
        let options = shared.options(&keyed, policy).entry;
        shared.cache.set(&keyed.name, &entry, options).await?;
        Ok(Kept::Stored)
    }

    /// The kept answer to a text, exactly as it was stored, and what is known of it.
    ///
    /// # Errors
    /// Of options and operation as [`cache_response`](Self::cache_response); else as [`cache_tiered::Cache::get`].
    pub async fn get_cached_response<T: Data>(
        &self,
        text: &str,
        operation: &str,
        options: &(impl Serialize + Sync + ?Sized),
    ) -> Result<Option<Answered<Plain<T>>>, Error> {
        let shared = &self.ai.shared;
        let began = shared.timer.now();
        let policy = shared.operations.of(operation);
        let keyed = self.keyed(text, operation, options).await?;
        let next = |seen| plan(&Control::new(), policy.repeats(), keyed.is_deterministic, seen);
        let (entry, receipt) = if next(None) == Plan::Look {
            let (entry, receipt) = shared.cache.get_with_receipt::<Entry<Plain<T>>>(&keyed.name).await?;
            (entry, Some(receipt))
        } else {
            (None, None)
        };
        let seen = match &entry {
            None => Seen::Nothing,
            Some(entry) if entry.is_of(&keyed, SAMPLE) => Seen::Answer(Duration::ZERO),
            Some(_) => {
                shared.counters.verified_away(operation);
                Seen::Another
            }
        };
        let served = entry.filter(|_| next(Some(seen)) == Plan::Serve);
        let Some((entry, whole)) = served.and_then(|entry| entry.whole().map(|whole| (entry, whole))) else {
            shared.counters.missed(operation, keyed.text_tier);
            return Ok(None);
        };
        let (tier, age) = receipt.map_or((None, None), |receipt| (receipt.tier, receipt.age));
        shared.count(&keyed.name, &entry, Source::Cache, tier, shared.timer.now().since(began));
        Ok(Some(Answered::new(whole, AnswerMeta::of(&entry, Source::Cache, tier, age))))
    }

    /// What the key of a text is made of. Asks no store.
    ///
    /// # Errors
    /// [`Validation`](cache_core::ErrorKind::Validation), as [`cache_response`](Self::cache_response).
    #[doc(alias = "generate_cache_key")]
    #[doc(alias = "CacheKeyGenerator")]
    #[doc(alias = "debug_ai_cache_key")]
    pub async fn explain(
        &self,
        text: &str,
        operation: &str,
        options: &(impl Serialize + Sync + ?Sized),
    ) -> Result<Explanation, Error> {
        let shared = &self.ai.shared;
        let policy = shared.operations.of(operation);
        let question = Question::of_text(&self.tenant, operation, text, options, policy.schema.as_ref())?;
        let keyed = shared.key(&question).await?;
        Ok(Explanation::of(shared, policy, &question, keyed))
    }

    async fn keyed(
        &self,
        text: &str,
        operation: &str,
        options: &(impl Serialize + Sync + ?Sized),
    ) -> Result<Keyed, Error> {
        let shared = &self.ai.shared;
        let schema = shared.operations.of(operation).schema.as_ref();
        let question = Question::of_text(&self.tenant, operation, text, options, schema)?;
        shared.key(&question).await
    }
}
