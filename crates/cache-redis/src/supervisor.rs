//! Keeps a link up: connects, asks whether the server is there, gives up what does not answer, and connects again.

use std::sync::Arc;
use std::time::Duration;

use cache_core::{LinkId, random_u64};
use parking_lot::Mutex;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::backoff;
use crate::canary::Tested;
use crate::conn::Conn;
use crate::connect::{Connected, connect};
use crate::fault::{Cause, Fault};
use crate::feed::Feed;
use crate::info::Room;
use crate::link::{Shared, State, Wiring};
use crate::vitals;

/// If this task is called so much too late, this machine stood still and the server's answers may be waiting.
const STANDSTILL: Duration = Duration::from_millis(100);
/// A machine that was suspended for longer may have missed something. Clocks that are read one after the other differ a
/// little.
const SUSPENDED: Duration = Duration::from_millis(100);
/// How long to use a feed that is less than it could be before looking again.
const TRY_AGAIN_AFTER: Duration = Duration::from_secs(2);
/// How long to stay with a replica before looking for the primary again, which the address may lead to by then.
const STAY_WITH_REPLICA: Duration = Duration::from_secs(1);

/// Never ends by itself.
pub(crate) async fn run(shared: &Shared) {
    let mut logged = None;
    loop {
        let began = Instant::now();
        let (fault, took) = match attempt(shared, shared.next()).await {
            Ok(connected) => {
                logged = None;
                (use_up(shared, connected).await, Duration::ZERO)
            }
            Err(fault) => (fault, began.elapsed()),
        };
        if logged.as_deref() != Some(fault.error.message()) {
            let (purpose, address) = (shared.wiring.purpose, &shared.wiring.address);
            tracing::warn!(purpose, %address, reason = %fault.error, "not connected");
            logged = Some(fault.error.message().to_owned());
        }
        let trouble = fault.trouble();
        shared.state.send_replace(State::Down(fault.error));
        sleep(backoff::delay(trouble, took, random_u64())).await;
    }
}

async fn attempt(shared: &Shared, link: LinkId) -> Result<Connected, Fault> {
    let bound = shared.wiring.connect_timeout;
    let connecting = async {
        let connected = connect(&shared.wiring, link, &shared.suspicion).await?;
        shut_out_the_given_up(shared, &connected.conn).await?;
        Ok(connected)
    };
    timeout(bound, connecting)
        .await
        .unwrap_or_else(|_| Err(Fault::not_in_time(bound, shared.wiring.address.tls.is_some())))
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
    let Connected { conn, mut driver, mut listens, sent_at } = connected;
    if let Some(feed) = &shared.wiring.feed {
        // Before anybody gets an answer over it.
        feed.retire_all(conn.link);
        feed.alive(conn.link, sent_at);
    }
    shared.answered(sent_at);
    tracing::info!(purpose = shared.wiring.purpose, address = %shared.wiring.address, "connected");
    log_feed(shared, &conn);
    let conn = Arc::new(conn);
    shared.state.send_replace(State::Up(Arc::clone(&conn)));
    let answered = Mutex::new(Instant::now());
    // Also if this task is aborted, because another one may go on with the link.
    shared.given_up.lock().push(conn.identity.clone());
    let fault = tokio::select! {
        fault = ask_on(shared, &conn, &answered) => fault,
        fault = lose_patience(shared, &answered) => fault,
        _ = driver.join_next() => Fault::broken("the connection was closed"),
        () = ended(&mut listens) => Fault::broken("the connection that listens was closed"),
        error = shared.suspicion.of(conn.link) => Fault { error, cause: Cause::Broken },
    };
    // Before the connection closes: who waits for an answer is told why there is none.
    conn.give_up(&fault.error);
    fault
}

/// One line each time that it changes.
fn log_feed(shared: &Shared, conn: &Conn) {
    let before = shared.logged_feed.lock().replace(conn.feed);
    if shared.wiring.feed.is_none() || before == Some(conn.feed) {
        return;
    }
    let (feed, address) = (conn.feed, &shared.wiring.address);
    if let Some(reason) = conn.shortfall.as_deref() {
        tracing::warn!(?feed, reason, %address, "changes by others are told in a lesser way");
    } else {
        tracing::info!(?feed, %address, "this is how changes by others are told");
    }
}

/// Ends when this task has, if there is one.
async fn ended(task: &mut Option<JoinSet<()>>) {
    match task {
        Some(task) => drop(task.join_next().await),
        None => std::future::pending().await,
    }
}

/// Asks again and again whether the server is there, and tells what it says. Ends with what is wrong.
async fn ask_on(shared: &Shared, conn: &Conn, answered: &Mutex<Instant>) -> Fault {
    let since = Instant::now();
    let mut pulse =
        Pulse { suspended: shared.wiring.clock.suspended(), dropped: conn.dropped_before, forgets: false };
    loop {
        let next = *answered.lock() + shared.wiring.heartbeat;
        if let Err(fault) = until(shared, conn, next).await {
            return fault;
        }
        match beat(shared, conn, &mut pulse).await {
            Ok(sent) => *answered.lock() = sent,
            Err(fault) => return fault,
        }
        if conn.replica && since.elapsed() >= STAY_WITH_REPLICA {
            return Fault::broken("the server is a replica and takes no writes");
        }
        if conn.try_again && since.elapsed() >= TRY_AGAIN_AFTER {
            return Fault::broken("a better feed may work by now");
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
            () = feed.marks_changed() => {
                // Perhaps by somebody who has just begun to listen.
                if feed.is_anybody_behind(conn.link) {
                    hear_all(shared, conn, feed).await?;
                }
                feed.refresh_marks(conn).await?;
            }
        }
    }
}

/// Ends when everything was heard that was published so far.
async fn hear_all(shared: &Shared, conn: &Conn, feed: &Feed) -> Result<(), Fault> {
    match &conn.subscriber {
        Some(subscriber) => feed.keep_in_step(conn, subscriber, &shared.wiring.scripts).await,
        None => Ok(()),
    }
}

/// What heartbeats remember from one to the next.
struct Pulse {
    /// How long this machine had been suspended when the first was due.
    suspended: Duration,
    /// How many keys the server had dropped to make room.
    dropped: Option<u64>,
    /// Whether it forgot what it tracks.
    forgets: bool,
}

/// Some questions and their answers. Returns when they were sent.
async fn beat(shared: &Shared, conn: &Conn, pulse: &mut Pulse) -> Result<Instant, Fault> {
    let Wiring { clock, heartbeat, feed, .. } = &shared.wiring;
    let (sent, sent_at) = (Instant::now(), clock.now());
    if clock.suspended().saturating_sub(pulse.suspended) > SUSPENDED {
        return Err(Fault::broken("this machine was suspended, and may have missed what was told"));
    }
    let vitals = vitals::check(conn, *heartbeat).await?;
    if let Some(Tested::Unheard) = vitals.tested {
        return Err(Fault::broken("what the server tells does not arrive any more"));
    }
    shared.answered(sent_at);
    if let Some(feed) = feed {
        if !vitals.same_data {
            tracing::warn!("another database has taken the place of the one that was there");
            feed.retire_all(conn.link);
        }
        let Room { dropped, forgets } = vitals.room;
        if dropped != pulse.dropped {
            // Which ones is not told if it made room for a command of ours.
            feed.retire_all(conn.link);
            pulse.dropped = dropped;
        }
        if forgets {
            feed.retire_all(conn.link);
            if !pulse.forgets {
                tracing::warn!("the server tracks too many keys: copies live until the next heartbeat");
            }
        }
        pulse.forgets = forgets;
        hear_all(shared, conn, feed).await?;
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
