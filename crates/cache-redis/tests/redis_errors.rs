//! What a real server says in each of its states, and what the caller is told.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod common;

use cache_core::{ErrorKind, Feed, LinkStatus, Mark, PutIf, RemoveIf, Store, VersionSource};
use cache_redis::RedisStore;
use cache_testkit::redis::{Options, RedisServer};
use common::{client, key, minute, own, shared};

fn refused_by(server: &RedisServer, url: &str) -> RedisStore {
    assert!(url.contains(&server.addr().port().to_string()));
    RedisStore::builder(url).build().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_memory_takes_no_write_and_keeps_no_older_value() {
    let server = own(&Options::new());
    let (store, (_, key)) = (client(&server), key("oom"));
    store.put(&key, "old".into(), minute(), PutIf::Always).await.unwrap();
    server.command(&["CONFIG", "SET", "maxmemory", "1"]).unwrap();
    let error = store.put(&key, "new".into(), minute(), PutIf::Always).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    assert!(error.message().contains("(OOM)"), "{error}");
    assert_eq!(store.get(&key).await.unwrap().found, None, "the older value does not live on");
    assert!(!store.remove(&key, RemoveIf::Always).await.unwrap(), "removing works without memory");
    server.command(&["CONFIG", "SET", "maxmemory", "0"]).unwrap();
    assert!(store.put(&key, "new".into(), minute(), PutIf::Always).await.unwrap().stored);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_became_a_replica_is_left_and_found_again_when_it_is_none() {
    let server = own(&Options::new());
    let (store, (_, key)) = (client(&server), key("replica"));
    store.put(&key, "v".into(), minute(), PutIf::Always).await.unwrap();
    let first = store.link_state().link;
    // Of a primary that is not there: it goes on serving what it has.
    server.command(&["REPLICAOF", "127.0.0.1", "1"]).unwrap();
    let error = store.put(&key, "w".into(), minute(), PutIf::Always).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    let within = std::time::Duration::from_secs(5);
    let seen = || store.link_state().status == LinkStatus::ReadOnly && store.link_state().link != first;
    cache_testkit::eventually(within, "the replica is recognised", seen).await.unwrap();
    let found = store.get(&key).await.unwrap().found;
    assert_eq!(found.map(|stored| stored.bytes), Some("v".into()), "a replica can be read");
    server.command(&["REPLICAOF", "NO", "ONE"]).unwrap();
    common::up(&store, within).await;
    assert!(store.put(&key, "w".into(), minute(), PutIf::Always).await.unwrap().stored);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_that_a_replica_refused_ends_its_connection_at_once() {
    let server = own(&Options::new());
    let minute = std::time::Duration::from_secs(60);
    // Its heart beats too seldom to see the role.
    let store = RedisStore::builder(server.url()).heartbeat(minute).lease(minute * 3).build().unwrap();
    let (_, key) = key("refused");
    let link = store.get(&key).await.unwrap().link;
    server.command(&["REPLICAOF", "127.0.0.1", "1"]).unwrap();
    let error = store.put(&key, "w".into(), common::minute(), PutIf::Always).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    let left = || store.link_state().link != link;
    cache_testkit::eventually(std::time::Duration::from_secs(5), "it is left", left).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_that_is_missing_or_wrong_is_the_callers_mistake() {
    let server = own(&Options::new().password("hunter2"));
    let port = server.addr().port();
    for url in [
        format!("redis://127.0.0.1:{port}"),
        format!("redis://:canary-4711@127.0.0.1:{port}"),
        format!("redis://nobody:canary-4711@127.0.0.1:{port}"),
    ] {
        let store = refused_by(&server, &url);
        let error = store.connected().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Configuration, "{error}");
        let call = store.get(&key("auth").1).await.unwrap_err();
        assert_eq!(call.kind(), ErrorKind::Unavailable, "for a call it is away: {call}");
        let state = store.link_state();
        let shown = format!("{error} {error:?} {store:?} {state:?} {:?}", store.get(&key("auth").1).await);
        assert!(!shown.contains("canary-4711"), "{shown}");
    }
    let right = RedisStore::builder(format!("redis://127.0.0.1:{port}")).password("hunter2").build().unwrap();
    right.connected().await.unwrap();
    assert!(!format!("{right:?}").contains("hunter2"));
    client(&server).connected().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_not_there_is_the_callers_mistake() {
    let server = own(&Options::new());
    let store = refused_by(&server, &format!("redis://127.0.0.1:{}/99", server.addr().port()));
    let error = store.connected().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Configuration, "{error}");
    assert!(error.message().contains("database"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn databases_are_apart() {
    let server = own(&Options::new());
    let port = server.addr().port();
    let (_, key) = key("db");
    let at = |db| RedisStore::builder(format!("redis://127.0.0.1:{port}/{db}")).build().unwrap();
    let (three, four) = (at(3), at(4));
    three.put(&key, "three".into(), minute(), PutIf::Always).await.unwrap();
    assert_eq!(four.get(&key).await.unwrap().found, None);
    assert!(three.get(&key).await.unwrap().found.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_unix_socket_works() {
    let server = own(&Options::new().unix_socket());
    let path = server.unix_socket().unwrap().display();
    let store = RedisStore::builder(format!("unix://{path}?db=2")).build().unwrap();
    let (_, key) = key("unix");
    store.put(&key, "v".into(), minute(), PutIf::Always).await.unwrap();
    assert!(store.get(&key).await.unwrap().tracked);
    let missing = RedisStore::builder("unix:///nowhere/at/all.sock").build().unwrap();
    assert_eq!(missing.connected().await.unwrap_err().kind(), ErrorKind::Unavailable);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_without_a_right_is_told_so_and_the_rest_works() {
    let server = own(&Options::new());
    let user = ["ACL", "SETUSER", "limited", "on", ">pw", "~*", "&*", "+@all"];
    let without = |command: &str| {
        let command = format!("-{command}");
        server.command(&user.iter().copied().chain([command.as_str()]).collect::<Vec<_>>()).unwrap();
        RedisStore::builder(format!("redis://limited:pw@127.0.0.1:{}", server.addr().port())).build().unwrap()
    };
    let (namespace, key) = key("acl");
    let store = without("evalsha");
    let lease = VersionSource::new().lease();
    let error = store.claim(&key, lease.as_bytes().to_vec().into(), minute(), None).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Configuration, "{error}");
    assert!(store.put(&key, "v".into(), minute(), PutIf::Always).await.unwrap().stored);

    // A write is a transaction, of which the server takes in the commands alone.
    let store = without("multi");
    let error = store.put(&key, "v".into(), minute(), PutIf::Always).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Configuration, "{error}");
    assert!(store.get(&key).await.unwrap().found.is_some(), "the connection lives on");

    // Without tracking nothing may be kept in memory, and that can be seen.
    let store = without("client");
    let read = store.get(&key).await.unwrap();
    assert!(read.found.is_some() && !read.tracked, "nobody listens");
    assert_eq!(store.link_state().feed, Feed::PubSub, "which hears all who publish");
    assert_eq!(store.link_state().status, LinkStatus::Up);
    // Marks are asked for instead of announced.
    let log = cache_testkit::FeedLog::subscribed_to(&store, &namespace);
    store.read_marks(&namespace, &[]).await.unwrap();
    for _ in 0..2 {
        let at = client(&server).bump_mark(&namespace, &Mark::Clear).await.unwrap();
        let told = || log.count(|event| *event == cache_testkit::FeedEvent::Mark(Mark::Clear, at)) > 0;
        cache_testkit::eventually(std::time::Duration::from_secs(5), "the mark is told", told).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn scripts_that_the_server_lost_are_sent_again() {
    let server = shared();
    let (store, (namespace, key), versions) = (client(server), key("scripts"), VersionSource::new());
    for _ in 0..3 {
        server.command(&["SCRIPT", "FLUSH"]).unwrap();
        let lease = versions.lease();
        store.claim(&key, lease.as_bytes().to_vec().into(), minute(), None).await.unwrap();
        server.command(&["SCRIPT", "FLUSH"]).unwrap();
        assert!(store.put(&key, "v".into(), minute(), PutIf::Version(lease)).await.unwrap().stored);
        server.command(&["SCRIPT", "FLUSH"]).unwrap();
        assert!(store.remove(&key, RemoveIf::Bytes("v".into())).await.unwrap());
        server.command(&["SCRIPT", "FLUSH"]).unwrap();
        store.bump_mark(&namespace, &Mark::Clear).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_holds_something_else_than_a_string_is_an_error_of_its_own() {
    let (server, (namespace, key)) = (shared(), key("type"));
    let (store, versions) = (client(server), VersionSource::new());
    server.command(&["LPUSH", key.as_str(), "x"]).unwrap();
    let link = store.link_state().link;
    assert_eq!(store.get(&key).await.unwrap_err().kind(), ErrorKind::Codec);
    let other = namespace.key("other").unwrap();
    store.put(&other, "v".into(), minute(), PutIf::Always).await.unwrap();
    let many = store.get_many(&[key.clone(), other]).await;
    assert_eq!(many[0].as_ref().unwrap_err().kind(), ErrorKind::Codec);
    assert!(many[1].as_ref().unwrap().found.is_some(), "one bad key does not spoil the rest");
    let over = PutIf::Version(versions.value());
    assert_eq!(store.put(&key, "v".into(), minute(), over).await.unwrap_err().kind(), ErrorKind::Codec);
    let lease = versions.lease().as_bytes().to_vec();
    assert_eq!(store.claim(&key, lease.into(), minute(), None).await.unwrap_err().kind(), ErrorKind::Codec);
    assert!(store.put(&key, "v".into(), minute(), PutIf::Always).await.unwrap().stored, "a put replaces it");
    assert!(store.link_state().link.0 <= link.0 + 1, "the connection has done nothing wrong");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_full_is_away_and_lets_us_in_later() {
    let server = own(&Options::new());
    let first = client(&server);
    first.connected().await.unwrap();
    server.command(&["CONFIG", "SET", "maxclients", "1"]).unwrap();
    let second = client(&server);
    let error = second.connected().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    // Nobody else gets in, so the first client leaves to make room for the second.
    drop(first);
    common::up(&second, std::time::Duration::from_secs(5)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_loads_its_data_is_away_for_that_time() {
    // Half a millisecond for each key, so it loads for three seconds.
    let slowly = ["--key-load-delay", "500", "--loading-process-events-interval-bytes", "1024"];
    let server = own(&Options::new().arguments(slowly));
    let (store, (_, key)) = (client(&server), key("loading"));
    // With a feed the first questions are others than without.
    let polled = RedisStore::builder(server.url()).feed(cache_core::FeedMode::TtlOnly).build().unwrap();
    polled.connected().await.unwrap();
    store.put(&key, "v".into(), minute(), PutIf::Always).await.unwrap();
    let fill: Vec<String> = (0..6_000).flat_map(|i| [format!("fill:{i}"), "x".to_owned()]).collect();
    let mset: Vec<&str> = std::iter::once("MSET").chain(fill.iter().map(String::as_str)).collect();
    server.command(&mset).unwrap();
    server.command(&["SAVE"]).unwrap();
    server.restart().unwrap();
    let within = std::time::Duration::from_secs(10);
    for store in [&*store, &polled] {
        let loading = || store.link_state().reason.is_some_and(|reason| reason.contains("LOADING"));
        cache_testkit::eventually(within, "it is seen to load", loading).await.unwrap();
    }
    assert_eq!(store.get(&key).await.unwrap_err().kind(), ErrorKind::Unavailable);
    common::up(&store, within).await;
    let found = store.get(&key).await.unwrap().found;
    assert_eq!(
        found.map(|stored| stored.bytes),
        Some("v".into()),
        "it is up when its data is there, not before"
    );
}
