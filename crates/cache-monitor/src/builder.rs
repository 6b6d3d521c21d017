//! How a monitor is put together.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use cache_core::{Clock, Error, Problems, SystemClock};

use crate::alert::AlertChange;
use crate::latency::nanos;
use crate::monitor::{OnAlert, PerformanceMonitor};
use crate::thresholds::Thresholds;
use crate::watch::Plan;

/// Makes a [`PerformanceMonitor`] with other settings than the usual ones.
///
/// ```
/// use cache_monitor::{PerformanceMonitor, Thresholds};
///
/// let monitor = PerformanceMonitor::builder()
///     .thresholds(Thresholds::high_performance())
///     .on_alert(|change| eprintln!("{change:?}"))
///     .remember(100_000)
///     .build()?;
/// # drop(monitor);
/// # Ok::<(), cache_core::Error>(())
/// ```
#[must_use = "a builder does nothing until it is built"]
pub struct MonitorBuilder {
    pub(crate) thresholds: Thresholds,
    pub(crate) on_alert: Option<OnAlert>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) keys: usize,
    pub(crate) shows_keys: bool,
}

impl Default for MonitorBuilder {
    fn default() -> Self {
        Self {
            thresholds: Thresholds::default(),
            on_alert: None,
            clock: Arc::new(SystemClock::new()),
            keys: 8192,
            shows_keys: false,
        }
    }
}

impl MonitorBuilder {
    /// From when on something is worth an alert; [`Thresholds::default`] by default.
    pub fn thresholds(mut self, thresholds: Thresholds) -> Self {
        self.thresholds = thresholds;
        self
    }

    /// Who is told of every change of an alert, beside the log; nobody by default. Called by whoever
    /// [`check`](PerformanceMonitor::check)s, with no lock held.
    pub fn on_alert(mut self, callback: impl Fn(&AlertChange) + Send + Sync + 'static) -> Self {
        self.on_alert = Some(Arc::new(callback));
        self
    }

    /// Of how many keys of each cache the last that happened is remembered, to say why one missed: 128 to 1 000 000, 8192 by
    /// default. Each takes about 100 bytes; keys themselves are not kept, only their hashes.
    pub fn remember(mut self, keys: usize) -> Self {
        self.keys = keys;
        self
    }

    /// Whether reports of hot and big keys show them in clear, their first 64 characters. `false` by default: their first
    /// segment and their length, because what follows is often a person or a secret.
    pub fn show_keys(mut self, shows_keys: bool) -> Self {
        self.shows_keys = shows_keys;
        self
    }

    /// The clock; best the one of the caches. The system's by default.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// The monitor.
    ///
    /// # Errors
    /// [`Configuration`](cache_core::ErrorKind::Configuration), listing all that is out of range.
    pub fn build(self) -> Result<Arc<PerformanceMonitor>, Error> {
        let mut problems = Problems::default();
        self.thresholds.find_problems(&mut problems);
        problems.check((128..=1_000_000).contains(&self.keys), || {
            format!("remember is {} keys, 128 to 1000000 are allowed", self.keys)
        });
        problems.configuration().map_err(|error| error.in_operation("PerformanceMonitor"))?;
        Ok(self.make())
    }

    /// Of settings that are right.
    pub(crate) fn make(self) -> Arc<PerformanceMonitor> {
        let Self { thresholds, on_alert, clock, keys, shows_keys } = self;
        let slow_above = Arc::new(AtomicU64::new(nanos(thresholds.operation_slow)));
        PerformanceMonitor::with(Plan { clock, slow_above, keys, shows_keys }, thresholds, on_alert)
    }
}

impl fmt::Debug for MonitorBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { thresholds, on_alert: _, clock: _, keys, shows_keys } = self;
        f.debug_struct("MonitorBuilder")
            .field("thresholds", thresholds)
            .field("keys", keys)
            .field("shows_keys", shows_keys)
            .finish_non_exhaustive()
    }
}
