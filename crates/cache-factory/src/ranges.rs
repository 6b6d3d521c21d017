//! Whether each setting is in its range, whatever the others are.

use std::fmt::Display;
use std::ops::RangeInclusive;

use cache_core::{Namespace, Problems, Ttl};
use cache_tiered::{Compression, Settings};

use crate::config::{CacheConfig, CacheType, RedisConfig};
use crate::presets;

/// Adds what is out of range. What is not given is fine.
pub(crate) fn check(config: &CacheConfig, problems: &mut Problems) {
    if let Some(Err(error)) = config.default_ttl.map(Ttl::new) {
        problems.add(format!("default_ttl: {}", error.message()));
    }
    policy(config, Settings::default()).check(problems);
    within(
        "compression_threshold",
        &(0..=Compression::MAX_THRESHOLD),
        config.compression_threshold,
        problems,
    );
    if let Some(level) = config.compression_level {
        problems.take(Compression::new(0, level));
    }
    within("l1_cache_size", &presets::L1_CACHE_SIZE, config.l1_cache_size, problems);
    within("l1_max_bytes", &presets::L1_MAX_BYTES, config.l1_max_bytes, problems);
    if let Some(namespace) = &config.namespace {
        problems.take(Namespace::new(namespace));
    }
    for (name, ttl) in config.ai.iter().flat_map(|ai| ai.operation_ttls.iter().flatten()) {
        if let Err(error) = Ttl::new(*ttl) {
            problems.add(format!("operation_ttls: {name}: {}", error.message()));
        }
    }
    within(
        "text_hash_threshold",
        &(0..=100_000),
        config.ai.as_ref().and_then(|ai| ai.text_hash_threshold),
        problems,
    );
    #[cfg(feature = "monitor")]
    if let Some(monitor) = &config.performance_monitor {
        crate::watching::check_alone(monitor, problems);
    }
    if let Some(redis) = &config.redis {
        check_redis(redis, problems);
    }
}

/// `settings` with all that is given and that they know as it is: no TTL, no compression.
pub(crate) fn policy(config: &CacheConfig, mut settings: Settings) -> Settings {
    settings.stale_for = config.stale_for.unwrap_or(settings.stale_for);
    settings.load_timeout = config.load_timeout.unwrap_or(settings.load_timeout);
    settings.negative_window = config.negative_window.unwrap_or(settings.negative_window);
    settings.limits.value = config.max_value_bytes.unwrap_or(settings.limits.value);
    settings.format = config.format.unwrap_or(settings.format);
    settings.store_timeout = config.store_timeout.unwrap_or(settings.store_timeout);
    settings.wait_for_write = config.wait_for_write.unwrap_or(settings.wait_for_write);
    settings.claims = config.claims.unwrap_or(settings.claims);
    settings.on_store_error = config.on_store_error.unwrap_or(settings.on_store_error);
    settings.lease = config.lease.unwrap_or(settings.lease);
    settings.disconnected_max_age = config.disconnected_max_age.unwrap_or(settings.disconnected_max_age);
    // No hit is staler than the lease unless somebody says so.
    let untracked = settings.untracked_max_age.min(settings.lease);
    settings.untracked_max_age = config.untracked_max_age.unwrap_or(untracked);
    settings.production = config.production.unwrap_or(settings.production);
    settings.replay_queue = config.replay_queue.unwrap_or(settings.replay_queue);
    if let Some(breaker) = &config.breaker {
        settings.breaker.failures = breaker.failures.unwrap_or(settings.breaker.failures);
        settings.breaker.window = breaker.window.unwrap_or(settings.breaker.window);
        settings.breaker.open_for = breaker.open_for.unwrap_or(settings.breaker.open_for);
    }
    settings
}

/// Adds what contradicts itself, whatever else will be set.
pub(crate) fn contradictions(config: &CacheConfig, problems: &mut Problems) {
    if let (Some(on), Some(entries)) = (config.enable_l1_cache, config.l1_cache_size) {
        problems.check(on == (entries > 0), || {
            format!("enable_l1_cache is {on} and l1_cache_size {entries}: they contradict each other, leave out one of them")
        });
    }
    let Some(redis) = &config.redis else { return };
    problems.check(config.r#type != Some(CacheType::Memory) || redis.url.is_none(), || {
        "memory only and an address of Redis contradict each other: leave out one of them".to_owned()
    });
    let in_url = redis.url.as_ref().is_some_and(|url| url.has_password());
    let given = [in_url, redis.password.is_some(), redis.password_file.is_some()];
    problems.check(given.into_iter().filter(|given| *given).count() < 2, || {
        "the password of Redis is given more than once: leave it in one of url, password and password_file".to_owned()
    });
}

/// Adds what only half of is there.
pub(crate) fn halves(config: &CacheConfig, problems: &mut Problems) {
    let Some(redis) = &config.redis else { return };
    problems.check(redis.cert_file.is_some() == redis.key_file.is_some(), || {
        "a certificate and its key belong together: give both of cert_file and key_file, or none".to_owned()
    });
}

fn check_redis(redis: &RedisConfig, problems: &mut Problems) {
    if let Some(given) = redis.connect_timeout.filter(|given| !presets::CONNECT_TIMEOUTS.contains(given)) {
        let (least, most) = (presets::CONNECT_TIMEOUTS.start(), presets::CONNECT_TIMEOUTS.end());
        problems.add(format!("connect_timeout is {given:?}, {least:?} to {most:?} are allowed"));
    }
}

fn within<T: PartialOrd + Display>(
    name: &str,
    range: &RangeInclusive<T>,
    given: Option<T>,
    problems: &mut Problems,
) {
    if let Some(given) = given.filter(|given| !range.contains(given)) {
        let unit = match name {
            "l1_cache_size" => "entries",
            "text_hash_threshold" => "characters",
            _ => "bytes",
        };
        problems.add(format!("{name} is {given} {unit}, {} to {} are allowed", range.start(), range.end()));
    }
}
