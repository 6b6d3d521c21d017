//! The marks of a namespace: one sorted set under the namespace's prefix, which is no user's key.
//!
//! Its members are `n` with the incarnation's nonce as score, `s` with the sequence, `c` with the position of the last
//! `clear`, and `t…` for each tag with the position of its last invalidation. So the marks that came after a position
//! are one range.

use std::collections::HashMap;

use cache_core::{LinkId, Mark, Namespace, Stamp, random_u64};
use parking_lot::Mutex;
use redis::Value;

use crate::conn::Conn;
use crate::fault::Fault;
use crate::reply;
use crate::scripts::Scripts;

/// The most marks that a namespace keeps; beyond that the oldest become one `clear`.
const MOST_MARKS: usize = 100_000;
/// How many of the oldest are dropped at once.
const DROPPED_AT_ONCE: usize = 10_000;
/// Nonces lie between this and twice this: every one is a whole number that a double holds, and none is a position.
const LEAST_NONCE: u64 = 1 << 52;

/// Where the marks stand; zero for one that never was.
pub(crate) struct Standing {
    pub(crate) now: Stamp,
    pub(crate) seqs: Vec<u64>,
}

/// What came after a position.
pub(crate) enum News {
    /// In the order in which they came.
    Marks(Vec<(Mark, Stamp)>),
    /// The server has lost the namespace's marks.
    Lost,
}

/// The latest position of each namespace's marks that this process has seen, and the connection it came over.
///
/// A server that lost its last writes (a restart from an older snapshot, a replica that lagged) goes back in time: it
/// would give positions anew that entries already carry. Whoever notices begins a new incarnation.
#[derive(Debug, Default)]
pub(crate) struct Seen(Mutex<HashMap<Box<str>, (LinkId, Stamp)>>);

impl Seen {
    /// Whether the marks have gone back since an earlier connection. Over one connection answers may be taken in out of
    /// order, and the server does not go back.
    fn goes_back(&self, conn: &Conn, namespace: &Namespace, now: Stamp) -> bool {
        let mut seen = self.0.lock();
        let Some((link, last)) = seen.get_mut(namespace.as_str()) else {
            seen.insert(namespace.as_str().into(), (conn.link, now));
            return false;
        };
        let goes_back = conn.link.0 > link.0 && now.nonce == last.nonce && now.seq < last.seq;
        let is_news = conn.link.0 > link.0 || now.nonce != last.nonce || now.seq > last.seq;
        if is_news && !goes_back && conn.link.0 >= link.0 {
            (*link, *last) = (conn.link, now);
        }
        goes_back
    }
}

/// Reads marks, and begins an incarnation if the namespace has none or has gone back in time.
pub(crate) async fn read(
    conn: &Conn,
    scripts: &Scripts,
    seen: &Seen,
    namespace: &Namespace,
    marks: &[Mark],
) -> Result<Standing, Fault> {
    for _ in 0..3 {
        match try_read(conn, namespace, marks).await? {
            Some(standing) if !seen.goes_back(conn, namespace, standing.now) => return Ok(standing),
            Some(standing) => begin_anew(conn, scripts, namespace, standing.now).await?,
            None => begin_anew(conn, scripts, namespace, Stamp::default()).await?,
        }
    }
    // Begun, and lost again at once.
    Err(Fault::from(redis::make_extension_error("TRYAGAIN".into(), None)))
}

/// Begins an incarnation, unless somebody else did since the namespace was seen to stand here.
async fn begin_anew(conn: &Conn, scripts: &Scripts, namespace: &Namespace, at: Stamp) -> Result<(), Fault> {
    let prefix = namespace.prefix();
    let call = scripts.begin_marks.on(prefix.as_bytes(), prefix, conn.writer());
    conn.script(&call.arg(nonce()).arg(at.nonce).whole()).await.map(drop)
}

async fn try_read(conn: &Conn, namespace: &Namespace, marks: &[Mark]) -> Result<Option<Standing>, Fault> {
    let mut command = redis::cmd("ZMSCORE");
    command.arg(namespace.prefix()).arg("n").arg("s");
    for mark in marks {
        command.arg(member(mark));
    }
    let scores = reply::array(conn.one(&command).await?)?;
    if matches!(scores.as_slice(), [Value::Nil, ..] | [_, Value::Nil, ..]) {
        return Ok(None);
    }
    let mut numbers = scores.iter().map(|item| match item {
        Value::Nil => Ok(0),
        score => reply::score(score),
    });
    let (Some(nonce), Some(seq)) = (numbers.next().transpose()?, numbers.next().transpose()?) else {
        return Err(reply::odd());
    };
    Ok(Some(Standing { now: Stamp { nonce, seq }, seqs: numbers.collect::<Result<_, _>>()? }))
}

/// Makes a mark.
pub(crate) async fn bump(
    conn: &Conn,
    scripts: &Scripts,
    seen: &Seen,
    namespace: &Namespace,
    mark: &Mark,
) -> Result<Stamp, Fault> {
    let prefix = namespace.prefix();
    let call = scripts.bump_mark.on(prefix.as_bytes(), prefix, conn.writer());
    let call = call.arg(member(mark)).arg(nonce()).arg(MOST_MARKS).arg(DROPPED_AT_ONCE);
    match reply::array(conn.script(&call.whole()).await?)?.as_slice() {
        [nonce, seq] => {
            let at = Stamp { nonce: reply::score(nonce)?, seq: reply::score(seq)? };
            if !seen.goes_back(conn, namespace, at) {
                return Ok(at);
            }
            begin_anew(conn, scripts, namespace, at).await?;
            Ok(read(conn, scripts, seen, namespace, &[]).await?.now)
        }
        _ => Err(reply::odd()),
    }
}

/// The position of the latest mark, 0 for a namespace without any. From now on the server tells when that changes.
pub(crate) async fn position(conn: &Conn, namespace: &Namespace) -> Result<u64, Fault> {
    match conn.one(redis::cmd("ZSCORE").arg(namespace.prefix()).arg("s")).await? {
        Value::Nil => Ok(0),
        score => reply::score(&score),
    }
}

/// The marks that came after a position.
pub(crate) async fn since(conn: &Conn, namespace: &Namespace, seq: u64) -> Result<News, Fault> {
    let mut command = redis::cmd("ZRANGEBYSCORE");
    command.arg(namespace.prefix()).arg(format!("({seq}")).arg("+inf").arg("WITHSCORES");
    let found = pairs(reply::array(conn.one(&command).await?)?)?;
    let Some(&(_, nonce)) = found.iter().find(|(name, _)| name == b"n") else { return Ok(News::Lost) };
    let marks = found.iter().filter_map(|(name, seq)| Some((mark(name)?, Stamp { nonce, seq: *seq })));
    Ok(News::Marks(marks.collect()))
}

/// Members and scores, which RESP3 nests and RESP2 does not.
fn pairs(reply: Vec<Value>) -> Result<Vec<(Vec<u8>, u64)>, Fault> {
    let flat: Vec<Value> = reply
        .into_iter()
        .flat_map(|item| match item {
            Value::Array(pair) => pair,
            item => vec![item],
        })
        .collect();
    let mut items = flat.into_iter();
    let mut pairs = Vec::new();
    while let (Some(name), Some(score)) = (items.next(), items.next()) {
        let name = reply::bytes(Some(name))?.unwrap_or_default();
        pairs.push((name, reply::score(&score)?));
    }
    Ok(pairs)
}

fn nonce() -> u64 {
    LEAST_NONCE + random_u64() % LEAST_NONCE
}

fn member(mark: &Mark) -> String {
    match mark {
        Mark::Clear => "c".to_owned(),
        Mark::Tag(tag) => format!("t{tag}"),
    }
}

fn mark(member: &[u8]) -> Option<Mark> {
    match member.split_first()? {
        (b'c', []) => Some(Mark::Clear),
        (b't', tag) => Mark::tag(std::str::from_utf8(tag).ok()?).ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_and_its_member_are_one_to_one() {
        let tags = ["c", "n", "s", "t", "tag:é", "\r\n"].map(|tag| Mark::tag(tag).unwrap());
        for given in tags.into_iter().chain([Mark::Clear]) {
            assert_eq!(mark(member(&given).as_bytes()), Some(given));
        }
        for other in [&b"n"[..], b"s", b"", b"cc", b"t", b"t\xff"] {
            assert_eq!(mark(other), None);
        }
    }

    #[test]
    fn a_nonce_is_no_position_and_a_double_holds_it() {
        for _ in 0..1_000 {
            let nonce = nonce();
            assert!((LEAST_NONCE..2 * LEAST_NONCE).contains(&nonce));
            assert_eq!(reply::score(&Value::BulkString(nonce.to_string().into_bytes())).unwrap(), nonce);
        }
    }
}
