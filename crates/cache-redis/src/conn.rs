//! One connection in use.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use std::time::Duration;

use cache_core::{Error, ErrorKind, Feed, LinkId};
use parking_lot::Mutex;
use redis::aio::MultiplexedConnection;
use redis::{Cmd, Pipeline, ScriptInvocation, Value};
use tokio::time::Instant;

use crate::canary::Canary;
use crate::fault::{Cause, Fault};
use crate::message::silent_key;
use crate::reply;
use crate::subscriber::Subscriber;
use crate::suspicion::Suspicion;

/// For how long it is known that somebody changes things without publishing it.
const SILENT_FOR: Duration = Duration::from_secs(600);
/// After this it is said again, before the next change.
const SAY_SILENT_EVERY: Duration = Duration::from_secs(60);

/// In which namespaces something was said, when, and how often everything had been removed from the server by then.
type Said = HashMap<Box<str>, (Instant, u64)>;

/// A connection that was set up. Cloning is cheap; all clones share one socket. A dropped call leaves it in order.
#[derive(Clone, Debug)]
pub(crate) struct Conn {
    pub(crate) link: LinkId,
    /// What tells of others' changes to the keys that were read here.
    pub(crate) feed: Feed,
    /// Why that is less than what was asked for.
    pub(crate) shortfall: Option<Arc<str>>,
    /// Whether it may be more in a while.
    pub(crate) try_again: bool,
    /// Its own key, by which it sees whether it is told.
    pub(crate) canary: Arc<Canary>,
    /// The connection that hears what others publish, if that is the feed.
    pub(crate) subscriber: Option<Arc<Subscriber>>,
    /// Where others know that this connection changes things without publishing it.
    silent: Arc<Mutex<Said>>,
    /// The version of the protocol, 0 if the server does not say.
    pub(crate) protocol: i64,
    /// Whether the server takes no writes.
    pub(crate) replica: bool,
    /// How the server calls this connection.
    pub(crate) identity: Identity,
    /// How many keys the server had dropped to make room before anything was read here, if it says so.
    pub(crate) dropped_before: Option<u64>,
    raw: MultiplexedConnection,
    suspicion: Suspicion,
    /// Why it was given up by the task that keeps the link up, which then closes it under the calls that are under way.
    given_up: Arc<OnceLock<Error>>,
}

/// A connection as its server knows it: a number that is its own as long as the server runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) server_run: String,
    pub(crate) client: i64,
}

impl Conn {
    pub(crate) fn new(
        link: LinkId,
        raw: MultiplexedConnection,
        canary: Arc<Canary>,
        suspicion: Suspicion,
    ) -> Self {
        Self {
            link,
            feed: Feed::Polled,
            shortfall: None,
            try_again: false,
            canary,
            subscriber: None,
            silent: Arc::default(),
            protocol: 0,
            replica: false,
            identity: Identity::default(),
            dropped_before: None,
            raw,
            suspicion,
            given_up: Arc::default(),
        }
    }

    /// It is about to be closed, for this reason.
    pub(crate) fn give_up(&self, reason: &Error) {
        // The first reason is the one.
        let _ = self.given_up.set(Error::new(ErrorKind::Unavailable, reason.message()));
    }

    /// Whether the server tracks what is read here.
    pub(crate) fn tracks(&self) -> bool {
        self.feed == Feed::Tracking
    }

    /// Who publishes what is changed over this connection; `None` if nobody does.
    pub(crate) fn writer(&self) -> Option<u64> {
        self.subscriber.as_ref().filter(|_| self.feed == Feed::PubSub).map(|subscriber| subscriber.writer)
    }

    /// Before something is changed below this prefix: those who listen to what is published must know if this is not.
    pub(crate) async fn say_silent(&self, prefix: &str) -> Result<(), Fault> {
        if self.feed == Feed::PubSub || self.replica {
            return Ok(());
        }
        let said = self.silent.lock().get(prefix).copied();
        let now = (Instant::now(), self.canary.removals());
        if said.is_some_and(|(at, removals)| now.0 - at < SAY_SILENT_EVERY && removals == now.1) {
            return Ok(());
        }
        let mut say = redis::cmd("SET");
        say.arg(silent_key(prefix)).arg(1).arg("EX").arg(SILENT_FOR.as_secs());
        match self.one(&say).await {
            Err(fault) if fault.is_outage() && !fault.error.do_reads_go_on() => Err(fault),
            // A server that does not take this takes no value either.
            Ok(_) | Err(_) => {
                self.silent.lock().insert(prefix.into(), now);
                Ok(())
            }
        }
    }

    /// What says again that something is changed without being published, where that was said and is not there any more:
    /// somebody removed it, or the server dropped it to make room.
    pub(crate) fn say_silent_again(&self) -> Vec<Cmd> {
        let said = self.silent.lock();
        let stands = said.iter().filter_map(|(prefix, (at, _))| {
            let left = SILENT_FOR.checked_sub(at.elapsed())?.as_secs();
            (left > 0).then_some((&**prefix, left))
        });
        let say = |(prefix, left): (&str, u64)| {
            let mut say = redis::cmd("SET");
            say.arg(silent_key(prefix)).arg(1).arg("EX").arg(left).arg("NX");
            say
        };
        stands.map(say).collect()
    }

    /// Sends one command.
    pub(crate) async fn one(&self, command: &Cmd) -> Result<Value, Fault> {
        let mut raw = self.raw.clone();
        self.watched(raw.send_packed_command(command).await.map_err(Fault::from).and_then(reply::checked))
    }

    /// Sends several commands at once. Each reply may be a server's error.
    pub(crate) async fn many(&self, commands: &Pipeline) -> Result<Vec<Value>, Fault> {
        let mut raw = self.raw.clone();
        self.watched(raw.send_packed_commands(commands, 0, commands.len()).await.map_err(Fault::from))
    }

    /// Sends several commands at once, which the server carries out in one atomic step.
    ///
    /// `MULTI` and `EXEC` are sent as commands like others, so that each has its reply: the driver's own transactions
    /// do not expect that `MULTI` is refused.
    pub(crate) async fn atomic(&self, commands: impl FnOnce(&mut Pipeline)) -> Result<Vec<Value>, Fault> {
        let mut step = redis::pipe();
        step.cmd("MULTI");
        commands(&mut step);
        step.cmd("EXEC");
        let mut replies = self.many(&step).await?;
        let executed = replies.pop().unwrap_or_default();
        // Where `EXEC` failed the first reply that is an error says why.
        let refused = matches!(executed, Value::ServerError(_));
        let cause = replies.into_iter().find(|reply| refused && matches!(reply, Value::ServerError(_)));
        self.watched(reply::array(cause.unwrap_or(executed)))
    }

    /// Calls a script, which is loaded if the server has lost it.
    pub(crate) async fn script(&self, invocation: &ScriptInvocation<'_>) -> Result<Value, Fault> {
        let mut raw = self.raw.clone();
        self.watched(invocation.invoke_async::<Value>(&mut raw).await.map_err(Fault::from))
    }

    /// Has the server close another connection of ours before it reads anything more of this one: what was sent over the
    /// other and not carried out yet never is. Returns whether that is certain.
    pub(crate) async fn shut_out(&self, other: &Identity) -> Result<bool, Fault> {
        if other.server_run != self.identity.server_run {
            // It ended with its server.
            return Ok(true);
        }
        if other.server_run.is_empty() {
            return Ok(false);
        }
        match self.one(redis::cmd("CLIENT").arg("KILL").arg("ID").arg(other.client)).await {
            Ok(_) => Ok(true),
            Err(fault) if fault.is_outage() => Err(fault),
            Err(_) => Ok(false),
        }
    }

    /// Turns a failure into the caller's error, after doing about it what the connection needs.
    pub(crate) fn error(&self, fault: Fault) -> Error {
        self.look_at(&fault);
        fault.error
    }

    fn watched<T>(&self, result: Result<T, Fault>) -> Result<T, Fault> {
        result.map_err(|fault| {
            self.look_at(&fault);
            match self.given_up.get() {
                Some(reason) if fault.cause == Cause::Broken => Fault { error: reason.clone(), ..fault },
                _ => fault,
            }
        })
    }

    fn look_at(&self, fault: &Fault) {
        match fault.cause {
            Cause::Broken => self.suspicion.raise(self.link, fault.error.clone()),
            // A link that is known to be of a replica is given up by itself after a while.
            Cause::ReadOnly if !self.replica => self.suspicion.raise(self.link, fault.error.clone()),
            Cause::ReadOnly | Cause::OutOfMemory | Cause::OldProtocol | Cause::Other => {}
        }
    }
}
