//! The tiers that this build can make.

use std::sync::Arc;

use cache_core::{Clock, Error, LocalTier, Store};

use crate::resolve::{Plan, Size};

/// What a cache is built of.
pub(crate) struct Tiers {
    pub(crate) local: Option<Arc<dyn LocalTier>>,
    pub(crate) store: Option<Arc<dyn Store>>,
}

impl Tiers {
    /// Makes what is planned, `own` being the application's own store.
    ///
    /// # Errors
    /// Those of connecting to Redis.
    pub(crate) async fn make(
        plan: &Plan,
        own: Option<Arc<dyn Store>>,
        clock: &Arc<dyn Clock>,
    ) -> Result<Self, Error> {
        #[cfg(feature = "redis")]
        if let Some(server) = &plan.redis {
            let found = crate::connect::connect(server, Arc::clone(clock)).await?;
            let size = if found.away.is_some() { &plan.tier1_alone } else { &plan.tier1 };
            return Ok(Self { local: local(size.as_ref(), clock)?, store: Some(Arc::new(found.store)) });
        }
        Ok(Self { local: local(plan.tier1.as_ref(), clock)?, store: own })
    }
}

fn local(size: Option<&Size>, clock: &Arc<dyn Clock>) -> Result<Option<Arc<dyn LocalTier>>, Error> {
    #[cfg(feature = "memory")]
    if let Some(size) = size {
        let tier = cache_memory::MemoryTier::new(size.entries, size.bytes, Arc::clone(clock))?;
        return Ok(Some(Arc::new(tier)));
    }
    // Nothing was planned: without the feature nothing can be.
    let _ = (size, clock);
    Ok(None)
}
