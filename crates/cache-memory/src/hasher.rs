//! The hash of keys of any type.

use std::hash::{BuildHasher, Hash};

use cache_core::random_u64;
use foldhash::SharedSeed;
use foldhash::fast::SeedableRandomState;

use crate::hash::Hashed;

pub(crate) struct KeyHasher(SeedableRandomState);

impl KeyHasher {
    pub(crate) fn random() -> Self {
        Self(SeedableRandomState::with_seed(random_u64(), SharedSeed::global_random()))
    }

    pub(crate) fn fixed(seed: u64) -> Self {
        Self(SeedableRandomState::with_seed(seed, SharedSeed::global_fixed()))
    }

    #[inline]
    pub(crate) fn hash<Q: Hash + ?Sized>(&self, key: &Q) -> Hashed {
        Hashed(self.0.hash_one(key))
    }
}
