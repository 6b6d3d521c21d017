//! Keys worth a look, as people are shown them.

use std::sync::Arc;

use serde::Serialize;

use crate::watch::Watch;

/// A key that is asked for often.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct HotKey {
    /// The cache.
    pub cache: String,
    /// The key, redacted or shortened.
    pub key: String,
    /// It was asked for at least so often. What was long ago counts less, and of hits in memory a sample is scaled up.
    pub at_least: u64,
    /// It was asked for at most so often.
    pub at_most: u64,
}

/// A key with a large value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct BigKey {
    /// The cache.
    pub cache: String,
    /// The key, redacted or shortened.
    pub key: String,
    /// Length of the value when it was written, serialised, in bytes. It may be gone by now.
    pub bytes: u64,
}

impl HotKey {
    pub(crate) fn top(caches: &[Arc<Watch>], most: usize) -> Vec<Self> {
        let mut all: Vec<Self> = caches
            .iter()
            .flat_map(|watch| watch.hot.top(most).into_iter().map(move |found| (watch, found)))
            .map(|(watch, found)| Self {
                cache: watch.name.clone(),
                key: found.key.into(),
                at_least: found.least,
                at_most: found.most,
            })
            .collect();
        all.sort_by_key(|hot| std::cmp::Reverse((hot.at_least, hot.at_most)));
        all.truncate(most);
        all
    }
}

impl BigKey {
    pub(crate) fn top(caches: &[Arc<Watch>], most: usize) -> Vec<Self> {
        let mut all: Vec<Self> = caches
            .iter()
            .flat_map(|watch| watch.large.top(most).into_iter().map(move |found| (watch, found)))
            .map(|(watch, (key, bytes))| Self { cache: watch.name.clone(), key: key.into(), bytes })
            .collect();
        all.sort_by_key(|big| std::cmp::Reverse(big.bytes));
        all.truncate(most);
        all
    }
}
