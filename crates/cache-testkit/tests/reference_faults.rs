//! What a test can do to the reference server and its clients.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, its helpers too")]

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use cache_core::{
    Clock, ErrorKind, Feed, FeedSink, Key, LinkStatus, Mark, Moment, Namespace, PutIf, RemoveIf, Store, Ttl,
};
use cache_testkit::{
    FakeClock, FeedEvent, FeedLog, Op, ReferenceServer, ReferenceStore, eventually, settle, sweep,
};

const SECOND: Duration = Duration::from_secs(1);

struct World {
    clock: Arc<FakeClock>,
    server: Arc<ReferenceServer>,
    store: ReferenceStore,
    log: Arc<FeedLog>,
    key: Key,
}

impl World {
    fn new() -> Self {
        let clock = FakeClock::new();
        let server = ReferenceServer::new(clock.clone());
        let store = server.connect();
        let namespace = Namespace::new("n").unwrap();
        let log = FeedLog::subscribed_to(&store, &namespace);
        Self { clock, server, store, log, key: namespace.key("k").unwrap() }
    }

    async fn put(&self, value: &'static str) {
        let ttl = Ttl::new(60 * SECOND).unwrap();
        self.store.put(&self.key, value.into(), ttl, PutIf::Always).await.unwrap();
    }

    fn told(&self) -> usize {
        self.log.invalidations(self.key.as_str())
    }

    fn retired(&self) -> usize {
        self.log.count(|event| matches!(event, FeedEvent::RetireAll(_)))
    }

    fn spawn_get(&self) -> tokio::task::JoinHandle<Result<cache_core::Read, cache_core::Error>> {
        let (store, key) = (self.store.clone(), self.key.clone());
        tokio::spawn(async move { store.get(&key).await })
    }
}

#[tokio::test]
async fn the_next_calls_fail_as_told_and_do_nothing() {
    let world = World::new();
    world.store.fail_next(Op::Put, 1, ErrorKind::Timeout);
    world.server.fail_next(Op::Put, 1, ErrorKind::Unavailable);
    let ttl = Ttl::new(SECOND).unwrap();
    for expected in [Some(ErrorKind::Timeout), Some(ErrorKind::Unavailable), None] {
        let put = world.store.put(&world.key, "v".into(), ttl, PutIf::Absent).await;
        assert_eq!(put.err().map(|error| error.kind()), expected);
        assert_eq!(world.server.keys().is_empty(), expected.is_some());
    }
    assert!(world.store.get(&world.key).await.is_ok(), "other operations are not concerned");
    world.store.fail_next(Op::GetMany, 1, ErrorKind::Timeout);
    let many = world.store.get_many(&[world.key.clone(), world.key.clone()]).await;
    assert!(many.len() == 2 && many.iter().all(Result::is_err));
}

#[tokio::test]
async fn calls_are_counted_by_client_and_by_server() {
    let world = World::new();
    let other = world.server.connect();
    world.put("v").await;
    world.store.get(&world.key).await.unwrap();
    other.get(&world.key).await.unwrap();
    other.fail_next(Op::Get, 1, ErrorKind::Timeout);
    other.get(&world.key).await.unwrap_err();
    assert_eq!((world.server.calls(Op::Get), world.store.calls(Op::Get), other.calls(Op::Get)), (3, 1, 2));
    assert_eq!((world.server.calls(Op::Put), world.server.calls(Op::Scan)), (1, 0));
}

#[tokio::test]
async fn a_call_held_before_its_effect_sees_what_comes_meanwhile() {
    let world = World::new();
    let gate = world.store.hold(Op::Get);
    let get = world.spawn_get();
    gate.reached().await;
    world.server.raw_set(world.key.as_str(), "new", None);
    gate.release();
    assert_eq!(get.await.unwrap().unwrap().found.unwrap().bytes, "new");
    assert_eq!(world.told(), 0, "nothing was tracked yet");
}

#[tokio::test]
async fn a_held_reply_is_old_when_it_comes_and_the_push_was_faster() {
    let world = World::new();
    world.put("old").await;
    let gate = world.store.hold_reply(Op::Get);
    let get = world.spawn_get();
    gate.reached().await;
    world.server.raw_set(world.key.as_str(), "new", None);
    assert_eq!(world.told(), 1);
    gate.release();
    assert_eq!(get.await.unwrap().unwrap().found.unwrap().bytes, "old");
}

#[tokio::test]
async fn gates_hold_one_call_each_and_let_go_when_they_are_dropped() {
    let world = World::new();
    let (first, second) = (world.server.hold(Op::Get), world.server.hold(Op::Get));
    let one = world.spawn_get();
    first.reached().await;
    assert!(!second.is_reached());
    let two = world.spawn_get();
    second.reached().await;
    world.store.get(&world.key).await.unwrap();
    assert!(!one.is_finished() && !two.is_finished());
    drop(second);
    two.await.unwrap().unwrap();
    assert!(!one.is_finished());
    first.release();
    one.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_call_on_its_way_when_the_connection_ends_fails_and_its_effect_stays() {
    let world = World::new();
    let gate = world.store.hold_reply(Op::Put);
    let (store, key) = (world.store.clone(), world.key.clone());
    let put =
        tokio::spawn(
            async move { store.put(&key, "v".into(), Ttl::new(SECOND).unwrap(), PutIf::Always).await },
        );
    gate.reached().await;
    world.store.disconnect();
    assert_eq!(put.await.unwrap().unwrap_err().kind(), ErrorKind::Unavailable);
    assert_eq!(world.server.raw_get(world.key.as_str()).unwrap().bytes, "v");
}

#[tokio::test]
async fn while_disconnected_calls_fail_and_pushes_are_lost() {
    let world = World::new();
    world.put("v").await;
    let old = world.store.link_state();
    world.store.disconnect();
    let down = world.store.link_state();
    assert_eq!((down.status, down.link, down.feed), (LinkStatus::Down, old.link, Feed::None));
    assert!(down.reason.is_some());
    let error = world.store.get(&world.key).await.unwrap_err();
    assert_eq!((error.kind(), error.operation()), (ErrorKind::Unavailable, Some("get")));
    world.server.raw_set(world.key.as_str(), "new", None);
    world.store.reconnect();
    assert_eq!((world.told(), world.retired()), (0, 1));
    let up = world.store.link_state();
    assert_eq!((up.status, up.feed), (LinkStatus::Up, Feed::Tracking));
    assert_ne!(up.link, old.link);
    let told = [FeedEvent::RetireAll(up.link), FeedEvent::Alive(up.link, world.clock.now())];
    assert!(world.log.events().ends_with(&told), "void, and alive again");
    world.server.raw_set(world.key.as_str(), "newer", None);
    assert_eq!(world.told(), 0, "the new connection has asked for nothing yet");
}

#[tokio::test]
async fn a_new_connection_tracks_nothing_that_the_old_one_did() {
    let world = World::new();
    world.put("v").await;
    world.store.reconnect();
    world.server.raw_set(world.key.as_str(), "new", None);
    assert_eq!(world.told(), 0);
}

#[tokio::test]
async fn marks_are_lost_on_one_who_is_away() {
    let world = World::new();
    world.store.disconnect();
    let before = world.log.events();
    world.server.connect().bump_mark(&Namespace::new("n").unwrap(), &Mark::Clear).await.unwrap();
    world.server.heartbeat();
    world.server.flush_all();
    assert_eq!(world.log.events(), before);
    world.store.reconnect();
    let link = world.store.link_state().link;
    let told = [FeedEvent::RetireAll(link), FeedEvent::Alive(link, world.clock.now())];
    assert_eq!(world.log.events()[before.len()..], told);
}

#[tokio::test]
async fn over_a_frozen_connection_nothing_comes_until_it_thaws() {
    let world = World::new();
    world.put("old").await;
    let alive = world.store.link_state().alive_at;
    world.clock.advance(SECOND);
    world.store.freeze();
    let get = world.spawn_get();
    settle().await;
    world.server.raw_set(world.key.as_str(), "new", None);
    world.server.heartbeat();
    settle().await;
    assert!(!get.is_finished() && world.told() == 0);
    assert_eq!(world.store.link_state().alive_at, alive);
    world.store.thaw();
    assert_eq!(world.told(), 1, "pushes come first");
    assert_eq!(get.await.unwrap().unwrap().found.unwrap().bytes, "old");
}

#[tokio::test]
async fn a_frozen_call_fails_when_the_link_is_given_up() {
    let world = World::new();
    let link = world.store.link_state().link;
    world.store.freeze();
    let get = world.spawn_get();
    settle().await;
    world.store.suspect(link);
    assert_eq!(get.await.unwrap().unwrap_err().kind(), ErrorKind::Unavailable);
    assert!(world.store.get(&world.key).await.is_ok());
    assert_eq!(world.server.calls(Op::Suspect), 1);
}

#[tokio::test]
async fn one_change_is_told_once_and_ends_the_tracking() {
    let world = World::new();
    world.store.get(&world.key).await.unwrap();
    world.server.raw_del(world.key.as_str());
    assert_eq!(world.told(), 0, "there was nothing to remove");
    world.server.raw_set(world.key.as_str(), "1", None);
    world.server.raw_set(world.key.as_str(), "2", None);
    assert_eq!(world.told(), 1);
    world.store.get(&world.key).await.unwrap();
    assert!(world.server.raw_del(world.key.as_str()));
    assert_eq!(world.told(), 2);
}

#[tokio::test]
async fn expiry_is_told_when_it_is_found() {
    let world = World::new();
    world.put("v").await;
    world.clock.advance(60 * SECOND);
    assert_eq!(world.told(), 0, "nobody has looked");
    world.server.expire();
    assert_eq!((world.told(), world.server.keys().len()), (1, 0));
    world.put("v").await;
    world.clock.advance(60 * SECOND);
    assert_eq!(world.server.raw_get(world.key.as_str()), None);
    assert_eq!(world.told(), 2);
}

#[tokio::test]
async fn a_flush_takes_all_and_voids_every_copy() {
    let world = World::new();
    let namespace = Namespace::new("n").unwrap();
    world.put("v").await;
    let before = world.store.bump_mark(&namespace, &Mark::Clear).await.unwrap();
    world.server.flush_all();
    assert_eq!((world.retired(), world.server.keys().len()), (1, 0));
    let after = world.store.read_marks(&namespace, &[Mark::Clear]).await.unwrap();
    assert_eq!((after.now.seq, after.seqs), (0, vec![0]));
    assert_ne!(after.now.nonce, before.nonce);
}

#[tokio::test]
async fn lost_marks_are_another_incarnation() {
    let world = World::new();
    let namespace = Namespace::new("n").unwrap();
    let before = world.store.bump_mark(&namespace, &Mark::Clear).await.unwrap();
    world.put("v").await;
    world.server.lose_marks();
    let after = world.store.read_marks(&namespace, &[Mark::Clear]).await.unwrap();
    assert_eq!((after.now.seq, after.seqs), (0, vec![0]));
    assert_ne!(after.now.nonce, before.nonce);
    assert_eq!(world.server.keys(), ["n:k"], "values stay");
}

#[tokio::test]
async fn a_mark_is_told_to_all_but_the_one_who_bumped() {
    let world = World::new();
    let (other, namespace) = (world.server.connect(), Namespace::new("n").unwrap());
    let theirs = FeedLog::subscribed_to(&other, &namespace);
    let at = world.store.bump_mark(&namespace, &Mark::Clear).await.unwrap();
    let event = FeedEvent::Mark(Mark::Clear, at);
    assert_eq!((theirs.count(|e| *e == event), world.log.count(|e| *e == event)), (1, 0));
}

#[tokio::test]
async fn an_answered_question_shows_that_the_link_was_alive_when_it_was_sent() {
    let world = World::new();
    world.clock.advance(SECOND);
    let sent = world.clock.now();
    let gate = world.store.hold(Op::Get);
    let get = world.spawn_get();
    gate.reached().await;
    world.clock.advance(SECOND);
    gate.release();
    let link = get.await.unwrap().unwrap().link;
    let subscribed = FeedEvent::Alive(link, Moment::START);
    assert_eq!(world.log.events(), [subscribed, FeedEvent::Alive(link, sent)]);
    assert_eq!(world.store.link_state().alive_at, Some(sent));
}

#[tokio::test]
async fn kept_alive_a_link_is_alive_as_time_goes_on() {
    let world = World::new();
    let beats = || world.log.count(|event| matches!(event, FeedEvent::Alive(..)));
    let before = beats();
    let keeper = tokio::spawn(world.server.keep_alive(world.clock.clone(), SECOND));
    for _ in 0..3 {
        settle().await;
        assert_eq!(world.store.link_state().alive_at, Some(world.clock.now()));
        world.clock.advance(SECOND);
    }
    settle().await;
    assert_eq!(beats() - before, 4);
    drop((world.server, world.store));
    world.clock.advance(SECOND);
    keeper.await.unwrap();
}

/// A sink that notes whether it is told two things at once.
#[derive(Default)]
struct OneAtATime {
    inside: AtomicUsize,
    entered: AtomicUsize,
    overlapped: AtomicBool,
}

impl FeedSink for OneAtATime {
    fn invalidate(&self, _: &[u8]) {
        self.entered.fetch_add(1, Ordering::SeqCst);
        self.inside.fetch_add(1, Ordering::SeqCst);
        let began = Instant::now();
        while began.elapsed() < Duration::from_millis(50) {
            if self.inside.load(Ordering::SeqCst) > 1 {
                self.overlapped.store(true, Ordering::SeqCst);
            }
            std::thread::yield_now();
        }
        self.inside.fetch_sub(1, Ordering::SeqCst);
    }

    fn retire_all(&self, _: cache_core::LinkId) {}

    fn mark(&self, _: &Mark, _: cache_core::Stamp) {}

    fn alive(&self, _: cache_core::LinkId, _: Moment) {}
}

#[tokio::test]
async fn a_sink_is_told_one_thing_at_a_time() {
    let world = World::new();
    let namespace = Namespace::new("n").unwrap();
    let sink = Arc::new(OneAtATime::default());
    let weak: Weak<dyn FeedSink> = Arc::downgrade(&(Arc::clone(&sink) as Arc<dyn FeedSink>));
    world.store.subscribe(&namespace, weak);
    for user in ["a", "b"] {
        world.store.get(&namespace.key(user).unwrap()).await.unwrap();
    }
    std::thread::scope(|scope| {
        for key in ["n:a", "n:b"] {
            let server = &world.server;
            scope.spawn(move || server.raw_set(key, "v", None));
        }
    });
    assert_eq!(sink.entered.load(Ordering::SeqCst), 2);
    assert!(!sink.overlapped.load(Ordering::SeqCst));
}

/// A sink that asks the store for its state, as an engine may.
struct Curious(ReferenceStore, FeedLog);

impl FeedSink for Curious {
    fn invalidate(&self, key: &[u8]) {
        assert_eq!(self.0.link_state().status, LinkStatus::Up);
        self.1.invalidate(key);
    }

    fn retire_all(&self, _: cache_core::LinkId) {}

    fn mark(&self, _: &Mark, _: cache_core::Stamp) {}

    fn alive(&self, _: cache_core::LinkId, _: Moment) {}
}

#[tokio::test]
async fn sinks_are_told_without_a_lock_of_the_server() {
    let world = World::new();
    let sink = Arc::new(Curious(world.store.clone(), FeedLog::default()));
    let weak: Weak<dyn FeedSink> = Arc::downgrade(&(Arc::clone(&sink) as Arc<dyn FeedSink>));
    world.store.subscribe(&Namespace::new("n").unwrap(), weak);
    world.store.get(&world.key).await.unwrap();
    world.server.raw_set(world.key.as_str(), "v", None);
    assert_eq!(sink.1.invalidations(world.key.as_str()), 1);
}

#[tokio::test]
async fn a_call_can_be_dropped_before_and_after_its_effect() {
    let world = World::new();
    let seen = std::sync::Mutex::new(Vec::new());
    let ttl = Ttl::new(SECOND).unwrap();
    let put = || world.store.put(&world.key, "v".into(), ttl, PutIf::Always);
    sweep(put, async |_| {
        seen.lock().unwrap().push(!world.server.keys().is_empty());
        world.server.raw_del(world.key.as_str());
    })
    .await
    .unwrap();
    assert_eq!(*seen.lock().unwrap(), [false, false, false, false, true, true]);
}

#[tokio::test]
async fn an_unshared_servers_raw_access_reaches_nobodys_entries() {
    let clock = FakeClock::new();
    let server = ReferenceServer::builder(clock).unshared().build();
    let (store, key) = (server.connect(), Namespace::new("n").unwrap().key("k").unwrap());
    store.put(&key, "v".into(), Ttl::MAX, PutIf::Always).await.unwrap();
    assert!(server.keys().is_empty() && !server.raw_del(key.as_str()));
    assert!(store.remove(&key, RemoveIf::Always).await.unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pushes_of_many_threads_are_told_in_the_order_of_their_effects() {
    let world = World::new();
    let namespace = Namespace::new("n").unwrap();
    let tasks: Vec<_> = (0..8)
        .map(|_| {
            let (client, namespace) = (world.server.connect(), namespace.clone());
            tokio::spawn(async move {
                for _ in 0..100 {
                    client.bump_mark(&namespace, &Mark::Clear).await.unwrap();
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    let all = || world.log.count(|event| matches!(event, FeedEvent::Mark(..))) == 800;
    eventually(10 * SECOND, "all marks are told", all).await.unwrap();
    let seqs = world.log.events().into_iter().filter_map(|event| match event {
        FeedEvent::Mark(_, at) => Some(at.seq),
        _ => None,
    });
    assert_eq!(seqs.collect::<Vec<_>>(), (1..=800).collect::<Vec<_>>());
}
