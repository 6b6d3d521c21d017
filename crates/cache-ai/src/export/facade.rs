//! Through the facade of the crate `metrics`, to whatever exporter the application has installed.

use metrics::{Label, counter, gauge};

use super::{MONEY, TIME_SAVED};
use crate::cache::AiCache;

impl AiCache {
    /// Hands the ledger and the statistics to the recorder of the crate `metrics` that is installed. Call it every so
    /// often. The facade's counters are whole numbers, so money and seconds are gauges there.
    pub fn publish(&self) {
        for sample in self.samples() {
            let name = format!("{}_total", sample.metric.name);
            let labels: Vec<Label> =
                sample.labels.into_iter().map(|(label, value)| Label::new(label, value)).collect();
            if [&MONEY, &TIME_SAVED].contains(&sample.metric) {
                gauge!(name, labels).set(sample.value);
            } else {
                #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it was a count")]
                counter!(name, labels).absolute(sample.value as u64);
            }
        }
    }
}
