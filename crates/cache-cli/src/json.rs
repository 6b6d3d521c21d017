//! A stored value as JSON, whatever type it has in the application.

use std::fmt;

use cache_codec::decode;
use cache_core::{Encoded, Format};
use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value, json};

/// Bytes of a binary field that are shown.
const SHOWN: usize = 32;

/// The value as JSON. What JSON does not have is described: `{"$bytes": 3, "$starts": "\\xff…"}`, and a map by other
/// things than texts as `{"$map": [[1, "one"]]}`.
pub(crate) fn of(encoded: &Encoded) -> Result<Value, String> {
    if encoded.format == Format::Bincode {
        return Err("bincode says nothing of the shape of a value: only its type can read it".into());
    }
    decode::<Shown>(encoded).map(|shown| shown.0).map_err(|error| error.message().to_owned())
}

/// The value as JSON if nothing of it is lost.
pub(crate) fn whole(encoded: &Encoded) -> Result<Value, String> {
    let value = of(encoded)?;
    if is_whole(&value) { Ok(value) } else { Err("it holds what JSON does not have".into()) }
}

fn is_whole(value: &Value) -> bool {
    match value {
        Value::Object(fields) => {
            !fields.keys().any(|name| name.starts_with('$')) && fields.values().all(is_whole)
        }
        Value::Array(items) => items.iter().all(is_whole),
        _ => true,
    }
}

/// Whether every integer of this JSON is one of 64 bits. Others are read as the nearest number with a fraction, which is
/// another number.
pub(crate) fn has_exact_integers(json: &str) -> bool {
    // Every second piece between quotes is a text, where escaped quotes do not count.
    let plain = json.replace("\\\\", "").replace("\\\"", "");
    let outside = plain.split('"').step_by(2);
    let in_number = |character: char| character.is_ascii_alphanumeric() || "+-.".contains(character);
    outside.flat_map(|piece| piece.split(|character| !in_number(character))).all(|word| {
        let digits = word.strip_prefix('-').unwrap_or(word);
        let is_integer = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        !is_integer || word.parse::<i64>().is_ok() || word.parse::<u64>().is_ok()
    })
}

struct Shown(Value);

impl<'de> Deserialize<'de> for Shown {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Shower).map(Self)
    }
}

struct Shower;

impl<'de> Visitor<'de> for Shower {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or_else(|| json!({ "$number": value.to_string() }), Value::Number))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_bytes<E: Error>(self, value: &[u8]) -> Result<Value, E> {
        let starts = crate::shown::bytes(&value[..value.len().min(SHOWN)]);
        Ok(json!({ "$bytes": value.len(), "$starts": starts }))
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut all = Vec::new();
        while let Some(Shown(item)) = items.next_element()? {
            all.push(item);
        }
        Ok(Value::Array(all))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Value, A::Error> {
        let (mut all, mut odd) = (Map::new(), Vec::new());
        while let Some((Shown(name), Shown(value))) = fields.next_entry()? {
            match name {
                Value::String(name) => drop(all.insert(name, value)),
                other => odd.push(json!([other, value])),
            }
        }
        if !odd.is_empty() {
            all.insert("$map".into(), Value::Array(odd));
        }
        Ok(Value::Object(all))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use cache_codec::encode;

    use super::*;

    fn msgpack(value: &impl serde::Serialize) -> Encoded {
        let bytes = encode(Format::Msgpack, value, 1 << 20).unwrap();
        Encoded { format: Format::Msgpack, bytes }
    }

    #[test]
    fn what_json_has_comes_through_whole() {
        let value = json!({"a": [1, -2, 1.5, null, true], "b": {"c": "d"}});
        assert_eq!(whole(&msgpack(&value)), Ok(value));
        let numbers = BTreeMap::from([(1_u8, "one")]);
        assert_eq!(of(&msgpack(&numbers)), Ok(json!({"$map": [[1, "one"]]})));
        assert!(whole(&msgpack(&numbers)).is_err(), "a text is no number");
        assert_eq!(of(&msgpack(&f64::NAN)), Ok(json!({"$number": "NaN"})));
    }

    #[test]
    fn bytes_are_described_and_never_taken_for_whole() {
        // A binary of two bytes in a list, as MessagePack writes it.
        let encoded = Encoded { format: Format::Msgpack, bytes: vec![0x91, 0xc4, 2, 0xff, b'a'].into() };
        assert_eq!(of(&encoded), Ok(json!([{"$bytes": 2, "$starts": "\\xffa"}])));
        assert!(whole(&encoded).is_err());
    }
}
