//! What the caller may say.

const USAGE: &str = "[--json] [--seconds N] [--bound-mib N] [--crate NAME]";

/// The command line.
#[derive(Debug, PartialEq, Eq)]
pub struct Options {
    /// One JSON object, in place of a table.
    pub json: bool,
    /// How long.
    pub seconds: u64,
    /// The most weight, in MiB.
    pub bound_mib: u64,
    /// Which cache.
    pub subject: String,
}

impl Options {
    /// Reads the arguments.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn read(arguments: impl IntoIterator<Item = String>) -> Result<Self, String> {
        let mut options = Self { json: false, seconds: 60, bound_mib: 256, subject: "cache-memory".into() };
        let mut arguments = arguments.into_iter();
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().ok_or_else(|| format!("{argument} what?"));
            match argument.as_str() {
                "--json" => options.json = true,
                "--seconds" => options.seconds = number(&value()?)?,
                "--bound-mib" => options.bound_mib = number(&value()?)?,
                "--crate" => options.subject = value()?,
                other => return Err(format!("`{other}` is of no use here: {USAGE}")),
            }
        }
        Ok(options)
    }
}

fn number(text: &str) -> Result<u64, String> {
    let number = text.parse().ok().filter(|&number| number > 0);
    number.ok_or_else(|| format!("`{text}` is no number from 1 up"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_come_in_any_order_and_others_are_refused() {
        let read = |line: &str| Options::read(line.split_whitespace().map(str::to_owned));
        let usual = read("").unwrap();
        assert_eq!((usual.seconds, usual.bound_mib, usual.subject.as_str()), (60, 256, "cache-memory"));
        let other = read("--bound-mib 64 --crate moka --json --seconds 600").unwrap();
        assert_eq!(other, Options { json: true, seconds: 600, bound_mib: 64, subject: "moka".into() });
        for line in ["--seconds", "--seconds 0", "--bound-mib x", "fast"] {
            assert!(read(line).is_err(), "{line}");
        }
    }
}
