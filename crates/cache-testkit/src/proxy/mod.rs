//! A proxy that breaks connections in every way that a network, a server or a proxy in between can.
//!
//! ```no_run
//! use cache_testkit::proxy::{Direction, Door, Fault, FaultProxy};
//! # fn main() -> std::io::Result<()> {
//! # let server = "127.0.0.1:6379".parse().unwrap();
//! let proxy = FaultProxy::start(server)?;
//! // … connect to `proxy.addr()`, and then:
//! proxy.set(Fault::Swallow); // a black hole
//! proxy.set_direction(Direction::ToClient, Fault::DropPushes);
//! proxy.set(Fault::Pass);
//! proxy.door(Door::Closed)?;
//! proxy.cut_all();
//! # Ok(()) }
//! ```

mod connection;
mod door;
mod fault;
mod frames;
mod pump;
mod shared;
mod slot;

pub use door::Door;
pub use fault::{Direction, Fault};

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Instant;

use cache_core::random_u64;
use tokio::sync::mpsc;

use pump::End;
use shared::Shared;

/// What has happened in a proxy since its start.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Counters {
    /// When each connection was taken, in order. A connection's number is its place here.
    pub accepted: Vec<Instant>,
    /// The numbers of the connections that are open now.
    pub open: Vec<usize>,
    /// Bytes that were passed on to the server.
    pub to_server: u64,
    /// Bytes that were passed on to clients.
    pub to_client: u64,
    /// How often faults did something, so that a test can see that they did.
    pub struck: u64,
}

/// A proxy on a loopback port, with a thread and a runtime of its own: it goes on when the runtime of a test is busy
/// or its time stands still. Dropping it ends its connections.
///
/// ```no_run
/// use std::time::Duration;
/// use cache_testkit::proxy::Fault;
/// use cache_testkit::{FaultProxy, RedisServer};
///
/// let server = RedisServer::shared_or_launch()?;
/// let proxy = FaultProxy::start(server.addr())?;
/// // … a client that connects to proxy.url() …
/// proxy.set(Fault::Delay { by: Duration::from_millis(100), jitter: Duration::ZERO });
/// assert!(proxy.counters().open.is_empty());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct FaultProxy {
    addr: SocketAddr,
    shared: Arc<Shared>,
    orders: Option<mpsc::Sender<door::Order>>,
    thread: Option<JoinHandle<()>>,
}

impl FaultProxy {
    /// Starts one in front of a server, which need not be there yet. Its randomness has a random seed, which is
    /// printed.
    ///
    /// # Errors
    /// If no port can be listened on, or there is no thread to be had.
    pub fn start(upstream: SocketAddr) -> io::Result<Self> {
        let proxy = Self::start_seeded(upstream, random_u64())?;
        println!("fault proxy at {}: seed {}", proxy.addr, proxy.seed());
        Ok(proxy)
    }

    /// The same with a given seed, which is not printed.
    ///
    /// # Errors
    /// Those of [`start`](Self::start).
    pub fn start_seeded(upstream: SocketAddr, seed: u64) -> io::Result<Self> {
        let shared = Arc::new(Shared::new(upstream, seed));
        let (orders, receiver) = mpsc::channel(1);
        let (started, start) = std::sync::mpsc::channel();
        let known = Arc::clone(&shared);
        // Whoever calls may be in a runtime, which cannot run another one on the same thread.
        let thread = std::thread::Builder::new().name("fault-proxy".into()).spawn(move || {
            match tokio::runtime::Builder::new_current_thread().enable_all().build() {
                Ok(runtime) => runtime.block_on(door::attend(known, receiver, started)),
                Err(error) => drop(started.send(Err(error))),
            }
        })?;
        let addr = start.recv().map_err(io::Error::other)??;
        Ok(Self { addr, shared, orders: Some(orders), thread: Some(thread) })
    }

    /// Where clients connect to.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The same for a client of Redis: `redis://host:port/0`.
    pub fn url(&self) -> String {
        format!("redis://{}/0", self.addr)
    }

    /// What [`start_seeded`](Self::start_seeded) takes to have the same random delays again.
    pub fn seed(&self) -> u64 {
        self.shared.seed
    }

    /// Sets what is done to all connections in both directions, those that are open and those to come. On each of
    /// them a fault that strikes once does so.
    pub fn set(&self, fault: Fault) {
        self.shared.set_all(&Direction::BOTH, fault);
    }

    /// The same for one direction.
    pub fn set_direction(&self, direction: Direction, fault: Fault) {
        self.shared.set_all(&[direction], fault);
    }

    /// Sets what is done to one direction of one connection, by its number in [`Counters::accepted`]. Whether it was
    /// open.
    pub fn set_connection(&self, number: usize, direction: Direction, fault: Fault) -> bool {
        self.shared.set_one(number, &[direction], fault)
    }

    /// Leads new connections to another server. Open ones stay where they are.
    pub fn set_upstream(&self, upstream: SocketAddr) {
        self.shared.set_upstream(upstream);
    }

    /// Sets how new connections are met, and returns when it is so. Open ones stay.
    ///
    /// # Errors
    /// If the port cannot be listened on again.
    pub fn door(&self, door: Door) -> io::Result<()> {
        let (done, wait) = std::sync::mpsc::channel();
        let gone = || io::Error::other("the proxy's thread is gone");
        let orders = self.orders.as_ref().ok_or_else(gone)?;
        let mut order = (door, done);
        // One order at a time: the queue is empty unless another thread gives one too.
        while let Err(mpsc::error::TrySendError::Full(back)) = orders.try_send(order) {
            order = back;
            std::thread::yield_now();
        }
        wait.recv().map_err(|_| gone())?
    }

    /// Closes all open connections in good order, both sides at once. Bytes that are on their way are lost.
    pub fn cut_all(&self) {
        self.shared.end_all(End::Close);
    }

    /// Resets all open connections.
    pub fn reset_all(&self) {
        self.shared.end_all(End::Reset);
    }

    /// What has happened so far.
    pub fn counters(&self) -> Counters {
        self.shared.counters()
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        drop(self.orders.take());
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

impl fmt::Debug for FaultProxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FaultProxy")
            .field("addr", &self.addr)
            .field("seed", &self.shared.seed)
            .field("counters", &self.counters())
            .finish_non_exhaustive()
    }
}
