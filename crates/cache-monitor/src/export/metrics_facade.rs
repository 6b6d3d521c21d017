//! Through the facade of the crate `metrics`, to whatever exporter the application has installed.

use metrics::{Label, counter, gauge};

use super::samples::{Sample, Value, samples};
use crate::monitor::PerformanceMonitor;

impl PerformanceMonitor {
    /// Hands all [metrics](crate::METRICS) to the recorder of the crate `metrics` that is installed. Call it every so often.
    ///
    /// The facade takes single values for its histograms, and what is measured here is counted here already. So of a
    /// histogram come a counter `{name}_count` and gauges `{name}` with the label `quantile`: `0.5`, `0.95`, `0.99` and `1`.
    pub fn publish(&self) {
        publish(samples(&self.snapshot()));
    }
}

pub(super) fn publish(samples: Vec<Sample>) {
    for sample in samples {
        let name = sample.metric.exported_name();
        let labels: Vec<Label> =
            sample.labels.into_iter().map(|(label, value)| Label::new(label, value)).collect();
        match sample.value {
            Value::Count(count) => counter!(name, labels).absolute(count),
            Value::Gauge(value) => gauge!(name, labels).set(value),
            Value::Histogram { count, latency, .. } => {
                counter!(format!("{name}_count"), labels.clone()).absolute(count);
                let quantiles =
                    [("0.5", latency.p50), ("0.95", latency.p95), ("0.99", latency.p99), ("1", latency.max)];
                for (quantile, value) in quantiles {
                    let mut labels = labels.clone();
                    labels.push(Label::new("quantile", quantile));
                    gauge!(name.clone(), labels).set(value);
                }
            }
        }
    }
}
