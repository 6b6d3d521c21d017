//! Short names for lengths of time: `mins(30)` instead of `Duration::from_secs(1800)`.
//!
//! What is too long for a [`Duration`] becomes the longest there is, which every setting refuses.
//!
//! ```
//! use std::time::Duration;
//! use cache_factory::durations::{days, hours, mins, secs};
//!
//! const HALF_AN_HOUR: Duration = mins(30);
//! assert_eq!(HALF_AN_HOUR, secs(1800));
//! assert_eq!(days(1), hours(24));
//! ```

use std::time::Duration;

/// So many seconds.
pub const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// So many minutes.
pub const fn mins(minutes: u64) -> Duration {
    secs(minutes.saturating_mul(60))
}

/// So many hours.
pub const fn hours(hours: u64) -> Duration {
    mins(hours.saturating_mul(60))
}

/// So many days of 24 hours.
pub const fn days(days: u64) -> Duration {
    hours(days.saturating_mul(24))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_of_time_has_the_seconds_it_should_and_never_wraps_around() {
        assert_eq!((secs(7).as_secs(), mins(7).as_secs()), (7, 420));
        assert_eq!((hours(7).as_secs(), days(7).as_secs()), (25_200, 604_800));
        assert_eq!(days(u64::MAX), secs(u64::MAX));
    }
}
