//! What the server tells, beyond what every store with a feed must tell.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod common;

use std::time::Duration;

use cache_core::{LinkId, Mark, PutIf, Store, Ttl};
use cache_testkit::redis::{Options, RedisServer};
use cache_testkit::{FeedEvent, FeedLog, eventually};
use common::{client, key, minute, own, shared};

const SOON: Duration = Duration::from_secs(5);

fn retired(log: &FeedLog, link: LinkId) -> usize {
    log.count(|event| *event == FeedEvent::RetireAll(link))
}

#[tokio::test(flavor = "multi_thread")]
async fn when_everything_is_flushed_every_copy_is_void() {
    let server = own(&Options::new());
    for flush in ["FLUSHALL", "FLUSHDB"] {
        let (store, (namespace, key)) = (client(&server), key("flush"));
        let log = FeedLog::subscribed_to(&*store, &namespace);
        store.put(&key, "v".into(), minute(), PutIf::Always).await.unwrap();
        let link = store.get(&key).await.unwrap().link;
        assert_eq!(retired(&log, link), 1, "by the new connection");
        server.command(&[flush]).unwrap();
        // Once more if it is noticed too that the marks were lost.
        eventually(SOON, "it is told", || retired(&log, link) >= 2).await.unwrap();
        assert_eq!(store.get(&key).await.unwrap().link, link, "the connection is in order");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_listens_late_hears_at_once_that_the_link_is_alive() {
    let (store, (namespace, _)) = (client(shared()), key("late"));
    store.connected().await.unwrap();
    let log = FeedLog::subscribed_to(&*store, &namespace);
    assert_eq!(log.count(|event| matches!(event, FeedEvent::Alive(..))), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn plain_commands_of_other_programs_are_told() {
    let (server, (namespace, _)) = (shared(), key("plain"));
    let store = client(server);
    let log = FeedLog::subscribed_to(&*store, &namespace);
    let commands: [&[&str]; 6] = [
        &["SET", "", "x"],
        &["DEL", ""],
        &["SET", "", "y"],
        &["PEXPIRE", "", "100000"],
        &["PERSIST", ""],
        &["APPEND", "", "z"],
    ];
    let key = namespace.key("k").unwrap();
    for (round, command) in commands.iter().enumerate() {
        assert!(store.get(&key).await.unwrap().tracked);
        let command: Vec<&str> =
            command.iter().map(|word| if word.is_empty() { key.as_str() } else { word }).collect();
        server.command(&command).unwrap();
        let told = || log.invalidations(key.as_str()) == round + 1;
        eventually(SOON, "it is told", told).await.unwrap_or_else(|error| panic!("{command:?}: {error}"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_listeners_on_one_store_neither_is_said_to_be_told_of_everything() {
    let (server, (namespace, key)) = (shared(), key("two"));
    let store = client(server);
    let first = FeedLog::subscribed_to(&*store, &namespace);
    assert!(store.get(&key).await.unwrap().tracked);
    let second = FeedLog::subscribed_to(&*store, &namespace);
    assert!(!store.get(&key).await.unwrap().tracked, "each changes what the other is not told of");
    assert!(!store.put(&key, "v".into(), minute(), PutIf::Always).await.unwrap().tracked);
    // Marks are told to both, whoever made them.
    store.read_marks(&namespace, &[]).await.unwrap();
    let at = store.bump_mark(&namespace, &Mark::tag("t").unwrap()).await.unwrap();
    let event = FeedEvent::Mark(Mark::tag("t").unwrap(), at);
    let told = || first.count(|it| *it == event) > 0 && second.count(|it| *it == event) > 0;
    eventually(SOON, "both are told", told).await.unwrap();
    drop(second);
    assert!(store.get(&key).await.unwrap().tracked, "the other has gone");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_listener_voids_what_the_first_has_kept() {
    let (store, (namespace, key)) = (client(shared()), key("second"));
    let first = FeedLog::subscribed_to(&*store, &namespace);
    store.put(&key, "v".into(), minute(), PutIf::Always).await.unwrap();
    let read = store.get(&key).await.unwrap();
    assert!(read.tracked);
    let before = retired(&first, read.link);
    let second = FeedLog::subscribed_to(&*store, &namespace);
    assert_eq!(retired(&first, read.link), before + 1, "it is not told of what the second will change");
    assert_eq!(retired(&second, read.link), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn marks_that_go_back_in_time_begin_a_new_incarnation() {
    let server = own(&Options::new());
    let (store, (namespace, _)) = (client(&server), key("back"));
    let tag = Mark::tag("t").unwrap();
    for _ in 0..3 {
        store.bump_mark(&namespace, &tag).await.unwrap();
    }
    server.command(&["SAVE"]).unwrap();
    let mut last = None;
    for _ in 0..5 {
        last = Some(store.bump_mark(&namespace, &tag).await.unwrap());
    }
    let last = last.unwrap();
    assert_eq!(last.seq, 8);
    server.restart().unwrap();
    common::up(&store, SOON).await;
    let now = store.read_marks(&namespace, std::slice::from_ref(&tag)).await.unwrap();
    assert_ne!(now.now.nonce, last.nonce, "positions up to 8 were given before");
    let at = store.bump_mark(&namespace, &tag).await.unwrap();
    assert_eq!(at.nonce, now.now.nonce, "once");
    // The same if the first thing is a mark.
    server.command(&["SAVE"]).unwrap();
    for _ in 0..5 {
        store.bump_mark(&namespace, &tag).await.unwrap();
    }
    server.restart().unwrap();
    common::up(&store, SOON).await;
    assert_ne!(store.bump_mark(&namespace, &tag).await.unwrap().nonce, at.nonce);
}

#[tokio::test(flavor = "multi_thread")]
async fn marks_that_the_server_lost_void_everything() {
    let server = own(&Options::new());
    let (store, (namespace, _)) = (client(&server), key("lost"));
    let log = FeedLog::subscribed_to(&*store, &namespace);
    let before = store.read_marks(&namespace, &[Mark::Clear]).await.unwrap();
    let link = store.link_state().link;
    server.command(&["DEL", namespace.prefix()]).unwrap();
    eventually(SOON, "it is told", || retired(&log, link) >= 2).await.unwrap();
    let after = store.read_marks(&namespace, &[Mark::Clear]).await.unwrap();
    assert_ne!(before.now.nonce, after.now.nonce, "another incarnation");
}

fn many_marks(server: &RedisServer, prefix: &str, count: usize) {
    for chunk in (0..count).collect::<Vec<_>>().chunks(10_000) {
        let scores = chunk.iter().flat_map(|at| [(at + 1).to_string(), format!("tt{at}")]);
        let command: Vec<String> = ["ZADD".to_owned(), prefix.to_owned()].into_iter().chain(scores).collect();
        server.command(&command).unwrap();
    }
    server.command(&["ZADD", prefix, &count.to_string(), "s"]).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn marks_are_bounded_and_what_is_forgotten_voids_more_instead_of_less() {
    let (server, (namespace, _)) = (shared(), key("bound"));
    let store = client(server);
    let first = store.read_marks(&namespace, &[Mark::Clear]).await.unwrap();
    many_marks(server, namespace.prefix(), 100_000);
    let tag = |name: &str| Mark::tag(name).unwrap();
    let at = store.bump_mark(&namespace, &tag("new")).await.unwrap();
    assert_eq!((at.nonce, at.seq), (first.now.nonce, 100_001));
    let asked = [Mark::Clear, tag("t0"), tag("t9999"), tag("t10000"), tag("t99999"), tag("new")];
    let marks = store.read_marks(&namespace, &asked).await.unwrap();
    let clear = marks.seqs[0];
    assert!((9_990..=10_010).contains(&clear), "the oldest tenth became a clear at {clear}");
    assert_eq!(marks.seqs[1..3], [0, 0], "forgotten");
    assert_eq!(marks.seqs[4..], [100_000, 100_001], "kept");
    let left = server.command(&["ZCARD", namespace.prefix()]).unwrap().integer().unwrap();
    assert!(left < 91_000, "{left}");
    // A clear that came later is not taken back.
    let cleared = store.bump_mark(&namespace, &Mark::Clear).await.unwrap();
    many_marks(server, namespace.prefix(), 100_000);
    store.bump_mark(&namespace, &tag("newer")).await.unwrap();
    let marks = store.read_marks(&namespace, &[Mark::Clear]).await.unwrap();
    assert_eq!(marks.seqs, [cleared.seq]);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_foreign_mark_is_told_once_and_in_order_however_fast_they_come() {
    let (server, (namespace, _)) = (shared(), key("fast"));
    let (store, other) = (client(server), client(server));
    let log = FeedLog::subscribed_to(&*store, &namespace);
    store.read_marks(&namespace, &[]).await.unwrap();
    let mut last = None;
    for i in 0..500 {
        last = Some(other.bump_mark(&namespace, &Mark::tag(&format!("t{i}")).unwrap()).await.unwrap());
    }
    let end = FeedEvent::Mark(Mark::tag("t499").unwrap(), last.unwrap());
    eventually(SOON, "the last is told", || log.count(|event| *event == end) > 0).await.unwrap();
    let seqs: Vec<u64> = log
        .events()
        .into_iter()
        .filter_map(|event| if let FeedEvent::Mark(_, at) = event { Some(at.seq) } else { None })
        .collect();
    assert_eq!(seqs, (1..=500).collect::<Vec<u64>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_server_drops_while_it_carries_out_our_own_command_is_told() {
    // It looks at all keys before it chooses, of which there are fewer.
    let exact = ["--maxmemory-policy", "volatile-ttl", "--maxmemory-samples", "64"];
    let server = own(&Options::new().arguments(exact));
    let (store, (namespace, key)) = (client(&server), key("evicted"));
    let log = FeedLog::subscribed_to(&*store, &namespace);
    server.command(&["SET", key.as_str(), "v", "PX", "30000"]).unwrap();
    // What goes next, so that the connection's own key stays: its loss would void everything, too.
    let next = "n".repeat(128 << 10);
    for at in 0..16 {
        server.command(&["SET", &format!("next:{at}"), &next, "PX", "40000"]).unwrap();
    }
    let link = store.get(&key).await.unwrap().link;
    let before = retired(&log, link);
    let info = server.command(&["INFO", "memory"]).unwrap().text();
    let used: u64 = info.lines().find_map(|line| line.strip_prefix("used_memory:")).unwrap().parse().unwrap();
    let most = (used + (1 << 20)).to_string();
    server.command(&["CONFIG", "SET", "maxmemory", &most]).unwrap();
    // From here on nobody but this client says anything. What makes room for its next command has the least time left:
    // the key that it holds.
    let hour = Ttl::clamped(Duration::from_secs(3_600));
    for at in 0..16 {
        let filler = namespace.key(&at.to_string()).unwrap();
        store.put(&filler, vec![0; 128 << 10].into(), hour, PutIf::Always).await.unwrap();
    }
    let told = || log.invalidations(key.as_str()) > 0 || retired(&log, link) > before;
    eventually(SOON, "it is told", told).await.unwrap();
    assert_eq!(store.get(&key).await.unwrap().found, None, "it was dropped");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_server_forgets_to_track_during_our_own_command_leaves_no_copy() {
    let server = own(&Options::new());
    server.command(&["CONFIG", "SET", "tracking-table-max-keys", "10"]).unwrap();
    let (store, (namespace, _)) = (client(&server), key("forgotten"));
    let log = FeedLog::subscribed_to(&*store, &namespace);
    let keys: Vec<_> = (0..100).map(|at| namespace.key(&at.to_string()).unwrap()).collect();
    for key in &keys {
        server.command(&["SET", key.as_str(), "v"]).unwrap();
    }
    // From here on nobody but this client says anything: each of its commands makes room for what it reads.
    for key in &keys {
        store.get(key).await.unwrap();
    }
    let retired = || log.count(|event| matches!(event, FeedEvent::RetireAll(_)));
    let before = retired();
    for key in &keys {
        server.command(&["SET", key.as_str(), "changed"]).unwrap();
    }
    eventually(SOON, "it is told", || retired() > before).await.unwrap();
}
