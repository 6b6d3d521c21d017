//! The defaults and ranges of all presets. Everything else reads them here.

use std::ops::RangeInclusive;
use std::time::Duration;

use crate::durations::{hours, mins, secs};
use crate::environment::Environment;

/// What a cache is unless its setup says otherwise.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Preset {
    /// The method that starts with it.
    pub(crate) name: &'static str,
    pub(crate) namespace: &'static str,
    pub(crate) default_ttl: Duration,
    /// Entries of tier 1.
    pub(crate) l1_cache_size: usize,
    /// Whether tier 1 is on beside a store too.
    pub(crate) l1_beside_store: bool,
    pub(crate) l1_max_bytes: u64,
    /// Longer values are stored compressed, in bytes.
    pub(crate) compression_threshold: usize,
    pub(crate) compression_level: u8,
    /// How long tier 1 goes on answering while the store is away.
    pub(crate) disconnected_max_age: Duration,
    /// The Redis that is looked for without being asked; `None` for none.
    pub(crate) redis_url: Option<&'static str>,
    pub(crate) load_timeout: Duration,
    /// How long after a failed load its error answers at once.
    pub(crate) negative_window: Duration,
    /// Whether it is one for answers of language models.
    pub(crate) is_ai: bool,
    pub(crate) fail_on_connection_error: bool,
    /// Whether voiding many entries has to be confirmed.
    pub(crate) production: bool,
    /// The environment that has changed it, if one was named.
    pub(crate) environment: Option<Environment>,
}

pub(crate) const WEB_APP: Preset = Preset {
    name: "for_web_app",
    namespace: "app",
    default_ttl: mins(30),
    l1_cache_size: 200,
    l1_beside_store: true,
    l1_max_bytes: 64 << 20,
    compression_threshold: 2000,
    compression_level: 1,
    disconnected_max_age: secs(60),
    redis_url: Some(REDIS_URL),
    load_timeout: secs(30),
    negative_window: secs(1),
    is_ai: false,
    fail_on_connection_error: false,
    production: false,
    environment: None,
};

#[cfg(feature = "ai")]
pub(crate) const AI_APP: Preset = Preset {
    name: "for_ai_app",
    default_ttl: mins(60),
    l1_cache_size: 100,
    compression_threshold: 1000,
    // Models take their time, and an error of theirs says nothing about the next call.
    load_timeout: secs(120),
    negative_window: Duration::ZERO,
    is_ai: true,
    ..WEB_APP
};

#[cfg(feature = "ai")]
pub(crate) const AI_CONFIG: Preset =
    Preset { name: "ai_from_config", disconnected_max_age: Duration::ZERO, redis_url: None, ..AI_APP };

pub(crate) const TESTING: Preset = Preset {
    name: "for_testing",
    default_ttl: secs(60),
    l1_cache_size: 50,
    l1_beside_store: false,
    compression_threshold: 1000,
    disconnected_max_age: Duration::ZERO,
    // A database of its own: what a test removes is nobody's.
    redis_url: Some("redis://127.0.0.1:6379/15"),
    ..WEB_APP
};

pub(crate) const CONFIG: Preset = Preset {
    name: "from_config",
    default_ttl: mins(60),
    l1_cache_size: 100,
    compression_threshold: 1000,
    disconnected_max_age: Duration::ZERO,
    redis_url: None,
    ..WEB_APP
};

impl Preset {
    /// This preset in an environment, which has a Redis and a tier 1.
    pub(crate) fn in_environment(self, environment: Option<Environment>) -> Self {
        let Some(named) = environment else { return self };
        let redis_url = self.redis_url.or(Some(REDIS_URL));
        let it =
            Self { l1_beside_store: true, redis_url, environment, production: named.is_production(), ..self };
        match named {
            Environment::Development => Self {
                default_ttl: mins(5),
                l1_cache_size: 50,
                compression_threshold: 5000,
                redis_url: Some("redis://127.0.0.1:6379/1"),
                ..it
            },
            Environment::Staging => Self {
                default_ttl: mins(30),
                l1_cache_size: 100,
                compression_threshold: 2000,
                fail_on_connection_error: true,
                ..it
            },
            Environment::Production => Self {
                default_ttl: hours(1),
                l1_cache_size: 500,
                compression_threshold: 1000,
                compression_level: 8,
                fail_on_connection_error: true,
                ..it
            },
            Environment::HighPerformance => Self {
                default_ttl: hours(2),
                l1_cache_size: 1000,
                compression_threshold: 500,
                compression_level: 3,
                ..it
            },
            Environment::AiProduction => Self {
                default_ttl: hours(1),
                l1_cache_size: 200,
                compression_threshold: 1000,
                compression_level: 7,
                ..it
            },
        }
    }

    /// From when on something is worth an alert.
    #[cfg(feature = "monitor")]
    pub(crate) fn thresholds(&self) -> cache_monitor::Thresholds {
        match self.environment {
            Some(Environment::HighPerformance) => cache_monitor::Thresholds::high_performance(),
            _ => cache_monitor::Thresholds::default(),
        }
    }
}

/// Where Redis is if nobody says where.
pub(crate) const REDIS_URL: &str = "redis://127.0.0.1:6379";

/// How long to wait for the first attempt to connect.
pub(crate) const CONNECT_TIMEOUT: Duration = secs(1);

/// Entries of tier 1; 0 switches it off.
pub(crate) const L1_CACHE_SIZE: RangeInclusive<usize> = 0..=100_000_000;
/// Bytes of tier 1: 64 KiB to 1 TiB.
pub(crate) const L1_MAX_BYTES: RangeInclusive<u64> = 64 << 10..=1 << 40;
/// How long a connect may take: 1 ms to 1 minute.
pub(crate) const CONNECT_TIMEOUTS: RangeInclusive<Duration> = Duration::from_millis(1)..=secs(60);

#[cfg(test)]
mod tests {
    #[cfg(feature = "memory")]
    #[test]
    fn tier_1_takes_as_many_entries_as_may_be_asked_for() {
        assert_eq!(*super::L1_CACHE_SIZE.end(), cache_memory::MAX_ENTRIES);
    }
}
