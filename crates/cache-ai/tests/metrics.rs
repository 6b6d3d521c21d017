//! What is exported of the ledger and the statistics, and the page that describes it.
#![cfg(all(feature = "prometheus", feature = "metrics"))]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by a panic")]

mod common;

use std::collections::{BTreeMap, BTreeSet};

use cache_ai::{AiCache, AiSettings, Control, Finish, Generated, Loaded, PriceTable, Usage};
use cache_testkit::FakeClock;
use common::{ask, private};
use metrics_util::debugging::{DebugValue, DebuggingRecorder};

const PAGE: &str = include_str!("../../../docs/metrics-ai.md");

/// A cache to which everything that is counted has happened.
async fn used() -> AiCache {
    let prices = PriceTable::new("USD").model("m-1", 2.0, 10.0);
    let cache = private(&FakeClock::new(), AiSettings::new().prices(prices));
    for finish in [Finish::Length, Finish::Stop, Finish::Stop, Finish::Stop] {
        let generator = move || async move {
            Loaded::Ok(Generated::new("x".to_owned()).usage(Usage::new(500_000, 100_000)).finish(finish))
        };
        cache.get_or_generate(&ask("x"), Control::new(), generator).await.unwrap();
    }
    cache
}

/// Names and labels as the page has them.
fn page() -> BTreeMap<String, BTreeSet<String>> {
    let rows = PAGE.lines().filter_map(|line| line.strip_prefix("| `"));
    let words = |cell: &str| cell.split('`').skip(1).step_by(2).map(str::to_owned).collect();
    rows.map(|row| {
        let cells: Vec<&str> = row.split('|').collect();
        assert_eq!(cells[1].trim(), "counter");
        (cells[0].trim().trim_end_matches('`').to_owned(), words(cells[2]))
    })
    .collect()
}

/// Lines with numbers: name with labels, and the number.
fn numbers(text: &str) -> BTreeMap<&str, f64> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines.map(|line| line.rsplit_once(' ').unwrap()).map(|(of, n)| (of, n.parse().unwrap())).collect()
}

#[tokio::test]
async fn the_page_the_text_and_the_facade_say_the_same() {
    let cache = used().await;
    let text = cache.prometheus();
    assert!(text.ends_with("# EOF\n"));
    let mut exported = BTreeMap::new();
    for of in numbers(&text).keys() {
        let (name, labels) = of.trim_end_matches('}').split_once('{').unwrap();
        let labels = labels.split(',').map(|label| label.split_once('=').unwrap().0.to_owned());
        exported.insert(name.to_owned(), labels.collect::<BTreeSet<_>>());
    }
    assert_eq!(exported, page());

    let recorder = DebuggingRecorder::new();
    let shown = recorder.snapshotter();
    metrics::with_local_recorder(&recorder, || cache.publish());
    let mut told = BTreeMap::new();
    let mut numbers = Vec::new();
    for (key, _, _, value) in shown.snapshot().into_vec() {
        let labels = key.key().labels().map(|label| label.key().to_owned()).collect::<BTreeSet<_>>();
        told.insert(key.key().name().to_owned(), labels);
        numbers.push(match value {
            DebugValue::Counter(count) => count as f64,
            DebugValue::Gauge(value) => value.0,
            DebugValue::Histogram(_) => panic!("there is none"),
        });
    }
    assert_eq!(told, page());
    let sum = |all: &[f64]| all.iter().sum::<f64>();
    assert!((sum(&numbers) - sum(&self::numbers(&text).into_values().collect::<Vec<_>>())).abs() < 1e-9);
}

#[tokio::test]
async fn what_is_exported_is_what_the_ledger_says() {
    let cache = used().await;
    let text = cache.prometheus();
    let numbers = numbers(&text);
    let about = r#"cache="test",operation="qa",model="m-1""#;
    for (of, expected) in [
        (r#"ai_requests_total{cache="test",operation="qa",result="hit"}"#.to_owned(), 2.0),
        (r#"ai_requests_total{cache="test",operation="qa",result="miss"}"#.to_owned(), 2.0),
        (r#"ai_answers_refused_total{cache="test",operation="qa",reason="length"}"#.to_owned(), 1.0),
        (format!(r#"ai_calls_total{{{about},outcome="saved"}}"#), 2.0),
        (format!(r#"ai_calls_total{{{about},outcome="spent"}}"#), 2.0),
        (format!(r#"ai_tokens_total{{{about},direction="input",outcome="saved"}}"#), 1_000_000.0),
        (format!(r#"ai_tokens_total{{{about},direction="output",outcome="spent"}}"#), 200_000.0),
        (format!(r#"ai_money_total{{{about},currency="USD",outcome="saved"}}"#), 4.0),
    ] {
        let shown = numbers.get(&*of).copied();
        assert_eq!(shown, Some(expected), "{of} in\n{text}");
    }
}
