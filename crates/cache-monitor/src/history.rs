//! How a cache did over the last hour, in steps.

use std::collections::VecDeque;
use std::time::Duration;

use cache_core::{Moment, Stats};
use serde::Serialize;

use crate::latency::{Measured, Percentiles, between};

/// A step is this long, or longer if nobody looked.
pub(crate) const STEP: Duration = Duration::from_secs(10);
/// So many steps are kept.
const STEPS: usize = 360;

/// What a cache did lately.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct CacheHistory {
    /// Its name, as in [`CacheSnapshot`](crate::CacheSnapshot::cache).
    pub cache: String,
    /// The steps that ended, the oldest first: at most 360, an hour of them.
    pub points: Vec<Point>,
    /// The step under way.
    pub now: Point,
}

/// What a cache did in one step.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Point {
    /// When the step ended, in milliseconds since 1970 by the wall clock.
    pub at_unix_ms: u64,
    /// How long it was, in seconds: 10, or more if nobody looked.
    pub seconds: f64,
    /// Fresh values from this process's memory.
    pub tier1_hits: u64,
    /// Fresh values from the store.
    pub tier2_hits: u64,
    /// Stale values that were served on purpose.
    pub stale_hits: u64,
    /// Reads without a value in the cache.
    pub misses: u64,
    /// Calls of the store that failed, those included that the breaker did not let through.
    pub store_errors: u64,
    /// Entries in tier 1 at its end.
    pub entries: u64,
    /// Estimated bytes in tier 1 at its end.
    pub bytes: u64,
    /// How long reads took that tier 1 answered; `None` if none of them was in the sample.
    pub in_memory: Option<Percentiles>,
    /// How long reads took that went further; `None` if none did.
    pub past_memory: Option<Percentiles>,
    /// How long the store took; `None` if it was not asked.
    pub store: Option<Percentiles>,
}

/// What a cache did since it came.
#[derive(Debug, Default)]
pub(crate) struct Totals {
    pub(crate) stats: Stats,
    pub(crate) in_memory: Measured,
    pub(crate) past_memory: Measured,
    pub(crate) store: Measured,
}

/// A moment by both clocks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Now {
    pub(crate) at: Moment,
    pub(crate) unix_ms: u64,
}

/// The steps of a cache. About 150 KiB.
#[derive(Debug)]
pub(crate) struct Track {
    points: VecDeque<Point>,
    began: Moment,
    /// What had been when the step under way began.
    before: Totals,
}

impl Track {
    pub(crate) fn new(began: Moment) -> Self {
        Self { points: VecDeque::new(), began, before: Totals::default() }
    }

    /// Whether the step under way has become long enough to end.
    pub(crate) fn is_due(&self, now: Now) -> bool {
        now.at.since(self.began) >= STEP
    }

    /// Ends the step under way.
    pub(crate) fn end_step(&mut self, now: Now, totals: Totals) {
        let point = self.under_way(now, &totals);
        if self.points.len() == STEPS {
            self.points.pop_front();
        }
        self.points.push_back(point);
        (self.began, self.before) = (now.at, totals);
    }

    /// The step under way, as if it ended now.
    pub(crate) fn under_way(&self, now: Now, totals: &Totals) -> Point {
        let (old, new) = (&self.before.stats, &totals.stats);
        Point {
            at_unix_ms: now.unix_ms,
            seconds: now.at.since(self.began).as_secs_f64(),
            tier1_hits: new.reads.tier1_hits.saturating_sub(old.reads.tier1_hits),
            tier2_hits: new.reads.tier2_hits.saturating_sub(old.reads.tier2_hits),
            stale_hits: new.reads.stale_hits.saturating_sub(old.reads.stale_hits),
            misses: new.reads.misses.saturating_sub(old.reads.misses),
            store_errors: new.store_errors.saturating_sub(old.store_errors),
            entries: new.memory_usage.entries,
            bytes: new.memory_usage.bytes,
            in_memory: between(&self.before.in_memory, &totals.in_memory),
            past_memory: between(&self.before.past_memory, &totals.past_memory),
            store: between(&self.before.store, &totals.store),
        }
    }

    /// The steps that ended after that time by the wall clock.
    pub(crate) fn after(&self, unix_ms: u64) -> Vec<Point> {
        self.points.iter().filter(|point| point.at_unix_ms > unix_ms).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::latency::Latency;

    fn totals(tier1_hits: u64, misses: u64, nanos: &[u64]) -> Totals {
        let mut stats = Stats::default();
        (stats.reads.tier1_hits, stats.reads.misses) = (tier1_hits, misses);
        let mut totals = Totals { stats, ..Totals::default() };
        for &nanos in nanos {
            let latency = Latency::default();
            latency.record(Duration::from_nanos(nanos), 1, Duration::MAX);
            latency.add_to(&mut totals.in_memory);
        }
        totals
    }

    fn at(seconds: u64) -> Now {
        Now { at: Moment::START + Duration::from_secs(seconds), unix_ms: seconds * 1000 }
    }

    #[test]
    fn a_step_is_what_came_since_the_last_one() {
        let mut track = Track::new(Moment::START);
        assert!(!track.is_due(at(9)) && track.is_due(at(10)));
        track.end_step(at(10), totals(5, 1, &[100, 100, 100]));
        track.end_step(at(30), totals(8, 1, &[100, 100, 100, 5000]));
        let [first, second] = &track.after(0)[..] else { panic!("{track:?}") };
        assert_eq!((first.tier1_hits, first.misses, first.seconds), (5, 1, 10.0));
        assert_eq!((second.tier1_hits, second.misses, second.seconds), (3, 0, 20.0));
        assert!(first.in_memory.unwrap().max < 2e-7 && second.in_memory.unwrap().p50 > 4e-6, "{second:?}");
        assert_eq!(second.store, None);
        let now = track.under_way(at(32), &totals(9, 1, &[100, 100, 100, 5000]));
        assert_eq!((now.tier1_hits, now.seconds, now.in_memory), (1, 2.0, None));
        assert_eq!(track.after(10_000), std::slice::from_ref(second));
    }

    #[test]
    fn an_hour_is_kept_and_no_more() {
        let mut track = Track::new(Moment::START);
        (1..=1000).for_each(|n| track.end_step(at(n * 10), totals(n, 0, &[])));
        let points = track.after(0);
        assert_eq!((points.len(), points[0].at_unix_ms), (STEPS, 6_410_000));
    }
}
