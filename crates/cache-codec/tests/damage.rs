//! Bytes that are not what they should be are refused, in the class that leads to the right action.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests may")]

mod common;

use bytes::Bytes;
use cache_codec::{Compression, Limits, OpenError, Opened, encode, lease, open, seal};
use cache_core::{Format, Version};
use common::{
    Content, compressions, formats, header, key, lease_version, opened, refused, sealed, user, version,
};
use proptest::prelude::*;

/// One envelope of each kind.
fn envelopes() -> Vec<Bytes> {
    let mut all = vec![lease(lease_version(), &key("user:42")), sealed(b"", &Compression::off())];
    for format in formats() {
        let payload = encode(format, &user(), 10_000).unwrap();
        for (_, compression) in compressions() {
            all.push(seal(&header(format), &key("user:42"), &payload, &compression).unwrap());
        }
    }
    all
}

#[test]
fn every_truncation_is_refused() {
    for stored in envelopes() {
        for len in 0..stored.len() {
            let error = refused(&stored[..len], &key("user:42"));
            let whole_version = len >= Version::LEN;
            assert_eq!(matches!(error, OpenError::Corrupt(_)), whole_version, "{len}: {error:?}");
            assert_eq!(matches!(error, OpenError::Foreign), !whole_version, "{len}: {error:?}");
        }
    }
}

#[test]
fn every_flipped_bit_is_refused() {
    for stored in envelopes() {
        for bit in 0..stored.len() * 8 {
            let mut flipped = stored.to_vec();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let error = refused(&flipped, &key("user:42"));
            match bit / 8 {
                0..4 => assert_eq!(error, OpenError::Foreign, "bit {bit}"),
                20 => {
                    assert_eq!(
                        matches!(error, OpenError::Future(_)),
                        flipped[20] > 1,
                        "bit {bit}: {error:?}"
                    );
                }
                _ => assert!(matches!(error, OpenError::Corrupt(_)), "bit {bit}: {error:?}"),
            }
        }
    }
}

#[test]
fn every_swapped_pair_and_every_added_byte_is_refused() {
    for stored in envelopes() {
        for i in Version::LEN + 1..stored.len() - 1 {
            let mut swapped = stored.to_vec();
            swapped.swap(i, i + 1);
            if swapped != stored {
                assert!(matches!(refused(&swapped, &key("user:42")), OpenError::Corrupt(_)), "{i}");
            }
        }
        let longer = [&stored[..], b"\0"].concat();
        assert!(matches!(refused(&longer, &key("user:42")), OpenError::Corrupt(_)));
    }
}

#[test]
fn bytes_of_another_key_are_told_from_damaged_ones() {
    for stored in envelopes() {
        for other in ["user:43", "user:4", "user:422"] {
            assert_eq!(refused(&stored, &key(other)), OpenError::WrongKey);
        }
        let elsewhere = cache_core::Namespace::new("app2").unwrap().key("user:42").unwrap();
        assert_eq!(refused(&stored, &elsewhere), OpenError::WrongKey, "another namespace, the same user key");
    }
}

#[test]
fn a_value_is_not_taken_for_a_lease_nor_a_lease_for_a_value() {
    let stored = lease(lease_version(), &key("user:42"));
    assert_eq!(open(&stored, &key("user:42"), &Limits::default()), Ok(Opened::Lease(lease_version())));

    let long = common::forged(&lease_version(), &key("user:42"), b"x");
    assert_eq!(refused(&long, &key("user:42")).reason(), "corrupt");
    let short = common::forged(&version(), &key("user:42"), b"");
    assert_eq!(refused(&short, &key("user:42")).reason(), "corrupt");
}

#[test]
fn foreign_bytes_are_foreign() {
    let texts: [&[u8]; 6] = [
        b"",
        b"plain",
        b"{\"json\": [\"that is longer than a version is\"]}",
        b"\x80\x04\x95\x1b\x00\x00\x00\x00\x00\x00\x00}\x94(\x8c\x01a\x94K\x01",
        b"\xF5CVX0123456789012345678901234567890123456789",
        &[0; 500],
    ];
    for foreign in texts {
        assert_eq!(refused(foreign, &key("user:42")), OpenError::Foreign);
    }
}

#[test]
fn later_format_versions_are_left_alone_however_large_and_odd_the_rest_is() {
    for stored in envelopes() {
        for later in [2, 3, 200, 255] {
            let mut bytes = stored.to_vec();
            bytes[Version::LEN] = later;
            assert_eq!(refused(&bytes, &key("user:42")), OpenError::Future(later));
            assert_eq!(refused(&bytes[..=Version::LEN], &key("user:42")), OpenError::Future(later));
        }
    }
}

#[test]
fn intact_bytes_that_break_a_rule_are_corrupt() {
    assert!(
        opened(&Content::good().forge(), &key("user:42")).0.tags.is_none(),
        "the forgery as such is good"
    );
    let tag = |len: u16, bytes: &[u8]| [&len.to_be_bytes()[..], bytes].concat();
    let good = Content::good;
    let table = [
        ("fresh > total", Content { fresh: 3, ..good() }),
        ("unknown flag", Content { flags: 2, ..good() }),
        ("schema without its flag", Content { schema: 1, ..good() }),
        ("17 tags", Content { tag_count: 17, tags: tag(1, b"x").repeat(17), ..good() }),
        ("an empty tag", Content { tag_count: 1, tags: tag(0, b""), ..good() }),
        ("a tag of 257 bytes", Content { tag_count: 1, tags: tag(257, &[b'x'; 257]), ..good() }),
        ("a tag past the end", Content { tag_count: 1, tags: tag(200, b"x"), ..good() }),
        ("a tag that is not UTF-8", Content { tag_count: 1, tags: tag(1, b"\xFF"), ..good() }),
        ("tags that are not there", Content { tag_count: 16, ..good() }),
        ("a payload shorter than it says", Content { len: 2, ..good() }),
        ("a payload longer than it says", Content { len: 0, ..good() }),
    ];
    for (what, content) in table {
        let error = refused(&content.forge(), &key("user:42"));
        assert_eq!(error.reason(), "corrupt", "{what}: {error:?}");
    }
    if cfg!(feature = "bincode") {
        let error = refused(&Content { format: 3, ..good() }.forge(), &key("user:42"));
        assert_eq!(error.reason(), "corrupt", "bincode without a schema");
    }
}

#[test]
fn a_compressed_payload_that_is_not_as_long_as_it_says_is_corrupt() {
    let payload = b"the same words again and again, ".repeat(20);
    for (name, compression) in compressions() {
        let stored = sealed(&payload, &compression);
        let content = &stored[29..stored.len() - 8];
        // The length stands behind the fixed fields, two tags and the compression.
        let at = 59 + (2 + 7) + (2 + 7) + 1;
        assert_eq!(content[at..at + 4], 640u32.to_be_bytes());
        for wrong in [0u32, 639, 641, 700] {
            let mut content = content.to_vec();
            content[at..at + 4].copy_from_slice(&wrong.to_be_bytes());
            let error = refused(&common::forged(&version(), &key("user:42"), &content), &key("user:42"));
            assert!(matches!(error, OpenError::Corrupt(_)), "{name}, {wrong}: {error:?}");
        }
    }
}

#[test]
fn codecs_that_this_build_lacks_are_left_alone() {
    let with_format = |format| Content { format, flags: 1, schema: 1, ..Content::good() }.forge();
    let with_compression = |compression| Content { compression, ..Content::good() }.forge();
    let mut lacking = vec![with_format(0), with_format(4), with_format(255)];
    lacking.extend([with_compression(3), with_compression(255)]);
    if cfg!(not(feature = "json")) {
        lacking.push(with_format(2));
    }
    if cfg!(not(feature = "bincode")) {
        lacking.push(with_format(3));
    }
    if cfg!(not(feature = "lz4")) {
        lacking.push(with_compression(1));
    }
    if cfg!(not(feature = "zstd")) {
        lacking.push(with_compression(2));
    }
    for stored in lacking {
        let error = refused(&stored, &key("user:42"));
        assert_eq!(error.reason(), "missing_codec", "{error:?}");
    }
}

#[test]
fn values_beyond_the_limits_are_refused_and_those_at_the_limits_are_not() {
    let payload = [b'a'; 10_000];
    for (name, compression) in compressions() {
        let stored = sealed(&payload, &compression);
        let stored_payload = stored.len() - (sealed(b"", &compression).len());
        let fits = Limits { value: stored_payload, decoded: payload.len() };
        assert!(open(&stored, &key("user:42"), &fits).is_ok(), "{name}");
        for tight in
            [Limits { value: stored_payload - 1, ..fits }, Limits { decoded: payload.len() - 1, ..fits }]
        {
            let error = open(&stored, &key("user:42"), &tight).unwrap_err();
            assert_eq!(error.reason(), "too_large", "{name}");
        }
    }
    // Far too large bytes are not even hashed: that they are damaged is not found out.
    let mut huge = sealed(&payload, &Compression::off()).to_vec();
    huge[500] ^= 1;
    let error = open(&huge.into(), &key("user:42"), &Limits { value: 100, decoded: 100 }).unwrap_err();
    assert_eq!(error.reason(), "too_large");
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let stored = Bytes::from(bytes.clone());
        prop_assert_eq!(open(&stored, &key("user:42"), &Limits::default()), Err(OpenError::Foreign));
        // Behind a right version, and with a right checksum, the rest is looked at.
        for version in [version(), lease_version()] {
            let stored = [version.as_bytes(), &bytes[..]].concat();
            let _ = open(&stored.into(), &key("user:42"), &Limits::default());
            let forged = common::forged(&version, &key("user:42"), &bytes);
            let _ = open(&forged, &key("user:42"), &Limits::default());
        }
    }

    #[test]
    fn arbitrary_compressed_payloads_never_panic(
        payload in prop::collection::vec(any::<u8>(), 0..300),
        len in 0u32..100_000,
        compression in 0u8..3,
    ) {
        let stored = Content { payload, len, compression, ..Content::good() }.forge();
        if let Ok(Opened::Value(_, encoded)) = open(&stored, &key("user:42"), &Limits::default()) {
            prop_assert_eq!(encoded.bytes.len(), len as usize);
        }
    }

    #[test]
    fn forged_damage_anywhere_never_panics(
        at in any::<prop::sample::Index>(),
        with in any::<u8>(),
    ) {
        for (_, compression) in compressions() {
            let stored = sealed(&b"some text, and the same text, and the same text ".repeat(9), &compression);
            let content = &stored[29..stored.len() - 8];
            let mut content = content.to_vec();
            let at = at.index(content.len());
            content[at] = with;
            let stored = common::forged(&version(), &key("user:42"), &content);
            let _ = open(&stored, &key("user:42"), &Limits::default());
        }
    }
}

#[test]
fn the_format_is_used_as_declared() {
    for format in formats() {
        let payload = encode(format, &1u8, 10).unwrap();
        let stored = seal(&header(format), &key("k"), &payload, &Compression::off()).unwrap();
        assert_eq!(opened(&stored, &key("k")).1.format, format);
    }
    assert_eq!(Format::default(), Format::Msgpack);
}
