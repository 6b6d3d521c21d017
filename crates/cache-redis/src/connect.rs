//! Opens a connection and sets it up.

use std::future::Future;
use std::io;
use std::sync::Arc;

use cache_core::{Error, ErrorKind, LinkId, Moment};
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, PushInfo, Value};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::address::{Address, Endpoint};
use crate::conn::Conn;
use crate::fault::{Cause, Fault};
use crate::feed::Feed;
use crate::info;
use crate::link::Wiring;
use crate::suspicion::Suspicion;

/// A connection that is ready, and the task that moves its bytes, which ends when this is dropped.
pub(crate) struct Connected {
    pub(crate) conn: Conn,
    pub(crate) driver: JoinSet<()>,
    /// When the last question was sent that was answered.
    pub(crate) sent_at: Moment,
}

/// Opens a connection. Has no time bound of its own.
pub(crate) async fn connect(
    wiring: &Wiring,
    link: LinkId,
    suspicion: &Suspicion,
) -> Result<Connected, Fault> {
    let feed = wiring.feed.as_ref();
    match &wiring.address.endpoint {
        Endpoint::Tcp { host, port } => {
            let stream =
                TcpStream::connect((host.as_str(), *port)).await.map_err(|error| unreachable(&error))?;
            // Without it a reply waits for the acknowledgement of the one before.
            stream.set_nodelay(true).map_err(|error| unreachable(&error))?;
            set_up(wiring, stream, link, feed, suspicion).await
        }
        #[cfg(unix)]
        Endpoint::Unix(path) => {
            let stream = tokio::net::UnixStream::connect(path).await.map_err(|error| unreachable(&error))?;
            set_up(wiring, stream, link, feed, suspicion).await
        }
        #[cfg(not(unix))]
        Endpoint::Unix(_) => Err(Fault {
            error: Error::new(ErrorKind::Configuration, "this platform has no Unix sockets"),
            cause: Cause::Other,
        }),
    }
}

fn unreachable(error: &io::Error) -> Fault {
    Fault {
        error: Error::new(ErrorKind::Unavailable, format!("the server cannot be reached: {error}")),
        cause: Cause::Other,
    }
}

async fn set_up<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    wiring: &Wiring,
    stream: S,
    link: LinkId,
    feed: Option<&Arc<Feed>>,
    suspicion: &Suspicion,
) -> Result<Connected, Fault> {
    // Time bounds are the callers'.
    let mut config = AsyncConnectionConfig::new().set_response_timeout(None);
    if let Some(feed) = feed.cloned() {
        // Called by the task that reads the socket, in the order of the wire.
        config = config.set_push_sender(move |push: PushInfo| -> Result<(), ()> {
            feed.take_in(link, &push);
            Ok(())
        });
    }
    let Address { sign_in, .. } = &wiring.address;
    let (raw, moves_bytes) =
        MultiplexedConnection::new_with_config(sign_in, stream, config).await.map_err(sign_in_fault)?;
    let driver = spawn(moves_bytes);
    let mut conn = Conn::new(link, raw, suspicion.clone());
    if feed.is_some() {
        conn.tracking = start_tracking(&conn).await?;
    }
    greet(&mut conn).await?;
    let sent_at = wiring.clock.now();
    // A server that loads its data takes in a new connection and answers nothing else.
    conn.one(&redis::cmd("PING")).await?;
    Ok(Connected { conn, driver, sent_at })
}

fn spawn(task: impl Future<Output = ()> + Send + 'static) -> JoinSet<()> {
    let mut driver = JoinSet::new();
    driver.spawn(task);
    driver
}

/// A server that refuses to be greeted refuses what the settings say, unless it is full.
fn sign_in_fault(error: redis::RedisError) -> Fault {
    let fault = Fault::from(error);
    match fault.error.kind() {
        ErrorKind::Internal => Fault {
            error: Error::new(
                ErrorKind::Configuration,
                "the server refused the user, the password or the database",
            ),
            ..fault
        },
        _ => fault,
    }
}

/// Whether the server will tell what others change. Own changes are left out, because who makes them knows.
async fn start_tracking(conn: &Conn) -> Result<bool, Fault> {
    match conn.one(redis::cmd("CLIENT").arg("TRACKING").arg("ON").arg("NOLOOP")).await {
        Ok(_) => Ok(true),
        Err(fault) if fault.is_outage() => Err(fault),
        Err(fault) => {
            tracing::warn!(reason = %fault.error, "the server does not tell what others change");
            Ok(false)
        }
    }
}

/// Asks who the server is, and who we are to it.
async fn greet(conn: &mut Conn) -> Result<(), Fault> {
    if let Value::Map(fields) = conn.one(&redis::cmd("HELLO")).await? {
        let field = |name: &str| fields.iter().find(|(key, _)| is(key, name)).map(|(_, value)| value);
        conn.replica = field("role").is_some_and(|role| is(role, "replica") || is(role, "slave"));
        if let Some(Value::Int(client)) = field("id") {
            conn.identity.client = *client;
        }
    }
    // Not every user may ask.
    if let Some(server) = info::section(conn, "server").await? {
        conn.identity.server_run = info::field(&server, "run_id").unwrap_or_default().to_owned();
    }
    conn.dropped_before = info::dropped(conn).await?;
    if conn.tracking && conn.dropped_before.is_none() {
        tracing::warn!("the server does not say whether it drops keys: a copy of one may outlive its lease");
    }
    Ok(())
}

fn is(value: &Value, text: &str) -> bool {
    match value {
        Value::BulkString(bytes) => bytes == text.as_bytes(),
        Value::SimpleString(string) => string == text,
        _ => false,
    }
}
