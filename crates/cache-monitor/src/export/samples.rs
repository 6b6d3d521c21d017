//! A snapshot as samples of the metrics.

use cache_core::{BreakerState, LinkStatus};

use super::catalogue::{self as metric, Metric};
use crate::alert::{AlertKind, Severity};
use crate::latency::{BUCKETS, Percentiles};
use crate::snapshot::{CacheSnapshot, Snapshot, Timing};

/// One number, or one histogram.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Sample {
    pub(crate) metric: &'static Metric,
    pub(crate) labels: Vec<(&'static str, String)>,
    pub(crate) value: Value,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Count(u64),
    Gauge(f64),
    Histogram { seconds: f64, count: u64, buckets: [u64; BUCKETS.len()], latency: Percentiles },
}

/// All samples, those of one metric together, in the order of the table.
pub(crate) fn samples(snapshot: &Snapshot) -> Vec<Sample> {
    let mut all = Vec::new();
    for cache in &snapshot.caches {
        of_cache(cache, snapshot, &mut |metric, labels, value| {
            let names = metric.labels.iter().copied();
            let first = std::iter::once(cache.cache.as_str());
            let values = first.chain(labels.iter().copied()).map(str::to_owned);
            all.push(Sample { metric, labels: names.zip(values).collect(), value });
        });
    }
    let place = |sample: &Sample| metric::METRICS.iter().position(|metric| metric.name == sample.metric.name);
    all.sort_by_key(place);
    all
}

/// `add` is given a metric, the values of its labels after the first, which is the cache, and its value.
fn of_cache(
    cache: &CacheSnapshot,
    snapshot: &Snapshot,
    add: &mut dyn FnMut(&'static Metric, &[&str], Value),
) {
    let stats = &cache.stats;
    let reads = &stats.reads;
    for (tier, result, count) in [
        ("memory", "hit", reads.tier1_hits),
        ("store", "hit", reads.tier2_hits),
        ("none", "stale", reads.stale_hits),
        ("none", "miss", reads.misses),
    ] {
        add(&metric::READS, &[tier, result], Value::Count(count));
    }
    for it in &cache.reads {
        add(&metric::READ_DURATION, &[it.operation, it.tier, it.result], histogram(it));
    }
    for it in &cache.store {
        let error = if it.result == "ok" { "" } else { it.result };
        add(&metric::STORE_DURATION, &[stats.store.unwrap_or("other"), it.operation, error], histogram(it));
    }
    for it in &cache.loads {
        add(&metric::LOADS, &[it.result], Value::Count(it.count));
        add(&metric::LOAD_DURATION, &[it.result], histogram(it));
    }
    for it in &cache.writes {
        add(&metric::WRITE_DURATION, &[it.operation, it.result], histogram(it));
    }
    for it in &cache.work {
        add(&metric::WORK_DURATION, &[it.operation], histogram(it));
    }
    if cache.staleness.count > 0 {
        add(&metric::STALENESS, &[], histogram(&cache.staleness));
    }
    let words = [
        (&metric::INVALIDATIONS, &cache.invalidations),
        (&metric::REFUSALS, &cache.refusals),
        (&metric::DEGRADATIONS, &cache.degradations),
        (&metric::MISSES, &cache.misses),
    ];
    for (metric, counts) in words {
        for (word, count) in counts {
            add(metric, &[word], Value::Count(*count));
        }
    }
    let usage = &stats.memory_usage;
    for (metric, count) in [
        (&metric::LOADS_JOINED, stats.loads.joined),
        (&metric::WRITTEN_VALUES, cache.written.values),
        (&metric::WRITTEN_BYTES, cache.written.bytes),
        (&metric::STORED_BYTES, cache.written.stored_bytes),
        (&metric::EVICTIONS, usage.evicted),
        (&metric::EXPIRATIONS, usage.expired),
        (&metric::STORE_ERRORS, stats.store_errors),
        (&metric::LINKS, cache.links),
        (&metric::BEYOND, cache.series_beyond),
    ] {
        add(metric, &[], Value::Count(count));
    }
    let breaker = match stats.breaker.state {
        BreakerState::Open => 1.0,
        BreakerState::HalfOpen => 0.5,
        BreakerState::Closed => 0.0,
    };
    for (metric, value) in [
        (&metric::MEMORY_BYTES, usage.bytes as f64),
        (&metric::MEMORY_LIMIT, usage.max_bytes as f64),
        (&metric::ENTRIES, usage.entries as f64),
        (&metric::ENTRIES_LIMIT, usage.max_entries as f64),
        (&metric::BREAKER_OPEN, breaker),
        (&metric::QUEUE_WAITING, stats.queue.waiting as f64),
    ] {
        add(metric, &[], Value::Gauge(value));
    }
    if let Some(link) = stats.link {
        let up = match link {
            LinkStatus::Up => 1.0,
            LinkStatus::ReadOnly => 0.5,
            _ => 0.0,
        };
        add(&metric::LINK_UP, &[], Value::Gauge(up));
    }
    for kind in AlertKind::ALL {
        let is_it = |alert: &&crate::alert::Alert| alert.cache == cache.cache && alert.kind == kind;
        let value = match snapshot.alerts.iter().find(is_it).map(|alert| alert.severity) {
            None => 0.0,
            Some(Severity::Warning) => 1.0,
            Some(Severity::Critical) => 2.0,
        };
        add(&metric::ALERT, &[kind.as_str()], Value::Gauge(value));
    }
}

fn histogram(timing: &Timing) -> Value {
    let Timing { seconds, count, buckets, latency, .. } = *timing;
    Value::Histogram { seconds, count, buckets, latency }
}
