//! Trying the stores out for those who ask over HTTP: once for all who ask at about the same time, and in a bounded time.

use std::sync::Arc;
use std::time::Duration;

use cache_core::{Health, HealthStatus};
use parking_lot::Mutex;
use serde::Serialize;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::health::Overview;
use crate::monitor::PerformanceMonitor;

/// Who asks is answered by then. Orchestrators wait for a second, if they are not told otherwise.
const WITHIN: Duration = Duration::from_millis(800);
/// An attempt that began so long ago at most is good for who asks now.
const SHARED_FOR: Duration = Duration::from_secs(1);

/// What is answered. The names are those of the guide's health check.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Answer {
    #[serde(flatten)]
    pub(super) health: Named,
    /// Reads that found a value, over all reads of all caches.
    hit_ratio: f64,
    /// Estimated bytes in all tiers 1, in millions.
    memory_usage_mb: f64,
    total_operations: u64,
    at_unix_ms: u64,
}

/// An overview whose caches are a map of names.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Named {
    pub(super) status: HealthStatus,
    reasons: Vec<String>,
    caches: std::collections::BTreeMap<String, Health>,
}

/// The attempt that is under way or was the last.
struct Attempt {
    began: Instant,
    outcome: watch::Receiver<Option<Overview>>,
}

pub(super) struct Probe {
    monitor: Arc<PerformanceMonitor>,
    last: Mutex<Option<Attempt>>,
}

impl Probe {
    pub(super) fn new(monitor: Arc<PerformanceMonitor>) -> Self {
        Self { monitor, last: Mutex::default() }
    }

    /// How the caches are.
    pub(super) async fn ask(&self) -> Answer {
        let mut outcome = self.attempt();
        let known = tokio::time::timeout(WITHIN, outcome.wait_for(Option::is_some)).await;
        let overview = known.ok().and_then(Result::ok).and_then(|known| known.clone());
        self.answer(overview.unwrap_or_else(unknown))
    }

    /// One that others began a moment ago, or a new one. It is a task of its own, so that it comes to its end whoever leaves.
    fn attempt(&self) -> watch::Receiver<Option<Overview>> {
        let mut last = self.last.lock();
        if let Some(Attempt { began, outcome }) = &*last {
            let is_under_way = outcome.borrow().is_none() && outcome.has_changed().is_ok();
            if is_under_way || outcome.borrow().is_some() && began.elapsed() < SHARED_FOR {
                return outcome.clone();
            }
        }
        let (told, outcome) = watch::channel(None);
        let monitor = Arc::clone(&self.monitor);
        tokio::spawn(async move {
            let overview = monitor.health().await;
            // Those who waited may have left.
            told.send(Some(overview)).ok();
        });
        *last = Some(Attempt { began: Instant::now(), outcome: outcome.clone() });
        outcome
    }

    fn answer(&self, overview: Overview) -> Answer {
        let Overview { status, reasons, caches } = overview;
        let snapshot = self.monitor.snapshot();
        let stats = || snapshot.caches.iter().map(|cache| &cache.stats);
        let (hits, reads) = stats()
            .fold((0, 0), |(hits, reads), stats| (hits + stats.reads.hits(), reads + stats.reads.total()));
        Answer {
            health: Named { status, reasons, caches: caches.into_iter().collect() },
            hit_ratio: if reads == 0 { 0.0 } else { hits as f64 / reads as f64 },
            memory_usage_mb: stats().map(|stats| stats.memory_usage.total_mb).sum(),
            total_operations: stats().map(|stats| stats.total_operations).sum(),
            at_unix_ms: snapshot.at_unix_ms,
        }
    }
}

/// Not healthy, because that is not known, and not unhealthy, because caches go on without their stores.
fn unknown() -> Overview {
    let reason = format!("not all caches said within {WITHIN:?} how they are");
    Overview { status: HealthStatus::Degraded, reasons: vec![reason], caches: Vec::new() }
}
