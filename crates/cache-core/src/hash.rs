//! The hash that picks shards and stripes. It is never an identity.

use std::hash::{BuildHasher, Hasher, RandomState};

use xxhash_rust::xxh3::xxh3_64_with_seed;

/// The secret start value of a hash, random for each cache, so that nobody can aim keys at one shard.
#[derive(Clone, Copy)]
pub struct Seed(u64);

impl Seed {
    /// A new random seed.
    pub fn random() -> Self {
        Self(random_u64())
    }

    /// This seed, for tests that need the same hashes again.
    pub const fn fixed(seed: u64) -> Self {
        Self(seed)
    }

    /// XXH3 of the key, 64 bits.
    #[inline]
    pub fn hash(self, key: &str) -> u64 {
        xxh3_64_with_seed(key.as_bytes(), self.0)
    }
}

impl std::fmt::Debug for Seed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Seed(…)")
    }
}

/// 64 bits that nobody can foresee, from the standard library's source of hash keys.
pub fn random_u64() -> u64 {
    RandomState::new().build_hasher().finish()
}
