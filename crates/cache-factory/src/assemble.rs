//! From what was said of a cache to the cache.

use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::sync::Arc;
#[cfg(any(feature = "ai", feature = "monitor"))]
use std::time::Duration;

use cache_core::{Clock, Error, LocalTier, Namespace, Observer, Store, Timer};
use cache_tiered::{Cache, Settings, TokioTimer};

use crate::config::AiConfig;
#[cfg(feature = "ai")]
use crate::environment::Environment;
use crate::logged::Logged;
use crate::resolve::{Plan, resolve};
use crate::setup::CacheSetup;
use crate::tiers::Tiers;
#[cfg(feature = "monitor")]
use crate::watching::{self, Kept};

/// How often the thresholds of a monitor are judged.
#[cfg(feature = "monitor")]
const JUDGED_EVERY: Duration = Duration::from_secs(10);

impl CacheSetup {
    async fn build(self) -> Result<Cache, Error> {
        let Parts { namespace, settings, local, store, timer, observer, .. } = self.parts().await?;
        let mut builder = Cache::builder(namespace).settings(settings).timer(timer);
        if let Some(local) = local {
            builder = builder.local(local);
        }
        if let Some(store) = store {
            builder = builder.store(store);
        }
        if let Some(observer) = observer {
            builder = builder.observer(observer);
        }
        builder.build()
    }

    /// What a configuration and the environment say of an AI cache.
    #[cfg(feature = "ai")]
    pub(crate) fn ai_config(&self) -> AiConfig {
        let by_environment = self.named_environment().map(Environment::ai).unwrap_or_default();
        self.config.ai.clone().unwrap_or_default().over(by_environment)
    }

    /// The default TTL of the environment, if one is named.
    #[cfg(feature = "ai")]
    pub(crate) fn ttl_of_environment(&self) -> Option<Duration> {
        let environment = self.named_environment();
        environment.map(|_| self.preset.in_environment(environment).default_ttl)
    }

    #[cfg(feature = "ai")]
    fn named_environment(&self) -> Option<Environment> {
        self.code.environment.or(self.config.environment)
    }

    /// # Errors
    /// All that is wrong, without opening anything.
    #[cfg(feature = "ai")]
    pub(crate) fn check(&self) -> Result<(), Error> {
        self.plan().map(drop)
    }

    /// What is to be built.
    ///
    /// # Errors
    /// All that is wrong, without opening anything.
    pub(crate) fn plan(&self) -> Result<Plan, Error> {
        let Self { preset, config, code, store, .. } = self;
        let plan = resolve(preset, code.clone(), config.clone(), store.is_some());
        #[cfg(feature = "monitor")]
        if self.observer.is_some()
            && (self.monitor.is_some() || plan.as_ref().is_ok_and(|plan| plan.monitor.is_some()))
        {
            let mut problems = cache_core::Problems::default();
            problems.take(plan.as_ref().map_err(Error::clone));
            problems
                .add("observer and performance_monitor: a cache reports to one of them, leave the other out");
            problems.configuration()?;
        }
        plan
    }

    /// All that a cache is made of.
    ///
    /// # Errors
    /// All that is wrong with the setup; those of connecting to Redis.
    pub(crate) async fn parts(self) -> Result<Parts, Error> {
        let operation = self.operation;
        let named = |error: Error| error.in_operation(operation);
        #[allow(unused_mut, reason = "changed in a build with the feature `seal`")]
        let mut plan = self.plan().map_err(named)?;
        #[cfg(feature = "seal")]
        let sealing = self.sealing;
        #[cfg(feature = "monitor")]
        let monitor = match self.monitor {
            Some(monitor) => Some(monitor),
            None => watching::made(&plan, self.timer.as_ref()).map_err(named)?,
        };
        let Self { store, observer, timer, .. } = self;
        #[cfg(feature = "seal")]
        {
            plan.settings.sealing = sealing;
        }
        let timer = timer.unwrap_or_else(|| Arc::new(TokioTimer::new()));
        let clock: Arc<dyn Clock> = timer.clone();
        let Tiers { local, store } = Tiers::make(&plan, store, &clock).await.map_err(named)?;
        #[cfg(feature = "seal")]
        if plan.settings.sealing.is_some() && store.is_none() {
            let message =
                "sealing has no effect on a memory-only cache: leave it out, or give the cache a store";
            return Err(named(Error::new(cache_core::ErrorKind::Configuration, message)));
        }
        #[cfg(feature = "monitor")]
        let observer = observer.or_else(|| {
            let monitor = monitor?;
            if let Ok(runtime) = tokio::runtime::Handle::try_current() {
                runtime.spawn(monitor.watch_over(Arc::clone(&timer), JUDGED_EVERY));
            }
            Some(Arc::new(Kept::new(monitor)) as Arc<dyn Observer>)
        });
        let observer = match plan.debug_logging {
            true => Some(Logged::before(observer) as Arc<dyn Observer>),
            false => observer,
        };
        Ok(Parts {
            namespace: plan.namespace,
            settings: plan.settings,
            ai: plan.ai,
            local,
            store,
            timer,
            observer,
        })
    }
}

/// What a cache is made of.
#[allow(dead_code, reason = "`ai` is read in a build with that feature")]
pub(crate) struct Parts {
    pub(crate) namespace: Namespace,
    pub(crate) settings: Settings,
    pub(crate) ai: Option<AiConfig>,
    pub(crate) local: Option<Arc<dyn LocalTier>>,
    pub(crate) store: Option<Arc<dyn Store>>,
    pub(crate) timer: Arc<dyn Timer>,
    pub(crate) observer: Option<Arc<dyn Observer>>,
}

impl IntoFuture for CacheSetup {
    type Output = Result<Cache, Error>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    /// Builds the cache when it is polled. Dropping the future leaves nothing behind.
    ///
    /// Errors: [`Configuration`](cache_core::ErrorKind::Configuration), listing all that is wrong with the setup, or for what Redis
    /// refuses; [`Unavailable`](cache_core::ErrorKind::Unavailable) or [`Timeout`](cache_core::ErrorKind::Timeout) if it cannot be
    /// reached and [`fail_on_connection_error`](CacheSetup::fail_on_connection_error) is set.
    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.build())
    }
}
