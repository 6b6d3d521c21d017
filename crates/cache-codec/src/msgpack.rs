//! MessagePack with field names.

use std::io::ErrorKind::UnexpectedEof;

use cache_core::BoxError;
use rmp_serde::decode::Error as DecodeError;
use rmp_serde::{Deserializer, Serializer};
use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Serialize};

use crate::buffer::Buffer;
use crate::problem::{MAX_DEPTH, Problem};

pub(crate) fn encode<T: Serialize + ?Sized>(value: &T, out: &mut Buffer) -> Result<(), BoxError> {
    let mut serializer = Serializer::new(out).with_struct_map();
    value.serialize(&mut serializer).map_err(BoxError::from)
}

pub(crate) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    let mut deserializer = Deserializer::from_read_ref(bytes);
    deserializer.set_max_depth(MAX_DEPTH);
    let value = T::deserialize(&mut deserializer).map_err(problem)?;
    // The deserializer keeps to itself how far it came, but it can be asked for one value more.
    match IgnoredAny::deserialize(&mut deserializer) {
        Err(DecodeError::InvalidMarkerRead(error)) if error.kind() == UnexpectedEof => Ok(value),
        _ => Err(Problem::trailing()),
    }
}

fn problem(error: DecodeError) -> Problem {
    match error {
        DecodeError::Syntax(message) | DecodeError::Uncategorized(message) => Problem::from_serde(&message),
        DecodeError::DepthLimitExceeded => Problem::too_deep(),
        DecodeError::InvalidMarkerRead(_) | DecodeError::InvalidDataRead(_) => Problem::ends_early(),
        // The marker of a short number or text is a part of the value, so it is not shown.
        _ => Problem::unfit(),
    }
}
