//! Opens a connection and sets it up.

use std::sync::Arc;

use cache_core::{ErrorKind, FeedMode, LinkId, Moment};
use redis::{AsyncConnectionConfig, ProtocolVersion, PushInfo, Value};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::canary::{Canary, Tested};
use crate::conn::Conn;
use crate::fault::{Cause, Fault};
use crate::feed::Feed;
use crate::info;
use crate::link::Wiring;
use crate::sign_in::{open, second_try, sign_in};
use crate::subscriber::Subscriber;
use crate::suspicion::Suspicion;
use crate::vitals::{self, Greeting};

/// A connection that is ready, and the task that moves its bytes, which ends when this is dropped.
pub(crate) struct Connected {
    pub(crate) conn: Conn,
    pub(crate) driver: JoinSet<()>,
    /// The task that hears what others publish, if that is the feed.
    pub(crate) listens: Option<JoinSet<()>>,
    /// When the last question was sent that was answered.
    pub(crate) sent_at: Moment,
}

/// Opens a connection. Has no time bound of its own.
pub(crate) async fn connect(
    wiring: &Wiring,
    link: LinkId,
    suspicion: &Suspicion,
) -> Result<Connected, Fault> {
    match set_up(wiring, ProtocolVersion::RESP3, link, suspicion).await {
        Err(fault) if fault.cause == Cause::OldProtocol => {
            set_up(wiring, ProtocolVersion::RESP2, link, suspicion).await
        }
        connected => connected,
    }
}

async fn set_up(
    wiring: &Wiring,
    protocol: ProtocolVersion,
    link: LinkId,
    suspicion: &Suspicion,
) -> Result<Connected, Fault> {
    let feed = wiring.feed.as_ref();
    let canary = Arc::new(Canary::new(&own_prefix(wiring)));
    // Time bounds are the callers'.
    let mut config = AsyncConnectionConfig::new().set_response_timeout(None);
    let is_old = protocol == ProtocolVersion::RESP2;
    if let Some(feed) = feed.cloned().filter(|_| !is_old) {
        let canary = Arc::clone(&canary);
        // Called by the task that reads the socket, in the order of the wire.
        config = config.set_push_sender(move |push: PushInfo| -> Result<(), ()> {
            feed.take_in(link, &canary, &push);
            Ok(())
        });
    }
    let (raw, driver) =
        second_try(wiring.connect_timeout / 2, || sign_in(&wiring.address, protocol, &config)).await?;
    let mut conn = Conn::new(link, raw, canary, suspicion.clone());
    greet(&mut conn).await?;
    if is_old {
        // What speaks the older protocol may be too old for the rest as well.
        conn.one(redis::cmd("ZMSCORE").arg("cache-redis:").arg("x")).await.or_else(unless_unknown)?;
    }
    let listens = match feed {
        Some(feed) => choose_feed(wiring, feed, &mut conn, is_old).await?,
        None => None,
    };
    let sent_at = wiring.clock.now();
    // A server that loads its data takes in a new connection and answers nothing else.
    conn.one(&redis::cmd("PING")).await?;
    Ok(Connected { conn, driver, listens, sent_at })
}

/// Where the connection may have keys of its own.
fn own_prefix(wiring: &Wiring) -> String {
    let said = wiring.prefix.as_deref().map(str::to_owned);
    let listened = || wiring.feed.as_ref().and_then(|feed| feed.some_prefix());
    said.or_else(listened).unwrap_or_else(|| "cache-redis:".to_owned())
}

fn unless_unknown(fault: Fault) -> Result<Value, Fault> {
    let is_fatal = fault.is_outage() || fault.error.kind() == ErrorKind::Unsupported;
    if is_fatal { Err(fault) } else { Ok(Value::Nil) }
}

/// Takes the best feed of those that may be used which shows that it works.
async fn choose_feed(
    wiring: &Wiring,
    feed: &Arc<Feed>,
    conn: &mut Conn,
    is_old: bool,
) -> Result<Option<JoinSet<()>>, Fault> {
    let (mut missing, mut listens) = (Vec::new(), None);
    if matches!(wiring.mode, FeedMode::Auto | FeedMode::Tracking) {
        let why = if is_old {
            Some("the server speaks RESP2 only".to_owned())
        } else {
            track(wiring, conn).await?
        };
        missing.extend(why);
    }
    if matches!(wiring.mode, FeedMode::Auto | FeedMode::PubSub) && conn.feed == cache_core::Feed::Polled {
        match follow(wiring, feed, conn).await {
            Ok(task) => listens = Some(task),
            Err(why) => missing.push(why),
        }
    }
    conn.shortfall = (!missing.is_empty()).then(|| missing.join("; ").into());
    Ok(listens)
}

/// Listens to what others publish, and sees that it is heard. The task that listens, or what is in the way.
async fn follow(wiring: &Wiring, feed: &Arc<Feed>, conn: &mut Conn) -> Result<JoinSet<()>, String> {
    if conn.replica {
        return Err("the server is a replica, which takes no writes".to_owned());
    }
    let heard = async {
        let stream = open(&wiring.address).await?;
        let (subscriber, listens) =
            Subscriber::open(&wiring.address.sign_in, stream, conn.link, feed).await?;
        subscriber.try_out(conn, &wiring.scripts, &own_prefix(wiring)).await?;
        feed.keep_in_step(conn, &subscriber, &wiring.scripts).await?;
        Ok::<_, Fault>((subscriber, listens))
    };
    // The rest of the time that connecting may take is for what comes after this.
    match timeout(wiring.connect_timeout / 2, heard).await {
        Ok(Ok((subscriber, listens))) => {
            (conn.feed, conn.subscriber) = (cache_core::Feed::PubSub, Some(Arc::new(subscriber)));
            Ok(listens)
        }
        // If it is the first connection that ended, what comes next shows it.
        Ok(Err(fault)) => {
            conn.try_again |= fault.is_outage();
            Err(format!("what is published cannot be listened to: {}", fault.error.message()))
        }
        Err(_) => Err("what is published does not arrive".to_owned()),
    }
}

/// Has the server tell of changes, and sees that it does. `None`, or what is in the way.
pub(crate) async fn track(wiring: &Wiring, conn: &mut Conn) -> Result<Option<String>, Fault> {
    if conn.replica {
        return Ok(Some("the server is a replica, which may lag behind".to_owned()));
    }
    match conn.one(redis::cmd("CLIENT").arg("TRACKING").arg("ON").arg("NOLOOP")).await {
        Ok(_) => {}
        Err(fault) if fault.is_outage() => return Err(fault),
        Err(fault) => {
            return Ok(Some(format!("the server does not track: {}", fault.error.message())));
        }
    }
    conn.feed = cache_core::Feed::Tracking;
    let vitals = vitals::check(conn, wiring.heartbeat).await?;
    let why = match vitals.tested {
        Some(Tested::Heard) => {
            conn.dropped_before = vitals.room.dropped;
            if conn.dropped_before.is_none() {
                tracing::warn!(
                    "the server does not say whether it drops keys: a copy of one may outlive its lease"
                );
            }
            return Ok(None);
        }
        Some(Tested::Impossible(fault)) => {
            conn.try_again = true;
            format!("whether changes are told could not be tested: {}", fault.error.message())
        }
        Some(Tested::Unheard) | None => {
            "the server does not tell of a change, or something in between keeps it back".to_owned()
        }
    };
    conn.feed = cache_core::Feed::Polled;
    Ok(Some(why))
}

/// Asks who the server is, and who we are to it.
async fn greet(conn: &mut Conn) -> Result<(), Fault> {
    match conn.one(&redis::cmd("HELLO")).await {
        Ok(reply) => {
            let greeting = Greeting::of(reply);
            conn.replica = greeting.replica.unwrap_or_default();
            conn.protocol = greeting.protocol.unwrap_or_default();
            conn.identity.client = greeting.client.unwrap_or_default();
        }
        Err(fault) if fault.is_outage() => return Err(fault),
        Err(_) => {
            let (client, role) =
                (conn.one(redis::cmd("CLIENT").arg("ID")).await, conn.one(&redis::cmd("ROLE")).await);
            if let Ok(Value::Int(client)) = client {
                conn.identity.client = client;
            }
            conn.replica = role.is_ok_and(|role| Greeting::of(role).replica.unwrap_or_default());
        }
    }
    // Not every user may ask.
    if let Some(server) = info::section(conn, "server").await? {
        conn.identity.server_run = info::field(&server, "run_id").unwrap_or_default().to_owned();
    }
    Ok(())
}
