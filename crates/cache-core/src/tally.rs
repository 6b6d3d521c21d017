//! Numbers that many threads count up.

use std::array;
use std::sync::atomic::{AtomicU64, Ordering};

use thread_local::ThreadLocal;

/// Counts `N` kinds of what happens often: each thread counts for itself, because an addition that several share costs
/// as much as a lock. The sums are exact. A thread's first look takes memory for its part, which later threads take over.
///
/// ```
/// let hits: cache_core::Tally<1> = cache_core::Tally::default();
/// std::thread::scope(|scope| {
///     for _ in 0..4 {
///         scope.spawn(|| hits.own().one(0));
///     }
/// });
/// assert_eq!(hits.sums(), [4]);
/// ```
#[derive(Debug, Default)]
pub struct Tally<const N: usize>(ThreadLocal<OwnTally<N>>);

/// The part of a [`Tally`] that one thread counts. It alone writes it, so an addition needs no locked instruction.
#[derive(Debug)]
#[repr(align(128))]
pub struct OwnTally<const N: usize>([AtomicU64; N]);

impl<const N: usize> Tally<N> {
    /// The part of the thread that asks. What another thread counts in it may be lost.
    #[inline]
    pub fn own(&self) -> &OwnTally<N> {
        self.0.get_or_default()
    }

    /// What all threads counted of each kind, those included that have ended.
    pub fn sums(&self) -> [u64; N] {
        array::from_fn(|kind| self.0.iter().map(|own| own.get(kind)).sum())
    }
}

impl<const N: usize> OwnTally<N> {
    /// One more of this kind, from 0 up; there is nothing to count of others.
    #[inline]
    pub fn one(&self, kind: usize) {
        if let Some(count) = self.0.get(kind) {
            count.store(count.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
        }
    }

    /// What the thread counted of this kind so far.
    #[inline]
    pub fn get(&self, kind: usize) -> u64 {
        self.0.get(kind).map_or(0, |count| count.load(Ordering::Relaxed))
    }
}

impl<const N: usize> Default for OwnTally<N> {
    fn default() -> Self {
        Self(array::from_fn(|_| AtomicU64::new(0)))
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn what_threads_counted_is_there_when_they_are_gone() {
        let reads: Tally<2> = Tally::default();
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..1000 {
                        reads.own().one(0);
                        reads.own().one(0);
                        reads.own().one(1);
                    }
                });
            }
        });
        assert_eq!(reads.sums(), [16_000, 8000]);
    }
}
