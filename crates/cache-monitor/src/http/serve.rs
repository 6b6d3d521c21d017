//! A small server for an application that has none.

use std::future::IntoFuture;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn};
use cache_core::{Error, ErrorKind, Problems};
use tokio::net::TcpListener;
use tokio::sync::watch;

use super::answer::{guarded, text};
use super::bounded::{Bounded, ended};
use super::host::is_ours;
use super::routes;
use crate::monitor::PerformanceMonitor;

/// A server to be, for the routes of [`PerformanceMonitor::router`]: set what differs, then `.await` it.
///
/// It answers only to who asks it by an address, as `localhost`, or by a name that was allowed, so that no web site can have it
/// asked by its visitors' browsers.
#[derive(Clone, Debug)]
#[must_use = "a server does nothing until it is awaited"]
pub struct Serve {
    monitor: Arc<PerformanceMonitor>,
    address: IpAddr,
    port: u16,
    is_open: bool,
    hosts: Vec<String>,
}

impl Serve {
    pub(super) fn new(monitor: Arc<PerformanceMonitor>) -> Self {
        Self { monitor, address: Ipv4Addr::LOCALHOST.into(), port: 0, is_open: false, hosts: Vec::new() }
    }

    /// The port, 0 to 65535; 0, the default, for one that is free.
    pub fn port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// The address to listen on, 127.0.0.1 by default. Others than those of this machine alone want
    /// [`open_to_others`](Self::open_to_others) too.
    pub fn address(mut self, address: IpAddr) -> Self {
        self.address = address;
        self
    }

    /// Lets other machines ask. There is no encryption and nobody is asked who they are: let a proxy do that.
    pub fn open_to_others(mut self) -> Self {
        self.is_open = true;
        self
    }

    /// A name under which it may be asked, without a port: `cache.internal`. None by default; may be called several times.
    pub fn host(mut self, name: impl Into<String>) -> Self {
        self.hosts.push(name.into());
        self
    }

    async fn start(self) -> Result<Served, Error> {
        let Self { monitor, address, port, is_open, hosts } = self;
        let mut problems = Problems::default();
        problems.check(address.is_loopback() || is_open, || {
            format!(
                "address is {address}, which other machines reach: say `open_to_others` too, or leave it out"
            )
        });
        problems.check(!address.is_loopback() || !is_open, || {
            format!("open_to_others has no effect at {address}: say another address too, or leave it out")
        });
        for host in &hosts {
            let is_name =
                !host.is_empty() && host.chars().all(|c| c.is_ascii_alphanumeric() || "-._".contains(c));
            problems
                .check(is_name, || format!("host is `{host}`, a name without scheme and port is allowed"));
        }
        problems.configuration().map_err(|error| error.in_operation("serve"))?;
        let cannot = |error: std::io::Error| {
            let message = format!("cannot listen on {}", SocketAddr::new(address, port));
            Error::new(ErrorKind::Unavailable, message).because(error).in_operation("serve")
        };
        let listener = TcpListener::bind((address, port)).await.map_err(cannot)?;
        let address = listener.local_addr().map_err(cannot)?;
        let routes = routes::router(monitor).layer(from_fn(move |request: Request, next: Next| {
            let is_ours = is_ours(request.headers(), request.uri(), &hosts);
            async move {
                if is_ours {
                    return next.run(request).await;
                }
                text(StatusCode::MISDIRECTED_REQUEST, "asked by a name that was not allowed\n")
            }
        }));
        tracing::info!(%address, "what the monitor knows is shown over HTTP");
        let (end, served) = watch::channel(());
        tokio::spawn(run(listener, routes.layer(from_fn(guarded)), served));
        Ok(Served { address, _end: end })
    }
}

async fn run(listener: TcpListener, routes: Router, served: watch::Receiver<()>) {
    let listener = Bounded::new(listener, served.clone());
    // It never fails: what goes wrong with a connection ends the connection.
    axum::serve(listener, routes).with_graceful_shutdown(ended(served)).await.ok();
}

impl IntoFuture for Serve {
    type Output = Result<Served, Error>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    /// Begins to listen, on the runtime that polls it. Dropping the future before leaves nothing behind.
    ///
    /// Errors: [`Configuration`](ErrorKind::Configuration), listing all that is not allowed;
    /// [`Unavailable`](ErrorKind::Unavailable) if the address cannot be had.
    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.start())
    }
}

/// A server that listens until it is dropped, or its runtime ends. What is being answered then is answered still;
/// connections that are there 5 seconds later are cut.
#[derive(Debug)]
#[must_use = "it ends when it is dropped"]
pub struct Served {
    address: SocketAddr,
    /// The server sees when this is gone.
    _end: watch::Sender<()>,
}

impl Served {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where the page is.
    pub fn url(&self) -> String {
        format!("http://{}/", self.address)
    }
}
