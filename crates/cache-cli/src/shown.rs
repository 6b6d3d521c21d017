//! How keys, times and sizes are shown to people.

use std::time::Duration;

/// A text with its control characters escaped: what is stored must not command the terminal.
pub(crate) fn text(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() || misleads(character) {
            shown.extend(character.escape_default());
        } else {
            shown.push(character);
        }
    }
    shown
}

/// Whether it turns the direction of writing, which hides what stands there, or ends a line.
fn misleads(character: char) -> bool {
    matches!(
        character,
        '\u{61C}' | '\u{200E}' | '\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2066}'..='\u{2069}'
    )
}

/// JSON that means the same and does not command a terminal. What is escaped stands in texts only: JSON's own signs and
/// what is between them are ASCII, and control characters below the space are escaped in its texts already.
pub(crate) fn json(json: &str) -> String {
    let mut shown = String::with_capacity(json.len());
    for character in json.chars() {
        let is_odd = character >= '\u{7f}' && (character.is_control() || misleads(character));
        if is_odd {
            // All of them are below U+10000.
            shown.push_str(&format!("\\u{:04x}", u32::from(character)));
        } else {
            shown.push(character);
        }
    }
    shown
}

/// Bytes that need not be text: `a\xff`.
pub(crate) fn bytes(bytes: &[u8]) -> String {
    bytes
        .utf8_chunks()
        .map(|chunk| {
            let odd: String = chunk.invalid().iter().map(|byte| format!("\\x{byte:02x}")).collect();
            text(chunk.valid()) + &odd
        })
        .collect()
}

/// `1h 5m`, `12.3s`, `250ms`: two units at most.
pub(crate) fn time(time: Duration) -> String {
    let seconds = time.as_secs();
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    if days > 0 {
        format!("{days}d {hours}h")
    } else if hours > 0 {
        format!("{hours}h {minutes}m")
    } else if minutes > 0 {
        format!("{minutes}m {}s", seconds % 60)
    } else if seconds > 0 {
        format!("{:.1}s", time.as_secs_f64())
    } else if time.as_millis() > 0 {
        format!("{}ms", time.as_millis())
    } else {
        format!("{}us", time.as_micros())
    }
}

/// The same of milliseconds, as reports hold them.
pub(crate) fn ms(millis: u64) -> String {
    time(Duration::from_millis(millis))
}

/// `950 B`, `12.0 KiB`, `3.4 MiB`.
pub(crate) fn size(bytes: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "shown with one digit")]
    let of = |unit: u64| bytes as f64 / unit as f64;
    match bytes {
        0..1024 => format!("{bytes} B"),
        1024..0x10_0000 => format!("{:.1} KiB", of(1 << 10)),
        0x10_0000..0x4000_0000 => format!("{:.1} MiB", of(1 << 20)),
        _ => format!("{:.1} GiB", of(1 << 30)),
    }
}

/// `12.5 %` of a whole; `-` of nothing.
pub(crate) fn part(part: u64, whole: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "shown with one digit")]
    let percent = |part: u64, whole: u64| 100.0 * part as f64 / whole as f64;
    if whole == 0 { "-".into() } else { format!("{:.1} %", percent(part, whole)) }
}

/// Milliseconds, for JSON.
pub(crate) fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_stored_does_not_command_the_terminal() {
        assert_eq!(text("a\u{1b}[31mé\n"), "a\\u{1b}[31mé\\n");
        assert_eq!(text("a\u{202e}b"), "a\\u{202e}b");
        assert_eq!(text("a\u{2028}b\u{2029}"), "a\\u{2028}b\\u{2029}");
        assert_eq!(bytes(b"a\xff\xfe\x1bb"), "a\\xff\\xfe\\u{1b}b");
    }

    #[test]
    fn times_and_sizes_are_short() {
        for (millis, shown) in [
            (3_900_000, "1h 5m"),
            (12_340, "12.3s"),
            (250, "250ms"),
            (90_061_000, "1d 1h"),
            (61_000, "1m 1s"),
        ] {
            assert_eq!(time(Duration::from_millis(millis)), shown);
        }
        for (bytes, shown) in
            [(950, "950 B"), (12_288, "12.0 KiB"), (3_565_158, "3.4 MiB"), (1 << 30, "1.0 GiB")]
        {
            assert_eq!(size(bytes), shown);
        }
        assert_eq!((part(1, 8), part(1, 0)), ("12.5 %".into(), "-".into()));
    }
}
