//! How often something was found.

use std::sync::atomic::{AtomicU64, Ordering};

use thread_local::ThreadLocal;

/// Hits and misses, counted by each thread for itself: an addition that several threads share costs as much as a lock.
#[derive(Default)]
pub(crate) struct Reads(ThreadLocal<Tally>);

/// Written by one thread only, which therefore needs no read-modify-write; read by all.
#[derive(Default)]
#[repr(align(128))]
struct Tally {
    hits: AtomicU64,
    misses: AtomicU64,
}

impl Reads {
    #[inline]
    pub(crate) fn hit(&self) {
        one_more(&self.0.get_or_default().hits);
    }

    #[inline]
    pub(crate) fn miss(&self) {
        one_more(&self.0.get_or_default().misses);
    }

    /// Hits and misses.
    pub(crate) fn both(&self) -> (u64, u64) {
        let both = |tally: &Tally| (tally.hits.load(Ordering::Relaxed), tally.misses.load(Ordering::Relaxed));
        self.0.iter().map(both).fold((0, 0), |sum, (hits, misses)| (sum.0 + hits, sum.1 + misses))
    }
}

#[inline]
fn one_more(count: &AtomicU64) {
    count.store(count.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn what_threads_counted_is_there_when_they_are_gone() {
        let reads = Reads::default();
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..1000 {
                        reads.hit();
                        reads.hit();
                        reads.miss();
                    }
                });
            }
        });
        assert_eq!(reads.both(), (16_000, 8000));
    }
}
