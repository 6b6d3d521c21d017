//! What an application adds to what a monitor shows.

use std::fmt;
use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;

use crate::monitor::PerformanceMonitor;

/// Most sections; the oldest makes room.
const MOST: usize = 32;

/// Something that an application or a layer above the cache adds: an AI cache what it saved, for example.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Section {
    /// What kind of thing it is. The page knows how to show `ai`; all others as a table.
    pub kind: String,
    /// Which of its kind: the namespace of a cache, for example.
    pub name: String,
    /// What it says.
    pub content: Value,
}

/// Says what is to be shown now, or nothing when it is gone.
type Tell = Arc<dyn Fn() -> Option<Value> + Send + Sync>;

#[derive(Default)]
pub(crate) struct Sections(parking_lot::Mutex<Vec<(String, String, Tell)>>);

impl Sections {
    fn now(&self) -> Vec<Section> {
        // Asked without the lock: what is asked may take locks of its own.
        let all = self.0.lock().clone();
        let mut shown = Vec::new();
        for (kind, name, tell) in all {
            let told = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| tell()));
            match told.unwrap_or_else(|_| Some("it panicked".into())) {
                Some(content) => shown.push(Section { kind, name, content }),
                None => self.0.lock().retain(|(_, _, held)| !Arc::ptr_eq(held, &tell)),
            }
        }
        shown
    }
}

impl PerformanceMonitor {
    /// Shows something more, under this kind and name: whatever `tell` says when somebody looks, until it says nothing. It
    /// is called by whoever asks for a report: let it be quick, and keep nothing alive that keeps this monitor. It is shown as
    /// it is, so let there be no secret in it. At most 32 are shown; the oldest makes room.
    ///
    /// ```
    /// use cache_monitor::PerformanceMonitor;
    ///
    /// let monitor = PerformanceMonitor::new();
    /// monitor.add_section("release", "web", || Some([("version", "4.2"), ("zone", "b")]));
    /// assert_eq!(monitor.sections()[0].content[0][1], "4.2");
    /// ```
    pub fn add_section<S: Serialize>(
        &self,
        kind: impl Into<String>,
        name: impl Into<String>,
        tell: impl Fn() -> Option<S> + Send + Sync + 'static,
    ) {
        let tell: Tell = Arc::new(move || Some(serde_json::to_value(tell()?).unwrap_or_default()));
        let mut sections = self.sections.0.lock();
        if sections.len() == MOST {
            sections.remove(0);
        }
        sections.push((kind.into(), name.into(), tell));
    }

    /// What was added by [`add_section`](Self::add_section), as it is now.
    pub fn sections(&self) -> Vec<Section> {
        self.sections.now()
    }
}

impl fmt::Debug for Sections {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} sections", self.0.lock().len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_are_few_and_end_with_what_they_are_about() {
        let monitor = PerformanceMonitor::new();
        let subject = Arc::new("here");
        let weak = Arc::downgrade(&subject);
        for n in 0..50 {
            let weak = weak.clone();
            monitor.add_section("kind", n.to_string(), move || weak.upgrade().map(|subject| *subject));
        }
        let sections = monitor.sections();
        assert_eq!((sections.len(), &*sections[0].name), (MOST, "18"));
        assert_eq!(sections[0].content, "here");
        drop(subject);
        assert_eq!(monitor.sections(), []);
        assert!(monitor.sections.0.lock().is_empty());
    }
}
