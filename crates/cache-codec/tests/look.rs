//! What stored bytes say of themselves is what went in, and damaged ones say nothing.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by a panic")]

mod common;

use cache_codec::{Looked, OpenError, lease, look, seal};
use cache_core::Format;
use common::{compressions, header, key, lease_version};

#[test]
fn header_and_packing_are_told_without_the_value() {
    let payload = b"again and ".repeat(300);
    for (name, compression) in compressions() {
        let stored = seal(&header(Format::Msgpack), &key("a"), &payload, &compression).unwrap();
        let Ok(Looked::Value(found, packing)) = look(&stored, &key("a")) else { panic!("{name}") };
        assert_eq!(found, header(Format::Msgpack));
        assert_eq!((packing.plain, packing.sealed), (payload.len(), false));
        match packing.compression {
            Some(compression) => assert!(compression == name && packing.packed < payload.len() / 4),
            None => assert_eq!((name, packing.packed), ("plain", payload.len())),
        }
    }
}

#[cfg(feature = "seal")]
#[test]
fn a_sealed_value_is_told_without_its_key() {
    let ring = cache_codec::Keyring::new(1, &[7; 32]);
    let compression = cache_codec::Compression::off();
    let stored =
        cache_codec::seal_with(&header(Format::Msgpack), &key("a"), b"secret", &compression, &ring).unwrap();
    let Ok(Looked::Value(_, packing)) = look(&stored, &key("a")) else { panic!() };
    assert_eq!((packing.sealed, packing.plain, packing.packed), (true, 6, 6));
}

#[test]
fn a_lease_is_told_and_what_is_damaged_foreign_or_anothers_is_refused() {
    let stored = lease(lease_version(), &key("a"));
    assert_eq!(look(&stored, &key("a")), Ok(Looked::Lease(lease_version())));
    let stored = seal(&header(Format::Msgpack), &key("a"), b"value", &compressions()[0].1).unwrap();
    assert_eq!(look(&stored, &key("b")), Err(OpenError::WrongKey));
    assert_eq!(look(b"foreign", &key("a")), Err(OpenError::Foreign));
    for at in 29..stored.len() {
        let mut damaged = stored.to_vec();
        damaged[at] ^= 1;
        assert!(matches!(look(&damaged, &key("a")), Err(OpenError::Corrupt(_))), "byte {at}");
        assert!(look(&stored[..at], &key("a")).is_err());
    }
}
