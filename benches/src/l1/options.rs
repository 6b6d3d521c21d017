//! What the caller may say.

use super::case::{CASES, Case};
use super::{memory, tail};

const USAGE: &str = "[--json] [--rounds N] [--case NAME]";

/// The command line.
#[derive(Debug, PartialEq, Eq)]
pub struct Options {
    /// One JSON object a line, in place of tables.
    pub json: bool,
    /// Rounds that count.
    pub rounds: usize,
    /// Only what has a name that begins like this.
    pub case: Option<String>,
}

impl Options {
    /// Reads the arguments.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn read(arguments: impl IntoIterator<Item = String>) -> Result<Self, String> {
        let mut options = Self { json: false, rounds: 25, case: None };
        let mut arguments = arguments.into_iter();
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().ok_or_else(|| format!("{argument} what?"));
            match argument.as_str() {
                "--json" => options.json = true,
                "--rounds" => {
                    let rounds = value()?.parse().ok().filter(|&rounds| rounds > 0);
                    options.rounds = rounds.ok_or("--rounds takes a number from 1 up")?;
                }
                "--case" => options.case = Some(value()?),
                other => return Err(format!("`{other}` is of no use here: {USAGE}")),
            }
        }
        let names: Vec<&str> = CASES.iter().map(|case| case.name).chain([tail::NAME, memory::NAME]).collect();
        if !names.iter().any(|name| options.wants(name)) {
            return Err(format!("--case takes the beginning of one of: {}", names.join(", ")));
        }
        Ok(options)
    }

    /// Whether the case was asked for.
    pub fn wants(&self, name: &str) -> bool {
        self.case.as_ref().is_none_or(|beginning| name.starts_with(beginning))
    }

    /// The cases that were asked for.
    pub fn cases(&self) -> impl Iterator<Item = &'static Case> + '_ {
        CASES.iter().filter(|case| self.wants(case.name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Options, String> {
        Options::read(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn options_come_in_any_order_and_others_are_refused() {
        let options = read("--case get --json --rounds 3").unwrap();
        assert_eq!((options.json, options.rounds), (true, 3));
        assert_eq!(options.cases().map(|case| case.name).collect::<Vec<_>>(), ["get_hit", "get_miss"]);
        assert_eq!(read("").unwrap().cases().count(), CASES.len());
        assert_eq!(read("--case overhead").unwrap().cases().count(), 0);
        for line in ["--rounds", "--rounds 0", "--case nothing", "fast"] {
            assert!(read(line).is_err(), "{line}");
        }
    }
}
