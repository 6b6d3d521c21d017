//! What the tests share: a key, fixed versions, a header with everything in it.
#![allow(dead_code, reason = "every test file uses a part of it")]

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use cache_codec::{Compression, Header, Limits, OpenError, Opened, fingerprint, open, seal};
use cache_core::{Encoded, Format, Key, Namespace, Stamp, Version};
use serde::{Deserialize, Serialize};

pub(crate) fn key(user: &str) -> Key {
    Namespace::new("app").unwrap().key(user).unwrap()
}

pub(crate) fn version() -> Version {
    Version::of(b"\xF5CVE\x01\x23\x45\x67\x89\xAB\xCD\xEF\x00\x00\x00\x00\x00\x00\x00\x07").unwrap()
}

pub(crate) fn lease_version() -> Version {
    Version::of(b"\xF5CLS\x01\x23\x45\x67\x89\xAB\xCD\xEF\x00\x00\x00\x00\x00\x00\x00\x08").unwrap()
}

pub(crate) fn header(format: Format) -> Header {
    Header {
        version: version(),
        format,
        fresh: Duration::from_secs(60),
        total: Duration::from_secs(600),
        cost: Duration::from_micros(1500),
        stamp: Stamp { nonce: 0x1122_3344_5566_7788, seq: 9 },
        tags: Some(Arc::from(["user:42".into(), "größe".into()])),
        schema: Some(fingerprint("user", 1)),
        created_unix_ms: 1_700_000_000_000,
    }
}

/// Every format that this build has.
pub(crate) fn formats() -> Vec<Format> {
    let mut formats = vec![Format::Msgpack];
    if cfg!(feature = "json") {
        formats.push(Format::Json);
    }
    if cfg!(feature = "bincode") {
        formats.push(Format::Bincode);
    }
    formats
}

/// Every compression that this build has, by name, from the first byte on.
pub(crate) fn compressions() -> Vec<(&'static str, Compression)> {
    let mut all = vec![("plain", Compression::off())];
    if cfg!(feature = "lz4") {
        all.push(("lz4", Compression::new(0, 1).unwrap()));
    }
    if cfg!(feature = "zstd") {
        all.push(("zstd", Compression::new(0, 4).unwrap()));
    }
    all
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct User {
    pub(crate) id: u64,
    pub(crate) name: String,
    pub(crate) roles: Vec<Role>,
    pub(crate) ratio: Option<f64>,
    pub(crate) about: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Role {
    Admin,
    Guest { until: u32 },
}

pub(crate) fn user() -> User {
    User {
        id: 42,
        name: "Zoë".into(),
        roles: vec![Role::Admin, Role::Guest { until: 7 }],
        ratio: Some(0.5),
        about: "likes caches; ".repeat(12),
    }
}

pub(crate) fn opened(stored: &Bytes, key: &Key) -> (Header, Encoded) {
    match open(stored, key, &Limits::default()) {
        Ok(Opened::Value(header, encoded)) => (header, encoded),
        other => panic!("{other:?}"),
    }
}

pub(crate) fn refused(stored: &[u8], key: &Key) -> OpenError {
    open(&Bytes::copy_from_slice(stored), key, &Limits::default()).unwrap_err()
}

pub(crate) fn sealed(payload: &[u8], compression: &Compression) -> Bytes {
    seal(&header(Format::Msgpack), &key("user:42"), payload, compression).unwrap()
}

/// Bytes with a right checksum, whatever they say, as somebody with bad intentions could store them. `content` is all
/// between the key's hash and the checksum.
pub(crate) fn forged(version: &Version, key: &Key, content: &[u8]) -> Bytes {
    use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};
    let hash = xxh3_64(key.as_bytes());
    let mut out = version.as_bytes().to_vec();
    out.push(1);
    out.extend_from_slice(&hash.to_be_bytes());
    out.extend_from_slice(content);
    out.extend_from_slice(&xxh3_64_with_seed(&out, hash).to_be_bytes());
    out.into()
}

/// The content of a forged value: fields as they stand in the envelope.
#[derive(Clone)]
pub(crate) struct Content {
    pub(crate) format: u8,
    pub(crate) flags: u8,
    pub(crate) fresh: u64,
    pub(crate) total: u64,
    pub(crate) schema: u64,
    pub(crate) tag_count: u8,
    pub(crate) tags: Vec<u8>,
    pub(crate) compression: u8,
    pub(crate) len: u32,
    pub(crate) payload: Vec<u8>,
}

impl Content {
    pub(crate) fn good() -> Self {
        Self {
            format: 1,
            flags: 0,
            fresh: 1,
            total: 2,
            schema: 0,
            tag_count: 0,
            tags: Vec::new(),
            compression: 0,
            len: 1,
            payload: vec![0xC0],
        }
    }

    pub(crate) fn forge(&self) -> Bytes {
        let mut out = vec![self.format, self.flags];
        for number in [self.fresh, self.total, 0, 0, 0, 0, self.schema] {
            out.extend_from_slice(&number.to_be_bytes());
        }
        out.push(self.tag_count);
        out.extend_from_slice(&self.tags);
        out.push(self.compression);
        out.extend_from_slice(&self.len.to_be_bytes());
        out.extend_from_slice(&self.payload);
        forged(&version(), &key("user:42"), &out)
    }
}
