//! The circuit breaker in front of the store: a store that fails is left alone for a while.
//!
//! [`Machine`] decides, as a pure function of its state, the policy, what happened and the time. [`Breaker`] is the thin
//! shell that calls share.

use std::time::Duration;

use cache_core::{BreakerState, Error, ErrorKind, Moment, Namespace, Problems};
use parking_lot::Mutex;

use crate::settings::LONGEST_STORE_TIMEOUT;

/// When the store is left alone, and for how long. A call fails for the breaker if the store cannot be reached or does not
/// answer in time; that it takes no changes, or that a caller left, does not count.
///
/// ```
/// use std::time::Duration;
/// use cache_tiered::{BreakerSettings, Settings};
///
/// let mut settings = Settings::default();
/// settings.breaker.failures = 10;
/// settings.breaker.open_for = Duration::from_secs(5);
/// assert_eq!(BreakerSettings::default().failures, 5);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BreakerSettings {
    /// So many failures in a row open it: 1 to 1000, 5 by default. A call that took too long is a failure.
    #[doc(alias = "failure_threshold")]
    pub failures: u32,
    /// Half of this many last calls failing open it too, once there were so many: 2 to 64, 20 by default.
    pub window: u32,
    /// How long it stays open unless a heartbeat of the link succeeds earlier: 1 ms to 1 hour, 30 s by default.
    #[doc(alias = "recovery_timeout")]
    pub open_for: Duration,
}

impl Default for BreakerSettings {
    fn default() -> Self {
        Self { failures: 5, window: 20, open_for: Duration::from_secs(30) }
    }
}

impl BreakerSettings {
    pub(crate) fn check(&self, problems: &mut Problems) {
        let Self { failures, window, open_for } = self;
        problems.check((1..=1000).contains(failures), || {
            format!("breaker.failures is {failures}, 1 to 1000 are allowed")
        });
        problems
            .check((2..=64).contains(window), || format!("breaker.window is {window}, 2 to 64 are allowed"));
        let (least, most) = (Duration::from_millis(1), Duration::from_secs(3600));
        problems.check((least..=most).contains(open_for), || {
            format!("breaker.open_for is {open_for:?}, {least:?} to {most:?} are allowed")
        });
    }
}

/// How a call of the store ended, as far as the store's health is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Good,
    Bad,
    /// Nothing can be said: its caller left, or the error was not the store's.
    Unknown,
}

impl Outcome {
    fn of<T>(result: &Result<T, Error>) -> Self {
        match result {
            Ok(_) => Self::Good,
            Err(error) if error.do_reads_go_on() => Self::Unknown,
            Err(error) if matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::Timeout) => Self::Bad,
            Err(_) => Self::Unknown,
        }
    }
}

/// The calls of late: how many failed in a row, and which of the last ones did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Recent {
    in_a_row: u32,
    calls: u32,
    failed: u64,
}

impl Recent {
    fn and(self, bad: bool, window: u32) -> Self {
        let mask = u64::MAX >> (64 - window.clamp(1, 64));
        Self {
            in_a_row: if bad { self.in_a_row.saturating_add(1) } else { 0 },
            calls: (self.calls + 1).min(window),
            failed: (self.failed << 1 | u64::from(bad)) & mask,
        }
    }

    fn is_too_bad(self, policy: &BreakerSettings) -> bool {
        let full = self.calls >= policy.window;
        self.in_a_row >= policy.failures || full && self.failed.count_ones() * 2 >= policy.window
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Closed(Recent),
    Open {
        until: Moment,
    },
    /// One call tries the store out. Its place is free from then on, as it is if it ended without a result.
    HalfOpen {
        probe_until: Moment,
    },
}

/// The state machine. `life` counts changes of the state, so that a call that began before one is not mistaken for a
/// call of the state after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Machine {
    state: State,
    life: u64,
}

impl Machine {
    const NEW: Self = Self { state: State::Closed(Recent { in_a_row: 0, calls: 0, failed: 0 }), life: 0 };

    fn to(self, state: State) -> Self {
        Self { state, life: self.life + 1 }
    }

    /// Whether a call may be made now. It is of the life that the machine has then. The clock is looked at only if it
    /// matters.
    fn ask(self, now: impl FnOnce() -> Moment) -> (Self, bool) {
        match self.state {
            State::Closed(_) => (self, true),
            State::Open { until } | State::HalfOpen { probe_until: until } => {
                let now = now();
                if now < until {
                    return (self, false);
                }
                (self.to(State::HalfOpen { probe_until: now + LONGEST_STORE_TIMEOUT }), true)
            }
        }
    }

    /// A call that was let through in this life ended.
    fn ended(
        self,
        life: u64,
        outcome: Outcome,
        policy: &BreakerSettings,
        now: impl FnOnce() -> Moment,
    ) -> Self {
        let open = || State::Open { until: now() + policy.open_for };
        match (self.state, outcome) {
            _ if life != self.life => self,
            (State::Closed(_), Outcome::Unknown) => self,
            (State::Closed(recent), _) => {
                let recent = recent.and(outcome == Outcome::Bad, policy.window);
                let bad = recent.is_too_bad(policy);
                if bad { self.to(open()) } else { Self { state: State::Closed(recent), ..self } }
            }
            (State::HalfOpen { .. }, Outcome::Good) => self.to(State::Closed(Recent::default())),
            (State::HalfOpen { .. }, Outcome::Bad) => self.to(open()),
            (State::HalfOpen { .. }, Outcome::Unknown) => {
                Self { state: State::HalfOpen { probe_until: Moment::START }, ..self }
            }
            (State::Open { .. }, _) => self,
        }
    }

    /// The link answered a heartbeat.
    fn heartbeat(self) -> Self {
        match self.state {
            State::Open { .. } => self.to(State::HalfOpen { probe_until: Moment::START }),
            _ => self,
        }
    }

    fn name(self) -> BreakerState {
        match self.state {
            State::Closed(_) => BreakerState::Closed,
            State::Open { .. } => BreakerState::Open,
            State::HalfOpen { .. } => BreakerState::HalfOpen,
        }
    }
}

/// The breaker that all calls of a store go through.
#[derive(Debug)]
pub(crate) struct Breaker {
    namespace: Namespace,
    policy: BreakerSettings,
    shared: Mutex<Shared>,
}

#[derive(Debug)]
struct Shared {
    machine: Machine,
    /// How often it opened after it had been closed.
    opened: u64,
}

impl Breaker {
    pub(crate) fn new(namespace: Namespace, policy: BreakerSettings) -> Self {
        Self { namespace, policy, shared: Mutex::new(Shared { machine: Machine::NEW, opened: 0 }) }
    }

    /// Leave to make one call; `None` while the store is left alone.
    pub(crate) fn ask(&self, now: impl FnOnce() -> Moment) -> Option<Permit<'_>> {
        let life = self.change(|machine| {
            let (machine, granted) = machine.ask(now);
            (machine, granted.then_some(machine.life))
        });
        life.map(|life| Permit { breaker: self, life, ended: false })
    }

    /// The link answered a heartbeat.
    pub(crate) fn heartbeat(&self) {
        self.change(|machine| (machine.heartbeat(), ()));
    }

    pub(crate) fn state(&self) -> BreakerState {
        self.shared.lock().machine.name()
    }

    /// How often it opened.
    pub(crate) fn opened(&self) -> u64 {
        self.shared.lock().opened
    }

    /// Changes the state, and says so in the log: once when the store is given up and once when it is back, however
    /// often it was tried out in between.
    fn change<R>(&self, step: impl FnOnce(Machine) -> (Machine, R)) -> R {
        let (before, after, result) = {
            let mut shared = self.shared.lock();
            let before = shared.machine.name();
            let (machine, result) = step(shared.machine);
            shared.machine = machine;
            let after = machine.name();
            shared.opened += u64::from(before == BreakerState::Closed && after == BreakerState::Open);
            (before, after, result)
        };
        let (cache, open_for) = (self.namespace.as_str(), self.policy.open_for);
        match (before, after) {
            (BreakerState::Closed, BreakerState::Open) => {
                tracing::warn!(cache, ?open_for, "the store keeps failing: it is not asked for a while");
            }
            (BreakerState::HalfOpen, BreakerState::Closed) => tracing::info!(cache, "the store works again"),
            (before, after) if before != after => {
                tracing::debug!(cache, ?before, ?after, "the breaker changed");
            }
            _ => {}
        }
        result
    }
}

/// Leave to make one call of the store. Dropped without an end, it counts as if it had never been given.
#[derive(Debug)]
pub(crate) struct Permit<'a> {
    breaker: &'a Breaker,
    life: u64,
    ended: bool,
}

impl Permit<'_> {
    /// The call ended like this.
    pub(crate) fn end<T>(mut self, result: &Result<T, Error>, now: impl FnOnce() -> Moment) {
        self.ended = true;
        self.report(Outcome::of(result), now);
    }

    fn report(&self, outcome: Outcome, now: impl FnOnce() -> Moment) {
        let policy = &self.breaker.policy;
        self.breaker.change(|machine| (machine.ended(self.life, outcome, policy, now), ()));
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        if !self.ended {
            // An unknown outcome opens nothing, so the time does not matter.
            self.report(Outcome::Unknown, || Moment::START);
        }
    }
}

#[cfg(test)]
#[path = "breaker_tests.rs"]
mod tests;
