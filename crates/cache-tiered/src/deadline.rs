//! Until when a flight is waited for.

use std::sync::atomic::{AtomicU64, Ordering};

use cache_core::{Moment, Timer};

/// A moment that may be put off.
#[derive(Debug)]
pub(crate) struct Deadline(AtomicU64);

impl Deadline {
    pub(crate) fn new(at: Moment) -> Self {
        Self(AtomicU64::new(at.as_nanos()))
    }

    pub(crate) fn at(&self) -> Moment {
        Moment::from_nanos(self.0.load(Ordering::SeqCst))
    }

    /// Never to an earlier moment.
    pub(crate) fn put_off(&self, to: Moment) {
        self.0.fetch_max(to.as_nanos(), Ordering::SeqCst);
    }

    /// Waits until it is over, however often it is put off meanwhile.
    pub(crate) async fn over(&self, timer: &dyn Timer) {
        loop {
            let at = self.at();
            timer.sleep_until(at).await;
            if self.at() <= at {
                return;
            }
        }
    }
}
