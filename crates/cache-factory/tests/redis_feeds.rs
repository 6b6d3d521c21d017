//! Several processes that disturb one another, by every feed and several in one namespace.
#![cfg(all(feature = "memory", feature = "redis"))]
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod common;

use std::time::{Duration, Instant};

use cache_factory::durations::{hours, mins, secs};
use cache_factory::{Cache, CacheFactory, CacheSetup, FeedMode, Loaded, SetOptions};
use cache_testkit::proxy::{Direction, Fault};
use cache_testkit::redis::{Options, Reply, fresh_namespace};
use common::{own, parts, text};

/// The lease, the sign of life before which a mark may not be known, and what the machine takes.
const LATE: Duration = Duration::from_millis(2000);

fn setup(url: &str, namespace: &str, mode: FeedMode) -> CacheSetup {
    let setup = CacheFactory::new().for_web_app().redis_url(url).namespace(namespace).feed(mode);
    setup
        .connect_timeout(secs(5))
        .store_timeout(secs(2))
        .disconnected_max_age(secs(0))
        .fail_on_connection_error(true)
}

async fn cache(url: &str, namespace: &str, mode: FeedMode) -> Cache {
    setup(url, namespace, mode).await.unwrap()
}

/// Lets at least so much time pass.
async fn pass(time: Duration) {
    let began = Instant::now();
    while began.elapsed() < time {
        tokio::task::yield_now().await;
    }
}

/// Waits until the store is there again, whatever the feed is.
async fn healed(cache: &Cache, within: Duration) {
    let began = Instant::now();
    while cache.set("healed", "v", mins(5)).await.is_err()
        || cache.health().await.queued > 0
        || cache.get_with_receipt::<String>("healed").await.unwrap().1.coherence
            == cache_factory::Coherence::Unsynced
    {
        assert!(began.elapsed() < within, "{:?}", cache.health().await);
        pass(Duration::from_millis(20)).await;
    }
}

/// Reads until the answer is this.
async fn sees(cache: &Cache, key: &str, expected: Option<&str>, within: Duration, label: &str) {
    let began = Instant::now();
    loop {
        let found = cache.get::<String>(key).await.ok().flatten();
        if found.as_deref().map(String::as_str) == expected {
            return;
        }
        let found = found.map(|found| found.chars().take(20).collect::<String>());
        assert!(began.elapsed() < within, "{label}: {key} is {found:?} after {within:?}");
        tokio::task::yield_now().await;
    }
}

fn full(namespace: &str, key: &str) -> Vec<u8> {
    format!("{namespace}:{key}").into_bytes()
}

const MODES: [FeedMode; 3] = [FeedMode::Auto, FeedMode::PubSub, FeedMode::TtlOnly];

/// More keys than the server of these tests tracks.
const COPIES: usize = 150;

async fn hold_copies(cache: &Cache) {
    for i in 0..COPIES {
        cache.set(format!("k{i}"), "old", SetOptions::ttl(mins(5)).tag("t")).await.unwrap();
        assert!(text(cache, &format!("k{i}")).await.is_some());
    }
}

async fn no_copy_is_left(cache: &Cache) {
    pass(LATE).await;
    let mut stale = Vec::new();
    for i in 0..COPIES {
        if text(cache, &format!("k{i}")).await.is_some() {
            stale.push(i);
        }
    }
    assert!(stale.is_empty(), "stale: {} {stale:?}", stale.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_forgets_what_it_tracks_leaves_no_stale_copy() {
    let (server, _proxy, namespace) = parts("table");
    server.command(&["CONFIG", "SET", "tracking-table-max-keys", "10"]).unwrap();
    let a = cache(&server.url(), &namespace, FeedMode::Auto).await;
    let mut connection = server.connect().unwrap();
    hold_copies(&a).await;
    for i in 0..COPIES {
        connection.command(&[&b"DEL"[..], &full(&namespace, &format!("k{i}"))]).unwrap();
    }
    no_copy_is_left(&a).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_forgets_what_it_tracks_tells_of_tags() {
    let (server, _proxy, namespace) = parts("table-tags");
    server.command(&["CONFIG", "SET", "tracking-table-max-keys", "10"]).unwrap();
    let a = cache(&server.url(), &namespace, FeedMode::Auto).await;
    let b = setup(&server.url(), &namespace, FeedMode::TtlOnly).l1_cache_size(0).await.unwrap();
    hold_copies(&a).await;
    b.invalidate_tag("t").await.unwrap();
    no_copy_is_left(&a).await;
}

/// Somebody removes the word of those who do not publish, or the server drops it to make room.
#[tokio::test(flavor = "multi_thread")]
async fn a_word_of_the_silent_that_is_gone_too_soon_leaves_no_stale_copy() {
    for silent in [FeedMode::Auto, FeedMode::TtlOnly] {
        let (server, _proxy, namespace) = parts("word");
        let listens = cache(&server.url(), &namespace, FeedMode::PubSub).await;
        let writes = cache(&server.url(), &namespace, silent).await;
        writes.set("k", "old", mins(5)).await.unwrap();
        sees(&listens, "k", Some("old"), LATE, "at first").await;
        pass(Duration::from_millis(600)).await;
        let word = [namespace.as_bytes(), b":\xffsilent"].concat();
        assert_eq!(server.command(&[&b"DEL"[..], &word]).unwrap().integer(), Some(1));
        pass(Duration::from_millis(600)).await;
        assert_eq!(text(&listens, "k").await.as_deref(), Some("old"));
        writes.set("k", "new", mins(5)).await.unwrap();
        sees(&listens, "k", Some("new"), LATE, &format!("{silent:?}")).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replaced_database_is_seen_by_every_feed() {
    for what in ["FLUSHALL", "SWAPDB", "DEBUG RELOAD", "RESTORE", "restart"] {
        for mode in MODES {
            if (what, mode) == ("RESTORE", FeedMode::PubSub) {
                // Nobody publishes that.
                continue;
            }
            let server = own(&Options::new().arguments(["--enable-debug-command", "yes"]));
            let namespace = fresh_namespace("replaced").unwrap().as_str().to_owned();
            let a = cache(&server.url(), &namespace, mode).await;
            let b = cache(&server.url(), &namespace, mode).await;
            let label = format!("{what} {mode:?}");
            let key = full(&namespace, "k");
            a.set("k", "first", SetOptions::ttl(mins(5)).tag("t")).await.unwrap();
            let first = server.command(&[&b"DUMP"[..], &key]).unwrap();
            server.command(&["SAVE"]).unwrap();
            a.set("k", "second", SetOptions::ttl(mins(5)).tag("t")).await.unwrap();
            sees(&b, "k", Some("second"), LATE, &label).await;
            let expected = match what {
                "FLUSHALL" => {
                    server.command(&["FLUSHALL"]).unwrap();
                    None
                }
                "SWAPDB" => {
                    server.command(&["SWAPDB", "0", "1"]).unwrap();
                    None
                }
                "DEBUG RELOAD" => {
                    server.command(&["DEBUG", "RELOAD", "NOSAVE"]).unwrap();
                    Some("first")
                }
                "RESTORE" => {
                    let Reply::Bytes(first) = first.clone() else { panic!("{first:?}") };
                    server.command(&[&b"RESTORE"[..], &key, b"300000", &first, b"REPLACE"]).unwrap();
                    Some("first")
                }
                _ => {
                    server.restart().unwrap();
                    Some("first")
                }
            };
            for cache in [&a, &b] {
                sees(cache, "k", expected, LATE + secs(4), &label).await;
            }
            // And from the next heartbeat on all is as before.
            pass(Duration::from_millis(700)).await;
            healed(&a, secs(5)).await;
            healed(&b, secs(5)).await;
            a.set("k", "third", SetOptions::ttl(mins(5)).tag("t")).await.unwrap();
            sees(&b, "k", Some("third"), LATE, &label).await;
            b.invalidate_tag("t").await.unwrap();
            assert_eq!(text(&b, "k").await, None, "{label}");
            sees(&a, "k", None, LATE, &label).await;
        }
    }
}

/// Users who may not do all that the library would like to.
#[tokio::test(flavor = "multi_thread")]
async fn whoever_may_not_do_everything_is_slower_to_know_and_never_wrong() {
    let rights = [
        "-client",
        "-client|tracking",
        "-client|kill",
        "-client|trackinginfo",
        "-publish",
        "-subscribe",
        "-info",
        "-hello",
        "-config",
        "-@scripting",
        "-evalsha",
        "resetchannels",
        "-getrange",
        "-pttl",
        "-ping",
        "-zmscore",
        "-unlink",
    ];
    for right in rights {
        for mode in MODES {
            let server = own(&Options::new());
            server.command(&["ACL", "SETUSER", "u", "on", ">pw", "~ns:*", "&ns:*", "+@all", right]).unwrap();
            let url = format!("redis://u:pw@127.0.0.1:{}", server.addr().port());
            let label = format!("{right} {mode:?}");
            let Ok(poor) = setup(&url, "ns", mode).await else {
                // Said at once, which is fine.
                continue;
            };
            let rich = cache(&server.url(), "ns", mode).await;
            let began = Instant::now();
            for (writer, reader, who) in [(&rich, &poor, "reads"), (&poor, &rich, "writes")] {
                let label = format!("{label} {who}");
                if writer.set("k", "1", SetOptions::ttl(mins(5)).tag("t")).await.is_err() {
                    continue;
                }
                let began = Instant::now();
                while reader.get::<String>("k").await.ok().flatten().is_none() && began.elapsed() < secs(1) {
                    tokio::task::yield_now().await;
                }
                for step in 0..3 {
                    let done = match step {
                        0 => writer.set("k", "2", SetOptions::ttl(mins(5)).tag("t")).await,
                        1 => writer.invalidate_tag("t").await,
                        _ => writer.delete("k").await,
                    };
                    if done.is_err() {
                        continue;
                    }
                    let began = Instant::now();
                    while let Some(found) = reader.get::<String>("k").await.ok().flatten() {
                        if step == 0 && *found == "2" {
                            break;
                        }
                        assert!(began.elapsed() < LATE + secs(1), "{label} {step}: stale {found}");
                        tokio::task::yield_now().await;
                    }
                }
            }
            assert!(began.elapsed() < secs(15), "{label} takes {:?}", began.elapsed());
        }
    }
}

/// The shortest lease, a link that is silent, and values that may be served stale.
#[tokio::test(flavor = "multi_thread")]
async fn the_shortest_lease_holds_for_stale_values_too() {
    for mode in MODES {
        let (server, proxy, namespace) = parts("short");
        let setup = |url: &str| {
            setup(url, &namespace, mode)
                .lease(Duration::from_millis(100))
                .stale_for(hours(1))
                .store_timeout(Duration::from_millis(200))
        };
        let b = setup(&server.url()).store_timeout(secs(5)).await.unwrap();
        let a = setup(&proxy.url()).await.unwrap();
        for direction in Direction::BOTH {
            b.set("k", "old", mins(5)).await.unwrap();
            sees(&a, "k", Some("old"), LATE, "first").await;
            proxy.set_direction(direction, Fault::Swallow);
            b.delete("k").await.unwrap();
            let deleted = Instant::now();
            while deleted.elapsed() < secs(2) {
                let before = deleted.elapsed();
                let found = a.get::<String>("k").await.unwrap();
                assert!(
                    found.is_none() || before < Duration::from_millis(500),
                    "{mode:?} {direction:?}: stale after {before:?}"
                );
                if before > Duration::from_millis(500) {
                    let loaded = a
                        .get_or_load("k", mins(5), || async { Loaded::Ok("loaded".to_owned()) })
                        .await
                        .unwrap();
                    assert_eq!(*loaded, "loaded");
                    break;
                }
            }
            proxy.set(Fault::Pass);
            healed(&a, secs(10)).await;
            b.delete("k").await.unwrap();
            sees(&a, "k", None, LATE, "deleted").await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn odd_keys_are_told_by_every_feed() {
    for mode in MODES {
        let (server, _proxy, namespace) = parts("odd");
        let (a, b) =
            (cache(&server.url(), &namespace, mode).await, cache(&server.url(), &namespace, mode).await);
        for key in
            ["a b", "\r\n$3\r\n", "\0", ":", "é\u{ff}", " 1 2 kx", "*", "\u{10ffff}", "{a}:b", "position"]
        {
            a.set(key, "old", mins(5)).await.unwrap();
            sees(&b, key, Some("old"), LATE, "old").await;
            a.set(key, "new", SetOptions::ttl(mins(5)).tag(key)).await.unwrap();
            sees(&b, key, Some("new"), LATE, "new").await;
            a.invalidate_tag(key).await.unwrap();
            sees(&b, key, None, LATE, "gone").await;
        }
    }
}
