#![cfg_attr(any(not(doctest), feature = "http"), doc = include_str!("../README.md"))]

mod advice;
mod alert;
mod builder;
mod export;
mod health;
mod history;
#[cfg(feature = "http")]
mod http;
mod largest;
mod latency;
mod memory;
mod miss;
mod monitor;
mod report;
mod ring;
#[cfg(feature = "json")]
mod section;
mod sketch;
mod slots;
mod snapshot;
mod thresholds;
mod watch;

pub use advice::Recommendation;
pub use alert::{Alert, AlertChange, AlertKind, Severity};
pub use builder::MonitorBuilder;
pub use export::{METRICS, Metric, MetricKind};
pub use health::Overview;
pub use history::{CacheHistory, Point};
#[cfg(feature = "http")]
pub use http::{Serve, Served};
pub use latency::{BUCKETS, Percentiles};
pub use miss::MissReason;
#[doc(alias = "CachePerformanceMonitor")]
pub use monitor::PerformanceMonitor;
pub use report::{BigKey, HotKey};
#[cfg(feature = "json")]
pub use section::Section;
pub use snapshot::{CacheSnapshot, Snapshot, Timing, WrittenStats};
pub use thresholds::Thresholds;
