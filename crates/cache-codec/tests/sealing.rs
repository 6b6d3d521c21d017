//! What is sealed cannot be read or changed without its key.
#![cfg(feature = "seal")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by a panic")]

mod common;

use bytes::Bytes;
use cache_codec::{Compression, Keyring, Limits, OpenError, Opened, open, open_sealed, seal, seal_with};
use cache_core::Format;
use common::{header, key};
use proptest::prelude::*;

fn ring(id: u32) -> Keyring {
    Keyring::new(id, &[u8::try_from(id).unwrap(); 32])
}

fn sealed(payload: &[u8], ring: &Keyring) -> Bytes {
    seal_with(&header(Format::Msgpack), &key("a"), payload, &Compression::default(), ring).unwrap()
}

fn opened(stored: &Bytes, user: &str, ring: &Keyring) -> Result<Vec<u8>, OpenError> {
    match open_sealed(stored, &key(user), &Limits::default(), ring)? {
        Opened::Value(_, encoded) => Ok(encoded.bytes.to_vec()),
        Opened::Lease(_) => panic!("a lease"),
    }
}

/// XXH3 over the changed bytes, so that only the seal can notice.
fn signed_anew(mut bytes: Vec<u8>) -> Bytes {
    let end = bytes.len() - 8;
    let seed = u64::from_be_bytes(bytes[21..29].try_into().unwrap());
    let sum = xxhash_rust::xxh3::xxh3_64_with_seed(&bytes[..end], seed);
    bytes[end..].copy_from_slice(&sum.to_be_bytes());
    Bytes::from(bytes)
}

#[test]
fn a_sealed_value_shows_nothing_and_opens_with_its_key_alone() {
    let payload = b"a canary in the mine".repeat(100);
    for payload in [&payload[..], b"short canary", b""] {
        let stored = sealed(payload, &ring(1));
        assert!(!stored.windows(6).any(|part| part == b"canary"));
        assert_eq!(opened(&stored, "a", &ring(1)).unwrap(), payload);
        assert_ne!(stored, sealed(payload, &ring(1)), "no nonce comes twice");
        let other = Keyring::new(1, &[9; 32]);
        assert_eq!(opened(&stored, "a", &other), Err(OpenError::Corrupt("the seal is broken")));
        assert!(matches!(opened(&stored, "a", &ring(2)), Err(OpenError::MissingCodec(_))));
        assert!(matches!(open(&stored, &key("a"), &Limits::default()), Err(OpenError::MissingCodec(_))));
    }
}

#[test]
fn what_is_not_sealed_is_refused() {
    let plain = seal(&header(Format::Msgpack), &key("a"), b"plain", &Compression::off()).unwrap();
    assert_eq!(opened(&plain, "a", &ring(1)), Err(OpenError::NotSealed));
}

#[test]
fn keys_can_be_rotated() {
    let old = sealed(b"old", &ring(1));
    let both = ring(2).and(1, &[1; 32]).unwrap();
    let new = sealed(b"new", &both);
    assert_eq!(
        (opened(&old, "a", &both).unwrap(), opened(&new, "a", &both).unwrap()),
        (b"old".into(), b"new".into())
    );
    assert_eq!(opened(&new, "a", &ring(2)).unwrap(), b"new");
    assert!(both.and(2, &[3; 32]).is_err());
    assert!(!format!("{:?}", ring(7)).contains("7, 7"), "no key is shown");
}

proptest! {
    #[test]
    fn whatever_is_changed_is_noticed_even_with_a_right_checksum(
        payload in prop::collection::vec(any::<u8>(), 0..200), at in any::<prop::sample::Index>(), bit in 0..8u8,
    ) {
        let stored = sealed(&payload, &ring(1));
        let mut bytes = stored.to_vec();
        let at = at.index(bytes.len() - 8);
        bytes[at] ^= 1 << bit;
        let result = opened(&signed_anew(bytes), "a", &ring(1));
        prop_assert!(result.is_err(), "byte {at}, bit {bit}");
    }

    #[test]
    fn a_value_under_another_key_does_not_open(user in "[b-z]{1,4}") {
        let mut bytes = sealed(b"payload", &ring(1)).to_vec();
        // With the other key's hash and a right checksum: only the seal is bound to the key itself.
        let hash = xxhash_rust::xxh3::xxh3_64(key(&user).as_bytes());
        bytes[21..29].copy_from_slice(&hash.to_be_bytes());
        prop_assert!(opened(&signed_anew(bytes), &user, &ring(1)).is_err());
    }
}

#[test]
fn the_form_is_as_it_always_was() {
    // With key 1 of 32 times 0x01: the same bytes open in every release.
    let golden = include_str!("golden/sealed.hex").split_whitespace().collect::<String>();
    let bytes: Vec<u8> =
        (0..golden.len()).step_by(2).map(|at| u8::from_str_radix(&golden[at..at + 2], 16).unwrap()).collect();
    assert_eq!(opened(&Bytes::from(bytes), "a", &ring(1)).unwrap(), b"sealed once, opened for ever");
}
