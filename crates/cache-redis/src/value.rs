//! A value and its time, in one round trip.

use cache_core::{Error, ErrorKind, Key, Stored};
use redis::{Cmd, Pipeline, Value};

use crate::conn::Conn;
use crate::fault::Fault;
use crate::reply::{self, Left};

/// What a first look at a key brought.
#[derive(Debug)]
pub(crate) enum Look {
    /// Nothing is stored.
    Nothing,
    /// All of it.
    Whole(Stored),
    /// It is longer than was asked for.
    Longer,
    /// The key came or went between the two commands: ask again.
    Unclear,
}

/// Adds to a pipeline what asks for at most `most` bytes of a value and for its time: two commands.
pub(crate) fn ask(pipeline: &mut Pipeline, key: &Key, most: usize) {
    let mut range = Cmd::with_capacity(4, key.as_bytes().len() + 32);
    // One byte more shows that it is longer.
    range.arg("GETRANGE").arg(key.as_bytes()).arg(0).arg(most);
    let mut left = Cmd::with_capacity(2, key.as_bytes().len() + 8);
    left.arg("PTTL").arg(key.as_bytes());
    pipeline.add_command(range).add_command(left);
}

/// Reads the two replies.
pub(crate) fn take(replies: &mut impl Iterator<Item = Value>, most: usize) -> Result<Look, Fault> {
    // Both are taken, whatever the first is.
    let (head, left) = (replies.next(), replies.next());
    let head = reply::bytes(head)?.ok_or_else(reply::odd)?;
    let left = Left::of(left)?;
    Ok(match left {
        Left::Nothing => Look::Nothing,
        // An empty value, or the value was written between the two commands.
        _ if head.is_empty() => Look::Unclear,
        _ if head.len() > most => Look::Longer,
        left => Look::Whole(Stored { bytes: head.into(), remaining: left.remaining() }),
    })
}

/// Asks for a value whose first look was [`Look::Unclear`], in a way that tells an empty one from none.
pub(crate) async fn look_again(conn: &Conn, key: &Key) -> Result<Option<Stored>, Fault> {
    let mut pipeline = Pipeline::with_capacity(2);
    pipeline.cmd("GET").arg(key.as_bytes()).cmd("PTTL").arg(key.as_bytes());
    let mut replies = conn.many(&pipeline).await?.into_iter();
    let (bytes, left) = (reply::bytes(replies.next()), Left::of(replies.next()));
    Ok(match (bytes?, left?) {
        (None, _) | (_, Left::Nothing) => None,
        (Some(bytes), left) => Some(Stored { bytes: bytes.into(), remaining: left.remaining() }),
    })
}

/// That a value is longer than the store allows.
pub(crate) fn too_large(key: &Key, most: usize) -> Error {
    Error::new(
        ErrorKind::TooLarge,
        format!("the stored value is longer than {most} bytes, the most that is read"),
    )
    .for_key(key.user())
}
