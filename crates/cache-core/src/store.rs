//! Tier 2 as the engine sees it: opaque bytes with a remaining time.

use std::fmt::Debug;
use std::sync::{Arc, Weak};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use serde::Serialize;

use crate::{Error, FeedSink, Key, Mark, Moment, Namespace, Stamp, Ttl, Version};

/// What a store can do, as plain data. What it cannot do answers [`ErrorKind::Unsupported`](crate::ErrorKind).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capability {
    /// Name of the backend, for example `"redis"`. For people and metrics.
    pub name: &'static str,
    /// Whether other processes see the same entries.
    pub shared: bool,
    /// Whether [`Store::claim`] works.
    pub claims: bool,
    /// Whether [`Store::read_marks`] and [`Store::bump_mark`] work.
    pub marks: bool,
    /// Whether [`Store::scan`] works.
    pub scan: bool,
    /// How changes by others are announced.
    pub feed: Feed,
    /// The longest value in bytes; a [`Store::put`] of a longer one is refused.
    pub max_value: usize,
}

/// How a store announces what others change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Feed {
    /// It does not: copies live by their TTL alone.
    None,
    /// It does not announce changes of keys, but gives signs of life, and asks at each of them which marks have changed.
    Polled,
    /// The server tracks what this process has read and tells it.
    Tracking,
    /// Writers publish what they change. What is changed by others than these writers is not announced.
    PubSub,
}

impl Feed {
    /// Whether changes of keys are announced by it.
    #[must_use]
    pub const fn announces(self) -> bool {
        matches!(self, Self::Tracking | Self::PubSub)
    }
}

/// Which feed a store is to use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum FeedMode {
    /// The best that works: tracking, else publishing, else signs of life alone. What is in use can be seen.
    #[default]
    Auto,
    /// [`Feed::Tracking`], or none that announces.
    Tracking,
    /// [`Feed::PubSub`], or none that announces.
    PubSub,
    /// [`Feed::Polled`]: copies live for a short time.
    TtlOnly,
}

/// One connection in the life of a store's link; a new connection has a new number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct LinkId(pub u64);

/// The state of the way to the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum LinkStatus {
    /// Not yet tried, or trying.
    Connecting,
    /// Connected and answering.
    Up,
    /// Connected for reading only, for example to a replica.
    ReadOnly,
    /// Not connected.
    Down,
}

/// What is known of the way to the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkState {
    /// The connection, the last one if there is none now.
    pub link: LinkId,
    /// Whether it works.
    pub status: LinkStatus,
    /// The feed that is really in use, which may be less than the store is capable of.
    pub feed: Feed,
    /// When the last question was sent that was answered, by the store's clock; `None` if none was yet.
    pub alive_at: Option<Moment>,
    /// Why the link is not up, or why its feed is less than what was asked for. Without secrets.
    pub reason: Option<Arc<str>>,
}

/// Bytes as they are stored, and how long they have left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// The bytes.
    pub bytes: Bytes,
    /// The time left when the store answered; `None` if it never ends.
    pub remaining: Option<Duration>,
}

/// The answer to a read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Read {
    /// What is stored, a lease included.
    pub found: Option<Stored>,
    /// The connection it came over.
    pub link: LinkId,
    /// Whether a later change by somebody else will be announced, so that a copy may be kept.
    pub tracked: bool,
}

/// The condition of a put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PutIf {
    /// None.
    Always,
    /// Nothing is stored under the key.
    Absent,
    /// What is stored starts with this version.
    Version(Version),
}

/// The condition of a removal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RemoveIf {
    /// None.
    Always,
    /// What is stored starts with this version.
    Version(Version),
    /// What is stored is exactly this.
    Bytes(Bytes),
}

/// The answer to a put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Written {
    /// Whether the condition held and the bytes are stored.
    pub stored: bool,
    /// The connection it went over.
    pub link: LinkId,
    /// Whether a later change by somebody else will be announced, so that a copy may be kept.
    pub tracked: bool,
}

/// The answer to a claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claim {
    /// The lease is stored: the caller may load. The token is the lease's version, for the conditional put.
    Granted(Version),
    /// Somebody else's lease is there and ends by itself after this time.
    Held {
        /// The time it has left. Zero: ask again, soon.
        remaining: Duration,
    },
    /// A value is there.
    Hit(Read),
}

/// What the marks say, in the order asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Marks {
    /// Where the namespace's sequence stands, and its incarnation.
    pub now: Stamp,
    /// The sequence of each mark's last invalidation; 0 if there never was one.
    pub seqs: Vec<u64>,
}

/// A page of a [`Store::scan`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// Full keys. A key may come twice; leases are among them.
    pub keys: Vec<String>,
    /// Where the next page starts; `None` after the last.
    pub next: Option<u64>,
}

/// Tier 2. Moves opaque bytes and knows nothing of their format but the [`Version`] that they may start with.
///
/// Every method may be dropped while it waits: what it did to the store is then unknown, and nothing else is harmed.
/// Time bounds are the caller's; a store adds none of its own beyond what keeps its connection alive. There are no
/// default methods: a store that cannot do something says so in its [`Capability`] and answers `Unsupported`.
///
/// # Errors
/// Of every method that asks the store: [`Unavailable`](crate::ErrorKind::Unavailable) if it cannot be reached, or refuses for
/// the time being (with [`Error::do_reads_go_on`] if it takes no changes but answers reads);
/// [`Timeout`](crate::ErrorKind::Timeout) if a bound of its own has passed;
/// [`Configuration`](crate::ErrorKind::Configuration) if it does not let this user do that;
/// [`Unsupported`](crate::ErrorKind::Unsupported) for what its capability excludes;
/// [`TooLarge`](crate::ErrorKind::TooLarge) for a put above [`Capability::max_value`], after which the store has what it had
/// before; [`Codec`](crate::ErrorKind::Codec) if what is there is not what a store of bytes can hold. A key that is not there
/// is an answer, never an error.
#[async_trait]
pub trait Store: Debug + Send + Sync + 'static {
    /// What this store can do. Never changes.
    fn capability(&self) -> Capability;

    /// How the way to it is, as known without asking.
    fn link_state(&self) -> LinkState;

    /// Announces to `sink` what others change in this namespace, until it is dropped: the keys that were read from now
    /// on, and the marks that come after the position that [`Store::read_marks`] gave. A store without a feed keeps
    /// nothing.
    fn subscribe(&self, namespace: &Namespace, sink: Weak<dyn FeedSink>);

    /// A reply on this link cannot be right: close it and connect anew.
    fn suspect(&self, link: LinkId);

    /// Reads a key and the time it has left, in one round trip.
    async fn get(&self, key: &Key) -> Result<Read, Error>;

    /// Reads many, in the order asked for, each with an answer of its own: as many answers as keys, so none for none.
    async fn get_many(&self, keys: &[Key]) -> Vec<Result<Read, Error>>;

    /// Stores bytes for `ttl`, if the condition holds, in one atomic step. A condition that does not hold is an answer
    /// ([`Written::stored`]), not an error.
    async fn put(&self, key: &Key, bytes: Bytes, ttl: Ttl, condition: PutIf) -> Result<Written, Error>;

    /// Removes a key, if the condition holds. Returns whether something was removed.
    async fn remove(&self, key: &Key, condition: RemoveIf) -> Result<bool, Error>;

    /// Stores `lease` for `ttl` if the key is free, in one atomic step: if nothing is stored, or if what is stored
    /// starts with the version `over`, which the caller knows to be of no use. `lease` starts with a
    /// [lease version](Version::is_lease).
    async fn claim(&self, key: &Key, lease: Bytes, ttl: Ttl, over: Option<Version>) -> Result<Claim, Error>;

    /// Where the namespace's sequence and these marks stand.
    async fn read_marks(&self, namespace: &Namespace, marks: &[Mark]) -> Result<Marks, Error>;

    /// Raises the namespace's sequence by one and sets the mark to it, in one atomic step. Returns the new position.
    async fn bump_mark(&self, namespace: &Namespace, mark: &Mark) -> Result<Stamp, Error>;

    /// A page of about `count` full keys of the namespace (0 counts as 1), from `cursor` (0 to start). Every key that is there
    /// all the time is seen. A page may be empty and not the last.
    async fn scan(&self, namespace: &Namespace, cursor: u64, count: usize) -> Result<Page, Error>;
}
