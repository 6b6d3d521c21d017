//! The monitor: what an application holds, and what caches report to.

use std::fmt;
use std::future::Future;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use cache_core::{Error, Event, Moment, Namespace, Observer, Timer, Watched};
use futures_util::future::join_all;
use parking_lot::{Mutex, RwLock};

use crate::advice::{Recommendation, recommend};
use crate::alert::{Alert, AlertChange, AlertState, judge};
use crate::builder::MonitorBuilder;
use crate::health::{Overview, overview};
use crate::history::{CacheHistory, Now};
use crate::latency::nanos;
use crate::miss::MissReason;
use crate::report::{BigKey, HotKey};
#[cfg(feature = "json")]
use crate::section::Sections;
use crate::snapshot::{CacheSnapshot, Snapshot};
use crate::thresholds::Thresholds;
use crate::watch::{Plan, Watch};

/// Most caches that are watched apart; what comes when all are there is noted together, as `other`.
const CACHES: usize = 32;
/// A cache that was never there counts as gone after so long: its building failed.
const BUILT_WITHIN: Duration = Duration::from_secs(60);

/// Is told of every change of an alert.
pub(crate) type OnAlert = Arc<dyn Fn(&AlertChange) + Send + Sync>;

/// Watches one or more caches: give it to each as its observer.
///
/// What it takes of memory is bounded: for each cache about 0.8 MB for the keys that it remembers (see
/// [`MonitorBuilder::remember`]), 150 KB for its last hour, and at most 48 histograms of 30 KiB, of which a cache of one kind of
/// use fills about ten; and for at most 32 caches, and one more for all others together.
///
/// ```
/// use std::sync::Arc;
/// use cache_core::SystemClock;
/// use cache_memory::MemoryTier;
/// use cache_monitor::PerformanceMonitor;
/// use cache_tiered::{Cache, Namespace};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), cache_core::Error> {
/// let monitor = PerformanceMonitor::new();
/// let tier1 = Arc::new(MemoryTier::new(1_000, 64 << 20, Arc::new(SystemClock::new()))?);
/// let cache = Cache::builder(Namespace::new("web")?).local(tier1).observer(monitor.clone()).build()?;
///
/// cache.get::<String>("user:42").await?;
/// assert_eq!(monitor.snapshot().caches[0].stats.reads.misses, 1);
/// assert_eq!(monitor.why_missed("user:42").as_str(), "never_stored");
/// # Ok(()) }
/// ```
pub struct PerformanceMonitor {
    plan: Plan,
    thresholds: RwLock<Thresholds>,
    on_alert: Option<OnAlert>,
    caches: RwLock<Vec<Arc<Watch>>>,
    /// What all caches share for which there was no place.
    beyond: Arc<Watch>,
    caches_beyond: AtomicU64,
    alerts: Mutex<AlertState>,
    is_watched_over: AtomicBool,
    #[cfg(feature = "json")]
    pub(crate) sections: Sections,
}

impl PerformanceMonitor {
    /// A monitor with the thresholds of [`Thresholds::default`], that shows keys redacted.
    pub fn new() -> Arc<Self> {
        Self::builder().make()
    }

    /// Starts to make a monitor with other settings.
    pub fn builder() -> MonitorBuilder {
        MonitorBuilder::default()
    }

    pub(crate) fn with(plan: Plan, thresholds: Thresholds, on_alert: Option<OnAlert>) -> Arc<Self> {
        Arc::new(Self {
            beyond: Arc::new(Watch::new("other".to_owned(), None, &plan)),
            plan,
            thresholds: RwLock::new(thresholds),
            on_alert,
            caches: RwLock::default(),
            caches_beyond: AtomicU64::new(0),
            alerts: Mutex::default(),
            is_watched_over: AtomicBool::new(false),
            #[cfg(feature = "json")]
            sections: Sections::default(),
        })
    }

    /// Judges by these thresholds from now on.
    ///
    /// # Errors
    /// [`Configuration`](cache_core::ErrorKind::Configuration), listing all that is out of range; nothing changes then.
    pub fn configure_thresholds(&self, thresholds: Thresholds) -> Result<(), Error> {
        thresholds.check()?;
        self.plan.slow_above.store(nanos(thresholds.operation_slow), Ordering::Relaxed);
        *self.thresholds.write() = thresholds;
        Ok(())
    }

    /// The thresholds that it judges by.
    pub fn thresholds(&self) -> Thresholds {
        *self.thresholds.read()
    }

    /// All that was noted so far, in numbers. Takes some tens of microseconds for each cache; keeps no operation waiting.
    pub fn snapshot(&self) -> Snapshot {
        let mut caches: Vec<CacheSnapshot> =
            self.watched().iter().map(|watch| CacheSnapshot::of(watch)).collect();
        let caches_beyond = self.caches_beyond.load(Ordering::Relaxed);
        if caches_beyond > 0 {
            caches.push(CacheSnapshot::of(&self.beyond));
        }
        Snapshot { at_unix_ms: self.plan.clock.unix_millis(), caches, alerts: self.alerts(), caches_beyond }
    }

    /// How each cache did over the last hour, in steps of 10 seconds: those that ended after a time by the wall clock in
    /// milliseconds since 1970, 0 for all, and the one under way. A step ends when somebody [`check`](Self::check)s or asks for
    /// this; one in which nobody did is longer.
    pub fn history(&self, after_unix_ms: u64) -> Vec<CacheHistory> {
        let now = self.now();
        self.watched().iter().map(|watch| watch.history(now, after_unix_ms)).collect()
    }

    /// The alerts that are up, as of the last [`check`](Self::check).
    pub fn alerts(&self) -> Vec<Alert> {
        self.alerts.lock().active.values().cloned().collect()
    }

    /// Judges what was noted so far: raises alerts and takes them back, each change with one line in the log and one call of
    /// the callback, and returns the changes. [`watch_over`](Self::watch_over) does it again and again.
    pub fn check(&self) -> Vec<AlertChange> {
        let now = self.now();
        self.watched().iter().for_each(|watch| watch.end_step(now));
        let snapshot = self.snapshot();
        let changes = {
            let mut alerts = self.alerts.lock();
            let (state, changes) = judge(&alerts, &snapshot, &self.thresholds());
            *alerts = state;
            changes
        };
        for change in &changes {
            log(change);
            if let Some(on_alert) = &self.on_alert {
                let told = std::panic::AssertUnwindSafe(|| on_alert(change));
                if std::panic::catch_unwind(told).is_err() {
                    tracing::error!("the callback for alerts panicked");
                }
            }
        }
        changes
    }

    /// [`check`](Self::check)s every so often (a second at least: less counts as one), until the monitor is dropped. Run it as a task;
    /// dropping it ends the checks. Of several only the first does anything, so that each cache of an application can start one.
    ///
    /// ```
    /// use std::{sync::Arc, time::Duration};
    /// use cache_monitor::PerformanceMonitor;
    /// use cache_tiered::TokioTimer;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// let monitor = PerformanceMonitor::new();
    /// let watching = tokio::spawn(monitor.watch_over(Arc::new(TokioTimer::new()), Duration::from_secs(10)));
    /// # watching.abort();
    /// # }
    /// ```
    pub fn watch_over(
        self: &Arc<Self>,
        timer: Arc<dyn Timer>,
        every: Duration,
    ) -> impl Future<Output = ()> + Send + 'static {
        let is_first = !self.is_watched_over.swap(true, Ordering::AcqRel);
        // Given back when the task is dropped, before its first poll too.
        let duty = is_first.then(|| Duty(Arc::downgrade(self)));
        let every = every.max(Duration::from_secs(1));
        async move {
            let Some(duty) = duty else { return };
            loop {
                let next = timer.now() + every;
                timer.sleep_until(next).await;
                match duty.0.upgrade() {
                    Some(monitor) => drop(monitor.check()),
                    None => return,
                }
            }
        }
    }

    /// What could be set otherwise, with the number behind each advice. Empty while there is too little to go by.
    #[doc(alias = "investigate_low_hit_rates")]
    #[doc(alias = "optimize_memory_usage")]
    pub fn recommendations(&self) -> Vec<Recommendation> {
        self.snapshot().caches.iter().flat_map(recommend).collect()
    }

    /// Why there was no value under a key when it was last asked for, or why there would be none now. If several caches are
    /// watched, it is the one to which something happened under this key last.
    pub fn why_missed(&self, key: &str) -> MissReason {
        let now = self.plan.clock.now();
        let answers = self.watched().into_iter().map(|watch| watch.memory.why_missed(key, now));
        // Of caches that remember nothing, one may know a key that looks alike.
        let rank = |(reason, at): &(MissReason, Option<Moment>)| (*at, *reason != MissReason::NeverStored);
        answers.max_by_key(rank).map_or(MissReason::NeverStored, |(reason, _)| reason)
    }

    /// The `most` keys that were asked for most, over all caches, the most asked for first; 0 for none. Keys are redacted unless
    /// [`show_keys`](MonitorBuilder::show_keys) is set.
    pub fn hot_keys(&self, most: usize) -> Vec<HotKey> {
        HotKey::top(&self.watched(), most)
    }

    /// The `most` keys with the largest values, over all caches, the largest first. Keys are redacted unless
    /// [`show_keys`](MonitorBuilder::show_keys) is set.
    pub fn big_keys(&self, most: usize) -> Vec<BigKey> {
        BigKey::top(&self.watched(), most)
    }

    /// How the caches are: each tries its store out (put, get and remove of a key that nobody else uses), all at a time, in a
    /// bounded time: three times the longest `store_timeout` among them. Dropping the future leaves nothing behind for long.
    pub async fn health(&self) -> Overview {
        let there = self.watched().into_iter().filter_map(|watch| Some((watch.name.clone(), watch.cache()?)));
        let asked = there.map(|(name, cache)| async move { (name, cache.health().await) });
        overview(join_all(asked).await, &self.alerts())
    }

    fn now(&self) -> Now {
        Now { at: self.plan.clock.now(), unix_ms: self.plan.clock.unix_millis() }
    }

    fn watched(&self) -> Vec<Arc<Watch>> {
        self.caches.read().clone()
    }
}

impl Observer for PerformanceMonitor {
    /// Of a cache that did not attach itself.
    fn event(&self, event: &Event<'_>) {
        self.beyond.event(event);
    }

    fn attach(&self, namespace: &Namespace, cache: Weak<dyn Watched>) -> Option<Arc<dyn Observer>> {
        let now = self.plan.clock.now();
        let mut caches = self.caches.write();
        // A cache that is just being built cannot be asked yet.
        caches.retain(|watch| watch.cache().is_some() || now.since(watch.attached_at) < BUILT_WITHIN);
        if caches.len() == CACHES {
            self.caches_beyond.fetch_add(1, Ordering::Relaxed);
            return Some(self.beyond.clone());
        }
        let is_taken = |name: &str| caches.iter().any(|watch| watch.name == name);
        let mut name = namespace.as_str().to_owned();
        let mut n = 1;
        while is_taken(&name) {
            n += 1;
            name = format!("{}#{n}", namespace.as_str());
        }
        let watch = Arc::new(Watch::new(name, Some(cache), &self.plan));
        caches.push(watch.clone());
        Some(watch)
    }
}

impl fmt::Debug for PerformanceMonitor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PerformanceMonitor")
            .field("caches", &self.watched().iter().map(|watch| watch.name.clone()).collect::<Vec<_>>())
            .field("thresholds", &self.thresholds())
            .finish_non_exhaustive()
    }
}

/// The right to check again and again.
struct Duty(Weak<PerformanceMonitor>);

impl Drop for Duty {
    fn drop(&mut self) {
        if let Some(monitor) = self.0.upgrade() {
            monitor.is_watched_over.store(false, Ordering::Release);
        }
    }
}

fn log(change: &AlertChange) {
    let (AlertChange::Raised(alert) | AlertChange::Eased(alert) | AlertChange::Cleared(alert)) = change;
    let Alert { cache, kind, value, threshold, severity, .. } = alert;
    let (kind, severity) = (kind.as_str(), format!("{severity:?}").to_lowercase());
    match change {
        AlertChange::Raised(_) => tracing::warn!(cache, kind, severity, value, threshold, "an alert is up"),
        AlertChange::Eased(_) => tracing::info!(cache, kind, severity, value, threshold, "an alert eased"),
        AlertChange::Cleared(_) => tracing::info!(cache, kind, "an alert is over"),
    }
}
