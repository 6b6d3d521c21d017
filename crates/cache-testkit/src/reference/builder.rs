//! What a reference server can do.

use std::sync::Arc;

use cache_core::{Capability, Clock, Feed};

use super::ReferenceServer;

/// Takes abilities away from a [`ReferenceServer`], so that code can be tested against lesser stores.
///
/// ```
/// use cache_core::{Feed, Store};
/// use cache_testkit::{FakeClock, ReferenceServer};
///
/// let server = ReferenceServer::builder(FakeClock::new()).without_claims().feed(Feed::None).max_value(1000).build();
/// let can = server.connect().capability();
/// assert_eq!((can.claims, can.marks, can.max_value), (false, true, 1000));
/// ```
#[derive(Clone, Debug)]
pub struct ReferenceBuilder {
    clock: Arc<dyn Clock>,
    capability: Capability,
}

impl ReferenceBuilder {
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        let capability = Capability {
            name: "reference",
            shared: true,
            claims: true,
            marks: true,
            scan: true,
            feed: Feed::Tracking,
            max_value: 16 << 20,
        };
        Self { clock, capability }
    }

    /// Without [`claim`](cache_core::Store::claim).
    #[must_use]
    pub fn without_claims(mut self) -> Self {
        self.capability.claims = false;
        self
    }

    /// Without [`read_marks`](cache_core::Store::read_marks) and [`bump_mark`](cache_core::Store::bump_mark).
    #[must_use]
    pub fn without_marks(mut self) -> Self {
        self.capability.marks = false;
        self
    }

    /// Without [`scan`](cache_core::Store::scan).
    #[must_use]
    pub fn without_scan(mut self) -> Self {
        self.capability.scan = false;
        self
    }

    /// With this feed. [`Feed::Tracking`] is the default.
    #[must_use]
    pub fn feed(mut self, feed: Feed) -> Self {
        self.capability.feed = feed;
        self
    }

    /// Every client has entries and marks of its own, and there is no feed. The server's raw access reaches none of
    /// them.
    #[must_use]
    pub fn unshared(mut self) -> Self {
        self.capability.shared = false;
        self.capability.feed = Feed::None;
        self
    }

    /// With values of at most this many bytes. 16 MiB is the default.
    #[must_use]
    pub fn max_value(mut self, bytes: usize) -> Self {
        self.capability.max_value = bytes;
        self
    }

    /// The server.
    pub fn build(self) -> Arc<ReferenceServer> {
        ReferenceServer::with(self.clock, self.capability)
    }
}
