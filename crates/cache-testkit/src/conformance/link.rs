//! The way to the store.

use cache_core::{LinkId, LinkStatus};

use super::Bed;
use super::bed::long;
use crate::{FeedEvent, FeedLog, eventually};

/// The link after this one, when it works.
async fn next_link(bed: &Bed, old: LinkId) -> LinkId {
    let renewed = eventually(bed.patience(), "there is a new link", || {
        let state = bed.store.link_state();
        state.link != old && state.status == LinkStatus::Up
    });
    renewed.await.expect("a suspected link is replaced");
    bed.store.link_state().link
}

pub(super) async fn replies_name_the_link_they_came_over(bed: &Bed) {
    let key = bed.key("k");
    let written = bed.store.put(&key, "v".into(), long(), cache_core::PutIf::Always).await;
    let read = bed.read(&key).await;
    let many = bed.store.get_many(std::slice::from_ref(&key)).await;
    let state = bed.store.link_state();
    assert_eq!((state.status, state.reason), (LinkStatus::Up, None));
    assert_eq!(written.expect("put answers").link, state.link);
    assert_eq!(read.link, state.link);
    assert!(many.into_iter().all(|read| read.expect("get_many answers").link == state.link));
}

pub(super) async fn a_suspected_link_is_replaced_and_the_store_goes_on(bed: &Bed) {
    let key = bed.key("k");
    bed.put(&key, "v", long()).await;
    let old = bed.read(&key).await.link;
    bed.store.suspect(old);
    let new = next_link(bed, old).await;
    let read = bed.read(&key).await;
    assert_eq!(read.link, new);
    assert!(read.found.is_some());
}

pub(super) async fn an_old_link_cannot_be_suspected_again(bed: &Bed) {
    let key = bed.key("k");
    let old = bed.read(&key).await.link;
    bed.store.suspect(old);
    let new = next_link(bed, old).await;
    bed.store.suspect(old);
    for _ in 0..20 {
        assert_eq!(bed.read(&key).await.link, new, "the new link has done nothing wrong");
    }
}

pub(super) async fn sinks_are_told_that_a_new_link_may_have_missed_changes(bed: &Bed) {
    let log = FeedLog::subscribed_to(&*bed.store, &bed.namespace);
    let key = bed.key("k");
    let old = bed.read(&key).await.link;
    bed.store.suspect(old);
    let new = next_link(bed, old).await;
    let read = bed.read(&key).await;
    assert_eq!((read.link, read.tracked), (new, true));
    let retired = log.count(|event| matches!(event, FeedEvent::RetireAll(_)));
    assert!(retired > 0, "before the new link answers, every copy is void");
}
