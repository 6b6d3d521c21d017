//! What the server says of itself and of what it holds.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod common;

use std::time::{Duration, SystemTime};

use cache_redis::RedisStore;
use cache_testkit::redis::Options;
use common::{client, key, own, shared};

#[tokio::test]
async fn the_server_tells_of_itself() {
    let server = client(shared()).server();
    server.ping().await.unwrap();
    let info = server.info().await.unwrap().unwrap();
    assert!(info.contains_key("used_memory") && info.contains_key("keyspace_hits"), "{info:?}");
    assert_eq!(server.setting("databases").await.unwrap().as_deref(), Some("16"));
    assert_eq!(server.setting("no such thing").await.unwrap(), None);
    let (time, ours) = (server.time().await.unwrap().unwrap(), SystemTime::now());
    let apart = ours.duration_since(time).unwrap_or_else(|error| error.duration());
    assert!(apart < Duration::from_secs(10), "one machine, one clock: {apart:?}");
    assert_eq!(server.user().await.unwrap().as_deref(), Some("default"));
}

#[tokio::test]
async fn keys_of_any_bytes_are_found_and_described() {
    let (namespace, text) = key("server-keys");
    let binary = [namespace.prefix().as_bytes(), b"\xff\x00"].concat();
    let other = shared();
    other.command(&[&b"SET"[..], text.as_bytes(), &[b'x'; 5000]]).unwrap();
    other.command(&[&b"RPUSH"[..], &binary, b"x"]).unwrap();
    let server = client(other).server();
    let (mut found, mut cursor) = (Vec::new(), Some(0));
    while let Some(at) = cursor {
        let page = server.scan(format!("{}*", namespace.prefix()).as_bytes(), at, 100).await.unwrap();
        found.extend(page.keys);
        cursor = page.next;
    }
    found.sort();
    found.dedup();
    assert_eq!(found, [text.as_bytes().to_vec(), binary.clone()]);
    assert_eq!(server.kind(text.as_bytes()).await.unwrap().as_deref(), Some("string"));
    assert_eq!(server.kind(&binary).await.unwrap().as_deref(), Some("list"));
    assert_eq!(server.kind(b"nothing").await.unwrap().as_deref(), Some("none"));
    assert!(server.memory(text.as_bytes()).await.unwrap().unwrap() > 5000);
    assert!(server.idle(text.as_bytes()).await.unwrap().unwrap() < Duration::from_secs(60));
}

/// A user of the cache need not be one who looks after the server.
#[tokio::test]
async fn what_a_user_may_not_ask_is_unknown_and_no_error() {
    let server = own(&Options::new());
    server
        .command(&[
            "ACL",
            "SETUSER",
            "ann",
            "on",
            ">pw",
            "~*",
            "&*",
            "+@all",
            "-@admin",
            "-@dangerous",
            "-time",
        ])
        .unwrap();
    let url = format!("redis://ann:pw@{}/0", server.addr());
    let limited = RedisStore::builder(url).build().unwrap().server();
    limited.ping().await.unwrap();
    assert_eq!(limited.info().await.unwrap(), None);
    assert_eq!(limited.setting("databases").await.unwrap(), None);
    assert_eq!(limited.time().await.unwrap(), None);
    let server = client(&server).server();
    if let Some(may) = server.may("ann", &["GET", "k"]).await.unwrap() {
        assert!(may);
        assert_eq!(server.may("ann", &["FLUSHALL"]).await.unwrap(), Some(false));
    }
}
