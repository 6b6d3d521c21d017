//! Lengths that bytes declare are not believed: no memory is taken for what is not there.
//!
//! One test in a binary of its own, because it counts what the whole process allocates.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests may")]

mod common;

use std::alloc::System;

use bytes::Bytes;
use cache_codec::{Limits, decode, encode, open};
use cache_core::{Encoded, Format};
use common::{Content, formats, key};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

fn allocated<T>(work: impl FnOnce() -> T) -> usize {
    let region = Region::new(ALLOCATOR);
    drop(work());
    region.change().bytes_allocated
}

#[test]
fn declared_lengths_take_no_memory() {
    let limits = Limits::default();
    let key = key("user:42");

    for compression in 0..=2 {
        for len in [1_000, 60_000_000, u32::MAX] {
            let content = Content { compression, len, payload: vec![7; 3], ..Content::good() };
            let stored = content.forge();
            let taken = allocated(|| open(&stored, &key, &limits).unwrap_err());
            assert!(taken < 200_000, "{taken} bytes for a declared length of {len}");
        }
    }
    let content = Content { tag_count: 255, tags: vec![0xFF; 40], ..Content::good() };
    let stored = content.forge();
    assert_eq!(allocated(|| open(&stored, &key, &limits).unwrap_err()), 0);

    let hostile: [(Format, &[u8]); 8] = [
        (Format::Msgpack, b"\xDB\xFF\xFF\xFF\xFF"),
        (Format::Msgpack, b"\xC6\xFF\xFF\xFF\xFF"),
        (Format::Msgpack, b"\xDD\xFF\xFF\xFF\xFF"),
        (Format::Msgpack, b"\xDF\xFF\xFF\xFF\xFF"),
        (Format::Bincode, b"\xFD\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF"),
        (Format::Bincode, b"\xFD\x00\x00\x00\x20\x00\x00\x00\x00"),
        (Format::Bincode, b"\xFC\x00\x00\x00\x20"),
        (Format::Bincode, b"\xFC\xFF\xFF\xFF\x7F"),
    ];
    for (format, bytes) in hostile {
        if !formats().contains(&format) {
            continue;
        }
        let encoded = Encoded { format, bytes: Bytes::from_static(bytes) };
        for taken in [
            allocated(|| decode::<String>(&encoded).unwrap_err()),
            allocated(|| decode::<serde_bytes::ByteBuf>(&encoded).unwrap_err()),
            allocated(|| decode::<Vec<String>>(&encoded).unwrap_err()),
            allocated(|| decode::<std::collections::BTreeMap<String, u64>>(&encoded).unwrap_err()),
        ] {
            // serde itself takes up to a mebibyte for a declared number of elements.
            assert!(taken < 1_100_000, "{format:?}: {taken} bytes for {bytes:02x?}");
        }
    }

    for format in formats() {
        let long = "x".repeat(10_000_000);
        let taken = allocated(|| encode(format, &long, 1000).unwrap_err());
        assert!(taken < 10_000, "{format:?}: {taken} bytes for a value that is too large");
    }
    // What stays is what was written, not what the buffer grew to.
    for format in formats() {
        let text = "x".repeat(1_500_000);
        let region = Region::new(ALLOCATOR);
        let bytes = encode(format, &text, usize::MAX).unwrap();
        let change = region.change();
        let kept = change.bytes_allocated - change.bytes_deallocated;
        assert!(kept < bytes.len() + 1000, "{format:?}: {kept} bytes are kept for {}", bytes.len());
    }
}
