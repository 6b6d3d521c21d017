//! Whether a cache has what a test expects, and what it has instead.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use cache_core::{Status, Tier};
use cache_tiered::{Cache, Data, Receipt};
use serde::Serialize;
use serde_json::Value;

/// How long what [`populate`] stores is fresh.
const POPULATED_FOR: Duration = Duration::from_secs(3600);
/// Keys that a message shows.
const SHOWN: usize = 8;

/// The test fails unless the cache has a fresh value under the key, and, if one is given, this value. Needs an `async` block
/// or function around it.
///
/// `assert_cache_hit!(cache, key)`, `assert_cache_hit!(cache, key, expected)`. The value is read as the type of what is
/// expected; a text may be given as a literal.
///
/// # Panics
/// If it is not so: the message says what is there instead, from which tier, how old, or why nothing is.
#[macro_export]
#[doc(alias = "CacheTestHelpers")]
macro_rules! assert_cache_hit {
    ($cache:expr, $key:expr $(,)?) => {
        if let Err(found) = $crate::__private::is_there(&$cache, &*$key).await {
            panic!("{found}");
        }
    };
    ($cache:expr, $key:expr, $expected:literal $(,)?) => {
        $crate::assert_cache_hit!($cache, $key, $crate::__private::Literal::owned($expected))
    };
    ($cache:expr, $key:expr, $expected:expr $(,)?) => {
        if let Err(found) = $crate::__private::is_value(&$cache, &*$key, &$expected).await {
            panic!("{found}");
        }
    };
}

/// The test fails if the cache has a fresh value under the key. Needs an `async` block or function around it.
///
/// # Panics
/// If there is one: the message shows it, its tier and its age. Also if the store cannot say.
#[macro_export]
macro_rules! assert_cache_miss {
    ($cache:expr, $key:expr $(,)?) => {
        if let Err(found) = $crate::__private::is_absent(&$cache, &*$key).await {
            panic!("{found}");
        }
    };
}

/// Stores all of this for an hour, by the cache's clock.
///
/// # Panics
/// If anything of it cannot be stored: a test that goes on without its data says nothing.
#[expect(clippy::panic, reason = "a test fails by a panic")]
pub async fn populate<K, T>(cache: &Cache, items: impl IntoIterator<Item = (K, T)>)
where
    K: AsRef<str>,
    T: Serialize + Sync,
{
    for (key, value) in items {
        let key = key.as_ref();
        if let Err(error) = cache.set(key, &value, POPULATED_FOR).await {
            panic!("`{key}` cannot be stored: {error}");
        }
    }
}

/// What a literal is when it is cached.
#[doc(hidden)]
pub trait Literal {
    type Owned;
    fn owned(self) -> Self::Owned;
}

impl Literal for &str {
    type Owned = String;

    fn owned(self) -> String {
        self.to_owned()
    }
}

macro_rules! literals {
    ($($of:ty),*) => {
        $(impl Literal for $of {
            type Owned = $of;

            fn owned(self) -> $of {
                self
            }
        })*
    };
}
literals!(bool, char, f32, f64, i8, i16, i32, i64, u8, u16, u32, u64, usize);

#[doc(hidden)]
pub async fn is_value<T: Data + PartialEq + Debug>(
    cache: &Cache,
    key: &str,
    expected: &T,
) -> Result<(), String> {
    let read = cache.get_with_receipt::<T>(key).await;
    let (value, receipt) = read.map_err(|error| format!("`{key}` cannot be read: {error}"))?;
    match value {
        Some(value) if *value == *expected => Ok(()),
        Some(value) => Err(format!(
            "`{key}` is cached with another value\n  expected: {expected:?}\n     found: {value:?}\n  ({})",
            origin(&receipt)
        )),
        None => Err(missed(cache, key, receipt.status, std::any::type_name::<T>()).await),
    }
}

#[doc(hidden)]
pub async fn is_there(cache: &Cache, key: &str) -> Result<(), String> {
    match cache.exists(key).await {
        Ok(true) => Ok(()),
        // Nothing is there that reading as another type could change.
        Ok(false) => match cache.get_with_receipt::<Value>(key).await {
            Ok((_, receipt)) => Err(missed(cache, key, receipt.status, "a value").await),
            Err(error) => Err(format!("`{key}` cannot be read: {error}")),
        },
        Err(error) => Err(format!("`{key}` cannot be read: {error}")),
    }
}

#[doc(hidden)]
pub async fn is_absent(cache: &Cache, key: &str) -> Result<(), String> {
    let exists = cache.exists(key).await.map_err(|error| format!("`{key}` cannot be read: {error}"))?;
    let (value, receipt): (Option<Arc<Value>>, Receipt) = match cache.get_with_receipt(key).await {
        // Only to show it: the test is over.
        Ok(read) if exists => read,
        Ok((_, receipt)) if receipt.status == Status::StoreUnavailable => {
            return Err(format!("whether `{key}` is cached is not known: the store did not answer"));
        }
        _ => return Ok(()),
    };
    let shown = value.map_or_else(|| "a value that is no JSON".into(), |value| value.to_string());
    Err(format!("`{key}` is cached, and was not to be\n     found: {shown}\n  ({})", origin(&receipt)))
}

fn origin(receipt: &Receipt) -> String {
    let from = match receipt.tier {
        Some(Tier::Local) => "from memory",
        Some(Tier::Store) => "from the store",
        _ => "from nowhere",
    };
    let time = |time: Option<Duration>| format!("{:?}", time.unwrap_or_default());
    format!("{from}, {} old, fresh for {} more", time(receipt.age), time(receipt.fresh_for))
}

async fn missed(cache: &Cache, key: &str, status: Status, wanted: &str) -> String {
    let why = match status {
        Status::Absent => {
            "nothing is stored under it: it was never set, has expired, was deleted, or made room for others"
                .into()
        }
        Status::Stale => "its time is over; only `get_or_load` may still serve it".into(),
        Status::Invalidated => "it was voided by `invalidate_tag` or `clear`".into(),
        Status::Loading => "it is being loaded just now".into(),
        Status::Refused => format!("what is stored cannot be read as `{wanted}`"),
        Status::StoreUnavailable => "the store did not answer".into(),
        other => format!("it is {}", other.as_str()),
    };
    format!("`{key}` is not cached ({}): {why}{}", status.as_str(), others(cache).await)
}

/// What there is, if that can be told: often the key was only spelt another way.
async fn others(cache: &Cache) -> String {
    match cache.keys("*").await {
        Ok(keys) if keys.is_empty() => "\n  the cache is empty".into(),
        Ok(keys) => {
            let shown: Vec<_> = keys.iter().take(SHOWN).map(|key| format!("`{key}`")).collect();
            let more = keys.len().checked_sub(SHOWN).filter(|more| *more > 0);
            let more = more.map_or_else(String::new, |more| format!(" and {more} more"));
            format!("\n  the cache has {}{more}", shown.join(", "))
        }
        Err(_) => String::new(),
    }
}
