//! What the caller may say.

use super::guest::CASES;
use crate::l1::case::Case;

const USAGE: &str = "--instructions [--json] [--bless] [--case NAME]";

/// The command line.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// One JSON object a line, in place of a table.
    pub json: bool,
    /// Makes what is counted the baseline.
    pub bless: bool,
    /// Only what has a name that begins like this.
    pub case: Option<String>,
}

impl Options {
    /// Reads the arguments.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn read(arguments: &[String]) -> Result<Self, String> {
        let mut options = Self::default();
        let mut arguments = arguments.iter();
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--instructions" => {}
                "--json" => options.json = true,
                "--bless" => options.bless = true,
                "--case" => options.case = Some(arguments.next().ok_or("--case what?")?.clone()),
                other => return Err(format!("`{other}` is of no use here: {USAGE}")),
            }
        }
        if options.cases().next().is_none() {
            let names: Vec<&str> = CASES.iter().map(|case| case.name).collect();
            return Err(format!("--case takes the beginning of one of: {}", names.join(", ")));
        }
        Ok(options)
    }

    /// The cases that were asked for.
    pub fn cases(&self) -> impl Iterator<Item = &'static Case> + '_ {
        let wanted =
            |case: &&Case| self.case.as_ref().is_none_or(|beginning| case.name.starts_with(beginning));
        CASES.iter().filter(wanted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Options, String> {
        Options::read(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn options_come_in_any_order_and_others_are_refused() {
        let options = read("--bless --case get --instructions").unwrap();
        assert!(options.bless && !options.json && options.cases().count() == 2);
        assert!(read("--rounds 3").is_err() && read("--case none").is_err() && read("--case").is_err());
    }
}
