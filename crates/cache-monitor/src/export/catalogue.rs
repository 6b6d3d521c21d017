//! The table of all metrics. `docs/metrics.md` is the same table for people, which a test compares.

/// What kind of number a metric is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MetricKind {
    /// Never goes back while a cache is there. Its exported name ends in `_total`.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Counts by upper ends, [`BUCKETS`](crate::BUCKETS).
    Histogram,
}

/// One metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Metric {
    /// Its name, with its unit, and without `_total`.
    pub name: &'static str,
    /// What kind of number it is.
    pub kind: MetricKind,
    /// Its labels.
    pub labels: &'static [&'static str],
    /// What it says.
    pub help: &'static str,
}

impl Metric {
    /// Its name as it is exported.
    pub fn exported_name(&self) -> String {
        match self.kind {
            MetricKind::Counter => format!("{}_total", self.name),
            MetricKind::Gauge | MetricKind::Histogram => self.name.to_owned(),
        }
    }
}

macro_rules! metrics {
    ($($constant:ident = $kind:ident $name:literal [$($label:literal),*] $help:literal;)*) => {
        $(pub(crate) const $constant: Metric =
            Metric { name: $name, kind: MetricKind::$kind, labels: &[$($label),*], help: $help };)*

        /// All metrics.
        pub const METRICS: &[Metric] = &[$($constant),*];
    };
}

metrics! {
    READS = Counter "cache_reads" ["cache", "tier", "result"]
        "Reads, by the tier that answered (memory, store, none) and result (hit, stale, miss)";
    READ_DURATION = Histogram "cache_read_duration_seconds" ["cache", "operation", "tier", "result"]
        "How long reads took; hits in memory are a sample, scaled up";
    STORE_DURATION = Histogram "db_client_operation_duration_seconds"
        ["cache", "db_system_name", "db_operation_name", "error_type"]
        "How long the store took to answer";
    LOADS = Counter "cache_loads" ["cache", "result"]
        "Loads, by result (stored, fenced, failed)";
    LOAD_DURATION = Histogram "cache_load_duration_seconds" ["cache", "result"]
        "How long loaders took";
    LOADS_JOINED = Counter "cache_loads_joined" ["cache"]
        "Calls that waited for another's load instead of loading";
    WRITE_DURATION = Histogram "cache_write_duration_seconds" ["cache", "operation", "result"]
        "How long writes took, by operation (set, load) and result (stored, waiting, failed)";
    WORK_DURATION = Histogram "cache_work_duration_seconds" ["cache", "work"]
        "How long work on keys and values took (key, serialize, compress, decompress)";
    WRITTEN_VALUES = Counter "cache_written_values" ["cache"]
        "Values written";
    WRITTEN_BYTES = Counter "cache_written_bytes" ["cache"]
        "Serialised lengths of values written";
    STORED_BYTES = Counter "cache_stored_bytes" ["cache"]
        "Bytes sent to the store for values written, after compression";
    INVALIDATIONS = Counter "cache_invalidations" ["cache", "operation"]
        "Invalidations, by operation; told and told_mark are other processes'";
    REFUSALS = Counter "cache_refusals" ["cache", "reason"]
        "Stored values that were passed over, by reason";
    DEGRADATIONS = Counter "cache_degradations" ["cache", "operation"]
        "Operations that went on without the store";
    MISSES = Counter "cache_misses" ["cache", "reason"]
        "Reads that found nothing, by why";
    STALENESS = Histogram "cache_staleness_seconds" ["cache"]
        "How long values had been stale that were served so";
    MEMORY_BYTES = Gauge "cache_memory_bytes" ["cache"]
        "Estimated bytes in tier 1";
    MEMORY_LIMIT = Gauge "cache_memory_limit_bytes" ["cache"]
        "Most bytes allowed in tier 1";
    ENTRIES = Gauge "cache_entries" ["cache"]
        "Entries in tier 1";
    ENTRIES_LIMIT = Gauge "cache_entries_limit" ["cache"]
        "Most entries allowed in tier 1";
    EVICTIONS = Counter "cache_evictions" ["cache"]
        "Entries of tier 1 that made room for others";
    EXPIRATIONS = Counter "cache_expirations" ["cache"]
        "Entries of tier 1 that were removed because their time was over";
    STORE_ERRORS = Counter "cache_store_errors" ["cache"]
        "Calls of the store that failed, those included that the breaker did not let through";
    BREAKER_OPEN = Gauge "cache_breaker_open" ["cache"]
        "1 while the store is not asked because it kept failing, 0.5 while it is tried out, else 0";
    LINK_UP = Gauge "cache_link_up" ["cache"]
        "1 while the link to the store is up, 0.5 while it is up for reading only, else 0";
    LINKS = Counter "cache_links" ["cache"]
        "Links to the store that came up while the cache was there";
    QUEUE_WAITING = Gauge "cache_queue_waiting" ["cache"]
        "Keys and tags that wait to be told to the store";
    ALERT = Gauge "cache_alert" ["cache", "alert"]
        "1 while a warning is up, 2 while a critical alert is, else 0";
    BEYOND = Counter "cache_monitor_beyond" ["cache"]
        "Events that were noted as other because there was no place for their series";
}
