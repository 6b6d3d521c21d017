//! The ledger and the statistics as metrics: one table of names, and the samples of a moment.

#[cfg(feature = "metrics")]
mod facade;
#[cfg(feature = "prometheus")]
mod prometheus;

use std::collections::BTreeMap;

use crate::cache::AiCache;
use crate::ledger::Sums;

/// A metric. All are counters.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Metric {
    /// Without `_total`, which every name ends in.
    name: &'static str,
    labels: &'static [&'static str],
    help: &'static str,
}

macro_rules! metrics {
    ($($constant:ident = $name:literal [$($label:literal),*] $help:literal;)*) => {
        $(const $constant: Metric = Metric { name: $name, labels: &[$($label),*], help: $help };)*

        /// All metrics. `docs/metrics-ai.md` is the same table for people, which a test compares.
        #[cfg(any(feature = "prometheus", test))]
        const METRICS: &[Metric] = &[$($constant),*];
    };
}

metrics! {
    REQUESTS = "ai_requests" ["cache", "operation", "result"]
        "Requests, by operation and result (hit, stale, joined, miss)";
    REFUSED = "ai_answers_refused" ["cache", "operation", "reason"]
        "Answers that were not kept, by operation and reason";
    VERIFIED_AWAY = "ai_answers_verified_away" ["cache", "operation"]
        "Answers that were found under a request's name and were another request's";
    CALLS = "ai_calls" ["cache", "operation", "model", "outcome"]
        "Answers, by who gave them: saved (no model had to) or spent (a model did)";
    TOKENS = "ai_tokens" ["cache", "operation", "model", "direction", "outcome"]
        "Tokens that went in or came out (input, output), saved or spent";
    MONEY = "ai_money" ["cache", "operation", "model", "currency", "outcome"]
        "Money by the price table, saved or spent";
    TIME_SAVED = "ai_time_saved_seconds" ["cache", "operation", "model"]
        "Time that nobody had to wait for a model";
}

/// A number, and what it is about, in the order of the metric's labels.
struct Sample {
    metric: &'static Metric,
    labels: Vec<(&'static str, String)>,
    value: f64,
}

impl AiCache {
    /// The samples of now, those of one metric together.
    fn samples(&self) -> Vec<Sample> {
        let cache = self.cache().namespace().as_str();
        let mut all = Vec::new();
        let mut tell = |metric: &'static Metric, labels: &[&str], value: f64| {
            let values = std::iter::once(&cache).chain(labels).map(|&label| label.to_owned());
            all.push(Sample { metric, labels: metric.labels.iter().copied().zip(values).collect(), value });
        };
        for (operation, seen) in &self.stats().operations {
            let results = [
                ("hit", seen.hits.saturating_sub(seen.stale_hits)),
                ("stale", seen.stale_hits),
                ("joined", seen.joined),
                ("miss", seen.misses.saturating_sub(seen.joined)),
            ];
            results.iter().for_each(|&(result, count)| tell(&REQUESTS, &[operation, result], float(count)));
            seen.refused.iter().for_each(|(why, &count)| tell(&REFUSED, &[operation, why], float(count)));
            tell(&VERIFIED_AWAY, &[operation], float(seen.verified_away));
        }
        let ledger = self.ledger();
        for ((operation, model), sums) in by_model(&ledger.lines) {
            let of = |label| [operation, model, label];
            tell(&CALLS, &of("saved"), float(sums.calls_saved));
            tell(&CALLS, &of("spent"), float(sums.calls_made));
            let tokens = [
                ("input", "saved", sums.input_tokens_saved),
                ("output", "saved", sums.output_tokens_saved),
                ("input", "spent", sums.input_tokens_spent),
                ("output", "spent", sums.output_tokens_spent),
            ];
            for (direction, outcome, count) in tokens {
                tell(&TOKENS, &[operation, model, direction, outcome], float(count));
            }
            for (outcome, money) in [("saved", sums.money_saved), ("spent", sums.money_spent)] {
                tell(&MONEY, &[operation, model, &ledger.currency, outcome], money);
            }
            tell(&TIME_SAVED, &[operation, model], float(sums.milliseconds_saved) / 1000.0);
        }
        all
    }
}

/// The lines of all tenants together: how many tenants there are is nobody's to bound.
fn by_model(lines: &[crate::ledger::LedgerLine]) -> BTreeMap<(&str, &str), Sums> {
    let mut sums: BTreeMap<_, Sums> = BTreeMap::new();
    for line in lines {
        sums.entry((&*line.operation, line.model.as_deref().unwrap_or_default()))
            .or_default()
            .add(&line.sums);
    }
    sums
}

#[allow(clippy::cast_precision_loss, reason = "exact up to 2^53, and a metric is a float anyway")]
fn float(count: u64) -> f64 {
    count as f64
}
