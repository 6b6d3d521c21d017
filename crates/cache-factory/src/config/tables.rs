//! The settings that stand in tables of their own.

use super::allowed::Allowed::{self, Durations, Flag, OneOf, Seconds, Share, Text, Whole};
use super::fields::{Fields, MINUTE, Table};
use super::{AiConfig, BreakerConfig, MonitorConfig, RedisConfig};

const BYTES: Allowed = Whole { least: 1, most: u64::MAX };

impl Table for AiConfig {
    fn visit<F: Fields>(&mut self, fields: &mut F) {
        fields.field(
            "text_hash_threshold",
            "Texts of at most so many characters stand readable in keys.",
            &Whole { least: 0, most: 100_000 },
            &mut self.text_hash_threshold,
        );
        fields.field(
            "operation_ttls",
            "How long answers are fresh, in seconds, by operation, over the defaults.",
            &Durations,
            &mut self.operation_ttls,
        );
        fields.field(
            "store_no_request_text",
            "Whether nothing of what was asked is stored, whatever its length.",
            &Flag,
            &mut self.store_no_request_text,
        );
        fields.field("only_if_cached", "Whether nothing is ever generated.", &Flag, &mut self.only_if_cached);
    }
}

impl Table for BreakerConfig {
    fn visit<F: Fields>(&mut self, fields: &mut F) {
        fields.field(
            "failures",
            "So many failures in a row are enough.",
            &Whole { least: 1, most: 1000 },
            &mut self.failures,
        );
        fields.field(
            "window",
            "Half of so many last calls failing is enough too.",
            &Whole { least: 2, most: 64 },
            &mut self.window,
        );
        fields.field(
            "open_for",
            "How long the store is left alone, in seconds, unless it shows a sign of life earlier.",
            &Seconds { least: 0.001, most: 3600.0 },
            &mut self.open_for,
        );
    }
}

impl Table for MonitorConfig {
    fn visit<F: Fields>(&mut self, fields: &mut F) {
        fields.field(
            "enabled",
            "Whether there is a monitor: true unless said otherwise.",
            &Flag,
            &mut self.enabled,
        );
        fields.field(
            "memory_warning",
            "Bytes in tier 1 that are worth a warning.",
            &BYTES,
            &mut self.memory_warning,
        );
        fields.field(
            "memory_critical",
            "Bytes in tier 1 that are critical, more than memory_warning.",
            &Whole { least: 2, most: u64::MAX },
            &mut self.memory_critical,
        );
        fields.field(
            "hit_ratio_warning",
            "A lower share of reads that find a value is worth a warning.",
            &Share,
            &mut self.hit_ratio_warning,
        );
        fields.field(
            "operation_slow",
            "What takes longer counts as slow, in seconds.",
            &Seconds { least: 0.000_001, most: 3600.0 },
            &mut self.operation_slow,
        );
    }
}

impl Table for RedisConfig {
    fn visit<F: Fields>(&mut self, fields: &mut F) {
        fields.field(
            "url",
            "Where it is: redis://user@host:port/database, rediss:// for TLS, or unix:///path.",
            &Text("an address like redis://127.0.0.1:6379/0"),
            &mut self.url,
        );
        fields.field(
            "password",
            "The password, if it does not stand in the address.",
            &Text("a text"),
            &mut self.password,
        );
        fields.field(
            "password_file",
            "The file that has the password in its first line.",
            &Text("the path of a file"),
            &mut self.password_file,
        );
        fields.field(
            "ca_file",
            "The authorities that may have signed the server's certificate, instead of those that the system trusts.",
            &Text("the path of a file"),
            &mut self.ca_file,
        );
        fields.field(
            "cert_file",
            "The certificate to show to a server that wants one.",
            &Text("the path of a file"),
            &mut self.cert_file,
        );
        fields.field("key_file", "Its key.", &Text("the path of a file"), &mut self.key_file);
        fields.field(
            "connect_timeout",
            "How long to wait for an attempt to connect, in seconds.",
            &MINUTE,
            &mut self.connect_timeout,
        );
        fields.field(
            "fail_on_connection_error",
            "Whether a Redis that cannot be reached is an error when the cache is built.",
            &Flag,
            &mut self.fail_on_connection_error,
        );
        fields.field(
            "feed",
            "How this process is told what others change.",
            &OneOf(&["auto", "tracking", "pubsub", "ttl_only"]),
            &mut self.feed,
        );
    }
}
