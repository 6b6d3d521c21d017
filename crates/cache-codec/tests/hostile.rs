//! Payloads made to hurt the decoder.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests may")]

mod common;

use std::collections::HashMap;

use bytes::Bytes;
use cache_codec::{decode, encode};
use cache_core::{Encoded, ErrorKind, Format};
use common::{User, formats, user};
use proptest::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
struct Tree(Vec<Tree>);

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Chain {
    next: Option<Box<Chain>>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
enum Wrapped {
    End,
    More(Box<Wrapped>),
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Mapped {
    children: HashMap<u8, Mapped>,
}

fn encoded(format: Format, bytes: impl Into<Bytes>) -> Encoded {
    Encoded { format, bytes: bytes.into() }
}

fn tree(depth: usize) -> Tree {
    (0..depth).fold(Tree::default(), |tree, _| Tree(vec![tree]))
}

#[test]
fn moderate_nesting_comes_back() {
    for format in formats() {
        let bytes = encode(format, &tree(50), 10_000).unwrap();
        assert_eq!(decode::<Tree>(&encoded(format, bytes)).unwrap(), tree(50), "{format:?}");
    }
}

#[test]
fn deep_nesting_is_an_error_and_no_stack_overflow() {
    const DEEP: usize = 100_000;
    let mut bytes = vec![0x91; DEEP];
    bytes.push(0x90);
    let mut hostile = vec![(Format::Msgpack, bytes)];
    if cfg!(feature = "json") {
        hostile.push((Format::Json, [b"[".repeat(DEEP), b"]".repeat(DEEP)].concat()));
    }
    if cfg!(feature = "bincode") {
        hostile.push((Format::Bincode, [vec![1; DEEP], vec![0]].concat()));
    }
    for (format, bytes) in hostile {
        let hostile = encoded(format, bytes);
        assert_eq!(decode::<Tree>(&hostile).unwrap_err().kind(), ErrorKind::Codec);
        assert_eq!(decode::<Chain>(&hostile).unwrap_err().kind(), ErrorKind::Codec);
        assert_eq!(decode::<Wrapped>(&hostile).unwrap_err().kind(), ErrorKind::Codec);
        assert_eq!(decode::<Mapped>(&hostile).unwrap_err().kind(), ErrorKind::Codec);
        // Some decoders pass over what nobody wants without going down into it.
        let _ = decode::<serde::de::IgnoredAny>(&hostile);
    }
}

#[test]
fn too_deep_is_said() {
    let bytes = encode(Format::Msgpack, &tree(300), 10_000).unwrap();
    let error = decode::<Tree>(&encoded(Format::Msgpack, bytes)).unwrap_err();
    assert!(error.message().contains("nested more than 128 levels deep"), "{error}");
    if cfg!(feature = "bincode") {
        let bytes = encode(Format::Bincode, &tree(300), 10_000).unwrap();
        let error = decode::<Tree>(&encoded(Format::Bincode, bytes)).unwrap_err();
        assert!(error.message().contains("nested more than 128 levels deep"), "{error}");
    }
}

#[cfg(feature = "bincode")]
#[test]
fn values_without_bytes_cannot_be_declared_without_end() {
    let bytes = encode(Format::Bincode, &u64::MAX, 10).unwrap();
    assert_eq!(decode::<Vec<()>>(&encoded(Format::Bincode, bytes)).unwrap_err().kind(), ErrorKind::Codec);
    let bytes = encode(Format::Bincode, &vec![(); 1000], 10).unwrap();
    assert_eq!(decode::<Vec<()>>(&encoded(Format::Bincode, bytes)).unwrap().len(), 1000);
}

#[test]
fn bytes_left_over_are_an_error() {
    for format in formats() {
        for more in [&b"\0"[..], b"1", b"\xC0", b"\xC1", b"\xDA", b"garbage"] {
            let bytes = [&encode(format, &user(), 10_000).unwrap()[..], more].concat();
            let error = decode::<User>(&encoded(format, bytes)).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Codec, "{format:?} {more:?}");
            let bytes = [&encode(format, &None::<u8>, 10_000).unwrap()[..], more].concat();
            assert!(decode::<Option<u8>>(&encoded(format, bytes)).is_err(), "{format:?} {more:?}");
        }
    }
}

#[test]
fn every_truncated_payload_is_an_error() {
    for format in formats() {
        let bytes = encode(format, &user(), 10_000).unwrap();
        for len in 0..bytes.len() {
            let error = decode::<User>(&encoded(format, bytes.slice(..len))).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Codec, "{format:?} {len}");
        }
    }
}

#[test]
fn errors_show_nothing_of_the_value() {
    #[derive(Debug, Serialize, Deserialize)]
    struct Out {
        password: String,
    }
    #[derive(Debug, Deserialize)]
    struct Number {
        #[allow(dead_code)]
        password: u32,
    }
    #[derive(Debug, Deserialize)]
    enum Choice {
        A,
        B,
    }
    #[derive(Debug, Deserialize)]
    struct Chosen {
        #[allow(dead_code)]
        password: Choice,
    }
    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Strict {
        #[allow(dead_code)]
        name: String,
    }
    let _ = (Choice::A, Choice::B);
    for format in formats() {
        let bytes = encode(format, &Out { password: "hunter2".into() }, 100).unwrap();
        let secret = encoded(format, bytes);
        let all = [
            decode::<Number>(&secret).map(drop),
            decode::<Chosen>(&secret).map(drop),
            decode::<Strict>(&secret).map(drop),
            decode::<Vec<bool>>(&secret).map(drop),
            decode::<char>(&secret).map(drop),
            decode::<std::net::IpAddr>(&encoded(format, encode(format, "hunter2", 100).unwrap())).map(drop),
        ];
        // bincode has no idea of types, so some of these succeed there.
        for error in all.into_iter().filter_map(Result::err) {
            let shown = format!("{error} {error:?}");
            assert!(!shown.contains("hunter"), "{format:?}: {shown}");
        }
    }
}

#[test]
fn an_error_does_not_show_a_short_number_as_its_marker() {
    /// The name by which the decoder knows an extension of MessagePack.
    #[derive(Debug, Deserialize)]
    #[serde(rename = "_ExtStruct")]
    struct Extension(#[allow(dead_code)] (i8, serde_bytes::ByteBuf));

    let number = encoded(Format::Msgpack, Bytes::from_static(b"\x61"));
    for error in [
        decode::<Extension>(&number).map(drop).unwrap_err(),
        decode::<Wrapped>(&number).map(drop).unwrap_err(),
        decode::<User>(&number).map(drop).unwrap_err(),
    ] {
        assert!(!error.to_string().contains("97"), "{error}");
    }
}

#[test]
fn an_error_says_which_field_is_missing() {
    for format in formats().into_iter().filter(|format| *format != Format::Bincode) {
        let bytes = encode(format, &HashMap::from([("id", 42)]), 100).unwrap();
        let error = decode::<User>(&encoded(format, bytes)).unwrap_err();
        assert!(error.message().contains("missing field `name`"), "{error}");
        assert!(error.message().contains("User"), "{error}");
    }
}

proptest! {
    #[test]
    fn arbitrary_payloads_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        for format in formats() {
            let hostile = encoded(format, bytes.clone());
            let _ = decode::<User>(&hostile);
            let _ = decode::<Tree>(&hostile);
            let _ = decode::<Chain>(&hostile);
            let _ = decode::<Wrapped>(&hostile);
            let _ = decode::<Mapped>(&hostile);
            let _ = decode::<String>(&hostile);
            let _ = decode::<Vec<u64>>(&hostile);
            let _ = decode::<Vec<()>>(&hostile);
            let _ = decode::<HashMap<String, Vec<Option<i128>>>>(&hostile);
            let _ = decode::<serde_bytes::ByteBuf>(&hostile);
        }
    }

    #[test]
    fn a_damaged_payload_never_panics(at in any::<prop::sample::Index>(), with in any::<u8>()) {
        for format in formats() {
            let mut bytes = encode(format, &user(), 10_000).unwrap().to_vec();
            let at = at.index(bytes.len());
            bytes[at] = with;
            let _ = decode::<User>(&encoded(format, bytes));
        }
    }
}
