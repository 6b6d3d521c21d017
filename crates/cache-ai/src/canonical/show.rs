//! Canonical bytes as JSON, for people.

use std::fmt::Write;

use super::{FALSE, FRACTION, INTEGER, LIST, LIST_END, OBJECT, OBJECT_END, TEXT, TRUE, take_text};

/// The value as JSON. What is no canonical value shows as far as it is one.
pub(crate) fn to_json(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    show(&mut out, bytes);
    out
}

/// Shows a value and returns what follows it.
fn show<'a>(out: &mut String, bytes: &'a [u8]) -> &'a [u8] {
    let Some((&mark, rest)) = bytes.split_first() else { return bytes };
    match mark {
        TRUE => out.push_str("true"),
        FALSE => out.push_str("false"),
        INTEGER => return integer(out, rest),
        FRACTION => return fraction(out, rest),
        TEXT => return text(out, bytes),
        LIST => return several(out, rest, ('[', ']'), LIST_END, show),
        OBJECT => return several(out, rest, ('{', '}'), OBJECT_END, field),
        _ => out.push_str("null"),
    }
    rest
}

fn integer<'a>(out: &mut String, bytes: &'a [u8]) -> &'a [u8] {
    let Some((number, rest)) = bytes.split_first_chunk() else { return &[] };
    // Writing to a text does not fail.
    let _ = write!(out, "{}", i128::from_be_bytes(*number));
    rest
}

fn fraction<'a>(out: &mut String, bytes: &'a [u8]) -> &'a [u8] {
    let Some((number, rest)) = bytes.split_first_chunk() else { return &[] };
    let _ = write!(out, "{}", f64::from_bits(u64::from_be_bytes(*number)));
    rest
}

fn text<'a>(out: &mut String, bytes: &'a [u8]) -> &'a [u8] {
    let Some((text, rest)) = take_text(bytes) else { return &[] };
    out.push_str(&serde_json::to_string(text).unwrap_or_default());
    rest
}

fn field<'a>(out: &mut String, bytes: &'a [u8]) -> &'a [u8] {
    let rest = text(out, bytes);
    out.push(':');
    show(out, rest)
}

fn several<'a>(
    out: &mut String,
    mut rest: &'a [u8],
    (open, close): (char, char),
    end: u8,
    one: fn(&mut String, &'a [u8]) -> &'a [u8],
) -> &'a [u8] {
    out.push(open);
    let mut is_first = true;
    while let Some((&mark, after)) = rest.split_first() {
        if mark == end {
            rest = after;
            break;
        }
        if !is_first {
            out.push(',');
        }
        is_first = false;
        rest = one(out, rest);
    }
    out.push(close);
    rest
}
