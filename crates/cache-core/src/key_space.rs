//! Keys that are built from parts.

use std::borrow::Cow;
use std::fmt::{self, Display, Write};

/// What a group of keys starts with, and the way to a key of the group: `user:profile:{id}`.
///
/// Parts are separated by `:`. In a part everything that could be taken for something else is written as `%XX`: `:` and
/// `%`, what has a meaning in a pattern (`*`, `?`, `[`, `]`, `\`, `^`), what picks a node in a cluster (`{`, `}`), `~`,
/// spaces and control characters. So two different lists of parts never make one key, whatever is in them.
///
/// ```
/// use cache_core::KeySpace;
///
/// const PROFILES: KeySpace = KeySpace::new("user:profile");
///
/// assert_eq!(PROFILES.key(42), "user:profile:42");
/// assert_eq!(PROFILES.key("ann@example.com"), "user:profile:ann@example.com");
/// assert_eq!(PROFILES.join("a:b").key("c"), "user:profile:a%3Ab:c");
/// assert_eq!(PROFILES.join("a").key("b:c"), "user:profile:a:b%3Ac");
/// assert_eq!(PROFILES.pattern(), "user:profile:*");
/// ```
///
/// A part is what it looks like: the number 1 and the text `1` make the same key. A key that is too long
/// ([`MAX_KEY_LEN`](crate::MAX_KEY_LEN)) is refused when it is used.
#[derive(Clone, Debug)]
pub struct KeySpace {
    /// As it was given; its parts are escaped when a key is made, because a constant cannot do it.
    name: Cow<'static, str>,
    /// What was joined, escaped, each part with the `:` before it.
    joined: String,
}

impl KeySpace {
    /// The group of this name, which may consist of parts itself: `user:profile`.
    pub const fn new(name: &'static str) -> Self {
        Self { name: Cow::Borrowed(name), joined: String::new() }
    }

    /// The group within this one whose keys have this part next.
    #[must_use]
    pub fn join(&self, part: impl Display) -> Self {
        let mut joined = self.joined.clone();
        push(&mut joined, &part);
        Self { name: self.name.clone(), joined }
    }

    /// The group within this one for values of this schema. No other group has these keys, so whoever knows another version
    /// of the schema never meets its values.
    ///
    /// ```
    /// # use cache_core::KeySpace;
    /// assert_eq!(KeySpace::new("user").schema("profile", 2).key(42), "user:~profile.2:42");
    /// ```
    #[must_use]
    pub fn schema(&self, name: &str, version: u32) -> Self {
        let mut joined = format!("{}:~", self.joined);
        escape(&mut joined, &name);
        joined.push('.');
        joined.push_str(&version.to_string());
        Self { name: self.name.clone(), joined }
    }

    /// The key of the group whose last part is this.
    #[doc(alias = "cache_key")]
    pub fn key(&self, part: impl Display) -> String {
        let mut key = self.prefix();
        push(&mut key, &part);
        key
    }

    /// A glob pattern for all keys of the group, and of the groups within it.
    pub fn pattern(&self) -> String {
        self.prefix() + ":*"
    }

    fn prefix(&self) -> String {
        let mut prefix = String::with_capacity(self.name.len() + self.joined.len() + 24);
        for (i, part) in self.name.split(':').enumerate() {
            if i > 0 {
                prefix.push(':');
            }
            escape(&mut prefix, &part);
        }
        prefix.push_str(&self.joined);
        prefix
    }
}

/// As [`KeySpace::new`].
impl From<&'static str> for KeySpace {
    fn from(name: &'static str) -> Self {
        Self::new(name)
    }
}

/// As [`KeySpace::new`], for a name that is made while the program runs.
impl From<String> for KeySpace {
    fn from(name: String) -> Self {
        Self { name: Cow::Owned(name), joined: String::new() }
    }
}

impl From<&KeySpace> for KeySpace {
    fn from(space: &KeySpace) -> Self {
        space.clone()
    }
}

/// A value as a part of a key, escaped as [`KeySpace`] says.
///
/// ```
/// use cache_core::key_part;
///
/// assert_eq!(format!("page:{}:{}", key_part("/a:b"), key_part(7)), "page:/a%3Ab:7");
/// ```
pub fn key_part(part: impl Display) -> String {
    let mut escaped = String::new();
    escape(&mut escaped, &part);
    escaped
}

fn push(key: &mut String, part: &dyn Display) {
    key.push(':');
    escape(key, part);
}

fn escape(key: &mut String, part: &dyn Display) {
    // A `String` takes all that is written; what a broken `Display` leaves unsaid is left out, as `to_string` would not.
    let _ = write!(Escaping(key), "{part}");
}

struct Escaping<'a>(&'a mut String);

impl Write for Escaping<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for c in text.chars() {
            if is_special(c) {
                let mut utf8 = [0; 4];
                for byte in c.encode_utf8(&mut utf8).bytes() {
                    write!(self.0, "%{byte:02X}")?;
                }
            } else {
                self.0.push(c);
            }
        }
        Ok(())
    }
}

fn is_special(c: char) -> bool {
    matches!(c, ':' | '%' | '*' | '?' | '[' | ']' | '\\' | '^' | '{' | '}' | '~')
        || c.is_whitespace()
        || c.is_control()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn keys_are_as_they_always_were() {
        let space = KeySpace::new("user:profile");
        for (part, key) in [
            ("42", "user:profile:42"),
            ("", "user:profile:"),
            ("a:b", "user:profile:a%3Ab"),
            ("100%", "user:profile:100%25"),
            ("a b\n", "user:profile:a%20b%0A"),
            ("{x}*?[]\\^~", "user:profile:%7Bx%7D%2A%3F%5B%5D%5C%5E%7E"),
            ("é", "user:profile:é"),
            ("\u{2003}", "user:profile:%E2%80%83"),
        ] {
            assert_eq!(space.key(part), key);
        }
        assert_eq!(KeySpace::new("a%b:c*").key(1), "a%25b:c%2A:1");
        assert_eq!(KeySpace::from("a:b".to_owned()).key(1), "a:b:1");
    }

    #[test]
    fn a_pattern_means_what_it_says() {
        assert_eq!(KeySpace::new("user").join("a*").pattern(), "user:a%2A:*");
    }

    /// One of what lists of parts are made of: a name, parts that were joined, and schemas.
    #[derive(Clone, Debug, PartialEq)]
    enum Step {
        Part(String),
        Schema(String, u32),
    }

    fn text() -> impl Strategy<Value = String> {
        // Mostly what has a meaning, so that lists nearly meet.
        prop_oneof!["[:%~.a1AF3]{0,4}", any::<String>()]
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            3 => text().prop_map(Step::Part),
            1 => (text(), 0..12_u32).prop_map(|(name, version)| Step::Schema(name, version)),
        ]
    }

    fn key_of(steps: &[Step], last: &str) -> String {
        let mut space = KeySpace::new("group");
        for step in steps {
            space = match step {
                Step::Part(part) => space.join(part),
                Step::Schema(name, version) => space.schema(name, *version),
            };
        }
        space.key(last)
    }

    /// The list of parts that a key was made of.
    fn parts_of(key: &str) -> Vec<Step> {
        let unescape = |part: &str| {
            let mut bytes = Vec::new();
            let mut rest = part.as_bytes();
            while let [first, tail @ ..] = rest {
                if *first == b'%' {
                    let hex = std::str::from_utf8(&tail[..2]).unwrap();
                    bytes.push(u8::from_str_radix(hex, 16).unwrap());
                    rest = &tail[2..];
                } else {
                    bytes.push(*first);
                    rest = tail;
                }
            }
            String::from_utf8(bytes).unwrap()
        };
        key.split(':')
            .skip(1)
            .map(|part| match part.strip_prefix('~') {
                Some(schema) => {
                    let (name, version) = schema.rsplit_once('.').unwrap();
                    Step::Schema(unescape(name), version.parse().unwrap())
                }
                None => Step::Part(unescape(part)),
            })
            .collect()
    }

    proptest! {
        /// What can be had back from the key cannot be that of another list.
        #[test]
        fn different_parts_never_make_one_key(steps in prop::collection::vec(step(), 0..4), last in text()) {
            let key = key_of(&steps, &last);
            let mut all = steps;
            all.push(Step::Part(last));
            prop_assert_eq!(parts_of(&key), all);
        }
    }
}
