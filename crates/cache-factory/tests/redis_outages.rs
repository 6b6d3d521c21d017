//! Servers and networks that fail under load: no call outlives its deadline, no task is lost, and all is well within two
//! seconds of the server's return.
#![cfg(all(feature = "memory", feature = "redis"))]
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use cache_factory::durations::{mins, secs};
use cache_factory::{Cache, CacheFactory, CacheSetup, Error, HealthStatus, Loaded, Tier};
use cache_testkit::proxy::{Direction, Door, Fault, FaultProxy};
use cache_testkit::redis::{Options, RedisServer, fresh_namespace};
use common::{healed, own, pass};
use futures_util::future::join_all;

const TASKS: usize = 32;
const KEYS: usize = 50;
/// Tier-2 read, load (which takes no time here) and tier-2 write.
const DEADLINE: Duration = Duration::from_millis(250 + 250);
const SLACK: Duration = Duration::from_millis(20);
/// How long each fault lasts.
const AWAY: Duration = Duration::from_millis(1500);

/// Sees when this machine stood still, on a thread of its own.
struct Watch {
    stalls: Arc<parking_lot::Mutex<Vec<(Instant, Duration)>>>,
    stop: Arc<AtomicBool>,
}

impl Watch {
    const STEP: Duration = Duration::from_millis(1);

    fn start() -> Self {
        let (stalls, stop) = (Arc::<parking_lot::Mutex<Vec<_>>>::default(), Arc::<AtomicBool>::default());
        let watch = Self { stalls: Arc::clone(&stalls), stop: Arc::clone(&stop) };
        std::thread::spawn(move || {
            while !stop.load(Ordering::Relaxed) {
                let began = Instant::now();
                std::thread::park_timeout(Self::STEP);
                let late = began.elapsed().saturating_sub(Self::STEP);
                if late > Self::STEP {
                    stalls.lock().push((began, late));
                }
            }
        });
        watch
    }

    /// How much of this span the machine stood still.
    fn stalled(&self, began: Instant, ended: Instant) -> Duration {
        let stalls = self.stalls.lock();
        let within = stalls.iter().rev().take_while(|(at, late)| *at + *late + Self::STEP >= began);
        within.filter(|(at, _)| *at <= ended).map(|(_, late)| *late).sum()
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

/// Callers that never stop, each a task.
struct Crowd {
    stop: Arc<AtomicBool>,
    rounds: Arc<Vec<AtomicUsize>>,
    tasks: Vec<tokio::task::JoinHandle<Option<String>>>,
}

impl Crowd {
    fn start(cache: &Cache, watch: &Arc<Watch>) -> Self {
        let (stop, rounds) = (
            Arc::<AtomicBool>::default(),
            Arc::new((0..TASKS).map(|_| AtomicUsize::new(0)).collect::<Vec<_>>()),
        );
        let task = |at: usize| {
            let (cache, watch) = (cache.clone(), Arc::clone(watch));
            let (stop, rounds) = (Arc::clone(&stop), Arc::clone(&rounds));
            tokio::spawn(async move {
                let mut complaint = None;
                while !stop.load(Ordering::Relaxed) {
                    let round = rounds[at].fetch_add(1, Ordering::Relaxed);
                    let (began, what) = (Instant::now(), one(&cache, at, round).await);
                    let ended = Instant::now();
                    let took = (ended - began).saturating_sub(watch.stalled(began, ended));
                    match what {
                        Err(wrong) => complaint = Some(wrong),
                        Ok(what) if took > DEADLINE + SLACK => {
                            complaint = Some(format!("{what} took {took:?}"));
                        }
                        Ok(_) => {}
                    }
                    tokio::task::yield_now().await;
                }
                complaint
            })
        };
        let tasks = (0..TASKS).map(task).collect();
        Self { stop, rounds, tasks }
    }

    fn rounds(&self) -> Vec<usize> {
        self.rounds.iter().map(|rounds| rounds.load(Ordering::Relaxed)).collect()
    }

    /// Waits until every task has done something more.
    async fn all_go_on(&self, within: Duration) {
        let (before, began) = (self.rounds(), Instant::now());
        while self.rounds().iter().zip(&before).any(|(now, before)| now < &(before + 2)) {
            assert!(began.elapsed() < within, "some tasks do nothing any more");
            tokio::task::yield_now().await;
        }
    }

    async fn end(self) {
        self.stop.store(true, Ordering::Relaxed);
        for complaint in join_all(self.tasks).await {
            assert_eq!(complaint.unwrap(), None);
        }
    }
}

/// One call. A value that is not the key's own is a complaint.
async fn one(cache: &Cache, task: usize, round: usize) -> Result<&'static str, String> {
    let key = format!("k{}", (task * 7 + round * 13) % KEYS);
    let value = |error: Error| format!("{error}");
    match round % 8 {
        0 => cache
            .set(&key, &format!("{key} of {task}, {round}"), mins(5))
            .await
            .map_err(value)
            .map(|()| "set"),
        // A delete that could not be told is an error, and says so.
        1 => match cache.delete(&key).await {
            Ok(()) => Ok("delete"),
            Err(error) if error.is_queued() => Ok("delete"),
            Err(error) => Err(format!("{error} is not queued")),
        },
        2..5 => match cache.get::<String>(&key).await {
            Ok(Some(found)) if !found.starts_with(&format!("{key} of ")) => Err(format!("{key} is {found}")),
            Ok(_) => Ok("get"),
            Err(error) => Err(error.to_string()),
        },
        _ => {
            let loaded = format!("{key} of loader");
            match cache.get_or_load(&key, mins(5), move || async move { Loaded::Ok(loaded) }).await {
                Ok(found) if found.starts_with(&format!("{key} of ")) => Ok("get_or_load"),
                Ok(found) => Err(format!("{key} is {found}")),
                Err(error) => Err(error.to_string()),
            }
        }
    }
}

/// A cache behind a proxy, a crowd on it, a fault that lasts a while, and its end.
async fn survives(
    test: &str,
    fault: impl Fn(&FaultProxy, &RedisServer),
    end: impl Fn(&FaultProxy, &RedisServer),
) {
    let server = own(&Options::new());
    let proxy = FaultProxy::start(server.addr()).unwrap();
    let namespace = fresh_namespace(test).unwrap();
    let setup = |url: String| -> CacheSetup {
        let setup = CacheFactory::new().for_web_app().redis_url(url).namespace(namespace.as_str());
        setup.fail_on_connection_error(true).connect_timeout(secs(1))
    };
    let cache = setup(proxy.url()).await.unwrap();
    let watch = Arc::new(Watch::start());
    let crowd = Crowd::start(&cache, &watch);
    crowd.all_go_on(secs(5)).await;

    fault(&proxy, &server);
    pass(AWAY).await;
    crowd.all_go_on(secs(5)).await;
    let returns = Instant::now();
    end(&proxy, &server);
    let stalled_from = Instant::now();
    healed(&cache, secs(10)).await;
    let took = returns.elapsed().saturating_sub(watch.stalled(stalled_from, Instant::now()));
    assert!(took < secs(2), "{test}: healed only after {took:?}");
    crowd.all_go_on(secs(5)).await;
    crowd.end().await;

    // In step again: what one process writes another one reads, both ways.
    let other = setup(server.url()).await.unwrap();
    cache.set("ours", "written here", ()).await.unwrap();
    assert_eq!(
        other.get::<String>("ours").await.unwrap().as_deref().map(String::as_str),
        Some("written here")
    );
    other.set("theirs", "written there", ()).await.unwrap();
    let (found, receipt) = cache.get_with_receipt::<String>("theirs").await.unwrap();
    assert_eq!(
        (found.as_deref().map(String::as_str), receipt.tier),
        (Some("written there"), Some(Tier::Store))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_refuses() {
    let refuse = |proxy: &FaultProxy, _: &RedisServer| {
        proxy.door(Door::Closed).unwrap();
        proxy.cut_all();
    };
    survives("refuses", refuse, |proxy, _| proxy.door(Door::Open).unwrap()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_killed() {
    survives("killed", |_, server| server.kill().unwrap(), |_, server| server.restart().unwrap()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_stopped() {
    survives("stopped", |_, server| server.stop().unwrap(), |_, server| server.cont().unwrap()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_restarts() {
    survives("restarts", |_, server| server.restart().unwrap(), |_, _| ()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_black_hole() {
    survives("hole", |proxy, _| proxy.set(Fault::Swallow), |proxy, _| proxy.set(Fault::Pass)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_black_hole_for_answers() {
    let swallow =
        |proxy: &FaultProxy, _: &RedisServer| proxy.set_direction(Direction::ToClient, Fault::Swallow);
    survives("half-hole", swallow, |proxy, _| proxy.set(Fault::Pass)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_that_are_five_seconds_late() {
    let late = |proxy: &FaultProxy, _: &RedisServer| {
        proxy.set_direction(Direction::ToClient, Fault::Delay { by: secs(5), jitter: Duration::ZERO });
    };
    survives("late", late, |proxy, _| proxy.set(Fault::Pass)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_that_are_cut_off() {
    let cut = |proxy: &FaultProxy, _: &RedisServer| {
        proxy.set_direction(Direction::ToClient, Fault::Close { after: 777 });
    };
    survives("cut", cut, |proxy, _| proxy.set(Fault::Pass)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cache_whose_server_was_never_there_goes_on_and_heals_when_it_comes() {
    let server = own(&Options::new());
    let proxy = FaultProxy::start(server.addr()).unwrap();
    proxy.door(Door::Closed).unwrap();
    let namespace = fresh_namespace("never").unwrap();
    let cache = CacheFactory::new().for_web_app().redis_url(proxy.url()).namespace(namespace.as_str());
    let began = Instant::now();
    let cache = cache.await.unwrap();
    assert!(began.elapsed() < secs(2), "{:?}", began.elapsed());
    assert_eq!(cache.health().await.status, HealthStatus::Degraded);
    let watch = Arc::new(Watch::start());
    let crowd = Crowd::start(&cache, &watch);
    crowd.all_go_on(secs(5)).await;
    cache.set("early", "written before there was a server", mins(5)).await.unwrap();
    proxy.door(Door::Open).unwrap();
    let returns = Instant::now();
    healed(&cache, secs(10)).await;
    let took = returns.elapsed().saturating_sub(watch.stalled(returns, Instant::now()));
    assert!(took < secs(2), "healed only after {took:?}");
    crowd.end().await;
    let other = CacheFactory::new().for_web_app().redis_url(server.url()).namespace(namespace.as_str());
    let other = other.fail_on_connection_error(true).await.unwrap();
    let began = Instant::now();
    while other.get::<String>("early").await.unwrap().is_none() {
        assert!(began.elapsed() < secs(5), "what was written meanwhile reaches the others");
        tokio::task::yield_now().await;
    }
}
