//! How a cache is.

use serde::Serialize;

/// How a cache is, and why.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Health {
    /// In one word.
    pub status: HealthStatus,
    /// What is wrong, if anything is.
    pub reasons: Vec<String>,
    /// Name of the store; `None` without one.
    pub store: Option<&'static str>,
    /// What keeps tier 1 in step with other processes.
    pub coherence: Coherence,
    /// Whether the store is asked.
    pub breaker: BreakerState,
    /// How many keys and tags wait to be told to the store.
    pub queued: usize,
}

/// How a cache is, the worse the greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum HealthStatus {
    /// Everything works.
    Healthy,
    /// It answers, but without its store or without being told of what others change.
    Degraded,
    /// It does not answer.
    Unhealthy,
}

impl Health {
    /// Healthy, with nothing waiting.
    pub const fn healthy(store: Option<&'static str>, coherence: Coherence, breaker: BreakerState) -> Self {
        Self { status: HealthStatus::Healthy, reasons: Vec::new(), store, coherence, breaker, queued: 0 }
    }
}

/// What keeps tier 1 in step with other processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Coherence {
    /// There is nobody to keep in step with: the cache is this process's own.
    Private,
    /// The store announces what others change.
    Feed,
    /// Writers publish what they change. What others change who do not is not announced.
    PubSub,
    /// Nothing: copies live by their TTL, and no longer than `untracked_max_age`.
    TtlOnly,
    /// Nothing: the link to the store does not show that it lives, so changes by others may have been missed.
    Disconnected,
    /// Nothing: the store could not take this value, so only this process has it, until the store can be told.
    Unsynced,
}

/// Whether the store is asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum BreakerState {
    /// It is asked.
    #[default]
    Closed,
    /// It is left alone: calls fail at once.
    Open,
    /// One call at a time tries it out; the others fail at once.
    HalfOpen,
}
