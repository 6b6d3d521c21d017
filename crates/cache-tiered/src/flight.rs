//! Single flight: one caller works on a key, the others wait for what comes of it.
//!
//! A [`Flight`] is a small state machine. Its leader holds a [`Lead`]; whatever becomes of the leader, dropping the
//! `Lead` moves the flight to a state that every waiter can act on, so nobody waits for ever and no slot stays.

use std::any::TypeId;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use cache_core::{Moment, Timer, Version};
use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::deadline::Deadline;
use crate::shards::{self, Shards};

/// Where a flight stands.
#[derive(Debug)]
enum State<O> {
    /// Its leader is at work.
    Running,
    /// What came of it is known.
    Settled(O),
    /// The leader's code panicked.
    Panicked,
    /// The leader was dropped: its caller left, or its runtime ended.
    Abandoned,
}

/// How waiting ended.
#[derive(Debug)]
pub(crate) enum Ending<O> {
    Settled(O),
    Panicked,
    /// The lead is free: who can start again does so, the first of them for all.
    Abandoned,
}

#[derive(Debug)]
pub(crate) struct Flight<O> {
    state: Mutex<State<O>>,
    changed: Notify,
    fences: AtomicU64,
    /// Whether the leader does nothing but wait for somebody else's work on the key.
    idle: AtomicBool,
    /// Wakes such a leader.
    touched: Notify,
    /// When its waiters stop waiting.
    deadline: Deadline,
    /// Where the marks stood when it began.
    marks: u64,
    /// The type of what it brings, as soon as its leader has said so.
    brings: OnceLock<TypeId>,
    /// What it holds in the store while its leader works.
    lease: Mutex<Option<Version>>,
}

type Table<O> = HashMap<Box<str>, Arc<Flight<O>>, foldhash::fast::RandomState>;

/// The flights of one kind, by key. Holds only what is under way.
#[derive(Debug)]
pub(crate) struct Flights<O> {
    shards: Arc<Shards<Table<O>>>,
}

impl<O> Clone for Flights<O> {
    fn clone(&self) -> Self {
        Self { shards: Arc::clone(&self.shards) }
    }
}

/// The part that a caller got in a flight.
#[derive(Debug)]
pub(crate) enum Joined<O: Clone> {
    Lead(Lead<O>),
    Wait(Seat<O>),
}

impl<O: Clone> Flights<O> {
    pub(crate) fn new() -> Self {
        Self { shards: shards::empty() }
    }

    /// The lead of a flight that nobody joins and whose value is not kept without a lease.
    pub(crate) fn alone(&self, hash: u64, key: &str, deadline: Moment) -> Lead<O> {
        let flight = Flight::new(deadline, 0);
        flight.fence();
        Lead(self.place(hash, key, &Arc::new(flight)))
    }

    /// Joins the flight of this key, or starts one whose waiters wait until `deadline`. The marks stand at `marks`.
    pub(crate) fn join(&self, hash: u64, key: &str, deadline: Moment, marks: u64) -> Joined<O> {
        let mut shard = self.shard(hash).lock();
        if let Some(flight) = shard.get(key).filter(|flight| flight.is_joinable()) {
            return Joined::Wait(Seat(self.place(hash, key, flight)));
        }
        let flight = Arc::new(Flight::new(deadline, marks));
        let lead = Lead(self.place(hash, key, &flight));
        shard.insert(key.into(), flight);
        Joined::Lead(lead)
    }

    /// The key was invalidated: nobody joins its flight any more, and its leader is told not to keep what it brings. A
    /// leader that has not begun is only woken: what it brings will be newer.
    pub(crate) fn fence(&self, hash: u64, key: &str) {
        let mut shard = self.shard(hash).lock();
        if shard.get(key).is_some_and(|flight| flight.fence()) {
            shard.remove(key);
        }
    }

    /// As [`Flights::fence`], for all keys.
    pub(crate) fn fence_all(&self) {
        for shard in &*self.shards {
            shard.lock().retain(|_, flight| !flight.fence());
        }
    }

    /// The key's flight got this lease.
    pub(crate) fn leased(&self, hash: u64, key: &str, lease: Version) {
        if let Some(flight) = self.shard(hash).lock().get(key) {
            *flight.lease.lock() = Some(lease);
        }
    }

    /// The lease is gone, so somebody changed the key: as [`Flights::fence`], for the flight that held it and no later one.
    pub(crate) fn fence_leased(&self, hash: u64, key: &str, lease: Version) {
        let mut shard = self.shard(hash).lock();
        if shard.get(key).is_some_and(|flight| *flight.lease.lock() == Some(lease) && flight.fence()) {
            shard.remove(key);
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock().len()).sum()
    }

    fn shard(&self, hash: u64) -> &Mutex<Table<O>> {
        shards::of(&self.shards, hash)
    }

    fn place(&self, hash: u64, key: &str, flight: &Arc<Flight<O>>) -> Place<O> {
        Place { flights: self.clone(), flight: Arc::clone(flight), hash, key: key.into() }
    }
}

impl<O> Flight<O> {
    fn new(deadline: Moment, marks: u64) -> Self {
        Self {
            state: Mutex::new(State::Running),
            changed: Notify::new(),
            fences: AtomicU64::new(0),
            idle: AtomicBool::new(false),
            touched: Notify::new(),
            deadline: Deadline::new(deadline),
            marks,
            brings: OnceLock::new(),
            lease: Mutex::new(None),
        }
    }

    /// Whoever waits waits until then, if he would have given up before.
    pub(crate) fn put_off(&self, to: Moment) {
        self.deadline.put_off(to);
    }

    fn is_joinable(&self) -> bool {
        matches!(*self.state.lock(), State::Running | State::Settled(_))
    }

    /// Returns whether the flight has begun, so that it must not be joined any more.
    fn fence(&self) -> bool {
        let begun = !self.idle.load(Ordering::SeqCst);
        if begun {
            self.fences.fetch_add(1, Ordering::SeqCst);
        }
        self.touched.notify_one();
        begun
    }
}

/// A flight and where it is registered.
#[derive(Debug)]
struct Place<O> {
    flights: Flights<O>,
    flight: Arc<Flight<O>>,
    hash: u64,
    key: Box<str>,
}

impl<O: Clone> Place<O> {
    /// Takes the flight out of the table, if it is still the one that is registered.
    fn release(&self) {
        let mut shard = self.flights.shard(self.hash).lock();
        self.release_from(&mut shard);
    }

    fn release_from(&self, shard: &mut Table<O>) {
        if shard.get(&self.key).is_some_and(|registered| Arc::ptr_eq(registered, &self.flight)) {
            shard.remove(&self.key);
        }
    }

    /// The flight has not begun: it may be joined again, unless its time is over or a younger one took its place.
    fn restart(&self) {
        let mut shard = self.flights.shard(self.hash).lock();
        if matches!(*self.flight.state.lock(), State::Running) {
            let registered = shard.entry(self.key.clone()).or_insert_with(|| Arc::clone(&self.flight));
            if Arc::ptr_eq(registered, &self.flight) {
                self.flight.fences.store(0, Ordering::SeqCst);
                self.flight.idle.store(true, Ordering::SeqCst);
            }
        }
    }

    /// Settles the flight unless that has happened. Returns whether this call did it.
    fn settle(&self, state: State<O>) -> bool {
        let mut current = self.flight.state.lock();
        let running = matches!(*current, State::Running);
        if running {
            *current = state;
            drop(current);
            self.flight.changed.notify_waiters();
        }
        running
    }
}

/// The leader's part of a flight.
#[derive(Debug)]
pub(crate) struct Lead<O: Clone>(Place<O>);

impl<O: Clone> Lead<O> {
    /// Answers all who wait and all who join until this `Lead` is dropped, which releases the key. Publish the value
    /// in between. Returns false if the waiters had given up.
    pub(crate) fn answer(&self, outcome: O) -> bool {
        self.0.settle(State::Settled(outcome))
    }

    /// Nobody joins the flight any more; who waits is still answered.
    pub(crate) fn close(&self) {
        self.0.release();
    }

    /// Says what type of value it will bring.
    pub(crate) fn brings<T: 'static>(&self) {
        self.0.flight.brings.set(TypeId::of::<T>()).ok();
    }

    /// How often the key was invalidated since the flight began. Compare before keeping a value.
    pub(crate) fn fences(&self) -> u64 {
        self.0.flight.fences.load(Ordering::SeqCst)
    }

    /// Waits until somebody else does something to the key, or until `time_out`. Meanwhile the flight counts as not
    /// begun, so an invalidation before or during the wait takes nothing from it.
    pub(crate) async fn idle_until_touched(&self, time_out: impl Future<Output = ()>) {
        self.0.restart();
        let flight = &self.0.flight;
        tokio::select! {
            () = flight.touched.notified() => {}
            () = time_out => {}
        }
        flight.idle.store(false, Ordering::SeqCst);
    }

    pub(crate) fn deadline(&self) -> &Deadline {
        &self.0.flight.deadline
    }

    pub(crate) fn flight(&self) -> &Arc<Flight<O>> {
        &self.0.flight
    }

    /// A seat in the leader's own flight, to wait for what comes of it.
    pub(crate) fn seat(&self) -> Seat<O> {
        let Place { flights, flight, hash, key } = &self.0;
        Seat(Place { flights: flights.clone(), flight: Arc::clone(flight), hash: *hash, key: key.clone() })
    }
}

impl<O: Clone> Drop for Lead<O> {
    fn drop(&mut self) {
        let place = &self.0;
        let mut shard = place.flights.shard(place.hash).lock();
        place.release_from(&mut shard);
        // A younger flight of the key may be waiting for this one's lease in the store.
        if let Some(younger) = shard.get(&place.key) {
            younger.touched.notify_one();
        }
        drop(shard);
        place.settle(if std::thread::panicking() { State::Panicked } else { State::Abandoned });
    }
}

/// A waiter's part of a flight.
#[derive(Debug)]
pub(crate) struct Seat<O: Clone>(Place<O>);

impl<O: Clone> Seat<O> {
    pub(crate) async fn wait(&self) -> Ending<O> {
        loop {
            let changed = self.0.flight.changed.notified();
            match &*self.0.flight.state.lock() {
                State::Running => {}
                State::Settled(outcome) => return Ending::Settled(outcome.clone()),
                State::Panicked => return Ending::Panicked,
                State::Abandoned => return Ending::Abandoned,
            }
            changed.await;
        }
    }

    /// Waits until the flight's time is over.
    pub(crate) async fn over(&self, timer: &dyn Timer) {
        self.0.flight.deadline.over(timer).await;
    }

    /// When the flight's time is over.
    pub(crate) fn deadline(&self) -> Moment {
        self.0.flight.deadline.at()
    }

    /// Where the marks stood when the flight began.
    pub(crate) fn marks(&self) -> u64 {
        self.0.flight.marks
    }

    /// Whether it is known to bring another type of value than this.
    pub(crate) fn brings_no<T: 'static>(&self) -> bool {
        self.0.flight.brings.get().is_some_and(|it| *it != TypeId::of::<T>())
    }

    /// Nobody joins the flight any more, and what it brings is not kept.
    pub(crate) fn detach(&self) {
        self.0.flight.fence();
        self.0.release();
    }

    /// Its time is over: settles the flight for all who wait, frees the key, and fences what the leader may still bring.
    pub(crate) fn give_up(&self, outcome: O) -> GaveUp {
        if !self.0.settle(State::Settled(outcome)) {
            return GaveUp::Late;
        }
        let fences = self.0.flight.fences.fetch_add(1, Ordering::SeqCst);
        self.0.release();
        GaveUp::First { fenced: fences > 0 }
    }
}

/// What came of [`Seat::give_up`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum GaveUp {
    /// This call settled the flight.
    First {
        /// Whether the key had been invalidated since the flight began.
        fenced: bool,
    },
    /// It was settled already.
    Late,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lead(joined: Joined<u32>) -> Lead<u32> {
        match joined {
            Joined::Lead(lead) => lead,
            Joined::Wait(_) => panic!("expected the lead"),
        }
    }

    fn seat(joined: Joined<u32>) -> Seat<u32> {
        match joined {
            Joined::Wait(seat) => seat,
            Joined::Lead(_) => panic!("expected a seat"),
        }
    }

    #[tokio::test]
    async fn waiters_get_what_the_flight_that_they_joined_brings() {
        let flights = Flights::new();
        let leader = lead(flights.join(1, "k", Moment::NEVER, 0));
        let waiter = seat(flights.join(1, "k", Moment::NEVER, 0));
        assert!(leader.answer(7));
        assert!(matches!(waiter.wait().await, Ending::Settled(7)));
        let late = seat(flights.join(1, "k", Moment::NEVER, 0));
        assert!(matches!(late.wait().await, Ending::Settled(7)), "answered until it is released");
        drop(leader);
        assert_eq!(flights.len(), 0);
        lead(flights.join(1, "k", Moment::NEVER, 0));
    }

    #[tokio::test]
    async fn a_dropped_leader_leaves_nobody_waiting_and_the_first_to_come_leads() {
        let flights = Flights::new();
        let leader = lead(flights.join(1, "k", Moment::NEVER, 0));
        let waiter = seat(flights.join(1, "k", Moment::NEVER, 0));
        drop(leader);
        assert!(matches!(waiter.wait().await, Ending::Abandoned));
        assert_eq!(flights.len(), 0);
        let next = lead(flights.join(1, "k", Moment::NEVER, 0));
        seat(flights.join(1, "k", Moment::NEVER, 0));
        drop(next);
        assert_eq!(flights.len(), 0);
    }

    #[test]
    fn a_fenced_flight_is_not_joined_and_knows_it() {
        let flights = Flights::new();
        let old = lead(flights.join(1, "k", Moment::NEVER, 0));
        let before = old.fences();
        flights.fence(1, "k");
        assert_ne!(old.fences(), before);
        let new = lead(flights.join(1, "k", Moment::NEVER, 0));
        drop(old);
        assert_eq!(flights.len(), 1, "the old flight does not release the new one's slot");
        flights.fence_all();
        assert_ne!(new.fences(), 0);
        assert_eq!(flights.len(), 0);
    }

    #[tokio::test]
    async fn a_leader_that_only_waits_is_woken_and_may_be_joined() {
        let flights = Flights::new();
        let leader = lead(flights.join(1, "k", Moment::NEVER, 0));
        let idle = leader.idle_until_touched(std::future::pending());
        let mut idle = std::pin::pin!(idle);
        assert!(futures_util::poll!(&mut idle).is_pending());
        flights.fence(1, "k");
        idle.await;
        assert_eq!((leader.fences(), flights.len()), (0, 1));
        flights.fence(1, "k");
        assert_eq!((leader.fences(), flights.len()), (1, 0), "it has begun");
        leader.idle_until_touched(std::future::pending()).await;
        assert_eq!((leader.fences(), flights.len()), (0, 1), "it begins anew");
    }

    #[tokio::test]
    async fn a_waiter_whose_time_is_over_frees_all_waiters_and_the_key() {
        let flights = Flights::new();
        let leader = lead(flights.join(1, "k", Moment::NEVER, 0));
        let (a, b) =
            (seat(flights.join(1, "k", Moment::NEVER, 0)), seat(flights.join(1, "k", Moment::NEVER, 0)));
        assert_eq!(a.give_up(0), GaveUp::First { fenced: false });
        assert_eq!(b.give_up(1), GaveUp::Late);
        assert!(matches!(b.wait().await, Ending::Settled(0)));
        assert_eq!(flights.len(), 0);
        assert!(!leader.answer(9), "the late result finds nobody");
        assert_ne!(leader.fences(), 0, "and is fenced");
    }

    #[tokio::test]
    async fn a_panicking_leader_is_named() {
        let flights: Flights<u32> = Flights::new();
        let leader = lead(flights.join(1, "k", Moment::NEVER, 0));
        let waiter = seat(flights.join(1, "k", Moment::NEVER, 0));
        let worker = std::thread::spawn(move || {
            let _leader = leader;
            panic!("on purpose");
        });
        assert!(worker.join().is_err());
        assert!(matches!(waiter.wait().await, Ending::Panicked));
    }
}
