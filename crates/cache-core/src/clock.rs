//! Time, injected: nothing here or above asks the operating system by itself.

use std::fmt::Debug;
use std::future::Future;
use std::ops::Add;
use std::pin::Pin;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A point on one clock's monotonic scale, in nanoseconds since some moment that the clock has chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Moment(u64);

impl Moment {
    /// Where the scale begins.
    pub const START: Self = Self(0);
    /// Later than everything, some 584 years on: "never".
    pub const NEVER: Self = Self(u64::MAX);

    /// This many nanoseconds after [`Moment::START`].
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// Nanoseconds since [`Moment::START`].
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// How long ago `earlier` was; zero if it is later.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    /// The moment `duration` before, at least [`Moment::START`].
    #[must_use]
    pub fn before(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(nanos(duration)))
    }
}

impl Add<Duration> for Moment {
    type Output = Self;

    /// At most [`Moment::NEVER`].
    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(nanos(duration)))
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// Tells the time. All parts of one cache share one clock.
///
/// ```
/// use std::time::Duration;
/// use cache_core::{Clock, SystemClock};
///
/// let clock = SystemClock::new();
/// let began = clock.now();
/// assert!(clock.now() >= began, "it never goes back");
/// assert!(clock.coarse() <= clock.now(), "it may lag");
/// assert_eq!((began + Duration::from_millis(5)).since(began), Duration::from_millis(5));
/// ```
pub trait Clock: Debug + Send + Sync {
    /// The time now. Never goes back.
    fn now(&self) -> Moment;

    /// The time now or up to [`coarse_error`](Clock::coarse_error) ago, as fast as it can be had. For hit paths.
    fn coarse(&self) -> Moment;

    /// How far [`coarse`](Clock::coarse) may lag behind [`now`](Clock::now).
    fn coarse_error(&self) -> Duration;

    /// Milliseconds since 1970 by the wall clock: for display, never for a decision.
    fn unix_millis(&self) -> u64;

    /// For how long the machine was suspended since some moment that the clock has chosen: time that [`now`](Clock::now)
    /// does not count. Always zero where the system does not tell. Wavers by as long as the thread that asks is held up.
    fn suspended(&self) -> Duration;
}

/// A future that ends when its time has come.
pub type Sleep = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A [`Clock`] that can also wait. The crate that has a runtime implements it.
pub trait Timer: Clock {
    /// Ends at `at`, or at once if that has passed. Dropping the future ends the waiting.
    fn sleep_until(&self, at: Moment) -> Sleep;
}

/// The operating system's monotonic clock, and the kernel's coarse clock where there is one (Linux).
///
/// The coarse clock lags by a few ticks of the kernel, mostly under 10 ms; a virtual machine's ticks come late when its
/// host is busy, so its [`coarse_error`](Clock::coarse_error) is a whole second. Like the standard library's `Instant`,
/// neither counts the time for which the machine was suspended.
///
/// On Unix all clocks of a machine's processes have one scale, the system's. Elsewhere each begins when it is made, so
/// the parts of a cache must share one.
#[derive(Clone, Debug)]
pub struct SystemClock {
    source: source::Source,
}

impl SystemClock {
    /// The clock.
    pub fn new() -> Self {
        Self { source: source::Source::new() }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    #[inline]
    fn now(&self) -> Moment {
        Moment(self.source.now())
    }

    #[inline]
    fn coarse(&self) -> Moment {
        Moment(self.source.coarse())
    }

    #[inline]
    fn coarse_error(&self) -> Duration {
        self.source.coarse_error()
    }

    fn unix_millis(&self) -> u64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }

    fn suspended(&self) -> Duration {
        Duration::from_nanos(self.source.suspended())
    }
}

#[cfg(unix)]
mod source {
    use std::time::Duration;

    use rustix::time::{ClockId, Timespec, clock_gettime};

    /// Far more than a tick, because ticks are late on a busy virtual machine (lags of one and a half ticks are
    /// common). It costs a precise look at the clock in the last second of an entry's life only.
    #[cfg(target_os = "linux")]
    const COARSE_ERROR: Duration = Duration::from_secs(1);

    /// Holds nothing: the system's own scale is the one that all share.
    #[derive(Clone, Debug)]
    pub(super) struct Source;

    impl Source {
        pub(super) fn new() -> Self {
            Self
        }

        #[inline]
        pub(super) fn now(&self) -> u64 {
            nanos(clock_gettime(ClockId::Monotonic))
        }

        /// The clock that counts suspension was started with the one that does not.
        #[cfg(target_os = "linux")]
        pub(super) fn suspended(&self) -> u64 {
            nanos(clock_gettime(ClockId::Boottime)).saturating_sub(self.now())
        }

        #[cfg(not(target_os = "linux"))]
        pub(super) fn suspended(&self) -> u64 {
            0
        }

        #[cfg(target_os = "linux")]
        #[inline]
        pub(super) fn coarse(&self) -> u64 {
            nanos(clock_gettime(ClockId::MonotonicCoarse))
        }

        #[cfg(target_os = "linux")]
        #[inline]
        pub(super) fn coarse_error(&self) -> Duration {
            COARSE_ERROR
        }

        #[cfg(not(target_os = "linux"))]
        pub(super) fn coarse(&self) -> u64 {
            self.now()
        }

        #[cfg(not(target_os = "linux"))]
        pub(super) fn coarse_error(&self) -> Duration {
            Duration::ZERO
        }
    }

    /// These clocks count from the start of the machine: neither part is negative, and the sum fits for 584 years.
    #[inline]
    #[expect(clippy::cast_sign_loss, reason = "neither has a sign")]
    fn nanos(time: Timespec) -> u64 {
        (time.tv_sec as u64).wrapping_mul(1_000_000_000).wrapping_add(time.tv_nsec as u64)
    }
}

#[cfg(not(unix))]
mod source {
    use std::time::{Duration, Instant};

    #[derive(Clone, Debug)]
    pub(super) struct Source {
        origin: Instant,
    }

    impl Source {
        pub(super) fn new() -> Self {
            Self { origin: Instant::now() }
        }

        pub(super) fn now(&self) -> u64 {
            u64::try_from(self.origin.elapsed().as_nanos()).unwrap_or(u64::MAX)
        }

        pub(super) fn suspended(&self) -> u64 {
            0
        }

        pub(super) fn coarse(&self) -> u64 {
            self.now()
        }

        pub(super) fn coarse_error(&self) -> Duration {
            Duration::ZERO
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_coarse_clock_lags_by_no_more_than_it_says() {
        let clock = SystemClock::new();
        for _ in 0..10_000 {
            let before = clock.now();
            let coarse = clock.coarse();
            let after = clock.now();
            assert!(coarse <= after, "the coarse clock never runs ahead");
            assert!(coarse + clock.coarse_error() >= before);
        }
    }

    #[test]
    fn the_time_spent_suspended_does_not_grow_while_the_machine_runs() {
        let clock = SystemClock::new();
        let (began, suspended) = (clock.now(), clock.suspended());
        while clock.now().since(began) < Duration::from_millis(5) {
            let now = clock.suspended();
            assert!(now.abs_diff(suspended) < Duration::from_secs(1), "{now:?} after {suspended:?}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn all_clocks_have_one_scale() {
        let (first, second) = (SystemClock::new(), SystemClock::new());
        let times = [first.now(), second.now(), first.now(), second.now()];
        assert!(times.is_sorted());
    }

    #[test]
    fn moments_saturate() {
        assert_eq!(Moment::NEVER + Duration::MAX, Moment::NEVER);
        assert_eq!(Moment::START.since(Moment::NEVER), Duration::ZERO);
        assert_eq!(Moment::from_nanos(5).before(Duration::from_secs(1)), Moment::START);
    }
}
