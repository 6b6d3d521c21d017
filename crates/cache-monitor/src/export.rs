//! What is exported, whatever the form: names, types, units and labels in one table, and the samples of a snapshot.

mod catalogue;
#[cfg(all(test, feature = "prometheus"))]
mod check;
#[cfg(feature = "json")]
mod json;
#[cfg(feature = "metrics")]
mod metrics_facade;
#[cfg(feature = "prometheus")]
mod prometheus;
#[allow(dead_code, reason = "used in a build with an exporter of samples")]
mod samples;
#[cfg(all(test, feature = "prometheus"))]
mod tests;

pub use catalogue::{METRICS, Metric, MetricKind};
