//! What the engine counts.

use std::sync::atomic::{AtomicU64, Ordering};

use cache_core::{OwnTally, Tally};

/// One hit of tier 1 in so many is reported.
pub(crate) const SAMPLE: u32 = 256;

/// A counter that only its owner names.
#[derive(Debug, Default)]
pub(crate) struct Count(AtomicU64);

impl Count {
    pub(crate) fn add(&self, n: usize) {
        self.0.fetch_add(n as u64, Ordering::Relaxed);
    }

    pub(crate) fn one(&self) {
        self.add(1);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) local_hits: Tally<1>,
    pub(crate) store_hits: Count,
    pub(crate) stale_hits: Count,
    pub(crate) misses: Count,
    pub(crate) sets: Count,
    pub(crate) deletes: Count,
    pub(crate) expires: Count,
    pub(crate) invalidations: Count,
    pub(crate) loads: Count,
    pub(crate) load_failures: Count,
    pub(crate) loads_joined: Count,
    pub(crate) fills_fenced: Count,
    pub(crate) not_kept: Count,
    pub(crate) negative_answers: Count,
    pub(crate) refused_wrong_key: Count,
    pub(crate) refused_corrupt: Count,
    pub(crate) refused_foreign: Count,
    pub(crate) refused_future: Count,
    pub(crate) refused_codec: Count,
    pub(crate) refused_type: Count,
    pub(crate) refused_too_large: Count,
    pub(crate) store_errors: Count,
    pub(crate) replayed: Count,
    pub(crate) replay_dropped: Count,
}

/// Whether the next hit of the thread that counts here is one of the sample.
///
/// The places of the sample lie as multiples of the golden ratio do, so that who asks for some keys in turn does not
/// meet it with the same one each time; the first hit is not among them.
#[inline]
#[allow(clippy::cast_possible_truncation, reason = "the low bits are as good a number as all")]
pub(crate) fn is_sampled(hits: &OwnTally<1>) -> bool {
    (hits.get(0) as u32).wrapping_mul(0x9E37_79B9) >= u32::MAX - (u32::MAX / SAMPLE)
}
