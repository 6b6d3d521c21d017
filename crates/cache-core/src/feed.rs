//! What others change, as the store's link reports it.

use crate::{Error, ErrorKind, LinkId, Moment, Stamp};

/// The longest tag in bytes.
pub const MAX_TAG_LEN: usize = 256;

/// What an invalidation of many entries is about.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Mark {
    /// Every entry of the namespace.
    Clear,
    /// Every entry with this tag.
    Tag(Box<str>),
}

impl Mark {
    /// The mark of a tag of 1 to [`MAX_TAG_LEN`] bytes.
    ///
    /// # Errors
    /// [`ErrorKind::Validation`] for an empty or longer one.
    pub fn tag(tag: &str) -> Result<Self, Error> {
        check_tag(tag)?;
        Ok(Self::Tag(tag.into()))
    }
}

/// Checks a tag as a user gives it: 1 to [`MAX_TAG_LEN`] bytes, any characters.
///
/// # Errors
/// [`ErrorKind::Validation`] for an empty or longer one.
pub fn check_tag(tag: &str) -> Result<(), Error> {
    if tag.is_empty() || tag.len() > MAX_TAG_LEN {
        return Err(Error::new(
            ErrorKind::Validation,
            format!("a tag is {} bytes long, 1 to {MAX_TAG_LEN} are allowed", tag.len()),
        ));
    }
    Ok(())
}

/// Takes in what a store's link reports. Called from the reader of the connection, in the order of the wire, before
/// any later reply is handed out; so every method is O(1), takes no lock for long and never waits.
///
/// What a store with a feed owes its sinks, on every connection:
///
/// 1. When a new link is up, and before a reply that came over it is handed out: [`retire_all`](FeedSink::retire_all)
///    with the new link, and then [`alive`](FeedSink::alive). A sink that subscribes while a link is up is told `alive`
///    at once, or with the next heartbeat.
/// 2. While the link is up, every change as it comes, and `alive` at every answered heartbeat: every 250 ms, with the
///    moment at which the question was *sent*, by the clock that sink and store share.
/// 3. When the link is lost: nothing. That no `alive` comes any more says it, so it cannot get lost.
///
/// The sink holds copies for current for a short time (its lease) after the last `alive`, and until the first one it
/// keeps none.
pub trait FeedSink: Send + Sync {
    /// Somebody else changed or removed this full key.
    fn invalidate(&self, key: &[u8]);

    /// Changes may have been missed: every copy is void. From now on this link is the one that counts: a sink passes over
    /// what it is told of another's life.
    fn retire_all(&self, link: LinkId);

    /// An invalidation of many entries: the mark now stands at this position.
    fn mark(&self, mark: &Mark, at: Stamp);

    /// A question sent over this link at this moment was answered: every change before it has been reported. `sent_at` is by the
    /// clock that sink and store share.
    fn alive(&self, link: LinkId, sent_at: Moment);
}
