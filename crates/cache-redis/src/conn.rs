//! One connection in use.

use cache_core::{Error, LinkId};
use redis::aio::MultiplexedConnection;
use redis::{Cmd, Pipeline, ScriptInvocation, Value};

use crate::fault::{Cause, Fault};
use crate::reply;
use crate::suspicion::Suspicion;

/// A connection that was set up. Cloning is cheap; all clones share one socket. A dropped call leaves it in order.
#[derive(Clone, Debug)]
pub(crate) struct Conn {
    pub(crate) link: LinkId,
    /// Whether the server tells what others change of the keys that were read here.
    pub(crate) tracking: bool,
    /// Whether the server takes no writes.
    pub(crate) replica: bool,
    /// How the server calls this connection.
    pub(crate) identity: Identity,
    /// How many keys the server had dropped to make room before anything was read here, if it says so.
    pub(crate) dropped_before: Option<u64>,
    raw: MultiplexedConnection,
    suspicion: Suspicion,
}

/// A connection as its server knows it: a number that is its own as long as the server runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) server_run: String,
    pub(crate) client: i64,
}

impl Conn {
    pub(crate) fn new(link: LinkId, raw: MultiplexedConnection, suspicion: Suspicion) -> Self {
        Self {
            link,
            tracking: false,
            replica: false,
            identity: Identity::default(),
            dropped_before: None,
            raw,
            suspicion,
        }
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
    pub(crate) async fn atomic(&self, commands: &mut Pipeline) -> Result<Vec<Value>, Fault> {
        let mut raw = self.raw.clone();
        let commands = commands.atomic();
        // The replies before that of EXEC only say that the command was taken in.
        let replies = raw.send_packed_commands(commands, commands.len() + 1, 1).await;
        let executed = replies
            .map_err(Fault::from)
            .and_then(|mut replies| reply::array(replies.pop().unwrap_or_default()));
        self.watched(executed)
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
        result.inspect_err(|fault| self.look_at(fault))
    }

    fn look_at(&self, fault: &Fault) {
        match fault.cause {
            Cause::Broken => self.suspicion.raise(self.link, fault.error.clone()),
            // A link that is known to be of a replica is given up by itself after a while.
            Cause::ReadOnly if !self.replica => self.suspicion.raise(self.link, fault.error.clone()),
            Cause::ReadOnly | Cause::OutOfMemory | Cause::Other => {}
        }
    }
}
