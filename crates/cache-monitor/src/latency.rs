//! How long things take, as a histogram of bounded size.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hdrhistogram::Histogram;
use parking_lot::Mutex;
use serde::Serialize;

/// Upper ends of the buckets that are exported, in seconds. Those from a millisecond up are the ones that OpenTelemetry
/// advises for `db.client.operation.duration`; the others are there because a hit in memory takes less.
pub const BUCKETS: [f64; 18] = [
    1e-7, 2.5e-7, 5e-7, 1e-6, 1e-5, 5e-5, 1e-4, 2.5e-4, 5e-4, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0,
    10.0,
];

/// The longest that is told apart, in nanoseconds: what takes longer counts as a minute.
const MOST: u64 = 60_000_000_000;
/// The longest that is added to the sum, so that it does not overflow: what takes longer counts as a day.
const DAY: Duration = Duration::from_secs(24 * 3600);

/// How long something took, over all times that it was done. One is about 30 KiB once it was used.
#[derive(Debug, Default)]
pub(crate) struct Latency {
    slow: AtomicU64,
    seen: AtomicU64,
    slow_seen: AtomicU64,
    nanos: AtomicU64,
    histogram: Mutex<Measured>,
}

/// What was measured; `None` if nothing was.
pub(crate) type Measured = Option<Box<Histogram<u64>>>;

/// What a histogram says: seconds. Percentiles are off by 1 % at most, and of nothing they are 0. What took longer than a minute
/// counts as a minute, but in the mean of a [`Timing`](crate::Timing), where it counts as it is, up to a day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Percentiles {
    /// Half took at most so long.
    pub p50: f64,
    /// 95 of 100 took at most so long.
    pub p95: f64,
    /// 99 of 100 took at most so long.
    pub p99: f64,
    /// The longest.
    pub max: f64,
    /// The mean.
    pub mean: f64,
}

/// What a [`Latency`] has come to.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Summary {
    pub(crate) count: u64,
    pub(crate) slow: u64,
    pub(crate) seen: u64,
    pub(crate) slow_seen: u64,
    pub(crate) seconds: f64,
    pub(crate) percentiles: Percentiles,
    /// How many took at most so long as each of [`BUCKETS`] says; not cumulative.
    pub(crate) buckets: [u64; BUCKETS.len()],
}

impl Latency {
    /// Notes that something took so long, `times` times. Longer than `slow_above` is counted as slow.
    pub(crate) fn record(&self, took: Duration, times: u32, slow_above: Duration) {
        let times = u64::from(times);
        let nanos = nanos(took.min(DAY));
        self.nanos.fetch_add(nanos.saturating_mul(times), Ordering::Relaxed);
        self.seen.fetch_add(1, Ordering::Relaxed);
        if took > slow_above {
            self.slow.fetch_add(times, Ordering::Relaxed);
            self.slow_seen.fetch_add(1, Ordering::Relaxed);
        }
        let mut histogram = self.histogram.lock();
        if histogram.is_none() {
            *histogram = Histogram::new_with_bounds(1, MOST, 2).ok().map(Box::new);
        }
        if let Some(histogram) = histogram.as_mut() {
            histogram.saturating_record_n(nanos.clamp(1, MOST), times);
        }
    }

    /// Adds all that was noted to a sum of several.
    pub(crate) fn add_to(&self, sum: &mut Measured) {
        let own = self.histogram.lock();
        match (sum, &*own) {
            // All have the same bounds, so there is a place for all of it.
            (Some(sum), Some(own)) => sum.add(&**own).unwrap_or_default(),
            (sum, own) => *sum = sum.take().or_else(|| own.clone()),
        }
    }

    pub(crate) fn summary(&self) -> Summary {
        // Copied, so that nobody who reports waits for what follows.
        let histogram = self.histogram.lock().clone();
        let Some(histogram) = histogram else { return Summary::default() };
        let count = histogram.len();
        let seconds = self.nanos.load(Ordering::Relaxed) as f64 / 1e9;
        let mean = if count == 0 { 0.0 } else { seconds / count as f64 };
        let percentiles = Percentiles { mean, ..percentiles(&histogram) };
        let mut buckets = [0; BUCKETS.len()];
        for step in histogram.iter_recorded() {
            let value = step.value_iterated_to() as f64 / 1e9;
            // A value that is at the end of a bucket belongs to it; the histogram rounds up by 1 % at most.
            if let Some(at) = BUCKETS.iter().position(|&end| value <= end * 1.01) {
                buckets[at] += step.count_since_last_iteration();
            }
        }
        let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let (slow, seen, slow_seen) = (of(&self.slow), of(&self.seen), of(&self.slow_seen));
        Summary { count, slow, seen, slow_seen, seconds, percentiles, buckets }
    }
}

/// What lies between two looks at the same measurements; nothing if nothing came.
pub(crate) fn between(before: &Measured, after: &Measured) -> Option<Percentiles> {
    let mut between = after.clone()?;
    if let Some(before) = before {
        // Counts never go back, so there is nothing that cannot be taken away.
        between.subtract(&**before).ok()?;
    }
    (!between.is_empty()).then(|| percentiles(&between))
}

fn percentiles(histogram: &Histogram<u64>) -> Percentiles {
    let at = |quantile| histogram.value_at_quantile(quantile) as f64 / 1e9;
    Percentiles {
        p50: at(0.5),
        p95: at(0.95),
        p99: at(0.99),
        max: histogram.max() as f64 / 1e9,
        mean: histogram.mean() / 1e9,
    }
}

pub(crate) fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NEVER: Duration = Duration::MAX;

    #[test]
    fn of_nothing_there_is_nothing() {
        assert_eq!(Latency::default().summary(), Summary::default());
    }

    #[test]
    fn one_of_a_sample_stands_for_all_of_it() {
        let latency = Latency::default();
        latency.record(Duration::from_nanos(100), 256, Duration::from_millis(1));
        latency.record(Duration::from_millis(2), 1, Duration::from_millis(1));
        let summary = latency.summary();
        assert_eq!((summary.count, summary.slow), (257, 1));
        assert_eq!((summary.seen, summary.slow_seen), (2, 1));
        assert!(summary.percentiles.p99 < 1e-6 && summary.percentiles.max > 1.9e-3, "{summary:?}");
    }

    #[test]
    fn what_takes_for_ever_counts_as_a_minute() {
        let latency = Latency::default();
        latency.record(Duration::MAX, 1, NEVER);
        latency.record(Duration::ZERO, 1, NEVER);
        let summary = latency.summary();
        assert!(summary.count == 2 && summary.percentiles.max < 61.0, "{summary:?}");
        assert_eq!(summary.buckets.iter().sum::<u64>(), 1, "a minute is beyond all buckets");
    }

    #[test]
    fn sums_of_what_took_for_ever_do_not_begin_anew() {
        let latency = Latency::default();
        let mut before = 0.0;
        for _ in 0..800 {
            latency.record(Duration::MAX, 256, NEVER);
            let seconds = latency.summary().seconds;
            assert!(seconds > before, "{seconds} after {before}");
            before = seconds;
        }
    }

    proptest! {
        #[test]
        fn percentiles_and_buckets_are_those_of_a_sorted_list(
            nanos in prop::collection::vec(100_u64..50_000_000_000, 1..300),
        ) {
            let latency = Latency::default();
            let mut sorted = nanos.clone();
            sorted.sort_unstable();
            for &nanos in &nanos {
                latency.record(Duration::from_nanos(nanos), 1, NEVER);
            }
            let summary = latency.summary();
            prop_assert_eq!(summary.count, nanos.len() as u64);
            for (percent, found) in [(50, summary.percentiles.p50), (95, summary.percentiles.p95)] {
                let rank = (percent * sorted.len()).div_ceil(100);
                let exact = sorted[rank.max(1) - 1] as f64 / 1e9;
                prop_assert!((found - exact).abs() <= exact * 0.011, "{} {} {}", percent, found, exact);
            }
            let mut below = 0;
            for (end, count) in BUCKETS.iter().zip(summary.buckets) {
                below += count;
                let least = sorted.iter().filter(|&&nanos| (nanos as f64) <= end * 1e9 * 0.98).count() as u64;
                let most = sorted.iter().filter(|&&nanos| (nanos as f64) <= end * 1e9 * 1.02).count() as u64;
                prop_assert!(least <= below && below <= most, "{} {} {} {}", end, least, below, most);
            }
        }
    }
}
