//! What the proxy's handle and its tasks both know.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use parking_lot::Mutex;
use tokio::sync::watch;

use super::pump::{End, Tally};
use super::slot::{Slot, set};
use super::{Counters, Direction, Fault};

/// An open connection as seen from outside.
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub(super) slots: [Arc<watch::Sender<Slot>>; 2],
    pub(super) end: Arc<watch::Sender<Option<End>>>,
}

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) seed: u64,
    pub(super) tallies: [Tally; 2],
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    upstream: SocketAddr,
    /// What a new connection begins with.
    faults: [Fault; 2],
    accepted: Vec<Instant>,
    open: BTreeMap<usize, Line>,
}

impl Shared {
    pub(super) fn new(upstream: SocketAddr, seed: u64) -> Self {
        let state = State { upstream, faults: [Fault::Pass; 2], accepted: Vec::new(), open: BTreeMap::new() };
        Self { seed, tallies: Default::default(), state: Mutex::new(state) }
    }

    /// Takes in a new connection: its number, where it goes, and what it listens to.
    pub(super) fn enter(&self) -> (usize, SocketAddr, Line) {
        let mut state = self.state.lock();
        let slots = state.faults.map(|fault| Arc::new(watch::Sender::new(Slot { fault, generation: 1 })));
        let line = Line { slots, end: Arc::new(watch::Sender::new(None)) };
        let number = state.accepted.len();
        state.accepted.push(Instant::now());
        state.open.insert(number, line.clone());
        (number, state.upstream, line)
    }

    pub(super) fn leave(&self, number: usize) {
        self.state.lock().open.remove(&number);
    }

    pub(super) fn set_upstream(&self, upstream: SocketAddr) {
        self.state.lock().upstream = upstream;
    }

    pub(super) fn set_all(&self, directions: &[Direction], fault: Fault) {
        let mut state = self.state.lock();
        for direction in directions {
            state.faults[direction.index()] = fault;
            for line in state.open.values() {
                set(&line.slots[direction.index()], fault);
            }
        }
    }

    /// Whether the connection is open.
    pub(super) fn set_one(&self, number: usize, directions: &[Direction], fault: Fault) -> bool {
        let state = self.state.lock();
        let line = state.open.get(&number);
        for (line, direction) in line.iter().flat_map(|line| directions.iter().map(move |d| (line, d))) {
            set(&line.slots[direction.index()], fault);
        }
        line.is_some()
    }

    pub(super) fn end_all(&self, end: End) {
        for line in self.state.lock().open.values() {
            line.end.send_replace(Some(end));
        }
    }

    pub(super) fn counters(&self) -> Counters {
        let state = self.state.lock();
        let [to_server, to_client] = &self.tallies;
        Counters {
            accepted: state.accepted.clone(),
            open: state.open.keys().copied().collect(),
            to_server: to_server.bytes.load(Ordering::Relaxed),
            to_client: to_client.bytes.load(Ordering::Relaxed),
            struck: to_server.struck.load(Ordering::Relaxed) + to_client.struck.load(Ordering::Relaxed),
        }
    }
}
