//! From an address to a connection that the server has let in.

use std::future::Future;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use cache_core::{Error, ErrorKind};
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, ProtocolVersion};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::address::{Address, Endpoint};
use crate::fault::{Cause, Fault};

/// Any kind of socket.
pub(crate) trait Socket: AsyncRead + AsyncWrite + Unpin + Send {
    /// What it says later of why it ended.
    fn ending(&self) -> Ending {
        Ending::default()
    }
}

impl Socket for TcpStream {}
#[cfg(unix)]
impl Socket for tokio::net::UnixStream {}

/// Why a socket has ended, if it knows better than who reads from it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ending(pub(crate) Arc<OnceLock<Fault>>);

/// Makes the attempt a second time beside the first if that has not ended after `patience`. The first of them that ends
/// counts.
///
/// What was sent into a black hole is lost for good, also when the way is clear again; what is slow still has its time.
pub(crate) async fn second_try<T, F>(patience: Duration, attempt: impl Fn() -> F) -> Result<T, Fault>
where
    F: Future<Output = Result<T, Fault>>,
{
    let second = async {
        sleep(patience).await;
        attempt().await
    };
    tokio::select! {
        result = attempt() => result,
        result = second => result,
    }
}

/// Opens a connection and signs in: the connection, and the task that moves its bytes.
pub(crate) async fn sign_in(
    address: &Address,
    protocol: ProtocolVersion,
    config: &AsyncConnectionConfig,
) -> Result<(MultiplexedConnection, JoinSet<()>), Fault> {
    let stream = open(address).await?;
    let ending = stream.ending();
    let sign_in = address.sign_in.clone().set_protocol(protocol);
    let (connection, moves_bytes) = MultiplexedConnection::new_with_config(&sign_in, stream, config.clone())
        .await
        .map_err(|error| ending.0.get().cloned().unwrap_or_else(|| sign_in_fault(error)))?;
    let mut driver = JoinSet::new();
    driver.spawn(moves_bytes);
    Ok((connection, driver))
}

pub(crate) async fn open(address: &Address) -> Result<Box<dyn Socket>, Fault> {
    match &address.endpoint {
        Endpoint::Tcp { host, port } => {
            let tls = match &address.tls {
                Some(tls) => Some(tls.ready().await?),
                None => None,
            };
            let stream = TcpStream::connect((host.as_str(), *port))
                .await
                .map_err(|error| Fault::unreachable(&error))?;
            // Without it a reply waits for the acknowledgement of the one before.
            stream.set_nodelay(true).map_err(|error| Fault::unreachable(&error))?;
            Ok(match tls {
                Some(tls) => Box::new(tls.over(stream).await?),
                None => Box::new(stream),
            })
        }
        #[cfg(unix)]
        Endpoint::Unix(path) => {
            let stream = tokio::net::UnixStream::connect(path).await;
            let stream = stream.map_err(|error| Fault::unreachable(&error))?;
            Ok(Box::new(stream))
        }
        #[cfg(not(unix))]
        Endpoint::Unix(_) => Err(Fault {
            error: Error::new(ErrorKind::Configuration, "this platform has no Unix sockets"),
            cause: Cause::Other,
        }),
    }
}

/// A server that refuses to be greeted refuses what the settings say, unless it is full.
fn sign_in_fault(error: redis::RedisError) -> Fault {
    let fault = Fault::from(error);
    match fault.error.kind() {
        // It was greeted in the newer protocol, with a command that the older one does not have.
        ErrorKind::Unsupported => Fault { cause: Cause::OldProtocol, ..fault },
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

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use tokio::time::Instant;

    use super::*;

    const PATIENCE: Duration = Duration::from_millis(500);

    /// Attempts that take so long, each.
    async fn tried(millis: &[u64]) -> (u32, Duration) {
        let (count, began) = (AtomicU32::new(0), Instant::now());
        let result = second_try(PATIENCE, || {
            let at = count.fetch_add(1, Ordering::Relaxed);
            let millis = millis[at as usize];
            async move {
                sleep(Duration::from_millis(millis)).await;
                Ok(at)
            }
        });
        (result.await.unwrap(), began.elapsed())
    }

    #[tokio::test(start_paused = true)]
    async fn what_hangs_is_tried_once_more_and_what_is_slow_has_its_time() {
        assert_eq!(tried(&[499]).await, (0, Duration::from_millis(499)));
        assert_eq!(tried(&[100_000, 10]).await, (1, Duration::from_millis(510)));
        assert_eq!(tried(&[900, 900]).await, (0, Duration::from_millis(900)));
    }
}
