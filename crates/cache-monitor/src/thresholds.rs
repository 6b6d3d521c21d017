//! From when on something is worth an alert.

use std::time::Duration;

use cache_core::{Error, Problems};

/// From when on something is worth an alert.
///
/// ```
/// use cache_monitor::Thresholds;
/// use std::time::Duration;
///
/// let strict = Thresholds { hit_ratio_warning: 0.8, operation_slow: Duration::from_millis(50), ..Thresholds::default() };
/// assert!(strict.check().is_ok());
/// let wrong = Thresholds { hit_ratio_warning: 60.0, memory_warning: 0, ..strict };
/// assert!(wrong.check().unwrap_err().message().starts_with("2 problems: "));
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Thresholds {
    /// Bytes in tier 1 that are worth a warning: 1 and up, less than `memory_critical`; 50 MB by default.
    pub memory_warning: u64,
    /// Bytes in tier 1 that are critical: more than `memory_warning`; 100 MB by default.
    pub memory_critical: u64,
    /// A lower share of reads that find a value is worth a warning: 0 (never) to 1; 0.6 by default.
    pub hit_ratio_warning: f64,
    /// What takes longer counts as slow: 1 µs to 1 hour; 100 ms by default. One of a hundred operations being slow is worth
    /// a warning. Loaders take the time that their sources take and are not judged.
    pub operation_slow: Duration,
}

impl Default for Thresholds {
    fn default() -> Self {
        Self {
            memory_warning: 50_000_000,
            memory_critical: 100_000_000,
            hit_ratio_warning: 0.6,
            operation_slow: Duration::from_millis(100),
        }
    }
}

impl Thresholds {
    /// The ones for a service in which every millisecond counts: memory 100 and 200 MB, hit ratio 0.8, operations 50 ms.
    pub fn high_performance() -> Self {
        Self {
            memory_warning: 100_000_000,
            memory_critical: 200_000_000,
            hit_ratio_warning: 0.8,
            operation_slow: Duration::from_millis(50),
        }
    }

    /// Looks whether all of it is in range.
    ///
    /// # Errors
    /// [`Configuration`](cache_core::ErrorKind::Configuration), listing all that is out of range and what is allowed.
    pub fn check(&self) -> Result<(), Error> {
        let mut problems = Problems::default();
        self.find_problems(&mut problems);
        problems.configuration().map_err(|error| error.in_operation("configure_thresholds"))
    }

    /// Adds what is out of range to `problems`.
    pub fn find_problems(&self, problems: &mut Problems) {
        let Self { memory_warning, memory_critical, hit_ratio_warning, operation_slow } = self;
        problems
            .check(*memory_warning > 0, || "memory_warning is 0 bytes, 1 and more are allowed".to_owned());
        problems.check(memory_warning < memory_critical, || {
            format!("memory_critical is {memory_critical} bytes, more than memory_warning ({memory_warning}) is allowed")
        });
        problems.check((0.0..=1.0).contains(hit_ratio_warning), || {
            format!("hit_ratio_warning is {hit_ratio_warning}, 0 to 1 are allowed")
        });
        let (least, most) = (Duration::from_micros(1), Duration::from_secs(3600));
        problems.check((least..=most).contains(operation_slow), || {
            format!("operation_slow is {operation_slow:?}, {least:?} to {most:?} are allowed")
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_those_of_the_guide() {
        let Thresholds { memory_warning, memory_critical, hit_ratio_warning, operation_slow } =
            Thresholds::default();
        assert_eq!((memory_warning, memory_critical), (50_000_000, 100_000_000));
        assert_eq!((hit_ratio_warning, operation_slow), (0.6, Duration::from_millis(100)));
        for good in [Thresholds::default(), Thresholds::high_performance()] {
            good.check().unwrap();
        }
    }

    #[test]
    fn all_that_is_wrong_is_said_at_once() {
        let wrong = Thresholds {
            memory_warning: 0,
            memory_critical: 0,
            hit_ratio_warning: f64::NAN,
            operation_slow: Duration::ZERO,
        };
        let error = wrong.check().unwrap_err();
        assert_eq!(
            error.message(),
            "4 problems: memory_warning is 0 bytes, 1 and more are allowed; \
             memory_critical is 0 bytes, more than memory_warning (0) is allowed; \
             hit_ratio_warning is NaN, 0 to 1 are allowed; operation_slow is 0ns, 1µs to 3600s are allowed"
        );
    }
}
