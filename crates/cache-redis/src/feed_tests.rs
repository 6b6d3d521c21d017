//! What is done about each thing that a server may say without being asked, and about each message that is published.

use std::sync::Arc;

use cache_core::{FeedSink, LinkId, Namespace};
use cache_testkit::{FeedEvent, FeedLog};
use redis::{PushInfo, PushKind, Value};

use super::Feed;
use crate::canary::Canary;

const LINK: LinkId = LinkId(7);

fn listening(name: &str) -> (Arc<Feed>, Arc<FeedLog>, Namespace) {
    let (feed, namespace) = (Arc::new(Feed::default()), Namespace::new(name).unwrap());
    let log = Arc::new(FeedLog::default());
    let sink: Arc<dyn FeedSink> = Arc::clone(&log) as Arc<dyn FeedSink>;
    feed.subscribe(&namespace, &Arc::downgrade(&sink));
    (feed, log, namespace)
}

fn key(key: &str) -> Value {
    Value::BulkString(key.as_bytes().to_vec())
}

fn said(data: Vec<Value>) -> Vec<FeedEvent> {
    said_as(PushKind::Invalidate, data)
}

fn said_as(kind: PushKind, data: Vec<Value>) -> Vec<FeedEvent> {
    let (feed, log, _) = listening("app");
    feed.take_in(LINK, &Canary::new("app:"), &PushInfo { kind, data });
    log.events()
}

#[test]
fn every_key_of_a_push_is_told_and_no_other_namespaces() {
    let keys = Value::Array(vec![key("app:a"), key("apps:b"), key("app:c"), key("other")]);
    let told = |key: &str| FeedEvent::Invalidate(key.as_bytes().to_vec());
    assert_eq!(said(vec![keys]), [told("app:a"), told("app:c")]);
}

#[test]
fn what_is_said_of_everything_or_is_not_understood_voids_everything() {
    let void = [FeedEvent::RetireAll(LINK)];
    assert_eq!(said(vec![Value::Nil]), void, "everything was flushed");
    assert_eq!(said(vec![]), void);
    assert_eq!(said(vec![Value::Int(1)]), void);
    assert_eq!(said(vec![Value::Array(vec![Value::Int(1)])]), void, "a key that is none");
    assert_eq!(said(vec![Value::Array(vec![]), Value::Int(1)]), void);
    for kind in [PushKind::Other("evict".to_owned()), PushKind::Message, PushKind::SMessage] {
        assert_eq!(said_as(kind.clone(), vec![key("app:a")]), void, "{kind:?}");
    }
    assert_eq!(said(vec![Value::Array(vec![])]), [], "of nothing");
    assert_eq!(said_as(PushKind::Disconnection, vec![]), [], "said by the library of itself");
}

#[test]
fn published_messages_are_told_in_order_and_a_gap_voids_everything() {
    let (feed, log, _) = listening("app");
    let (mine, theirs) = (1, 2);
    for listener in feed.listeners.read().iter() {
        listener.begin(LINK);
    }
    let retired = || log.count(|event| *event == FeedEvent::RetireAll(LINK));
    let hear = |message: String| feed.hear(LINK, mine, "app:", message.as_bytes());
    feed.hear(LINK, mine, &crate::message::own_channel("app:", mine), b"9 100");
    hear(format!("101 {theirs} kapp:a"));
    hear(format!("102 {mine} kapp:b"));
    hear(format!("103 {theirs} kapp:c"));
    assert_eq!(
        (log.invalidations("app:a"), log.invalidations("app:b"), log.invalidations("app:c")),
        (1, 0, 1)
    );
    assert_eq!(retired(), 0);
    hear(format!("105 {theirs} kapp:d"));
    assert_eq!(retired(), 1, "one was missed");
    hear(format!("106 {theirs} kapp:a"));
    assert_eq!((retired(), log.invalidations("app:a")), (1, 2), "and it goes on");
    for odd in ["nonsense".to_owned(), format!("107 {theirs} zapp:a"), format!("3 {mine} kapp:a")] {
        let before = retired();
        hear(odd.clone());
        assert_eq!(retired(), before + 1, "{odd}");
    }
    feed.hear(LinkId(6), mine, "app:", b"50 2 kapp:a");
    assert_eq!(log.invalidations("app:a"), 2, "over an earlier link");
    feed.hear(LINK, mine, "apps:", b"50 2 kapps:a");
    assert_eq!(retired(), 4, "of another namespace");
}
