//! One form of bytes for every value that means the same, and different bytes for every value that does not.
//!
//! Values are taken as JSON would show them. Each part starts with a mark that says what it is and how long, so no two
//! values make the same bytes; the fields of an object are in order of their names, so the order in which they were
//! given says nothing. `1` and `1.0` are one number, `-0` is `0`, integers of any length are exact.

mod compound;
mod name;
mod number;
mod scalar;
mod show;

use std::fmt;

use cache_core::{Error, ErrorKind};
use serde::Serialize;

pub(crate) use self::number::{int as write_int, text as write_text};
pub(crate) use self::show::to_json;

const NULL: u8 = b'z';
const TRUE: u8 = b't';
const FALSE: u8 = b'f';
const INTEGER: u8 = b'i';
const FRACTION: u8 = b'd';
const TEXT: u8 = b's';
const LIST: u8 = b'[';
const LIST_END: u8 = b']';
const OBJECT: u8 = b'{';
const OBJECT_END: u8 = b'}';

/// The deepest nesting that is believed.
const DEEPEST: usize = 128;

/// Appends the canonical form of a value.
///
/// # Errors
/// Why it has none: NaN, an infinity, a field given twice, too deep, or the value's own error.
pub(crate) fn append<T: Serialize + ?Sized>(out: &mut Vec<u8>, value: &T) -> Result<(), Problem> {
    value.serialize(Writer { out, depth: 0, limit: usize::MAX })
}

/// As [`append`], and gives up as soon as there are more than `limit` bytes.
pub(crate) fn append_up_to<T: Serialize + ?Sized>(
    out: &mut Vec<u8>,
    value: &T,
    limit: usize,
) -> Result<(), Problem> {
    value.serialize(Writer { out, depth: 0, limit })
}

/// The fields of a canonical object: name and canonical value. None of anything else.
pub(crate) fn fields(bytes: &[u8]) -> impl Iterator<Item = (&str, &[u8])> + Clone {
    let mut rest = bytes.strip_prefix(&[OBJECT]).unwrap_or_default();
    // What ends an object is no text, so the fields end there.
    std::iter::repeat(()).map_while(move |()| {
        let (name, after) = take_text(rest)?;
        let (value, after) = after.split_at_checked(length(after)?)?;
        rest = after;
        Some((name, value))
    })
}

/// Writes fields as an object.
pub(crate) fn write_object<'a>(out: &mut Vec<u8>, fields: impl Iterator<Item = (&'a str, &'a [u8])>) {
    out.push(OBJECT);
    for (name, value) in fields {
        number::text(out, name);
        out.extend_from_slice(value);
    }
    out.push(OBJECT_END);
}

/// Fields as an object.
pub(crate) fn object<'a>(fields: impl Iterator<Item = (&'a str, &'a [u8])>) -> Vec<u8> {
    let mut out = Vec::with_capacity(128);
    write_object(&mut out, fields);
    out
}

/// The text that this is, if it is one.
pub(crate) fn as_text(bytes: &[u8]) -> Option<&str> {
    take_text(bytes).filter(|(_, rest)| rest.is_empty()).map(|(text, _)| text)
}

/// The integer that this is, if it is one.
pub(crate) fn as_integer(bytes: &[u8]) -> Option<i128> {
    let digits = bytes.strip_prefix(&[INTEGER])?;
    digits.try_into().ok().map(i128::from_be_bytes)
}

/// Whether this is the number zero.
pub(crate) fn is_zero(bytes: &[u8]) -> bool {
    as_integer(bytes) == Some(0)
}

/// Whether this is an object.
pub(crate) fn is_object(bytes: &[u8]) -> bool {
    bytes.first() == Some(&OBJECT)
}

/// Whether this is nothing.
pub(crate) fn is_null(bytes: &[u8]) -> bool {
    bytes == [NULL]
}

fn take_text(bytes: &[u8]) -> Option<(&str, &[u8])> {
    let (text, rest) = take_bytes(bytes)?;
    Some((std::str::from_utf8(text).ok()?, rest))
}

/// A text's bytes, and what follows.
fn take_bytes(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (len, rest) = bytes.strip_prefix(&[TEXT])?.split_first_chunk()?;
    rest.split_at_checked(usize::try_from(u64::from_be_bytes(*len)).ok()?)
}

/// How long the value is that these bytes start with.
fn length(bytes: &[u8]) -> Option<usize> {
    let mut at = 0;
    let mut open = 0usize;
    loop {
        at += match *bytes.get(at)? {
            LIST | OBJECT => {
                open += 1;
                1
            }
            LIST_END | OBJECT_END => {
                open = open.checked_sub(1)?;
                1
            }
            INTEGER => 1 + 16,
            FRACTION => 1 + 8,
            TEXT => {
                let (len, _) = bytes.get(at + 1..)?.split_first_chunk()?;
                1 + 8 + usize::try_from(u64::from_be_bytes(*len)).ok()?
            }
            _ => 1,
        };
        if open == 0 {
            return (at <= bytes.len()).then_some(at);
        }
    }
}

/// Why a value has no canonical form.
#[derive(Debug)]
pub(crate) enum Problem {
    /// More bytes than the caller wanted to see.
    TooLong,
    /// A number that is none: NaN, an infinity.
    NoNumber(f64),
    /// Something else that no request can hold.
    Refused(String),
}

impl Problem {
    pub(crate) fn into_error(self) -> Error {
        match self {
            Self::TooLong => Error::new(ErrorKind::TooLarge, "the request is too long"),
            what => Error::new(ErrorKind::Validation, format!("the request cannot be named: {what}")),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong => f.write_str("too long"),
            Self::NoNumber(number) => write!(f, "{number} is no number that a model can be sent"),
            Self::Refused(what) => f.write_str(what),
        }
    }
}

impl std::error::Error for Problem {}

impl serde::ser::Error for Problem {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::Refused(message.to_string())
    }
}

/// Writes one value.
struct Writer<'a> {
    out: &'a mut Vec<u8>,
    depth: usize,
    limit: usize,
}

impl Writer<'_> {
    fn check(&self, more: usize) -> Result<(), Problem> {
        if self.out.len().saturating_add(more) > self.limit { Err(Problem::TooLong) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn bytes(value: &Value) -> Vec<u8> {
        let mut out = Vec::new();
        append(&mut out, value).unwrap();
        out
    }

    #[test]
    fn numbers_that_are_equal_are_one_and_others_are_not() {
        for (a, b) in [("1", "1.0"), ("0", "-0.0"), ("100", "1e2"), ("10000000000", "1e10")] {
            let (a, b): (Value, Value) = (serde_json::from_str(a).unwrap(), serde_json::from_str(b).unwrap());
            assert_eq!(bytes(&a), bytes(&b), "{a} {b}");
        }
        for (a, b) in [
            ("9007199254740993", "9007199254740992.0"),
            ("18446744073709551615", "18446744073709551616.0"),
            ("1", "\"1\""),
            ("0", "null"),
            ("0", "false"),
            ("0.1", "0.10000000000000002"),
            ("[]", "{}"),
            ("[[],[]]", "[[[]]]"),
            ("{\"a\":\"b\"}", "{\"a\":{\"b\":null}}"),
        ] {
            let (a, b): (Value, Value) = (serde_json::from_str(a).unwrap(), serde_json::from_str(b).unwrap());
            assert_ne!(bytes(&a), bytes(&b), "{a} {b}");
        }
    }

    #[test]
    fn a_short_float_is_the_number_that_it_shows() {
        let mut short = Vec::new();
        append(&mut short, &0.1f32).unwrap();
        assert_eq!(short, bytes(&json!(0.1)), "both are sent to a model as 0.1");
    }

    #[test]
    fn what_has_no_canonical_form_is_refused() {
        #[derive(Serialize)]
        struct Numbers {
            temperature: f64,
        }
        for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert!(append(&mut Vec::new(), &Numbers { temperature: bad }).is_err());
            #[allow(clippy::cast_possible_truncation, reason = "these stay what they are")]
            let short = bad as f32;
            assert!(append(&mut Vec::new(), &short).is_err());
        }
        let mut deep = json!(1);
        for _ in 0..=DEEPEST {
            deep = json!([deep]);
        }
        assert!(append(&mut Vec::new(), &deep).is_err());
        let twice = Twice;
        assert!(append(&mut Vec::new(), &twice).unwrap_err().to_string().contains("twice"));
        assert!(matches!(append_up_to(&mut Vec::new(), "long text", 8), Err(Problem::TooLong)));
    }

    struct Twice;

    impl Serialize for Twice {
        fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.collect_map([("a", 1), ("a", 2)])
        }
    }

    #[test]
    fn an_objects_fields_can_be_had_back() {
        let whole = bytes(&json!({"b": [1, {"x": "y"}], "a": "text", "c": {"d": null}, "e": 0.5}));
        let parts: Vec<_> = fields(&whole).collect();
        let names: Vec<&str> = parts.iter().map(|(name, _)| *name).collect();
        assert_eq!(names, ["a", "b", "c", "e"]);
        assert_eq!(as_text(parts[0].1), Some("text"));
        assert_eq!(parts[1].1, bytes(&json!([1, {"x": "y"}])));
        assert_eq!(object(parts.iter().copied()), whole);
        assert_eq!(fields(&bytes(&json!([1]))).count(), 0);
    }

    #[test]
    fn the_form_is_as_it_always_was() {
        let shown: String = bytes(&json!({"b": [true, null], "a": 1.5, "t": "é", "n": -2}))
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        assert_eq!(
            shown,
            "7b73000000000000000161643ff8000000000000730000000000000001625b747a5d73000000000000000\
             16e69fffffffffffffffffffffffffffffffe7300000000000000017473000000000000000\
             2c3a97d"
        );
    }
}
