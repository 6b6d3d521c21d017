//! bincode 2, with the bounds that it lacks.

use std::cell::Cell;
use std::marker::PhantomData;

use bincode::config::{Configuration, Limit, LittleEndian, Varint, standard};
use bincode::error::DecodeError;
use bincode::serde::{encode_into_std_write, seed_decode_from_slice};
use cache_core::BoxError;
use serde::Serialize;
use serde::de::{DeserializeOwned, DeserializeSeed, Deserializer};

use crate::buffer::Buffer;
use crate::guard::{Budget, TOO_DEEP, TOO_LONG};
use crate::problem::{MAX_DEPTH, Problem};

/// What decoding may claim to read. Numbers count with their full width, sixteen times what the shortest take up, so
/// this is far above any length that [`Limits`](crate::Limits) let through.
const LIMIT: usize = 1 << 30;
const CONFIG: Configuration<LittleEndian, Varint, Limit<LIMIT>> = standard().with_limit::<LIMIT>();

pub(crate) fn encode<T: Serialize + ?Sized>(value: &T, out: &mut Buffer) -> Result<(), BoxError> {
    encode_into_std_write(value, out, CONFIG).map(drop).map_err(BoxError::from)
}

pub(crate) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    // Values that take up no bytes could be declared without end; this many of them is more than any real type has.
    let steps = Cell::new(bytes.len().saturating_mul(64).saturating_add(65_536));
    let seed = Bounded { budget: Budget::new(MAX_DEPTH, &steps), of: PhantomData };
    let (value, read) = seed_decode_from_slice(seed, bytes, CONFIG).map_err(|error| problem(&error))?;
    if read == bytes.len() { Ok(value) } else { Err(Problem::trailing()) }
}

/// Decodes a `T` within a budget.
struct Bounded<'a, T> {
    budget: Budget<'a>,
    of: PhantomData<T>,
}

impl<'de, T: DeserializeOwned> DeserializeSeed<'de> for Bounded<'_, T> {
    type Value = T;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<T, D::Error> {
        T::deserialize(self.budget.guard(deserializer))
    }
}

fn problem(error: &DecodeError) -> Problem {
    match error {
        DecodeError::OtherString(message) if message == TOO_DEEP => Problem::too_deep(),
        DecodeError::OtherString(message) if message == TOO_LONG => Problem(TOO_LONG.into()),
        DecodeError::OtherString(message) => Problem::from_serde(message),
        DecodeError::UnexpectedEnd { .. } | DecodeError::LimitExceeded => Problem::ends_early(),
        // Some of the others quote what they found.
        _ => Problem::unfit(),
    }
}
