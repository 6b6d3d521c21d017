//! One connection through the proxy, from its acceptance to its end.

use std::sync::Arc;
use std::time::Duration;

use socket2::SockRef;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::ReadHalf;

use super::Direction;
use super::pump::{End, Pump};
use super::shared::{Line, Shared};

/// How long a peer may take to close its side too.
const FAREWELL: Duration = Duration::from_secs(2);

/// Connects to the upstream server and moves bytes until one side, both, or a fault ends it.
pub(super) async fn run(mut client: TcpStream, shared: Arc<Shared>) {
    let (number, upstream, line) = shared.enter();
    let end = match TcpStream::connect(upstream).await {
        Ok(mut server) => {
            let end = join(&mut client, &mut server, &line, &shared, number).await;
            match end {
                Some(End::Reset) => reset(&server),
                Some(End::Close) => part(&mut client, &mut server).await,
                None => {}
            }
            end
        }
        // What a client sees of a server that is not there.
        Err(_) => Some(End::Reset),
    };
    if end == Some(End::Reset) {
        reset(&client);
    }
    shared.leave(number);
}

async fn join(
    client: &mut TcpStream,
    server: &mut TcpStream,
    line: &Line,
    shared: &Shared,
    number: usize,
) -> Option<End> {
    // Pieces are to arrive as they are sent. Without it the proxy still works.
    drop(client.set_nodelay(true));
    drop(server.set_nodelay(true));
    let (from_client, to_client) = client.split();
    let (from_server, to_server) = server.split();
    let pump = |direction: Direction| {
        let index = direction.index();
        let random = shared.seed ^ ((number as u64) << 1 | index as u64);
        Pump::new(Arc::clone(&line.slots[index]), &shared.tallies[index], random)
    };
    let there = pump(Direction::ToServer).run(from_client, to_server);
    let back = pump(Direction::ToClient).run(from_server, to_client);
    let mut ordered = line.end.subscribe();
    tokio::pin!(there, back);
    tokio::select! {
        end = &mut there => match end {
            None => tokio::select! {
                end = back => end,
                end = told(&mut ordered) => end,
            },
            end => end,
        },
        end = &mut back => match end {
            None => tokio::select! {
                end = there => end,
                end = told(&mut ordered) => end,
            },
            end => end,
        },
        end = told(&mut ordered) => end,
    }
}

/// The end that was ordered from outside.
async fn told(ordered: &mut tokio::sync::watch::Receiver<Option<End>>) -> Option<End> {
    match ordered.wait_for(Option::is_some).await {
        Ok(end) => *end,
        // The proxy is gone, and its connections with it.
        Err(_) => Some(End::Close),
    }
}

/// Closes in good order: a socket that is dropped with bytes unread would send a reset instead.
async fn part(client: &mut TcpStream, server: &mut TcpStream) {
    drop(client.shutdown().await);
    drop(server.shutdown().await);
    let (from_client, _) = client.split();
    let (from_server, _) = server.split();
    let both = async { tokio::join!(drain(from_client), drain(from_server)) };
    drop(tokio::time::timeout(FAREWELL, both).await);
}

async fn drain(mut from: ReadHalf<'_>) {
    let mut buffer = vec![0; 16 * 1024];
    while from.read(&mut buffer).await.is_ok_and(|read| read > 0) {}
}

/// Makes the close that follows a reset.
fn reset(stream: &TcpStream) {
    drop(SockRef::from(stream).set_linger(Some(Duration::ZERO)));
}
