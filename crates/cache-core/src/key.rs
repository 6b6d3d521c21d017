//! Names: the namespace of a cache, the key of an entry, and how both are shown.

use std::fmt;
use std::sync::Arc;

use crate::{Error, ErrorKind};

/// The longest key, in bytes, that a user may give: 1 KiB.
pub const MAX_KEY_LEN: usize = 1024;
/// The longest namespace, in bytes, after escaping.
pub const MAX_NAMESPACE_LEN: usize = 128;

/// Checks a key as a user gives it: 1 to [`MAX_KEY_LEN`] bytes, any characters.
///
/// # Errors
/// [`ErrorKind::Validation`] for an empty key, [`ErrorKind::TooLarge`] for a longer one.
#[inline]
pub fn check_key(key: &str) -> Result<(), Error> {
    if key.is_empty() || key.len() > MAX_KEY_LEN { Err(bad_key(key)) } else { Ok(()) }
}

#[cold]
fn bad_key(key: &str) -> Error {
    if key.is_empty() {
        Error::new(ErrorKind::Validation, format!("the key is empty, 1 to {MAX_KEY_LEN} bytes are allowed"))
    } else {
        Error::new(
            ErrorKind::TooLarge,
            format!("the key is {} bytes long, 1 to {MAX_KEY_LEN} are allowed", key.len()),
        )
        .for_key(key)
    }
}

/// A key as it may be shown: its first segment, if it has a short one, and its length.
///
/// What follows the first `:` is often a session token or a person, so it is left out.
///
/// ```
/// assert_eq!(cache_core::redact("session:3f9c2a"), "`session:…` (14 bytes)");
/// assert_eq!(cache_core::redact("alice@example.com"), "`…` (17 bytes)");
/// ```
pub fn redact(key: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    let shown = match key.split_once(':') {
        Some((first, _)) if first.len() <= 24 && first.chars().all(plain) => &key[..=first.len()],
        _ => "",
    };
    format!("`{shown}…` ({} bytes)", key.len())
}

/// The name that sets one cache's entries apart from all others in a shared store.
///
/// Kept escaped: everything but letters, digits, `_`, `-` and `.` becomes `%XX`, so a namespace holds no `:`,
/// no glob character and no hash-tag brace, and two different names never meet.
///
/// ```
/// use cache_core::Namespace;
///
/// let users = Namespace::new("users")?;
/// assert_eq!(users.key("abc:1")?.as_str(), "users:abc:1");
/// assert_eq!(Namespace::new("a:b*")?.as_str(), "a%3Ab%2A");
/// # Ok::<(), cache_core::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Namespace {
    /// Escaped name and the `:` that ends it.
    prefix: Arc<str>,
}

impl Namespace {
    /// A namespace of this name, 1 to [`MAX_NAMESPACE_LEN`] bytes after escaping.
    ///
    /// # Errors
    /// [`ErrorKind::Validation`] if the name is empty or too long.
    pub fn new(name: &str) -> Result<Self, Error> {
        let mut prefix = String::with_capacity(name.len() + 1);
        for byte in name.bytes() {
            if byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.') {
                prefix.push(char::from(byte));
            } else {
                prefix.push_str(&format!("%{byte:02X}"));
            }
        }
        if prefix.is_empty() || prefix.len() > MAX_NAMESPACE_LEN {
            return Err(Error::new(
                ErrorKind::Validation,
                format!(
                    "the namespace is {} bytes long when escaped, 1 to {MAX_NAMESPACE_LEN} are allowed",
                    prefix.len()
                ),
            ));
        }
        prefix.push(':');
        Ok(Self { prefix: prefix.into() })
    }

    /// The escaped name, without the `:` that ends it in a key.
    pub fn as_str(&self) -> &str {
        &self.prefix[..self.prefix.len() - 1]
    }

    /// What every key of this namespace starts with: the escaped name and a `:`.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// The full key of a user's key.
    ///
    /// # Errors
    /// As [`check_key`].
    pub fn key(&self, user: &str) -> Result<Key, Error> {
        check_key(user)?;
        let mut full = String::with_capacity(self.prefix.len() + user.len());
        full.push_str(&self.prefix);
        full.push_str(user);
        Ok(Key { full: full.into_boxed_str(), user_at: self.prefix.len() })
    }

    /// The user's part of a full key, if it is one of this namespace.
    ///
    /// ```
    /// # use cache_core::Namespace;
    /// let users = Namespace::new("users")?;
    /// assert_eq!(users.strip(b"users:7"), Some("7"));
    /// assert_eq!(users.strip(b"usersAbc:7"), None);
    /// # Ok::<(), cache_core::Error>(())
    /// ```
    pub fn strip<'a>(&self, full: &'a [u8]) -> Option<&'a str> {
        let user = full.strip_prefix(self.prefix.as_bytes())?;
        std::str::from_utf8(user).ok().filter(|user| !user.is_empty())
    }
}

impl fmt::Debug for Namespace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Namespace").field(&self.as_str()).finish()
    }
}

/// The full name of an entry in a store: `{namespace}:{user key}`.
///
/// Two different pairs of namespace and user key never make the same `Key`. Made by [`Namespace::key`].
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Key {
    full: Box<str>,
    user_at: usize,
}

impl Key {
    /// The whole key.
    pub fn as_str(&self) -> &str {
        &self.full
    }

    /// The whole key, as bytes on the wire.
    pub fn as_bytes(&self) -> &[u8] {
        self.full.as_bytes()
    }

    /// The part that the user gave.
    pub fn user(&self) -> &str {
        &self.full[self.user_at..]
    }

    /// The part that names the namespace, with the `:` that ends it.
    pub fn prefix(&self) -> &str {
        &self.full[..self.user_at]
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({}{})", self.prefix(), redact(self.user()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn full_keys_are_as_they_always_were() {
        let golden = [
            ("app", "k", "app:k"),
            ("app", "a:b", "app:a:b"),
            ("app", "a|b", "app:a|b"),
            ("a:b", "c", "a%3Ab:c"),
            ("a%3Ab", "c", "a%253Ab:c"),
            ("{x}*?[]\\", "{y}*", "%7Bx%7D%2A%3F%5B%5D%5C:{y}*"),
            ("é", "é", "%C3%A9:é"),
            ("n", "\r\n\0", "n:\r\n\0"),
        ];
        for (namespace, user, full) in golden {
            let key = Namespace::new(namespace).unwrap().key(user).unwrap();
            assert_eq!(key.as_str(), full);
            assert_eq!(key.user(), user);
        }
    }

    #[test]
    fn different_pairs_never_make_one_key() {
        let parts = ["a", "b", "a:b", ":", "a:", ":b", "a%3Ab", "a_b", "a|b", "%", "a%"];
        let mut seen = std::collections::HashMap::new();
        for namespace in parts {
            for user in parts {
                let key = Namespace::new(namespace).unwrap().key(user).unwrap();
                assert_eq!(
                    seen.insert(key.as_str().to_owned(), (namespace, user)),
                    None,
                    "{namespace} {user}"
                );
            }
        }
    }

    #[test]
    fn lengths_are_bounded_and_said() {
        let namespace = Namespace::new("n").unwrap();
        assert!(namespace.key(&"x".repeat(MAX_KEY_LEN)).is_ok());
        let long = namespace.key(&"x".repeat(MAX_KEY_LEN + 1)).unwrap_err();
        assert_eq!(long.kind(), ErrorKind::TooLarge);
        assert_eq!(long.message(), "the key is 1025 bytes long, 1 to 1024 are allowed");
        assert_eq!(namespace.key("").unwrap_err().kind(), ErrorKind::Validation);
        assert_eq!(Namespace::new("").unwrap_err().kind(), ErrorKind::Validation);
        assert!(Namespace::new(&"x".repeat(MAX_NAMESPACE_LEN + 1)).is_err());
    }

    #[test]
    fn debug_does_not_show_what_the_user_put_in_a_key() {
        let key = Namespace::new("app").unwrap().key("session:SECRET").unwrap();
        assert_eq!(format!("{key:?}"), "Key(app:`session:…` (14 bytes))");
    }
}
