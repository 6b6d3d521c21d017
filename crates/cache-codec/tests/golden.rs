//! The bytes are what they always were. A change here breaks every running cache: raise the format version instead.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests may")]

mod common;

use std::fmt::Write as _;
use std::path::Path;

use cache_codec::{Compression, decode, encode, fingerprint, lease, seal};
use cache_core::Format;
use common::{User, compressions, formats, header, key, lease_version, opened, user};

fn hex(bytes: &[u8]) -> String {
    let mut out = String::new();
    for (i, byte) in bytes.iter().enumerate() {
        let _ = write!(out, "{byte:02x}{}", if i % 32 == 31 { "\n" } else { "" });
    }
    out.trim_end().to_owned() + "\n"
}

fn unhex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
    digits.chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

fn golden(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(format!("{name}.hex"));
    std::fs::read_to_string(path).unwrap_or_default()
}

#[test]
fn sealed_bytes_are_as_they_always_were_in_every_format_and_compression() {
    for format in formats() {
        for (compression_name, compression) in compressions() {
            let name = format!("{}_{compression_name}", format!("{format:?}").to_lowercase());
            let payload = encode(format, &user(), 10_000).unwrap();
            let stored = seal(&header(format), &key("user:42"), &payload, &compression).unwrap();
            assert_eq!(hex(&stored), golden(&name), "{name}.hex; new bytes:\n{}", hex(&stored));
        }
    }
}

/// Holds even if a new release of a compressor makes other bytes.
#[test]
fn bytes_of_older_releases_can_be_read() {
    for format in formats() {
        for (compression_name, _) in compressions() {
            let name = format!("{}_{compression_name}", format!("{format:?}").to_lowercase());
            let (found, encoded) = opened(&unhex(&golden(&name)).into(), &key("user:42"));
            assert_eq!(found, header(format), "{name}");
            assert_eq!(decode::<User>(&encoded).unwrap(), user(), "{name}");
        }
    }
}

#[test]
fn a_lease_is_as_it_always_was() {
    let stored = lease(lease_version(), &key("user:42"));
    assert_eq!(hex(&stored), golden("lease"), "new bytes:\n{}", hex(&stored));
}

#[test]
fn fingerprints_are_as_they_always_were() {
    let table = [
        ("", 0, 0x2D06_8005_38D3_94C2),
        ("user", 1, 0xF985_2627_8D11_DD2B),
        ("user", 2, 4_968_378_571_435_646_091),
        ("größe", u32::MAX, 17_908_381_030_634_909_908),
    ];
    let found: Vec<_> = table.iter().map(|(name, version, _)| fingerprint(name, *version)).collect();
    let wanted: Vec<u64> = table.iter().map(|(_, _, fingerprint)| *fingerprint).collect();
    assert_eq!(found, wanted);
}

#[test]
fn the_worked_example_of_the_description_is_what_seal_makes() {
    let page = include_str!("../../../docs/format.md");
    let example = page.split("## Worked example").nth(1).expect("the page has a worked example");
    let listing = example.split("```").nth(1).expect("it has a listing").trim_start_matches("text");
    // Each line is an offset, bytes in hex, and words after a `|`.
    let bytes: String = listing
        .lines()
        .filter_map(|line| line.split('|').next())
        .filter_map(|line| line.trim().split_once(' '))
        .map(|(_, bytes)| bytes)
        .collect();

    let payload = encode(Format::Msgpack, &("Ada", 36), 100).unwrap();
    let mut header = header(Format::Msgpack);
    header.tags = Some(["user:42".into()].into());
    let stored = seal(&header, &key("user:42"), &payload, &Compression::default()).unwrap();
    assert_eq!(hex(&unhex(&bytes)), hex(&stored));
}
