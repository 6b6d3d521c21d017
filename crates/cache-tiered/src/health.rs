//! Whether a cache works.

use cache_core::{Coherence, Error, Health, HealthStatus, LinkStatus, PutIf, RemoveIf, Store, Ttl};

use crate::cache::Cache;
use crate::engine::Engine;

impl Cache {
    /// Tries the store out (put, get and remove of a key that nobody else uses) and says how the cache is. Takes at most
    /// three times `store_timeout` (750 ms by default); counts as no operation. If the future is dropped, that key ends by itself
    /// after four times `store_timeout`.
    #[doc(alias = "cache_health_check")]
    #[doc(alias = "diagnose_cache_issues")]
    pub async fn health(&self) -> Health {
        Box::pin(self.engine.health()).await
    }
}

impl Engine {
    pub(crate) async fn health(&self) -> Health {
        let store = self.store.as_ref().map(|store| store.capability().name);
        let mut health = Health::healthy(store, self.coherence(), self.breaker.state());
        if let Err(closed) = self.check_open() {
            health.status = HealthStatus::Unhealthy;
            health.reasons.push(closed.to_string());
            return health;
        }
        let Some(store) = self.store.as_deref() else { return health };
        let link = store.link_state();
        if link.status != LinkStatus::Up {
            let reason = link.reason.as_deref().unwrap_or("no reason known");
            health.reasons.push(format!("the link to the store is {:?}: {reason}", link.status));
        } else if let Some(reason) = link.reason.as_deref() {
            health.reasons.push(format!("changes by others are told in a lesser way: {reason}"));
        }
        if let Err(error) = self.probe(store).await {
            health.reasons.push(error.to_string());
        }
        // Trying the store out may have changed them.
        (health.breaker, health.coherence) = (self.breaker.state(), self.coherence());
        health.queued = self.outbox.load().waiting;
        if health.queued > 0 {
            health.reasons.push(format!("{} changes wait to be told to the store", health.queued));
        }
        if health.coherence == Coherence::Disconnected {
            health.reasons.push("the link to the store does not show that it lives".to_owned());
        }
        if health.coherence == Coherence::TtlOnly {
            health.reasons.push(format!(
                "changes are not announced: copies live for {:?} at most",
                self.settings.untracked_max_age
            ));
        }
        if !health.reasons.is_empty() {
            health.status = HealthStatus::Degraded;
        }
        health
    }

    async fn probe(&self, store: &dyn Store) -> Result<(), Error> {
        // Long and random, so that it meets no key of a user's; a lease, so that nobody takes it for a value.
        let key = self.namespace.key(&format!("health-probe-{:016x}", cache_core::random_u64()))?;
        let bytes = cache_codec::lease(self.versions.lease(), &key);
        let ttl = Ttl::clamped(self.settings.store_timeout * 4);
        self.timed("put", store.put(&key, bytes.clone(), ttl, PutIf::Always)).await?;
        let read = self.timed("get", store.get(&key)).await?;
        self.timed("remove", store.remove(&key, RemoveIf::Always)).await?;
        if read.found.is_none_or(|found| found.bytes != bytes) {
            let message = "the store did not give back what was just put there";
            return Err(Error::new(cache_core::ErrorKind::Internal, message).in_operation("health"));
        }
        Ok(())
    }
}
