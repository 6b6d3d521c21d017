//! The text that Prometheus scrapes, in the format `OpenMetrics`.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::exemplar::Exemplar;
use prometheus_client::registry::Registry;

use super::catalogue::{METRICS, MetricKind};
use super::samples::{Sample, Value, samples};
use crate::latency::BUCKETS;
use crate::monitor::PerformanceMonitor;

impl PerformanceMonitor {
    /// The content type of [`prometheus`](Self::prometheus).
    pub const PROMETHEUS_CONTENT_TYPE: &'static str =
        "application/openmetrics-text; version=1.0.0; charset=utf-8";

    /// All [metrics](crate::METRICS) as text for Prometheus, in the format `OpenMetrics` 1.0.
    pub fn prometheus(&self) -> String {
        text(samples(&self.snapshot()))
    }
}

pub(super) fn text(samples: Vec<Sample>) -> String {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Samples(samples)));
    let mut text = String::new();
    // Writing to a string does not fail.
    prometheus_client::encoding::text::encode(&mut text, &registry).ok();
    text
}

#[derive(Debug)]
struct Samples(Vec<Sample>);

impl Collector for Samples {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        for metric in METRICS {
            let kind = match metric.kind {
                MetricKind::Counter => MetricType::Counter,
                MetricKind::Gauge => MetricType::Gauge,
                MetricKind::Histogram => MetricType::Histogram,
            };
            let mut family = encoder.encode_descriptor(metric.name, metric.help, None, kind)?;
            for sample in self.0.iter().filter(|sample| sample.metric == metric) {
                encode(family.encode_family(&sample.labels)?, &sample.value)?;
            }
        }
        Ok(())
    }
}

fn encode(mut encoder: MetricEncoder<'_>, value: &Value) -> Result<(), fmt::Error> {
    match value {
        Value::Count(count) => encoder.encode_counter(count, None::<&Exemplar<NoLabelSet, u64>>),
        Value::Gauge(value) => encoder.encode_gauge(value),
        Value::Histogram { seconds, count, buckets, .. } => {
            let mut ends: Vec<(f64, u64)> = BUCKETS.into_iter().zip(*buckets).collect();
            ends.push((f64::INFINITY, count - buckets.iter().sum::<u64>()));
            encoder.encode_histogram::<NoLabelSet>(*seconds, *count, &ends, None)
        }
    }
}
