use std::time::Duration;

use bytes::Bytes;
use cache_core::{Format, Meta, Moment, Ttl, Value, VersionSource};

use super::*;

fn outbox(capacity: usize) -> Outbox {
    Outbox::new(capacity, true)
}

fn write(weight: u64, tags: &[&str], over: Option<Version>) -> LocalWrite {
    let encoded = Encoded { format: Format::Msgpack, bytes: Bytes::new() };
    let tags: Option<Arc<[Box<str>]>> =
        (!tags.is_empty()).then(|| tags.iter().map(|&tag| tag.into()).collect());
    let ttl = Ttl::clamped(Duration::from_secs(60));
    let meta = Meta {
        fresh_until: Moment::NEVER,
        dead_at: Moment::NEVER,
        made_at: Moment::START,
        stamp: Stamp::default(),
        tags: tags.clone(),
        version: VersionSource::new().value(),
        schema: None,
        cost: Duration::ZERO,
        local_only: true,
    };
    let entry = LocalEntry { value: Value::Encoded(Arc::new(encoded.clone())), meta, weight };
    LocalWrite { entry, encoded, keep: Keep { fresh: ttl, total: ttl, tags }, known: Stamp::default(), over }
}

fn line(outbox: &Outbox, key: &str) -> Option<(Option<Before>, bool)> {
    let inner = outbox.inner.lock();
    inner.keys.get(key).map(|pending| (pending.before, pending.write.is_some()))
}

#[test]
fn of_many_changes_of_a_key_one_line_stays() {
    use Before::{Expire, Remove};
    #[derive(Clone, Copy, Debug)]
    enum Do {
        Invalidate(Before),
        Write,
        Forget,
    }
    use Do::{Forget, Invalidate, Write};
    let table: [(&[Do], Option<Before>, bool); 13] = [
        (&[Invalidate(Remove)], Some(Remove), false),
        (&[Invalidate(Expire)], Some(Expire), false),
        (&[Invalidate(Expire), Invalidate(Remove)], Some(Remove), false),
        (&[Invalidate(Remove), Invalidate(Expire)], Some(Remove), false),
        (&[Write], None, true),
        (&[Write, Write], None, true),
        (&[Write, Invalidate(Remove)], Some(Remove), false),
        (&[Write, Invalidate(Expire)], Some(Remove), false),
        (&[Invalidate(Expire), Write], Some(Remove), true),
        (&[Forget], None, false),
        (&[Write, Forget], Some(Remove), false),
        (&[Invalidate(Expire), Forget], Some(Expire), false),
        (&[Invalidate(Remove), Forget, Write], Some(Remove), true),
    ];
    for (steps, before, written) in table {
        let outbox = outbox(1);
        for step in steps {
            assert!(match *step {
                Invalidate(before) => outbox.invalidate("k", before),
                Write => outbox.write("k", write(1, &[], None)),
                Forget => outbox.forget("k"),
            });
        }
        assert_eq!(line(&outbox, "k"), Some((before, written)), "{steps:?}");
        assert_eq!(outbox.load(), Load { waiting: 1, bytes: u64::from(written), overflows: 0 });
        let hidden = (before.is_some() || written).then_some(Status::Absent);
        assert_eq!(outbox.hides("k", None), hidden, "{steps:?}");
    }
}

#[test]
fn the_version_that_was_known_first_is_the_one_that_counts() {
    let (outbox, version) = (outbox(1), VersionSource::new().value());
    assert!(outbox.write("k", write(1, &[], Some(version))));
    assert!(outbox.write("k", write(1, &[], None)));
    assert_eq!(outbox.next_keys(1, false)[0].1.write.as_ref().unwrap().over, Some(version));
}

#[test]
fn too_much_becomes_one_clear_which_covers_what_comes_after() {
    let outbox = outbox(2);
    assert!(outbox.invalidate("a", Before::Remove) && outbox.write("b", write(9, &[], None)));
    assert!(outbox.mark(&Mark::tag("t").unwrap()));
    assert_eq!(outbox.load(), Load { waiting: 1, bytes: 0, overflows: 1 });
    let (mark, ticket) = outbox.next_mark().unwrap();
    assert_eq!((mark, outbox.hides("z", None)), (Mark::Clear, Some(Status::Invalidated)));
    assert!(outbox.invalidate("c", Before::Remove));
    outbox.told_mark(&Mark::Clear, ticket);
    assert!(outbox.next_mark().is_some(), "what came while it was made needs another");
    let (mark, ticket) = outbox.next_mark().unwrap();
    outbox.told_mark(&mark, ticket);
    assert!(outbox.is_empty());
}

#[test]
fn without_clear_too_much_is_refused_and_nothing_is_lost() {
    let outbox = Outbox::new(1, false);
    assert!(outbox.invalidate("a", Before::Remove) && outbox.invalidate("a", Before::Remove));
    assert!(!outbox.invalidate("b", Before::Remove));
    assert_eq!((outbox.next_mark(), line(&outbox, "a")), (None, Some((Some(Before::Remove), false))));
}

#[test]
fn values_are_bounded_by_bytes_and_one_too_many_is_removed_instead() {
    let outbox = outbox(10);
    assert!(outbox.write("a", write(MAX_BYTES, &[], None)) && outbox.write("b", write(1, &[], None)));
    assert_eq!((line(&outbox, "b"), outbox.load().bytes), (Some((Some(Before::Remove), false)), MAX_BYTES));
    assert!(outbox.write("a", write(MAX_BYTES, &[], None)), "in its own place");
    assert_eq!(line(&outbox, "a"), Some((None, true)));
}

#[test]
fn a_tag_takes_values_of_its_own_with_it() {
    let outbox = outbox(10);
    assert!(outbox.write("a", write(1, &["t"], None)) && outbox.write("b", write(1, &["u"], None)));
    assert!(outbox.mark(&Mark::tag("t").unwrap()));
    assert_eq!(line(&outbox, "a"), Some((Some(Before::Remove), false)));
    assert_eq!(line(&outbox, "b"), Some((None, true)));
    assert_eq!(outbox.hides("x", Some(&["t".into()])), Some(Status::Invalidated));
    assert_eq!(outbox.hides("x", Some(&["u".into()])), None);
}

#[test]
fn what_came_later_is_not_told_by_what_was_told_earlier() {
    let outbox = outbox(10);
    assert!(outbox.invalidate("k", Before::Remove));
    let ticket = outbox.next_keys(1, false)[0].1.ticket;
    let position = outbox.position();
    assert!(outbox.invalidate("k", Before::Remove));
    outbox.told("k", ticket);
    outbox.settle("k", position);
    assert!(!outbox.is_empty());
    outbox.settle("k", outbox.position());
    assert!(outbox.is_empty());
}

#[test]
fn a_value_waits_until_its_key_was_removed() {
    let outbox = outbox(10);
    assert!(outbox.invalidate("k", Before::Remove) && outbox.write("k", write(1, &[], None)));
    assert!(outbox.write("w", write(1, &[], None)));
    let first = outbox.next_keys(9, false);
    assert_eq!(first.iter().map(|(key, _)| &**key).collect::<Vec<_>>(), ["k"], "invalidations first");
    outbox.told("k", first[0].1.ticket);
    assert_eq!(line(&outbox, "k"), Some((None, true)));
    for (key, pending) in outbox.next_keys(9, false) {
        outbox.told(&key, pending.ticket);
    }
    assert_eq!(outbox.load(), Load { waiting: 0, bytes: 0, overflows: 0 });
}
