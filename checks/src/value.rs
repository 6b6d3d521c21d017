//! A value that says which it is.

use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Stamped {
    pub(crate) key: String,
    pub(crate) version: u32,
    /// When its writer began to write it.
    pub(crate) sent: u64,
    pad: String,
    check: u64,
}

impl Stamped {
    /// The value of this version. Some are long enough to be compressed.
    pub(crate) fn new(key: &str, version: u32, sent: u64) -> Self {
        let length = if version % 16 == 15 { 3_000 } else { version as usize % 7 * 40 };
        let pad = "x".repeat(length);
        let check = check(key, version, sent, &pad);
        Self { key: key.to_owned(), version, sent, pad, check }
    }

    /// Whether it is whole.
    pub(crate) fn is_sound(&self) -> bool {
        self.check == check(&self.key, self.version, self.sent, &self.pad)
    }
}

/// FNV-1a, enough to see that something was changed.
fn check(key: &str, version: u32, sent: u64, pad: &str) -> u64 {
    let parts = [key.as_bytes(), &version.to_be_bytes(), &sent.to_be_bytes(), &pad.len().to_be_bytes()];
    parts
        .into_iter()
        .flatten()
        .chain(pad.as_bytes())
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_that_was_changed_is_not_sound() {
        let value = Stamped::new("k", 15, 7);
        assert!(value.is_sound());
        assert!(!Stamped { version: 16, ..value.clone() }.is_sound());
        assert!(!Stamped { pad: "y".into(), ..value.clone() }.is_sound());
        assert!(!Stamped { key: "l".into(), ..value }.is_sound());
    }
}
