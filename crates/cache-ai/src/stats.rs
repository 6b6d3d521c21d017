//! What happened, by operation.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use cache_core::Tier;
use hdrhistogram::Histogram;
use parking_lot::Mutex;
use serde::Serialize;

use crate::admission::AdmissionStats;
use crate::answered::Source;
use crate::gate::Refused;
use crate::text_tier::TextTier;

/// The most operations that are told apart.
const MOST: usize = 200;
const OTHERS: &str = "(others)";

/// What the AI cache did so far.
#[derive(Clone, Debug, Default, Serialize)]
#[non_exhaustive]
pub struct AiStats {
    /// By operation. 200 are told apart; what is beyond is `(others)`.
    pub operations: BTreeMap<String, OperationStats>,
    /// What went into tier 1.
    pub admission: AdmissionStats,
}

/// What happened to the requests of one operation.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct OperationStats {
    /// Answered from the cache.
    pub hits: u64,
    /// Of them, in tier 1. Of stale answers and of embeddings nobody says the tier.
    pub tier1_hits: u64,
    /// Of them, in the store.
    pub tier2_hits: u64,
    /// Of them, with an answer that was to be replaced.
    pub stale_hits: u64,
    /// Not in the cache, whether a model answered then or failed.
    pub misses: u64,
    /// Answered by the generation of another caller.
    pub joined: u64,
    /// Answers that were found under the request's name and were another request's.
    pub verified_away: u64,
    /// Answers that were not kept, by reason.
    pub refused: BTreeMap<&'static str, u64>,
    /// Requests by the size of their text: small, medium, large, xlarge.
    pub text_tiers: [u64; 4],
    /// Hits over hits and misses: 0 to 1, and 0 before the first.
    pub hit_ratio: f64,
    /// How long hits took, in microseconds.
    pub hit_latency: Latency,
    /// How long generations took, in microseconds; of streams without the time that their readers took.
    pub generation_latency: Latency,
}

/// How long something took: half, 95 % and 99 % took no longer, in microseconds, an hour at the most, and 0 if nothing did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Latency {
    /// The median.
    pub p50: u64,
    /// 95 % took no longer.
    pub p95: u64,
    /// 99 % took no longer.
    pub p99: u64,
}

/// The counters, by operation.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    by_operation: Mutex<HashMap<Box<str>, Box<Counts>>>,
}

struct Counts {
    seen: OperationStats,
    hits: Option<Histogram<u32>>,
    generations: Option<Histogram<u32>>,
}

impl std::fmt::Debug for Counts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.seen.fmt(f)
    }
}

/// Up to an hour, two digits.
fn histogram() -> Option<Histogram<u32>> {
    Histogram::new_with_bounds(1, 3_600_000_000, 2).ok()
}

fn record(histogram: &mut Option<Histogram<u32>>, took: Duration) {
    let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
    if let Some(histogram) = histogram {
        histogram.saturating_record(micros);
    }
}

fn latency(histogram: Option<&Histogram<u32>>) -> Latency {
    let at = |quantile| histogram.map_or(0, |histogram| histogram.value_at_quantile(quantile));
    if histogram.is_none_or(Histogram::is_empty) {
        return Latency::default();
    }
    Latency { p50: at(0.5), p95: at(0.95), p99: at(0.99) }
}

impl Counters {
    fn of(&self, operation: &str, change: impl FnOnce(&mut Counts)) {
        let mut all = self.by_operation.lock();
        if let Some(counts) = all.get_mut(operation) {
            return change(counts);
        }
        let name = if all.len() < MOST { operation } else { OTHERS };
        let new = || {
            Box::new(Counts { seen: OperationStats::default(), hits: histogram(), generations: histogram() })
        };
        change(all.entry(name.into()).or_insert_with(new));
    }

    /// A request was answered.
    pub(crate) fn answered(
        &self,
        operation: &str,
        text: TextTier,
        source: Source,
        tier: Option<Tier>,
        took: Option<Duration>,
    ) {
        self.of(operation, |counts| {
            let seen = &mut counts.seen;
            seen.text_tiers[text as usize] += 1;
            match source {
                Source::Cache | Source::Stale => {
                    seen.hits += 1;
                    seen.tier1_hits += u64::from(tier == Some(Tier::Local));
                    seen.tier2_hits += u64::from(tier == Some(Tier::Store));
                    seen.stale_hits += u64::from(source == Source::Stale);
                    took.into_iter().for_each(|took| record(&mut counts.hits, took));
                }
                Source::Joined => {
                    seen.misses += 1;
                    seen.joined += 1;
                }
                Source::Generated => {
                    seen.misses += 1;
                    took.into_iter().for_each(|took| record(&mut counts.generations, took));
                }
            }
        });
    }

    /// A request found nothing, and no whole answer was generated.
    pub(crate) fn missed(&self, operation: &str, text: TextTier) {
        self.of(operation, |counts| {
            counts.seen.misses += 1;
            counts.seen.text_tiers[text as usize] += 1;
        });
    }

    pub(crate) fn verified_away(&self, operation: &str) {
        self.of(operation, |counts| counts.seen.verified_away += 1);
    }

    pub(crate) fn refused(&self, operation: &str, reason: Refused) {
        self.of(operation, |counts| *counts.seen.refused.entry(reason.as_str()).or_default() += 1);
    }

    pub(crate) fn stats(&self) -> BTreeMap<String, OperationStats> {
        let all = self.by_operation.lock();
        let shown = all.iter().map(|(name, counts)| {
            let mut seen = counts.seen.clone();
            let reads = seen.hits + seen.misses;
            seen.hit_ratio = if reads == 0 { 0.0 } else { seen.hits as f64 / reads as f64 };
            seen.hit_latency = latency(counts.hits.as_ref());
            seen.generation_latency = latency(counts.generations.as_ref());
            (name.to_string(), seen)
        });
        shown.collect()
    }
}
