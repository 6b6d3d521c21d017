//! The text that Prometheus scrapes.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, NoLabelSet, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::exemplar::Exemplar;
use prometheus_client::registry::Registry;

use super::METRICS;
use crate::cache::AiCache;

impl AiCache {
    /// The ledger and the statistics as text for Prometheus, in the format `OpenMetrics` 1.0.
    pub fn prometheus(&self) -> String {
        let mut registry = Registry::default();
        registry.register_collector(Box::new(self.collector()));
        let mut out = String::new();
        // Writing to a string does not fail.
        text::encode(&mut out, &registry).ok();
        out
    }

    /// The same for a registry of your own, which keeps the cache.
    pub fn collector(&self) -> impl Collector + use<> {
        Now(self.clone())
    }
}

#[derive(Debug)]
struct Now(AiCache);

impl Collector for Now {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let samples = self.0.samples();
        for metric in METRICS {
            let mut family =
                encoder.encode_descriptor(metric.name, metric.help, None, MetricType::Counter)?;
            for sample in samples.iter().filter(|sample| sample.metric == metric) {
                let none = None::<&Exemplar<NoLabelSet, f64>>;
                family.encode_family(&sample.labels)?.encode_counter(&sample.value, none)?;
            }
        }
        Ok(())
    }
}
