//! What is done while the store is away takes effect here at once, and in the store when it is back.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by a panic")]

mod common;

use std::sync::Arc;
use std::time::Duration;

use cache_core::ErrorKind;
use cache_testkit::{FakeClock, Op, ReferenceServer, settle, sweep};
use cache_tiered::{Cache, Coherence, Error, LoadOptions, Loaded, SetOptions, Settings, Status};
use common::{MINUTE, Process, SECOND, pass, process, process_with};

const HOUR: Duration = Duration::from_secs(3600);

/// Two processes, of which the first loses the store now and then.
struct World {
    clock: Arc<FakeClock>,
    server: Arc<ReferenceServer>,
    here: Process,
    there: Process,
}

impl World {
    fn new() -> Self {
        Self::with(Settings::default())
    }

    fn with(settings: Settings) -> Self {
        let clock = FakeClock::new();
        let server = ReferenceServer::new(clock.clone());
        let (here, there) = (process_with(&clock, &server, settings), process(&clock, &server));
        Self { clock, server, here, there }
    }

    async fn set(&self, key: &str, value: u32) {
        self.there.cache.set(key, &value, HOUR).await.unwrap();
    }

    async fn here(&self, key: &str) -> Option<u32> {
        get(&self.here.cache, key).await
    }

    async fn there(&self, key: &str) -> Option<u32> {
        get(&self.there.cache, key).await
    }

    fn waiting(&self) -> u64 {
        self.here.cache.stats().queue.waiting
    }

    async fn back(&self) {
        self.here.link.reconnect();
        settle().await;
        assert_eq!(self.waiting(), 0, "the store was told everything");
    }
}

async fn get(cache: &Cache, key: &str) -> Option<u32> {
    cache.get::<u32>(key).await.unwrap().map(|value| *value)
}

fn assert_queued(result: Result<(), Error>) {
    let error = result.unwrap_err();
    assert_eq!((error.kind(), error.is_queued()), (ErrorKind::Unavailable, true), "{error}");
}

#[tokio::test]
async fn invalidations_take_effect_here_at_once_and_elsewhere_when_the_store_is_back() {
    let world = World::new();
    for key in ["deleted", "expired", "kept"] {
        world.set(key, 1).await;
    }
    world.there.cache.set("tagged", &1u32, SetOptions::ttl(HOUR).tag("t")).await.unwrap();
    for key in ["deleted", "expired", "tagged", "kept"] {
        assert_eq!(world.here(key).await, Some(1));
    }
    world.here.link.disconnect();
    assert_queued(world.here.cache.delete("deleted").await);
    assert_queued(world.here.cache.expire("expired").await);
    assert_queued(world.here.cache.invalidate_tag("t").await);
    let report = world.here.cache.delete_many(&["deleted"]).await.unwrap();
    assert!(report.failed[0].1.is_queued());
    for key in ["deleted", "expired", "tagged"] {
        assert_eq!((world.here(key).await, world.there(key).await), (None, Some(1)), "{key}");
    }
    assert_eq!(world.here("kept").await, Some(1), "the lease holds");
    assert_eq!((world.waiting(), world.here.cache.health().await.queued), (3, 3));
    world.back().await;
    for key in ["deleted", "expired", "tagged"] {
        assert_eq!((world.here(key).await, world.there(key).await), (None, None), "{key}");
    }
    assert_eq!((world.here("kept").await, world.there("kept").await), (Some(1), Some(1)));
    assert_eq!(world.here.cache.stats().queue.replayed, 3);
}

#[tokio::test]
async fn a_clear_reaches_everybody_when_the_store_is_back() {
    let world = World::new();
    world.set("k", 1).await;
    world.here.link.disconnect();
    assert_queued(world.here.cache.clear().await);
    assert_eq!((world.here("k").await, world.there("k").await), (None, Some(1)));
    world.back().await;
    assert_eq!((world.here("k").await, world.there("k").await), (None, None));
}

#[tokio::test]
async fn what_waits_hides_what_the_store_has_also_while_the_store_answers_again() {
    let world = World::new();
    world.set("k", 1).await;
    world.there.cache.set("tagged", &1u32, SetOptions::ttl(HOUR).tag("t")).await.unwrap();
    world.here.link.fail_next(Op::Remove, 1, ErrorKind::Timeout);
    world.here.link.fail_next(Op::BumpMark, 1, ErrorKind::Unavailable);
    assert_queued(world.here.cache.delete("k").await);
    assert_queued(world.here.cache.invalidate_tag("t").await);
    // The next success starts a replay, which is held.
    let gate = world.here.link.hold(Op::BumpMark);
    let (_, receipt) = world.here.cache.get_with_receipt::<u32>("k").await.unwrap();
    assert_eq!(receipt.status, Status::Absent, "the store was asked, and has it");
    gate.reached().await;
    assert_eq!(world.here("tagged").await, None);
    let many = world.here.cache.get_many::<u32>(&["k", "tagged"]).await.unwrap();
    assert_eq!(many, [None, None]);
    let loaded = world.here.cache.get_or_load("k", HOUR, || async { Loaded::Ok(2u32) }).await.unwrap();
    assert_eq!(*loaded, 2, "a claim finds the old value, which answers nobody");
    gate.release();
    settle().await;
    assert_eq!(world.waiting(), 0);
    assert_eq!((world.there("tagged").await, world.here("tagged").await), (None, None));
    assert_ne!(world.there("k").await, Some(1));
}

#[tokio::test]
async fn a_read_that_began_while_a_delete_waited_does_not_bring_the_value_afterwards() {
    let world = World::new();
    world.set("k", 1).await;
    world.here.link.fail_next(Op::Remove, 1, ErrorKind::Timeout);
    assert_queued(world.here.cache.delete("k").await);
    let gate = world.here.link.hold_reply(Op::Get);
    let reading = tokio::spawn({
        let cache = world.here.cache.clone();
        async move { get(&cache, "k").await }
    });
    gate.reached().await;
    world.server.heartbeat();
    settle().await;
    assert_eq!(world.waiting(), 0, "the store was told while the read was on its way back");
    gate.release();
    assert_eq!(reading.await.unwrap(), None);
    assert_eq!(world.here("k").await, None);
}

#[tokio::test]
async fn a_load_from_before_a_queued_invalidation_is_not_kept() {
    for tagged in [false, true] {
        let world = World::new();
        world.here.link.disconnect();
        let (stage, loader) = common::staged::<u32>();
        let cache = world.here.cache.clone();
        let options = SetOptions::ttl(HOUR).tag("t");
        let load = tokio::spawn(async move { cache.get_or_load("k", options, loader).await });
        let running = stage.started().await;
        if tagged {
            assert_queued(world.here.cache.invalidate_tag("t").await);
        } else {
            assert_queued(world.here.cache.delete("k").await);
        }
        running.bring(1);
        assert_eq!(*load.await.unwrap().unwrap(), 1, "who asked before has it");
        settle().await;
        assert_eq!(world.here("k").await, None, "by tag: {tagged}");
    }
}

#[tokio::test]
async fn a_local_write_is_served_here_and_written_when_the_store_is_back() {
    let world = World::new();
    world.set("k", 1).await;
    assert_eq!(world.here("k").await, Some(1), "so its version is known");
    world.here.link.disconnect();
    world.here.cache.set("k", &2u32, HOUR).await.unwrap();
    world.here.cache.set("new", &3u32, HOUR).await.unwrap();
    let (value, receipt) = world.here.cache.get_with_receipt::<u32>("k").await.unwrap();
    assert_eq!((value.as_deref(), receipt.coherence), (Some(&2), Coherence::Unsynced));
    assert_eq!(world.there("k").await, Some(1));
    world.clock.advance(MINUTE / 2);
    world.back().await;
    for key in ["k", "new"] {
        let expected = if key == "k" { 2 } else { 3 };
        assert_eq!((world.here(key).await, world.there(key).await), (Some(expected), Some(expected)));
        let (_, receipt) = world.here.cache.get_with_receipt::<u32>(key).await.unwrap();
        assert_eq!(
            (receipt.coherence, receipt.fresh_for),
            (Coherence::Feed, Some(HOUR - MINUTE / 2)),
            "{key}"
        );
    }
    world.set("k", 4).await;
    assert_eq!(world.here("k").await, Some(4), "an ordinary entry: its changes are announced");
}

#[tokio::test]
async fn a_local_write_yields_to_what_others_did_meanwhile_and_nobody_disagrees() {
    let world = World::new();
    for key in ["written", "deleted", "first"] {
        if key != "first" {
            world.set(key, 1).await;
            assert_eq!(world.here(key).await, Some(1));
        }
    }
    world.here.link.disconnect();
    for key in ["written", "deleted", "first"] {
        world.here.cache.set(key, &2u32, HOUR).await.unwrap();
    }
    world.set("written", 3).await;
    world.set("first", 3).await;
    world.there.cache.delete("deleted").await.unwrap();
    world.back().await;
    for key in ["written", "deleted", "first"] {
        assert_eq!((world.here(key).await, world.there(key).await), (None, None), "{key}");
    }
    assert_eq!(world.here.cache.stats().queue.dropped, 3);
}

#[tokio::test]
async fn a_local_write_is_not_written_after_somebody_invalidated_its_tag() {
    for tag in [Some("t"), None] {
        let world = World::new();
        world.here.cache.set("warm", &0u32, HOUR).await.unwrap();
        world.here.link.disconnect();
        world.here.cache.set("k", &1u32, SetOptions::ttl(HOUR).tag("t")).await.unwrap();
        match tag {
            Some(tag) => world.there.cache.invalidate_tag(tag).await.unwrap(),
            None => world.there.cache.clear().await.unwrap(),
        }
        world.back().await;
        assert_eq!((world.here("k").await, world.there("k").await), (None, None), "{tag:?}");
    }
}

#[tokio::test]
async fn a_write_of_which_no_answer_came_is_found_out_to_be_there() {
    let world = World::new();
    let gate = world.here.link.hold_reply(Op::Put);
    let writing = tokio::spawn({
        let cache = world.here.cache.clone();
        async move { cache.set("k", &1u32, HOUR).await }
    });
    gate.reached().await;
    world.clock.advance(world.here.cache.settings().store_timeout);
    writing.await.unwrap().unwrap();
    gate.release();
    world.here.cache.set("k", &2u32, HOUR).await.unwrap();
    world.clock.advance(SECOND);
    settle().await;
    assert_eq!((world.waiting(), world.here("k").await, world.there("k").await), (0, Some(2), Some(2)));
    assert_eq!(world.here.cache.stats().queue.dropped, 0);
}

#[tokio::test]
async fn of_a_local_write_whose_time_is_over_nothing_comes_back() {
    let world = World::new();
    world.set("k", 1).await;
    assert_eq!(world.here("k").await, Some(1));
    world.here.link.disconnect();
    world.here.cache.set("k", &2u32, SECOND).await.unwrap();
    world.clock.advance(SECOND);
    assert_eq!(world.here("k").await, None);
    world.back().await;
    assert_eq!((world.here("k").await, world.there("k").await), (None, None), "nor what it replaced");
}

#[tokio::test]
async fn invalidations_are_told_before_writes_are() {
    let world = World::new();
    world.set("a", 1).await;
    world.here.link.disconnect();
    for i in 0..20 {
        world.here.cache.set(format!("w{i}"), &2u32, HOUR).await.unwrap();
    }
    assert_queued(world.here.cache.delete("a").await);
    assert_queued(world.here.cache.invalidate_tag("t").await);
    let before = world.here.link.calls(Op::Put);
    let put = world.here.link.hold(Op::Put);
    world.here.link.reconnect();
    put.reached().await;
    assert_eq!(
        (world.here.link.calls(Op::Remove), world.here.link.calls(Op::BumpMark)),
        (1, 1),
        "while away they were not even tried"
    );
    assert_eq!(world.there("a").await, None);
    settle().await;
    assert!(world.here.link.calls(Op::Put) - before <= 8, "a few at a time");
    put.release();
    settle().await;
    assert_eq!((world.waiting(), world.there("w7").await), (0, Some(2)));
}

#[tokio::test]
async fn a_replay_that_is_cut_short_goes_on_later_and_loses_nothing() {
    for done in [false, true] {
        let world = World::new();
        for i in 0..30 {
            world.set(&format!("k{i}"), 1).await;
        }
        world.here.link.disconnect();
        for i in 0..30 {
            assert_queued(world.here.cache.delete(format!("k{i}")).await);
        }
        let gate =
            if done { world.here.link.hold_reply(Op::Remove) } else { world.here.link.hold(Op::Remove) };
        world.here.link.reconnect();
        gate.reached().await;
        world.here.link.disconnect();
        settle().await;
        assert!((1..=30).contains(&world.waiting()), "{}", world.waiting());
        for i in 0..30 {
            assert_eq!(world.here(&format!("k{i}")).await, None);
        }
        world.back().await;
        for i in 0..30 {
            assert_eq!(world.there(&format!("k{i}")).await, None);
        }
    }
}

#[tokio::test]
async fn too_much_becomes_a_clear() {
    let mut settings = Settings::default();
    settings.replay_queue = 3;
    let world = World::with(settings);
    for i in 0..5 {
        world.set(&format!("k{i}"), 1).await;
    }
    world.here.link.disconnect();
    for i in 0..4 {
        assert_queued(world.here.cache.delete(format!("k{i}")).await);
    }
    assert_eq!((world.waiting(), world.here.cache.stats().queue.overflows), (1, 1));
    world.back().await;
    for i in 0..5 {
        assert_eq!((world.here(&format!("k{i}")).await, world.there(&format!("k{i}")).await), (None, None));
    }
}

#[tokio::test]
async fn what_was_loaded_meanwhile_takes_no_room_from_what_the_store_is_to_be_told() {
    let mut settings = Settings::default();
    settings.replay_queue = 3;
    let world = World::with(settings);
    world.set("theirs", 1).await;
    world.here.link.disconnect();
    for i in 0..4u32 {
        let load = move || async move { Loaded::Ok(i) };
        assert_eq!(*world.here.cache.get_or_load(format!("l{i}"), HOUR, load).await.unwrap(), i);
        settle().await;
    }
    assert_eq!(world.waiting(), 3, "one was not kept");
    for key in ["l0", "x", "y"] {
        assert_queued(world.here.cache.delete(key).await);
    }
    assert_eq!((world.waiting(), world.here.cache.stats().queue.overflows), (5, 0));
    world.back().await;
    assert_eq!(world.there("theirs").await, Some(1));
}

#[tokio::test]
async fn a_value_that_waits_becomes_stale_when_it_is_expired_and_is_not_lost() {
    let world = World::new();
    pass(&world.clock, SECOND).await;
    world.here.link.fail_next(Op::Put, 1, ErrorKind::Timeout);
    let options = LoadOptions::ttl(MINUTE).stale_for(HOUR);
    world.here.cache.set("k", &1u32, options.entry.clone()).await.unwrap();
    assert_eq!((world.waiting(), world.here("k").await), (1, Some(1)));
    world.here.cache.expire("k").await.unwrap();
    assert_eq!((world.waiting(), world.here("k").await, world.there("k").await), (0, None, None));
    for process in [&world.here, &world.there] {
        let down = || async { Err::<u32, _>("down") };
        assert_eq!(*process.cache.get_or_load("k", options.clone(), down).await.unwrap(), 1);
    }
}

#[tokio::test]
async fn a_later_change_that_the_store_took_ends_the_wait_of_an_earlier_one() {
    let world = World::new();
    world.set("k", 1).await;
    let stop = world.here.link.hold(Op::BumpMark);
    world.here.link.fail_next(Op::BumpMark, 1, ErrorKind::Unavailable);
    world.here.link.fail_next(Op::Remove, 1, ErrorKind::Unavailable);
    assert_queued(world.here.cache.delete("k").await);
    assert_queued(world.here.cache.invalidate_tag("t").await);
    world.here.cache.set("k", &2u32, HOUR).await.unwrap();
    assert_eq!((world.here("k").await, world.there("k").await), (Some(2), Some(2)));
    drop(stop);
    settle().await;
    assert_eq!((world.waiting(), world.here("k").await, world.there("k").await), (0, Some(2), Some(2)));
}

#[tokio::test]
async fn without_a_store_from_the_start_values_keep_their_time_and_say_that_they_are_unsynced() {
    let clock = FakeClock::new();
    let server = ReferenceServer::new(clock.clone());
    let link = Arc::new(server.connect());
    link.disconnect();
    server.beat_with(&clock);
    let cache = Cache::builder(cache_tiered::Namespace::new("test").unwrap())
        .local(common::tier(&clock))
        .store(link.clone())
        .timer(clock.clone())
        .build()
        .unwrap();
    cache.set("k", &1u32, HOUR).await.unwrap();
    let loaded = cache.get_or_load("l", HOUR, || async { Loaded::Ok(2u32) }).await.unwrap();
    settle().await;
    clock.advance(HOUR - SECOND);
    assert_eq!((get(&cache, "k").await, get(&cache, "l").await), (Some(1), Some(*loaded)));
    let (_, receipt) = cache.get_with_receipt::<u32>("k").await.unwrap();
    assert_eq!(receipt.coherence, Coherence::Unsynced);
    link.reconnect();
    settle().await;
    assert_eq!(get(&process(&clock, &server).cache, "k").await, Some(1), "healed, and shared");
}

type Change = fn(Cache) -> std::pin::Pin<Box<dyn Future<Output = ()> + Send>>;

#[tokio::test]
async fn a_change_that_is_dropped_midway_leaves_nothing_behind() {
    let changes: [(&str, Change); 5] = [
        ("set", |cache| Box::pin(async move { cache.set("k", &2u32, HOUR).await.unwrap() })),
        ("delete", |cache| Box::pin(async move { cache.delete("k").await.unwrap_or(()) })),
        ("expire", |cache| Box::pin(async move { cache.expire("k").await.unwrap_or(()) })),
        ("invalidate_tag", |cache| Box::pin(async move { cache.invalidate_tag("t").await.unwrap_or(()) })),
        ("clear", |cache| Box::pin(async move { cache.clear().await.unwrap_or(()) })),
    ];
    for (name, change) in changes {
        let world = Arc::new(World::new());
        world.set("k", 1).await;
        let (make, after) = (Arc::clone(&world), Arc::clone(&world));
        let failing = [Op::Put, Op::Remove, Op::Get, Op::BumpMark, Op::ReadMarks];
        sweep(
            || {
                let (world, change) = (Arc::clone(&make), change);
                async move {
                    for op in failing {
                        world.here.link.fail_next(op, 1, ErrorKind::Timeout);
                    }
                    change(world.here.cache.clone()).await;
                }
            },
            async |k| {
                let world = &after;
                {
                    world.here.link.reconnect();
                    for _ in 0..8 {
                        world.clock.advance(SECOND);
                        settle().await;
                        // What was to fail may be left over.
                        drop(world.here.cache.get::<u32>("other").await);
                    }
                    settle().await;
                    assert_eq!(world.waiting(), 0, "{name}, dropped after {k} polls");
                    assert_eq!(world.here("k").await, world.there("k").await, "{name}, {k} polls");
                    assert_eq!(world.clock.sleepers(), 0, "{name}, {k} polls");
                    world.set("k", 1).await;
                }
            },
        )
        .await
        .unwrap();
    }
}

#[tokio::test]
async fn an_invalidation_that_the_store_refuses_waits_on_and_holds_nothing_else_up() {
    for kind in [ErrorKind::Configuration, ErrorKind::Internal] {
        let world = World::new();
        world.set("k", 1).await;
        world.set("gone", 1).await;
        world.there.cache.set("l", &1_u32, SetOptions::ttl(HOUR).tag("t")).await.unwrap();
        world.here.link.disconnect();
        assert_queued(world.here.cache.delete("k").await);
        assert_queued(world.here.cache.invalidate_tag("t").await);
        world.here.cache.set("w", &2_u32, HOUR).await.unwrap();
        world.here.link.fail_next(Op::Remove, 1, kind);
        world.here.link.fail_next(Op::BumpMark, 1, kind);
        world.here.link.reconnect();
        settle().await;
        assert_eq!(world.there("w").await, Some(2), "{kind:?}: the write is told");
        assert_eq!(
            (world.here("k").await, world.here("l").await),
            (None, None),
            "{kind:?}: nothing comes back"
        );
        assert_eq!(world.waiting(), 2, "{kind:?}");
        let refused = world.server.calls(Op::BumpMark);
        for _ in 0..10 {
            world.here("other").await;
            settle().await;
        }
        assert_eq!(world.server.calls(Op::BumpMark), refused, "{kind:?}: not at each sign of life");
        // Somebody mended it.
        pass(&world.clock, 2 * SECOND).await;
        assert_eq!(world.waiting(), 0, "{kind:?}");
        assert_eq!((world.there("k").await, world.there("l").await), (None, None), "{kind:?}");
    }
}

#[tokio::test]
async fn what_is_set_after_a_waiting_mark_of_its_tag_is_served_until_the_mark_is_made() {
    for way in ["clear", "invalidate_tag"] {
        let world = World::new();
        let tagged = || SetOptions::ttl(HOUR).tag("t");
        world.here.cache.set("k", &1_u32, tagged()).await.unwrap();
        world.here.link.disconnect();
        if way == "clear" {
            assert_queued(world.here.cache.clear().await);
        } else {
            assert_queued(world.here.cache.invalidate_tag("t").await);
        }
        world.here.cache.set("k", &2_u32, tagged()).await.unwrap();
        assert_eq!(world.here("k").await, Some(2), "{way}");
        world.back().await;
        // The mark stands after it, and what was written before a mark cannot be told from what came after.
        assert_eq!((world.here("k").await, world.there("k").await), (None, None), "{way}");
    }
}
