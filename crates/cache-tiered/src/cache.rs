//! The handle that applications hold.

use std::fmt;
use std::sync::Arc;

use cache_core::{Namespace, Stats};

use crate::builder::CacheBuilder;
use crate::engine::Engine;
use crate::settings::Settings;

/// A two-tier cache: typed values in this process's memory, in front of a store that others share.
///
/// Cheap to clone; all clones are one cache. Types are chosen call by call. Its methods are in groups: reads
/// ([`get`](Cache::get), [`get_with_receipt`](Cache::get_with_receipt), [`exists`](Cache::exists), [`ttl`](Cache::ttl)),
/// writes ([`set`](Cache::set), [`delete`](Cache::delete), [`expire`](Cache::expire)), loads
/// ([`get_or_load`](Cache::get_or_load)), many at once ([`get_many`](Cache::get_many), [`set_many`](Cache::set_many),
/// [`get_many_or_load`](Cache::get_many_or_load), [`warm`](Cache::warm), [`preload`](Cache::preload)), invalidation of many
/// ([`invalidate_tag`](Cache::invalidate_tag), [`clear`](Cache::clear)), and views of one type ([`typed`](Cache::typed)).
///
/// Every call may be dropped while it waits, and leaves nothing locked. What that means for the value is said beside each: a
/// read and a load change nothing by it, a write or an invalidation may have been carried out or not.
#[derive(Clone)]
pub struct Cache {
    pub(crate) engine: Arc<Engine>,
    /// Whether this handle may void many entries of a cache in production.
    pub(crate) is_confirmed: bool,
}

impl Cache {
    /// Starts to build a cache for this namespace.
    pub fn builder(namespace: Namespace) -> CacheBuilder {
        CacheBuilder::new(namespace)
    }

    /// The namespace that sets this cache's keys apart in a shared store.
    pub fn namespace(&self) -> &Namespace {
        &self.engine.namespace
    }

    /// The policy that the cache was built with.
    pub fn settings(&self) -> &Settings {
        &self.engine.settings
    }

    /// What the cache did so far and holds now.
    #[doc(alias = "get_cache_stats")]
    pub fn stats(&self) -> Stats {
        self.engine.stats()
    }

    /// Ends the cache: every entry of tier 1 is void (its memory is let go with the last clone), and every later call of any clone
    /// is an error of the kind [`Closed`](cache_core::ErrorKind::Closed), except [`get_or_default`](Cache::get_or_default), which
    /// answers with its default, [`health`](Cache::health), which says so, and [`stats`](Cache::stats). What is in the store stays.
    /// Dropping all clones needs no `close`.
    pub fn close(&self) {
        self.engine.close();
    }
}

impl fmt::Debug for Cache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cache")
            .field("namespace", &self.engine.namespace)
            .field("local", &self.engine.local)
            .field("store", &self.engine.store)
            .finish_non_exhaustive()
    }
}
