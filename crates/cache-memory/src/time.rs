//! The time on the hit path.

use std::sync::Arc;

use cache_core::{Clock, Moment, SystemClock};

/// Where a cache has its time from. The system's clock, which is the usual one, is known to the compiler: a call through
/// a trait object costs as much as the clock itself.
pub(crate) enum Time {
    System(SystemClock),
    Given {
        clock: Arc<dyn Clock>,
        /// In nanoseconds.
        coarse_error: u64,
    },
}

impl Time {
    /// The system's unless another is given.
    pub(crate) fn new(given: Option<Arc<dyn Clock>>) -> Self {
        match given {
            None => Self::System(SystemClock::new()),
            Some(clock) => Self::Given { coarse_error: coarse_error(clock.as_ref()), clock },
        }
    }

    pub(crate) fn now(&self) -> Moment {
        match self {
            Self::System(clock) => clock.now(),
            Self::Given { clock, .. } => clock.now(),
        }
    }

    /// The coarse time, and how far it may lag, in nanoseconds.
    #[inline]
    fn coarse(&self) -> (Moment, u64) {
        match self {
            Self::System(clock) => (clock.coarse(), coarse_error(clock)),
            Self::Given { clock, coarse_error } => (clock.coarse(), *coarse_error),
        }
    }

    /// The time, if `expires` has not come: by the coarse clock, and by the exact one only where the coarse one may be
    /// wrong.
    #[inline]
    pub(crate) fn before(&self, expires: Moment) -> Option<Moment> {
        let (coarse, error) = self.coarse();
        if coarse.as_nanos().saturating_add(error) < expires.as_nanos() {
            return Some(coarse);
        }
        self.before_exactly(expires)
    }

    #[cold]
    fn before_exactly(&self, expires: Moment) -> Option<Moment> {
        let now = self.now();
        (now < expires).then_some(now)
    }
}

#[inline]
fn coarse_error(clock: &(impl Clock + ?Sized)) -> u64 {
    u64::try_from(clock.coarse_error().as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_system_s_time_ends_what_is_over_though_its_coarse_clock_lags() {
        let time = Time::new(None);
        for _ in 0..10_000 {
            let now = time.now();
            assert_eq!(time.before(now), None);
            assert!(time.before(now + Duration::from_secs(600)).is_some());
        }
    }
}
