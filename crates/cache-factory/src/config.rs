//! What an application can say outside of its code.

mod allowed;
mod fields;
pub(crate) mod file;
mod layers;
mod meant;
mod paths;
mod read;
mod schema;
mod tables;
mod tree;
mod value;
mod variables;
mod write;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use cache_core::{Error, FeedMode, Format, Problems};
use cache_tiered::OnStoreError;
use serde::{Deserialize, Deserializer};

use self::tree::Tree;
#[cfg(feature = "ai")]
pub(crate) use self::variables::AI_PRESETS;
use self::variables::ALL_PRESETS;
pub(crate) use self::variables::{PRESETS, Presets, Said};
use crate::environment::Environment;
use crate::redis_url::RedisUrl;
use crate::secret::Secret;

/// The settings of a cache, as files and variables hold them. What is `None` is left to the preset.
///
/// Goes into [`CacheFactory::from_config`](crate::CacheFactory::from_config). In files durations are seconds, with
/// fractions if need be, and the keys are the names of the fields. Reading finds everything that is wrong at once:
/// unknown keys, wrong types, values out of range. What contradicts each other or has no effect is found when the
/// setup is awaited, because settings in code can change that.
///
/// ```
/// use cache_factory::CacheConfig;
///
/// let config = CacheConfig::from_toml(r#"
///     default_ttl = 7200
///     l1_cache_size = 1000
///     [redis]
///     url = "redis://cache.internal:6379/0"
///     fail_on_connection_error = true
/// "#)?;
/// assert_eq!(config.l1_cache_size, Some(1000));
/// # Ok::<(), cache_factory::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct CacheConfig {
    /// Where the cache keeps what it holds. Without it, a `redis` table means Redis.
    pub r#type: Option<CacheType>,
    /// [`CacheSetup::namespace`](crate::CacheSetup::namespace), 1 to 128 bytes when escaped.
    pub namespace: Option<String>,
    /// [`CacheSetup::default_ttl`](crate::CacheSetup::default_ttl), 1 ms to 365 days.
    pub default_ttl: Option<Duration>,
    /// [`CacheSetup::environment`](crate::CacheSetup::environment): `development`, `staging`, `production`, `high-performance` or
    /// `ai-production`.
    pub environment: Option<Environment>,
    /// [`CacheSetup::stale_for`](crate::CacheSetup::stale_for), 0 to 365 days.
    pub stale_for: Option<Duration>,
    /// [`CacheSetup::load_timeout`](crate::CacheSetup::load_timeout), 1 ms to 1 day.
    pub load_timeout: Option<Duration>,
    /// [`CacheSetup::negative_window`](crate::CacheSetup::negative_window), 0 to 1 hour.
    pub negative_window: Option<Duration>,
    /// [`CacheSetup::l1_cache_size`](crate::CacheSetup::l1_cache_size), 0 to 100 000 000 entries. In files and variables
    /// `max_size` is the same.
    pub l1_cache_size: Option<usize>,
    /// [`CacheSetup::enable_l1_cache`](crate::CacheSetup::enable_l1_cache).
    pub enable_l1_cache: Option<bool>,
    /// [`CacheSetup::l1_max_bytes`](crate::CacheSetup::l1_max_bytes), 64 KiB to 1 TiB.
    pub l1_max_bytes: Option<u64>,
    /// [`CacheSetup::max_value_bytes`](crate::CacheSetup::max_value_bytes), 1 byte to 64 MiB.
    pub max_value_bytes: Option<usize>,
    /// [`CacheSetup::compression_threshold`](crate::CacheSetup::compression_threshold), 0 bytes to 1 MiB.
    pub compression_threshold: Option<usize>,
    /// [`CacheSetup::compression_level`](crate::CacheSetup::compression_level), 1 to 9.
    pub compression_level: Option<u8>,
    /// [`CacheSetup::format`](crate::CacheSetup::format): `msgpack` or `json`.
    pub format: Option<Format>,
    /// [`CacheSetup::store_timeout`](crate::CacheSetup::store_timeout), 1 ms to 1 minute.
    pub store_timeout: Option<Duration>,
    /// [`CacheSetup::wait_for_write`](crate::CacheSetup::wait_for_write).
    pub wait_for_write: Option<bool>,
    /// [`CacheSetup::claims`](crate::CacheSetup::claims).
    pub claims: Option<bool>,
    /// [`CacheSetup::on_store_error`](crate::CacheSetup::on_store_error): `degrade` or `fail`.
    pub on_store_error: Option<OnStoreError>,
    /// [`CacheSetup::lease`](crate::CacheSetup::lease), 100 ms to 1 minute.
    pub lease: Option<Duration>,
    /// [`CacheSetup::disconnected_max_age`](crate::CacheSetup::disconnected_max_age), 0 to 1 day.
    pub disconnected_max_age: Option<Duration>,
    /// [`CacheSetup::untracked_max_age`](crate::CacheSetup::untracked_max_age), 0 to 1 hour.
    pub untracked_max_age: Option<Duration>,
    /// [`CacheSetup::replay_queue`](crate::CacheSetup::replay_queue), 1 to 100 000 keys and tags.
    pub replay_queue: Option<usize>,
    /// [`CacheSetup::breaker`](crate::CacheSetup::breaker).
    pub breaker: Option<BreakerConfig>,
    /// [`CacheSetup::production`](crate::CacheSetup::production). `cachectl` removes nothing then without an express word.
    pub production: Option<bool>,
    /// [`CacheSetup::debug_logging`](crate::CacheSetup::debug_logging).
    pub debug_logging: Option<bool>,
    /// What watches it: [`CacheSetup::monitor`](crate::CacheSetup::monitor).
    pub performance_monitor: Option<MonitorConfig>,
    /// What is special about an AI cache: for [`ai_from_config`](crate::CacheFactory::ai_from_config) alone.
    pub ai: Option<AiConfig>,
    /// The Redis behind it.
    pub redis: Option<RedisConfig>,
}

/// Where a cache keeps what it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CacheType {
    /// In this process alone.
    Memory,
    /// In this process and in Redis.
    Redis,
}

/// What is special about an AI cache.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct AiConfig {
    /// Texts of at most so many characters stand readable in keys: 0 (none) to 100 000, 500 by default.
    pub text_hash_threshold: Option<usize>,
    /// How long answers are fresh, by operation, over the defaults: each 1 ms to 365 days.
    pub operation_ttls: Option<BTreeMap<String, Duration>>,
    /// Whether nothing of what was asked is stored, whatever its length. `false` by default.
    pub store_no_request_text: Option<bool>,
    /// Whether nothing is ever generated. `false` by default.
    pub only_if_cached: Option<bool>,
}

/// When a store that fails is left alone, and for how long.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct BreakerConfig {
    /// So many failures in a row are enough: 1 to 1000, 5 by default.
    pub failures: Option<u32>,
    /// Half of this many last calls failing is enough too: 2 to 64, 20 by default.
    pub window: Option<u32>,
    /// How long it is left alone, unless the link shows a sign of life earlier: 1 ms to 1 hour, 30 s by default.
    pub open_for: Option<Duration>,
}

/// A monitor that watches a cache, if there is such a table. What is not said is as
/// [`Thresholds`](cache_monitor::Thresholds) has it, or as the environment has it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct MonitorConfig {
    /// Whether there is one; `true` unless said otherwise.
    pub enabled: Option<bool>,
    /// Bytes in tier 1 that are worth a warning: 1 and up, less than `memory_critical`.
    pub memory_warning: Option<u64>,
    /// Bytes in tier 1 that are critical.
    pub memory_critical: Option<u64>,
    /// A lower share of reads that find a value is worth a warning: 0 (never) to 1.
    pub hit_ratio_warning: Option<f64>,
    /// What takes longer counts as slow: 1 µs to 1 hour.
    pub operation_slow: Option<Duration>,
}

/// The Redis behind a cache, and how to reach it.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct RedisConfig {
    /// [`CacheSetup::redis_url`](crate::CacheSetup::redis_url), `redis://127.0.0.1:6379` by default.
    pub url: Option<RedisUrl>,
    /// The password, if it does not stand in the address.
    pub password: Option<Secret>,
    /// The file that has the password in its first line, read each time that a setup is awaited; at most 4096 bytes long. Only one
    /// of this, `password` and a password in `url` is allowed.
    pub password_file: Option<PathBuf>,
    /// [`CacheSetup::redis_ca_file`](crate::CacheSetup::redis_ca_file).
    pub ca_file: Option<PathBuf>,
    /// The certificate of [`CacheSetup::redis_client_certificate`](crate::CacheSetup::redis_client_certificate).
    pub cert_file: Option<PathBuf>,
    /// Its key.
    pub key_file: Option<PathBuf>,
    /// [`CacheSetup::connect_timeout`](crate::CacheSetup::connect_timeout), 1 ms to 1 minute.
    pub connect_timeout: Option<Duration>,
    /// [`CacheSetup::fail_on_connection_error`](crate::CacheSetup::fail_on_connection_error).
    pub fail_on_connection_error: Option<bool>,
    /// [`CacheSetup::feed`](crate::CacheSetup::feed): `auto`, `tracking`, `pubsub` or `ttl_only`.
    pub feed: Option<FeedMode>,
}

impl CacheConfig {
    /// Reads a file whose name ends in `.toml` or `.json`, of at most 1 MiB. Blocks while it reads.
    ///
    /// # Errors
    /// [`Configuration`](cache_core::ErrorKind::Configuration) if it cannot be read, is too long or of another kind, and listing all
    /// that is wrong in it.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, Error> {
        let mut problems = Problems::default();
        let config = file::read_file(path.as_ref(), &mut problems);
        problems.configuration().map_err(|error| error.in_operation("CacheConfig"))?;
        Ok(config)
    }

    /// What a file's settings are wrong in, all of it at once: what [`from_file`](Self::from_file) refuses, and what would be
    /// refused when a cache is built of it: what contradicts each other or has no effect. Empty for a good one. Opens
    /// nothing but the file, and blocks while it reads.
    pub fn problems_of_file(path: impl AsRef<Path>) -> Vec<String> {
        let mut problems = Problems::default();
        let config = file::read_file(path.as_ref(), &mut problems);
        let mut all = problems.into_list();
        let Err(error) = crate::resolve::check(config) else { return all };
        // What is out of range was said with the name of the file.
        for problem in error {
            if !all.iter().any(|said| said.ends_with(&problem)) {
                all.push(format!("{}: {problem}", path.as_ref().display()));
            }
        }
        all
    }

    /// What variables and the file that `CACHE_CONFIG` names say, as [`CacheFactory::from_variables`] takes them. Of a
    /// preset that they name only the address of Redis is taken.
    ///
    /// # Errors
    /// As [`CacheFactory::from_variables`].
    ///
    /// [`CacheFactory::from_variables`]: crate::CacheFactory::from_variables
    pub fn from_variables<N, V>(variables: impl IntoIterator<Item = (N, V)>) -> Result<Self, Error>
    where
        N: Into<OsString>,
        V: Into<OsString>,
    {
        let variables = variables.into_iter().map(|(name, value)| (name.into(), value.into()));
        let mut problems = Problems::default();
        let Said { preset, mut config } = Said::by(&ALL_PRESETS, variables, &mut problems);
        problems.configuration().map_err(|error| error.in_operation("from_variables"))?;
        if let (Some(url), None) = (preset.in_environment(config.environment).redis_url, config.r#type) {
            config.redis.get_or_insert_default().url.get_or_insert_with(|| RedisUrl::new(url));
        }
        Ok(config)
    }

    /// Reads TOML.
    ///
    /// # Errors
    /// [`Configuration`](cache_core::ErrorKind::Configuration), listing all that is wrong.
    pub fn from_toml(text: &str) -> Result<Self, Error> {
        Self::from_tree(file::parse_toml(text))
    }

    /// Reads JSON.
    ///
    /// # Errors
    /// [`Configuration`](cache_core::ErrorKind::Configuration), listing all that is wrong.
    pub fn from_json(text: &str) -> Result<Self, Error> {
        Self::from_tree(file::parse_json(text))
    }

    fn from_tree(tree: Result<Tree, String>) -> Result<Self, Error> {
        let mut problems = Problems::default();
        let config = file::checked(tree, &mut problems);
        problems.configuration().map_err(|error| error.in_operation("CacheConfig"))?;
        Ok(config)
    }
}

impl<'de> Deserialize<'de> for CacheConfig {
    /// As part of an application's own configuration. All that is wrong is in the one error.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let tree = Tree::deserialize(deserializer)?;
        Self::from_tree(Ok(tree)).map_err(|error| serde::de::Error::custom(error.message()))
    }
}
