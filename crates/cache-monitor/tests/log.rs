//! The log has one line for each change of an alert, and none for what happens.
//!
//! In one test, because who is told of the log is remembered for the whole process.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by a panic")]

use std::fmt::Debug;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use cache_memory::MemoryTier;
use cache_monitor::{PerformanceMonitor, Thresholds};
use cache_testkit::FakeClock;
use cache_tiered::{Cache, Namespace};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

#[tokio::test]
async fn there_is_one_line_a_change() {
    let log = Log::default();
    let _guard = tracing::subscriber::set_default(log.clone());
    let clock = FakeClock::new();
    let monitor = PerformanceMonitor::builder().clock(clock.clone()).build().unwrap();
    let tier = Arc::new(MemoryTier::new(1000, 64 << 20, clock.clone()).unwrap());
    let cache = Cache::builder(Namespace::new("app").unwrap()).local(tier).timer(clock.clone());
    let cache = cache.observer(monitor.clone()).build().unwrap();
    let thresholds = |warning, critical| {
        let quiet = Thresholds { hit_ratio_warning: 0.0, ..Thresholds::default() };
        let thresholds = Thresholds { memory_warning: warning, memory_critical: critical, ..quiet };
        monitor.configure_thresholds(thresholds).unwrap();
        for _ in 0..5 {
            monitor.check();
        }
    };
    for n in 0..2000 {
        cache.set(n.to_string(), "v", Duration::from_secs(60)).await.unwrap();
        cache.get::<String>(n.to_string()).await.unwrap();
        cache.get::<String>("none").await.unwrap();
    }
    assert_eq!(log.take(), [""; 0], "nothing is said of what happens");
    thresholds(1, 2);
    thresholds(1, 1 << 40);
    thresholds(1 << 40, 1 << 41);
    let lines = log.take();
    let wanted = ["WARN an alert is up", "INFO an alert eased", "INFO an alert is over"];
    assert_eq!(lines.len(), wanted.len(), "{lines:#?}");
    for (line, wanted) in lines.iter().zip(wanted) {
        assert!(line.starts_with(wanted) && line.contains("cache=\"app\" kind=\"memory\""), "{line}");
    }
}

/// Keeps the lines.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

struct Line {
    message: String,
    fields: String,
}

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if field.name() == "message" {
            self.message = format!("{value:?}");
        } else {
            self.fields.push_str(&format!(" {}={value:?}", field.name()));
        }
    }
}

impl Subscriber for Log {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("cache_") && *metadata.level() <= Level::INFO
    }

    fn event(&self, event: &Event<'_>) {
        let mut line = Line { message: String::new(), fields: String::new() };
        event.record(&mut line);
        let Line { message, fields } = line;
        self.0.lock().unwrap().push(format!("{} {message}{fields}", event.metadata().level()));
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}
