//! Which keys this process is writing to the store just now.
//!
//! The store announces a change to everybody but who made it. So while a write is under way nothing may fill tier 1 for
//! its key: what was read before the store took the write would stay for good.

use std::collections::HashMap;

use cache_core::FillToken;
use parking_lot::Mutex;

use crate::engine::Engine;
use crate::shards::{self, Shards};

type Counts = HashMap<Box<str>, usize>;

/// The number of writes under way, by key. Holds only what is under way.
#[derive(Debug)]
pub(crate) struct Writing {
    shards: Box<Shards<Counts>>,
}

impl Writing {
    pub(crate) fn new() -> Self {
        Self { shards: shards::empty() }
    }

    /// Whether a write of the key is under way.
    pub(crate) fn is_under_way(&self, hash: u64, key: &str) -> bool {
        self.count(hash, key) > 0
    }

    fn count(&self, hash: u64, key: &str) -> usize {
        self.shard(hash).lock().get(key).copied().unwrap_or_default()
    }

    fn shard(&self, hash: u64) -> &Mutex<Counts> {
        shards::of(&self.shards, hash)
    }
}

/// A write under way. When it is dropped, however the write ended, the key is void in tier 1 unless its new value was
/// kept there.
pub(crate) struct Write<'a> {
    engine: &'a Engine,
    hash: u64,
    key: &'a str,
    token: FillToken,
    kept: bool,
}

impl<'a> Write<'a> {
    /// Begins a write: what tier 1 has is void.
    pub(crate) fn begin(engine: &'a Engine, hash: u64, key: &'a str) -> Self {
        *engine.writing.shard(hash).lock().entry(key.into()).or_default() += 1;
        engine.void(hash, key);
        Self { engine, hash, key, token: engine.local.token(hash), kept: false }
    }

    /// Whether no other write of the key is under way, so that the store's value can be known.
    pub(crate) fn is_alone(&self) -> bool {
        self.engine.writing.count(self.hash, self.key) == 1
    }

    /// Void as soon as anything else happens to the key.
    pub(crate) fn token(&self) -> FillToken {
        self.token
    }

    /// Tier 1 has the new value.
    pub(crate) fn kept(mut self) {
        self.kept = true;
    }
}

impl Drop for Write<'_> {
    fn drop(&mut self) {
        // Reads that were sent before the write may still be on their way, so flights are fenced in any case.
        if self.kept {
            self.engine.fence(self.hash, self.key);
        } else {
            self.engine.void(self.hash, self.key);
        }
        let mut shard = self.engine.writing.shard(self.hash).lock();
        if let Some(count) = shard.get_mut(self.key) {
            *count -= 1;
            if *count == 0 {
                shard.remove(self.key);
            }
        }
    }
}
