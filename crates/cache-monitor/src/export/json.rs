//! The snapshot as JSON.

use crate::monitor::PerformanceMonitor;

impl PerformanceMonitor {
    /// [`snapshot`](Self::snapshot) as one JSON object. Its fields are those of [`Snapshot`](crate::Snapshot); latencies are
    /// seconds.
    pub fn json(&self) -> String {
        // Numbers, words and maps with words as keys: there is nothing in it that JSON cannot say.
        serde_json::to_string(&self.snapshot()).unwrap_or_default()
    }
}
