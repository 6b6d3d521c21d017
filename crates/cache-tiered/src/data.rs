//! From cached values to the caller's type and back.

use std::sync::Arc;

use cache_core::{Cacheable, Encoded, Error, Format, Value};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// What can be cached: owned data that serde can write and read. Implemented for every type that qualifies.
///
/// Hits share one value behind an `Arc`, so a caller cannot change what is cached. A type with interior mutability (a
/// `Mutex`, an atomic) takes that protection away: do not cache one.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be cached",
    label = "not owned data that serde can write and read",
    note = "derive `Serialize` and `Deserialize`, and own what is inside: `String`, not `&str`"
)]
pub trait Data: Serialize + DeserializeOwned + Send + Sync + 'static {}

impl<T: Serialize + DeserializeOwned + Send + Sync + 'static> Data for T {}

/// A value as `T`, and what the entry is to hold from now on, if that is something else.
pub(crate) struct As<T> {
    pub(crate) value: Arc<T>,
    pub(crate) keep: Option<Value>,
}

/// How many bytes will have to be decoded to read the value as another type than it is held as, as far as is known.
pub(crate) fn bytes_to_decode(value: &Value) -> usize {
    value.encoded().map_or(0, |encoded| encoded.bytes.len())
}

/// The value as `T`: the same `Arc` if it is held as `T`, else by decoding, if need be after encoding what is held.
pub(crate) fn read_as<T: Data>(value: Value, format: Format, limit: usize) -> Result<As<T>, Error> {
    let held = match value.downcast::<T>() {
        Ok(value) => return Ok(As { value, keep: None }),
        Err(held) => held,
    };
    if let Some(encoded) = held.encoded() {
        return view(Arc::clone(encoded), limit);
    }
    let encoded = encode(&held, format, limit)?;
    Ok(As { value: Arc::new(cache_codec::decode(&encoded)?), keep: None })
}

/// Decodes, and gives the bytes up only where the typed value makes the same bytes again: whoever reads the value as a
/// type with more fields must find them.
fn view<T: Data>(encoded: Arc<Encoded>, limit: usize) -> Result<As<T>, Error> {
    let value = Arc::new(cache_codec::decode::<T>(&encoded)?);
    let again = encode_typed(&*value, encoded.format, limit);
    let keep = if again.is_ok_and(|again| again.bytes == encoded.bytes) {
        Value::typed(Arc::clone(&value))
    } else {
        Value::viewed(Arc::clone(&value), encoded)
    };
    Ok(As { value, keep: Some(keep) })
}

/// The serialised form of a value: the bytes that it has, or new ones.
pub(crate) fn encode(value: &Value, format: Format, limit: usize) -> Result<Encoded, Error> {
    match (value.encoded(), value) {
        (Some(encoded), _) | (None, Value::Encoded(encoded)) => Ok(Encoded::clone(encoded)),
        (None, Value::Typed(typed)) => encode_typed(&**typed, format, limit),
    }
}

/// The serialised form of a typed value.
pub(crate) fn encode_typed(value: &dyn Cacheable, format: Format, limit: usize) -> Result<Encoded, Error> {
    Ok(Encoded { format, bytes: cache_codec::encode_erased(format, value, limit)? })
}
