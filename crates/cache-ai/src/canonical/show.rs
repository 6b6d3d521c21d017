//! Canonical bytes as JSON, for people.

use std::io::Write;

use super::{FALSE, FRACTION, INTEGER, LIST, LIST_END, OBJECT, OBJECT_END, TEXT, TRUE, take_bytes};

/// The value as JSON. What is no canonical value shows as far as it is one.
pub(crate) fn to_json(bytes: &[u8]) -> String {
    let mut out = Vec::with_capacity(bytes.len());
    show(&mut out, bytes);
    String::from_utf8(out).unwrap_or_default()
}

/// Shows a value and returns what follows it.
fn show<'a>(out: &mut Vec<u8>, bytes: &'a [u8]) -> &'a [u8] {
    let Some((&mark, rest)) = bytes.split_first() else { return bytes };
    match mark {
        TRUE => out.extend(b"true"),
        FALSE => out.extend(b"false"),
        INTEGER => return integer(out, rest),
        FRACTION => return fraction(out, rest),
        TEXT => return text(out, bytes),
        LIST => return several(out, rest, (b'[', b']'), LIST_END, show),
        OBJECT => return several(out, rest, (b'{', b'}'), OBJECT_END, field),
        _ => out.extend(b"null"),
    }
    rest
}

fn integer<'a>(out: &mut Vec<u8>, bytes: &'a [u8]) -> &'a [u8] {
    let Some((number, rest)) = bytes.split_first_chunk() else { return &[] };
    let number = i128::from_be_bytes(*number);
    // Writing to memory does not fail.
    let _ = match i64::try_from(number) {
        Ok(number) => serde_json::to_writer(out, &number),
        Err(_) => serde_json::to_writer(out, &number),
    };
    rest
}

fn fraction<'a>(out: &mut Vec<u8>, bytes: &'a [u8]) -> &'a [u8] {
    let Some((number, rest)) = bytes.split_first_chunk() else { return &[] };
    let _ = write!(out, "{}", f64::from_bits(u64::from_be_bytes(*number)));
    rest
}

fn text<'a>(out: &mut Vec<u8>, bytes: &'a [u8]) -> &'a [u8] {
    let Some((text, rest)) = take_bytes(bytes) else { return &[] };
    if text.iter().all(|byte| matches!(byte, b' ' | b'!' | b'#'..=b'[' | b']'..=b'~')) {
        out.push(b'"');
        out.extend_from_slice(text);
        out.push(b'"');
    } else {
        // Writing to memory does not fail, and a text is always JSON.
        let _ = serde_json::to_writer(out, &String::from_utf8_lossy(text));
    }
    rest
}

fn field<'a>(out: &mut Vec<u8>, bytes: &'a [u8]) -> &'a [u8] {
    let rest = text(out, bytes);
    out.push(b':');
    show(out, rest)
}

fn several<'a>(
    out: &mut Vec<u8>,
    mut rest: &'a [u8],
    (open, close): (u8, u8),
    end: u8,
    one: fn(&mut Vec<u8>, &'a [u8]) -> &'a [u8],
) -> &'a [u8] {
    out.push(open);
    let mut is_first = true;
    while let Some((&mark, after)) = rest.split_first() {
        if mark == end {
            rest = after;
            break;
        }
        if !is_first {
            out.push(b',');
        }
        is_first = false;
        rest = one(out, rest);
    }
    out.push(close);
    rest
}
