//! Lengths of time as they are written in attributes: `30m`.

/// The longest TTL, in milliseconds: 365 days.
const LONGEST: u64 = 365 * 24 * 3600 * 1000;

/// So many milliseconds, `least` at least.
///
/// # Errors
/// What is wrong with the text, and what is allowed.
pub(crate) fn millis(text: &str, least: u64) -> Result<u64, String> {
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = text.split_at(digits);
    let unit: u64 = match unit {
        "ms" => 1,
        "s" => 1000,
        "m" => 60 * 1000,
        "h" => 3600 * 1000,
        "d" => 24 * 3600 * 1000,
        _ => {
            return Err(format!(
                "`{text}` is no length of time: write a whole number and a unit, `ms`, `s`, `m`, `h` or `d`, as in \"30m\""
            ));
        }
    };
    let millis = number.parse::<u64>().ok().and_then(|number| number.checked_mul(unit));
    millis.filter(|millis| (least..=LONGEST).contains(millis)).ok_or_else(|| {
        let least = if least == 0 { "0s" } else { "1ms" };
        format!("`{text}` is out of range: {least} to 365d are allowed")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_have_a_unit_and_a_range() {
        for (text, expected) in
            [("1ms", 1), ("30s", 30_000), ("30m", 1_800_000), ("2h", 7_200_000), ("365d", LONGEST)]
        {
            assert_eq!(millis(text, 1), Ok(expected), "{text}");
        }
        for wrong in ["", "30", "m", "30 m", "1.5h", "-1s", "30min", "0s", "366d", "99999999999999999999d"] {
            assert!(millis(wrong, 1).is_err(), "{wrong}");
        }
        assert_eq!(millis("0s", 0), Ok(0));
    }
}
