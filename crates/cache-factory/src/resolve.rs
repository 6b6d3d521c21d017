//! From what was chosen and what the preset says to what is built: a pure function that finds all that is wrong.

use std::path::PathBuf;
use std::time::Duration;

use cache_core::{Error, FeedMode, Namespace, Problems, Ttl};
use cache_tiered::{Compression, Settings};

use crate::config::{AiConfig, CacheConfig, CacheType};
use crate::environment::Environment;
use crate::presets::{self, Preset};
use crate::ranges;
use crate::redis_url::RedisUrl;
use crate::secret::Secret;

/// What is to be built. Which parts of it are read depends on the features: without one, its part is `None`.
#[derive(Debug)]
#[allow(dead_code, reason = "see above")]
pub(crate) struct Plan {
    pub(crate) namespace: Namespace,
    pub(crate) settings: Settings,
    /// `None` if tier 1 is off.
    pub(crate) tier1: Option<Size>,
    /// Tier 1 of a cache whose Redis is away when it is built.
    pub(crate) tier1_alone: Option<Size>,
    /// The Redis to connect to.
    pub(crate) redis: Option<Server>,
    /// What is special about an AI cache.
    pub(crate) ai: Option<AiConfig>,
    /// By what the monitor that is configured judges.
    #[cfg(feature = "monitor")]
    pub(crate) monitor: Option<cache_monitor::Thresholds>,
    pub(crate) debug_logging: bool,
}

/// How much tier 1 may hold.
#[derive(Clone, Debug)]
#[allow(dead_code, reason = "as in Plan")]
pub(crate) struct Size {
    pub(crate) entries: usize,
    pub(crate) bytes: u64,
}

/// A Redis, and how to reach it.
#[derive(Clone, Debug)]
#[allow(dead_code, reason = "as in Plan")]
pub(crate) struct Server {
    pub(crate) url: RedisUrl,
    pub(crate) password: Option<Secret>,
    pub(crate) password_file: Option<PathBuf>,
    pub(crate) ca_file: Option<PathBuf>,
    /// A certificate and its key.
    pub(crate) certificate: Option<(PathBuf, PathBuf)>,
    pub(crate) connect_timeout: Duration,
    pub(crate) lease: Duration,
    pub(crate) feed: FeedMode,
    /// Below which Redis may have keys of the cache's own.
    pub(crate) namespace: Option<Namespace>,
    pub(crate) fail_on_connection_error: bool,
}

/// Where the cache keeps what it holds.
#[derive(Clone, Copy, PartialEq)]
enum Place {
    Memory,
    Redis,
    /// A store of the application's own.
    Own,
}

/// `code` is what the application said, `config` what a configuration said; code wins.
///
/// # Errors
/// [`Configuration`](cache_core::ErrorKind::Configuration) that lists all that is wrong.
pub(crate) fn resolve(
    preset: &Preset,
    code: CacheConfig,
    config: CacheConfig,
    has_own_store: bool,
) -> Result<Plan, Error> {
    let mut problems = Problems::default();
    let plan = resolved(preset, code, config, has_own_store, &mut problems);
    problems.configuration()?;
    plan.ok_or_else(|| Error::new(cache_core::ErrorKind::Internal, "a bad namespace was not refused"))
}

/// All that is wrong with a configuration of which a cache is to be made, an AI cache if it has an `ai` table.
///
/// # Errors
/// The problems, one by one.
pub(crate) fn check(config: CacheConfig) -> Result<(), Vec<String>> {
    let mut problems = Problems::default();
    let is_ai = config.ai.is_some() || config.environment == Some(Environment::AiProduction);
    let preset = Preset { is_ai, ..presets::CONFIG };
    resolved(&preset, CacheConfig::default(), config, false, &mut problems);
    match problems.into_list() {
        none if none.is_empty() => Ok(()),
        problems => Err(problems),
    }
}

fn resolved(
    preset: &Preset,
    code: CacheConfig,
    config: CacheConfig,
    has_own_store: bool,
    problems: &mut Problems,
) -> Option<Plan> {
    let config = if has_own_store { config.without_redis() } else { config };
    let redis_by_config = config.redis.is_some();
    let chosen = code.over(config);
    let preset = &preset.in_environment(chosen.environment);
    let place = place(preset, &chosen, redis_by_config, has_own_store);

    ranges::check(&chosen, problems);
    ranges::contradictions(&chosen, problems);
    ranges::halves(&chosen, problems);
    contradictions(&chosen, has_own_store, problems);
    missing_features(&chosen, place, problems);
    without_effect(&chosen, place, problems);
    problems.check(preset.is_ai || chosen.ai.is_none(), || {
        "there is an `ai` table, which this cache has no use for: leave it out, or use `ai_from_config`"
            .to_owned()
    });
    problems.check(preset.is_ai || chosen.environment != Some(Environment::AiProduction), || {
        "the environment ai-production is for AI caches: use `for_ai_app`, `ai_from_config` or `ai_from_env`, or name another"
            .to_owned()
    });
    let settings = settings(preset, &chosen, place, problems);
    let by_default = if place != Place::Memory && !preset.l1_beside_store { 0 } else { preset.l1_cache_size };
    let tier1 = tier1(preset, &chosen, by_default, place, problems);
    let tier1_alone = if chosen.l1_cache_size.is_some() || chosen.enable_l1_cache.is_some() {
        tier1.clone()
    } else {
        self::tier1(preset, &chosen, preset.l1_cache_size, place, &mut Problems::default())
    };
    let namespace = Namespace::new(chosen.namespace.as_deref().unwrap_or(preset.namespace));
    let redis = (place == Place::Redis)
        .then(|| server(preset, &chosen, settings.lease, namespace.as_ref().ok().cloned()));
    #[cfg(feature = "redis")]
    if let Some(server) = &redis {
        problems.take(crate::connect::check(server));
    }
    #[cfg(feature = "monitor")]
    let monitor = crate::watching::thresholds(preset, &chosen, problems);
    // What is wrong with a namespace that was said has been found already.
    let namespace = namespace.ok()?;
    Some(Plan {
        namespace,
        settings,
        tier1,
        tier1_alone,
        redis,
        ai: chosen.ai,
        #[cfg(feature = "monitor")]
        monitor,
        debug_logging: chosen.debug_logging.unwrap_or(false),
    })
}

fn place(preset: &Preset, chosen: &CacheConfig, redis_by_config: bool, has_own_store: bool) -> Place {
    let has_url = chosen.redis.as_ref().is_some_and(|redis| redis.url.is_some());
    // A preset's own wish for Redis gives way where that is not built in, one that was said does not.
    let by_preset = cfg!(feature = "redis") && preset.redis_url.is_some();
    match chosen.r#type {
        _ if has_own_store => Place::Own,
        Some(CacheType::Memory) => Place::Memory,
        Some(CacheType::Redis) => Place::Redis,
        None if has_url || redis_by_config || by_preset => Place::Redis,
        None => Place::Memory,
    }
}

/// What only code can say twice: a configuration holds no store.
fn contradictions(chosen: &CacheConfig, has_own_store: bool, problems: &mut Problems) {
    let has_url = chosen.redis.as_ref().is_some_and(|redis| redis.url.is_some());
    problems.check(!has_own_store || chosen.r#type != Some(CacheType::Memory), || {
        "memory_only and store contradict each other: leave out one of them".to_owned()
    });
    problems.check(!has_own_store || !has_url, || {
        "redis_url and store contradict each other: leave out one of them".to_owned()
    });
}

fn missing_features(chosen: &CacheConfig, place: Place, problems: &mut Problems) {
    problems.check(place != Place::Redis || cfg!(feature = "redis"), || {
        "this build has no Redis: enable the feature `redis`, or leave Redis out".to_owned()
    });
    problems.check(chosen.performance_monitor.is_none() || cfg!(feature = "monitor"), || {
        "performance_monitor: this build has no monitor, enable the feature `monitor`".to_owned()
    });
    if cfg!(feature = "memory") {
        return;
    }
    problems.check(place != Place::Memory, || {
        "this build has no tier 1 and there is no store: enable the feature `memory` or `redis`, or give the cache a \
         store"
            .to_owned()
    });
    let given = [
        ("l1_cache_size", chosen.l1_cache_size.is_some()),
        ("enable_l1_cache", chosen.enable_l1_cache.is_some()),
        ("l1_max_bytes", chosen.l1_max_bytes.is_some()),
    ];
    for (name, _) in given.iter().filter(|(_, given)| *given) {
        problems.add(format!("{name}: this build has no tier 1, enable the feature `memory`"));
    }
}

fn without_effect(chosen: &CacheConfig, place: Place, problems: &mut Problems) {
    if place == Place::Memory {
        let compression = "tier 1 holds values as they are, and only what goes to a store is compressed";
        let store = "there is no store to wait for, to ask or to fail";
        for (name, given, why) in [
            ("compression_threshold", chosen.compression_threshold.is_some(), compression),
            ("compression_level", chosen.compression_level.is_some(), compression),
            ("store_timeout", chosen.store_timeout.is_some(), store),
            ("wait_for_write", chosen.wait_for_write.is_some(), store),
            ("claims", chosen.claims.is_some(), store),
            ("on_store_error", chosen.on_store_error.is_some(), store),
            ("lease", chosen.lease.is_some(), store),
            ("disconnected_max_age", chosen.disconnected_max_age.is_some(), store),
            ("untracked_max_age", chosen.untracked_max_age.is_some(), store),
            ("replay_queue", chosen.replay_queue.is_some(), store),
            ("breaker", chosen.breaker.is_some(), store),
        ] {
            problems.check(!given, || {
                format!(
                    "{name} has no effect on a memory-only cache: {why}; leave it out, or give the cache a store"
                )
            });
        }
    }
    if place != Place::Redis {
        let redis = chosen.redis.clone().unwrap_or_default();
        for (name, given) in [
            ("password", redis.password.is_some() || redis.password_file.is_some()),
            ("ca_file", redis.ca_file.is_some()),
            ("cert_file", redis.cert_file.is_some() || redis.key_file.is_some()),
            ("connect_timeout", redis.connect_timeout.is_some()),
            ("fail_on_connection_error", redis.fail_on_connection_error.is_some()),
            ("feed", redis.feed.is_some()),
        ] {
            problems.check(!given, || {
                format!("{name} has no effect on a cache without Redis: leave it out, or give redis_url")
            });
        }
    }
}

fn server(preset: &Preset, chosen: &CacheConfig, lease: Duration, namespace: Option<Namespace>) -> Server {
    let redis = chosen.redis.clone().unwrap_or_default();
    let url = redis.url.unwrap_or_else(|| RedisUrl::new(preset.redis_url.unwrap_or(presets::REDIS_URL)));
    Server {
        url,
        password: redis.password,
        password_file: redis.password_file,
        ca_file: redis.ca_file,
        certificate: redis.cert_file.zip(redis.key_file),
        connect_timeout: redis.connect_timeout.unwrap_or(presets::CONNECT_TIMEOUT),
        lease,
        feed: redis.feed.unwrap_or_default(),
        namespace,
        fail_on_connection_error: redis.fail_on_connection_error.unwrap_or(preset.fail_on_connection_error),
    }
}

fn settings(preset: &Preset, chosen: &CacheConfig, place: Place, problems: &mut Problems) -> Settings {
    let mut settings = Settings::default();
    settings.load_timeout = preset.load_timeout;
    settings.negative_window = preset.negative_window;
    settings.disconnected_max_age = preset.disconnected_max_age;
    settings.production = preset.production;
    let mut settings = ranges::policy(chosen, settings);
    settings.default_ttl = Ttl::clamped(chosen.default_ttl.unwrap_or(preset.default_ttl));
    settings.compression = compression(preset, chosen, place, problems);
    settings
}

fn compression(preset: &Preset, chosen: &CacheConfig, place: Place, problems: &mut Problems) -> Compression {
    let (threshold, level) = (chosen.compression_threshold, chosen.compression_level);
    let preferred = Compression::new(
        threshold.unwrap_or(preset.compression_threshold).min(Compression::MAX_THRESHOLD),
        level.unwrap_or(preset.compression_level),
    );
    // Where LZ4 is not built in, a preset's own wish for it gives way. A level that was said has been checked, and a
    // cache that compresses nothing does not care. Who names an environment means its level.
    let is_said = (threshold.is_some() || preset.environment.is_some()) && level.is_none();
    match preferred {
        Err(error) if is_said && place != Place::Memory => {
            let of = preset.environment.map(|it| format!("environment {it}: ")).unwrap_or_default();
            problems.add(format!("{of}{}", error.message()));
            Compression::off()
        }
        preferred => preferred.unwrap_or(Compression::off()),
    }
}

fn tier1(
    preset: &Preset,
    chosen: &CacheConfig,
    by_default: usize,
    place: Place,
    problems: &mut Problems,
) -> Option<Size> {
    if !cfg!(feature = "memory") {
        return None;
    }
    let (off, by_default) = match chosen.enable_l1_cache {
        Some(true) => ("l1_cache_size is 0", preset.l1_cache_size),
        Some(false) => ("enable_l1_cache is false", 0),
        None => ("l1_cache_size is 0", by_default),
    };
    let entries = chosen.l1_cache_size.unwrap_or(by_default);
    let bytes = chosen.l1_max_bytes.unwrap_or(preset.l1_max_bytes);
    if entries > 0 {
        let value = chosen.max_value_bytes.filter(|&value| place == Place::Memory && value as u64 > bytes);
        if let Some(value) = value {
            problems.add(format!(
                "max_value_bytes is {value}, but tier 1 may hold {bytes} bytes in all and there is no store: allow \
                 {bytes} at most, or raise l1_max_bytes"
            ));
        }
        return Some(Size { entries, bytes });
    }
    problems.check(place != Place::Memory, || {
        format!(
            "{off}, which switches tier 1 off, and there is no store to keep anything: allow 1 to {} \
             entries, or give the cache a store",
            presets::L1_CACHE_SIZE.end()
        )
    });
    problems.check(chosen.l1_max_bytes.is_none(), || {
        "l1_max_bytes has no effect while tier 1 is off: leave it out, or give l1_cache_size at least 1"
            .to_owned()
    });
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nothing() -> CacheConfig {
        CacheConfig::default()
    }

    #[cfg(feature = "redis")]
    #[test]
    fn presets_look_for_the_redis_of_the_guide_and_a_configuration_for_none() {
        for (preset, url) in [
            (&presets::WEB_APP, Some("redis://127.0.0.1:6379")),
            (&presets::TESTING, Some("redis://127.0.0.1:6379/15")),
            #[cfg(feature = "memory")]
            (&presets::CONFIG, None),
        ] {
            let server = resolve(preset, nothing(), nothing(), false).unwrap().redis;
            assert_eq!(server.as_ref().map(|server| server.url.expose()), url, "{}", preset.name);
            if let Some(server) = server {
                assert_eq!(
                    (server.connect_timeout, server.fail_on_connection_error),
                    (Duration::from_secs(1), false)
                );
            }
        }
    }

    #[cfg(feature = "redis")]
    #[test]
    fn a_redis_table_without_an_address_means_the_one_on_this_machine() {
        for text in ["[redis]", "type = 'redis'", "redis.connect_timeout = 2"] {
            let config = CacheConfig::from_toml(text).unwrap();
            let server = resolve(&presets::CONFIG, nothing(), config, false).unwrap().redis.unwrap();
            assert_eq!(server.url.expose(), "redis://127.0.0.1:6379", "{text}");
        }
    }

    #[cfg(feature = "redis")]
    #[test]
    fn an_address_in_code_leaves_the_rest_that_was_said_of_redis() {
        let config = "[redis]\nurl = 'redis://a'\npassword = 'of a'\nconnect_timeout = 2";
        let code = CacheConfig::from_toml("redis.url = 'redis://b'").unwrap();
        let config = CacheConfig::from_toml(config).unwrap();
        let server = resolve(&presets::CONFIG, code, config, false).unwrap().redis.unwrap();
        assert_eq!((server.url.expose(), server.connect_timeout), ("redis://b", Duration::from_secs(2)));
        assert_eq!(server.password.unwrap().expose(), "of a");
    }

    #[cfg(not(feature = "redis"))]
    #[test]
    fn without_redis_a_preset_is_in_memory() {
        let redis = |preset| resolve(preset, nothing(), nothing(), true).unwrap().redis;
        assert!(redis(&presets::WEB_APP).is_none() && redis(&presets::TESTING).is_none());
    }

    #[cfg(not(feature = "memory"))]
    #[test]
    fn without_tier_1_a_store_is_needed_and_its_settings_name_the_feature() {
        let with_store =
            |text: &str| resolve(&presets::CONFIG, CacheConfig::from_toml(text).unwrap(), nothing(), true);
        assert!(with_store("").unwrap().tier1.is_none());
        let error = with_store("l1_cache_size = 5\nl1_max_bytes = 65536").unwrap_err();
        assert!(
            error.message().starts_with("2 problems: l1_cache_size: this build has no tier 1"),
            "{error}"
        );
        let error = resolve(&presets::CONFIG, nothing(), nothing(), false).unwrap_err();
        assert!(error.message().starts_with("this build has no tier 1 and there is no store"), "{error}");
    }
}
