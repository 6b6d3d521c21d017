//! What writers publish where the server does not track: one message a change, on the channel of the namespace.
//!
//! A message is `{position} {writer} {what}{full key}`. Positions count the changes of the namespace, one by one, and are
//! given by the server in the step that makes the change, so that whoever listens sees what it missed. The channel is the
//! namespace's prefix. Each listener has a channel of its own as well, on which it has the server tell it `{word} {position}`:
//! whatever came before is then known to have come.

use cache_core::random_u64;

/// The least first position of a namespace that has none, and how many there are: one that was lost does not go on from
/// where it was. All are whole numbers that a double holds, as are those that follow.
const FIRST: u64 = 1 << 40;
const SPREAD: u64 = 1 << 52;

/// What has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What<'a> {
    /// The value of this full key.
    Key(&'a [u8]),
    /// Marks of the namespace.
    Marks,
    /// Something that this version does not know.
    Unknown,
}

/// A published change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Message<'a> {
    pub(crate) position: u64,
    pub(crate) writer: u64,
    pub(crate) what: What<'a>,
}

impl<'a> Message<'a> {
    /// `None` for what is no message.
    pub(crate) fn parse(bytes: &'a [u8]) -> Option<Self> {
        let mut parts = bytes.splitn(3, |&byte| byte == b' ');
        let (position, writer, what) = (number(parts.next()?)?, number(parts.next()?)?, parts.next()?);
        let what = match what.split_first()? {
            (b'k', key) => What::Key(key),
            (b'm', _) => What::Marks,
            _ => What::Unknown,
        };
        Some(Self { position, writer, what })
    }
}

/// Where the channel stands, as an answer to the question of this word.
pub(crate) fn parse_standing(bytes: &[u8]) -> Option<(u64, u64)> {
    let at = bytes.iter().position(|&byte| byte == b' ')?;
    Some((number(&bytes[..at])?, number(&bytes[at + 1..])?))
}

fn number(digits: &[u8]) -> Option<u64> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// Where a namespace may begin to count that does not count yet.
pub(crate) fn first_position() -> u64 {
    FIRST + random_u64() % SPREAD
}

/// The key under which the namespace's changes are counted; no user's key, because it is not UTF-8.
pub(crate) fn position_key(prefix: &str) -> Vec<u8> {
    [prefix.as_bytes(), b"\xffposition"].concat()
}

/// The key that is there while some change things in the namespace without publishing it.
pub(crate) fn silent_key(prefix: &str) -> Vec<u8> {
    [prefix.as_bytes(), b"\xffsilent"].concat()
}

/// The channel of a listener of its own. No namespace's, because those end with their only colon.
pub(crate) fn own_channel(prefix: &str, writer: u64) -> String {
    format!("{prefix}{writer:016x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_read_and_nothing_else() {
        let message = |what| Some(Message { position: 12, writer: 7, what });
        assert_eq!(Message::parse(b"12 7 kapp:a b\xff"), message(What::Key(b"app:a b\xff")));
        assert_eq!(Message::parse(b"12 7 mapp:"), message(What::Marks));
        assert_eq!(Message::parse(b"12 7 zapp:"), message(What::Unknown));
        for bad in
            [&b""[..], b"12", b"12 7", b"12 7 ", b"x 7 k", b"12 x k", b"-1 7 k", b"99999999999999999999 7 k"]
        {
            assert_eq!(Message::parse(bad), None, "{bad:?}");
        }
        assert_eq!(parse_standing(b"7 12"), Some((7, 12)));
        assert_eq!(parse_standing(b"7"), None);
    }

    #[test]
    fn names_are_no_users_and_no_namespaces() {
        let namespace = cache_core::Namespace::new("app").unwrap();
        for key in [position_key("app:"), silent_key("app:")] {
            assert!(key.starts_with(b"app:") && namespace.strip(&key).is_none());
        }
        let channel = own_channel("app:", 7);
        assert!(channel.starts_with("app:") && !channel.ends_with(':'));
        assert!((0..1000).all(|_| first_position() < 1 << 53));
        assert_ne!(first_position(), first_position(), "what was lost does not begin where another did");
    }
}
