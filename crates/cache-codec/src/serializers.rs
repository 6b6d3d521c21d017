//! Values to bytes and back, by the serializer that the caller names.

use std::any::type_name;

use bytes::Bytes;
use cache_core::{Cacheable, Encoded, Error, ErrorKind, Format};
use serde::Serialize;
use serde::de::DeserializeOwned;

#[cfg(feature = "bincode")]
use crate::bincode2;
use crate::buffer::Buffer;
#[cfg(feature = "json")]
use crate::json;
use crate::msgpack;

/// Serialises a value into at most `max` bytes.
///
/// It stops as soon as `max` is passed. What it takes in memory is at most twice `max`; for a part of the value whose
/// length serde does not know beforehand, such as a flattened struct, MessagePack also takes the length of that part.
/// Values nested more than 128 levels deep can be encoded, but [`decode`] will refuse them.
///
/// # Errors
/// [`ErrorKind::TooLarge`] past `max`, [`ErrorKind::Codec`] if the format cannot express the value,
/// [`ErrorKind::Configuration`] if the format was not built in.
pub fn encode<T: Serialize + ?Sized>(format: Format, value: &T, max: usize) -> Result<Bytes, Error> {
    let mut out = Buffer::new(max);
    let written = match format {
        Format::Msgpack => msgpack::encode(value, &mut out),
        #[cfg(feature = "json")]
        Format::Json => json::encode(value, &mut out),
        #[cfg(feature = "bincode")]
        Format::Bincode => bincode2::encode(value, &mut out),
        _ => return Err(not_built(format)),
    };
    match written {
        _ if out.overflown() => Err(Error::new(
            ErrorKind::TooLarge,
            format!(
                "the value takes up more than {max} bytes as {}, which is the most allowed",
                name(format)
            ),
        )),
        Ok(()) => Ok(out.into_bytes()),
        Err(source) => Err(Error::new(
            ErrorKind::Codec,
            format!("{} cannot be expressed as {}", type_name::<T>(), name(format)),
        )
        .because(source)),
    }
}

/// Serialises a value of a type that only its reader knows, as [`encode`] does.
///
/// # Errors
/// As [`encode`].
pub fn encode_erased(format: Format, value: &dyn Cacheable, max: usize) -> Result<Bytes, Error> {
    let value: &dyn erased_serde::Serialize = value;
    encode(format, value, max)
}

/// Reads a value back as `T`. All bytes must be used up.
///
/// ```
/// use cache_codec::{decode, encode};
/// use cache_core::{Encoded, ErrorKind, Format};
///
/// let encoded = Encoded { format: Format::Msgpack, bytes: encode(Format::Msgpack, &vec![1, 2, 3], 1000)? };
/// assert_eq!(decode::<Vec<u8>>(&encoded)?, [1, 2, 3]);
/// assert_eq!(decode::<String>(&encoded).unwrap_err().kind(), ErrorKind::Codec);
/// # Ok::<(), cache_core::Error>(())
/// ```
///
/// Memory is taken in proportion to the bytes that are there, never to a length that they declare. Values nested
/// more than 128 levels deep are refused; with bincode an `Option` and a newtype are levels too.
///
/// # Errors
/// [`ErrorKind::Codec`] if the bytes do not make a `T`; the message says what was missing or expected and shows
/// nothing of the value. [`ErrorKind::Configuration`] if the format was not built in.
pub fn decode<T: DeserializeOwned>(encoded: &Encoded) -> Result<T, Error> {
    let bytes = &encoded.bytes;
    let value = match encoded.format {
        Format::Msgpack => msgpack::decode(bytes),
        #[cfg(feature = "json")]
        Format::Json => json::decode(bytes),
        #[cfg(feature = "bincode")]
        Format::Bincode => bincode2::decode(bytes),
        format => return Err(not_built(format)),
    };
    value.map_err(|problem| {
        let (format, wanted) = (name(encoded.format), type_name::<T>());
        Error::new(ErrorKind::Codec, format!("the stored {format} is no {wanted}: {}", problem.0))
    })
}

/// Whether this build can read and write the format.
pub(crate) fn is_built(format: Format) -> bool {
    format == Format::Msgpack
        || (cfg!(feature = "json") && format == Format::Json)
        || (cfg!(feature = "bincode") && format == Format::Bincode)
}

/// The format's name, as people know it.
pub(crate) fn name(format: Format) -> &'static str {
    match format {
        Format::Msgpack => "MessagePack",
        Format::Json => "JSON",
        Format::Bincode => "bincode",
        _ => "a serializer of a later release",
    }
}

pub(crate) fn not_built(format: Format) -> Error {
    Error::new(
        ErrorKind::Configuration,
        format!(
            "{} was asked for, but this build does not have it; enable its feature of `cache-codec`",
            name(format)
        ),
    )
}
