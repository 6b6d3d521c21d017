//! Keeps a link up: connects, asks whether the server is there, gives up what does not answer, and connects again.

use std::sync::Arc;
use std::time::Duration;

use cache_core::{Error, ErrorKind, LinkId, random_u64};
use parking_lot::Mutex;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::backoff;
use crate::conn::Conn;
use crate::connect::{Connected, connect};
use crate::fault::{Cause, Fault};
use crate::info;
use crate::link::{Shared, State};
use crate::reply;

/// If this task is called so much too late, this machine stood still and the server's answers may be waiting.
const STANDSTILL: Duration = Duration::from_millis(100);
/// How long to stay with a replica before looking for the primary again, which the address may lead to by then.
const STAY_WITH_REPLICA: Duration = Duration::from_secs(1);

/// Never ends by itself.
pub(crate) async fn run(shared: &Shared) {
    let mut logged = None;
    loop {
        let fault = match attempt(shared, shared.next()).await {
            Ok(connected) => {
                logged = None;
                use_up(shared, connected).await
            }
            Err(fault) => fault,
        };
        if logged.as_deref() != Some(fault.error.message()) {
            let (purpose, address) = (shared.wiring.purpose, &shared.wiring.address);
            tracing::warn!(purpose, %address, reason = %fault.error, "not connected");
            logged = Some(fault.error.message().to_owned());
        }
        let trouble = fault.trouble();
        shared.state.send_replace(State::Down(fault.error));
        sleep(backoff::delay(trouble, random_u64())).await;
    }
}

async fn attempt(shared: &Shared, link: LinkId) -> Result<Connected, Fault> {
    let bound = shared.wiring.connect_timeout;
    let connecting = async {
        let connected = connect(&shared.wiring, link, &shared.suspicion).await?;
        shut_out_the_given_up(shared, &connected.conn).await?;
        Ok(connected)
    };
    timeout(bound, connecting).await.unwrap_or_else(|_| {
        let message = format!("the server did not let us in within {bound:?}");
        Err(Fault { error: Error::new(ErrorKind::Timeout, message), cause: Cause::Other })
    })
}

/// What was sent over an earlier connection must not be carried out after what is sent over this one.
async fn shut_out_the_given_up(shared: &Shared, conn: &Conn) -> Result<(), Fault> {
    loop {
        let Some(given_up) = shared.given_up.lock().last().cloned() else { return Ok(()) };
        if !conn.shut_out(&given_up).await? {
            tracing::warn!(
                "the server does not let us close our own earlier connection; what is still on its way over it may come late"
            );
        }
        shared.given_up.lock().retain(|it| *it != given_up);
    }
}

/// Hands the connection out until it is of no use any more.
async fn use_up(shared: &Shared, connected: Connected) -> Fault {
    let Connected { conn, mut driver, sent_at } = connected;
    if let Some(feed) = &shared.wiring.feed {
        // Before anybody gets an answer over it.
        feed.retire_all(conn.link);
        feed.alive(conn.link, sent_at);
    }
    shared.answered(sent_at);
    tracing::info!(purpose = shared.wiring.purpose, address = %shared.wiring.address, "connected");
    let conn = Arc::new(conn);
    shared.state.send_replace(State::Up(Arc::clone(&conn)));
    let answered = Mutex::new(Instant::now());
    // Also if this task is aborted, because another one may go on with the link.
    shared.given_up.lock().push(conn.identity.clone());
    tokio::select! {
        fault = ask_on(shared, &conn, &answered) => fault,
        fault = lose_patience(shared, &answered) => fault,
        _ = driver.join_next() => Fault::broken("the connection was closed"),
        error = shared.suspicion.of(conn.link) => Fault { error, cause: Cause::Broken },
    }
}

/// Asks again and again whether the server is there, and tells what it says. Ends with what is wrong.
async fn ask_on(shared: &Shared, conn: &Conn, answered: &Mutex<Instant>) -> Fault {
    let since = Instant::now();
    let mut dropped = conn.dropped_before;
    loop {
        let next = *answered.lock() + shared.wiring.heartbeat;
        if let Err(fault) = until(shared, conn, next).await {
            return fault;
        }
        match beat(shared, conn, &mut dropped).await {
            Ok(sent) => *answered.lock() = sent,
            Err(fault) => return fault,
        }
        if conn.replica && since.elapsed() >= STAY_WITH_REPLICA {
            return Fault::broken("the server is a replica and takes no writes");
        }
    }
}

/// Waits for the next heartbeat, and tells meanwhile which marks have changed.
async fn until(shared: &Shared, conn: &Conn, next: Instant) -> Result<(), Fault> {
    let Some(feed) = &shared.wiring.feed else {
        sleep_until(next).await;
        return Ok(());
    };
    loop {
        tokio::select! {
            () = sleep_until(next) => return Ok(()),
            () = feed.marks_changed() => feed.refresh_marks(conn).await?,
        }
    }
}

/// One question and its answer. Returns when it was sent. `dropped` is how many keys the server had dropped before.
async fn beat(shared: &Shared, conn: &Conn, dropped: &mut Option<u64>) -> Result<Instant, Fault> {
    let (sent, sent_at) = (Instant::now(), shared.wiring.clock.now());
    let word = random_u64().to_string();
    let echo = conn.one(redis::cmd("PING").arg(&word)).await?;
    if reply::bytes(Some(echo))?.as_deref() != Some(word.as_bytes()) {
        return Err(reply::odd());
    }
    shared.answered(sent_at);
    if let Some(feed) = &shared.wiring.feed {
        if conn.tracking && dropped.is_some() {
            let now = info::dropped(conn).await?;
            if now != *dropped {
                // Which ones is not told if it made room for a command of ours.
                feed.retire_all(conn.link);
            }
            *dropped = now.or(*dropped);
        }
        // What was announced before the answer came is told before it is said that all was told.
        feed.refresh_marks(conn).await?;
        feed.alive(conn.link, sent_at);
    }
    Ok(sent)
}

/// Ends when nothing was answered for too long.
async fn lose_patience(shared: &Shared, answered: &Mutex<Instant>) -> Fault {
    let patience = shared.wiring.patience;
    loop {
        let last = *answered.lock();
        sleep_until(last + patience).await;
        if last.elapsed() > patience + STANDSTILL {
            sleep(shared.wiring.heartbeat).await;
        }
        if *answered.lock() == last {
            return Fault::broken(&format!("the server did not answer for {patience:?}"));
        }
    }
}
