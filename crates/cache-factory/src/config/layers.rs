//! Which of two configurations wins.

use super::{AiConfig, BreakerConfig, CacheConfig, CacheType, MonitorConfig, RedisConfig};

impl CacheConfig {
    /// This, and `lower` where this says nothing. Where the cache keeps what it holds is one decision, and so is the
    /// password of Redis, and whether there is a tier 1: who makes it overrules all that `lower` says of the matter.
    pub(crate) fn over(self, lower: Self) -> Self {
        let lower = match self.place() {
            Some(CacheType::Memory) => lower.without_store(),
            Some(CacheType::Redis) => Self { r#type: None, ..lower },
            None => lower,
        };
        let lower = self.overruled_on_tier1(lower);
        Self {
            r#type: self.r#type.or(lower.r#type),
            namespace: self.namespace.or(lower.namespace),
            default_ttl: self.default_ttl.or(lower.default_ttl),
            environment: self.environment.or(lower.environment),
            stale_for: self.stale_for.or(lower.stale_for),
            load_timeout: self.load_timeout.or(lower.load_timeout),
            negative_window: self.negative_window.or(lower.negative_window),
            l1_cache_size: self.l1_cache_size.or(lower.l1_cache_size),
            enable_l1_cache: self.enable_l1_cache.or(lower.enable_l1_cache),
            l1_max_bytes: self.l1_max_bytes.or(lower.l1_max_bytes),
            max_value_bytes: self.max_value_bytes.or(lower.max_value_bytes),
            compression_threshold: self.compression_threshold.or(lower.compression_threshold),
            compression_level: self.compression_level.or(lower.compression_level),
            format: self.format.or(lower.format),
            store_timeout: self.store_timeout.or(lower.store_timeout),
            wait_for_write: self.wait_for_write.or(lower.wait_for_write),
            claims: self.claims.or(lower.claims),
            on_store_error: self.on_store_error.or(lower.on_store_error),
            lease: self.lease.or(lower.lease),
            disconnected_max_age: self.disconnected_max_age.or(lower.disconnected_max_age),
            untracked_max_age: self.untracked_max_age.or(lower.untracked_max_age),
            replay_queue: self.replay_queue.or(lower.replay_queue),
            production: self.production.or(lower.production),
            debug_logging: self.debug_logging.or(lower.debug_logging),
            performance_monitor: match (self.performance_monitor, lower.performance_monitor) {
                (Some(monitor), Some(lower)) => Some(monitor.over(lower)),
                (monitor, lower) => monitor.or(lower),
            },
            breaker: match (self.breaker, lower.breaker) {
                (Some(breaker), Some(lower)) => Some(breaker.over(lower)),
                (breaker, lower) => breaker.or(lower),
            },
            ai: match (self.ai, lower.ai) {
                (Some(ai), Some(lower)) => Some(ai.over(lower)),
                (ai, lower) => ai.or(lower),
            },
            redis: match (self.redis, lower.redis) {
                (Some(redis), Some(lower)) => Some(redis.over(lower)),
                (redis, lower) => redis.or(lower),
            },
        }
    }

    /// `lower` without what this overrules: it says that there is a tier 1, or that there is none.
    fn overruled_on_tier1(&self, lower: Self) -> Self {
        match (self.enable_l1_cache, self.l1_cache_size) {
            (Some(false), _) | (None, Some(0)) => {
                Self { enable_l1_cache: None, l1_cache_size: None, l1_max_bytes: None, ..lower }
            }
            (Some(true), _) if lower.l1_cache_size == Some(0) => Self { l1_cache_size: None, ..lower },
            (None, Some(_)) => Self { enable_l1_cache: None, ..lower },
            _ => lower,
        }
    }

    /// Where this says that the cache keeps what it holds. Details of Redis alone say nothing of that.
    fn place(&self) -> Option<CacheType> {
        let has_url = self.redis.as_ref().is_some_and(|redis| redis.url.is_some());
        self.r#type.or(has_url.then_some(CacheType::Redis))
    }

    /// This without what only a cache with a store can use.
    fn without_store(self) -> Self {
        Self {
            r#type: None,
            compression_threshold: None,
            compression_level: None,
            store_timeout: None,
            wait_for_write: None,
            claims: None,
            on_store_error: None,
            lease: None,
            disconnected_max_age: None,
            untracked_max_age: None,
            replay_queue: None,
            breaker: None,
            redis: None,
            ..self
        }
    }

    /// This without its Redis, for another store.
    pub(crate) fn without_redis(self) -> Self {
        Self { r#type: None, redis: None, ..self }
    }
}

impl AiConfig {
    pub(crate) fn over(self, lower: Self) -> Self {
        let operation_ttls = match (self.operation_ttls, lower.operation_ttls) {
            // One by one, as they are given over the defaults.
            (Some(ttls), Some(mut lower)) => {
                lower.extend(ttls);
                Some(lower)
            }
            (ttls, lower) => ttls.or(lower),
        };
        Self {
            text_hash_threshold: self.text_hash_threshold.or(lower.text_hash_threshold),
            operation_ttls,
            store_no_request_text: self.store_no_request_text.or(lower.store_no_request_text),
            only_if_cached: self.only_if_cached.or(lower.only_if_cached),
        }
    }
}

impl BreakerConfig {
    fn over(self, lower: Self) -> Self {
        Self {
            failures: self.failures.or(lower.failures),
            window: self.window.or(lower.window),
            open_for: self.open_for.or(lower.open_for),
        }
    }
}

impl MonitorConfig {
    fn over(self, lower: Self) -> Self {
        if self.enabled == Some(false) {
            return self;
        }
        Self {
            enabled: self.enabled.or(lower.enabled),
            memory_warning: self.memory_warning.or(lower.memory_warning),
            memory_critical: self.memory_critical.or(lower.memory_critical),
            hit_ratio_warning: self.hit_ratio_warning.or(lower.hit_ratio_warning),
            operation_slow: self.operation_slow.or(lower.operation_slow),
        }
    }
}

impl RedisConfig {
    fn over(self, mut lower: Self) -> Self {
        let in_url = self.url.as_ref().is_some_and(|url| url.has_password());
        if in_url || self.password.is_some() || self.password_file.is_some() {
            (lower.password, lower.password_file) = (None, None);
        }
        let has_own_password = self.password.is_some() || self.password_file.is_some();
        let url = self
            .url
            .or_else(|| lower.url.map(|url| if has_own_password { url.without_password() } else { url }));
        Self {
            url,
            password: self.password.or(lower.password),
            password_file: self.password_file.or(lower.password_file),
            ca_file: self.ca_file.or(lower.ca_file),
            cert_file: self.cert_file.or(lower.cert_file),
            key_file: self.key_file.or(lower.key_file),
            connect_timeout: self.connect_timeout.or(lower.connect_timeout),
            fail_on_connection_error: self.fail_on_connection_error.or(lower.fail_on_connection_error),
            feed: self.feed.or(lower.feed),
        }
    }
}
