//! A monitor that only the configuration asks for exists, judges by the thresholds that stand there, and says so.
#![cfg(all(feature = "memory", feature = "monitor"))]
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

#[path = "common/log.rs"]
mod log;

use std::time::Duration;

use cache_factory::durations::{mins, secs};
use cache_factory::{CacheConfig, CacheFactory, CacheSetup, PerformanceMonitor, Thresholds};
use cache_testkit::{FakeClock, Recorder, settle};
use log::Log;

fn toml(text: &str) -> CacheSetup {
    CacheFactory::new().from_config(CacheConfig::from_toml(text).unwrap())
}

fn variables<const N: usize>(variables: [(&str, &str); N]) -> CacheSetup {
    CacheFactory::from_variables(variables).unwrap()
}

fn thresholds(mut setup: CacheSetup) -> Option<Thresholds> {
    setup.monitor().unwrap().map(|monitor| monitor.thresholds())
}

const ALL: &str = "[performance_monitor]\nmemory_warning = 1000\nmemory_critical = 2000\nhit_ratio_warning = 0.5\n\
                   operation_slow = 0.02";

#[test]
fn thresholds_are_those_of_the_file_of_variables_or_of_the_environment() {
    let all = Thresholds {
        memory_warning: 1000,
        memory_critical: 2000,
        hit_ratio_warning: 0.5,
        operation_slow: Duration::from_millis(20),
    };
    assert_eq!(thresholds(toml(ALL)), Some(all));
    let setup = variables([
        ("CACHE_PERFORMANCE_MONITOR_MEMORY_WARNING", "1000"),
        ("CACHE_PERFORMANCE_MONITOR_MEMORY_CRITICAL", "2000"),
        ("CACHE_PERFORMANCE_MONITOR_HIT_RATIO_WARNING", "0.5"),
        ("CACHE_PERFORMANCE_MONITOR_OPERATION_SLOW", "0.02"),
    ]);
    assert_eq!(thresholds(setup), Some(all));
    let usual = Some(Thresholds::default());
    assert_eq!(thresholds(toml("[performance_monitor]")), usual);
    assert_eq!(thresholds(toml("performance_monitor.enabled = true")), usual);
    assert_eq!(thresholds(variables([("CACHE_PERFORMANCE_MONITOR_ENABLED", "true")])), usual);
    let strict = toml("environment = 'high-performance'\ntype = 'memory'\n[performance_monitor]");
    assert_eq!(thresholds(strict), Some(Thresholds::high_performance()));
    for none in
        ["", "environment = 'high-performance'\ntype = 'memory'", "performance_monitor.enabled = false"]
    {
        assert_eq!(thresholds(toml(none)), None, "{none}");
    }
}

#[test]
fn a_variable_wins_over_the_file_threshold_by_threshold_or_switches_it_off() {
    let path = std::env::temp_dir().join(format!("cache-monitor-{}.toml", std::process::id()));
    std::fs::write(&path, ALL).unwrap();
    let file = ("CACHE_CONFIG", path.to_str().unwrap());
    let found =
        thresholds(variables([file, ("CACHE_PERFORMANCE_MONITOR_HIT_RATIO_WARNING", "0.9")])).unwrap();
    assert_eq!((found.hit_ratio_warning, found.memory_warning), (0.9, 1000));
    assert_eq!(thresholds(variables([file, ("CACHE_PERFORMANCE_MONITOR_ENABLED", "false")])), None);
    std::fs::remove_file(&path).unwrap();
}

#[tokio::test]
async fn it_watches_and_judges_by_itself() {
    let log = Log::default();
    let _guard = tracing::subscriber::set_default(log.clone());
    let clock = FakeClock::new();
    let cache =
        toml("namespace = 'shop'\n[performance_monitor]\nmemory_warning = 1\nmemory_critical = 1000000")
            .timer(clock.clone())
            .await
            .unwrap();
    cache.set("user:1", "value", mins(5)).await.unwrap();
    settle().await;
    clock.advance(secs(10));
    settle().await;
    let lines = log.lines();
    assert!(lines.iter().any(|line| line.contains("an alert is up") && line.contains("shop")), "{lines:#?}");
}

#[tokio::test]
async fn the_application_can_have_it() {
    let mut setup = toml(ALL);
    let monitor = setup.monitor().unwrap().unwrap();
    assert!(std::sync::Arc::ptr_eq(&monitor, &setup.monitor().unwrap().unwrap()), "it is one");
    let cache = setup.await.unwrap();
    cache.get::<String>("user:1").await.unwrap();
    assert_eq!(monitor.snapshot().caches[0].stats.reads.misses, 1);
}

#[tokio::test]
async fn a_monitor_in_code_stands_in_its_place() {
    let own = PerformanceMonitor::new();
    let mut setup = toml(ALL).performance_monitor(own.clone());
    assert_eq!(setup.monitor().unwrap().unwrap().thresholds(), Thresholds::default());
    let cache = setup.await.unwrap();
    cache.get::<String>("user:1").await.unwrap();
    assert_eq!(own.snapshot().caches.len(), 1);
}

#[tokio::test]
async fn what_is_wrong_or_has_no_effect_is_an_error() {
    for (text, problem) in [
        ("hit_ratio_warning = 60", "performance_monitor: hit_ratio_warning is 60, 0 to 1 are allowed"),
        ("memory_warning = 0", "performance_monitor: memory_warning is 0 bytes"),
        ("operation_slow = 0", "performance_monitor: operation_slow is 0ns"),
        (
            "memory_warning = -1",
            "performance_monitor.memory_warning is -1, a whole number, 1 or more, is expected",
        ),
        ("memory_warning = 2\nmemory_critical = 1", "performance_monitor: memory_critical is 1 bytes"),
        ("enabled = 'yes'", "performance_monitor.enabled is a text, true or false is expected"),
    ] {
        let error = CacheConfig::from_toml(&format!("[performance_monitor]\n{text}")).unwrap_err();
        assert!(error.message().starts_with(problem), "{error}");
    }
    let error = CacheConfig::from_toml("performance_monitor.hit_ratio = 0.5").unwrap_err();
    assert!(error.message().ends_with("; did you mean hit_ratio_warning?"), "{error}");
    let error = CacheConfig::from_toml("performance_monitor = true").unwrap_err();
    assert_eq!(error.message(), "performance_monitor is true, a table is expected");

    let refused = async |setup: CacheSetup, problem: &str| {
        let error = setup.await.unwrap_err();
        assert!(error.message().starts_with(problem), "{error}");
    };
    let beyond = "[performance_monitor]\nmemory_warning = 150000000";
    refused(toml(beyond), "performance_monitor: memory_critical is 100000000 bytes, more than").await;
    let off = "[performance_monitor]\nenabled = false\nhit_ratio_warning = 0.5";
    refused(toml(off), "performance_monitor: thresholds have no effect on a monitor that is not enabled")
        .await;
    let both = toml("[performance_monitor]").observer(Recorder::new(10));
    refused(both, "observer and performance_monitor").await;
}
