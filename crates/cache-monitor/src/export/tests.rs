//! What is exported, the page that describes it, and the dashboard, each against the others.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by a panic")]

use std::collections::{BTreeMap, BTreeSet};

use cache_core::{BreakerState, LinkStatus};
use proptest::prelude::*;

use super::catalogue::{METRICS, MetricKind};
use super::check::{Line, read};
use super::prometheus::text;
use super::samples::{Sample, Value, samples};
use crate::alert::{Alert, AlertKind, Severity};
use crate::latency::{BUCKETS, Percentiles};
use crate::snapshot::{CacheSnapshot, Snapshot, Timing};

const PAGE: &str = include_str!("../../../../docs/metrics.md");
const DASHBOARD: &str = include_str!("../../../../docs/grafana/cache.json");

/// A snapshot in which everything has happened.
fn full(cache: &str) -> Snapshot {
    let timing = |operation, tier, result| {
        let mut buckets = [0; BUCKETS.len()];
        (buckets[3], buckets[9]) = (4, 5);
        let latency = Percentiles { p50: 0.001, p95: 0.002, p99: 0.003, max: 0.004, mean: 0.001 };
        Timing {
            operation,
            tier,
            result,
            count: 10,
            slow: 1,
            seconds: 0.01,
            latency,
            buckets,
            ..Default::default()
        }
    };
    let words = |word| BTreeMap::from([(word, 3)]);
    let mut of = CacheSnapshot {
        cache: cache.to_owned(),
        is_there: true,
        reads: vec![timing("get", "store", "hit"), timing("get", "store", "miss")],
        store: vec![timing("get", "", "ok"), timing("get", "", "timeout")],
        loads: vec![timing("load", "", "stored")],
        writes: vec![timing("set", "", "stored")],
        work: vec![timing("compress", "", "")],
        staleness: timing("stale", "", ""),
        invalidations: words("delete"),
        refusals: words("foreign"),
        degradations: words("get"),
        misses: words("expired"),
        ..Default::default()
    };
    of.stats.store = Some("redis");
    of.stats.link = Some(LinkStatus::Up);
    of.stats.breaker.state = BreakerState::HalfOpen;
    of.stats.reads.tier1_hits = 7;
    let alert = Alert {
        cache: cache.to_owned(),
        kind: AlertKind::Memory,
        severity: Severity::Critical,
        value: 1.0,
        threshold: 1.0,
        raised_unix_ms: 1,
    };
    Snapshot { at_unix_ms: 1, caches: vec![of], alerts: vec![alert], caches_beyond: 0 }
}

fn exported(snapshot: &Snapshot) -> Vec<Line> {
    read(&text(samples(snapshot))).unwrap()
}

/// The name without what the type of a metric adds to it.
fn family(name: &str) -> &str {
    let histogram =
        |base: &&str| METRICS.iter().any(|it| it.name == *base && it.kind == MetricKind::Histogram);
    ["_bucket", "_sum", "_count"]
        .iter()
        .find_map(|end| name.strip_suffix(end).filter(histogram))
        .unwrap_or(name)
}

/// Exported names with their labels, as the table of the code has them.
fn table() -> BTreeMap<String, (MetricKind, BTreeSet<String>)> {
    let labels = |labels: &[&str]| labels.iter().map(|&label| label.to_owned()).collect();
    METRICS.iter().map(|it| (it.exported_name(), (it.kind, labels(it.labels)))).collect()
}

#[test]
fn all_that_is_in_the_table_is_exported_and_nothing_else() {
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for line in exported(&full("app")) {
        let labels = line.labels.into_keys().filter(|label| label != "le").collect();
        let before = found.insert(family(&line.name).to_owned(), labels);
        let now = &found[family(&line.name)];
        assert!(before.is_none_or(|before| before == *now), "{}", line.name);
    }
    let table: BTreeMap<_, _> = table().into_iter().map(|(name, (_, labels))| (name, labels)).collect();
    assert_eq!(found, table);
}

#[test]
fn the_page_has_the_table_that_the_code_has() {
    let ticked =
        |cell: &str| -> BTreeSet<String> { cell.split('`').skip(1).step_by(2).map(str::to_owned).collect() };
    let mut page = BTreeMap::new();
    for row in PAGE.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        let [name, kind, labels, help] = cells[..] else { panic!("{row}") };
        let name = name.trim_matches('`').to_owned();
        let kind = match kind {
            "counter" => MetricKind::Counter,
            "gauge" => MetricKind::Gauge,
            "histogram" => MetricKind::Histogram,
            other => panic!("{other}"),
        };
        let metric = METRICS.iter().find(|metric| metric.exported_name() == name);
        assert_eq!(metric.map(|metric| metric.help), Some(help), "{name}");
        page.insert(name, (kind, ticked(labels)));
    }
    assert_eq!(page, table());
    let ends: Vec<f64> = {
        let text = PAGE
            .split("upper ends, in seconds:")
            .nth(1)
            .and_then(|rest| rest.split(". Those").next())
            .unwrap();
        text.split(',').map(|end| end.trim().parse().unwrap()).collect()
    };
    assert_eq!(ends, BUCKETS);
}

/// Names and labels in a query, and the labels that it groups by.
fn query_names(query: &str) -> Vec<(String, Vec<String>)> {
    let mut found = Vec::new();
    let grouped: Vec<String> = query
        .split("by (")
        .skip(1)
        .filter_map(|rest| rest.split_once(')'))
        .flat_map(|(labels, _)| labels.split(',').map(|label| label.trim().to_owned()))
        .filter(|label| label != "le")
        .collect();
    for (at, _) in query.match_indices('{') {
        let is_of_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let name: String = query[..at].chars().rev().take_while(|&c| is_of_name(c)).collect();
        let name: String = name.chars().rev().collect();
        let inside = query[at + 1..].split_once('}').unwrap().0;
        let mut labels: Vec<String> = inside
            .split(", ")
            .map(|matcher| matcher.split(['=', '!']).next().unwrap().trim().to_owned())
            .collect();
        labels.extend(grouped.iter().cloned());
        found.push((name, labels));
    }
    found
}

#[test]
fn every_query_of_the_dashboard_asks_for_what_exists_and_nothing_is_left_out() {
    let dashboard: serde_json::Value = serde_json::from_str(DASHBOARD).unwrap();
    let (table, mut asked) = (table(), BTreeSet::new());
    for panel in dashboard["panels"].as_array().unwrap() {
        let targets = panel["targets"].as_array().unwrap();
        assert!(!targets.is_empty(), "{panel}");
        for target in targets {
            let query = target["expr"].as_str().unwrap();
            let names = query_names(query);
            assert!(!names.is_empty(), "{query}");
            for (name, labels) in names {
                let (kind, known) = table.get(family(&name)).unwrap_or_else(|| panic!("{name} in {query}"));
                let is_part = name != family(&name);
                assert_eq!(is_part, *kind == MetricKind::Histogram, "{query}");
                for label in labels {
                    assert!(known.contains(&label), "{label} in {query}");
                }
                asked.insert(family(&name).to_owned());
            }
        }
    }
    assert_eq!(asked, table.into_keys().collect());
}

#[test]
fn numbers_are_those_of_the_snapshot() {
    let lines = exported(&full("app"));
    let value = |name: &str, labels: &[(&str, &str)]| {
        let has = |line: &&Line| {
            line.name == name
                && labels.iter().all(|(label, value)| line.labels.get(*label).is_some_and(|it| it == value))
        };
        let found: Vec<&Line> = lines.iter().filter(has).collect();
        assert_eq!(found.len(), 1, "{name} {labels:?}");
        found[0].value
    };
    assert_eq!(value("cache_reads_total", &[("tier", "memory"), ("result", "hit")]), 7.0);
    assert_eq!(value("cache_alert", &[("alert", "memory")]), 2.0);
    assert_eq!(value("cache_alert", &[("alert", "hit_ratio")]), 0.0);
    assert_eq!(value("cache_breaker_open", &[]), 0.5);
    let store = [("error_type", "timeout"), ("db_system_name", "redis")];
    assert_eq!(value("db_client_operation_duration_seconds_count", &store), 10.0);
    assert_eq!(value("db_client_operation_duration_seconds_bucket", &[store[0], ("le", "0.001")]), 9.0);
    assert_eq!(value("db_client_operation_duration_seconds_bucket", &[store[0], ("le", "+Inf")]), 10.0);
}

proptest! {
    /// Quotes, backslashes, new lines, any character: what goes in as a label is read as the same label.
    #[test]
    fn any_text_can_be_a_label(cache in "(\\PC|\n|\"|\\\\|\r|\t|#|\\{|\\}|,|=){0,40}") {
        let lines = exported(&full(&cache));
        prop_assert!(!lines.is_empty());
        for line in &lines {
            prop_assert_eq!(&line.labels["cache"], &cache);
        }
        let again: Vec<Sample> = samples(&full(&cache));
        prop_assert_eq!(exported(&full("app")).len(), lines.len());
        prop_assert!(again.iter().all(|it| it.labels[0] == ("cache", cache.clone())));
    }
}

#[test]
fn an_empty_snapshot_is_well_formed() {
    assert_eq!(exported(&Snapshot::default()), []);
}

#[cfg(feature = "metrics")]
#[test]
fn the_facade_is_handed_the_same() {
    use metrics_util::debugging::{DebugValue, DebuggingRecorder};

    let recorder = DebuggingRecorder::new();
    let shown = recorder.snapshotter();
    metrics::with_local_recorder(&recorder, || super::metrics_facade::publish(samples(&full("app"))));
    let mut names = BTreeSet::new();
    for (key, _, _, value) in shown.snapshot().into_vec() {
        let name = key.key().name().to_owned();
        let labels: BTreeMap<&str, &str> = key.key().labels().map(|it| (it.key(), it.value())).collect();
        assert_eq!(labels["cache"], "app");
        if name == "cache_reads_total" && labels["tier"] == "memory" {
            assert_eq!(value, DebugValue::Counter(7));
        }
        if name == "cache_load_duration_seconds" && labels["quantile"] == "0.99" {
            assert_eq!(value, DebugValue::Gauge(0.003.into()));
        }
        names.insert(family(&name).to_owned());
    }
    assert_eq!(names, table().into_keys().collect());
}

#[test]
fn samples_of_one_metric_are_together() {
    let mut two = full("a");
    two.caches.extend(full("b").caches);
    let all = samples(&two);
    let names: Vec<&str> = all.iter().map(|sample| sample.metric.name).collect();
    let mut once = names.clone();
    once.dedup();
    assert_eq!(once.len(), once.iter().collect::<BTreeSet<_>>().len());
    assert!(all.iter().any(|sample| matches!(sample.value, Value::Histogram { .. })));
}
