//! What is heard on the channels of namespaces, and whether it is everything.

use cache_core::LinkId;

use crate::conn::Conn;
use crate::fault::Fault;
use crate::feed::{Feed, Listener};
use crate::following::{Following, Heard};
use crate::message::{Message, What, own_channel, parse_standing};
use crate::scripts::Scripts;
use crate::subscriber::Subscriber;

impl Feed {
    /// Takes in what came over the connection that listens for this link. `writer` is this process.
    pub(crate) fn hear(&self, link: LinkId, writer: u64, channel: &str, payload: &[u8]) {
        let listeners = self.listeners.read();
        for listener in listeners.iter().filter(|listener| channel.starts_with(listener.namespace.prefix())) {
            let prefix = listener.namespace.prefix();
            if channel == prefix {
                self.hear_change(listener, link, writer, payload);
            } else if channel == own_channel(prefix, writer)
                && let Some((word, position)) = parse_standing(payload)
                && let Some(Heard::Gap) = listener.on(link, |following| following.standing(word, position))
            {
                self.void(listener, link);
            }
        }
        self.heard.notify_one();
    }

    fn hear_change(&self, listener: &Listener, link: LinkId, writer: u64, payload: &[u8]) {
        let Some(message) = Message::parse(payload) else {
            // Nobody of ours publishes this, so it may stand for something that one of ours did.
            return self.void(listener, link);
        };
        let heard = listener.on(link, |following| following.change(message.position));
        match (heard, message.what) {
            (None, _) => {}
            (Some(Heard::Gap), _) | (_, What::Unknown) => self.void(listener, link),
            _ if message.writer == writer => {}
            (_, What::Marks) => self.marks_have_changed(listener),
            (_, What::Key(key)) => {
                if let Some(sink) = listener.sink.upgrade().filter(|_| listener.concerns(key)) {
                    sink.invalidate(key);
                }
            }
        }
    }

    /// Sees to it that everybody who listens hears everything that was published so far. Does not end before it was heard.
    pub(crate) async fn keep_in_step(
        &self,
        conn: &Conn,
        subscriber: &Subscriber,
        scripts: &Scripts,
    ) -> Result<(), Fault> {
        let listeners = self.listeners.read().clone();
        // Those who have gone, too: another one of their namespace goes on from where they stand.
        for listener in &listeners {
            let prefix = listener.namespace.prefix();
            subscriber.follow(prefix).await?;
            listener.begin(conn.link);
            let word = cache_core::random_u64();
            let silent = subscriber.ask(conn, scripts, prefix, word).await?;
            while listener.on(conn.link, |following| following.answered) != Some(word) {
                self.heard.notified().await;
            }
            let changed = listener
                .on(conn.link, |following| std::mem::replace(&mut following.believed, !silent) == silent);
            if changed == Some(true) {
                if silent {
                    tracing::warn!(
                        namespace = listener.namespace.as_str(),
                        "others change things here without publishing it: copies live for a short time"
                    );
                }
                // What was read before may not have been told of; what is read from now on is.
                self.void(listener, conn.link);
            }
        }
        Ok(())
    }

    /// Whether somebody listens who may not hear everything.
    pub(crate) fn is_anybody_behind(&self, link: LinkId) -> bool {
        let listeners = self.listeners.read();
        let mut here = listeners.iter().filter(|listener| listener.sink.strong_count() > 0);
        here.any(|listener| listener.on(link, |following| following.believed) != Some(true))
    }
}

impl Listener {
    /// Looks at or changes where it stands on this link's channels, if it is this link that it follows.
    pub(crate) fn on<T>(&self, link: LinkId, look: impl FnOnce(&mut Following) -> T) -> Option<T> {
        let mut following = self.following.lock();
        match &mut *following {
            Some((followed, following)) if *followed == link => Some(look(following)),
            _ => None,
        }
    }

    /// Follows this link from now on.
    pub(crate) fn begin(&self, link: LinkId) {
        let mut following = self.following.lock();
        if following.as_ref().is_none_or(|(followed, _)| *followed != link) {
            *following = Some((link, Following::default()));
        }
    }
}
