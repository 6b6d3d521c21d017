//! What writers publish for those whom the server does not tell.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod common;

use std::sync::Arc;
use std::time::Duration;

use cache_core::{Feed, FeedMode, LinkStatus, Mark, Namespace, PutIf, RemoveIf, Store, VersionSource};
use cache_redis::RedisStore;
use cache_testkit::proxy::{Direction, Fault, FaultProxy};
use cache_testkit::redis::{Options, RedisServer};
use cache_testkit::{FeedEvent, FeedLog, eventually};
use common::{client, key, minute, own, shared, up};

const SOON: Duration = Duration::from_secs(10);
const BEAT: Duration = Duration::from_millis(50);

fn at(url: impl Into<String>) -> Arc<RedisStore> {
    let builder = RedisStore::builder(url).feed(FeedMode::PubSub).heartbeat(BEAT).lease(BEAT * 20);
    Arc::new(builder.build().unwrap())
}

fn publishing(server: &RedisServer) -> Arc<RedisStore> {
    at(server.url())
}

fn retirements(log: &FeedLog) -> usize {
    log.count(|event| matches!(event, FeedEvent::RetireAll(_)))
}

fn beats(log: &FeedLog) -> usize {
    log.count(|event| matches!(event, FeedEvent::Alive(..)))
}

async fn some_heartbeats(log: &FeedLog) {
    let before = beats(log);
    eventually(SOON, "some heartbeats", || beats(log) > before + 2).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_change_is_told_to_others_and_none_to_its_maker() {
    let (server, (namespace, key)) = (shared(), key("kinds"));
    let (store, other, versions) = (publishing(server), publishing(server), VersionSource::new());
    let (log, theirs) =
        (FeedLog::subscribed_to(&*store, &namespace), FeedLog::subscribed_to(&*other, &namespace));
    other.connected().await.unwrap();
    assert!(store.get(&key).await.unwrap().tracked);
    let (first, second) = (versions.value(), versions.lease());
    let bytes = |version: cache_core::Version| bytes::Bytes::copy_from_slice(version.as_bytes());
    let mut told = 0;
    for step in 0..9 {
        let changed = match step {
            0 => other.put(&key, bytes(first), minute(), PutIf::Absent).await.unwrap().stored,
            1 => other.put(&key, "x".into(), minute(), PutIf::Absent).await.unwrap().stored,
            2 => other.put(&key, bytes(second), minute(), PutIf::Version(first)).await.unwrap().stored,
            3 => other.put(&key, "x".into(), minute(), PutIf::Version(first)).await.unwrap().stored,
            4 => other.remove(&key, RemoveIf::Version(second)).await.unwrap(),
            5 => other.put(&key, "y".into(), minute(), PutIf::Always).await.unwrap().stored,
            6 => other.remove(&key, RemoveIf::Bytes("y".into())).await.unwrap(),
            7 => other.put(&key, "z".into(), minute(), PutIf::Always).await.unwrap().stored,
            _ => other.remove(&key, RemoveIf::Always).await.unwrap(),
        };
        assert_eq!(changed, ![1, 3].contains(&step), "{step}");
        told += usize::from(changed);
        let heard = || log.invalidations(key.as_str()) == told;
        eventually(SOON, "it is told", heard).await.unwrap_or_else(|error| panic!("{step}: {error}"));
    }
    let large = bytes::Bytes::from(vec![7; 300 << 10]);
    other.put(&key, large, minute(), PutIf::Always).await.unwrap();
    eventually(SOON, "a large one is told", || log.invalidations(key.as_str()) == told + 1).await.unwrap();
    some_heartbeats(&theirs).await;
    assert_eq!(theirs.invalidations(key.as_str()), 0, "who makes a change knows");
    assert_eq!(retirements(&log) + retirements(&theirs), 4, "by connecting, and by the first step");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_begins_to_listen_need_not_wait_for_a_heartbeat() {
    const LONG: Duration = Duration::from_secs(60);
    let (namespace, key) = key("begins");
    for round in 0..60 {
        let builder =
            RedisStore::builder(shared().url()).feed(FeedMode::PubSub).heartbeat(LONG).lease(LONG * 2);
        let store = builder.build().unwrap();
        store.connected().await.unwrap();
        let _log = FeedLog::subscribed_to(&store, &namespace);
        let deadline = std::time::Instant::now() + SOON;
        while !store.get(&key).await.unwrap().tracked {
            assert!(std::time::Instant::now() < deadline, "round {round}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_removes_what_the_server_has_dropped_is_heard_all_the_same() {
    let (server, (namespace, key)) = (shared(), key("dropped"));
    let (store, other, version) = (publishing(server), publishing(server), VersionSource::new().value());
    let (log, _theirs) =
        (FeedLog::subscribed_to(&*store, &namespace), FeedLog::subscribed_to(&*other, &namespace));
    other.connected().await.unwrap();
    store.connected().await.unwrap();
    let removals = [RemoveIf::Always, RemoveIf::Version(version), RemoveIf::Bytes("v".into())];
    for (count, condition) in removals.into_iter().enumerate() {
        other.put(&key, "v".into(), minute(), PutIf::Always).await.unwrap();
        eventually(SOON, "it is told", || log.invalidations(key.as_str()) == count * 2 + 1).await.unwrap();
        assert!(store.get(&key).await.unwrap().tracked, "somebody has a copy");
        // As a server that is full does with a key.
        server.command(&["DEL", key.as_str()]).unwrap();
        assert!(!other.remove(&key, condition).await.unwrap(), "there was nothing any more");
        eventually(SOON, "it is told", || log.invalidations(key.as_str()) == count * 2 + 2).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_that_was_missed_voids_everything() {
    let (server, (namespace, key)) = (shared(), key("missed"));
    let proxy = FaultProxy::start(server.addr()).unwrap();
    let (store, other) = (at(proxy.url()), publishing(server));
    let log = FeedLog::subscribed_to(&*store, &namespace);
    let _theirs = FeedLog::subscribed_to(&*other, &namespace);
    assert!(store.get(&key).await.unwrap().tracked);
    let link = store.link_state().link;
    some_heartbeats(&log).await;
    let before = retirements(&log);
    // One frame of what is heard over the second connection is lost: a change, or a word about where they stand.
    let mut round = 0;
    while log.count(|event| matches!(event, FeedEvent::RetireAll(_))) == before {
        proxy.set_connection(1, Direction::ToClient, Fault::DropFrame { skip: 0 });
        let changes = (0..5).map(|_| other.put(&key, "x".into(), minute(), PutIf::Always));
        futures_util::future::join_all(changes).await;
        some_heartbeats_or(&log, before).await;
        round += 1;
        assert!(round < 20, "nothing was missed");
    }
    assert!(store.link_state().link.0 >= link.0);
}

async fn some_heartbeats_or(log: &FeedLog, retired: usize) {
    let before = beats(log);
    let passed = || beats(log) > before + 2 || retirements(log) > retired;
    eventually(SOON, "some heartbeats or a retirement", passed).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_that_goes_on_elsewhere_is_a_gap() {
    let server = own(&Options::new());
    let (store, (namespace, key)) = (publishing(&server), key("elsewhere"));
    let log = FeedLog::subscribed_to(&*store, &namespace);
    let writer = publishing(&server);
    assert!(store.get(&key).await.unwrap().tracked);
    writer.put(&key, "v".into(), minute(), PutIf::Always).await.unwrap();
    eventually(SOON, "it is told", || log.invalidations(key.as_str()) == 1).await.unwrap();
    let actions: [&[&str]; 3] =
        [&["FLUSHALL"], &["SWAPDB", "0", "1"], &["PUBLISH", namespace.prefix(), "nonsense"]];
    for action in actions {
        let before = retirements(&log);
        server.command(action).unwrap();
        eventually(SOON, "it is noticed", || retirements(&log) > before)
            .await
            .unwrap_or_else(|error| panic!("{action:?}: {error}"));
        // What comes next is in order again.
        some_heartbeats(&log).await;
        writer.put(&key, "w".into(), minute(), PutIf::Always).await.unwrap();
        some_heartbeats(&log).await;
    }
    assert!(store.get(&key).await.unwrap().tracked);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_hears_nothing_gives_no_sign_of_life() {
    for connection in [0, 1] {
        let proxy = FaultProxy::start(shared().addr()).unwrap();
        let (store, (namespace, key)) = (at(proxy.url()), key("deaf"));
        let log = FeedLog::subscribed_to(&*store, &namespace);
        assert!(store.get(&key).await.unwrap().tracked);
        some_heartbeats(&log).await;
        let link = store.link_state().link;
        proxy.set_connection(connection, Direction::ToClient, Fault::Swallow);
        let alive = store.link_state().alive_at;
        let of_link =
            |log: &FeedLog| log.count(|event| matches!(event, FeedEvent::Alive(of, _) if *of == link));
        let told = of_link(&log);
        eventually(SOON, "it is given up", || store.link_state().link != link).await.unwrap();
        assert!(of_link(&log) <= told + 1, "{connection}: nothing was heard, so nothing was said");
        assert!(alive.is_some());
        proxy.set(Fault::Pass);
        up(&store, SOON).await;
        assert_eq!(store.link_state().feed, Feed::PubSub);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listening_connection_that_ends_is_the_end_of_both() {
    let server = own(&Options::new());
    // Long enough that it is not the silence that ends it.
    let builder = RedisStore::builder(server.url()).feed(FeedMode::PubSub).lease(SOON * 2);
    let (store, (namespace, key)) = (builder.build().unwrap(), key("ends"));
    let _log = FeedLog::subscribed_to(&store, &namespace);
    let link = store.get(&key).await.unwrap().link;
    server.command(&["CLIENT", "KILL", "TYPE", "pubsub"]).unwrap();
    eventually(SOON, "there is a new link", || store.link_state().link != link).await.unwrap();
    up(&store, SOON).await;
    assert!(store.get(&key).await.unwrap().tracked);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_changes_things_without_publishing_them_is_noticed_before_the_next_sign_of_life() {
    let server = own(&Options::new());
    let (store, (namespace, key)) = (publishing(&server), key("silent"));
    let log = FeedLog::subscribed_to(&*store, &namespace);
    store.put(&key, "v".into(), minute(), PutIf::Always).await.unwrap();
    assert!(store.get(&key).await.unwrap().tracked);
    let silent = client(&server);
    let before = retirements(&log);
    silent.remove(&key, RemoveIf::Always).await.unwrap();
    let at = beats(&log);
    eventually(SOON, "it is noticed", || store.link_state().feed == Feed::Polled).await.unwrap();
    assert!(retirements(&log) > before && beats(&log) <= at + 1);
    assert!(store.link_state().reason.unwrap().contains("without publishing"));
    assert!(!store.get(&key).await.unwrap().tracked);
    // Its marks are asked for.
    store.read_marks(&namespace, &[]).await.unwrap();
    let mark = silent.bump_mark(&namespace, &Mark::Clear).await.unwrap();
    let told = || log.count(|event| *event == FeedEvent::Mark(Mark::Clear, mark)) > 0;
    eventually(SOON, "the mark is told", told).await.unwrap();
    // If its word is removed, it says so again, also without a change.
    let mut name = namespace.prefix().as_bytes().to_vec();
    name.extend(b"\xffsilent");
    for removal in [&[&b"FLUSHALL"[..]][..], &[&b"DEL"[..], &name]] {
        server.command(removal).unwrap();
        let is_said = || server.command(&[&b"EXISTS"[..], &name]).unwrap().integer() == Some(1);
        eventually(SOON, "it says so", is_said).await.unwrap();
        eventually(SOON, "it is noticed", || store.link_state().feed == Feed::Polled).await.unwrap();
    }
    // When it has gone, and its word, what is published is everything again.
    drop(silent);
    server.command(&[&b"DEL"[..], &name]).unwrap();
    eventually(SOON, "it is believed again", || store.link_state().feed == Feed::PubSub).await.unwrap();
    assert!(store.get(&key).await.unwrap().tracked);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_begins_to_listen_later_hears_everything_from_then_on() {
    let (server, (namespace, key)) = (shared(), key("later"));
    let (store, other) = (publishing(server), publishing(server));
    store.connected().await.unwrap();
    assert!(!store.get(&key).await.unwrap().tracked, "nobody listens");
    let log = FeedLog::subscribed_to(&*store, &namespace);
    eventually(SOON, "it is in step", || store.link_state().feed == Feed::PubSub).await.unwrap();
    assert!(store.get(&key).await.unwrap().tracked);
    other.put(&key, "v".into(), minute(), PutIf::Always).await.unwrap();
    eventually(SOON, "it is told", || log.invalidations(key.as_str()) == 1).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_does_not_track_is_listened_to_without_being_asked() {
    let old = own(&Options::new().arguments(["--rename-command", "HELLO", ""]));
    let forbidden = own(&Options::new());
    forbidden
        .command(&["ACL", "SETUSER", "app", "on", ">pw", "~*", "&*", "+@all", "-client|tracking"])
        .unwrap();
    let urls = [
        format!("redis://127.0.0.1:{}", old.addr().port()),
        format!("redis://app:pw@127.0.0.1:{}", forbidden.addr().port()),
    ];
    for url in urls {
        let auto = || RedisStore::builder(&url).heartbeat(BEAT).lease(BEAT * 20).build().unwrap();
        let (store, other, (namespace, key)) = (auto(), auto(), key("auto"));
        let log = FeedLog::subscribed_to(&store, &namespace);
        let _theirs = FeedLog::subscribed_to(&other, &namespace);
        assert!(store.get(&key).await.unwrap().tracked, "{:?}", store.link_state());
        let state = store.link_state();
        assert_eq!((state.status, state.feed), (LinkStatus::Up, Feed::PubSub));
        assert!(state.reason.is_some(), "it is less than it could be");
        other.put(&key, "v".into(), minute(), PutIf::Always).await.unwrap();
        eventually(SOON, "it is told", || log.invalidations(key.as_str()) == 1).await.unwrap();
        some_heartbeats(&log).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pushes_that_are_stripped_do_not_keep_what_is_published_away() {
    let proxy = FaultProxy::start(shared().addr()).unwrap();
    proxy.set_direction(Direction::ToClient, Fault::DropPushes);
    let url = proxy.url();
    let auto = || RedisStore::builder(&url).heartbeat(BEAT).lease(BEAT * 20).build().unwrap();
    let (store, other, (namespace, key)) = (auto(), auto(), key("stripped"));
    let log = FeedLog::subscribed_to(&store, &namespace);
    let _theirs = FeedLog::subscribed_to(&other, &namespace);
    assert!(store.get(&key).await.unwrap().tracked);
    assert_eq!(store.link_state().feed, Feed::PubSub);
    other.put(&key, "v".into(), minute(), PutIf::Always).await.unwrap();
    eventually(SOON, "it is told", || log.invalidations(key.as_str()) == 1).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn where_nothing_tells_there_are_signs_of_life_and_marks() {
    let server = own(&Options::new());
    let user = ["ACL", "SETUSER", "app", "on", ">pw", "~*", "&*", "+@all", "-client|tracking", "-@pubsub"];
    server.command(&user).unwrap();
    let url = format!("redis://app:pw@127.0.0.1:{}", server.addr().port());
    let forced = || RedisStore::builder(server.url()).feed(FeedMode::TtlOnly);
    for builder in [RedisStore::builder(&url), forced()] {
        let store = builder.heartbeat(BEAT).lease(BEAT * 20).build().unwrap();
        let (namespace, key) = key("nothing");
        let log = FeedLog::subscribed_to(&store, &namespace);
        store.put(&key, "v".into(), minute(), PutIf::Always).await.unwrap();
        assert!(!store.get(&key).await.unwrap().tracked);
        assert_eq!(store.link_state().feed, Feed::Polled);
        store.read_marks(&namespace, &[]).await.unwrap();
        let mark = client(&server).bump_mark(&namespace, &Mark::Clear).await.unwrap();
        let told = || log.count(|event| *event == FeedEvent::Mark(Mark::Clear, mark)) > 0;
        eventually(SOON, "the mark is told", told).await.unwrap();
        some_heartbeats(&log).await;
    }
    assert_eq!(forced().build().unwrap().capability().feed, Feed::Polled);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_servers_own_keys_are_no_entries() {
    let server = own(&Options::new());
    let namespace = Namespace::new("scanned").unwrap();
    let key = namespace.key("k").unwrap();
    for store in [publishing(&server), client(&server)] {
        let _log = FeedLog::subscribed_to(&*store, &namespace);
        store.put(&key, "v".into(), minute(), PutIf::Always).await.unwrap();
    }
    let (mut keys, mut cursor) = (Vec::new(), Some(0));
    while let Some(at) = cursor {
        let page = client(&server).scan(&namespace, at, 100).await.unwrap();
        keys.extend(page.keys);
        cursor = page.next;
    }
    assert_eq!(keys, [key.as_str()]);
}
