//! The bytes as a store holds them: what makes sure that a value is whole, and that it is the one asked for.

use bytes::Bytes;
use cache_core::{Encoded, Error, ErrorKind, Key, Version};
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use crate::compression::Method;
use crate::fields::Fields;
use crate::{Compression, Header, Limits, OpenError};

/// The version of the format that [`seal`] writes, and the latest that [`open`] reads.
pub const FORMAT_VERSION: u8 = 1;

/// Version, format version, hash of the key.
const PREAMBLE_LEN: usize = Version::LEN + 1 + 8;
/// Compression, uncompressed length.
const PAYLOAD_PREFIX_LEN: usize = 1 + 4;
const CHECKSUM_LEN: usize = 8;
/// The longest that an envelope gets beyond its payload.
const MAX_OVERHEAD: usize = PREAMBLE_LEN + Header::MAX_LEN + PAYLOAD_PREFIX_LEN + CHECKSUM_LEN;

/// What stored bytes turned out to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Opened {
    /// A value.
    Value(Header, Encoded),
    /// A placeholder: somebody is loading the value.
    Lease(Version),
}

/// The bytes to store for a serialised value: header and payload, compressed where it helps, bound to the key.
///
/// # Errors
/// [`ErrorKind::Validation`] if the header is not as its fields say, listing all that is wrong;
/// [`ErrorKind::Configuration`] for a format that was not built in, and for bincode without a schema;
/// [`ErrorKind::TooLarge`] for a payload of 4 GiB or more.
pub fn seal(header: &Header, key: &Key, payload: &[u8], compression: &Compression) -> Result<Bytes, Error> {
    header.check()?;
    let plain_len = u32::try_from(payload.len()).map_err(|_| too_large(payload.len()))?;
    let packed = compression.pack(payload);
    let (method, body) = match &packed {
        Some((method, packed)) => (method.id(), packed.as_slice()),
        None => (0, payload),
    };
    let len = PREAMBLE_LEN + header.encoded_len() + PAYLOAD_PREFIX_LEN + body.len() + CHECKSUM_LEN;
    Ok(signed(&header.version, key, len, |out| {
        header.write(out);
        out.push(method);
        out.extend_from_slice(&plain_len.to_be_bytes());
        out.extend_from_slice(body);
    }))
}

/// The bytes of a lease, to be stored under the key of a value that is being loaded.
///
/// `version` is a lease's, as [`VersionSource::lease`](cache_core::VersionSource::lease) makes them.
pub fn lease(version: Version, key: &Key) -> Bytes {
    signed(&version, key, PREAMBLE_LEN + CHECKSUM_LEN, |_| {})
}

/// Opens what is stored under a key. An uncompressed payload is a slice of `stored`, not a copy.
///
/// No memory is taken before lengths were compared with the bytes that are there and with the limits. Whatever the
/// bytes are, this does not panic.
///
/// # Errors
/// Why they cannot be used; [`OpenError::action`] says what to do then.
pub fn open(stored: &Bytes, key: &Key, limits: &Limits) -> Result<Opened, OpenError> {
    let version = Version::of(stored).ok_or(OpenError::Foreign)?;
    match stored.get(Version::LEN) {
        Some(&FORMAT_VERSION) => {}
        Some(&later) if later > FORMAT_VERSION => return Err(OpenError::Future(later)),
        Some(_) => return Err(OpenError::Corrupt("there never was such a format version")),
        None => return Err(OpenError::Corrupt("it ends after the version")),
    }
    limits.check_value(stored.len().saturating_sub(MAX_OVERHEAD))?;
    let mut fields = Fields::new(verified(stored, key)?);
    if version.is_lease() {
        return match fields.rest() {
            [] => Ok(Opened::Lease(version)),
            _ => Err(OpenError::Corrupt("a lease has a payload")),
        };
    }
    let header = Header::read(version, &mut fields)?;
    let bytes = open_payload(fields, stored, limits)?;
    let encoded = Encoded { format: header.format, bytes };
    Ok(Opened::Value(header, encoded))
}

fn open_payload(mut fields: Fields<'_>, stored: &Bytes, limits: &Limits) -> Result<Bytes, OpenError> {
    let method = Method::from_id(fields.u8()?)?;
    let plain_len = usize::try_from(fields.u32()?).unwrap_or(usize::MAX);
    let body = fields.rest();
    limits.check_value(body.len())?;
    limits.check_decoded(plain_len)?;
    match method {
        Some(method) => method.unpack(body, plain_len).map(Bytes::from),
        None if plain_len == body.len() => Ok(stored.slice_ref(body)),
        None => Err(OpenError::Corrupt("the payload is not as long as it says")),
    }
}

/// Wraps what `write` appends between preamble and checksum.
fn signed(version: &Version, key: &Key, len: usize, write: impl FnOnce(&mut Vec<u8>)) -> Bytes {
    let key_hash = xxh3_64(key.as_bytes());
    let mut out = Vec::with_capacity(len);
    out.extend_from_slice(version.as_bytes());
    out.push(FORMAT_VERSION);
    out.extend_from_slice(&key_hash.to_be_bytes());
    write(&mut out);
    out.extend_from_slice(&xxh3_64_with_seed(&out, key_hash).to_be_bytes());
    Bytes::from(out)
}

/// What lies between preamble and checksum, if the bytes are whole and belong to the key.
fn verified<'a>(stored: &'a [u8], key: &Key) -> Result<&'a [u8], OpenError> {
    const TOO_SHORT: OpenError = OpenError::Corrupt("it is too short");
    let (signed, checksum) = stored.split_last_chunk().ok_or(TOO_SHORT)?;
    let (preamble, content) = signed.split_at_checked(PREAMBLE_LEN).ok_or(TOO_SHORT)?;
    let (_, key_hash) = preamble.split_last_chunk().ok_or(TOO_SHORT)?;
    // The stored hash seeds the checksum, so that bytes of another key can be told from damaged ones.
    let key_hash = u64::from_be_bytes(*key_hash);
    if xxh3_64_with_seed(signed, key_hash) != u64::from_be_bytes(*checksum) {
        return Err(OpenError::Corrupt("the checksum is not right"));
    }
    if key_hash != xxh3_64(key.as_bytes()) {
        return Err(OpenError::WrongKey);
    }
    Ok(content)
}

#[cold]
fn too_large(len: usize) -> Error {
    Error::new(
        ErrorKind::TooLarge,
        format!("the payload is {len} bytes long, at most {} are allowed", u32::MAX),
    )
}
