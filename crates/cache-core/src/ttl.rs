//! How long an entry may live.

use std::ops::Add;
use std::time::Duration;

use crate::{Error, ErrorKind, Moment};

/// A time to live: 1 ms to 365 days, in whole milliseconds (a fraction is rounded up).
///
/// ```
/// use std::time::Duration;
/// use cache_core::Ttl;
///
/// assert_eq!(Ttl::new(Duration::from_micros(1500))?.as_millis(), 2);
/// assert!(Ttl::new(Duration::ZERO).is_err());
/// # Ok::<(), cache_core::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ttl {
    millis: u64,
}

impl Ttl {
    /// The shortest: 1 ms.
    pub const MIN: Self = Self { millis: 1 };
    /// The longest: 365 days.
    pub const MAX: Self = Self { millis: 365 * 24 * 3600 * 1000 };

    /// A TTL of this length.
    ///
    /// # Errors
    /// [`ErrorKind::Validation`] below 1 ms (zero included) and above 365 days.
    #[inline]
    pub fn new(duration: Duration) -> Result<Self, Error> {
        if duration < Self::MIN.as_duration() || duration > Self::MAX.as_duration() {
            return Err(out_of_range(duration));
        }
        Ok(Self::clamped(duration))
    }

    /// The TTL nearest to this length.
    #[inline]
    pub fn clamped(duration: Duration) -> Self {
        let below_a_second = u64::from(duration.subsec_nanos().div_ceil(1_000_000));
        let millis = duration.as_secs().saturating_mul(1000).saturating_add(below_a_second);
        Self { millis: millis.clamp(Self::MIN.millis, Self::MAX.millis) }
    }

    /// In milliseconds.
    pub const fn as_millis(self) -> u64 {
        self.millis
    }

    /// In nanoseconds: 365 days are far below 2^64.
    const fn as_nanos(self) -> u64 {
        self.millis * 1_000_000
    }

    /// As a duration.
    pub const fn as_duration(self) -> Duration {
        Duration::from_millis(self.millis)
    }

    /// This and `more` together, at most [`Ttl::MAX`].
    #[must_use]
    pub fn plus(self, more: Duration) -> Self {
        Self::clamped(self.as_duration().saturating_add(more))
    }
}

impl Add<Ttl> for Moment {
    type Output = Self;

    /// At most [`Moment::NEVER`].
    #[inline]
    fn add(self, ttl: Ttl) -> Self {
        Self::from_nanos(self.as_nanos().saturating_add(ttl.as_nanos()))
    }
}

#[cold]
fn out_of_range(duration: Duration) -> Error {
    Error::new(
        ErrorKind::Validation,
        format!("a TTL of {duration:?} was given, 1 ms to 365 days are allowed"),
    )
}

impl TryFrom<Duration> for Ttl {
    type Error = Error;

    fn try_from(duration: Duration) -> Result<Self, Error> {
        Self::new(duration)
    }
}

impl From<Ttl> for Duration {
    fn from(ttl: Ttl) -> Self {
        ttl.as_duration()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zero_sub_millisecond_and_too_long_are_errors_everywhere_alike() {
        for bad in [
            Duration::ZERO,
            Duration::from_nanos(999_999),
            Ttl::MAX.as_duration() + Duration::from_nanos(1),
            Duration::MAX,
        ] {
            let error = Ttl::new(bad).unwrap_err();
            assert!(error.is_validation());
            assert!(error.message().ends_with("1 ms to 365 days are allowed"), "{error}");
        }
        assert_eq!(Ttl::new(Duration::from_millis(1)).unwrap(), Ttl::MIN);
        assert_eq!(Ttl::new(Ttl::MAX.as_duration()).unwrap(), Ttl::MAX);
    }

    #[test]
    fn a_sum_stays_in_range() {
        assert_eq!(Ttl::MAX.plus(Duration::MAX), Ttl::MAX);
        assert_eq!(Ttl::MIN.plus(Duration::from_millis(4)).as_millis(), 5);
    }

    #[test]
    fn fractions_of_a_millisecond_are_rounded_up_and_what_is_far_away_is_the_longest() {
        assert_eq!(Ttl::clamped(Duration::new(2, 999_999_999)).as_millis(), 3000);
        assert_eq!(Ttl::clamped(Duration::new(2, 1)).as_millis(), 2001);
        assert_eq!(Ttl::clamped(Duration::MAX), Ttl::MAX);
        assert_eq!(Ttl::clamped(Duration::ZERO), Ttl::MIN);
    }

    #[test]
    fn a_moment_and_a_ttl_make_the_moment_of_the_end() {
        let now = Moment::from_nanos(7);
        for ttl in [Ttl::MIN, Ttl::MAX] {
            assert_eq!(now + ttl, now + ttl.as_duration());
        }
        assert_eq!(Moment::NEVER + Ttl::MIN, Moment::NEVER);
    }
}
