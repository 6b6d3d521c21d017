//! What a case needs of a store, and how a store refuses what it cannot do.

use std::sync::Arc;

use cache_core::{Capability, ErrorKind, Feed, Mark, Namespace, VersionSource};

use super::Bed;
use super::bed::{envelope, long};
use crate::{FeedEvent, FeedLog, eventually};

/// A part of the [`Capability`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Need {
    /// The entries are shared by all clients.
    Shared,
    /// Claims.
    Claims,
    /// Marks.
    Marks,
    /// Scans.
    Scan,
    /// A feed that announces what others change.
    Feed,
    /// A feed that comes in the order of the replies.
    Tracking,
}

impl Need {
    /// Whether a store of this capability offers it.
    pub fn is_met(self, capability: &Capability) -> bool {
        match self {
            Self::Shared => capability.shared,
            Self::Claims => capability.claims,
            Self::Marks => capability.marks,
            Self::Scan => capability.scan,
            Self::Feed => capability.feed.announces(),
            Self::Tracking => capability.feed == Feed::Tracking,
        }
    }

    pub(super) async fn check_refusal(self, bed: &Bed) {
        match self {
            Self::Shared => is_not_shared(bed).await,
            Self::Claims => has_no_claims(bed).await,
            Self::Marks => has_no_marks(bed).await,
            Self::Scan => has_no_scan(bed).await,
            Self::Feed => has_no_feed(bed).await,
            // A feed of another kind has cases of its own.
            Self::Tracking if bed.store.capability().feed.announces() => {}
            Self::Tracking => has_no_feed(bed).await,
        }
    }
}

pub(super) fn namespace(name: &str) -> Namespace {
    Namespace::new(name).expect("a namespace of the suite is valid")
}

async fn is_not_shared(bed: &Bed) {
    let key = bed.key("mine");
    bed.put(&key, "mine", long()).await;
    let read = bed.other.get(&key).await.expect("get answers");
    assert_eq!(read.found, None, "a store that is not shared shares nothing");
}

async fn has_no_claims(bed: &Bed) {
    let (key, lease) = (bed.key("unclaimed"), envelope(VersionSource::new().lease(), "lease"));
    let error = bed.store.claim(&key, lease, long(), None).await.expect_err("claim is refused");
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert_eq!(bed.bytes(&key).await, None, "a refused claim stores nothing");
}

async fn has_no_marks(bed: &Bed) {
    let read = bed.store.read_marks(&bed.namespace, &[Mark::Clear]).await;
    assert_eq!(read.expect_err("read_marks is refused").kind(), ErrorKind::Unsupported);
    let bumped = bed.store.bump_mark(&bed.namespace, &Mark::Clear).await;
    assert_eq!(bumped.expect_err("bump_mark is refused").kind(), ErrorKind::Unsupported);
}

async fn has_no_scan(bed: &Bed) {
    let page = bed.store.scan(&bed.namespace, 0, 10).await;
    assert_eq!(page.expect_err("scan is refused").kind(), ErrorKind::Unsupported);
}

async fn has_no_feed(bed: &Bed) {
    let (log, feed) = (FeedLog::subscribed_to(&*bed.store, &bed.namespace), bed.store.capability().feed);
    let key = bed.key("untracked");
    bed.put(&key, "v", long()).await;
    assert!(!bed.read(&key).await.tracked, "nothing is tracked without a feed");
    assert_eq!(bed.store.link_state().feed, feed);
    if feed == Feed::None {
        assert_eq!(Arc::weak_count(&log), 0, "a store without a feed keeps no sink");
        return;
    }
    // What is polled gives signs of life, and brings marks.
    let alive = || log.count(|event| matches!(event, FeedEvent::Alive(..))) > 0;
    eventually(bed.patience(), "there is a sign of life", alive).await.expect("a polled store is alive");
    if bed.store.capability().marks {
        bed.store.read_marks(&bed.namespace, &[]).await.expect("read_marks answers");
        let at = bed.other.bump_mark(&bed.namespace, &Mark::Clear).await.expect("bump_mark answers");
        let told = || log.count(|event| *event == FeedEvent::Mark(Mark::Clear, at)) > 0;
        eventually(bed.patience(), "the mark is told", told).await.expect("a polled store brings marks");
    }
}
