//! Answers that are wrong from now on.

use cache_core::Error;

use crate::cache::AiCache;
use crate::key::tag;
use crate::request::AiRequest;
use crate::tenant::Tenant;

/// Which answers. Each is compared as a whole: `qa` is never `qa_long`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Which {
    /// Those of an operation.
    Operation(String),
    /// Those of a model, as requests or their bodies name it: where both do, either reaches the answer.
    Model(String),
    /// Those of a version of an operation's prompt.
    PromptVersion {
        /// The operation.
        operation: String,
        /// The version.
        version: String,
    },
    /// Those of a tenant.
    Tenant(Tenant),
    /// Those with a tag of the request that they were made for. A tag of a later one, which found its answer in the cache or joined
    /// another's generation, says nothing.
    Tag(String),
}

impl Which {
    /// The tag that these answers carry in the store.
    pub fn tag(&self) -> String {
        match self {
            Self::Operation(operation) => tag::operation(operation),
            Self::Model(model) => tag::model(model),
            Self::PromptVersion { operation, version } => tag::prompt(operation, version),
            Self::Tenant(tenant) => tag::tenant(tenant),
            Self::Tag(own) => tag::own(own),
        }
    }
}

impl AiCache {
    /// Voids these answers in one step, however many there are, and those that are being generated. What it means to drop the
    /// future, says [`cache_tiered::Cache::invalidate_tag`].
    ///
    /// ```
    /// # use cache_ai::{AiCache, Error, Which};
    /// # async fn example(cache: &AiCache) -> Result<(), Error> {
    /// let old = Which::PromptVersion { operation: "support".into(), version: "6".into() };
    /// println!("{} answers go", cache.count(&old).await?);
    /// cache.invalidate(&old).await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// As [`cache_tiered::Cache::invalidate_tag`].
    pub async fn invalidate(&self, which: &Which) -> Result<(), Error> {
        self.confirmed.as_ref().unwrap_or(self.cache()).invalidate_tag(which.tag()).await
    }

    /// How many answers [`invalidate`](Self::invalidate) would void now, but for those that are no JSON (of a type with a map whose
    /// keys are no texts). Looks at every stored answer.
    ///
    /// # Errors
    /// As [`cache_tiered::Cache::keys`]: an answer that the store does not give is never left out silently.
    #[doc(alias = "dry_run")]
    pub async fn count(&self, which: &Which) -> Result<u64, Error> {
        let (tag, mut count) = (which.tag(), 0);
        self.each_stored(|_, entry, _| count += u64::from(entry.tags.contains(&tag))).await?;
        Ok(count)
    }

    /// Removes the answer to one request, all its samples included that are numbered up to the operation's policy, one after the
    /// other: an error, or a future that is dropped, leaves those that come later.
    ///
    /// # Errors
    /// [`Validation`](cache_core::ErrorKind::Validation) for a request that cannot be named; else as
    /// [`cache_tiered::Cache::delete`].
    pub async fn forget(&self, request: &AiRequest) -> Result<(), Error> {
        let policy = self.shared.operations.of(&request.operation);
        let asked = self.shared.ask(request, crate::Control::new(), policy).await?;
        let samples = match policy.repeats() {
            crate::Repeat::Samples(samples) => samples,
            _ => 1,
        };
        for sample in 0..samples {
            self.shared.cache.delete(crate::samples::name_of(&asked.keyed.name, sample)).await?;
        }
        Ok(())
    }
}
