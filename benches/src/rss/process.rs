//! What the system says that this process takes.

use std::fs::read_to_string;

/// Resident memory in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resident {
    /// Now.
    pub now: u64,
    /// The most there ever was.
    pub peak: u64,
}

/// Asks the system.
///
/// # Errors
/// Where there is no `/proc` (Linux has it).
pub fn resident() -> Result<Resident, String> {
    let text = read_to_string("/proc/self/status").map_err(|error| format!("/proc/self/status: {error}"))?;
    parsed(&text).ok_or_else(|| "/proc/self/status does not say what is resident".into())
}

fn parsed(text: &str) -> Option<Resident> {
    let of = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
        Some(line.trim().strip_suffix(" kB")?.parse::<u64>().ok()? << 10)
    };
    Some(Resident { now: of("VmRSS")?, peak: of("VmHWM")? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_numbers_are_found() {
        let text = "Name:\tx\nVmPeak:\t 9999 kB\nVmHWM:\t    2048 kB\nVmRSS:\t    1024 kB\n";
        assert_eq!(parsed(text), Some(Resident { now: 1 << 20, peak: 2 << 20 }));
        assert_eq!(parsed("VmRSS: many"), None);
    }
}
