//! How each type of a setting is written.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use cache_core::{FeedMode, Format};
use cache_tiered::OnStoreError;

use super::CacheType;
use super::tree::Tree;
use crate::environment::Environment;
use crate::redis_url::RedisUrl;
use crate::secret::{REDACTED, Secret};

/// A type that a setting can have.
pub(crate) trait Setting: Sized {
    /// The value, or what was given instead. Texts are never repeated: one may be a password in the wrong place.
    fn read(tree: Tree) -> Result<Self, String>;

    /// How it is written, secrets left out.
    fn write(&self) -> Tree;
}

impl Setting for Duration {
    /// Seconds, fractions allowed.
    fn read(tree: Tree) -> Result<Self, String> {
        let seconds = match &tree {
            Tree::Integer(seconds) => return whole(*seconds).map(Self::from_secs).ok_or(tree.what()),
            Tree::Float(seconds) => *seconds,
            Tree::Word(word) => match (word.parse(), word.parse()) {
                (Ok(seconds), _) => return Self::read(Tree::Integer(seconds)),
                (_, Ok(seconds)) => seconds,
                _ => return Err(tree.what()),
            },
            _ => return Err(tree.what()),
        };
        Self::try_from_secs_f64(seconds).map_err(|_| seconds.to_string())
    }

    fn write(&self) -> Tree {
        if self.subsec_nanos() == 0 {
            Tree::Integer(self.as_secs().into())
        } else {
            Tree::Float(self.as_secs_f64())
        }
    }
}

fn whole<T: TryFrom<i128>>(number: i128) -> Option<T> {
    T::try_from(number).ok()
}

macro_rules! whole_numbers {
    ($($number:ty),*) => {$(
        impl Setting for $number {
            fn read(tree: Tree) -> Result<Self, String> {
                match &tree {
                    Tree::Integer(number) => whole(*number).ok_or(tree.what()),
                    Tree::Word(word) => match word.parse() {
                        Ok(number) => Self::read(Tree::Integer(number)),
                        Err(_) => Err(tree.what()),
                    },
                    _ => Err(tree.what()),
                }
            }

            fn write(&self) -> Tree {
                // No number of ours is larger than what 128 bits hold.
                i128::try_from(*self).map_or(Tree::Nothing, Tree::Integer)
            }
        }
    )*};
}

whole_numbers!(u8, u32, u64, usize);

impl Setting for f64 {
    fn read(tree: Tree) -> Result<Self, String> {
        match &tree {
            Tree::Float(number) => Ok(*number),
            #[allow(clippy::cast_precision_loss, reason = "what is so large is out of range in any case")]
            Tree::Integer(number) => Ok(*number as Self),
            Tree::Word(word) => word.parse().map_err(|_| tree.what()),
            _ => Err(tree.what()),
        }
    }

    fn write(&self) -> Tree {
        Tree::Float(*self)
    }
}

impl Setting for bool {
    fn read(tree: Tree) -> Result<Self, String> {
        match &tree {
            Tree::Flag(flag) => Ok(*flag),
            Tree::Word(word) => word.parse().map_err(|_| tree.what()),
            _ => Err(tree.what()),
        }
    }

    fn write(&self) -> Tree {
        Tree::Flag(*self)
    }
}

impl Setting for String {
    fn read(tree: Tree) -> Result<Self, String> {
        match tree {
            Tree::Text(text) | Tree::Word(text) => Ok(text),
            // Not what it says: a password that was forgotten to be quoted is a number.
            Tree::Integer(_) | Tree::Float(_) => Err("a number".to_owned()),
            other => Err(other.what()),
        }
    }

    fn write(&self) -> Tree {
        Tree::Text(self.clone())
    }
}

impl Setting for BTreeMap<String, Duration> {
    /// A table, or where there are only texts `name=seconds` with commas between.
    fn read(tree: Tree) -> Result<Self, String> {
        let entries = match tree {
            Tree::Table(entries) => entries,
            Tree::Text(text) | Tree::Word(text) => {
                let entry = |part: &str| {
                    let (name, seconds) = part.split_once('=').ok_or("a text without `=`")?;
                    Ok((name.trim().to_owned(), Tree::Word(seconds.trim().to_owned())))
                };
                text.split(',').map(entry).collect::<Result<_, String>>()?
            }
            other => return Err(other.what()),
        };
        let mut durations = Self::new();
        for (name, tree) in entries {
            let duration = Duration::read(tree).map_err(|given| format!("a table with {given} in it"))?;
            if durations.insert(name, duration).is_some() {
                return Err("a table with a name twice".to_owned());
            }
        }
        Ok(durations)
    }

    fn write(&self) -> Tree {
        Tree::Table(self.iter().map(|(name, duration)| (name.clone(), duration.write())).collect())
    }
}

impl Setting for PathBuf {
    fn read(tree: Tree) -> Result<Self, String> {
        match String::read(tree)? {
            text if text.contains(['\n', '\r']) || text.contains("-----BEGIN") => {
                Err("what stands in a file, not the path to it".to_owned())
            }
            text => not_empty(text).map(Self::from),
        }
    }

    fn write(&self) -> Tree {
        Tree::Text(self.display().to_string())
    }
}

impl Setting for Secret {
    fn read(tree: Tree) -> Result<Self, String> {
        match String::read(tree)? {
            text if text == REDACTED => Err(format!("`{REDACTED}`, which stands for a password left out")),
            text => not_empty(text).map(Self::from),
        }
    }

    fn write(&self) -> Tree {
        Tree::Text(REDACTED.to_owned())
    }
}

impl Setting for RedisUrl {
    fn read(tree: Tree) -> Result<Self, String> {
        match String::read(tree)? {
            text if text.contains(REDACTED) => {
                Err(format!("an address with `{REDACTED}`, which stands for a password left out"))
            }
            text => not_empty(text).map(Self::from),
        }
    }

    fn write(&self) -> Tree {
        Tree::Text(self.to_string())
    }
}

fn not_empty(text: String) -> Result<String, String> {
    if text.is_empty() { Err("an empty text".to_owned()) } else { Ok(text) }
}

/// A type with a few values, each of which is one word.
trait Words: Copy + PartialEq + 'static {
    const WORDS: &'static [(&'static str, Self)];
}

impl Words for Format {
    const WORDS: &'static [(&'static str, Self)] =
        &[("msgpack", Self::Msgpack), ("json", Self::Json), ("bincode", Self::Bincode)];
}

impl Words for OnStoreError {
    const WORDS: &'static [(&'static str, Self)] = &[("degrade", Self::Degrade), ("fail", Self::Fail)];
}

impl Words for FeedMode {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("auto", Self::Auto),
        ("tracking", Self::Tracking),
        ("pubsub", Self::PubSub),
        ("ttl_only", Self::TtlOnly),
    ];
}

impl Words for Environment {
    const WORDS: &'static [(&'static str, Self)] = Self::ALL;
}

impl Words for CacheType {
    const WORDS: &'static [(&'static str, Self)] = &[("memory", Self::Memory), ("redis", Self::Redis)];
}

impl<T: Words> Setting for T {
    fn read(tree: Tree) -> Result<Self, String> {
        let text = String::read(tree)?;
        let found = T::WORDS.iter().find(|(word, _)| *word == text);
        found.map(|(_, value)| *value).ok_or_else(|| "another text".to_owned())
    }

    fn write(&self) -> Tree {
        let found = T::WORDS.iter().find(|(_, value)| value == self);
        found.map_or(Tree::Nothing, |(word, _)| Tree::Text((*word).to_owned()))
    }
}
