//! Connections that end a while after their server.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::serve::Listener;
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Fuse};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// How long a connection may take to its end once the server is gone. Without it half a request keeps the monitor for ever.
const GRACE: Duration = Duration::from_secs(5);

/// Is done when the server is gone.
pub(super) async fn ended(mut served: watch::Receiver<()>) {
    while served.changed().await.is_ok() {}
}

/// A listener whose connections are cut a while after the server is gone.
pub(super) struct Bounded {
    listener: TcpListener,
    served: watch::Receiver<()>,
}

impl Bounded {
    pub(super) fn new(listener: TcpListener, served: watch::Receiver<()>) -> Self {
        Self { listener, served }
    }
}

impl Listener for Bounded {
    type Io = Connection;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Connection, SocketAddr) {
        let (stream, address) = Listener::accept(&mut self.listener).await;
        let served = self.served.clone();
        let cut = async {
            ended(served).await;
            tokio::time::sleep(GRACE).await;
        };
        (Connection { stream, cut: cut.boxed().fuse() }, address)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// A connection that fails once it is cut.
pub(super) struct Connection {
    stream: TcpStream,
    cut: Fuse<BoxFuture<'static, ()>>,
}

impl Connection {
    /// The stream, unless it is cut. One task reads and writes it, and is woken by the cut.
    fn stream(&mut self, context: &mut Context<'_>) -> io::Result<Pin<&mut TcpStream>> {
        use futures_util::future::FusedFuture;
        if self.cut.is_terminated() || self.cut.poll_unpin(context).is_ready() {
            return Err(io::Error::new(io::ErrorKind::TimedOut, "the server is gone"));
        }
        Ok(Pin::new(&mut self.stream))
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.stream(context) {
            Ok(stream) => stream.poll_read(context, into),
            Err(error) => Poll::Ready(Err(error)),
        }
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.stream(context) {
            Ok(stream) => stream.poll_write(context, bytes),
            Err(error) => Poll::Ready(Err(error)),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.stream(context) {
            Ok(stream) => stream.poll_flush(context),
            Err(error) => Poll::Ready(Err(error)),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
