//! A key of a connection's own, by which it sees that what the server tells still arrives, and that the database behind it
//! is still the same.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use cache_core::random_u64;
use redis::{Cmd, Value};

use crate::fault::Fault;
use crate::reply;

/// The key is not there, as far as is known.
const NOTHING: u64 = 0;
/// How many heartbeats the key outlives the connection that made it.
const OUTLIVES: u32 = 40;
/// And how long at least.
const AT_LEAST: Duration = Duration::from_secs(60);

/// What a test of the way from the server to here has shown.
#[derive(Clone, Debug)]
pub(crate) enum Tested {
    /// A change was told.
    Heard,
    /// A change was not told before what was asked after it was answered.
    Unheard,
    /// The key could not be changed.
    Impossible(Fault),
}

/// The key, what it holds, and how often the server has said that it changed.
#[derive(Debug)]
pub(crate) struct Canary {
    key: Box<[u8]>,
    holds: AtomicU64,
    heard: AtomicU64,
    removed: AtomicU64,
}

impl Canary {
    /// One whose key is below this prefix, and no key of a user's, because it is not UTF-8.
    pub(crate) fn new(prefix: &str) -> Self {
        let key = [prefix.as_bytes(), b"\xffcanary:", format!("{:016x}", random_u64()).as_bytes()].concat();
        Self {
            key: key.into(),
            holds: AtomicU64::new(NOTHING),
            heard: AtomicU64::new(0),
            removed: AtomicU64::new(0),
        }
    }

    /// Takes in that a key has changed. Whether it was this one.
    pub(crate) fn hears(&self, key: &[u8]) -> bool {
        let is_mine = *key == *self.key;
        if is_mine {
            self.heard.fetch_add(1, Ordering::AcqRel);
        }
        is_mine
    }

    /// Everything was removed, which everybody was told.
    pub(crate) fn removed(&self) {
        self.holds.store(NOTHING, Ordering::Release);
        self.removed.fetch_add(1, Ordering::AcqRel);
    }

    /// How often everything was removed, as far as is known: what else was put there is gone, too.
    pub(crate) fn removals(&self) -> u64 {
        self.removed.load(Ordering::Acquire)
    }

    /// How often it was heard of, to be given to [`Canary::tested`] later.
    pub(crate) fn heard(&self) -> u64 {
        self.heard.load(Ordering::Acquire)
    }

    /// What reads the key, which also has the server tell of its next change.
    pub(crate) fn look(&self) -> Cmd {
        let mut look = redis::cmd("GET");
        look.arg(&*self.key);
        look
    }

    /// Whether the answer to [`Canary::look`] is what this connection has put there. If not, this is another database, and
    /// the key is missing from now on.
    pub(crate) fn is_there(&self, found: Option<Value>) -> Result<bool, Fault> {
        let found = match reply::bytes(found) {
            Ok(found) => found,
            Err(fault) if fault.is_outage() => return Err(fault),
            // Not allowed to look, for example: then nothing is known.
            Err(_) => return Ok(true),
        };
        let holds = self.holds.load(Ordering::Acquire);
        let is_there = holds == NOTHING || found.is_some_and(|found| found == holds.to_string().as_bytes());
        if !is_there {
            self.removed();
        }
        Ok(is_there)
    }

    /// What changes the key, and what it then holds.
    pub(crate) fn change(&self, heartbeat: Duration) -> (Cmd, u64) {
        let word = random_u64().max(NOTHING + 1);
        let lives = AT_LEAST.max(heartbeat.saturating_mul(OUTLIVES));
        let mut change = redis::cmd("SET");
        change.arg(&*self.key).arg(word).arg("PX").arg(u64::try_from(lives.as_millis()).unwrap_or(u64::MAX));
        (change, word)
    }

    /// What the answer to [`Canary::change`] means, when everything has been taken in that the server said before it
    /// answered a later command.
    pub(crate) fn tested(
        &self,
        changed: Option<Value>,
        word: u64,
        heard_before: u64,
    ) -> Result<Tested, Fault> {
        match reply::stored(changed) {
            Ok(_) => {
                self.holds.store(word, Ordering::Release);
                Ok(if self.heard() > heard_before { Tested::Heard } else { Tested::Unheard })
            }
            Err(fault) if fault.cause == crate::fault::Cause::Broken => Err(fault),
            Err(fault) => Ok(Tested::Impossible(fault)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn okay(canary: &Canary, word: u64, before: u64) -> Tested {
        canary.tested(Some(Value::Okay), word, before).unwrap()
    }

    fn holding(word: &str) -> Option<Value> {
        Some(Value::BulkString(word.as_bytes().to_vec()))
    }

    #[test]
    fn a_change_that_was_told_was_heard_and_no_other_keys_is() {
        let canary = Canary::new("app:");
        let before = canary.heard();
        assert!(!canary.hears(b"app:k"));
        assert!(matches!(okay(&canary, 7, before), Tested::Unheard));
        assert!(canary.hears(&canary.key));
        assert!(matches!(okay(&canary, 8, before), Tested::Heard));
        assert!(matches!(okay(&canary, 9, canary.heard()), Tested::Unheard), "an earlier one does not count");
    }

    #[test]
    fn another_database_is_seen_once_and_an_announced_flush_is_none() {
        let canary = Canary::new("app:");
        assert!(canary.is_there(Some(Value::Nil)).unwrap(), "nothing was put there yet");
        okay(&canary, 7, 0);
        assert!(canary.is_there(holding("7")).unwrap());
        assert!(!canary.is_there(holding("8")).unwrap());
        assert!(canary.is_there(Some(Value::Nil)).unwrap(), "it was said");
        okay(&canary, 9, 0);
        assert!(!canary.is_there(Some(Value::Nil)).unwrap());
        okay(&canary, 9, 0);
        canary.removed();
        assert!(canary.is_there(Some(Value::Nil)).unwrap(), "whoever flushes everything says so");
    }

    #[test]
    fn its_key_is_below_the_prefix_and_nobodys() {
        let (one, other) = (Canary::new("app:"), Canary::new("app:"));
        assert!(one.key.starts_with(b"app:") && one.key != other.key);
        assert_eq!(cache_core::Namespace::new("app").unwrap().strip(&one.key), None);
    }
}
