//! Entries on their way out.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use crate::entry::Entry;

/// Why an entry is no longer held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RemovalCause {
    /// Another value took its place under the same key.
    Replaced,
    /// The caller removed it, or `retain` did.
    Removed,
    /// Its time was over.
    Expired,
    /// It made room for others.
    Evicted,
    /// The whole cache was cleared or retired.
    Cleared,
}

/// Told of every entry that goes, with no lock held.
pub(crate) type Listener<K, V> = Arc<dyn Fn(&K, &V, RemovalCause) + Send + Sync>;

/// What one call took out under the lock. It is dropped, and the listener told of it, after the lock is released,
/// because both is user code.
///
/// One entry is the rule and costs no allocation.
pub(crate) struct Garbage<K, V> {
    first: Option<Gone<K, V>>,
    more: Vec<Gone<K, V>>,
}

struct Gone<K, V> {
    key: K,
    value: V,
    cause: RemovalCause,
}

impl<K, V> Garbage<K, V> {
    pub(crate) const fn new() -> Self {
        Self { first: None, more: Vec::new() }
    }

    pub(crate) fn push(&mut self, entry: Entry<K, V>, cause: RemovalCause) {
        self.push_parts(entry.key, entry.value, cause);
    }

    pub(crate) fn push_parts(&mut self, key: K, value: V, cause: RemovalCause) {
        let gone = Gone { key, value, cause };
        if self.first.is_none() {
            self.first = Some(gone);
        } else {
            self.more.push(gone);
        }
    }

    /// Tells the listener, then drops everything.
    pub(crate) fn bury(self, listener: Option<&Listener<K, V>>) {
        if let Some(listener) = listener {
            for gone in self.first.iter().chain(&self.more) {
                tell(listener, &gone.key, &gone.value, gone.cause);
            }
        }
    }
}

/// A listener that panics has no part in the call that it is told of, and is told of the next entry all the same.
pub(crate) fn tell<K, V>(listener: &Listener<K, V>, key: &K, value: &V, cause: RemovalCause) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(|| listener(key, value, cause))) {
        // A payload may panic again when it is dropped.
        std::mem::forget(payload);
    }
}
