//! What a caller may say about an entry and a load.

use std::time::Duration;

use crate::{Error, Problems, Ttl, check_tag};

/// The most tags that an entry may have.
pub const MAX_TAGS: usize = 16;

/// How an entry is to be kept. What is not said is taken from the cache's settings.
///
/// A plain `Duration` is the TTL, `()` means all defaults:
///
/// ```
/// use std::time::Duration;
/// use cache_core::SetOptions;
///
/// let half_an_hour: SetOptions = Duration::from_secs(1800).into();
/// let defaults: SetOptions = ().into();
/// let tagged = SetOptions::ttl(Duration::from_secs(60)).tag("user:42").stale_for(Duration::from_secs(600));
/// # assert_ne!(half_an_hour, defaults); assert_eq!(tagged.tags, ["user:42"]);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SetOptions {
    /// How long the value is fresh: 1 ms to 365 days. Zero is an error, not "for ever".
    pub fresh_for: Option<Duration>,
    /// How long after that it may be served stale by [`get_or_load`](LoadOptions): 0 (not at all) to 365 days. An entry ends
    /// 365 days after it was made at the latest, so a longer `fresh_for` leaves less of it.
    pub stale_for: Option<Duration>,
    /// Tags by which it can be invalidated together with others: at most [`MAX_TAGS`], each of 1 to
    /// [`MAX_TAG_LEN`](crate::MAX_TAG_LEN) bytes.
    pub tags: Vec<String>,
}

impl SetOptions {
    /// Fresh for this long: 1 ms to 365 days. What is out of range is an error of the call that is given these options.
    pub fn ttl(fresh_for: Duration) -> Self {
        Self { fresh_for: Some(fresh_for), ..Self::default() }
    }

    /// Servable for this much longer after it stopped being fresh: 0 (not at all) to 365 days.
    #[must_use]
    pub fn stale_for(mut self, stale_for: Duration) -> Self {
        self.stale_for = Some(stale_for);
        self
    }

    /// Adds a tag of 1 to 256 bytes.
    #[must_use]
    pub fn tag(mut self, tag: impl Into<String>) -> Self {
        self.tags.push(tag.into());
        self
    }

    /// What these options do not say is taken from `others`; tags are those of both, which together may be too many.
    #[must_use]
    pub fn or(mut self, others: &Self) -> Self {
        self.fresh_for = self.fresh_for.or(others.fresh_for);
        self.stale_for = self.stale_for.or(others.stale_for);
        let more = others.tags.iter().filter(|tag| !self.tags.contains(tag)).cloned().collect::<Vec<_>>();
        self.tags.extend(more);
        self
    }

    /// Adds what is wrong with these options to `problems`.
    pub fn check(&self, problems: &mut Problems) {
        if let Some(fresh_for) = self.fresh_for {
            problems.take(Ttl::new(fresh_for));
        }
        if let Some(stale_for) = self.stale_for {
            problems.check(stale_for <= Ttl::MAX.as_duration(), || {
                format!("stale_for is {stale_for:?}, 0 to 365 days are allowed")
            });
        }
        problems.check(self.tags.len() <= MAX_TAGS, || {
            format!("{} tags were given, at most {MAX_TAGS} are allowed", self.tags.len())
        });
        for tag in &self.tags {
            problems.take(check_tag(tag));
        }
    }

    /// Checks these options.
    ///
    /// # Errors
    /// One [`Validation`](crate::ErrorKind::Validation) error that lists all that is wrong.
    pub fn validate(&self) -> Result<(), Error> {
        let mut problems = Problems::default();
        self.check(&mut problems);
        problems.validation()
    }
}

impl From<()> for SetOptions {
    fn from((): ()) -> Self {
        Self::default()
    }
}

impl From<Duration> for SetOptions {
    fn from(fresh_for: Duration) -> Self {
        Self::ttl(fresh_for)
    }
}

impl From<Ttl> for SetOptions {
    fn from(fresh_for: Ttl) -> Self {
        Self::ttl(fresh_for.as_duration())
    }
}

/// What [`get_or_load`](LoadOptions) does with a stale value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum StaleMode {
    /// Answers with it at once and loads a new one in the background.
    #[default]
    WhileRevalidate,
    /// Waits for the load and answers with the stale value only if that fails.
    OnError,
}

/// How a value is to be loaded, and how it is to be kept then. Whatever makes [`SetOptions`] makes these too.
///
/// ```
/// use std::time::Duration;
/// use cache_core::{LoadOptions, StaleMode};
///
/// let hour = Duration::from_secs(3600);
/// let options = LoadOptions::ttl(hour).stale_for(24 * hour).stale(StaleMode::OnError).tag("city:paris");
/// assert!(options.validate().is_ok());
/// assert_eq!(LoadOptions::from(hour), LoadOptions::ttl(hour));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LoadOptions {
    /// How the loaded value is to be kept. Its ranges are those of [`SetOptions`].
    pub entry: SetOptions,
    /// What to do with a stale value.
    pub stale: StaleMode,
    /// The longest that a load may take: 1 ms to 1 day. `None`: as the cache's settings say, 30 s unless they say otherwise.
    pub load_timeout: Option<Duration>,
}

impl LoadOptions {
    /// The longest `load_timeout`: 1 day.
    pub const MAX_LOAD_TIMEOUT: Duration = Duration::from_secs(24 * 3600);

    /// Keeps the loaded value for this long: 1 ms to 365 days.
    pub fn ttl(fresh_for: Duration) -> Self {
        fresh_for.into()
    }

    /// Servable for this much longer after it stopped being fresh: 0 (not at all) to 365 days.
    #[must_use]
    pub fn stale_for(mut self, stale_for: Duration) -> Self {
        self.entry.stale_for = Some(stale_for);
        self
    }

    /// Adds a tag of 1 to 256 bytes.
    #[must_use]
    pub fn tag(mut self, tag: impl Into<String>) -> Self {
        self.entry.tags.push(tag.into());
        self
    }

    /// What to do with a stale value.
    #[must_use]
    pub fn stale(mut self, stale: StaleMode) -> Self {
        self.stale = stale;
        self
    }

    /// The longest that this load may take: 1 ms to 1 day.
    #[must_use]
    pub fn load_timeout(mut self, load_timeout: Duration) -> Self {
        self.load_timeout = Some(load_timeout);
        self
    }

    /// What these options do not say is taken from `others`; tags are those of both. The default [`StaleMode`] says nothing.
    #[must_use]
    pub fn or(mut self, others: &Self) -> Self {
        self.entry = self.entry.or(&others.entry);
        if self.stale == StaleMode::default() {
            self.stale = others.stale;
        }
        self.load_timeout = self.load_timeout.or(others.load_timeout);
        self
    }

    /// Checks these options.
    ///
    /// # Errors
    /// One [`Validation`](crate::ErrorKind::Validation) error that lists all that is wrong.
    pub fn validate(&self) -> Result<(), Error> {
        let mut problems = Problems::default();
        self.entry.check(&mut problems);
        if let Some(timeout) = self.load_timeout {
            problems.check(timeout >= Ttl::MIN.as_duration() && timeout <= Self::MAX_LOAD_TIMEOUT, || {
                format!("load_timeout is {timeout:?}, 1 ms to 1 day are allowed")
            });
        }
        problems.validation()
    }
}

impl<T: Into<SetOptions>> From<T> for LoadOptions {
    fn from(entry: T) -> Self {
        Self { entry: entry.into(), ..Self::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_that_is_wrong_is_said_at_once() {
        let mut options =
            LoadOptions::ttl(Duration::ZERO).stale_for(Duration::MAX).load_timeout(Duration::ZERO).tag("");
        for i in 0..MAX_TAGS {
            options = options.tag(i.to_string());
        }
        let error = options.validate().unwrap_err();
        assert!(error.is_validation());
        for part in
            ["5 problems", "a TTL of 0ns", "stale_for", "17 tags", "a tag is 0 bytes", "load_timeout is 0ns"]
        {
            assert!(error.message().contains(part), "{part} in {error}");
        }
        assert!(LoadOptions::from(()).validate().is_ok());
    }

    #[test]
    fn what_is_said_wins_over_what_is_said_in_general() {
        let (short, long) = (Duration::from_secs(1), Duration::from_secs(60));
        let general = LoadOptions::ttl(long).stale_for(long).tag("a").stale(StaleMode::OnError);
        let said = LoadOptions::ttl(short).tag("a").tag("b").load_timeout(short).or(&general);
        let expected = LoadOptions::ttl(short).stale_for(long).tag("a").tag("b");
        assert_eq!(said, expected.stale(StaleMode::OnError).load_timeout(short));
        assert_eq!(LoadOptions::default().or(&general), general);
    }
}
