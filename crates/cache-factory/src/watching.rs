//! The monitor that a configuration asks for.

use std::sync::{Arc, Weak};

use cache_core::{Clock, Error, Event, Namespace, Observer, Problems, Timer, Watched};
use cache_monitor::{PerformanceMonitor, Thresholds};

use crate::config::{CacheConfig, MonitorConfig};
use crate::presets::Preset;
use crate::resolve::Plan;

/// By what it judges, in a cache of this preset; `None` if there is to be none.
pub(crate) fn thresholds(
    preset: &Preset,
    chosen: &CacheConfig,
    problems: &mut Problems,
) -> Option<Thresholds> {
    let config = chosen.performance_monitor.as_ref()?;
    if config.enabled == Some(false) {
        let thresholds = MonitorConfig { enabled: None, ..*config };
        problems.check(thresholds == MonitorConfig::default(), || {
            "performance_monitor: thresholds have no effect on a monitor that is not enabled, leave them out"
                .to_owned()
        });
        return None;
    }
    let thresholds = over(config, preset.thresholds());
    let mut alone = Problems::default();
    check_alone(config, &mut alone);
    // What each of them is wrong in has been said with the ranges.
    if alone.into_list().is_empty() {
        add(thresholds, problems);
    }
    Some(thresholds)
}

/// Adds what is out of range by itself; whether two thresholds fit together depends on what else is said.
pub(crate) fn check_alone(config: &MonitorConfig, problems: &mut Problems) {
    let widest = Thresholds { memory_warning: 1, memory_critical: u64::MAX, ..Thresholds::default() };
    add(over(config, widest), problems);
}

/// Makes it.
///
/// # Errors
/// None that is not found when the plan is made.
pub(crate) fn made(
    plan: &Plan,
    timer: Option<&Arc<dyn Timer>>,
) -> Result<Option<Arc<PerformanceMonitor>>, Error> {
    let Some(thresholds) = plan.monitor else { return Ok(None) };
    let mut builder = PerformanceMonitor::builder().thresholds(thresholds);
    if let Some(timer) = timer {
        let clock: Arc<dyn Clock> = timer.clone();
        builder = builder.clock(clock);
    }
    builder.build().map(Some)
}

/// A monitor as an observer that keeps it: a cache holds what watches itself, and perhaps nobody else holds the monitor.
#[derive(Debug)]
pub(crate) struct Kept {
    monitor: Arc<PerformanceMonitor>,
    /// What the cache reports to, once it is attached.
    watch: Arc<dyn Observer>,
}

impl Kept {
    pub(crate) fn new(monitor: Arc<PerformanceMonitor>) -> Self {
        Self { watch: monitor.clone(), monitor }
    }
}

impl Observer for Kept {
    fn event(&self, event: &Event<'_>) {
        self.watch.event(event);
    }

    fn attach(&self, namespace: &Namespace, cache: Weak<dyn Watched>) -> Option<Arc<dyn Observer>> {
        let watch = self.watch.attach(namespace, cache)?;
        Some(Arc::new(Self { monitor: self.monitor.clone(), watch }))
    }
}

fn over(config: &MonitorConfig, usual: Thresholds) -> Thresholds {
    Thresholds {
        memory_warning: config.memory_warning.unwrap_or(usual.memory_warning),
        memory_critical: config.memory_critical.unwrap_or(usual.memory_critical),
        hit_ratio_warning: config.hit_ratio_warning.unwrap_or(usual.hit_ratio_warning),
        operation_slow: config.operation_slow.unwrap_or(usual.operation_slow),
    }
}

fn add(thresholds: Thresholds, problems: &mut Problems) {
    let mut found = Problems::default();
    thresholds.find_problems(&mut found);
    problems.add_all(found, "performance_monitor");
}
