//! What was noted so far, as plain numbers that can be serialised.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use cache_core::{Moment, Stats};
use serde::Serialize;

use crate::alert::Alert;
use crate::latency::{BUCKETS, Latency, Percentiles, Summary};
use crate::watch::{Kind, Series, Watch, Words};

/// All that a monitor noted, at one moment. Numbers of one cache are not taken at one instant: they differ by what
/// happened meanwhile.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Snapshot {
    /// When, in milliseconds since 1970 by the wall clock.
    pub at_unix_ms: u64,
    /// The caches, in the order in which they came.
    pub caches: Vec<CacheSnapshot>,
    /// Alerts that are up.
    pub alerts: Vec<Alert>,
    /// Caches that came when there were as many as are watched apart; they are counted together, as `other`.
    pub caches_beyond: u64,
}

/// What was noted of one cache.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct CacheSnapshot {
    /// Its namespace; with `#2` and so on if others have the same.
    pub cache: String,
    /// Whether it still is there.
    pub is_there: bool,
    /// Tells it from another that came under its name.
    #[serde(skip)]
    pub(crate) attached_at: Moment,
    /// What it counted itself, exactly.
    pub stats: Stats,
    /// How long reads took, by operation, tier and result (`hit`, `stale`, `miss`). Hits in memory are a sample, scaled up.
    pub reads: Vec<Timing>,
    /// How long the store took, by its method and result: `ok` or the kind of error.
    pub store: Vec<Timing>,
    /// How long loads took, by result: `stored`, `fenced`, `failed`.
    pub loads: Vec<Timing>,
    /// How long writes took, by operation (`set`, `load`) and result (`stored`, `waiting`, `failed`).
    pub writes: Vec<Timing>,
    /// How long work on keys and values took: `key`, `serialize`, `compress`, `decompress`.
    pub work: Vec<Timing>,
    /// How long values had been stale that were served so; more than a minute counts as a minute in percentiles.
    pub staleness: Timing,
    /// What was written.
    pub written: WrittenStats,
    /// Invalidations by operation; `told` and `told_mark` are other processes'.
    pub invalidations: BTreeMap<&'static str, u64>,
    /// Stored values that were passed over, by reason.
    pub refusals: BTreeMap<&'static str, u64>,
    /// Operations that went on without the store, by operation.
    pub degradations: BTreeMap<&'static str, u64>,
    /// Reads that found nothing, by reason.
    pub misses: BTreeMap<&'static str, u64>,
    /// Reads that found nothing of keys of which nothing was remembered.
    pub first_misses: u64,
    /// How long after they were stored keys were wanted again that had expired by then.
    pub wanted_after: Timing,
    /// How often a link to the store came up while the cache was there. The first may have been up before.
    pub links: u64,
    /// Bytes of memory that the monitor takes for remembering keys of this cache.
    pub remembered_bytes: u64,
    /// Events whose series had no place of its own and went to `other`.
    pub series_beyond: u64,
}

/// How often something was done and how long it took.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Timing {
    /// What was done.
    pub operation: &'static str,
    /// Where: `memory`, `store`; empty if that says nothing.
    pub tier: &'static str,
    /// How it ended; empty if that says nothing.
    pub result: &'static str,
    /// How often. Of what is sampled, scaled up.
    pub count: u64,
    /// How often it took longer than the threshold `operation_slow` that stood then. Loads and work are not judged so.
    pub slow: u64,
    /// How long all of it took together, in seconds.
    pub seconds: f64,
    /// How long one took, in seconds.
    pub latency: Percentiles,
    /// How many were measured: one may stand for several.
    #[serde(skip)]
    pub(crate) seen: u64,
    /// Of them, those that were slow.
    #[serde(skip)]
    pub(crate) slow_seen: u64,
    #[serde(skip)]
    pub(crate) buckets: [u64; BUCKETS.len()],
}

/// Sizes of what was written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct WrittenStats {
    /// Values.
    pub values: u64,
    /// Their serialised lengths, in bytes.
    pub bytes: u64,
    /// What was sent to the store for them, in bytes; each has a header of some tens of bytes.
    pub stored_bytes: u64,
    /// Values that were compressed.
    pub compressed: u64,
    /// Their serialised lengths, in bytes.
    pub compressed_from: u64,
    /// What was sent for them, in bytes.
    pub compressed_to: u64,
}

impl CacheSnapshot {
    pub(crate) fn of(watch: &Watch) -> Self {
        let kind = |kind| timings(watch, kind);
        let get = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let written = &watch.written;
        let beyond = [&watch.invalidations, &watch.refusals, &watch.degradations, &watch.misses];
        Self {
            cache: watch.name.clone(),
            is_there: watch.cache().is_some(),
            attached_at: watch.attached_at,
            stats: watch.stats(),
            reads: kind(Kind::Read),
            store: kind(Kind::Store),
            loads: kind(Kind::Load),
            writes: kind(Kind::Write),
            work: kind(Kind::Work),
            staleness: timing("stale", "", "", watch.staleness.summary()),
            written: WrittenStats {
                values: get(&written.values),
                bytes: get(&written.bytes),
                stored_bytes: get(&written.stored_bytes),
                compressed: get(&written.compressed),
                compressed_from: get(&written.compressed_from),
                compressed_to: get(&written.compressed_to),
            },
            invalidations: words(&watch.invalidations),
            refusals: words(&watch.refusals),
            degradations: words(&watch.degradations),
            misses: words(&watch.misses),
            first_misses: get(&watch.first_misses),
            wanted_after: in_seconds(timing("wanted", "", "", watch.wanted_after.summary())),
            links: get(&watch.links),
            remembered_bytes: watch.memory.bytes() as u64,
            series_beyond: watch.series.overflows()
                + beyond.iter().map(|words| words.overflows()).sum::<u64>(),
        }
    }
}

fn timings(watch: &Watch, wanted: Kind) -> Vec<Timing> {
    let of = |series: Series, latency: &Latency| {
        timing(series.operation, series.tier, series.result, latency.summary())
    };
    let mut all: Vec<Timing> = watch
        .series
        .iter()
        .filter(|(series, _)| series.kind == wanted)
        .map(|(series, latency)| of(series, latency))
        .collect();
    // Nobody knows any more what they were; most that there can be too many of are calls of the store.
    if let Some(other) = watch.series.other().filter(|_| wanted == Kind::Store) {
        all.push(timing("other", "", "other", other.summary()));
    }
    all.sort_by_key(|timing| (timing.operation, timing.tier, timing.result));
    all
}

fn timing(operation: &'static str, tier: &'static str, result: &'static str, summary: Summary) -> Timing {
    let Summary { count, slow, seen, slow_seen, seconds, percentiles: latency, buckets } = summary;
    Timing { operation, tier, result, count, slow, seen, slow_seen, seconds, latency, buckets }
}

/// From a histogram that was fed milliseconds for nanoseconds.
fn in_seconds(mut timing: Timing) -> Timing {
    const MILLIS: f64 = 1e6;
    let Percentiles { p50, p95, p99, max, mean } = timing.latency;
    let latency = Percentiles {
        p50: p50 * MILLIS,
        p95: p95 * MILLIS,
        p99: p99 * MILLIS,
        max: max * MILLIS,
        mean: mean * MILLIS,
    };
    timing.seconds *= MILLIS;
    timing.latency = latency;
    timing
}

fn words(words: &Words) -> BTreeMap<&'static str, u64> {
    let mut all: BTreeMap<_, _> =
        words.iter().map(|(word, count)| (word, count.load(Ordering::Relaxed))).collect();
    if let Some(other) = words.other() {
        *all.entry("other").or_default() += other.load(Ordering::Relaxed);
    }
    all
}
