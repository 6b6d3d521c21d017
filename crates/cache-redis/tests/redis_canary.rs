//! How a connection sees that what it is told still arrives, and what it does when it does not.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod common;

use std::sync::Arc;
use std::time::{Duration, Instant};

use cache_core::{Feed, FeedMode, LinkId, LinkStatus, PutIf, Store};
use cache_redis::{RedisStore, RedisStoreBuilder};
use cache_testkit::proxy::{Direction, Fault, FaultProxy};
use cache_testkit::redis::Options;
use cache_testkit::{FakeClock, FeedEvent, FeedLog, eventually};
use common::{client, key, minute, own, shared, up};

const SOON: Duration = Duration::from_secs(10);
const BEAT: Duration = Duration::from_millis(50);
/// For what a busy machine adds.
const SLACK: Duration = Duration::from_millis(500);

fn quick(url: impl Into<String>) -> RedisStoreBuilder {
    RedisStore::builder(url).heartbeat(BEAT).lease(BEAT * 20)
}

fn retired(log: &FeedLog, link: LinkId) -> usize {
    log.count(|event| *event == FeedEvent::RetireAll(link))
}

async fn is_renewed(store: &RedisStore, link: LinkId, within: Duration) {
    let renewed = || store.link_state().link != link && store.link_state().status != LinkStatus::Down;
    eventually(within, "there is a new connection", renewed).await.unwrap();
    up(store, SOON).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_not_told_of_a_change_at_connect_believes_nothing_and_says_so() {
    let proxy = FaultProxy::start(shared().addr()).unwrap();
    proxy.set_direction(Direction::ToClient, Fault::DropPushes);
    let store = quick(proxy.url()).feed(FeedMode::Tracking).build().unwrap();
    let (_, key) = key("stripped");
    store.put(&key, "v".into(), minute(), PutIf::Always).await.unwrap();
    assert!(!store.get(&key).await.unwrap().tracked);
    let state = store.link_state();
    assert_eq!((state.status, state.feed), (LinkStatus::Up, Feed::Polled));
    assert!(state.reason.unwrap().contains("does not tell of a change"));
    proxy.set(Fault::Pass);
    store.suspect(state.link);
    is_renewed(&store, state.link, SOON).await;
    let state = store.link_state();
    assert_eq!((state.feed, state.reason), (Feed::Tracking, None));
    assert!(store.get(&key).await.unwrap().tracked);
}

#[tokio::test(flavor = "multi_thread")]
async fn announcements_that_cease_to_arrive_are_missed_by_the_next_heartbeat() {
    let proxy = FaultProxy::start(shared().addr()).unwrap();
    let store = quick(proxy.url()).build().unwrap();
    let (namespace, key) = key("lost");
    let log = FeedLog::subscribed_to(&store, &namespace);
    let link = store.get(&key).await.unwrap().link;
    assert_eq!(store.link_state().feed, Feed::Tracking);
    proxy.set_direction(Direction::ToClient, Fault::DropPushes);
    let began = Instant::now();
    client(shared()).put(&key, "foreign".into(), minute(), PutIf::Always).await.unwrap();
    eventually(SOON, "the next link is there", || store.link_state().link != link).await.unwrap();
    let took = began.elapsed();
    assert!(took < BEAT * 2 + SLACK, "a heartbeat and a reconnect, not {took:?}");
    up(&store, SOON).await;
    assert_eq!(log.invalidations(key.as_str()), 0, "it was lost");
    assert!(retired(&log, store.link_state().link) > 0, "so everything is void");
    assert!(!store.get(&key).await.unwrap().tracked, "and nothing is believed while they do not arrive");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_swapped_voids_everything_within_two_heartbeats() {
    let server = own(&Options::new());
    let (store, (namespace, key)) = (quick(server.url()).build().unwrap(), key("swapped"));
    let log = FeedLog::subscribed_to(&store, &namespace);
    store.put(&key, "v".into(), minute(), PutIf::Always).await.unwrap();
    let link = store.get(&key).await.unwrap().link;
    for round in 1..=3 {
        let before = retired(&log, link);
        assert_eq!(before, round, "by the new connection, and once for each swap");
        server.command(&["SWAPDB", "0", "1"]).unwrap();
        let began = Instant::now();
        eventually(SOON, "it is seen", || retired(&log, link) > before).await.unwrap();
        let took = began.elapsed();
        assert!(took < BEAT * 2 + SLACK, "{took:?}");
        // The canary is put into the other database before it is looked for there.
        let beats = log.count(|event| matches!(event, FeedEvent::Alive(..)));
        let later = || log.count(|event| matches!(event, FeedEvent::Alive(..))) > beats + 2;
        eventually(SOON, "the heart goes on", later).await.unwrap();
    }
    assert_eq!(store.link_state().link, link, "the connection is in order");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_changes_its_role_is_another_epoch_without_any_write() {
    let server = own(&Options::new());
    let (store, (namespace, key)) = (quick(server.url()).build().unwrap(), key("role"));
    let log = FeedLog::subscribed_to(&store, &namespace);
    let link = store.get(&key).await.unwrap().link;
    server.command(&["REPLICAOF", "127.0.0.1", "1"]).unwrap();
    let demoted = || store.link_state().status == LinkStatus::ReadOnly;
    eventually(SOON, "the demotion is seen", demoted).await.unwrap();
    let read = store.get(&key).await.unwrap();
    assert!(read.link != link && !read.tracked, "what a replica has may be late");
    server.command(&["REPLICAOF", "NO", "ONE"]).unwrap();
    up(&store, SOON).await;
    let read = store.get(&key).await.unwrap();
    assert!(read.tracked && retired(&log, read.link) > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_that_was_suspended_begins_a_new_epoch() {
    let clock = FakeClock::new();
    let store = quick(shared().url()).clock(clock.clone()).build().unwrap();
    let (namespace, key) = key("suspended");
    let log = FeedLog::subscribed_to(&store, &namespace);
    let link = store.get(&key).await.unwrap().link;
    clock.suspend(Duration::from_millis(50));
    let beats = || log.count(|event| matches!(event, FeedEvent::Alive(..)));
    eventually(SOON, "some heartbeats", || beats() > 5).await.unwrap();
    assert_eq!(store.link_state().link, link, "clocks that are read one after the other differ a little");
    clock.suspend(Duration::from_secs(60));
    is_renewed(&store, link, SOON).await;
    let after = store.link_state().link;
    assert_eq!(retired(&log, after), 1);
    let now = beats();
    eventually(SOON, "some heartbeats", || beats() > now + 5).await.unwrap();
    assert_eq!(store.link_state().link, after, "once");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_who_may_use_one_namespace_only_is_tracked_there() {
    let server = own(&Options::new());
    server.command(&["ACL", "SETUSER", "app", "on", ">pw", "~mine:*", "&mine:*", "+@all"]).unwrap();
    let url = format!("redis://app:pw@127.0.0.1:{}", server.addr().port());
    let namespace = cache_core::Namespace::new("mine").unwrap();
    let key = namespace.key("k").unwrap();
    let said = quick(&url).namespace(&namespace).build().unwrap();
    assert!(said.get(&key).await.unwrap().tracked);
    let listened = quick(&url).build().unwrap();
    let _log = FeedLog::subscribed_to(&listened, &namespace);
    assert!(listened.get(&key).await.unwrap().tracked);
    let neither = quick(&url).feed(FeedMode::Tracking).build().unwrap();
    assert!(!neither.get(&key).await.unwrap().tracked);
    assert!(neither.link_state().reason.unwrap().contains("access rules"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_test_that_could_not_be_made_is_made_later() {
    let server = own(&Options::new());
    server.command(&["CONFIG", "SET", "maxmemory", "1"]).unwrap();
    let (store, (_, key)) = (quick(server.url()).feed(FeedMode::Tracking).build().unwrap(), key("later"));
    assert!(!store.get(&key).await.unwrap().tracked);
    assert!(store.link_state().reason.unwrap().contains("(OOM)"));
    server.command(&["CONFIG", "SET", "maxmemory", "0"]).unwrap();
    eventually(SOON, "it is believed", || store.link_state().feed == Feed::Tracking).await.unwrap();
    assert!(store.get(&key).await.unwrap().tracked);
    // Once it is believed, memory that runs out does not end it: what is told still arrives.
    let link = store.link_state().link;
    server.command(&["CONFIG", "SET", "maxmemory", "1"]).unwrap();
    let (began, beats) = (Instant::now(), BEAT * 10);
    eventually(SOON, "some heartbeats", || began.elapsed() > beats).await.unwrap();
    assert_eq!((store.link_state().feed, store.link_state().link), (Feed::Tracking, link));
}

/// Between a client and a server, and able to say something to the server in the client's name.
mod intruder {
    use std::net::SocketAddr;
    use std::sync::Arc;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};
    use tokio::sync::broadcast;

    pub(crate) struct Intruder {
        pub(crate) addr: SocketAddr,
        says: broadcast::Sender<Vec<u8>>,
    }

    impl Intruder {
        pub(crate) async fn before(server: SocketAddr) -> Arc<Self> {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let addr = listener.local_addr().unwrap();
            let intruder = Arc::new(Self { addr, says: broadcast::channel(8).0 });
            let it = Arc::clone(&intruder);
            tokio::spawn(async move {
                while let Ok((client, _)) = listener.accept().await {
                    let server = TcpStream::connect(server).await.unwrap();
                    tokio::spawn(between(client, server, it.says.subscribe()));
                }
            });
            intruder
        }

        /// Has the server carry out a command without an answer, on every connection that is open.
        pub(crate) fn say(&self, command: &str) {
            self.says.send(format!("CLIENT REPLY SKIP\r\n{command}\r\n").into_bytes()).unwrap();
        }
    }

    async fn between(client: TcpStream, server: TcpStream, mut says: broadcast::Receiver<Vec<u8>>) {
        let ((mut from_client, mut to_client), (mut from_server, mut to_server)) =
            (client.into_split(), server.into_split());
        tokio::spawn(async move { tokio::io::copy(&mut from_server, &mut to_client).await });
        let mut bytes = vec![0; 64 << 10];
        loop {
            tokio::select! {
                // What a client sends at once it sends whole.
                read = from_client.read(&mut bytes) => match read {
                    Ok(read @ 1..) => to_server.write_all(&bytes[..read]).await.unwrap(),
                    _ => return,
                },
                Ok(said) = says.recv() => to_server.write_all(&said).await.unwrap(),
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tracking_that_was_switched_off_is_noticed_by_the_next_heartbeat() {
    for command in ["CLIENT TRACKING OFF", "CLIENT TRACKING ON", "HELLO 2"] {
        let proxy = intruder::Intruder::before(shared().addr()).await;
        let store = Arc::new(quick(format!("redis://{}", proxy.addr)).build().unwrap());
        let (_, key) = key("off");
        let link = store.get(&key).await.unwrap().link;
        assert_eq!(store.link_state().feed, Feed::Tracking);
        let began = Instant::now();
        proxy.say(command);
        eventually(SOON, "it is noticed", || store.link_state().link != link)
            .await
            .unwrap_or_else(|error| panic!("{command}: {error}"));
        let took = began.elapsed();
        assert!(took < BEAT * 3 + SLACK, "{command}: {took:?}");
        up(&store, SOON).await;
        assert!(store.get(&key).await.unwrap().tracked, "{command}");
    }
}
