//! The way to the server: at most one connection at a time, kept up by a task of its own.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use cache_core::{Clock, Error, ErrorKind, FeedMode, LinkId, LinkStatus, Moment};
use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::address::Address;
use crate::conn::{Conn, Identity};
use crate::feed::Feed;
use crate::scripts::Scripts;
use crate::supervisor;
use crate::suspicion::Suspicion;

/// What a link is made of.
#[derive(Debug)]
pub(crate) struct Wiring {
    pub(crate) address: Address,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) connect_timeout: Duration,
    pub(crate) heartbeat: Duration,
    /// How long an unanswered question may stay so before the connection is given up.
    pub(crate) patience: Duration,
    /// Who is told what others change; `None` for a link that does not ask for it.
    pub(crate) feed: Option<Arc<Feed>>,
    /// Which way they are to be told.
    pub(crate) mode: FeedMode,
    /// Where the connection may have keys of its own, unless those who listen say where.
    pub(crate) prefix: Option<Box<str>>,
    pub(crate) scripts: Arc<Scripts>,
    /// What the link is for, in log lines.
    pub(crate) purpose: &'static str,
}

/// How the link is.
#[derive(Clone, Debug)]
pub(crate) enum State {
    /// The first attempt is under way, or not begun.
    Connecting,
    Up(Arc<Conn>),
    Down(Error),
}

/// Shared between the link and its task.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) wiring: Wiring,
    pub(crate) state: watch::Sender<State>,
    pub(crate) suspicion: Suspicion,
    /// The number of the last connection.
    last: AtomicU64,
    /// Connections that were given up, over which something may still be on its way.
    pub(crate) given_up: Mutex<Vec<Identity>>,
    /// The feed that the log was last told of.
    pub(crate) logged_feed: Mutex<Option<cache_core::Feed>>,
    /// When the last answered question was sent, in nanoseconds of the clock; 0 for never.
    alive_at: AtomicU64,
}

impl Shared {
    /// The number of a new connection.
    pub(crate) fn next(&self) -> LinkId {
        LinkId(self.last.fetch_add(1, Ordering::AcqRel) + 1)
    }

    pub(crate) fn answered(&self, sent_at: Moment) {
        self.alive_at.fetch_max(sent_at.as_nanos().max(1), Ordering::AcqRel);
    }
}

/// A supervised link. Opens nothing until it is used; closes everything when it is dropped.
#[derive(Debug)]
pub(crate) struct Link {
    shared: Arc<Shared>,
    task: Mutex<Option<JoinHandle<()>>>,
}

impl Link {
    pub(crate) fn new(wiring: Wiring) -> Self {
        let shared = Shared {
            wiring,
            state: watch::Sender::new(State::Connecting),
            suspicion: Suspicion::default(),
            last: AtomicU64::new(0),
            given_up: Mutex::default(),
            logged_feed: Mutex::default(),
            alive_at: AtomicU64::new(0),
        };
        Self { shared: Arc::new(shared), task: Mutex::new(None) }
    }

    /// The connection. Waits while the first attempt is under way, else answers at once.
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`] or [`ErrorKind::Timeout`]: whatever the reason, for a call the server is away.
    pub(crate) async fn conn(&self) -> Result<Arc<Conn>, Error> {
        self.attempted().await.map_err(|error| match error.kind() {
            ErrorKind::Unavailable | ErrorKind::Timeout => error,
            _ => Error::new(ErrorKind::Unavailable, error.message()).because(error),
        })
    }

    /// As [`Link::conn`], with the reason's own kind.
    pub(crate) async fn attempted(&self) -> Result<Arc<Conn>, Error> {
        self.start()?;
        let mut state = match &*self.shared.state.borrow() {
            State::Up(conn) => return Ok(Arc::clone(conn)),
            State::Down(error) => return Err(error.clone()),
            State::Connecting => self.shared.state.subscribe(),
        };
        match state.wait_for(|state| !matches!(state, State::Connecting)).await.as_deref() {
            Ok(State::Up(conn)) => Ok(Arc::clone(conn)),
            Ok(State::Down(error)) => Err(error.clone()),
            Ok(State::Connecting) | Err(_) => Err(not_supervised()),
        }
    }

    /// Sees to it that the task runs, also after the runtime that it ran on has gone.
    fn start(&self) -> Result<(), Error> {
        let mut task = self.task.lock();
        if task.as_ref().is_some_and(|task| !task.is_finished()) {
            return Ok(());
        }
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            return Err(Error::new(ErrorKind::Unavailable, "the link to the server needs a tokio runtime"));
        };
        self.shared.state.send_replace(State::Connecting);
        *task = Some(runtime.spawn(supervised(Arc::clone(&self.shared))));
        Ok(())
    }

    /// Gives up this connection, if it is the one in use.
    pub(crate) fn suspect(&self, link: LinkId, reason: Error) {
        self.shared.suspicion.raise(link, reason);
    }

    /// The connection's number, the last one's if there is none now.
    pub(crate) fn link(&self) -> LinkId {
        match &*self.shared.state.borrow() {
            State::Up(conn) => conn.link,
            _ => LinkId(self.shared.last.load(Ordering::Acquire)),
        }
    }

    pub(crate) fn status(&self) -> (LinkStatus, Option<Arc<str>>) {
        match &*self.shared.state.borrow() {
            State::Connecting => (LinkStatus::Connecting, None),
            State::Up(conn) if conn.replica => (LinkStatus::ReadOnly, Some("the server is a replica".into())),
            State::Up(conn) => (LinkStatus::Up, conn.shortfall.clone()),
            State::Down(error) => (LinkStatus::Down, Some(error.message().into())),
        }
    }

    pub(crate) fn address(&self) -> &Address {
        &self.shared.wiring.address
    }

    /// The feed in use.
    pub(crate) fn feed(&self) -> cache_core::Feed {
        match &*self.shared.state.borrow() {
            State::Up(conn) => conn.feed,
            _ => cache_core::Feed::None,
        }
    }

    pub(crate) fn alive_at(&self) -> Option<Moment> {
        let nanos = self.shared.alive_at.load(Ordering::Acquire);
        (nanos > 0).then(|| Moment::from_nanos(nanos))
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        if let Some(task) = self.task.lock().take() {
            task.abort();
        }
    }
}

fn not_supervised() -> Error {
    Error::new(ErrorKind::Unavailable, "the task that keeps the link up has ended")
}

/// Runs the supervisor. However it ends, nobody is left waiting.
fn supervised(shared: Arc<Shared>) -> impl Future<Output = ()> + Send {
    struct Ended(Arc<Shared>);
    impl Drop for Ended {
        fn drop(&mut self) {
            self.0.state.send_replace(State::Down(not_supervised()));
        }
    }
    let ended = Ended(shared);
    async move { supervisor::run(&ended.0).await }
}
