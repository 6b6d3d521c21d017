//! What was counted before, and what may be counted now.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// So many times the baseline is allowed.
const MOST: f64 = 1.05;
/// Below this the baseline lags behind.
const LEAST: f64 = 0.95;

/// What was counted before, and by which compiler.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub struct Baseline {
    /// Another one counts otherwise.
    pub rustc: String,
    /// Instructions of a call, by case.
    pub instructions: BTreeMap<String, f64>,
}

/// How a count stands to the baseline.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Verdict {
    /// As before, more or less.
    Kept,
    /// Fewer instructions: worth a new baseline.
    Better,
    /// Too many.
    Worse,
    /// There is nothing to compare with.
    New,
}

impl Baseline {
    /// Where it is kept.
    pub fn path() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("baseline/l1.json")
    }

    /// Reads it. There need not be one.
    ///
    /// # Errors
    /// If what is there is no baseline.
    pub fn read(path: &Path) -> Result<Option<Self>, String> {
        match std::fs::read_to_string(path) {
            Ok(text) => {
                serde_json::from_str(&text).map(Some).map_err(|error| format!("the baseline: {error}"))
            }
            Err(_) => Ok(None),
        }
    }

    /// Writes it.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn write(&self, path: &Path) -> Result<(), String> {
        let text = serde_json::to_string_pretty(self).map_err(|error| error.to_string())?;
        std::fs::write(path, text + "\n").map_err(|error| format!("the baseline: {error}"))
    }

    /// Judges one count.
    pub fn judge(&self, case: &str, counted: f64) -> Verdict {
        match self.instructions.get(case) {
            None => Verdict::New,
            Some(before) if counted > before * MOST => Verdict::Worse,
            Some(before) if counted < before * LEAST => Verdict::Better,
            Some(_) => Verdict::Kept,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn baseline() -> Baseline {
        Baseline { rustc: "rustc 1.95.0".into(), instructions: [("get_hit".to_owned(), 100.0)].into() }
    }

    #[test]
    fn five_percent_more_are_too_many() {
        for (counted, verdict) in
            [(105.0, Verdict::Kept), (105.1, Verdict::Worse), (95.0, Verdict::Kept), (94.9, Verdict::Better)]
        {
            assert_eq!(baseline().judge("get_hit", counted), verdict, "{counted}");
        }
        assert_eq!(baseline().judge("mix", 1.0), Verdict::New);
    }

    #[test]
    fn what_is_written_is_read_and_a_broken_file_is_an_error() {
        let path = std::env::temp_dir().join(format!("baseline-{}.json", std::process::id()));
        baseline().write(&path).unwrap();
        let read = Baseline::read(&path);
        std::fs::write(&path, "{}").unwrap();
        let broken = Baseline::read(&path);
        std::fs::remove_file(&path).unwrap();
        assert_eq!(read, Ok(Some(baseline())));
        assert!(broken.is_err());
        assert_eq!(Baseline::read(&path), Ok(None));
    }

    #[test]
    fn every_case_has_a_baseline() {
        let baseline = Baseline::read(&Baseline::path()).unwrap().unwrap();
        for case in super::super::guest::CASES {
            assert!(baseline.instructions.contains_key(case.name), "{}", case.name);
        }
    }
}
