//! What goes in comes out, whatever it is.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests may")]

mod common;

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use cache_codec::{Compression, Header, decode, encode, encode_erased, seal};
use cache_core::{Cacheable, Encoded, ErrorKind, Format, Stamp};
use common::{compressions, formats, header, key, opened, version};
use proptest::prelude::*;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Shape {
    Unit,
    New(i64),
    Tuple(u8, String),
    Struct { a: Option<bool>, b: (i8, u128) },
    Nested(Box<Shape>),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Everything {
    shapes: Vec<Shape>,
    map: BTreeMap<String, Option<i32>>,
    #[serde(with = "serde_bytes")]
    binary: Vec<u8>,
    numbers: Vec<u64>,
    letter: char,
    float: f64,
    nothing: (),
}

fn shape() -> impl Strategy<Value = Shape> {
    let leaf = prop_oneof![
        Just(Shape::Unit),
        any::<i64>().prop_map(Shape::New),
        any::<(u8, String)>().prop_map(|(a, b)| Shape::Tuple(a, b)),
        (any::<Option<bool>>(), any::<i8>(), any::<u128>())
            .prop_map(|(a, b, c)| Shape::Struct { a, b: (b, c) }),
    ];
    leaf.prop_recursive(4, 8, 1, |inner| inner.prop_map(|shape| Shape::Nested(Box::new(shape))))
}

fn everything() -> impl Strategy<Value = Everything> {
    (
        prop::collection::vec(shape(), 0..8),
        prop::collection::btree_map(any::<String>(), any::<Option<i32>>(), 0..8),
        prop::collection::vec(any::<u8>(), 0..2000),
        prop::collection::vec(any::<u64>(), 0..300),
        any::<char>(),
        prop::num::f64::NORMAL | prop::num::f64::ZERO,
    )
        .prop_map(|(shapes, map, binary, numbers, letter, float)| Everything {
            shapes,
            map,
            binary,
            numbers,
            letter,
            float,
            nothing: (),
        })
}

prop_compose! {
    fn any_header()(
        fresh in 0..u64::MAX / 2_000_000,
        more in 0..u64::MAX / 2_000_000,
        cost in 0..u64::MAX / 1_000,
        nonce in any::<u64>(),
        seq in any::<u64>(),
        tags in prop::collection::vec("\\PC{1,64}", 0..=16),
        schema in any::<Option<u64>>(),
        created_unix_ms in any::<u64>(),
    ) -> Header {
        Header {
            version: version(),
            format: Format::Msgpack,
            fresh: Duration::from_millis(fresh),
            total: Duration::from_millis(fresh + more),
            cost: Duration::from_micros(cost),
            stamp: Stamp { nonce, seq },
            tags: (!tags.is_empty()).then(|| tags.into_iter().map(String::into_boxed_str).collect()),
            schema,
            created_unix_ms,
        }
    }
}

fn through<T>(header: &Header, value: &T, compression: &Compression) -> T
where
    T: Serialize + DeserializeOwned,
{
    let payload = encode(header.format, value, usize::MAX).unwrap();
    let stored = seal(header, &key("k"), &payload, compression).unwrap();
    let (found, encoded) = opened(&stored, &key("k"));
    assert_eq!(&found, header);
    assert_eq!(encoded.bytes, payload);
    decode(&encoded).unwrap()
}

proptest! {
    #[test]
    fn any_value_and_header_come_back(value in everything(), header in any_header()) {
        for format in formats() {
            let schema = header.schema.or((format == Format::Bincode).then_some(1));
            let header = Header { format, schema, ..header.clone() };
            for (_, compression) in compressions() {
                prop_assert_eq!(&through(&header, &value, &compression), &value);
            }
        }
    }

    #[test]
    fn any_bytes_come_back_as_a_payload(payload in prop::collection::vec(any::<u8>(), 0..5000)) {
        for (_, compression) in compressions() {
            let stored = seal(&header(Format::Msgpack), &key("k"), &payload, &compression).unwrap();
            prop_assert_eq!(&opened(&stored, &key("k")).1.bytes, &payload);
        }
    }
}

/// The same few bytes over and over, or none alike.
fn text(len: usize) -> String {
    "abcdefghij".chars().cycle().take(len).collect()
}

fn noise(len: usize) -> Vec<u8> {
    let mut state = 0x9E37_79B9_7F4A_7C15u64;
    (0..len)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_be_bytes()[0]
        })
        .collect()
}

#[test]
fn every_size_comes_back_in_every_format_and_compression() {
    const THRESHOLD: usize = 1000;
    let mut all = vec![Compression::off(), Compression::default()];
    for level in 1..=9 {
        all.extend(Compression::new(THRESHOLD, level));
    }
    for format in formats() {
        for compression in &all {
            for size in [0, 1, THRESHOLD, THRESHOLD + 1, 10_000] {
                let value = text(size);
                assert_eq!(through(&header(format), &value, compression), value, "{format:?} {size}");
                let value = serde_bytes::ByteBuf::from(noise(size));
                assert_eq!(through(&header(format), &value, compression), value, "{format:?} {size}");
            }
        }
        // Eight megabytes of each kind, once for each compression.
        for (_, compression) in compressions() {
            let value = text(8_000_000);
            assert!(through(&header(format), &value, &compression) == value);
            let value = serde_bytes::ByteBuf::from(if format == Format::Json {
                noise(800_000)
            } else {
                noise(8_000_000)
            });
            assert!(through(&header(format), &value, &compression) == value);
            let value = "\0".repeat(1_000_000);
            assert!(through(&header(format), &value, &compression) == value);
        }
    }
}

#[test]
fn compression_starts_strictly_above_the_threshold_and_only_if_it_helps() {
    for level in 1..=9 {
        let Ok(compression) = Compression::new(1000, level) else { continue };
        let stored_len = |payload: &[u8]| common::sealed(payload, &compression).len();
        let overhead = stored_len(b"");
        assert_eq!(stored_len(&[b'a'; 1000]), overhead + 1000, "at the threshold");
        assert!(stored_len(&[b'a'; 1001]) < overhead + 100, "above the threshold");
        assert_eq!(stored_len(&noise(5000)), overhead + 5000, "noise does not get smaller");
    }
}

#[test]
fn a_level_without_its_feature_and_every_value_out_of_range_are_said_at_once() {
    for level in [0, 10, u8::MAX] {
        let error = Compression::new((1 << 20) + 1, level).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Configuration);
        for part in ["2 problems", "0 to 1048576 are allowed", "1 to 9 are allowed"] {
            assert!(error.message().contains(part), "{error}");
        }
    }
    for level in 1..=3 {
        assert_eq!(Compression::new(1 << 20, level).is_ok(), cfg!(feature = "lz4"));
    }
    for level in 4..=9 {
        let built = Compression::new(0, level);
        assert_eq!(built.is_ok(), cfg!(feature = "zstd"));
        if let Err(error) = built {
            assert!(error.message().contains("zstd") && error.kind() == ErrorKind::Configuration, "{error}");
        }
    }
}

#[test]
fn the_default_compresses_above_1000_bytes_with_lz4() {
    let wanted = if cfg!(feature = "lz4") { Compression::new(1000, 1).unwrap() } else { Compression::off() };
    assert_eq!(Compression::default(), wanted);
}

#[test]
fn an_uncompressed_payload_is_a_slice_of_what_was_read() {
    let stored = common::sealed(b"payload", &Compression::off());
    let (_, encoded) = opened(&stored, &key("user:42"));
    assert!(stored.as_ptr_range().contains(&encoded.bytes.as_ptr()));
}

#[test]
fn an_erased_value_is_encoded_like_itself() {
    for format in formats() {
        let value = common::user();
        let erased: &dyn Cacheable = &value;
        assert_eq!(encode_erased(format, erased, 10_000).unwrap(), encode(format, &value, 10_000).unwrap());
        assert_eq!(encode_erased(format, erased, 10).unwrap_err().kind(), ErrorKind::TooLarge);
    }
}

#[test]
fn unsized_values_can_be_encoded() {
    for format in formats() {
        let bytes = encode(format, "text", 100).unwrap();
        assert_eq!(decode::<String>(&Encoded { format, bytes }).unwrap(), "text");
        let bytes = encode(format, &[1u16, 2][..], 100).unwrap();
        assert_eq!(decode::<Vec<u16>>(&Encoded { format, bytes }).unwrap(), [1, 2]);
    }
}

#[test]
fn fields_may_come_go_and_move_in_formats_with_field_names() {
    #[derive(Serialize)]
    struct Old {
        a: u8,
        dropped: String,
        b: u8,
    }
    #[derive(Debug, PartialEq, Deserialize)]
    struct New {
        b: u8,
        a: u8,
        #[serde(default)]
        added: Option<u8>,
    }
    for format in formats().into_iter().filter(|format| *format != Format::Bincode) {
        let bytes = encode(format, &Old { a: 1, dropped: "x".into(), b: 2 }, 100).unwrap();
        assert_eq!(decode::<New>(&Encoded { format, bytes }).unwrap(), New { b: 2, a: 1, added: None });
    }
}

#[test]
fn a_stored_null_is_a_value() {
    for format in formats() {
        assert_eq!(through(&header(format), &None::<u8>, &Compression::default()), None);
        through(&header(format), &(), &Compression::default());
    }
}

#[test]
fn a_value_of_just_the_limit_is_encoded_and_one_byte_more_is_too_large() {
    for format in formats() {
        let len = encode(format, &common::user(), usize::MAX).unwrap().len();
        assert!(encode(format, &common::user(), len).is_ok());
        let error = encode(format, &common::user(), len - 1).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TooLarge, "{error}");
    }
}

#[test]
fn encoding_stops_at_the_limit() {
    /// Counts how many of its many elements are asked for.
    struct Long(std::cell::Cell<u64>);
    impl Serialize for Long {
        fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            use serde::ser::SerializeSeq;
            let mut seq = serializer.serialize_seq(Some(100_000))?;
            for i in 0..100_000 {
                self.0.set(i);
                seq.serialize_element("ten bytes.")?;
            }
            seq.end()
        }
    }
    for format in formats() {
        let value = Long(0.into());
        assert_eq!(encode(format, &value, 1000).unwrap_err().kind(), ErrorKind::TooLarge);
        assert!(value.0.get() < 100, "{} elements were asked for", value.0.get());
    }
}

#[test]
fn what_a_format_cannot_express_is_a_codec_error_and_keeps_its_source() {
    struct Refuses;
    impl Serialize for Refuses {
        fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
            Err(serde::ser::Error::custom("not today"))
        }
    }
    for format in formats() {
        let error = encode(format, &Refuses, 1000).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Codec);
        assert!(error.message().contains("Refuses"), "{error}");
        assert!(std::error::Error::source(&error).is_some());
    }
}

#[test]
fn durations_are_rounded_up_to_milliseconds_together() {
    let mut exact = header(Format::Msgpack);
    exact.fresh = Duration::from_micros(1001);
    exact.total = Duration::from_micros(1002);
    let stored = seal(&exact, &key("k"), b"", &Compression::off()).unwrap();
    let (found, _) = opened(&stored, &key("k"));
    assert_eq!((found.fresh, found.total), (Duration::from_millis(2), Duration::from_millis(2)));
}

#[test]
fn a_header_that_breaks_its_rules_is_not_sealed() {
    let mut bad = header(Format::Msgpack);
    bad.version = common::lease_version();
    bad.fresh = bad.total + Duration::from_nanos(1);
    bad.tags = Some((0..17).map(|_| "x".repeat(257).into()).collect());
    let error = seal(&bad, &key("k"), b"", &Compression::off()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Validation);
    for part in ["20 problems", "lease", "fresh for", "17 tags", "257 bytes long"] {
        assert!(error.message().contains(part), "{part} in {error}");
    }
}

#[test]
fn what_is_not_built_in_is_a_configuration_error() {
    for format in [Format::Json, Format::Bincode] {
        if formats().contains(&format) {
            continue;
        }
        let encoded = Encoded { format, bytes: Bytes::from_static(b"1") };
        for error in [
            encode(format, &1, 10).unwrap_err(),
            decode::<u8>(&encoded).unwrap_err(),
            seal(&header(format), &key("k"), b"1", &Compression::off()).unwrap_err(),
        ] {
            assert_eq!(error.kind(), ErrorKind::Configuration);
            assert!(error.message().contains("enable its feature"), "{error}");
        }
    }
}

#[cfg(feature = "bincode")]
#[test]
fn bincode_needs_a_schema() {
    let mut bare = header(Format::Bincode);
    bare.schema = None;
    let error = seal(&bare, &key("k"), b"1", &Compression::off()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Configuration);
    assert!(error.message().contains("schema"), "{error}");
}
