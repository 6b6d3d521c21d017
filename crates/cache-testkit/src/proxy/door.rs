//! The listening side of the proxy.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use socket2::SockRef;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

use super::connection;
use super::shared::Shared;
use crate::port::free_address;

/// How new connections are met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Door {
    /// They are taken.
    Open,
    /// They are refused: nobody listens.
    Closed,
    /// They are taken and reset at once.
    Slammed,
}

/// An order, and who waits for it to be carried out.
pub(super) type Order = (Door, std::sync::mpsc::Sender<io::Result<()>>);

/// Listens, tells where, and takes connections until nobody is left to give orders.
pub(super) async fn attend(
    shared: Arc<Shared>,
    mut orders: mpsc::Receiver<Order>,
    started: std::sync::mpsc::Sender<io::Result<SocketAddr>>,
) {
    let wanted = free_address().unwrap_or(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
    let bound = TcpListener::bind(wanted).await.and_then(|listener| Ok((listener.local_addr()?, listener)));
    let (addr, listener) = match bound {
        Ok(bound) => bound,
        Err(error) => return drop(started.send(Err(error))),
    };
    drop(started.send(Ok(addr)));
    let (mut listener, mut door) = (Some(listener), Door::Open);
    loop {
        tokio::select! {
            order = orders.recv() => {
                let Some((wanted, done)) = order else { return };
                door = wanted;
                let changed = match (wanted, listener.take()) {
                    (Door::Closed, _) => Ok(None),
                    (_, Some(open)) => Ok(Some(open)),
                    (_, None) => TcpListener::bind(addr).await.map(Some),
                };
                drop(done.send(match changed {
                    Ok(changed) => {
                        listener = changed;
                        Ok(())
                    }
                    Err(error) => Err(error),
                }));
            }
            stream = accept(listener.as_ref()) => match door {
                Door::Slammed => drop(SockRef::from(&stream).set_linger(Some(Duration::ZERO))),
                _ => drop(tokio::spawn(connection::run(stream, Arc::clone(&shared)))),
            },
        }
    }
}

async fn accept(listener: Option<&TcpListener>) -> TcpStream {
    loop {
        match listener {
            Some(listener) => match listener.accept().await {
                Ok((stream, _)) => return stream,
                // Out of file handles, most likely: some may be given back soon.
                Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
            },
            None => std::future::pending().await,
        }
    }
}
