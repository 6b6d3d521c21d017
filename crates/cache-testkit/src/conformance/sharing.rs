//! Several clients of one server.

use cache_core::{Claim, PutIf, RemoveIf, VersionSource};

use super::Bed;
use super::bed::{envelope, long, put};

pub(super) async fn an_entry_is_seen_by_every_client(bed: &Bed) {
    let key = bed.key("k");
    put(&*bed.other, &key, "theirs", long()).await;
    assert_eq!(bed.bytes(&key).await, Some("theirs".into()));
    bed.put(&key, "mine", long()).await;
    let read = bed.other.get(&key).await.expect("get answers");
    assert_eq!(read.found.map(|stored| stored.bytes), Some("mine".into()));
    assert!(bed.other.remove(&key, RemoveIf::Always).await.expect("remove answers"));
    assert_eq!(bed.stored(&key).await, None);
}

pub(super) async fn a_conditional_put_sees_what_others_wrote(bed: &Bed) {
    let (key, versions) = (bed.key("k"), VersionSource::new());
    let (mine, theirs) = (versions.value(), versions.value());
    bed.put(&key, envelope(mine, "mine"), long()).await;
    put(&*bed.other, &key, envelope(theirs, "theirs"), long()).await;
    for (condition, holds) in
        [(PutIf::Absent, false), (PutIf::Version(mine), false), (PutIf::Version(theirs), true)]
    {
        let written = bed.store.put(&key, "x".into(), long(), condition).await.expect("put answers");
        assert_eq!(written.stored, holds, "{condition:?}");
    }
}

pub(super) async fn a_lease_holds_for_every_client(bed: &Bed) {
    let (key, versions) = (bed.key("k"), VersionSource::new());
    let (mine, theirs) = (versions.lease(), versions.lease());
    let claimed = bed.store.claim(&key, envelope(mine, "lease"), long(), None).await;
    assert_eq!(claimed.expect("claim answers"), Claim::Granted(mine));
    let held = bed.other.claim(&key, envelope(theirs, "lease"), long(), None).await.expect("claim answers");
    assert!(matches!(held, Claim::Held { .. }), "{held:?}");
    assert!(bed.other.remove(&key, RemoveIf::Always).await.expect("remove answers"));
    let fill = bed.store.put(&key, "late".into(), long(), PutIf::Version(mine)).await;
    assert!(!fill.expect("put answers").stored, "a foreign removal kills the lease");
}
