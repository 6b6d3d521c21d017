//! One client of the server: its connection, what it tracks, and what it is still to be told.

use std::collections::{HashSet, VecDeque};
use std::sync::{Arc, Weak};

use cache_core::{FeedSink, LinkId, Mark, Moment, Namespace, Stamp};
use parking_lot::Mutex;
use tokio::sync::watch;

use super::faults::Faults;

/// What the calls of a client share.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) id: usize,
    pub(super) faults: Faults,
    /// Changed only under the lock of the server's state.
    pub(super) link: watch::Sender<Link>,
    /// Held while sinks are told, so that they are told in order.
    pub(super) delivering: Mutex<()>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Link {
    pub(super) id: LinkId,
    pub(super) up: bool,
    /// Nothing comes back over it.
    pub(super) frozen: bool,
}

impl Link {
    pub(super) fn is(&self, id: LinkId) -> bool {
        self.up && self.id == id
    }
}

/// What the server keeps of a client.
pub(super) struct Session {
    pub(super) client: Arc<Client>,
    pub(super) tracked: HashSet<Arc<str>>,
    pub(super) sinks: Vec<(Namespace, Weak<dyn FeedSink>)>,
    pub(super) outbox: VecDeque<Push>,
    pub(super) alive_at: Option<Moment>,
}

impl Session {
    pub(super) fn new(id: usize, link: LinkId) -> Self {
        let client = Client {
            id,
            faults: Faults::default(),
            link: watch::Sender::new(Link { id: link, up: true, frozen: false }),
            delivering: Mutex::new(()),
        };
        Self {
            client: Arc::new(client),
            tracked: HashSet::new(),
            sinks: Vec::new(),
            outbox: VecDeque::new(),
            alive_at: None,
        }
    }

    pub(super) fn link(&self) -> Link {
        *self.client.link.borrow()
    }

    /// Sends a push, if there is a connection to send it over.
    pub(super) fn push(&mut self, push: Push) {
        if self.link().up {
            self.outbox.push_back(push);
        }
    }

    /// Ends the connection: what was tracked and what is on its way is lost.
    pub(super) fn cut(&mut self) {
        self.tracked.clear();
        self.outbox.clear();
        self.client.link.send_modify(|link| link.up = false);
    }

    /// Ends the connection and makes a new one.
    pub(super) fn renew(&mut self, id: LinkId, now: Moment, announce: bool) {
        self.cut();
        self.client.link.send_replace(Link { id, up: true, frozen: false });
        self.alive_at = Some(now);
        if announce {
            self.push(Push::RetireAll(id));
            self.push(Push::Alive(id, now));
        }
    }

    /// The next push that has arrived, and whom to tell.
    pub(super) fn arrived(&mut self) -> Option<(Push, Vec<Arc<dyn FeedSink>>)> {
        if self.link().frozen {
            return None;
        }
        let push = self.outbox.pop_front()?;
        let concerned = self.sinks.iter().filter(|(namespace, _)| push.concerns(namespace));
        let sinks = concerned.filter_map(|(_, sink)| sink.upgrade()).collect();
        Some((push, sinks))
    }
}

#[derive(Clone, Debug)]
pub(super) enum Push {
    Invalidate(Arc<str>),
    RetireAll(LinkId),
    Mark(Namespace, Mark, Stamp),
    Alive(LinkId, Moment),
}

impl Push {
    fn concerns(&self, namespace: &Namespace) -> bool {
        match self {
            Self::Invalidate(key) => key.starts_with(namespace.prefix()),
            Self::Mark(of, ..) => of == namespace,
            Self::RetireAll(_) | Self::Alive(..) => true,
        }
    }

    pub(super) fn tell(&self, sink: &dyn FeedSink) {
        match self {
            Self::Invalidate(key) => sink.invalidate(key.as_bytes()),
            Self::RetireAll(link) => sink.retire_all(*link),
            Self::Mark(_, mark, at) => sink.mark(mark, *at),
            Self::Alive(link, sent_at) => sink.alive(*link, *sent_at),
        }
    }
}
