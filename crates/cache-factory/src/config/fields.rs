//! The one list of settings that a configuration can hold. Files, variables and what is written all read it.

use super::value::Setting;
use super::{AiConfig, BreakerConfig, CacheConfig, RedisConfig};

/// Does the same thing with every field.
pub(crate) trait Fields {
    /// A field, and what is allowed in it, in words.
    fn field<T: Setting>(&mut self, name: &'static str, allowed: &'static str, slot: &mut Option<T>);

    /// A table with fields of its own.
    fn table<T: Table>(&mut self, name: &'static str, slot: &mut Option<T>);
}

/// What has fields.
pub(crate) trait Table: Default {
    /// Shows each field to `fields`.
    fn visit<F: Fields>(&mut self, fields: &mut F);
}

const TTL: &str = "seconds from 0.001 to 31536000 (365 days)";
const STALE: &str = "seconds from 0 to 31536000 (365 days)";

impl Table for CacheConfig {
    fn visit<F: Fields>(&mut self, fields: &mut F) {
        fields.field("type", "`memory` or `redis`", &mut self.r#type);
        fields.field("namespace", "a text of 1 to 128 bytes", &mut self.namespace);
        fields.field("default_ttl", TTL, &mut self.default_ttl);
        fields.field("stale_for", STALE, &mut self.stale_for);
        fields.field("load_timeout", "seconds from 0.001 to 86400", &mut self.load_timeout);
        fields.field("negative_window", "seconds from 0 to 3600", &mut self.negative_window);
        fields.field("l1_cache_size", "a whole number from 0 to 100000000", &mut self.l1_cache_size);
        fields.field("l1_max_bytes", "a whole number from 65536 to 1099511627776", &mut self.l1_max_bytes);
        fields.field("max_value_bytes", "a whole number from 1 to 67108864", &mut self.max_value_bytes);
        fields.field(
            "compression_threshold",
            "a whole number from 0 to 1048576",
            &mut self.compression_threshold,
        );
        fields.field("compression_level", "a whole number from 1 to 9", &mut self.compression_level);
        fields.field("format", "`msgpack` or `json`", &mut self.format);
        fields.field("store_timeout", "seconds from 0.001 to 60", &mut self.store_timeout);
        fields.field("wait_for_write", "true or false", &mut self.wait_for_write);
        fields.field("claims", "true or false", &mut self.claims);
        fields.field("on_store_error", "`degrade` or `fail`", &mut self.on_store_error);
        fields.field("lease", "seconds from 0.1 to 60", &mut self.lease);
        fields.field("disconnected_max_age", "seconds from 0 to 86400", &mut self.disconnected_max_age);
        fields.field("untracked_max_age", "seconds from 0 to 3600", &mut self.untracked_max_age);
        fields.field("replay_queue", "a whole number from 1 to 100000", &mut self.replay_queue);
        fields.field("production", "true or false", &mut self.production);
        fields.table("breaker", &mut self.breaker);
        fields.table("ai", &mut self.ai);
        fields.table("redis", &mut self.redis);
    }
}

impl Table for AiConfig {
    fn visit<F: Fields>(&mut self, fields: &mut F) {
        fields.field("text_hash_threshold", "a whole number from 0 to 100000", &mut self.text_hash_threshold);
        fields.field(
            "operation_ttls",
            "a table of seconds, or a text like qa=1800,translate=86400",
            &mut self.operation_ttls,
        );
        fields.field("store_no_request_text", "true or false", &mut self.store_no_request_text);
        fields.field("only_if_cached", "true or false", &mut self.only_if_cached);
    }
}

impl Table for BreakerConfig {
    fn visit<F: Fields>(&mut self, fields: &mut F) {
        fields.field("failures", "a whole number from 1 to 1000", &mut self.failures);
        fields.field("window", "a whole number from 2 to 64", &mut self.window);
        fields.field("open_for", "seconds from 0.001 to 3600", &mut self.open_for);
    }
}

impl Table for RedisConfig {
    fn visit<F: Fields>(&mut self, fields: &mut F) {
        fields.field("url", "an address like redis://127.0.0.1:6379/0", &mut self.url);
        fields.field("password", "a text", &mut self.password);
        fields.field("password_file", "the path of a file", &mut self.password_file);
        fields.field("connect_timeout", "seconds from 0.001 to 60", &mut self.connect_timeout);
        fields.field("fail_on_connection_error", "true or false", &mut self.fail_on_connection_error);
        fields.field("feed", "`auto`, `tracking`, `pubsub` or `ttl_only`", &mut self.feed);
    }
}
