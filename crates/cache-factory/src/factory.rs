//! Where an application starts.

use std::ffi::OsString;

use cache_core::{Error, Problems};

#[cfg(feature = "ai")]
use crate::ai_setup::AiSetup;
#[cfg(feature = "ai")]
use crate::config::AI_PRESETS;
use crate::config::{CacheConfig, PRESETS, Presets, Said};
use crate::presets::{self, Preset};
use crate::setup::CacheSetup;

/// Hands out caches with good defaults. Holds nothing: make one wherever you need it.
///
/// ```
/// use cache_factory::{CacheFactory, durations::{mins, secs}};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), cache_factory::Error> {
/// # #[cfg(feature = "memory")] {
/// let cache = CacheFactory::new().for_web_app().memory_only().stale_for(mins(10)).load_timeout(secs(5)).await?;
/// let page = cache.get_or_load("page:/", mins(1), || async { Ok::<_, std::io::Error>("<html>".to_owned()) }).await?;
/// assert_eq!(*page, "<html>");
/// # }
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, Default)]
pub struct CacheFactory(());

impl CacheFactory {
    /// A factory.
    pub const fn new() -> Self {
        Self(())
    }

    /// A cache for sessions, API responses and pages: 30 minutes, 200 entries in tier 1, compressed above 2000 bytes,
    /// shared through the Redis at `redis://127.0.0.1:6379`, or in memory while that is away.
    ///
    /// ```
    /// use cache_factory::{CacheFactory, durations::mins};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), cache_factory::Error> {
    /// # #[cfg(feature = "memory")] {
    /// let setup = CacheFactory::new().for_web_app().default_ttl(mins(10)).l1_cache_size(500);
    /// let cache = setup.memory_only().await?;
    /// cache.set("greeting", "hello", ()).await?;
    /// # }
    /// # Ok(()) }
    /// ```
    pub fn for_web_app(&self) -> CacheSetup {
        CacheSetup::new(&presets::WEB_APP)
    }

    /// A cache for answers of language models and for embeddings: 1 hour, or the TTL of the operation (summarize 2 h,
    /// sentiment 24 h, `key_points` 2 h, questions 1 h, qa 30 min, translate 24 h); 100 entries in tier 1, compressed above
    /// 1000 bytes; texts above 500 characters are hashed in keys. Redis as for [`for_web_app`](Self::for_web_app).
    /// A generation may take 2 minutes, and its error answers only those who wait for it.
    ///
    /// ```
    /// use cache_factory::CacheFactory;
    /// use cache_factory::ai::Tenant;
    /// use serde_json::{Value, json};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), cache_factory::Error> {
    /// # #[cfg(feature = "memory")] {
    /// let cache = CacheFactory::new().for_ai_app().memory_only().await?.for_tenant(Tenant::shared());
    /// let (text, options) = ("Analyze this document...", json!({"max_length": 100}));
    /// let response = json!({"summary": "Brief overview..."});
    /// let _ = cache.cache_response(text, "summarize", &options, &response).await?;
    /// let cached = cache.get_cached_response::<Value>(text, "summarize", &options).await?;
    /// assert_eq!(**cached.unwrap(), response);
    /// # }
    /// # Ok(()) }
    /// ```
    #[cfg(feature = "ai")]
    pub fn for_ai_app(&self) -> AiSetup {
        AiSetup::new(presets::AI_APP.name, &presets::AI_APP, CacheConfig::default())
    }

    /// An AI cache as a configuration describes it, with its `ai` table. What is not said there is as for
    /// [`for_ai_app`](Self::for_ai_app), but in memory alone unless there is a `redis` table.
    ///
    /// # Errors
    /// When it is awaited, as all setups.
    #[cfg(feature = "ai")]
    #[doc(alias = "create_ai_cache_from_config")]
    pub fn ai_from_config(&self, config: CacheConfig) -> AiSetup {
        AiSetup::new(presets::AI_CONFIG.name, &presets::AI_CONFIG, config)
    }

    /// A cache for tests: 1 minute, 50 entries in tier 1, compressed above 1000 bytes, database 15 of the Redis at
    /// `127.0.0.1:6379`.
    ///
    /// Beside a store tier 1 is off unless its size is given, so that a test sees what the store does. Without Redis,
    /// because of [`memory_only`](CacheSetup::memory_only) or because it is away, tier 1 is all there is, and is on.
    #[doc(alias = "test_cache")]
    pub fn for_testing(&self) -> CacheSetup {
        CacheSetup::new(&presets::TESTING)
    }

    /// A cache as a configuration describes it. What is not said there: 1 hour, 100 entries in tier 1, compressed
    /// above 1000 bytes, in memory alone unless there is a `redis` table. Settings in code win over the
    /// configuration.
    ///
    /// ```
    /// use cache_factory::{CacheConfig, CacheFactory};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), cache_factory::Error> {
    /// # #[cfg(feature = "memory")] {
    /// let config = CacheConfig::from_toml("type = 'memory'\n default_ttl = 300\n l1_cache_size = 50")?;
    /// let cache = CacheFactory::new().from_config(config).l1_cache_size(75).await?;
    /// assert_eq!(cache.stats().memory_usage.max_entries, 75);
    /// # }
    /// # Ok(()) }
    /// ```
    #[doc(alias = "create_cache_from_config")]
    // A method, as the presets are, though the factory holds nothing.
    #[allow(clippy::wrong_self_convention, reason = "it is from a configuration, and the guide's name")]
    pub fn from_config(&self, config: CacheConfig) -> CacheSetup {
        CacheSetup::configured(presets::CONFIG.name, &presets::CONFIG, config)
    }

    /// A cache as the process's environment describes it. Nothing else in these crates reads the environment.
    ///
    /// `CACHE_CONFIG` names a file for [`CacheConfig::from_file`]. Each of its settings can be given as a variable,
    /// which wins over the file: `CACHE_` and its path, `CACHE_DEFAULT_TTL` for `default_ttl` and `CACHE_REDIS_URL`
    /// for `redis.url`. What neither says is up to the [`Environment`](crate::Environment) that one of them names
    /// (`CACHE_ENVIRONMENT=production`), and then to the preset that `CACHE_PRESET` names, `web_app` or `testing`, or to the
    /// defaults of [`from_config`](Self::from_config). Settings in code win over all of it.
    ///
    /// # Errors
    /// [`Configuration`](cache_core::ErrorKind::Configuration), listing all that is wrong with variables and file. A
    /// variable that starts with `CACHE_` and is not known is wrong, unless it starts with `CACHE_TEST_`.
    #[doc(alias = "create_environment_cache")]
    pub fn from_env() -> Result<CacheSetup, Error> {
        Self::from_variables(std::env::vars_os())
    }

    /// Like [`from_env`](Self::from_env) with these variables instead of the process's.
    ///
    /// ```
    /// use cache_factory::CacheFactory;
    ///
    /// let variables = [("CACHE_TYPE", "memory"), ("CACHE_DEFAULT_TTL", "a day"), ("CACHE_L1_SIZE", "50")];
    /// let error = CacheFactory::from_variables(variables).unwrap_err();
    /// assert!(error.to_string().starts_with("from_env: 2 problems: CACHE_DEFAULT_TTL: default_ttl is a text"));
    /// assert!(error.to_string().contains("CACHE_L1_SIZE is unknown"));
    /// ```
    ///
    /// # Errors
    /// As [`from_env`](Self::from_env).
    pub fn from_variables<N, V>(variables: impl IntoIterator<Item = (N, V)>) -> Result<CacheSetup, Error>
    where
        N: Into<OsString>,
        V: Into<OsString>,
    {
        let (preset, config) = said("from_env", &PRESETS, variables)?;
        Ok(CacheSetup::configured("from_env", preset, config))
    }

    /// An AI cache as the process's environment describes it, by the same variables. The preset that `CACHE_PRESET` can
    /// name is `ai_app`; without it defaults are those of [`ai_from_config`](Self::ai_from_config).
    ///
    /// # Errors
    /// As [`from_env`](Self::from_env).
    #[cfg(feature = "ai")]
    pub fn ai_from_env() -> Result<AiSetup, Error> {
        Self::ai_from_variables(std::env::vars_os())
    }

    /// Like [`ai_from_env`](Self::ai_from_env) with these variables instead of the process's.
    ///
    /// ```
    /// use cache_factory::CacheFactory;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), cache_factory::Error> {
    /// # #[cfg(feature = "memory")] {
    /// let variables = [("CACHE_ENVIRONMENT", "ai-production"), ("CACHE_TYPE", "memory")];
    /// let cache = CacheFactory::ai_from_variables(variables)?.await?;
    /// assert!(cache.cache().settings().production);
    /// # }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// As [`from_env`](Self::from_env).
    #[cfg(feature = "ai")]
    pub fn ai_from_variables<N, V>(variables: impl IntoIterator<Item = (N, V)>) -> Result<AiSetup, Error>
    where
        N: Into<OsString>,
        V: Into<OsString>,
    {
        let (preset, config) = said("ai_from_env", &AI_PRESETS, variables)?;
        Ok(AiSetup::new("ai_from_env", preset, config))
    }
}

/// What variables come to.
fn said<N, V>(
    operation: &'static str,
    presets: &Presets,
    variables: impl IntoIterator<Item = (N, V)>,
) -> Result<(&'static Preset, CacheConfig), Error>
where
    N: Into<OsString>,
    V: Into<OsString>,
{
    let variables = variables.into_iter().map(|(name, value)| (name.into(), value.into()));
    let mut problems = Problems::default();
    let Said { preset, config } = Said::by(presets, variables, &mut problems);
    problems.configuration().map_err(|error| error.in_operation(operation))?;
    Ok((preset, config))
}
