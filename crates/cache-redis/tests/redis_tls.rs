//! Encryption: who is let in, who is not, and that nobody goes on without it.

#![cfg(feature = "tls")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod common;
#[path = "common/tls.rs"]
mod tls;

use std::time::{Duration, Instant};

use cache_core::{Error, ErrorKind, Feed, PutIf, Store};
use cache_redis::{RedisStore, RedisStoreBuilder};
use cache_testkit::redis::Options;
use common::{key, minute, own, shared, up};
use tls::{Authority, Door, door};
use tokio::net::TcpListener;

const SOON: Duration = Duration::from_secs(5);
/// Until when certificates are valid, where that is of no importance.
const LONG: i32 = 4000;

fn builder(door: &Door) -> RedisStoreBuilder {
    RedisStore::builder(format!("rediss://localhost:{}", door.port)).connect_timeout(SOON)
}

async fn refused(builder: RedisStoreBuilder) -> Error {
    let error = builder.build().unwrap().connected().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Configuration, "{error}");
    error
}

#[tokio::test(flavor = "multi_thread")]
async fn who_trusts_the_servers_authority_reads_writes_and_is_told() {
    let authority = Authority::new();
    for name in ["localhost", "127.0.0.1"] {
        let door = door(shared(), authority.papers(name, LONG), None).await;
        let url = format!("rediss://{name}:{}", door.port);
        let store = RedisStore::builder(url).ca_file(authority.file("ca.pem")).build().unwrap();
        let (_, key) = key("tls");
        let large = "x".repeat(400 << 10);
        for value in ["v", &large] {
            store.put(&key, value.to_owned().into(), minute(), PutIf::Always).await.unwrap();
            let read = store.get(&key).await.unwrap();
            assert!(read.tracked && read.found.unwrap().bytes == value.as_bytes());
        }
        assert_eq!(store.link_state().feed, Feed::Tracking);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_not_who_it_should_be_is_refused_and_it_is_said_why() {
    let (authority, another) = (Authority::new(), Authority::new());
    for (papers, words) in [
        (another.papers("localhost", LONG), "signed by nobody who is trusted here"),
        (authority.papers("other.example", LONG), "for another name"),
        (authority.papers("localhost", 2001), "has expired"),
    ] {
        let door = door(shared(), papers, None).await;
        let error = refused(builder(&door).ca_file(authority.file("ca.pem"))).await;
        assert!(error.message().contains(words), "{error}");
    }
    let door = door(shared(), authority.papers("localhost", LONG), None).await;
    let error = refused(builder(&door)).await;
    assert!(error.message().contains("name who signed it by ca_file"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_wants_to_know_us_lets_in_who_shows_a_certificate() {
    let authority = Authority::new();
    let door = door(shared(), authority.papers("localhost", LONG), Some(&authority)).await;
    let builder = builder(&door).ca_file(authority.file("ca.pem"));
    let error = refused(builder.clone()).await;
    assert!(error.message().contains("cert_file and key_file"), "{error}");
    let (certificate, key) = authority.client();
    builder.client_certificate(certificate, key).build().unwrap().connected().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_goes_on_without_encryption_and_nobody_hangs() {
    // To a server that speaks none, and to one that says nothing.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    for (port, words) in [
        // Redis waits for the end of what looks to it like a long line.
        (shared().addr().port(), "does it speak TLS at this port?"),
        (silent.local_addr().unwrap().port(), "does it speak TLS at this port?"),
    ] {
        let (bound, began) = (Duration::from_millis(500), Instant::now());
        let store = RedisStore::builder(format!("rediss://localhost:{port}")).connect_timeout(bound);
        let error = store.build().unwrap().connected().await.unwrap_err();
        assert!(error.message().contains(words) && began.elapsed() < SOON, "{error}");
    }
    // To one that speaks nothing else.
    let authority = Authority::new();
    let door = door(shared(), authority.papers("localhost", LONG), None).await;
    let plain = RedisStore::builder(format!("redis://localhost:{}", door.port)).connect_timeout(SOON);
    let error = plain.build().unwrap().connected().await.unwrap_err();
    assert!(error.is_retryable() || error.kind() == ErrorKind::Configuration, "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renewed_file_is_taken_by_the_next_connection() {
    let (server, before, after) = (own(&Options::new()), Authority::new(), Authority::new());
    let first = door(&server, before.papers("localhost", LONG), Some(&before)).await;
    let trusted = before.file("ca.pem");
    let (certificate, key) = before.client();
    let store = builder(&first).ca_file(&trusted).client_certificate(&certificate, &key).build().unwrap();
    store.connected().await.unwrap();
    // The same place, new papers on both sides.
    std::fs::copy(after.file("ca.pem"), &trusted).unwrap();
    let renewed = after.client();
    std::fs::copy(renewed.0, &certificate).unwrap();
    std::fs::copy(renewed.1, &key).unwrap();
    let second =
        tls::door_at(first.shut().await, &server, after.papers("localhost", LONG), Some(&after)).await;
    up(&store, SOON).await;
    drop(second);
}

#[tokio::test(flavor = "multi_thread")]
async fn files_that_are_of_no_use_are_named() {
    let authority = Authority::new();
    let (certificate, key) = authority.client();
    let (ca, none) = (authority.file("ca.pem"), authority.file("none.pem"));
    std::fs::write(&none, "no PEM\n").unwrap();
    let (pipe, text) = (authority.file("pipe"), std::fs::read_to_string(&key).unwrap());
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let long = authority.file("long.pem");
    std::fs::write(&long, vec![b' '; (1 << 20) + 1]).unwrap();
    let here = || certificate.clone();
    for (ca, certificate, key, words) in [
        (authority.file("away"), here(), key.clone(), "away: there is no such file"),
        (none, here(), key.clone(), "none.pem: there is no certificate in it"),
        (ca.clone(), key.clone(), key.clone(), "key.pem: there is no certificate in it"),
        (ca.clone(), here(), here(), "cert.pem: there is no key in it"),
        (ca.clone(), ca.clone(), key.clone(), "do not belong together"),
        (pipe, here(), key.clone(), "pipe: it is a folder, a pipe or a device"),
        ("/dev/zero".into(), here(), key.clone(), "/dev/zero: it is a folder"),
        (long, here(), key.clone(), "longer than 1048576 bytes"),
        (ca.clone(), here(), text.into(), "key_file: the path of a file is wanted, not what stands in it"),
    ] {
        let builder =
            RedisStore::builder("rediss://localhost").ca_file(ca).client_certificate(certificate, key);
        let error = refused(builder).await;
        assert!(error.message().contains(words) && !error.message().contains("-----"), "{error}");
    }
}
