//! Loads that failed a moment ago, so that a failing loader is not run once per caller.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use cache_core::{Error, Moment};
use parking_lot::Mutex;

/// The most failures that are remembered; the oldest makes room.
const CAPACITY: usize = 10_000;

#[derive(Clone, Debug)]
struct Failure {
    error: Error,
    until: Moment,
}

#[derive(Debug, Default)]
struct Inner {
    failures: HashMap<Box<str>, Failure>,
    /// In the order of their ends, since all last equally long. Failures that were overwritten or cleared leave a
    /// line here that is skipped later.
    order: VecDeque<(Moment, Box<str>)>,
}

/// The failures of the last moments, by key.
#[derive(Debug)]
pub(crate) struct Negative {
    window: Duration,
    inner: Mutex<Inner>,
}

impl Negative {
    pub(crate) fn new(window: Duration) -> Self {
        Self { window, inner: Mutex::default() }
    }

    /// The error of the key's last load, while its window lasts.
    pub(crate) fn get(&self, key: &str, now: Moment) -> Option<Error> {
        let inner = self.inner.lock();
        inner.failures.get(key).filter(|failure| now < failure.until).map(|failure| failure.error.clone())
    }

    /// Remembers a failure.
    pub(crate) fn put(&self, key: &str, error: Error, now: Moment) {
        if self.window.is_zero() {
            return;
        }
        let until = now + self.window;
        let mut inner = self.inner.lock();
        inner.failures.insert(key.into(), Failure { error, until });
        inner.order.push_back((until, key.into()));
        inner.trim(now);
    }

    /// Forgets the key's failure: something was written, or is to be loaded anew.
    pub(crate) fn clear(&self, key: &str) {
        let mut inner = self.inner.lock();
        if !inner.failures.is_empty() {
            inner.failures.remove(key);
        }
    }

    pub(crate) fn clear_all(&self) {
        *self.inner.lock() = Inner::default();
    }
}

impl Inner {
    fn trim(&mut self, now: Moment) {
        while let Some((until, _)) = self.order.front() {
            if *until > now && self.order.len() <= CAPACITY {
                break;
            }
            let Some((until, key)) = self.order.pop_front() else { break };
            if self.failures.get(&key).is_some_and(|failure| failure.until == until) {
                self.failures.remove(&key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cache_core::ErrorKind;

    fn at(seconds: u64) -> Moment {
        Moment::START + Duration::from_secs(seconds)
    }

    fn error() -> Error {
        Error::new(ErrorKind::Load, "no")
    }

    #[test]
    fn a_failure_lasts_for_its_window() {
        let negative = Negative::new(Duration::from_secs(1));
        negative.put("k", error(), at(10));
        assert!(negative.get("k", at(10)).is_some());
        assert!(negative.get("k", at(11)).is_none());
        negative.put("k", error(), at(12));
        negative.clear("k");
        assert!(negative.get("k", at(12)).is_none());
    }

    #[test]
    fn a_failure_that_was_renewed_outlives_the_line_of_the_older_one() {
        let negative = Negative::new(Duration::from_secs(10));
        negative.put("k", error(), at(0));
        negative.put("k", error(), at(5));
        negative.put("other", error(), at(12));
        assert!(negative.get("k", at(13)).is_some());
    }

    #[test]
    fn failures_of_ever_new_keys_do_not_fill_the_memory() {
        let negative = Negative::new(Duration::from_secs(1000));
        for i in 0..3 * CAPACITY {
            negative.put(&i.to_string(), error(), at(0));
        }
        let inner = negative.inner.lock();
        assert!(inner.failures.len() <= CAPACITY && inner.order.len() <= CAPACITY);
        assert!(inner.failures.contains_key((3 * CAPACITY - 1).to_string().as_str()));
    }
}
