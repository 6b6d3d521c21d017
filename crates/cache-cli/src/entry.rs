//! What is stored under a key, as it describes itself.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use bytes::Bytes;
use cache_codec::{Header, Limits, Looked, OpenError, Opened, Packing, look, open};
use cache_core::{Encoded, Error, ErrorKind, Format, Key, Mark, Stamp, Store, Stored};
use serde::Serialize;

use crate::shown::millis;
use crate::target::Target;

/// How what is stored stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum State {
    Fresh,
    /// Its time is over; it may be served stale on purpose.
    Stale,
    /// Voided by its tag or a clear, and not swept yet.
    Invalidated,
    /// A placeholder: somebody loads the value.
    Loading,
    /// Not written by this cache.
    Foreign,
    /// Damaged, or moved here from another key.
    Damaged,
    /// Of a later release, a serializer that this build lacks, or too long.
    Unreadable,
    /// No string at all.
    WrongType,
}

impl State {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Fresh => "fresh",
            Self::Stale => "stale",
            Self::Invalidated => "invalidated",
            Self::Loading => "loading",
            Self::Foreign => "foreign",
            Self::Damaged => "damaged",
            Self::Unreadable => "unreadable",
            Self::WrongType => "wrong_type",
        }
    }
}

/// An entry without its value. Times are in milliseconds, sizes in bytes.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) state: State,
    /// Why it is not as it should be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<String>,
    /// Until the server removes it; `None` if it never does.
    pub(crate) remaining_ms: Option<u64>,
    pub(crate) stored_bytes: Option<u64>,
    #[serde(flatten)]
    pub(crate) about: Option<About>,
    #[serde(skip)]
    pub(crate) bytes: Option<Bytes>,
}

/// What an envelope says of its value.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct About {
    pub(crate) age_ms: u64,
    /// 0 when it is not fresh any more.
    pub(crate) fresh_for_ms: u64,
    /// How long it was to be fresh when it was stored.
    pub(crate) ttl_ms: u64,
    pub(crate) serializer: &'static str,
    pub(crate) compression: Option<&'static str>,
    pub(crate) sealed: bool,
    pub(crate) value_bytes: u64,
    pub(crate) packed_bytes: u64,
    pub(crate) tags: Vec<String>,
    /// How long its loader took, in microseconds.
    pub(crate) cost_us: u64,
    /// By the wall clock of its maker.
    pub(crate) created_unix_ms: u64,
    pub(crate) schema: Option<String>,
}

impl Entry {
    /// What is stored under the key; `None` if nothing is.
    pub(crate) async fn read(target: &Target, key: &Key) -> Result<Option<Self>, Error> {
        let found = target.store().get(key).await.map(|read| read.found);
        Ok(Self::all(target, [(key, found)]).await?.pop().map(|(_, entry)| entry))
    }

    /// What is stored, of what the store answered for each key. Marks are asked for once for all of them.
    pub(crate) async fn all<'k>(
        target: &Target,
        answers: impl IntoIterator<Item = (&'k Key, Result<Option<Stored>, Error>)>,
    ) -> Result<Vec<(&'k Key, Self)>, Error> {
        let mut all = Vec::new();
        for (key, found) in answers {
            all.extend(Self::looked(target, key, found).await?.map(|(entry, stamp)| (key, entry, stamp)));
        }
        let tags = || all.iter().filter(|(.., stamp)| stamp.is_some()).map(|(_, entry, _)| entry.tags());
        let marked = match tags().next() {
            Some(_) => Some(Marked::read(target, tags().flatten()).await),
            None => None,
        };
        for (_, entry, stamp) in &mut all {
            if let (Some(stamp), Some(marked)) = (stamp, &marked) {
                entry.judge(*stamp, marked)?;
            }
        }
        Ok(all.into_iter().map(|(key, entry, _)| (key, entry)).collect())
    }

    /// An entry, and of a value the stamp that marks are compared with.
    async fn looked(
        target: &Target,
        key: &Key,
        found: Result<Option<Stored>, Error>,
    ) -> Result<Option<(Self, Option<Stamp>)>, Error> {
        let stored = match found {
            Ok(Some(stored)) => stored,
            Ok(None) => return Ok(None),
            Err(error) if error.kind() == ErrorKind::Codec => {
                let kind = target.server().kind(key.as_bytes()).await?;
                let reason = format!("a {} is stored, no string", kind.as_deref().unwrap_or("thing"));
                return Ok(Some((Self::odd(key, State::WrongType, reason, None), None)));
            }
            Err(error) if error.kind() == ErrorKind::TooLarge => {
                let reason = error.message().to_owned();
                return Ok(Some((Self::odd(key, State::Unreadable, reason, None), None)));
            }
            Err(error) => return Err(error),
        };
        Ok(Some(match look(&stored.bytes, key) {
            Ok(Looked::Value(header, packing)) => {
                let about = About::of(&header, packing, stored.remaining);
                let entry = Self::odd(key, State::Fresh, String::new(), Some(stored));
                (Self { about: Some(about), ..entry }, Some(header.stamp))
            }
            Ok(Looked::Lease(_)) => {
                let reason = "a placeholder: somebody loads the value".to_owned();
                (Self::odd(key, State::Loading, reason, Some(stored)), None)
            }
            Err(error) => (Self::odd(key, state_of(error), error.to_string(), Some(stored)), None),
        }))
    }

    /// How a value stands, of this stamp.
    fn judge(&mut self, stamp: Stamp, marked: &Result<Marked, Error>) -> Result<(), Error> {
        let is_over = self.about.as_ref().is_none_or(|about| about.fresh_for_ms == 0);
        (self.state, self.reason) = match marked {
            Ok(marked) if marked.void(stamp, self.tags()) => {
                (State::Invalidated, Some("its tag or the whole namespace was invalidated".into()))
            }
            Ok(_) if is_over => (State::Stale, None),
            Ok(_) => (State::Fresh, None),
            Err(error) if error.is_retryable() => return Err(error.clone()),
            Err(error) => (State::Fresh, Some(format!("whether it was invalidated is not known: {error}"))),
        };
        Ok(())
    }

    fn odd(key: &Key, state: State, reason: String, stored: Option<Stored>) -> Self {
        Self {
            key: key.user().to_owned(),
            state,
            reason: Some(reason),
            remaining_ms: stored.as_ref().and_then(|stored| stored.remaining).map(millis),
            stored_bytes: stored.as_ref().map(|stored| stored.bytes.len() as u64),
            about: None,
            bytes: stored.map(|stored| stored.bytes),
        }
    }

    /// The serialised value.
    pub(crate) fn value(&self, key: &Key) -> Result<Encoded, String> {
        // As much as any cache may be set to.
        let limits = Limits { value: 64 << 20, decoded: 64 << 20 };
        let bytes = self.bytes.as_ref().ok_or("it was not read")?;
        match open(bytes, key, &limits) {
            Ok(Opened::Value(_, encoded)) => Ok(encoded),
            Ok(Opened::Lease(_)) => Err("there is none yet".into()),
            Err(error) => Err(error.to_string()),
        }
    }

    pub(crate) fn tags(&self) -> &[String] {
        self.about.as_ref().map_or(&[], |about| &about.tags)
    }
}

impl About {
    fn of(header: &Header, packing: Packing, remaining: Option<Duration>) -> Self {
        // What the server keeps for longer than it was to be kept is stale: its age is not known.
        let age = remaining.and_then(|left| header.total.checked_sub(left)).unwrap_or(header.total);
        Self {
            age_ms: millis(age),
            fresh_for_ms: millis(header.fresh.saturating_sub(age)),
            ttl_ms: millis(header.fresh),
            serializer: match header.format {
                Format::Msgpack => "msgpack",
                Format::Json => "json",
                Format::Bincode => "bincode",
                _ => "unknown",
            },
            compression: packing.compression,
            sealed: packing.sealed,
            value_bytes: packing.plain as u64,
            packed_bytes: packing.packed as u64,
            tags: header.tags.iter().flat_map(|tags| tags.iter()).map(|tag| String::from(&**tag)).collect(),
            cost_us: u64::try_from(header.cost.as_micros()).unwrap_or(u64::MAX),
            created_unix_ms: header.created_unix_ms,
            schema: header.schema.map(|schema| format!("{schema:016x}")),
        }
    }
}

fn state_of(error: OpenError) -> State {
    match error {
        OpenError::Foreign => State::Foreign,
        OpenError::Corrupt(_) | OpenError::WrongKey => State::Damaged,
        _ => State::Unreadable,
    }
}

/// The invalidations that were asked about.
struct Marked {
    now: Stamp,
    /// The last one of each.
    seqs: HashMap<Mark, u64>,
}

impl Marked {
    /// A clear, and those of the tags.
    async fn read(target: &Target, tags: impl Iterator<Item = &String>) -> Result<Self, Error> {
        let tags: BTreeSet<&String> = tags.collect();
        let tags = tags.into_iter().map(|tag| Mark::Tag(tag.as_str().into()));
        let marks: Vec<Mark> = std::iter::once(Mark::Clear).chain(tags).collect();
        let standing = target.store().read_marks(target.namespace(), &marks).await?;
        Ok(Self { now: standing.now, seqs: marks.into_iter().zip(standing.seqs).collect() })
    }

    /// Whether one of them is newer than an entry of this stamp and concerns it.
    fn void(&self, stamp: Stamp, tags: &[String]) -> bool {
        let is_newer = |mark: &Mark| self.seqs.get(mark).is_some_and(|seq| *seq > stamp.seq);
        self.now.nonce != stamp.nonce
            || is_newer(&Mark::Clear)
            || tags.iter().any(|tag| is_newer(&Mark::Tag(tag.as_str().into())))
    }
}
