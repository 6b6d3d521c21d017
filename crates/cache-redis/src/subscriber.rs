//! The second connection, over which published changes are heard.
//!
//! It is a connection of its own because of what a server does to a subscriber that is slow: it closes the connection when
//! 32 MB wait for it, and one large batch of answers would be enough.

use std::sync::Arc;

use cache_core::LinkId;
use futures_util::StreamExt;
use parking_lot::Mutex;
use redis::aio::{PubSub, PubSubSink};
use redis::{ProtocolVersion, RedisConnectionInfo};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::conn::Conn;
use crate::fault::Fault;
use crate::feed::Feed;
use crate::message::{first_position, own_channel, position_key, silent_key};
use crate::reply;
use crate::scripts::Scripts;

/// A connection that listens to the channels of namespaces. It ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Subscriber {
    sink: PubSubSink,
    /// Who this process is among those who publish; other than on any other connection.
    pub(crate) writer: u64,
    prefixes: Mutex<Vec<Box<str>>>,
    /// How many messages have come.
    came: Arc<watch::Sender<u64>>,
}

impl Subscriber {
    pub(crate) async fn open<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
        sign_in: &RedisConnectionInfo,
        stream: S,
        link: LinkId,
        feed: &Arc<Feed>,
    ) -> Result<(Self, JoinSet<()>), Fault> {
        // What subscribers may say in the older protocol is enough, and every server speaks it.
        let sign_in = sign_in.clone().set_protocol(ProtocolVersion::RESP2);
        let (sink, mut messages) = PubSub::new(&sign_in, stream).await?.split();
        let (feed, writer) = (Arc::clone(feed), cache_core::random_u64());
        let came = Arc::new(watch::Sender::new(0));
        let count = Arc::clone(&came);
        let mut listens = JoinSet::new();
        listens.spawn(async move {
            while let Some(message) = messages.next().await {
                feed.hear(link, writer, message.get_channel_name(), message.get_payload_bytes());
                count.send_modify(|count| *count += 1);
            }
        });
        Ok((Self { sink, writer, prefixes: Mutex::default(), came }, listens))
    }

    /// Listens to a namespace from now on, if it does not yet.
    pub(crate) async fn follow(&self, prefix: &str) -> Result<(), Fault> {
        if self.prefixes.lock().iter().any(|known| **known == *prefix) {
            return Ok(());
        }
        self.sink.clone().subscribe(&[prefix, &own_channel(prefix, self.writer)][..]).await?;
        self.prefixes.lock().push(prefix.into());
        Ok(())
    }

    /// Ends when something that was published has come, however little there is to hear.
    pub(crate) async fn try_out(&self, conn: &Conn, scripts: &Scripts, prefix: &str) -> Result<(), Fault> {
        self.follow(prefix).await?;
        let mut came = self.came.subscribe();
        self.ask(conn, scripts, prefix, 0).await?;
        came.changed().await.map_err(|_| Fault::broken("the connection was closed"))
    }

    /// Has the server say where the changes of a namespace stand. Returns whether some are not published.
    pub(crate) async fn ask(
        &self,
        conn: &Conn,
        scripts: &Scripts,
        prefix: &str,
        word: u64,
    ) -> Result<bool, Fault> {
        let mut call = scripts.standing.key(position_key(prefix));
        call.key(silent_key(prefix)).arg(own_channel(prefix, self.writer)).arg(word).arg(first_position());
        Ok(reply::int(Some(conn.script(&call).await?))? > 0)
    }
}
