//! Where an application starts.

#[cfg(feature = "memory")]
use crate::presets;
#[cfg(feature = "memory")]
use crate::setup::CacheSetup;

/// Hands out caches with good defaults. Holds nothing: make one wherever you need it.
///
/// The presets are there with a feature that brings a tier to build on, which is `memory`.
#[derive(Clone, Debug, Default)]
pub struct CacheFactory(());

impl CacheFactory {
    /// A factory.
    pub const fn new() -> Self {
        Self(())
    }
}

#[cfg(feature = "memory")]
impl CacheFactory {
    /// A cache for sessions, API responses and pages: 30 minutes, 200 entries in tier 1, compressed above 2000 bytes.
    ///
    /// ```
    /// use cache_factory::{CacheFactory, durations::mins};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), cache_factory::Error> {
    /// let cache = CacheFactory::new().for_web_app().default_ttl(mins(10)).l1_cache_size(500).await?;
    /// cache.set("greeting", "hello", ()).await?;
    /// # Ok(()) }
    /// ```
    pub fn for_web_app(&self) -> CacheSetup {
        CacheSetup::new(&presets::WEB_APP)
    }

    /// A cache for tests: 1 minute, 50 entries in tier 1, compressed above 1000 bytes.
    ///
    /// Beside a store tier 1 is off unless its size is given, so that a test sees what the store does.
    pub fn for_testing(&self) -> CacheSetup {
        CacheSetup::new(&presets::TESTING)
    }
}
