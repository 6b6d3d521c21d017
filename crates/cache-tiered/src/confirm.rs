//! Leave to void many entries of a cache in production.

use cache_core::{Error, ErrorKind, Namespace};

use crate::cache::Cache;

/// Says that many entries of a cache in production are meant to go, by naming its namespace. Nobody says that by accident.
///
/// ```
/// use std::sync::Arc;
/// use cache_core::SystemClock;
/// use cache_memory::MemoryTier;
/// use cache_tiered::{Cache, Confirm, Namespace, Settings};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), cache_tiered::Error> {
/// let mut settings = Settings::default();
/// settings.production = true;
/// let tier1 = Arc::new(MemoryTier::new(1_000, 64 << 20, Arc::new(SystemClock::new()))?);
/// let cache = Cache::builder(Namespace::new("shop")?).local(tier1).settings(settings).build()?;
///
/// assert!(cache.clear().await.is_err());
/// cache.confirmed(&Confirm::namespace("shop"))?.clear().await?;
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "a word that nobody hears confirms nothing"]
pub struct Confirm {
    namespace: String,
}

impl Confirm {
    /// For the cache of this namespace, and no other.
    pub fn namespace(name: impl Into<String>) -> Self {
        Self { namespace: name.into() }
    }
}

impl Cache {
    /// This cache, with leave to [`clear`](Cache::clear) and to [`invalidate_tag`](Cache::invalidate_tag) also where it is marked
    /// as [`production`](crate::Settings::production). The handle and its clones keep it; other handles do not get it.
    ///
    /// The namespace is compared whether or not the cache is marked, so that code which names a wrong one is found out before
    /// it is in production.
    ///
    /// # Errors
    /// [`Validation`](ErrorKind::Validation) if another namespace is named, or what is no name of one.
    pub fn confirmed(&self, confirm: &Confirm) -> Result<Self, Error> {
        let own = self.namespace();
        if Namespace::new(&confirm.namespace).is_ok_and(|named| named == *own) {
            return Ok(Self { is_confirmed: true, ..self.clone() });
        }
        let message =
            format!("another namespace than this cache's was confirmed, `{}` is meant", own.as_str());
        Err(Error::new(ErrorKind::Validation, message).in_operation("confirmed"))
    }

    /// # Errors
    /// [`Validation`](ErrorKind::Validation) if the cache is marked as production and nobody confirmed.
    pub(crate) fn may_void_many(&self) -> Result<(), Error> {
        if self.is_confirmed || !self.settings().production {
            return Ok(());
        }
        let name = self.namespace().as_str();
        Err(Error::new(
            ErrorKind::Validation,
            format!(
                "this cache is marked as production and nothing was changed: where many entries are meant to go, take \
                 cache.confirmed(&Confirm::namespace(\"{name}\"))?"
            ),
        ))
    }
}
