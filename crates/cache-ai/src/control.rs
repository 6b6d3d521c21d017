//! What a caller says about one request, and what follows from it.

use std::time::Duration;

use cache_core::{Error, ErrorKind};

use crate::operation::Repeat;

/// What a caller wants of the cache for one request.
///
/// | | looks in the cache | joins a generation under way | keeps the answer |
/// |---|---|---|---|
/// | nothing said | yes | yes | yes |
/// | [`no_cache`](Self::no_cache) | no | no; others may join this one | yes |
/// | [`refresh`](Self::refresh) | no | one that began after the call | yes |
/// | [`no_store`](Self::no_store) | yes | no | no |
/// | [`only_if_cached`](Self::only_if_cached) | yes, and nothing else | no | – |
/// | [`max_age`](Self::max_age) | yes; what is older, or stale, is refreshed | if there is nothing, any; else as `refresh` | yes |
///
/// Where an answer is generated although there is one, the old one answers others until the new one takes its place. If the
/// generation fails, or what it brings is not to be kept, the old one stays; its caller gets the error, or what was brought.
///
/// ```
/// use std::time::Duration;
/// use cache_ai::Control;
///
/// let recent = Control::new().max_age(Duration::from_secs(3600));
/// let anew_and_private = Control::refresh().and_no_store();
/// # assert_ne!(recent, anew_and_private);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct Control {
    mode: Mode,
    no_store: bool,
    max_age: Option<Duration>,
    pub(crate) sample: Option<u64>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Mode {
    #[default]
    Cached,
    NoCache,
    Refresh,
    OnlyIfCached,
}

impl Control {
    /// Answers from the cache if it can, else generates and keeps.
    pub fn new() -> Self {
        Self::default()
    }

    /// Generates whatever is cached or under way, and keeps the answer. What is under way for others is not kept.
    pub fn no_cache() -> Self {
        Self { mode: Mode::NoCache, ..Self::default() }
    }

    /// Generates anew. Those who refresh the same at a time share one generation.
    pub fn refresh() -> Self {
        Self { mode: Mode::Refresh, ..Self::default() }
    }

    /// Answers from the cache or fails with [`NotCached`].
    pub fn only_if_cached() -> Self {
        Self { mode: Mode::OnlyIfCached, ..Self::default() }
    }

    /// Keeps nothing of this request. What is cached may answer it.
    pub fn no_store() -> Self {
        Self { no_store: true, ..Self::default() }
    }

    /// Takes no answer from the cache that is older than this, and none that is stale. Where there is none at all, an answer that
    /// others are waiting for is as good as a new one, although its generation began before; [`refresh`](Self::refresh) takes
    /// only what began after the call.
    pub fn max_age(mut self, age: Duration) -> Self {
        self.max_age = Some(age);
        self
    }

    /// Keeps nothing of this request, beside what was said already.
    pub fn and_no_store(mut self) -> Self {
        self.no_store = true;
        self
    }

    /// Takes the sample of this number, modulo how many are kept, instead of the next: for
    /// [`Repeat::Samples`].
    pub fn sample(mut self, seed: u64) -> Self {
        self.sample = Some(seed);
        self
    }

    /// The same, but from the cache or not at all.
    pub(crate) fn but_only_if_cached(self) -> Self {
        Self { mode: Mode::OnlyIfCached, no_store: false, ..self }
    }

    /// # Errors
    /// [`ErrorKind::Validation`] for what contradicts itself.
    pub(crate) fn check(&self) -> Result<(), Error> {
        if self.mode == Mode::OnlyIfCached && self.no_store {
            return Err(Error::new(
                ErrorKind::Validation,
                "only_if_cached and no_store contradict each other: nothing would be stored anyway",
            ));
        }
        Ok(())
    }
}

/// The source of the error of a request that was to be answered from the cache alone, and was not in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotCached;

impl std::fmt::Display for NotCached {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("there is no answer in the cache")
    }
}

impl std::error::Error for NotCached {}

impl NotCached {
    pub(crate) fn into_error(self) -> Error {
        Error::new(ErrorKind::Load, "only_if_cached was said, and there is no answer in the cache")
            .because(self)
    }
}

/// What was found in the cache under the request's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    /// The cache was not looked at, or there is nothing fresh.
    Nothing,
    /// A fresh answer to this request, of this age.
    Answer(Duration),
    /// An answer to this request that is to be replaced.
    Stale,
    /// An answer to this request, of events that make none for this reader.
    Broken,
    /// An answer to another request.
    Another,
}

/// What to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Plan {
    /// Look in the cache, and ask again what to do.
    Look,
    /// Answer with what was found.
    Serve,
    /// Join the generation of this request or start it, and keep what it brings.
    Share,
    /// Start the generation of this request whatever is there or under way, and put what it brings in the place of both.
    Renew(Renewal),
    /// Generate for this caller alone and keep nothing.
    Alone,
    /// Fail.
    NotCached,
}

/// An answer is wanted that was generated after the question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Renewal {
    /// Whether another's generation will not do.
    pub(crate) own: bool,
}

/// `seen` is `None` before the cache was looked at.
pub(crate) fn plan(control: &Control, repeat: Repeat, is_deterministic: bool, seen: Option<Seen>) -> Plan {
    let may_repeat = match repeat {
        Repeat::Never => false,
        Repeat::DeterministicOnly => is_deterministic,
        Repeat::Always | Repeat::Samples(_) => true,
    };
    let only = control.mode == Mode::OnlyIfCached;
    if !may_repeat {
        return if only { Plan::NotCached } else { Plan::Alone };
    }
    let renew = |own| if control.no_store { Plan::Alone } else { Plan::Renew(Renewal { own }) };
    match (control.mode, seen) {
        (Mode::NoCache, _) => renew(true),
        (Mode::Refresh, _) => renew(false),
        (_, None) => Plan::Look,
        (_, Some(Seen::Answer(age))) if control.max_age.is_none_or(|most| age <= most) => Plan::Serve,
        (Mode::OnlyIfCached, _) => Plan::NotCached,
        (Mode::Cached, Some(Seen::Answer(_) | Seen::Broken)) => renew(false),
        // Who says how old an answer may be wants none whose time is over.
        (Mode::Cached, Some(Seen::Stale)) if control.max_age.is_some() => renew(false),
        // Two requests under one name: the other's answer stays, this one's is not kept.
        (Mode::Cached, Some(Seen::Another)) => Plan::Alone,
        (Mode::Cached, Some(Seen::Nothing | Seen::Stale)) if control.no_store => Plan::Alone,
        (Mode::Cached, Some(Seen::Nothing | Seen::Stale)) => Plan::Share,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_plan_for_every_case() {
        let young = Some(Seen::Answer(Duration::from_secs(5)));
        let old = Some(Seen::Answer(Duration::from_secs(50)));
        let (nothing, stale, another) = (Some(Seen::Nothing), Some(Seen::Stale), Some(Seen::Another));
        let aged = |control: Control| control.max_age(Duration::from_secs(10));
        let renew = |own| Plan::Renew(Renewal { own });
        let table = [
            (Control::new(), None, Plan::Look),
            (Control::new(), young, Plan::Serve),
            (Control::new(), nothing, Plan::Share),
            (Control::new(), stale, Plan::Share),
            (Control::new(), another, Plan::Alone),
            (Control::no_cache(), None, renew(true)),
            (Control::no_cache(), young, renew(true)),
            (Control::refresh(), None, renew(false)),
            (Control::no_store(), None, Plan::Look),
            (Control::no_store(), young, Plan::Serve),
            (Control::no_store(), nothing, Plan::Alone),
            (Control::no_store(), another, Plan::Alone),
            (Control::no_cache().and_no_store(), None, Plan::Alone),
            (Control::refresh().and_no_store(), None, Plan::Alone),
            (Control::only_if_cached(), None, Plan::Look),
            (Control::only_if_cached(), young, Plan::Serve),
            (Control::only_if_cached(), nothing, Plan::NotCached),
            (Control::only_if_cached(), another, Plan::NotCached),
            (aged(Control::new()), young, Plan::Serve),
            (aged(Control::new()), old, renew(false)),
            (aged(Control::new()), nothing, Plan::Share),
            (aged(Control::new()), stale, renew(false)),
            (aged(Control::no_store()), stale, Plan::Alone),
            (aged(Control::only_if_cached()), stale, Plan::NotCached),
            (aged(Control::no_store()), old, Plan::Alone),
            (aged(Control::only_if_cached()), old, Plan::NotCached),
        ];
        for (control, seen, expected) in table {
            assert_eq!(plan(&control, Repeat::Always, false, seen), expected, "{control:?} {seen:?}");
            assert_eq!(plan(&control, Repeat::Samples(3), false, seen), expected, "{control:?} {seen:?}");
            assert_eq!(plan(&control, Repeat::DeterministicOnly, true, seen), expected);
            let never = if control.mode == Mode::OnlyIfCached { Plan::NotCached } else { Plan::Alone };
            assert_eq!(plan(&control, Repeat::Never, true, seen), never, "{control:?} {seen:?}");
            assert_eq!(plan(&control, Repeat::DeterministicOnly, false, seen), never);
        }
    }

    #[test]
    fn what_contradicts_itself_is_an_error() {
        assert!(Control::only_if_cached().and_no_store().check().is_err());
        assert!(Control::no_cache().and_no_store().check().is_ok());
    }
}
