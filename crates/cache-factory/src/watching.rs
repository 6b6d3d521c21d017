//! The monitor that a configuration asks for.

use std::sync::Arc;

use cache_core::{Clock, Error, Problems, Timer};
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
        let thresholds = MonitorConfig { enabled: None, ..config.clone() };
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
