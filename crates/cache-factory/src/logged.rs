//! `debug_logging`: what happens in a cache as lines of the log.

use std::sync::{Arc, Weak};

use cache_core::{Event, Namespace, Observer, Watched};

/// Logs every event that it is told, at the level `debug`, and tells the next. Keys are redacted, values are not there. Of hits
/// in tier 1 an observer is told a sample, so that hits stay as fast as they are.
#[derive(Debug)]
pub(crate) struct Logged {
    cache: String,
    next: Option<Arc<dyn Observer>>,
}

impl Logged {
    pub(crate) fn before(next: Option<Arc<dyn Observer>>) -> Arc<Self> {
        Arc::new(Self { cache: String::new(), next })
    }
}

impl Observer for Logged {
    fn event(&self, event: &Event<'_>) {
        tracing::debug!(cache = self.cache, "{event:?}");
        if let Some(next) = &self.next {
            next.event(event);
        }
    }

    fn attach(&self, namespace: &Namespace, cache: Weak<dyn Watched>) -> Option<Arc<dyn Observer>> {
        let next = self.next.clone().map(|next| next.attach(namespace, cache).unwrap_or(next));
        Some(Arc::new(Self { cache: namespace.as_str().to_owned(), next }))
    }
}
