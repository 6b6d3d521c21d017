//! How long an entry may live.

use std::time::Duration;

use crate::{Error, ErrorKind};

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
    pub fn new(duration: Duration) -> Result<Self, Error> {
        if duration < Self::MIN.as_duration() || duration > Self::MAX.as_duration() {
            return Err(Error::new(
                ErrorKind::Validation,
                format!("a TTL of {duration:?} was given, 1 ms to 365 days are allowed"),
            ));
        }
        Ok(Self::clamped(duration))
    }

    /// The TTL nearest to this length.
    pub fn clamped(duration: Duration) -> Self {
        let millis = duration.as_nanos().div_ceil(1_000_000);
        let millis = u64::try_from(millis).unwrap_or(u64::MAX);
        Self { millis: millis.clamp(Self::MIN.millis, Self::MAX.millis) }
    }

    /// In milliseconds.
    pub const fn as_millis(self) -> u64 {
        self.millis
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

impl TryFrom<Duration> for Ttl {
    type Error = Error;

    fn try_from(duration: Duration) -> Result<Self, Error> {
        Self::new(duration)
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
}
