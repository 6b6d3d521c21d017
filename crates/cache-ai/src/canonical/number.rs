//! Numbers and texts, to the byte.

use super::{FRACTION, INTEGER, Problem, TEXT};

/// All floats below it in size that have no fraction are integers of 128 bits.
const TOO_LARGE: f64 = 1.7e38;

/// An integer, exactly.
pub(crate) fn int(out: &mut Vec<u8>, number: i128) {
    out.push(INTEGER);
    out.extend_from_slice(&number.to_be_bytes());
}

/// A text with its length, as it is.
pub(crate) fn text(out: &mut Vec<u8>, text: &str) {
    out.reserve(1 + 8 + text.len());
    out.push(TEXT);
    out.extend_from_slice(&(text.len() as u64).to_be_bytes());
    out.extend_from_slice(text.as_bytes());
}

/// A float: as an integer if it is one, so that `1.0` is `1`.
pub(super) fn float(out: &mut Vec<u8>, number: f64) -> Result<(), Problem> {
    if !number.is_finite() {
        return Err(Problem::NoNumber(number));
    }
    if number.trunc() == number && number.abs() < TOO_LARGE {
        #[allow(clippy::cast_possible_truncation, reason = "it has no fraction and fits")]
        int(out, number as i128);
    } else {
        out.push(FRACTION);
        out.extend_from_slice(&number.to_bits().to_be_bytes());
    }
    Ok(())
}

/// A number in digits: exactly if it is an integer, else as the nearest float, which is what a model makes of it.
pub(super) fn digits(out: &mut Vec<u8>, digits: &str) -> Result<(), Problem> {
    if let Ok(number) = digits.parse() {
        int(out, number);
        return Ok(());
    }
    let number: f64 = digits.parse().unwrap_or(f64::NAN);
    if number.abs() >= TOO_LARGE {
        return Err(Problem::Refused(format!("{digits} is too large")));
    }
    float(out, number)
}

/// A short float: the number that its shortest decimal form shows, which is what a model is sent.
pub(super) fn short_float(out: &mut Vec<u8>, number: f32) -> Result<(), Problem> {
    float(out, number.to_string().parse().unwrap_or(f64::from(number)))
}
