//! What the caller may say.

const USAGE: &str = "[--json] [--seconds N] [--bound-mib N]";

/// The command line.
#[derive(Debug, PartialEq, Eq)]
pub struct Options {
    /// One JSON object, in place of a table.
    pub json: bool,
    /// How long.
    pub seconds: u64,
    /// The most weight, in MiB.
    pub bound_mib: u64,
}

impl Options {
    /// Reads the arguments.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn read(arguments: impl IntoIterator<Item = String>) -> Result<Self, String> {
        let mut options = Self { json: false, seconds: 60, bound_mib: 256 };
        let mut arguments = arguments.into_iter();
        while let Some(argument) = arguments.next() {
            let mut number = || {
                let number = arguments.next().and_then(|number| number.parse().ok());
                number
                    .filter(|&number| number > 0)
                    .ok_or_else(|| format!("{argument} takes a number from 1 up"))
            };
            match argument.as_str() {
                "--json" => options.json = true,
                "--seconds" => options.seconds = number()?,
                "--bound-mib" => options.bound_mib = number()?,
                other => return Err(format!("`{other}` is of no use here: {USAGE}")),
            }
        }
        Ok(options)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_come_in_any_order_and_others_are_refused() {
        let read = |line: &str| Options::read(line.split_whitespace().map(str::to_owned));
        assert_eq!(read(""), Ok(Options { json: false, seconds: 60, bound_mib: 256 }));
        assert_eq!(
            read("--bound-mib 64 --json --seconds 600"),
            Ok(Options { json: true, seconds: 600, bound_mib: 64 })
        );
        for line in ["--seconds", "--seconds 0", "--bound-mib x", "fast"] {
            assert!(read(line).is_err(), "{line}");
        }
    }
}
