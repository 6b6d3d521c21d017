//! The one list of settings that a configuration can hold. Files, variables, what is written and the schema read it.

use super::CacheConfig;
use super::allowed::Allowed::{self, Flag, OneOf, Seconds, Text, Whole};
use super::value::Setting;

/// Does the same thing with every field.
pub(crate) trait Fields {
    /// A field, what it is for, and what is allowed in it.
    fn field<T: Setting>(
        &mut self,
        name: &'static str,
        about: &'static str,
        allowed: &Allowed,
        slot: &mut Option<T>,
    );

    /// Another name of the field that was shown last.
    fn alias<T: Setting>(
        &mut self,
        name: &'static str,
        about: &'static str,
        allowed: &Allowed,
        slot: &mut Option<T>,
    ) {
        self.field(name, about, allowed, slot);
    }

    /// A table with fields of its own.
    fn table<T: Table>(&mut self, name: &'static str, about: &'static str, slot: &mut Option<T>);
}

/// What has fields.
pub(crate) trait Table: Default {
    /// Shows each field to `fields`.
    fn visit<F: Fields>(&mut self, fields: &mut F);
}

const YEAR: f64 = 31_536_000.0;
const DAY: f64 = 86_400.0;
const TTL: Allowed = Seconds { least: 0.001, most: YEAR };
const ENTRIES: Allowed = Whole { least: 0, most: 100_000_000 };
pub(super) const MINUTE: Allowed = Seconds { least: 0.001, most: 60.0 };
const HOUR: Allowed = Seconds { least: 0.0, most: 3600.0 };
const ENVIRONMENTS: Allowed =
    OneOf(&["development", "staging", "production", "high-performance", "ai-production"]);

impl Table for CacheConfig {
    fn visit<F: Fields>(&mut self, fields: &mut F) {
        fields.field(
            "type",
            "Where the cache keeps what it holds: in this process alone, or in Redis too.",
            &OneOf(&["memory", "redis"]),
            &mut self.r#type,
        );
        fields.field(
            "namespace",
            "What sets this cache's keys apart from others in a shared store.",
            &Text("a text of 1 to 128 bytes"),
            &mut self.namespace,
        );
        fields.field(
            "default_ttl",
            "How long an entry is fresh when the caller does not say, in seconds.",
            &TTL,
            &mut self.default_ttl,
        );
        fields.field(
            "environment",
            "Whose defaults hold for what is not said.",
            &ENVIRONMENTS,
            &mut self.environment,
        );
        fields.field(
            "stale_for",
            "How long after that it may be served stale, in seconds.",
            &Seconds { least: 0.0, most: YEAR },
            &mut self.stale_for,
        );
        fields.field(
            "load_timeout",
            "The longest that a load may take, in seconds.",
            &Seconds { least: 0.001, most: DAY },
            &mut self.load_timeout,
        );
        fields.field(
            "negative_window",
            "How long after a failed load its error answers at once, in seconds.",
            &HOUR,
            &mut self.negative_window,
        );
        fields.field(
            "l1_cache_size",
            "Most entries in tier 1; 0 switches it off.",
            &ENTRIES,
            &mut self.l1_cache_size,
        );
        fields.alias("max_size", "Another name of l1_cache_size.", &ENTRIES, &mut self.l1_cache_size);
        fields.field(
            "enable_l1_cache",
            "Whether there is a tier 1, of the size that is said or usual.",
            &Flag,
            &mut self.enable_l1_cache,
        );
        fields.field(
            "l1_max_bytes",
            "Most memory that tier 1 may take, in bytes.",
            &Whole { least: 64 << 10, most: 1 << 40 },
            &mut self.l1_max_bytes,
        );
        fields.field(
            "max_value_bytes",
            "The longest value, in bytes when serialised.",
            &Whole { least: 1, most: 64 << 20 },
            &mut self.max_value_bytes,
        );
        fields.field(
            "compression_threshold",
            "Longer values are compressed in the store, in bytes.",
            &Whole { least: 0, most: 1 << 20 },
            &mut self.compression_threshold,
        );
        fields.field(
            "compression_level",
            "How hard to compress: 1 to 3 are LZ4, 4 to 9 are zstd.",
            &Whole { least: 1, most: 9 },
            &mut self.compression_level,
        );
        fields.field("format", "How values are serialised.", &OneOf(&["msgpack", "json"]), &mut self.format);
        fields.field(
            "store_timeout",
            "The longest that a call of the store may take, in seconds.",
            &MINUTE,
            &mut self.store_timeout,
        );
        fields.field(
            "wait_for_write",
            "Whether get_or_load waits until the store has what was loaded.",
            &Flag,
            &mut self.wait_for_write,
        );
        fields.field("claims", "Whether a key is loaded by one process at a time.", &Flag, &mut self.claims);
        fields.field(
            "on_store_error",
            "What reads and `set` do when the store fails. Loads go on.",
            &OneOf(&["degrade", "fail"]),
            &mut self.on_store_error,
        );
        fields.field(
            "lease",
            "How long tier 1 answers after the last sign of life of the store, in seconds.",
            &Seconds { least: 0.1, most: 60.0 },
            &mut self.lease,
        );
        fields.field(
            "disconnected_max_age",
            "How long after that it goes on while the store is away, in seconds.",
            &Seconds { least: 0.0, most: DAY },
            &mut self.disconnected_max_age,
        );
        fields.field(
            "untracked_max_age",
            "How long a copy answers whose later changes nobody announces, in seconds.",
            &HOUR,
            &mut self.untracked_max_age,
        );
        fields.field(
            "replay_queue",
            "Most keys and tags that are kept to be told to a store that is away.",
            &Whole { least: 1, most: 100_000 },
            &mut self.replay_queue,
        );
        fields.field(
            "production",
            "Whether clear and invalidation by tag need a Confirm, and cachectl an express word.",
            &Flag,
            &mut self.production,
        );
        fields.field(
            "debug_logging",
            "Whether what happens in the cache is logged, at the level debug.",
            &Flag,
            &mut self.debug_logging,
        );
        fields.table(
            "breaker",
            "When a store that fails is left alone, and for how long.",
            &mut self.breaker,
        );
        fields.table(
            "performance_monitor",
            "What watches the cache, and what is worth an alert.",
            &mut self.performance_monitor,
        );
        fields.table("ai", "What is special about a cache for answers of language models.", &mut self.ai);
        fields.table("redis", "The Redis behind the cache.", &mut self.redis);
    }
}
