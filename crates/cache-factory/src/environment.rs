//! Where a cache is used, by name.

#[cfg(feature = "ai")]
use std::collections::BTreeMap;
use std::fmt;

#[cfg(feature = "ai")]
use crate::config::AiConfig;
#[cfg(feature = "ai")]
use crate::durations::secs;

/// Where a cache is used. It stands for defaults: whatever is said in code, by variables or in a file wins over them.
///
/// | | default TTL | tier 1 entries | compressed above | level | no Redis at the start |
/// |---|---|---|---|---|---|
/// | `development` | 5 min | 50 | 5000 bytes | the preset's | goes on without |
/// | `staging` | 30 min | 100 | 2000 bytes | the preset's | an error |
/// | `production` | 1 h | 500 | 1000 bytes | 8 | an error |
/// | `high-performance` | 2 h | 1000 | 500 bytes | 3 | goes on without |
/// | `ai-production` | 1 h | 200 | 1000 bytes | 7 | goes on without |
///
/// All of them have a Redis, `redis://127.0.0.1:6379` unless its address is given; in development it is database 1 of it.
/// Levels above 3 need the feature `zstd`. `production` and `ai-production` are marked:
/// [`clear`](crate::Cache::clear) and [`invalidate_tag`](crate::Cache::invalidate_tag) need a [`Confirm`](crate::Confirm).
/// A monitor that is [configured](crate::MonitorConfig) in `high-performance` has stricter thresholds. `ai-production` is for
/// AI caches alone, where texts are hashed above 500 characters and summarize is fresh for 2 h, sentiment 4 h, qa 30 min and
/// translate 24 h.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Environment {
    /// `development`: where it is written.
    Development,
    /// `staging`: where it is tried out.
    Staging,
    /// `production`: where it counts.
    Production,
    /// `high-performance`: where it counts, and every millisecond too.
    HighPerformance,
    /// `ai-production`: where answers of language models count.
    AiProduction,
}

impl Environment {
    pub(crate) const ALL: &'static [(&'static str, Self)] = &[
        ("development", Self::Development),
        ("staging", Self::Staging),
        ("production", Self::Production),
        ("high-performance", Self::HighPerformance),
        ("ai-production", Self::AiProduction),
    ];

    /// Its name, as files and variables say it.
    pub fn as_str(self) -> &'static str {
        Self::ALL.iter().find(|(_, it)| *it == self).map_or("", |(name, _)| name)
    }

    /// Whether caches in it are marked as production, unless that is said otherwise.
    pub fn is_production(self) -> bool {
        matches!(self, Self::Production | Self::AiProduction)
    }

    /// What it says of an AI cache.
    #[cfg(feature = "ai")]
    pub(crate) fn ai(self) -> AiConfig {
        let mut config = AiConfig::default();
        if self == Self::AiProduction {
            let ttls = [("summarize", 7200), ("sentiment", 14_400), ("qa", 1800), ("translate", 86_400)];
            config.text_hash_threshold = Some(500);
            config.operation_ttls =
                Some(BTreeMap::from(ttls.map(|(operation, ttl)| (operation.into(), secs(ttl)))));
        }
        config
    }
}

impl fmt::Display for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(all(
    test,
    feature = "memory",
    feature = "redis",
    feature = "lz4",
    feature = "ai",
    feature = "monitor"
))]
mod tests {
    use cache_core::Error;

    use super::*;
    use crate::config::{CacheConfig, MonitorConfig};
    use crate::presets::{self, Preset};
    use crate::resolve::{Plan, resolve};

    fn plan(config: CacheConfig) -> Result<Plan, Error> {
        let preset = Preset { is_ai: true, ..presets::CONFIG };
        resolve(&preset, CacheConfig::default(), config, false)
    }

    #[test]
    fn the_file_of_each_says_what_its_name_says() {
        for (name, environment) in Environment::ALL {
            let file = format!("{}/../../docs/environments/{name}.toml", env!("CARGO_MANIFEST_DIR"));
            let problems = CacheConfig::problems_of_file(&file);
            if !cfg!(feature = "zstd") && problems.iter().any(|problem| problem.contains("feature `zstd`")) {
                assert_eq!(problems.len(), 1, "{problems:?}");
                continue;
            }
            assert_eq!(problems, [""; 0]);
            let said = CacheConfig::from_file(&file).unwrap();
            let mut redis = said.redis.clone().unwrap();
            redis.fail_on_connection_error = None;
            let named = CacheConfig {
                environment: Some(*environment),
                redis: Some(redis),
                performance_monitor: said.performance_monitor.as_ref().map(|_| MonitorConfig::default()),
                ..CacheConfig::default()
            };
            assert_eq!(said.ai.clone().unwrap_or_default(), environment.ai(), "{name}");
            let (said, named) = (plan(said).unwrap(), plan(named).unwrap());
            let shown = |plan: &Plan| {
                let Plan { settings, tier1, tier1_alone, redis, monitor, .. } = plan;
                format!("{settings:#?} {tier1:?} {tier1_alone:?} {redis:#?} {monitor:?}")
            };
            assert_eq!(shown(&said), shown(&named), "{name}");
        }
    }

    #[test]
    fn an_environment_has_the_redis_on_this_machine_in_development_a_database_of_its_own() {
        for (environment, url) in [
            (Environment::Development, "redis://127.0.0.1:6379/1"),
            (Environment::Staging, "redis://127.0.0.1:6379"),
            (Environment::HighPerformance, "redis://127.0.0.1:6379"),
        ] {
            let config = CacheConfig { environment: Some(environment), ..CacheConfig::default() };
            assert_eq!(plan(config).unwrap().redis.unwrap().url.expose(), url, "{environment}");
            let variables = [("CACHE_ENVIRONMENT", environment.as_str())];
            let config = CacheConfig::from_variables(variables).unwrap();
            assert_eq!(config.redis.unwrap().url.unwrap().expose(), url, "{environment}");
        }
    }
}
