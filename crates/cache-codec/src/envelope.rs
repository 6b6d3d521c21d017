//! The bytes as a store holds them: what makes sure that a value is whole, and that it is the one asked for.

use std::convert::Infallible;

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
/// In the byte that says how a payload is compressed: it is sealed as well.
pub(crate) const SEALED: u8 = 0x80;
/// What sealing adds to a payload: key id, nonce, tag.
pub(crate) const SEAL_LEN: usize = 4 + 24 + 16;
/// The longest that an envelope gets beyond its payload.
const MAX_OVERHEAD: usize = PREAMBLE_LEN + Header::MAX_LEN + PAYLOAD_PREFIX_LEN + CHECKSUM_LEN + SEAL_LEN;

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
    seal_by(header, key, payload, compression, None)
}

/// What seals a payload, given all that stands before it.
pub(crate) type Cover<'a> = &'a dyn Fn(&[u8], &[u8]) -> Result<Vec<u8>, Error>;
/// The same the other way round.
pub(crate) type Uncover<'a> = &'a dyn Fn(&[u8], &[u8]) -> Result<Vec<u8>, OpenError>;

pub(crate) fn seal_by(
    header: &Header,
    key: &Key,
    payload: &[u8],
    compression: &Compression,
    cover: Option<Cover<'_>>,
) -> Result<Bytes, Error> {
    header.check()?;
    let plain_len = u32::try_from(payload.len()).map_err(|_| too_large(payload.len()))?;
    let packed = compression.pack(payload);
    let (method, body) = match &packed {
        Some((method, packed)) => (method.id(), packed.as_slice()),
        None => (0, payload),
    };
    let len = PREAMBLE_LEN + header.encoded_len() + PAYLOAD_PREFIX_LEN + body.len() + CHECKSUM_LEN;
    signed(&header.version, key, len + cover.map_or(0, |_| SEAL_LEN), |out| {
        header.write(out);
        out.push(if cover.is_some() { method | SEALED } else { method });
        out.extend_from_slice(&plain_len.to_be_bytes());
        match cover {
            Some(cover) => {
                let covered = cover(out, body)?;
                out.extend_from_slice(&covered);
            }
            None => out.extend_from_slice(body),
        }
        Ok(())
    })
}

/// The bytes of a lease, to be stored under the key of a value that is being loaded.
///
/// `version` is a lease's, as [`VersionSource::lease`](cache_core::VersionSource::lease) makes them. That is not looked at:
/// under another version the bytes are damaged for whoever reads them.
pub fn lease(version: Version, key: &Key) -> Bytes {
    let Ok(bytes) = signed(&version, key, PREAMBLE_LEN + CHECKSUM_LEN, |_| Ok::<(), Infallible>(()));
    bytes
}

/// Opens what is stored under a key. An uncompressed payload is a slice of `stored`, not a copy.
///
/// No memory is taken before lengths were compared with the bytes that are there and with the limits. Whatever the
/// bytes are, this does not panic.
///
/// # Errors
/// Why they cannot be used; [`OpenError::action`] says what to do then. A sealed value is a
/// [`MissingCodec`](OpenError::MissingCodec) here: it takes a key to open it.
pub fn open(stored: &Bytes, key: &Key, limits: &Limits) -> Result<Opened, OpenError> {
    open_by(stored, key, limits, None)
}

pub(crate) fn open_by(
    stored: &Bytes,
    key: &Key,
    limits: &Limits,
    uncover: Option<Uncover<'_>>,
) -> Result<Opened, OpenError> {
    let version = version_of(stored)?;
    limits.check_value(stored.len().saturating_sub(MAX_OVERHEAD))?;
    let mut fields = Fields::new(verified(stored, key)?);
    if version.is_lease() {
        return match fields.rest() {
            [] => Ok(Opened::Lease(version)),
            _ => Err(OpenError::Corrupt("a lease has a payload")),
        };
    }
    let header = Header::read(version, &mut fields)?;
    let bytes = open_payload(fields, stored, limits, uncover)?;
    let encoded = Encoded { format: header.format, bytes };
    Ok(Opened::Value(header, encoded))
}

/// The version of bytes whose format this release reads.
pub(crate) fn version_of(stored: &[u8]) -> Result<Version, OpenError> {
    let version = Version::of(stored).ok_or(OpenError::Foreign)?;
    match stored.get(Version::LEN) {
        Some(&FORMAT_VERSION) => Ok(version),
        Some(&later) if later > FORMAT_VERSION => Err(OpenError::Future(later)),
        Some(_) => Err(OpenError::Corrupt("there never was such a format version")),
        None => Err(OpenError::Corrupt("it ends after the version")),
    }
}

fn open_payload(
    mut fields: Fields<'_>,
    stored: &Bytes,
    limits: &Limits,
    uncover: Option<Uncover<'_>>,
) -> Result<Bytes, OpenError> {
    let method = fields.u8()?;
    let is_sealed = method & SEALED != 0;
    let plain_len = usize::try_from(fields.u32()?).unwrap_or(usize::MAX);
    let body = fields.rest();
    let uncover = match (is_sealed, uncover) {
        (true, None) => return Err(OpenError::MissingCodec("the key that it is sealed with")),
        (false, Some(_)) => return Err(OpenError::NotSealed),
        (_, uncover) => uncover,
    };
    let method = Method::from_id(method & !SEALED)?;
    limits.check_value(body.len().saturating_sub(if is_sealed { SEAL_LEN } else { 0 }))?;
    limits.check_decoded(plain_len)?;
    let before = stored.len() - CHECKSUM_LEN - body.len();
    let uncovered = uncover.map(|uncover| uncover(&stored[..before], body)).transpose()?;
    let body = uncovered.as_deref().unwrap_or(body);
    match (method, &uncovered) {
        (Some(method), _) => method.unpack(body, plain_len).map(Bytes::from),
        (None, _) if plain_len != body.len() => {
            Err(OpenError::Corrupt("the payload is not as long as it says"))
        }
        (None, None) => Ok(stored.slice_ref(body)),
        (None, Some(_)) => Ok(Bytes::from(uncovered.unwrap_or_default())),
    }
}

/// Wraps what `write` appends between preamble and checksum.
fn signed<E>(
    version: &Version,
    key: &Key,
    len: usize,
    write: impl FnOnce(&mut Vec<u8>) -> Result<(), E>,
) -> Result<Bytes, E> {
    let key_hash = xxh3_64(key.as_bytes());
    let mut out = Vec::with_capacity(len);
    out.extend_from_slice(version.as_bytes());
    out.push(FORMAT_VERSION);
    out.extend_from_slice(&key_hash.to_be_bytes());
    write(&mut out)?;
    out.extend_from_slice(&xxh3_64_with_seed(&out, key_hash).to_be_bytes());
    Ok(Bytes::from(out))
}

/// What lies between preamble and checksum, if the bytes are whole and belong to the key.
pub(crate) fn verified<'a>(stored: &'a [u8], key: &Key) -> Result<&'a [u8], OpenError> {
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
