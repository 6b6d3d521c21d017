//! What is checked, as its users see it.

use std::sync::Arc;

use async_trait::async_trait;

use crate::value::Stamped;

/// What an answer says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Nothing: it is in step with the store.
    InStep,
    /// It may be out of step with the store.
    OutOfStep,
    /// The store does not have it yet.
    Unsynced,
}

#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) value: Arc<Stamped>,
    pub(crate) standing: Standing,
}

/// What became of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// It was acknowledged.
    Done,
    /// It holds in this process, and others will be told.
    Queued,
    /// Nobody knows.
    Unknown,
}

/// A cache for values of the check.
#[async_trait]
pub(crate) trait Subject: Send + Sync {
    /// What tier 1 answers at once. Needs a runtime around it, and never waits.
    fn peek(&self, key: &str) -> Option<Answer>;

    async fn get(&self, key: &str) -> Option<Answer>;

    /// What there is, else what the origin has.
    async fn load(&self, key: usize, name: &str, tag: Option<String>) -> Option<Answer>;

    async fn set(&self, key: &str, value: &Stamped) -> Change;

    async fn delete(&self, key: &str) -> Change;

    async fn invalidate_tag(&self, tag: &str) -> Change;

    /// Whether the store answers just now.
    async fn reaches_store(&self) -> bool;
}
