//! The bits of a key's hash, each used for one thing only.

/// A 64-bit hash: the top bits pick the shard, those below them the stripe, the lower half the place in the index.
#[derive(Clone, Copy)]
pub(crate) struct Hashed(pub(crate) u64);

impl Hashed {
    /// The shard among `1 << bits`.
    #[inline]
    pub(crate) fn shard(self, bits: u32) -> usize {
        usize::try_from((self.0 >> 32) >> (32 - bits)).unwrap_or(0)
    }

    /// The stripe among `count`, a power of two.
    #[inline]
    pub(crate) fn stripe(self, count: usize) -> usize {
        usize::try_from(self.0 >> 32).unwrap_or(0) & (count - 1)
    }

    /// The half that is kept with the entry.
    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "the lower half is what is wanted")]
    pub(crate) fn short(self) -> u32 {
        self.0 as u32
    }
}
