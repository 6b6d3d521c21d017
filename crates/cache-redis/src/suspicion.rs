//! How those who use a connection say that it must be given up.

use std::sync::Arc;

use cache_core::{Error, LinkId};
use parking_lot::Mutex;
use tokio::sync::Notify;

/// Raised by users of a connection, heard by the task that keeps the link up.
#[derive(Clone, Debug, Default)]
pub(crate) struct Suspicion(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    raised: Mutex<Option<(LinkId, Error)>>,
    notify: Notify,
}

impl Suspicion {
    /// This connection must be given up. What is said of an earlier one later is forgotten.
    pub(crate) fn raise(&self, link: LinkId, reason: Error) {
        let mut raised = self.0.raised.lock();
        if raised.as_ref().is_none_or(|(earlier, _)| earlier.0 < link.0) {
            *raised = Some((link, reason));
            self.0.notify.notify_one();
        }
    }

    /// Ends with the reason when this connection must be given up.
    pub(crate) async fn of(&self, link: LinkId) -> Error {
        loop {
            if let Some((raised, reason)) = &*self.0.raised.lock()
                && *raised == link
            {
                return reason.clone();
            }
            self.0.notify.notified().await;
        }
    }
}
